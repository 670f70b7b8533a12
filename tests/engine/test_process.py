# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine beside Blender: what it leaves to it, what it costs while it waits, and that it ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from engine_process import EXTRA_TASKS, LIMIT, ROOT, client, runs, until, wait

import engine.process
from engine.process import NICENESS, THREAD_LIMITS

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Any]:
    process = client.EngineProcess(sys.executable, ROOT, tmp_path / "engine.log", [EXTRA_TASKS])
    yield process
    process.kill()


def ready(process: Any) -> Any:
    process.start()
    until(process, lambda: process.info and process.info.get("ready"))
    return process


def test_a_processor_is_left_to_blender_by_every_library(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    for name in THREAD_LIMITS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "2")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(4)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    ready(started).request("beside", {})
    told = until(started)[-1].result
    limits = {name: told["variables"].get(name) for name in THREAD_LIMITS}
    assert limits == dict.fromkeys(THREAD_LIMITS, "3") | {"MKL_NUM_THREADS": "2"}, "what the user has set, holds"
    assert told["threads"] <= engine.process.spare_threads()


@LINUX
def test_all_its_threads_let_blender_go_first(started: Any) -> None:
    started.paths = ()  # further tasks load NumPy, and with it threads, before the engine begins
    ready(started)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    given = []
    for task in Path(f"/proc/{started.info['pid']}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # one that has ended meanwhile
            given.append(int((task / "stat").read_text().rpartition(")")[2].split()[16]))
    assert len(given) > 3
    assert set(given) == {min(own + NICENESS, 19)}


@LINUX
def test_it_costs_nothing_while_it_waits(started: Any) -> None:
    pid = ready(started).info["pid"]
    used, end = 2, time.monotonic() + LIMIT
    while used > 1 and time.monotonic() < end:  # the thread that has loaded PyTorch ends
        before = ticks(pid)
        time.sleep(3.0)
        used = ticks(pid) - before
    assert used <= 1, "a hundredth of a second in three"


def ticks(pid: int) -> int:
    """Processor time of a process so far, in ticks of the system's clock: a hundredth of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


BLENDER = """
import importlib, os, sys, time, types
from pathlib import Path
package = sys.modules["installed"] = types.ModuleType("installed")
package.__path__ = [{root!r}]
client = importlib.import_module("installed.dposer_blender.client")
process = client.EngineProcess(sys.executable, Path({root!r}), Path("engine.log"), [Path({extra!r})])
process.start()
process.request({op!r}, {{"steps": 10_000, "seconds": {seconds}}})
while not any(message.type == "progress" for message in process.poll()):
    time.sleep(0.01)
other = os.fork()  # as another add-on's multiprocessing does: this child holds a copy of every pipe
if not other:
    time.sleep(600)
    os._exit(0)
print(process.info["pid"], other, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="no process is forked there")
@pytest.mark.parametrize(("op", "seconds"), [("nap", 0.05), ("deaf", 600)])
def test_it_ends_though_another_child_of_blender_holds_its_pipe(tmp_path: Path, op: str, seconds: float) -> None:
    program = BLENDER.format(root=str(ROOT), extra=str(EXTRA_TASKS), op=op, seconds=seconds)
    blender = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert blender.stdout is not None
    pid, other = map(int, blender.stdout.readline().split())
    try:
        assert runs(pid)
        blender.send_signal(signal.SIGKILL)
        blender.wait()
        wait(lambda: not runs(pid))
        assert runs(other), "who held the pipe still holds it"
    finally:
        os.kill(other, signal.SIGKILL)
        blender.stdout.close()


def test_a_parent_that_cannot_be_watched_is_no_reason_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(pid: int) -> int:
        raise OSError("no such call in this kernel")

    monkeypatch.setattr(os, "pidfd_open", refused, raising=False)
    engine.process._wait_for(os.getpid())
