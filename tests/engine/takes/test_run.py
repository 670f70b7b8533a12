# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders cleaned by real processes that are killed, interrupted, doubled and starved."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from take_folders import ROOT, claims, clean, ended, make_take, make_takes, results, start, until, workers

from engine.motion.files import put
from engine.takes import run as takes_run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds its processes in /proc")

NAMES = ("a.npz", "day 2/b.npz", "day 2/c.npz", "d.npz", "e.npz")
Clean = Callable[..., tuple[int, str]]
FILTER = ("--method", "gaussian")
SLOW = ("--method", "wiener")
SLOW_FRAMES = 2000  # some seconds of the method wiener
LEAVING = """
import os, signal, sys
from pathlib import Path
from engine.motion.files import replacing
with replacing(Path(sys.argv[1])) as stream:
    stream.write(b"half")
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_takes(tmp_path / "in", NAMES)


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """Two takes, the first in the order of names of which needs its time."""
    make_take(tmp_path / "in" / "long.npz", SLOW_FRAMES)
    return make_take(tmp_path / "in" / "short.npz").parent


def no_traces(out: Path) -> bool:
    """Whether nothing but records and results is there."""
    return not [path for path in out.rglob("*") if path.is_file() and path.suffix not in (".npz", ".json")]


def cleaned_now(said: str) -> list[str]:
    return re.findall(r"^\d+/\d+ ([^:]+): \d+ frames in [^()]*\([^()]*\)(?! \()", said, flags=re.MULTILINE)


def test_any_number_of_workers_gives_the_same_files(folder: Path, tmp_path: Path, clean_here: Clean) -> None:
    for count in (1, 3):
        code, said = clean_here(folder, tmp_path / f"{count}", *SLOW, "--workers", count)
        assert code == 0, said
    assert results(tmp_path / "1") == results(tmp_path / "3")
    assert list(results(tmp_path / "1")) == sorted(NAMES)


def test_a_run_goes_on_where_the_folder_has_changed(folder: Path, tmp_path: Path, clean_here: Clean) -> None:
    out, report = tmp_path / "out", tmp_path / "r.json"

    def again(*words: object) -> dict[str, str]:
        code, said = clean_here(folder, out, "--report", report, *(words or FILTER), "--workers", 1)
        assert code == 0, said
        return {Path(clip["output"]).name[0]: clip["state"] for clip in json.loads(report.read_text())["clips"]}

    assert again() == dict.fromkeys("abcde", "cleaned")
    first = results(out)
    make_take(folder / "a.npz", seed=99)
    make_take(out / "d.npz", seed=98)  # somebody's
    (out / "e.npz").unlink()
    make_take(folder / "f.npz")
    now = {"a": "cleaned", "b": "done before", "c": "done before", "d": "changed since", "e": "cleaned", "f": "cleaned"}
    assert again() == now
    second = results(out)
    assert second["a.npz"] != first["a.npz"] and second["day 2/b.npz"] == first["day 2/b.npz"]
    assert second["d.npz"] == make_take(tmp_path / "d.npz", seed=98).read_bytes()
    assert again("--method", "median")["b"] == "cleaned"
    assert again("--method", "median", "--again")["d"] == "cleaned"


def test_shares_make_a_whole_that_the_summary_tells(folder: Path, tmp_path: Path, clean_here: Clean) -> None:
    out, report = tmp_path / "out", tmp_path / "r.json"
    (folder / "bad.npz").write_text("no clip")
    done: list[str] = []
    for number in range(3):
        code, said = clean_here(folder, out, *FILTER, "--workers", 1, "--share", f"{number}/3")
        assert code == (2 if "bad.npz" in said else 0)
        done += cleaned_now(said)
        if number == 0:
            code, said = clean_here(folder, out, *FILTER, "--summary")
            assert code == 2 and "Not done: 4" in said
    assert sorted(done) == sorted(NAMES)
    code, said = clean_here(folder, out, *FILTER, "--summary", "--report", report)
    assert code == 2 and "Cleaned 5 of 6 takes (200 frames)." in said
    assert "Failed: bad.npz: bad.npz " in said
    content = json.loads(report.read_text())
    assert [clip["state"] for clip in content["clips"]].count("done before") == 5
    assert content["totals"]["failed"] == 1 and content["settings"]["method"] == "gaussian"


@pytest.mark.slow
def test_two_runs_on_one_folder_share_the_work(tmp_path: Path) -> None:
    names = [f"{n}.npz" for n in range(6)]
    folder, out = make_takes(tmp_path / "in", names, frames=300), tmp_path / "out"
    runs = [start(folder, out, *SLOW, "--workers", 1) for _ in range(2)]
    said = [ended(run) for run in runs]
    assert [code for code, _ in said] == [0, 0], said
    assert sorted(cleaned_now(said[0][1]) + cleaned_now(said[1][1])) == names
    assert "Cleaned 6 of 6 takes" in said[0][1] and "Cleaned 6 of 6 takes" in said[1][1]
    assert no_traces(out)


def test_ctrl_c_keeps_what_is_done(slow: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "out", tmp_path / "r.json"
    run = start(slow, out, *SLOW, "--workers", 2, "--report", report)
    until((out / "short.npz").exists)
    until(lambda: len(claims(out)) == 1)
    run.send_signal(signal.SIGINT)
    code, said = ended(run)
    assert code == 130 and said.splitlines()[-1] == "Interrupted."
    assert "Cleaned 1 of 2 takes" in said and "Not done: 1" in said
    assert list(results(out)) == ["short.npz"] and no_traces(out)
    states = [clip["state"] for clip in json.loads(report.read_text())["clips"]]
    assert states == ["not done", "cleaned"]


def test_a_worker_that_is_killed_costs_one_attempt(slow: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = start(slow, out, *SLOW, "--workers", 1)
    until(lambda: claims(out) and workers(run))
    os.kill(workers(run)[0], signal.SIGKILL)
    code, said = ended(run)
    assert code == 0 and sorted(results(out)) == ["long.npz", "short.npz"], said
    assert said.count("its process was killed (SIGKILL); the take is tried again") == 1


def test_a_take_that_kills_every_worker_fails_alone(slow: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = start(slow, out, *SLOW, "--workers", 2)
    until((out / "short.npz").exists)
    until(lambda: len(claims(out)) == 1)
    while run.poll() is None:
        for pid in workers(run):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    code, said = ended(run)
    assert code == 2 and "Failed: long.npz: Its process was killed (SIGKILL), each time of 2" in said
    assert list(results(out)) == ["short.npz"] and no_traces(out)


@pytest.mark.slow
def test_a_killed_run_is_taken_up(slow: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = start(slow, out, *SLOW, "--workers", 2)
    until((out / "short.npz").exists)
    until(lambda: len(claims(out)) == 1)
    orphans = workers(run)
    run.kill()
    ended(run)
    until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in orphans))
    subprocess.run([sys.executable, "-c", LEAVING, str(out / "long.npz")], cwd=ROOT, check=False)
    assert not no_traces(out)
    code, said = clean(slow, out, *SLOW, "--workers", 1)
    assert code == 0 and cleaned_now(said) == ["long.npz"], said
    assert sorted(results(out)) == ["long.npz", "short.npz"] and no_traces(out)


def test_a_take_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    make_take(tmp_path / "in" / "long.npz", 20 * SLOW_FRAMES)
    code, said = clean(tmp_path / "in", tmp_path / "out", *SLOW, "--time-limit", 1)
    assert code == 2 and "Failed: long.npz: It was given up after 1 s" in said
    assert not results(tmp_path / "out") and no_traces(tmp_path / "out")


def test_a_full_disk_stops_the_run(folder: Path, tmp_path: Path) -> None:
    prefix = ("unshare", "--user", "--map-root-user", "--mount")
    if not shutil.which("unshare") or subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("needs a file system of its own, which this machine does not allow")
    make_take(folder / "c.npz", 2000)
    out = tmp_path / "out"
    out.mkdir()
    script = f"mount -t tmpfs -o size=200k none '{out}' && \"$@\"; code=$?; ls -A '{out}' >&2; exit $code"
    code, said = clean(folder, out, *FILTER, "--workers", 1, prefix=(*prefix, "sh", "-c", script, "sh"))
    assert code == 2 and "The run stops at c.npz, since the other takes would fare no better." in said, said
    assert "Failed: c.npz: c.npz cannot be written: the disk is full." in said
    assert "Cleaned 1 of 6 takes" in said and "Not done: 4" in said
    assert said.splitlines()[-2:] == [".dposer", "a.npz"]


@pytest.mark.slow
def test_a_device_that_is_not_there_stops_the_run(folder: Path, tmp_path: Path, clean_here: Clean) -> None:
    torch = pytest.importorskip("torch")
    missing = "mps" if not torch.backends.mps.is_available() else "cuda"
    code, said = clean_here(folder, tmp_path / "out", "--device", missing, "--workers", 1)
    assert code == 2 and f"finds no {missing} device" in said and "Not done: 4" in said, said


def test_options_of_folders_are_refused_for_a_clip(folder: Path, tmp_path: Path, clean_here: Clean) -> None:
    for words in (["--share", "0/2"], ["--summary"], ["--ray", "auto"]):
        code, said = clean_here(folder / "a.npz", tmp_path / "out.npz", *FILTER, *words)
        assert code == 2 and "are for folders" in said
    code, said = clean_here(folder, tmp_path / "out", *FILTER, "--share", "2/2")
    assert code == 2 and "not a share" in said


@pytest.mark.slow
def test_the_script_for_slurm_takes_its_share(folder: Path, tmp_path: Path) -> None:
    done: list[str] = []
    for number in range(2):
        array = {"SLURM_ARRAY_TASK_ID": str(number), "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_CPUS_PER_TASK": "1"}
        script = ["sh", "docs/slurm.sh", str(folder), str(tmp_path / "out"), *FILTER]
        environment = os.environ | array | {"DPOSER_PYTHON": sys.executable}
        run = subprocess.run(script, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        done += cleaned_now(run.stderr)
    assert sorted(done) == sorted(NAMES)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_run_in_place_that_dies_as_a_take_is_replaced_cleans_none_twice(
    replaced: bool, tmp_path: Path, clean_here: Clean, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Just before the cleaned clip takes the place of the captured one, or just after."""
    folder = make_takes(tmp_path / "in", ["a.npz"])
    expected = tmp_path / "expected"
    assert clean_here(folder, expected, *FILTER, "--workers", 1)[0] == 0
    in_place = (folder, folder, *FILTER, "--workers", 1, "--overwrite")

    def dies(made: Path, path: Path) -> None:
        if replaced:
            put(made, path)
        raise KeyboardInterrupt

    monkeypatch.setattr(takes_run, "put", dies)
    assert clean_here(*in_place)[0] == 130
    monkeypatch.undo()
    assert clean_here(*in_place)[0] == 0
    assert results(folder) == results(expected) and no_traces(folder)
