# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine in a Python with NumPy and SciPy alone: what needs no more gives the same, all else says what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_process import LIMIT, ROOT

from engine import cli, protocol
from engine.errors import WeightsError
from engine.motion import bvh
from engine.priors.array_file import load_arrays
from engine.priors.safetensors_arrays import read_arrays
from engine.requests import TASKS
from engine.tasks.clean import METHODS

LACKING = Path(__file__).resolve().parent / "without_torch"
SAMPLE = ROOT / "demo" / "sample.bvh"
WITHOUT = [method for method in METHODS if method != "prior"]
LEARNED = ("complete", "generate", "idle", "lift", "refine", "score", "targets")
WEIGHTS = sorted((ROOT / "engine" / "weights").glob("*.safetensors"))


def environment(*folders: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, *folders)))}


def run(*program: str, folder: Path = LACKING) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *program],
        env=environment(folder), capture_output=True, text=True, timeout=3 * LIMIT, check=False,
    )  # fmt: skip


def test_the_packages_are_lacking_indeed() -> None:
    done = run("-c", "import scipy, numpy, torch")
    assert "No module named 'torch'" in done.stderr


def test_filters_and_the_smoother_give_the_same_without(tmp_path: Path) -> None:
    """Bit by bit, by every method that needs no PyTorch; and In-between's spline."""
    jobs = [["clean", str(SAMPLE), f"{{}}/{method}.bvh", "--method", method] for method in WITHOUT]
    jobs.append(["inbetween", str(SAMPLE), "{}/between.bvh", "--keys", "0,30,90", "--prior", "none"])
    with_it, without = tmp_path / "with", tmp_path / "without"
    for folder in (with_it, without):
        folder.mkdir()
    for job in jobs:
        assert cli.main([word.format(with_it) for word in job]) == 0
    there = [[word.format(without) for word in job] for job in jobs]
    done = run("-c", f"from engine.cli import main\nfor job in {there!r}: assert main(job) == 0")
    assert done.returncode == 0, done.stderr
    made = sorted(path.name for path in with_it.iterdir())
    assert len(made) == len(jobs)
    for name in made:
        assert (without / name).read_bytes() == (with_it / name).read_bytes(), name
    assert (with_it / "wiener.bvh").read_bytes() != (with_it / "median.bvh").read_bytes()


@pytest.mark.parametrize(
    ("command", "asker", "otherwise"),
    [
        (
            ["clean", str(SAMPLE), "out.bvh"],
            "The Motion Prior",
            "the method Learned Smoother (wiener), which needs none",
        ),
        (["score", str(SAMPLE)], "The command score", ""),
    ],
)
def test_what_needs_it_says_so(command: list[str], asker: str, otherwise: str, tmp_path: Path) -> None:
    out = [str(tmp_path / word) if word == "out.bvh" else word for word in command]
    done = run("-m", "engine", *out)
    assert done.returncode == 2 and not list(tmp_path.iterdir())
    choices = f"{otherwise}, or " if otherwise else ""
    assert done.stderr == (
        f"{asker} needs PyTorch, which the engine's Python ({sys.executable}) lacks: choose {choices}a Python with "
        "PyTorch in DPoser's preferences.\n"
    )


def test_help_needs_nothing() -> None:
    program = """
from engine.cli import _COMMANDS, main
for name in _COMMANDS:
    try:
        main([name, "--help"])
    except SystemExit as end:
        assert end.code == 0, name
    else:
        raise AssertionError(name)
"""
    done = run("-c", program)
    assert done.returncode == 0, done.stderr


class Asked:
    """A server without PyTorch, and what it answers."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "engine", "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(folder),
        )
        self.number = 0

    def ask(self, op: str, arrays: dict[str, np.ndarray] | None = None, **params: Any) -> tuple[dict[str, Any], Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.number += 1
        protocol.write_frame(self.process.stdin, {"op": op, "id": self.number, "params": params}, arrays)
        while True:
            frame = protocol.read_frame(self.process.stdout)
            assert frame is not None
            if frame[0]["type"] != "progress":
                return frame

    def close(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(LIMIT)


@pytest.fixture(scope="module")
def server() -> Iterator[Asked]:
    asked = Asked(LACKING)
    yield asked
    asked.close()


def animation() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    motion = bvh.read(SAMPLE).motion
    skeleton = motion.skeleton
    params = {"fps": motion.fps, "names": list(skeleton.names), "scale": skeleton.scale, "bone_map": None}
    return params, {
        "parents": np.array(skeleton.parents, "int32"), "rest": skeleton.rest, "tails": skeleton.tails,
        "rotations": motion.rotations, "translations": motion.translations,
    }  # fmt: skip


def test_the_engine_tells_that_it_lacks_it(server: Asked) -> None:
    told = server.ask("hello", wait=True)[0]["result"]
    assert told["ready"] and told["torch"] is None and told["automatic"] == "cpu"
    assert "needs PyTorch" in told["problem"]


def test_what_needs_no_more_is_answered_as_ever(server: Asked) -> None:
    params, arrays = animation()
    mapped = server.ask("map", arrays, **params)[0]["result"]
    assert mapped == TASKS["map"](params, arrays, lambda *_: None)[0]
    for method in ("wiener", "butterworth"):
        settings = {"method": method}
        answer, given = server.ask("clean", arrays, settings=settings, **params)
        assert answer["type"] == "result", answer
        _, expected = TASKS["clean"](params | {"settings": settings}, arrays, lambda *_: None)
        assert given["rotations_changed"].any()
        for name, array in expected.items():
            np.testing.assert_array_equal(given[name], array)


@pytest.mark.parametrize("op", [*LEARNED, "clean", "inbetween"])
def test_a_learned_tool_is_refused_in_a_sentence(server: Asked, op: str) -> None:
    params, arrays = animation()
    answer, _ = server.ask(op, arrays, keys=[0, 60], **params)
    assert (answer["type"], answer["kind"]) == ("error", "PackageError")
    assert answer["message"].endswith("a Python with PyTorch in DPoser's preferences.")
    assert "\n" not in answer["message"] and answer["message"].count(". ") == 0
    assert ("Learned Smoother" in answer["message"]) == (op == "clean")
    assert ("Spline" in answer["message"]) == (op == "inbetween")


def test_the_check_says_what_works_without(server: Asked) -> None:
    findings = {found["subject"]: found for found in server.ask("check")[0]["result"]["findings"]}
    assert findings["PyTorch"]["state"] == "bad"
    assert "only the Learned Smoother and the filters work" in findings["PyTorch"]["advice"]
    assert [subject for subject, found in findings.items() if found["state"] == "bad"] == ["PyTorch"]


@pytest.mark.parametrize(
    "fault", ['raise OSError("libtorch_cpu.so: cannot open shared object file")', "import no_such_part"]
)
def test_a_broken_one_is_told_apart_from_none(fault: str, tmp_path: Path) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(f"{fault}\n")
    server = Asked(tmp_path)
    try:
        answer, _ = server.ask("score")
        assert "cannot load (" in answer["message"] and "reinstall it there" in answer["message"]
        assert fault.partition("(")[0].split()[-1] in answer["message"]
        params, arrays = animation()
        assert server.ask("clean", arrays, settings={"method": "median"}, **params)[0]["type"] == "result"
    finally:
        server.close()


def test_a_broken_numpy_is_named(tmp_path: Path) -> None:
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text('raise ImportError("\\n\\nPLEASE READ: no C extensions")\n')
    done = run("-m", "engine", "serve", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"The engine's Python ({sys.executable}) cannot load numpy (ImportError: PLEASE READ: no C extensions); "
        "reinstall it there or choose another interpreter."
    )


@pytest.mark.parametrize("path", [path for path in WEIGHTS if path.stem in ("dynamics", "gaussian", "standing")])
def test_arrays_are_those_that_safetensors_reads(path: Path) -> None:
    safetensors = pytest.importorskip("safetensors")
    arrays, metadata = read_arrays(path, 10**9)
    with safetensors.safe_open(path, framework="numpy") as file:
        assert metadata == file.metadata()
        assert arrays.keys() == set(file.keys())
        for name, array in arrays.items():
            expected = file.get_tensor(name)
            assert array.dtype == expected.dtype
            np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\0" * 7, b"\xff" * 8, b"\x02" + b"\0" * 7 + b"[]", b"\x02" + b"\0" * 7 + b"{",
        b"\x08" + b"\0" * 7 + b'{"a": 1}',
        (1 << 17).to_bytes(8, "little") + b"[" * (1 << 17),
        pytest.param(({"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}, 4), id="shape over place"),
        pytest.param(({"dtype": "F32", "shape": [1 << 62, 4], "data_offsets": [0, 4]}, 4), id="huge shape"),
        pytest.param(({"dtype": "F32", "shape": [-1], "data_offsets": [4, 0]}, 4), id="negative"),
        pytest.param(({"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}, 4), id="beyond the file"),
        pytest.param(({"dtype": "I8", "shape": [4], "data_offsets": [0, 4]}, 4), id="dtype"),
        pytest.param(({"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]}, 4), id="dtype of another kind"),
        pytest.param(({"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, 9), id="bytes left over"),
        pytest.param(({"dtype": "F32", "shape": [True], "data_offsets": [0, 4]}, 4), id="truth for a size"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused(content: bytes | tuple[dict[str, Any], int], tmp_path: Path) -> None:
    if isinstance(content, tuple):
        header = json.dumps({"a": content[0]}).encode()
        content = len(header).to_bytes(8, "little") + header + bytes(content[1])
    path = tmp_path / "some.safetensors"
    path.write_bytes(content)
    with pytest.raises(ValueError):
        read_arrays(path, 10**6)
    with pytest.raises(WeightsError, match="is damaged"):
        load_arrays(path, "a schema", 10**6, lambda arrays: arrays)


def test_a_file_that_is_too_large_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "some.safetensors"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # sparse: no disk holds that
    with pytest.raises(ValueError, match="too large"):
        read_arrays(path, 1000)
