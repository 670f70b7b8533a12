# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender's client against real engine processes: healthy, killed, stopped, wrong, and talkative ones."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import venv
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_process import (
    AT_ONCE,
    EXTRA_TASKS,
    LIMIT,
    ROOT,
    begun,
    client,
    engine_log,
    errors,
    has_answered,
    runs,
    until,
    wait,
)

import engine
from engine.motion import bvh

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and scripts")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    made = []

    def make(python: str = sys.executable, root: Path = ROOT) -> Any:
        made.append(client.EngineProcess(python, root, tmp_path / "logs" / "engine.log", [EXTRA_TASKS]))
        return made[-1]

    yield make
    for process in made:
        process.kill()


@pytest.fixture
def running(make: Callable[..., Any]) -> Any:
    process = make()
    process.start()
    until(process, lambda: process.info)
    return process


def read_log(process: Any, words: str = "") -> str:
    """The log, once these words are in it: a thread writes them, a moment after they are said."""
    log: Path = process.log
    wait(lambda: log.exists() and log.stat().st_size and words in log.read_text())
    return log.read_text()


def test_start_greets(make: Callable[..., Any]) -> None:
    process = make()
    assert not process.alive
    process.start()
    assert process.alive and process.info is None
    until(process, lambda: process.info)
    assert process.info["engine"] == engine.__version__
    process.kill()
    assert not process.alive and process.info is None
    assert process.poll() == []
    process.kill()


@POSIX
def test_nothing_waits_for_an_engine_that_is_still_starting(make: Callable[..., Any], tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 600\n")
    slow.chmod(0o755)
    process = make(str(slow))
    begin = time.monotonic()
    process.start()
    process.request("nap", {"steps": 3, "seconds": 0.02}, {"rotations": np.zeros((10_000, 60, 4))})
    assert process.poll() == [] and process.alive and process.busy
    process.kill()
    assert time.monotonic() - begin < AT_ONCE


def test_a_job_with_arrays_larger_than_the_pipe(make: Callable[..., Any]) -> None:
    process = make()
    process.start()
    array = np.random.default_rng(0).normal(size=(10_000, 60, 4))
    job = process.request("nap", {"steps": 3, "seconds": 0.02}, {"rotations": array})
    assert process.busy
    *steps, last = until(process)
    assert [message.job for message in (*steps, last)] == [job] * (len(steps) + 1)
    assert (steps[0].done, steps[0].total, steps[0].stage) == (0, 3, "napping")
    assert last.type == "result" and last.result == {"slept": 3}
    np.testing.assert_array_equal(last.arrays["rotations"], array)
    assert not process.busy


def test_no_arrays_are_held_when_a_job_is_over(running: Any) -> None:
    sent = np.ones((1000, 1000))
    running.request("nap", {"steps": 1, "seconds": 0}, {"a": sent})
    last = until(running)[-1]
    held = [weakref.ref(sent), weakref.ref(last.arrays["a"])]
    del sent, last
    assert all(array() is None for array in held)


def test_an_error_has_its_kind_and_sentence(running: Any) -> None:
    running.request("fail", {"how": "foreseen"})
    (message,) = until(running)
    assert (message.type, message.kind) == ("error", "MotionError")
    assert message.message == "The animation has no frames."


def test_cancel_in_mid_job_then_the_next_job_works(running: Any) -> None:
    until(running, lambda: running.info["ready"])  # to load PyTorch may hold up a job that should stop
    job = running.request("nap", {"steps": 10_000, "seconds": 0.02})
    begun(running)
    running.cancel(job)
    running.cancel(job)
    (last,) = running.poll()
    assert (last.job, last.type, last.kind) == (job, "error", "Cancelled")
    until(running, lambda: not running.busy)
    process = running.info["pid"]
    following = running.request("nap", {"steps": 1, "seconds": 0})
    assert until(running)[-1].job == following
    assert not running.busy and running.info["pid"] == process


@pytest.mark.parametrize("pause", [0.0, 1.5])
def test_cancel_of_a_task_that_does_not_stop_then_the_next_job_works(running: Any, pause: float) -> None:
    stuck = running.info["pid"]
    job = running.request("deaf", {"seconds": 600})
    begun(running)
    running.cancel(job)
    if not pause:
        assert [message.kind for message in running.poll()] == ["Cancelled"]
    time.sleep(pause)  # Where nobody looks meanwhile, nothing of what was said is lost.
    following = running.request("nap", {"steps": 1, "seconds": 0}, {"a": np.ones(5)})
    if pause:
        assert until(running)[-1].job == job
    last = until(running)[-1]
    assert (last.job, last.type, last.arrays["a"].sum()) == (following, "result", 5)
    until(running, lambda: running.info)
    assert running.info["pid"] != stuck


def test_a_late_result_of_a_cancelled_job_is_discarded(running: Any) -> None:
    job = running.request("nap", {"steps": 1, "seconds": 0}, {"a": np.ones(3)})
    wait(lambda: has_answered(running))  # It is unread when the user cancels.
    running.cancel(job)
    assert [(m.type, m.kind, m.arrays) for m in running.poll()] == [("error", "Cancelled", {})]
    assert not running.busy
    running.cancel(job)
    running.cancel(12345)
    running.request("nap", {"steps": 1, "seconds": 0})
    assert until(running)[-1].type == "result"


@POSIX
def test_killed_in_mid_job(running: Any) -> None:
    running.request("nap", {"steps": 10_000, "seconds": 0.02})
    begun(running)
    os.kill(running.info["pid"], signal.SIGKILL)
    with pytest.raises(client.EngineStopped, match=r"was killed.*restart it"):
        until(running, lambda: False)
    assert not running.alive and not running.busy
    with pytest.raises(client.EngineStopped):
        running.poll()
    with pytest.raises(client.EngineStopped):
        running.request("hello", {})
    running.restart()
    running.request("nap", {"steps": 1, "seconds": 0})
    assert until(running)[-1].type == "result"
    assert running.info is not None


def test_a_crash_leaves_its_place_in_the_log(running: Any) -> None:
    running.request("crash", {})
    with pytest.raises(errors.EngineError, match="SIGABRT" if os.name == "posix" else "stopped unexpectedly"):
        until(running)
    log = read_log(running)
    assert "Fatal Python error: Aborted" in log and "sitecustomize.py" in log


def test_an_engine_that_ends_itself_has_its_last_line_shown(running: Any) -> None:
    running.request("leave", {"words": "Goodbye from the engine."})
    with pytest.raises(client.EngineStopped, match=r"unexpectedly \(Goodbye from the engine\.\)"):
        until(running)


@POSIX
def test_a_stopped_engine_blocks_nothing_and_can_be_killed(running: Any) -> None:
    process_id = running.info["pid"]
    os.kill(process_id, signal.SIGSTOP)
    begin = time.monotonic()
    job = running.request("nap", {"steps": 1, "seconds": 0}, {"a": np.zeros(4_000_000)})
    running.cancel(job)
    assert [message.kind for message in running.poll()] == ["Cancelled"]
    assert running.alive
    assert time.monotonic() - begin < AT_ONCE
    time.sleep(0.2)
    assert running.poll() == []
    assert running.busy, "so the caller, whose deadline decides, knows that it hangs"
    begin = time.monotonic()
    running.kill()
    assert time.monotonic() - begin < AT_ONCE
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)
    running.restart()
    running.request("nap", {"steps": 1, "seconds": 0})
    assert until(running)[-1].type == "result"


@POSIX
def test_a_stopped_engine_is_told_of_until_it_goes_on(running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_ASK_AFTER", 0.1)
    monkeypatch.setattr(client, "_MUTE_AFTER", 1.0)
    running.request("deaf", {"seconds": 600})
    until(running, lambda: running.info["ready"])  # before it has PyTorch, that holds it up
    end = time.monotonic() + 1.5
    while time.monotonic() < end:  # at work without a word, it still says that it is there
        assert not any(message.last for message in running.poll()) and not running.mute
        time.sleep(0.02)
    os.kill(running.info["pid"], signal.SIGSTOP)
    begin = time.monotonic()
    until(running, lambda: running.mute)
    assert 1.0 < time.monotonic() - begin < 1.0 + AT_ONCE
    os.kill(running.info["pid"], signal.SIGCONT)
    until(running, lambda: not running.mute)


@POSIX
def test_a_stopped_engine_is_replaced_soon_after_a_job_was_cancelled(
    running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_LEAVE_LIMIT", 0.5)
    stopped = running.info["pid"]
    os.kill(stopped, signal.SIGSTOP)
    job = running.request("nap", {"steps": 1, "seconds": 0})
    running.cancel(job)
    following = running.request("nap", {"steps": 1, "seconds": 0})  # at once
    assert [(message.job, message.kind) for message in running.poll()] == [(job, "Cancelled")]
    last = until(running)[-1]
    assert (last.job, last.result) == (following, {"slept": 1})
    assert not runs(stopped) and not running.busy


@POSIX
def test_a_stopped_engine_is_replaced_by_one_that_begins_the_job(
    running: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = ("_REPLACE_AFTER", "_LOAD_LIMIT")
    for name, seconds in (("_ASK_AFTER", 0.1), ("_MUTE_AFTER", 0.2), *((name, 0.5) for name in limits)):
        monkeypatch.setattr(client, name, seconds)
    stopped = running.info["pid"]
    os.kill(stopped, signal.SIGSTOP)
    job = running.request("nap", {"steps": 10_000, "seconds": 0.02}, {"a": np.ones(100_000)})
    until(running, lambda: running.info and running.info["pid"] != stopped)
    assert not runs(stopped)
    for name in limits:  # the new one, which loads PyTorch, may be as slow as the machine is
        monkeypatch.setattr(client, name, LIMIT)
    assert begun(running)[0].job == job
    for name in limits:
        monkeypatch.setattr(client, name, 0.5)
    working = running.info["pid"]
    os.kill(working, signal.SIGSTOP)  # what it has done is not thrown away
    end = time.monotonic() + 2.0
    while time.monotonic() < end:
        assert not any(message.last for message in running.poll())
        time.sleep(0.02)
    assert running.mute
    os.kill(working, signal.SIGCONT)
    until(running, lambda: not running.mute)
    running.cancel(job)


@POSIX
@pytest.mark.parametrize("how", ["half a header", "half an array"])
def test_an_engine_that_ends_within_its_answer_has_stopped(running: Any, how: str) -> None:
    running.request("half", {"how": how, "ending": "SIGKILL"})
    with pytest.raises(client.EngineStopped, match="was killed"):
        until(running)
    running.restart()
    running.request("half", {"how": how, "ending": "closed"})
    with pytest.raises(client.EngineStopped, match=r"stopped unexpectedly \(.*; restart it"):
        until(running)
    assert not running.alive


@POSIX
def test_what_is_printed_before_the_engine_speaks_is_passed_over(
    make: Callable[..., Any], tmp_path: Path
) -> None:
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f"#!/bin/sh\necho Activating DPSenvironment; printf DPS\nexec {sys.executable} \"$@\"\n")
    wrapper.chmod(0o755)
    process = make(str(wrapper))
    process.start()
    process.request("nap", {"steps": 1, "seconds": 0})
    assert until(process)[-1].type == "result" and process.info


_SHORT_OF_MEMORY = """
import numpy as np, resource, sys, time
sys.path.insert(0, "tests")
import engine_process
root, tasks = engine_process.ROOT, engine_process.EXTRA_TASKS
process = engine_process.client.EngineProcess(sys.executable, root, {log!r}, [tasks])
process.start()
engine_process.until(process, lambda: process.info)
array = {array}
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used, resource.RLIM_INFINITY))
process.request("nap", {{"steps": 1, "seconds": 0}}, {{"a": array}})
try:
    engine_process.until(process)
except engine_process.errors.ProtocolError as error:
    print(error, process.alive)
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
process.start()
process.request("nap", {{"steps": 1, "seconds": 0}})
print(engine_process.until(process)[-1].type)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limit of the address space")
@pytest.mark.parametrize("array", ["np.zeros((120 << 20,), np.uint8)", "np.zeros((120 << 20, 2), np.uint8)[:, 0]"])
def test_a_blender_without_memory_for_the_answer(array: str, tmp_path: Path) -> None:
    program = _SHORT_OF_MEMORY.replace("{log!r}", f"engine_process.Path({str(tmp_path / 'engine.log')!r})")
    program = program.replace("{array}", array).replace("{{", "{").replace("}}", "}")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=3 * LIMIT, check=False
    )
    assert re.fullmatch(r"Blender has not enough memory.*\. False\nresult\n", done.stdout), done.stdout + done.stderr


def test_a_real_clip_is_cancelled_in_mid_job_and_then_cleaned(running: Any) -> None:
    pytest.importorskip("torch")
    motion = bvh.read(ROOT / "demo" / "sample.bvh").motion
    skeleton = motion.skeleton
    params = {
        "fps": motion.fps, "names": list(skeleton.names), "scale": skeleton.scale, "bone_map": None,
        "settings": {"method": "prior", "device": "cpu"},
    }  # fmt: skip
    arrays = {
        "parents": np.array(skeleton.parents, "int32"), "rest": skeleton.rest, "tails": skeleton.tails,
        "rotations": motion.rotations, "translations": motion.translations,
    }  # fmt: skip
    long = arrays | {key: np.tile(arrays[key], (20, 1, 1)) for key in ("rotations", "translations")}
    job = running.request("clean", params, long)
    assert not any(message.last for message in begun(running))
    running.cancel(job)
    assert [message.kind for message in running.poll()] == ["Cancelled"]
    short = arrays | {key: arrays[key][:64] for key in ("rotations", "translations")}
    job = running.request("clean", params, short)
    *steps, last = until(running)
    assert last.job == job and last.type == "result", last.message
    assert steps and steps[-1].done <= steps[-1].total
    assert last.arrays["rotations"].shape == (1, *short["rotations"].shape)
    assert last.arrays["rotations_changed"].any()
    assert last.result["map"]["left_knee"] in skeleton.names
    assert last.result["report"]["method"] == "prior"


def test_restart_in_mid_job_forgets_the_job(running: Any) -> None:
    old = running.info["pid"]
    running.request("nap", {"steps": 1000, "seconds": 0.02})
    running.restart()
    job = running.request("nap", {"steps": 1, "seconds": 0})
    assert {message.job for message in until(running)} == {job}
    assert running.info["pid"] != old


def test_stray_prints_do_not_disturb(running: Any) -> None:
    running.request("chatter", {})
    assert until(running)[-1].result == {"stdin": ""}
    read_log(running, "native code prints")


def test_a_request_that_is_not_json_is_refused_with_a_sentence(running: Any) -> None:
    running.request("nap", {"steps": float("nan")})
    with pytest.raises(errors.ProtocolError, match="not plain JSON"):
        until(running)
    running.restart()
    until(running, lambda: running.info)


@pytest.mark.parametrize("python", ["", "a_python_that_is_not_there", str(ROOT)])
def test_a_wrong_interpreter_path(make: Callable[..., Any], python: str) -> None:
    process = make(python)
    with pytest.raises(client.EngineStopped, match=r"cannot be started .* choose another interpreter"):
        process.start()
    assert not process.alive


@POSIX
@pytest.mark.parametrize(
    "script",
    ["echo hello", "exit 0", "exec sleep 0.1", "head -c 100000 /dev/zero", "echo no such option >&2; exit 2"],
)
def test_a_program_that_is_no_python(make: Callable[..., Any], tmp_path: Path, script: str) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    process = make(str(program))
    process.start()
    with pytest.raises(client.EngineStopped, match=r"did not start .* choose another interpreter") as caught:
        until(process)
    assert ("no such option" in str(caught.value)) == ("no such option" in script)
    assert not process.alive


def test_an_interpreter_without_numpy(make: Callable[..., Any], tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=os.name == "posix")
    python = tmp_path / "bare" / ("bin/python" if os.name == "posix" else "Scripts/python.exe")
    process = make(str(python))
    process.start()
    with pytest.raises(client.EngineStopped, match="lacks the module numpy; install it there"):
        until(process)


def test_an_engine_of_another_version(make: Callable[..., Any], tmp_path: Path) -> None:
    for path in (ROOT / "engine").rglob("*.py"):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    init = tmp_path / "engine" / "__init__.py"
    init.write_text(init.read_text().replace(engine.__version__, "99.0"))
    process = make(root=tmp_path)
    process.start()
    with pytest.raises(client.EngineStopped, match=r"version 99\.0 but DPoser is version"):
        until(process)
    assert not process.alive
    protocol = tmp_path / "engine" / "protocol.py"
    protocol.write_text(protocol.read_text().replace("VERSION = 1\n", "VERSION = 22\n"))
    process.start()
    with pytest.raises(errors.ProtocolError, match=r"^DPoser and its engine speak different.*1 and 22"):
        until(process)


def test_an_engine_whose_log_cannot_be_written_works(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    places = [tmp_path / "file" / "engine.log", Path("/dev/full")]
    for place in places[: 2 if places[1].exists() else 1]:
        process = client.EngineProcess(sys.executable, ROOT, place, [EXTRA_TASKS])
        process.start()
        process.request("fail", {"how": "unforeseen"})
        (message,) = until(process)
        assert "KeyError: 'left_hip'" in message.message
        process.request("leave", {"words": "Goodbye from the engine."})
        with pytest.raises(client.EngineStopped, match=r"unexpectedly \(Goodbye from the engine\.\)"):
            until(process)


def test_the_log_is_kept_over_restarts_but_does_not_grow_for_ever(running: Any) -> None:
    running.request("chatter", {})
    until(running)
    read_log(running, "a child prints")
    running.restart()
    assert "python prints" in running.log.read_text()
    assert running.last_words() == ""
    running.request("flood", {"lines": 200_000})
    largest = 0
    while not any(message.last for message in running.poll()):
        largest = max(largest, running.log.stat().st_size)
        time.sleep(0.001)
    running.request("chatter", {})
    until(running)
    log = read_log(running, "a child prints")
    assert engine_log.MAX_LOG / 2 < largest <= engine_log.MAX_LOG >= len(log)
    assert "earlier lines were left out" in log and "a warning, number 199999" in log


def test_a_log_of_its_own_for_each_blender_and_few_of_those_that_were(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / f"engine-{number}.log").write_text("")
        os.utime(tmp_path / f"engine-{number}.log", (number, number))
    (tmp_path / "other.log").write_text("")
    own = engine_log.path(tmp_path)
    own.write_text("")
    assert engine_log.path(tmp_path) == own and str(os.getpid()) in own.name
    kept = {f"engine-{number}.log" for number in range(5, 9)}
    assert {path.name for path in tmp_path.iterdir()} == {own.name, "other.log", *kept}
    assert engine_log.path(tmp_path / "nowhere").name == own.name


def test_the_childs_python_is_not_bent_by_ours(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "a folder of Blender's")
    monkeypatch.setenv("PYTHONINSPECT", "1")
    process = make()
    process.start()
    until(process, lambda: process.info)


def test_threads_end_with_the_process(running: Any) -> None:
    assert sum(thread.name == "dposer pipe" for thread in threading.enumerate()) == 2
    running.kill()
    wait(lambda: not any(thread.name == "dposer pipe" for thread in threading.enumerate()))


@pytest.mark.parametrize("ending", ["", "os._exit(0)", "raise SystemExit(1)"])
def test_the_engine_ends_with_blender(tmp_path: Path, ending: str) -> None:
    program = f"""
import importlib, os, sys, time, types
from pathlib import Path
package = sys.modules["installed"] = types.ModuleType("installed")
package.__path__ = [{str(ROOT)!r}]
client = importlib.import_module("installed.dposer_blender.client")
extra = Path({str(EXTRA_TASKS)!r})
process = client.EngineProcess(sys.executable, Path({str(ROOT)!r}), Path("engine.log"), [extra])
process.start()
process.request("deaf", {{"seconds": 600}})
while not process.info:
    process.poll(); time.sleep(0.01)
print(process.info["pid"], flush=True)
{ending}
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    pid = int(done.stdout)
    wait(lambda: not runs(pid))
    assert not done.stderr


@pytest.mark.parametrize(
    "answer",
    [
        {"id": [1], "type": "result", "result": {}},
        {"id": True, "type": "result", "result": {}},
        {"id": "1", "type": "result", "result": {}},
        {"id": 1, "type": ["result"], "result": {}},
        {"id": 1, "type": "result", "result": []},
        {"id": 1, "type": "progress", "done": "1", "total": 2, "stage": ""},
        {"id": 1, "type": "progress", "done": 1, "total": 2.5, "stage": ""},
        {"id": 1, "type": "error", "kind": None, "message": ""},
        {"id": 0, "type": "result", "result": 3},
        {"id": 0, "type": "result", "result": {"engine": 3}},
        {"id": None, "type": "error", "message": ["x"]},
    ],
)
def test_an_answer_of_wrong_types_is_refused(make: Callable[..., Any], answer: dict[str, Any]) -> None:
    process = make()
    with pytest.raises(errors.EngineError) as caught:
        process._receive(answer, {})
    assert isinstance(str(caught.value), str) and not process.alive
