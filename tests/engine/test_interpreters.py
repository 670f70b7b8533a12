# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python runs the engine: the order of the search, and a sentence for every wrong one, each a real one."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_process import client, until
from installed_extension import ROOT, installed

interpreters = installed("dposer_blender.interpreters")

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX scripts and permissions")
OLD = [f"3.{minor}" for minor in range(11)] + ["2.7"]


@pytest.fixture(autouse=True)
def unnamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(interpreters.VARIABLE, raising=False)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing in it."""
    folder = tmp_path_factory.mktemp("environments") / "a bare one"
    venv.create(folder, with_pip=False, symlinks=os.name == "posix")
    return folder


def python_in(environment: Path) -> Path:
    return environment / ("bin/python" if os.name == "posix" else "Scripts/python.exe")


def test_the_order(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search, found = interpreters.search, interpreters.Interpreter
    assert search("", sys.executable) == found(sys.executable, "own")
    monkeypatch.setenv("DPOSER_PYTHON", str(bare))
    assert search("", sys.executable) == found(str(python_in(bare)), "named")
    assert search(sys.executable, "/blender's") == found(sys.executable, "chosen")
    monkeypatch.setenv("DPOSER_PYTHON", "  ")
    assert search(" ", sys.executable).source == "own"
    with pytest.raises(client.EngineNotStarted, match=r"own Python was not found; choose an interpreter in the pref"):
        search("", "")


def test_a_folder_stands_for_its_environment(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert interpreters.search(str(bare), "").path == str(python_in(bare)), "the link itself, which is the environment"
    conda = tmp_path / "conda"  # which on Windows has its interpreter at the top
    inside = conda / ("bin/python3" if os.name == "posix" else "python.exe")
    inside.parent.mkdir(parents=True)
    shutil.copy(sys.executable, inside)
    assert interpreters.search(str(conda), "").path == str(inside)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert interpreters.search("~/conda", "").path == str(inside)
    monkeypatch.chdir(tmp_path)
    assert interpreters.search("conda", "").path == str(inside), "the engine is started in another folder"


def test_the_environment_of_a_folder_is_used(bare: Path) -> None:
    done = subprocess.run(
        [interpreters.search(str(bare), "").path, "-c", "import sys; print(sys.prefix)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(done.stdout.strip()).resolve() == bare.resolve()


def test_a_folder_without_one(tmp_path: Path) -> None:
    with pytest.raises(client.EngineNotStarted, match=r"holds no Python environment .* choose the folder of one, or"):
        interpreters.search(str(tmp_path), sys.executable)


def refusal(python: object, folder: Path) -> str:
    """What the client says of an interpreter that does not run the engine."""
    process = client.EngineProcess(str(python), ROOT, folder / "logs" / "engine.log")
    try:
        with pytest.raises(client.EngineNotStarted) as caught:
            process.start()
            until(process, lambda: process.info)
        assert not process.alive
    finally:
        process.kill()
    sentence = str(caught.value)
    assert sentence.endswith(("choose another interpreter.", "choose another interpreter in the preferences."))
    assert "\n" not in sentence
    return sentence


def elf(folder: Path) -> Path:
    """This Python's head, with another machine's number in it."""
    program = folder / "python"
    head = bytearray(Path(sys.executable).resolve().read_bytes()[:4096])
    head[18:20] = struct.pack("<H", 8)  # MIPS
    program.write_bytes(head)
    program.chmod(0o755)
    return program


def text(content: str, mode: int = 0o755) -> Callable[[Path], Path]:
    """Makes a program of so many words."""

    def make(folder: Path) -> Path:
        program = folder / "python"
        program.write_text(content)
        program.chmod(mode)
        return program

    return make


@POSIX
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "nowhere", "No such file"),
        (lambda folder: folder, "Permission denied"),
        (text("#!/bin/sh\n", mode=0o644), "Permission denied"),
        (text("I am a poem\n"), "it is no program, or one for another kind of processor"),
        pytest.param(
            elf, "it is no program, or one for another kind of processor",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux's kind of programs"),
        ),
        (text("#!/bin/sh\necho what is this option >&2\nexit 2\n"), "what is this option"),
    ],
)  # fmt: skip
def test_what_is_no_python(make: Callable[[Path], Path], said: str, tmp_path: Path) -> None:
    assert said in refusal(make(tmp_path), tmp_path)


def test_one_without_packages(bare: Path, tmp_path: Path) -> None:
    said = refusal(python_in(bare), tmp_path)
    where = f"The engine's Python ({python_in(bare)})"
    assert said == f"{where} lacks the module numpy; install it there or choose another interpreter."


def packages(bare: Path) -> Path:
    return next(bare.glob("lib/python*/site-packages" if os.name == "posix" else "Lib/site-packages"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('raise ImportError("\\n\\nof another Python")', "cannot load numpy (ImportError: of another Python)"),
        ("import _no_such_part", "lacks the module _no_such_part"),
    ],
)
def test_one_whose_numpy_is_broken(source: str, said: str, bare: Path, tmp_path: Path) -> None:
    numpy = packages(bare) / "numpy"
    numpy.mkdir()
    try:
        (numpy / "__init__.py").write_text(f"{source}\n")
        assert said in refusal(python_in(bare), tmp_path)
    finally:
        shutil.rmtree(numpy)


def old_pythons() -> list[str]:
    """Interpreters of this computer that are too old for the engine; those on the PATH and those that pyenv keeps."""
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(f"python{version}") for version in OLD] + [
        str(path / "bin" / "python") for version in OLD for path in sorted(kept.glob(f"{version}.*"))[:1]
    ]
    return [path for path in found if path and subprocess.run([path, "--version"], capture_output=True).returncode == 0]


def test_one_that_is_too_old(tmp_path: Path) -> None:
    olds = old_pythons()
    if not olds:
        pytest.skip("no Python on this computer is too old")
    for python in olds:
        said = refusal(python, tmp_path)
        assert said.startswith("The engine needs Python 3.11 or newer, which "), (python, said)


def test_an_old_one_understands_the_words(bare: Path) -> None:
    """What an old Python reads of the engine before the sentence: the packages' head and `engine.__main__`."""
    import ast

    for name in ("__init__.py", "__main__.py"):
        tree: Any = ast.parse((ROOT / "engine" / name).read_text(), feature_version=(3, 4))
        assert tree.body
