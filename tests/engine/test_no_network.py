# SPDX-License-Identifier: GPL-3.0-or-later
"""No socket anywhere: none is imported, none is opened in a run, and nothing is written but what was asked for."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from engine_process import LIMIT, ROOT

from engine import protocol

AUDIT = ROOT / "tests" / "audit"
PACKAGES = ("engine", "dposer_blender")

NETWORK = {
    "aiohttp", "asyncio", "ftplib", "grpc", "http", "httpx", "imaplib", "poplib", "ray", "requests", "select",
    "selectors", "smtplib", "socket", "socketserver", "ssl", "telnetlib", "urllib", "urllib3", "webbrowser",
    "websockets", "xmlrpc", "multiprocessing.connection", "multiprocessing.managers", "torch.distributed",
}  # fmt: skip
EXECUTING = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml", "joblib", "code", "codeop"}
ALLOWED = {
    ("engine/training", "torch.distributed"),  # torchrun's processes on machines that who trains has chosen
    ("engine/commands", "ray"),  # a cluster that who cleans has chosen, by an option
    ("engine/takes", "ray"),
    ("engine/takes", "multiprocessing.connection"),  # pipes of one direction
    ("engine/process.py", "select"),  # waits for the end of Blender
    ("engine/priors/released.py", "pickle"),  # the name of an error of PyTorch's restricted loader
}


@cache
def sources() -> list[tuple[str, ast.Module]]:
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [(path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))) for path in paths]


def imported(tree: ast.Module) -> Iterator[str]:
    """Every module that a source imports anywhere, with what it may import from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def forbidden(name: str, modules: set[str]) -> str | None:
    """The module of a set that a name is, or is in."""
    return next((module for module in modules if name == module or name.startswith(f"{module}.")), None)


def test_nothing_imports_what_opens_sockets_or_runs_what_it_reads() -> None:
    found = []
    for path, tree in sources():
        for name in imported(tree):
            module = forbidden(name, NETWORK | EXECUTING)
            if module and not any(path.startswith(place) and module == allowed for place, allowed in ALLOWED):
                found.append(f"{path}: {name}")
    assert not found


def test_the_search_finds_what_it_looks_for() -> None:
    tree = ast.parse("def f():\n    import urllib.request\n    from multiprocessing import connection\n")
    assert [forbidden(name, NETWORK) for name in imported(tree)] == [
        "urllib", None, "multiprocessing.connection",
    ]  # fmt: skip


def test_nothing_evaluates_text_or_admits_pickles() -> None:
    found = []
    for path, tree in sources():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            if isinstance(called, ast.Name) and called.id in {"eval", "exec", "compile", "__import__"}:
                found.append(f"{path}:{node.lineno} {called.id}")
            named = {keyword.arg: keyword.value for keyword in node.keywords}
            attribute = called.attr if isinstance(called, ast.Attribute) else ""
            owner = called.value.id if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) else ""
            if (owner, attribute) == ("torch", "load") and ast.dump(named.get("weights_only", node)) != ast.dump(
                ast.Constant(True)
            ):
                found.append(f"{path}:{node.lineno} torch.load")
            if (owner, attribute) == ("np", "load") and ast.dump(named.get("allow_pickle", node)) != ast.dump(
                ast.Constant(False)
            ):
                found.append(f"{path}:{node.lineno} np.load")
            if attribute in {"extract", "extractall", "unpack_archive"}:
                found.append(f"{path}:{node.lineno} {attribute}")
            if attribute in {"system", "popen"} or "shell" in named:
                found.append(f"{path}:{node.lineno} a shell")
    assert not found


def test_the_manifest_asks_for_no_network() -> None:
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    assert set(manifest["permissions"]) <= {"files", "clipboard"}


def audited(folder: Path) -> dict[str, str]:
    """An environment that notes what a process does in a file of the folder, with a home of its own."""
    home = folder / "home"
    home.mkdir()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "XDG"))}
    return kept | {
        "DPOSER_AUDIT": str(folder / "audit.txt"),
        "HOME": str(home),
        "PYTHONPATH": os.pathsep.join([str(AUDIT), str(ROOT)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(home),
    }


def done(folder: Path) -> list[tuple[str, str]]:
    """What was noted; the sitecustomize itself is known to note things, or nothing would be."""
    lines = (folder / "audit.txt").read_text(encoding="utf-8").splitlines()
    assert lines, "nothing was noted, though a file was written"
    return [tuple(line.split("\t", 1)) for line in lines]  # type: ignore[misc]


def outside(noted: list[tuple[str, str]], *places: Path) -> list[tuple[str, str]]:
    """What was done to anything but what is in these places and the null device."""
    return [
        (kind, path)
        for kind, path in noted
        if path != os.devnull and not any(Path(path).is_relative_to(place) for place in places)
    ]


def test_the_command_line_opens_no_socket_and_writes_its_output_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    sample = ROOT / "demo" / "sample.bvh"
    command = ["-m", "engine", "clean", sample, out / "clean.bvh", "--method", "gaussian", "--range", "0:20"]
    answer = subprocess.run([sys.executable, *command], env=audited(tmp_path), cwd=tmp_path, capture_output=True)
    assert answer.returncode == 0, answer.stderr
    assert [path.name for path in out.iterdir()] == ["clean.bvh"]
    assert not list((tmp_path / "home").iterdir())
    noted = done(tmp_path)
    assert ("write", str(out / "clean.bvh")) not in noted, "it is written beside, and put in place whole"
    assert not outside(noted, out)


def test_the_engine_opens_no_socket_and_writes_nothing(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    process = subprocess.Popen(
        [sys.executable, "-m", "engine", "serve"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=audited(tmp_path), cwd=tmp_path,
    )  # fmt: skip
    assert process.stdin and process.stdout
    protocol.write_frame(process.stdin, {"op": "hello", "id": 1, "params": {"wait": True}})
    answer = protocol.read_frame(process.stdout)
    assert answer and answer[0]["result"]["torch"]
    protocol.write_frame(process.stdin, {"op": "check", "id": 2, "params": {"device": "cpu"}})
    while (answer := protocol.read_frame(process.stdout)) and answer[0]["type"] == "progress":
        pass
    assert answer
    states = {found["subject"]: found["state"] for found in answer[0]["result"]["findings"]}
    assert states.pop("Test Solve") in {"good", "poor"}, "it is solved; how fast, a busy machine decides"
    assert len(states) == 5 and set(states.values()) == {"good"}
    process.stdin.close()
    assert process.wait(LIMIT) == 0
    path = tmp_path / "audit.txt"
    noted = done(tmp_path) if path.stat().st_size else []
    assert not outside(noted, tmp_path / "home") and not list((tmp_path / "home").iterdir())
    process.stdout.close()


def test_the_audit_notes_sockets_and_files(tmp_path: Path) -> None:
    code = "import socket; socket.socket().close(); open('new.txt', 'w').close()"
    subprocess.run([sys.executable, "-c", code], env=audited(tmp_path), cwd=tmp_path, check=True)
    kinds = [kind for kind, _ in outside(done(tmp_path))]
    assert "network" in kinds and "write" in kinds
