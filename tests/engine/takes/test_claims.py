# SPDX-License-Identifier: GPL-3.0-or-later
"""A take is one run's until it gives it back or dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from engine.errors import FileError
from engine.takes import claims as module
from engine.takes.claims import Claims
from engine.takes.walk import Take

ROOT = Path(__file__).resolve().parents[3]
DYING = """
import os, signal, sys
from pathlib import Path
from engine.takes.claims import Claims
from engine.takes.walk import Take
Claims(Path(sys.argv[1])).claim(Take(Path("a"), Path("a"), "a"))
os.kill(os.getpid(), signal.SIGKILL)
"""


def take(name: str) -> Take:
    return Take(Path(name), Path(name), name)


def test_a_claim_is_one_runs(tmp_path: Path) -> None:
    with Claims(tmp_path) as first, Claims(tmp_path) as second:
        assert first.claim(take("a")) and not second.claim(take("a"))
        second.release(take("a"))  # not its own
        assert not second.claim(take("a"))
        first.release(take("a"))
        assert second.claim(take("a"))
    assert not [path for path in (tmp_path / ".dposer").rglob("*") if path.is_file()]


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_runs_claims_are_anyones(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", DYING, str(tmp_path)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / ".dposer" / "claims" / take("a").key).exists()
    with Claims(tmp_path) as claims:
        assert claims.claim(take("a"))


@pytest.mark.parametrize(("silent", "free"), [(30.0, False), (90.0, True)])
def test_another_machines_run_lives_by_its_file(tmp_path: Path, silent: float, free: bool) -> None:
    with Claims(tmp_path) as claims:
        other = tmp_path / ".dposer" / "runs" / "f00"
        other.write_text(json.dumps({"host": "another", "pid": 1}))
        os.utime(other, (time.time() - silent,) * 2)
        (tmp_path / ".dposer" / "claims" / take("a").key).write_text("f00")
        assert claims.claim(take("a")) is free


def test_a_run_shows_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.02)
    with Claims(tmp_path):
        (own,) = (tmp_path / ".dposer" / "runs").iterdir()
        os.utime(own, (0.0, 0.0))
        end = time.monotonic() + 20.0
        while own.stat().st_mtime == 0.0 and time.monotonic() < end:
            time.sleep(0.01)
        assert abs(own.stat().st_mtime - time.time()) < 30.0


def test_of_many_that_want_a_dead_runs_takes_each_goes_to_one(tmp_path: Path) -> None:
    names = [f"{n}" for n in range(200)]
    runs = [Claims(tmp_path) for _ in range(6)]
    for name in names:
        (tmp_path / ".dposer" / "claims" / take(name).key).write_text("dead")
    ready = threading.Barrier(len(runs))
    got: list[str] = []

    def grab(run: Claims) -> None:
        ready.wait()
        got.extend(name for name in names if run.claim(take(name)))

    threads = [threading.Thread(target=grab, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(names)


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".dposer").write_text("in the way")
    with pytest.raises(FileError, match="Nothing can be written"):
        Claims(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\0" * 16, b"\xff\xfe", b"a" * 300, b"../../x\n"])
def test_a_damaged_claim_goes_when_it_is_old(tmp_path: Path, content: bytes) -> None:
    """As a power cut leaves it; nobody holds it."""
    with Claims(tmp_path) as run:
        path = tmp_path / ".dposer" / "claims" / take("a").key
        path.write_bytes(content)
        assert not run.claim(take("a")), "it may be being written"
        old = path.stat().st_mtime - 2 * module.STALE_SECONDS
        os.utime(path, (old, old))
        assert run.claim(take("a"))
