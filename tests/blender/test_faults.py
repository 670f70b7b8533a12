# SPDX-License-Identifier: GPL-3.0-or-later
"""An engine that is killed, stopped, short of memory or disk, or talks nonsense, and Blenders that die.

Each ends in a clear sentence and an untouched file, or the job goes on; and the next job works.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

bpy = pytest.importorskip("bpy")
if os.name != "posix":
    pytest.skip("needs POSIX signals, limits and scripts", allow_module_level=True)

from engine_process import AT_ONCE, LIMIT, has_answered, runs, wait  # noqa: E402

from rigcheck.extension import part  # noqa: E402
from rigcheck.misuse import CLEAN, check_sentence, differing, digest, drive, long_walk, started, walking  # noqa: E402

FAULTS = Path(__file__).resolve().parent / "faulty_engine"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limits and /proc of another process")


@pytest.fixture(autouse=True)
def engine_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Let a wrapper run the engine's Python, with a fault and after some words of shell; at first without PyTorch."""
    wrapper, python = tmp_path / "python", os.environ["DPOSER_PYTHON"]
    monkeypatch.setenv("DPOSER_PYTHON", str(wrapper))

    def choose(fault: str = "no PyTorch", before: str = "") -> None:
        variables = f'PYTHONPATH="$PYTHONPATH:{FAULTS}" DPOSER_FAULT="{fault}"'
        wrapper.write_text(f'#!/bin/sh\n{before}\n{variables} exec "{python}" "$@"\n')
        wrapper.chmod(0o755)

    choose()
    part("session").stop()  # that of the test before
    yield choose
    part("session").stop()


def pid() -> int:
    """The process of the engine that runs."""
    process = part("session").running()
    assert process is not None
    return int(process._process.pid)


def kill() -> None:
    os.kill(pid(), signal.SIGKILL)


def refused(job: Any, expected: str) -> str:
    """Drive a job that fails with a sentence; gives that."""
    with pytest.raises(part("jobs").EngineError) as caught:
        drive(job)
    text = check_sentence(str(caught.value))
    assert re.search(expected, text), text
    return text


def the_next_one_works(before: dict[str, Any] | None = None) -> None:
    """The file is as it was before, and another job succeeds."""
    assert before is None or differing(before, digest()) == set()
    part("jobs")._current = None  # for what the tests drive by hand
    if before is None:
        bpy.ops.dposer.discard_result()
    assert CLEAN.run() == "FINISHED"


# Killed


def starting(rigs: Any, patch: pytest.MonkeyPatch, engine_with: Any) -> Any:
    job = CLEAN.job(walking(rigs), frames="ACTION")
    assert job.advance(bpy.context) is None
    os.kill(pid(), signal.SIGSTOP)  # so that it does not greet before it is killed
    return job


def asked(rigs: Any, patch: pytest.MonkeyPatch, engine_with: Any) -> Any:
    job = started(CLEAN, walking(rigs), "asked", patch)
    os.kill(pid(), signal.SIGSTOP)  # so that it does not answer before it is killed
    return job


def solving(rigs: Any, patch: pytest.MonkeyPatch, engine_with: Any) -> Any:
    engine_with("none")
    job = CLEAN.job(walking(rigs), frames="ACTION", method="prior")
    assert drive(job, until=lambda: job.stage != "Starting" and job.fraction > 0) is None
    return job


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (starting, r"did not start with .* \(it was killed"),
        (asked, "stopped unexpectedly .it was killed"),
        pytest.param(solving, "stopped unexpectedly .it was killed", marks=pytest.mark.slow),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_killed(
    phase: Any, expected: str, rigs: Any, monkeypatch: pytest.MonkeyPatch, engine_with: Any
) -> None:
    job = phase(rigs, monkeypatch, engine_with)
    before = digest()
    kill()
    refused(job, expected)
    engine_with()
    the_next_one_works(before)


def constrained(rigs: Any) -> Any:
    """A walking rig that Blender must evaluate to know its poses."""
    ob = walking(rigs)
    source = bpy.data.objects.new("Source", None)
    bpy.context.scene.collection.objects.link(source)
    ob.pose.bones["prop"].constraints.new("COPY_ROTATION").target = source
    return ob


@pytest.mark.parametrize("phase", ["reading", "writing"])
def test_killed_while_it_is_not_needed(phase: str, rigs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job = started(CLEAN, constrained(rigs), phase, monkeypatch)
    process = part("session").running()
    kill()
    process._process.wait(LIMIT)  # the system takes a moment, in which it could still be asked
    done = drive(job)
    assert done.finished and check_sentence(done.sentence).startswith("Cleaned")
    the_next_one_works()


def test_killed_when_it_has_answered(rigs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job = started(CLEAN, walking(rigs), "asked", monkeypatch)
    wait(lambda: has_answered(part("session").running()))
    kill()
    assert drive(job).finished
    the_next_one_works()


# Stopped


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short limits."""
    for name, seconds in (("_ASK_AFTER", 0.1), ("_MUTE_AFTER", 0.3), ("_LEAVE_LIMIT", 0.5), ("_REPLACE_AFTER", 1.0)):
        monkeypatch.setattr(part("client"), name, seconds)


@pytest.mark.usefixtures("impatient")
def test_stopped(rigs: Any, monkeypatch: pytest.MonkeyPatch, engine_with: Any) -> None:
    job, stopped = asked(rigs, monkeypatch, engine_with), pid()
    before = digest()
    assert drive(job, until=lambda: job.text == "The engine does not respond") is None
    begin = time.monotonic()
    job.cancel()
    refused(job, "^Cancelled; nothing was changed")
    assert time.monotonic() - begin < AT_ONCE
    the_next_one_works(before)
    assert not runs(stopped) and pid() != stopped


@pytest.mark.usefixtures("impatient")
def test_stopped_before_the_job(rigs: Any) -> None:
    ob = walking(rigs)
    assert CLEAN.run() == "FINISHED"
    bpy.ops.dposer.discard_result()
    stopped = pid()
    os.kill(stopped, signal.SIGSTOP)
    told = set()
    job = CLEAN.job(ob, frames="ACTION")
    assert drive(job, until=lambda: told.add(job.text) or False).finished
    assert "The engine does not respond" in told
    assert not runs(stopped) and pid() != stopped


# Short of memory


@LINUX
def test_without_memory(rigs: Any) -> None:
    ob = long_walk(rigs, 10_000)
    walking(rigs)
    assert CLEAN.run() == "FINISHED"  # now the engine has loaded all that it needs
    bpy.ops.dposer.discard_result()
    before = digest()
    used = int(Path(f"/proc/{pid()}/statm").read_text().split()[0]) * resource.getpagesize() + (30 << 20)
    _, most = resource.prlimit(pid(), resource.RLIMIT_AS)
    resource.prlimit(pid(), resource.RLIMIT_AS, (used, most))
    refused(CLEAN.job(ob, frames="ACTION"), "The engine ran out of memory")
    if part("session").running() is not None:
        resource.prlimit(pid(), resource.RLIMIT_AS, (most, most))
    the_next_one_works(before)


@LINUX
def test_without_memory_to_start(rigs: Any, engine_with: Any) -> None:
    ob = walking(rigs)
    before = digest()
    engine_with(before="ulimit -v 60000")
    refused(CLEAN.job(ob, frames="ACTION"), "engine")
    engine_with()
    the_next_one_works(before)


# The disk is full


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk(rigs: Any, engine_with: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither Blender nor the engine can write a byte to a file: what needs none works."""
    ob, log = walking(rigs), tmp_path / "new" / "engine.log"
    monkeypatch.setattr(part("session"), "log", lambda: log)
    engine_with("chatter", before=f"ulimit -f 0; export TMPDIR={tmp_path}/nowhere")
    with full_disk():
        job = CLEAN.job(ob, frames="ACTION")
        done = drive(job)
    assert done.finished
    assert log.read_bytes() == b""


def test_a_full_disk_and_a_file_that_is_wanted(rigs: Any, tmp_path: Path) -> None:
    ob, folder = walking(rigs), tmp_path / "saved"
    folder.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "file.blend"))
    part("bone_map").replace(ob.data, {"left_elbow": "prop"})
    for name in ("map.json", part("pose_assets").CATALOGS):
        (folder / name).write_text("# kept\n")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    before = digest()
    with full_disk():
        with pytest.raises(RuntimeError) as caught:
            bpy.ops.dposer.save_bone_map(filepath=str(folder / "map.json"))
        assert "cannot be written: the disk is full" in check_sentence(str(caught.value))
        with pytest.raises(part("jobs").EngineError) as failed:
            part("pose_assets").catalog_id("Poses")
        assert "cannot be used" in check_sentence(str(failed.value))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
    assert differing(before, digest()) == set()


# Nonsense


@pytest.mark.parametrize("fault", ["chatter", "flood"])
def test_a_talkative_library(fault: str, rigs: Any, engine_with: Any, tmp_path: Path, monkeypatch: Any) -> None:
    log = tmp_path / "engine.log"
    monkeypatch.setattr(part("session"), "log", lambda: log)
    engine_with(fault)
    assert drive(CLEAN.job(walking(rigs), frames="ACTION")).finished
    the_next_one_works()
    part("session").stop()
    assert 0 < log.stat().st_size <= part("engine_log").MAX_LOG
    said = {"chatter": "native code prints", "flood": "number 49999 of a flood"}
    assert said[fault] in log.read_text()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("garbage", "message on the engine pipe is damaged.*restart the engine"),
        ("half", "message on the engine pipe is damaged.*restart the engine"),
        ("wrong fields", "answer lacks a field; reinstall DPoser"),
        ("another version", r"The engine is version 99\.0 but DPoser is version"),
        ("another protocol", "different protocol versions .1 and 22."),
        ("dies", r"did not start with .* loading shared libraries: libexample.so.7\); choose another interpreter"),
        ("crashes", r"did not start with .* \(it crashed with SIGABRT\); choose another interpreter"),
    ],
    ids=lambda value: value if " on " not in value and "(" not in value else "",
)
def test_nonsense(fault: str, expected: str, rigs: Any, engine_with: Any) -> None:
    ob = walking(rigs)
    before = digest()
    engine_with(fault)
    refused(CLEAN.job(ob, frames="ACTION"), expected)
    engine_with()
    the_next_one_works(before)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", ["half and hang", "hang"])
def test_silence(fault: str, rigs: Any, engine_with: Any) -> None:
    ob = walking(rigs)
    before = digest()
    engine_with(fault)
    job = CLEAN.job(ob, frames="ACTION")
    if fault == "hang":  # its pipe is served all the while
        assert drive(job, until=lambda: job.stage == "Cleaning") is None
        end = time.monotonic() + 1.0
        assert drive(job, until=lambda: time.monotonic() > end and job.text == "Cleaning  0%") is None
    else:
        assert drive(job, until=lambda: job.text == "The engine does not respond") is None
    job.cancel()
    refused(job, "^Cancelled; nothing was changed")
    engine_with()
    the_next_one_works(before)


# Two Blenders


@contextmanager
def blender(folder: Path, name: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A Blender in the middle of a job; see `second_blender`."""
    with (folder / f"{name}.txt").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("second_blender.py")), str(folder / f"{name}.blend")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=os.environ | environment,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def hear(process: subprocess.Popen[str], word: str) -> list[str]:
    """What follows the word on the line that begins with it."""
    assert process.stdout is not None
    line = next((line for line in process.stdout if line.startswith(f"{word}\t")), "")
    assert line, f"{word} was not said"
    return line.rstrip("\n").split("\t")[1:]


def test_two_blenders_at_once_of_which_one_is_killed_in_mid_job(tmp_path: Path, engine_with: Any) -> None:
    """With one profile and one folder for temporary files: what dies with one is nothing of the other's."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    shared = {"TMPDIR": str(temporary), "BLENDER_USER_RESOURCES": str(tmp_path / "profile")}
    shared["DPOSER_GO"] = str(tmp_path / "go")
    engine_with("waits")
    with blender(tmp_path, "killed", **shared) as killed, blender(tmp_path, "other", **shared) as other:
        (first, first_log), (second, second_log) = hear(killed, "AT WORK"), hear(other, "AT WORK")
        assert first != second and first_log != second_log
        saved = (tmp_path / "killed.blend").read_bytes()
        killed.kill()
        killed.wait()
        wait(lambda: not runs(int(first)))
        assert runs(int(second))
        (tmp_path / "go").touch()
        print("go on", file=other.stdin, flush=True)
        assert hear(other, "DONE")[0].startswith("Cleaned 22 bones of Smpl to walk_clean")
        other.wait(LIMIT)
    assert (tmp_path / "killed.blend").read_bytes() == saved
    assert not runs(int(second))
    assert {path.name for path in tmp_path.glob("killed*")} == {"killed.blend", "killed.txt"}
    left = [path for path in temporary.rglob("*") if path.is_file()]
    assert {str(path) for path in left} <= {first_log, second_log}  # what the engine said, for the next time
