# SPDX-License-Identifier: GPL-3.0-or-later
"""Check Engine and Copy Diagnostics with engines that work and engines that cannot."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

bpy = pytest.importorskip("bpy")

from engine_process import until  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SUBJECTS = ["Python", "Packages", "PyTorch", "Device", "Weights", "Test Solve"]
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs POSIX scripts and signals")


@pytest.fixture
def session(extension: Callable[[str], Any]) -> Any:
    return extension("session")


@pytest.fixture
def check(extension: Callable[[str], Any]) -> Any:
    """What the last check found."""
    module = extension("engine_check")
    module.forget()
    return module


@pytest.fixture
def diagnostics(extension: Callable[[str], Any]) -> Any:
    return extension("diagnostics")


def refused(check: Any) -> Any:
    """The one row of a check that must fail, whose advice is what was reported."""
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.dposer.check_engine()
    (row,) = check.rows()
    assert row.state == "bad"
    assert str(caught.value).strip() == f"Error: {row.shown()[2]}."
    assert str(caught.value).count("choose another interpreter") <= 1
    return row.shown()


def test_check_and_restart(session: Any, check: Any) -> None:
    assert bpy.ops.dposer.check_engine() == {"FINISHED"}
    assert [row.subject for row in check.rows()] == SUBJECTS
    assert {row.state for row in check.rows()[:-1]} == {"good"}  # the last one is of speed, and the machine may be busy
    assert os.environ["DPOSER_PYTHON"] in check.rows()[0].shown()[1]
    assert check.rows()[-1].shown()[1].startswith("60 frames in ")
    pid = session.running().info["pid"]
    assert bpy.ops.dposer.restart_engine() == {"FINISHED"}
    assert not check.rows(), "they were another engine's"
    assert bpy.ops.dposer.check_engine() == {"FINISHED"}
    assert session.running().info["pid"] != pid


def test_a_path_that_is_wrong(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(Path("nowhere", "python").absolute())
    monkeypatch.setenv("DPOSER_PYTHON", path)
    subject, value, advice = refused(check)
    assert (subject, value) == ("Python", path)
    assert "No such file" in advice and advice.endswith("choose another interpreter in the preferences")


@POSIX
def test_a_program_that_is_no_python(check: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho no such option >&2\nexit 2\n")
    program.chmod(0o755)
    monkeypatch.setenv("DPOSER_PYTHON", str(program))
    subject, value, advice = refused(check)
    assert (subject, value) == ("Python", str(program))
    assert "did not start" in advice and "no such option" in advice


def test_a_python_that_is_too_old(
    check: Any, session: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Today's Python is too old for an engine that asks for one to come."""
    main = tmp_path / "engine" / "__main__.py"
    main.parent.mkdir()
    (main.parent / "__init__.py").write_text("")
    source = (ROOT / "engine" / "__main__.py").read_text()
    main.write_text(source.replace("(3, 11)", "(3, 99)"))
    monkeypatch.setattr(session, "ROOT", tmp_path)
    session.stop()
    subject, _, advice = refused(check)
    assert subject == "Python"
    assert advice.startswith("The engine needs Python 3.11 or newer, which ")
    session.stop()


def test_a_python_without_packages(check: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=os.name == "posix")
    python = tmp_path / "bare" / ("bin/python" if os.name == "posix" else "Scripts/python.exe")
    monkeypatch.setenv("DPOSER_PYTHON", str(python))
    subject, value, advice = refused(check)
    assert (subject, value) == ("Python", str(python))
    assert "lacks the module numpy; install it there or choose another interpreter" in advice


def test_an_engine_of_another_version(
    check: Any, session: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for path in (ROOT / "engine").rglob("*.py"):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    init = tmp_path / "engine" / "__init__.py"
    init.write_text(init.read_text().replace("__version__ = ", '__version__ = "99" + '))
    monkeypatch.setattr(session, "ROOT", tmp_path)
    session.stop()
    subject, value, advice = refused(check)
    assert (subject, value) == ("Engine", "Failed")
    assert advice.endswith("reinstall DPoser and restart Blender")
    session.stop()


@POSIX
def test_an_engine_that_is_killed(check: Any, session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    process, poll = session.engine(bpy.context), type(session.engine(bpy.context)).poll
    until(process, lambda: process.info)

    def killed(self: Any) -> Any:
        if self.busy and self.alive:
            os.kill(self.info["pid"], signal.SIGKILL)
        return poll(self)

    monkeypatch.setattr(type(process), "poll", killed)
    subject, _, advice = refused(check)
    assert subject == "Engine"
    assert "it was killed, perhaps for lack of memory" in advice and "restart it" in advice


def test_a_finding_that_needs_something_is_a_warning(
    check: Any, extension: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    preferences, problems = extension("preferences"), extension("problems")
    monkeypatch.setattr(preferences, "of", lambda context: ("", "mps"))
    if sys.platform == "darwin":
        pytest.skip("this computer may have the device")
    assert bpy.ops.dposer.check_engine() == {"FINISHED"}
    rows = {row.subject: row for row in check.rows()}
    # The test solve may be slow on a busy machine.
    assert [subject for subject, row in rows.items() if row.state != "good" and subject != SUBJECTS[-1]] == ["Device"]
    assert "was made without Apple GPU: choose Automatic as device" in rows["Device"].shown()[2]
    assert any(line.endswith(f"{rows['Device'].shown()[2]}.") for line in problems.recent())


def test_an_engine_that_left_a_cancelled_job_unseen_is_kept(
    session: Any, extension: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = session.engine(bpy.context)
    until(process, lambda: process.info and process.info["ready"])  # to load PyTorch may hold up a job that should stop
    pid = process.info["pid"]
    process.request("check", {"device": "cpu"})
    until(process, lambda: not process.busy)  # so does all else that is loaded once
    session.cancel(process.request("check", {"device": "cpu"}))
    assert process.busy
    time.sleep(extension("client")._LEAVE_LIMIT + 2.0)  # it leaves the job, and nobody looks
    assert process.busy
    assert session.engine(bpy.context) is process
    assert not process.busy and process.info["pid"] == pid


def test_diagnostics_say_what_is_asked_first(
    rigs: Any, diagnostics: Any, check: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    rigs.animate(rigs.smpl(), 5)
    with pytest.raises(RuntimeError):
        bpy.ops.dposer.clean_motion(frames="PREVIEW")
    assert bpy.ops.dposer.check_engine() == {"FINISHED"}
    assert bpy.ops.dposer.find_bones() == {"FINISHED"}
    capsys.readouterr()
    assert bpy.ops.dposer.copy_diagnostics() == {"FINISHED"}
    text = diagnostics.text(bpy.context)
    assert capsys.readouterr().out.startswith(text)
    engine = importlib.import_module("dposer_ext.engine")
    for words in (
        f"DPoser {engine.__version__}", bpy.app.version_string, "processors", "PyTorch: ", "Test Solve: 60 frames in ",
        "Device: auto", "Bones: 23", "Joints mapped: 22 of 22, by hand 0", "No preview range is set", "SMPL",
        "## Last 40 lines of the engine's log",
    ):  # fmt: skip
        assert words in text, words


def test_diagnostics_hold_the_end_of_the_log(session: Any, diagnostics: Any) -> None:
    session.stop()
    with session.log().open("a", encoding="utf-8") as log:
        log.write("".join(f"line {number}\n" for number in range(100)))
    lines = diagnostics.text(bpy.context).splitlines()
    assert lines[-41:] == ["## Last 40 lines of the engine's log", *(f"line {number}" for number in range(60, 100))]


def test_diagnostics_name_nobody(diagnostics: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "jane.doe"
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.setattr("getpass.getuser", lambda: "jane")
    monkeypatch.setenv("DPOSER_PYTHON", str(home / "python" / "bin" / "python"))
    text = diagnostics.text(bpy.context)
    assert "~/python/bin/python" in text.replace("\\", "/") and "jane" not in text
    assert diagnostics.anonymous(f"{home}s/x /media/jane/disk /janet/jane") == f"{home}s/x /media/~/disk /janet/~"


def test_diagnostics_start_no_engine(session: Any, diagnostics: Any) -> None:
    session.stop()
    diagnostics.text(bpy.context)
    assert session.running() is None


def test_a_job_that_fails_at_once_leaves_no_handler(
    extension: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blender crashes where an operator's invoke ends it and its modal handler stays.

    There is no window here to be clicked in, so what the operator asks of the window's manager is written down.
    """
    jobs, engine = extension("jobs"), extension("operators.engine")
    monkeypatch.setenv("DPOSER_PYTHON", str(Path("nowhere", "python").absolute()))
    asked: list[str] = []
    manager = SimpleNamespace(
        windows=[],
        progress_end=lambda: None,
        event_timer_add=lambda *_, **__: asked.append("timer"),
        modal_handler_add=lambda *_: asked.append("handler"),
    )
    context = SimpleNamespace(
        window=object(), workspace=None, window_manager=manager, preferences=bpy.context.preferences
    )
    app = SimpleNamespace(background=False, is_job_running=bpy.app.is_job_running)
    monkeypatch.setattr(jobs, "bpy", SimpleNamespace(app=app))

    class Check(jobs.JobOperator):
        reports: list[str] = []  # noqa: RUF012

        def task(self, context: Any) -> Any:
            return engine.CheckTask("cpu")

        def report(self, level: set[str], sentence: str) -> None:
            self.reports.append(sentence)

    operator = Check()
    assert operator.invoke(context, None) == {"CANCELLED"}
    assert asked == [] and jobs.current() is None
    assert "cannot be started" in operator.reports[0]
