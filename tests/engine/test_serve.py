# SPDX-License-Identifier: GPL-3.0-or-later
"""The real server process, spoken to in the bare protocol."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_process import AT_ONCE, EXTRA_TASKS, LIMIT, ROOT

import engine
from engine import protocol
from engine.process import spare_threads


class Engine:
    """A server and a blocking conversation with it."""

    def __init__(self, log: Path) -> None:
        self.log = log
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "engine", "serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(EXTRA_TASKS)])},
            )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout

    def ask(self, number: int, op: str, arrays: dict[str, np.ndarray] | None = None, **params: Any) -> None:
        protocol.write_frame(self.stdin, {"op": op, "id": number, "params": params}, arrays)

    def hear(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        frame = protocol.read_frame(self.stdout)
        assert frame is not None, self.log.read_text()
        return frame

    def last(self) -> dict[str, Any]:
        """The next answer that is no progress."""
        while (header := self.hear()[0])["type"] == "progress":
            pass
        return header


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Engine]:
    server = Engine(tmp_path / "engine.log")
    yield server
    server.process.kill()
    server.process.wait()
    for pipe in (server.stdin, server.stdout):
        with contextlib.suppress(OSError):
            pipe.close()


def test_hello_is_answered_before_torch_is_loaded(server: Engine) -> None:
    server.ask(1, "hello")
    header, _ = server.hear()
    assert header["id"] == 1 and header["type"] == "result"
    result = header["result"]
    assert result["engine"] == engine.__version__
    assert result["protocol"] == 1
    assert result["pid"] == server.process.pid
    assert "cpu" in result["devices"]
    assert result["numpy"] == np.__version__


def test_hello_can_wait_for_torch(server: Engine) -> None:
    torch = pytest.importorskip("torch")
    server.ask(1, "hello", wait=True)
    result = server.last()["result"]
    assert result["ready"] and result["torch"] == torch.__version__
    assert result["threads"] <= spare_threads()


@pytest.mark.parametrize(("processors", "threads"), [(1, 1), (2, 2), (3, 2), (16, 15)])
def test_a_core_is_left_to_blender(processors: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(processors)), raising=False)
    assert spare_threads() == threads


def test_arrays_go_there_and_back(server: Engine) -> None:
    sent = {"a": np.random.default_rng(0).normal(size=(2000, 60, 4)), "b": np.zeros((0, 3), "int32")}
    server.ask(1, "nap", sent, steps=1, seconds=0)
    while (answer := server.hear())[0]["type"] == "progress":
        pass
    assert answer[0] == {"id": 1, "type": "result", "result": {"slept": 1}}
    for name, array in sent.items():
        np.testing.assert_array_equal(answer[1][name], array)


def test_jobs_queue_in_order(server: Engine) -> None:
    for number in (1, 2, 3):
        server.ask(number, "nap", steps=2, seconds=0.02)
    assert [server.last()["id"] for _ in range(3)] == [1, 2, 3]


def test_progress_is_throttled(server: Engine) -> None:
    server.ask(1, "nap", steps=500, seconds=0.001)
    begin, messages = time.monotonic(), []
    while (header := server.hear()[0])["type"] == "progress":
        messages.append(header)
    assert messages[0] == {"id": 1, "type": "progress", "done": 0, "total": 500, "stage": "napping"}
    assert 1 < len(messages) <= 10 * (time.monotonic() - begin) + 2
    assert [m["done"] for m in messages] == sorted(m["done"] for m in messages)


@pytest.mark.parametrize(
    ("op", "params"), [("nap", {"steps": 10_000, "seconds": 0.02}), ("deaf", {"seconds": 600})]
)
def test_cancel_is_answered_at_once_and_the_next_job_runs(
    server: Engine, op: str, params: dict[str, Any], tmp_path: Path
) -> None:
    server.ask(4, "hello", wait=True)
    server.last()  # to load PyTorch may hold up a job that should stop
    enough = tmp_path / "enough"
    server.ask(1, op, **params, until=str(enough))
    server.ask(2, "nap", steps=1, seconds=0)
    server.ask(3, "nap", steps=1, seconds=0)
    assert server.hear()[0]["type"] == "progress"
    begin = time.monotonic()
    server.ask(9, "cancel", job=2)  # before it can begin
    server.ask(9, "cancel", job=1)
    server.ask(9, "cancel", job=77)
    server.ask(9, "cancel", job=1)
    for number in (2, 1):
        answer = server.last()
        assert (answer["id"], answer["type"], answer["kind"]) == (number, "error", "Cancelled")
    assert time.monotonic() - begin < AT_ONCE
    enough.touch()
    assert server.last() == {"id": 3, "type": "result", "result": {"slept": 1}}


def test_a_cancelled_task_that_does_not_stop_takes_the_engine_with_it(server: Engine) -> None:
    server.ask(1, "deaf", seconds=600)
    server.ask(2, "deaf", seconds=600)
    assert server.hear()[0]["type"] == "progress"
    server.ask(9, "cancel", job=2)  # It waits its turn, and its end ends nothing.
    assert server.last()["id"] == 2
    time.sleep(1.3)
    assert server.process.poll() is None
    server.ask(9, "cancel", job=1)
    assert server.last()["kind"] == "Cancelled"
    assert server.process.wait(LIMIT) == protocol.EXIT_STUCK


def test_stray_prints_go_to_the_log(server: Engine) -> None:
    server.ask(1, "chatter")
    assert server.last() == {"id": 1, "type": "result", "result": {"stdin": ""}}
    log = server.log.read_text()
    for words in ("python prints", "native code prints", "a child prints"):
        assert words in log


@pytest.mark.parametrize(
    ("how", "kind", "words", "logged"),
    [
        ("foreseen", "MotionError", "The animation has no frames.", ""),
        ("memory", "OutOfMemory", "out of memory", "MemoryError"),
        ("torch memory", "OutOfMemory", "out of memory", "RuntimeError"),
        ("module", "EngineError", "lacks the module a_module_that_is_not_there", ""),
        ("exit", "EngineError", "SystemExit: 3", "SystemExit"),
        ("not json", "ProtocolError", "not plain JSON", ""),
        ("unforeseen", "EngineError", "KeyError: 'left_hip'", 'raise KeyError("left_hip")'),
    ],
)
def test_every_failure_is_one_sentence(server: Engine, how: str, kind: str, words: str, logged: str) -> None:
    if how == "torch memory":
        pytest.importorskip("torch")
    server.ask(1, "fail", how=how)
    answer = server.last()
    assert (answer["type"], answer["kind"]) == ("error", kind)
    assert words in answer["message"] and "\n" not in answer["message"] and answer["message"].endswith(".")
    assert logged in server.log.read_text()
    server.ask(2, "nap", steps=1, seconds=0)
    assert server.last()["type"] == "result"


def test_unknown_request(server: Engine) -> None:
    server.ask(5, "fly")
    answer = server.last()
    assert (answer["id"], answer["kind"]) == (5, "ProtocolError")
    server.ask(6, "hello")
    assert server.last()["id"] == 6


@pytest.mark.parametrize(
    "sent",
    [
        b"\n" * 40,
        b"DPSR\x02" + bytes(15),
        b"DPSR\x01\0\0\0\xff\xff\xff\xff" + bytes(8),
        pytest.param({"op": "hello"}, id="no id"),
        pytest.param({"op": 3, "id": 1, "params": {}}, id="no op"),
        pytest.param({"op": "hello", "id": "1", "params": {}}, id="id of text"),
    ],
)
def test_nonsense_ends_the_server_with_a_sentence(server: Engine, sent: bytes | dict[str, Any]) -> None:
    if isinstance(sent, dict):
        stream = io.BytesIO()
        protocol.write_frame(stream, sent)
        sent = stream.getvalue()
    server.stdin.write(sent)
    server.stdin.flush()
    answer = server.last()
    assert (answer["id"], answer["kind"]) == (None, "ProtocolError")
    assert answer["message"].endswith(".")
    assert server.process.wait(LIMIT) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limit of another's address space")
def test_a_request_beyond_the_memory_ends_the_server_with_a_sentence(server: Engine) -> None:
    import resource

    server.ask(1, "hello", wait=True)
    server.last()
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (100 << 20)
    resource.prlimit(server.process.pid, resource.RLIMIT_AS, (limit, limit))
    with contextlib.suppress(BrokenPipeError):
        server.ask(2, "nap", {"a": np.zeros(200 << 20, np.uint8)}, steps=1, seconds=0)
    answer = server.last()
    assert answer["id"] is None and "out of memory" in answer["message"]
    assert server.process.wait(LIMIT) == 1


@pytest.mark.parametrize("op", [None, "nap", "deaf"])
def test_the_server_ends_with_its_parent(server: Engine, op: str | None) -> None:
    server.ask(1, "hello")
    server.hear()
    if op:
        server.ask(2, op, steps=10_000, seconds=0.05 if op == "nap" else 600)
        assert server.hear()[0]["type"] == "progress"
    server.stdin.close()
    assert server.process.wait(LIMIT) == 0


def test_a_parent_that_reads_no_more_is_no_reason_for_a_traceback(server: Engine) -> None:
    server.ask(1, "hello")
    server.hear()
    server.stdout.close()
    server.ask(2, "nap", steps=3, seconds=0.02)
    server.ask(3, "hello")
    server.stdin.close()
    assert server.process.wait(LIMIT) == 0
    assert server.log.read_text() == ""
