# SPDX-License-Identifier: GPL-3.0-or-later
"""build.py: set-up that heals itself, advice about system libraries, and the package that Blender accepts."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
import tomllib
import zipfile
from pathlib import Path

import pytest

import build
from wheels.pack import STAGED

ROOT = Path(build.__file__).resolve().parent

LDD = """\
\tlinux-vdso.so.1 (0x00007ffd2a3f2000)
\tlibX11.so.6 => not found
\tlibxkbcommon.so.0 => not found
\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f3b0c000000)
\tlibX11.so.6 => not found
"""


@pytest.fixture
def lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> build.Lane:
    """A lane of this Python in an empty project: it installs nothing and holds no Blender."""
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "check_libraries", lambda _: None)
    (tmp_path / "needs.txt").write_text("# nothing\n")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return build.Lane("0.0.0", version, ".venv-test", (("--no-index", "-r", "needs.txt"),))


def test_set_up_runs_once_and_again_after_a_change(
    lane: build.Lane, capfd: pytest.CaptureFixture[str]
) -> None:
    build.ensure(lane)
    assert "Making .venv-test" in capfd.readouterr().out
    assert subprocess.run([lane.interpreter, "-c", ""]).returncode == 0

    build.ensure(lane)
    assert capfd.readouterr().out == ""

    (build.ROOT / "needs.txt").write_text("# something else\n")
    build.ensure(lane)
    assert "Bringing .venv-test up to date" in capfd.readouterr().out


def test_interrupted_set_up_starts_afresh(lane: build.Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(build, "_pip", interrupt)
        with pytest.raises(KeyboardInterrupt):
            build.ensure(lane)
    leftover = lane.path / "half-unpacked"
    leftover.touch()
    build.ensure(lane)
    assert not leftover.exists()
    assert lane.stamp.read_text() == f"{lane.digest()} checked"


def test_interrupted_making_of_an_environment_starts_afresh(lane: build.Lane) -> None:
    lane.path.mkdir()
    lane.stamp.write_text(build.STARTED)  # no interpreter yet
    build.ensure(lane)
    assert subprocess.run([lane.interpreter, "-m", "pip", "--version"], capture_output=True).returncode == 0


def test_packages_are_kept_while_a_system_library_is_missing(
    lane: build.Lane, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: build.Lane) -> None:
        raise build.BuildError(build.library_advice(["libX11.so.6"]))

    with monkeypatch.context() as patch:
        patch.setattr(build, "check_libraries", refuse)
        for _ in range(2):
            with pytest.raises(build.BuildError, match="apt-get install libx11-6"):
                build.ensure(lane)
    assert capfd.readouterr().out.count("Making") == 1
    build.ensure(lane)
    assert "ready" in capfd.readouterr().out


def test_failed_install_is_a_sentence_and_is_tried_again(lane: build.Lane) -> None:
    broken = dataclasses.replace(lane, installs=(("--no-index", "dposer-no-such-package"),))
    with pytest.raises(build.BuildError, match="run the same command again"):
        build.ensure(broken)
    assert broken.stamp.read_text() == build.STARTED
    build.ensure(lane)


def test_absent_python_is_a_sentence(lane: build.Lane) -> None:
    with pytest.raises(build.BuildError, match=r"needs Python 3\.99.*apt-get install python3\.99"):
        build.ensure(dataclasses.replace(lane, python="3.99"))


def test_found_python_is_of_the_version_asked_for_and_no_environment() -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    python = build.find_python(version)
    assert python is not None
    code = "import sys; print('%d.%d' % sys.version_info[:2], sys.prefix == sys.base_prefix)"
    answer = subprocess.run([python, "-c", code], capture_output=True, text=True)
    assert answer.stdout.split() == [version, "True"]


def test_missing_libraries_name_their_debian_packages() -> None:
    missing = build.missing_libraries(LDD)
    assert missing == ["libX11.so.6", "libxkbcommon.so.0"]
    advice = build.library_advice(missing)
    assert "apt-get install libx11-6 libxkbcommon0" in advice
    assert "libodd.so.9" in build.library_advice(["libodd.so.9"])


@pytest.mark.skipif(sys.platform != "linux", reason="ldd and Debian's package names are Linux's")
def test_every_system_library_of_blender_has_a_package() -> None:
    folder = build.bpy_folder(build.MAIN)
    module = next(folder.glob("__init__*.so"))
    answer = subprocess.run(["ldd", module], capture_output=True, text=True)
    system = {words[0] for words in map(str.split, answer.stdout.splitlines()) if len(words) > 2}
    bundled = {path.name for path in folder.rglob("*.so*")}
    windowing = {
        name for name in system - bundled if name.startswith(("libX", "libxkb", "libGL", "libSM", "libICE"))
    }
    indirect = {"libXau.so.6", "libXdmcp.so.6", "libGLdispatch.so.0"}  # come with those that link to them
    assert windowing - indirect <= build.DEBIAN_PACKAGES.keys()


def test_time_limit_ends_a_program(capfd: pytest.CaptureFixture[str]) -> None:
    assert build.run(sys.executable, "-c", "import time; time.sleep(60)", limit=0.5) == 124
    assert "still running" in capfd.readouterr().err


def test_requirements_are_pinned_and_name_no_host() -> None:
    for path in [*ROOT.glob("requirements*.txt"), ROOT / "constraints.txt"]:
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        assert lines
        for line in lines:
            assert line.count("==") == 1, f"{path.name}: {line}"
            assert not line.startswith("-"), f"{path.name}: {line}"


def test_package_holds_the_extension_and_nothing_else(tmp_path: Path) -> None:
    target = build.package(tmp_path)
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text())
    assert target.name == f"{manifest['id']}-{manifest['version']}.zip"
    with zipfile.ZipFile(target) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} == set(STAGED)
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".whl"))]
    assert {"engine/serve.py", "engine/motion/rigs/mixamo.json", "dposer_blender/client.py"} <= set(names)


def test_unknown_command_is_refused() -> None:
    answer = subprocess.run([sys.executable, ROOT / "build.py", "paint"], capture_output=True, text=True)
    assert answer.returncode == 2
    assert "paint" in answer.stderr


def test_options_after_bench_and_rigs_are_handed_on() -> None:
    assert build.parse(["bench", "--quick"]).more == ["--quick"]
    options = build.parse(["rigs", "--all", "--only", "Rigify"])
    assert options.all and options.more == ["--only", "Rigify"]


def test_a_mistyped_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build.parse(["test", "--al", "--everything"])
    assert "unrecognized arguments: --everything" in capsys.readouterr().err


def test_lanes_are_the_long_term_versions_or_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "find_python", lambda version: Path(sys.executable))
    assert [lane.blender for lane in build.lanes_at_hand(every=False)] == ["4.5.15", "5.2.3"]
    assert [lane.blender for lane in build.lanes_at_hand(every=True)] == ["4.2.23", "4.5.15", "5.0.1", "5.2.3"]


def test_a_lane_without_its_python_is_named_and_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "ROOT", tmp_path)  # where no environment is
    monkeypatch.setattr(build, "find_python", lambda version: None)
    assert build.lanes_at_hand(every=False) == [build.MAIN]
    assert "No Python 3.13 here: Blender 5.2.3 is left out" in capfd.readouterr().out


def step(name: str, code: str) -> build.Step:
    return build.Step(name, (sys.executable, "-c", code), {})


def test_steps_run_side_by_side(tmp_path: Path) -> None:
    """Each waits for the other, and prints what it has to say in the order of the steps."""
    meet = """
import pathlib, sys, time
pathlib.Path({own!r}).touch()
end = time.monotonic() + 30
while not pathlib.Path({other!r}).exists():
    assert time.monotonic() < end, "alone"
    time.sleep(0.01)
print({own!r})
"""
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    steps = [step("first", meet.format(own=one, other=two)), step("second", meet.format(own=two, other=one))]
    steps.append(step("third", "import sys; sys.exit('no good')"))
    ran = list(build.SideBySide(2, 60.0).run(steps))
    assert [(done.name, ended.passed, ended.output.strip()) for done, ended in ran] == [
        ("first", True, one), ("second", True, two), ("third", False, "no good"),
    ]  # fmt: skip


def test_a_step_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """By what pytest says of itself, while it runs and not only at its end."""
    monkeypatch.setattr(build, "TOLD_EVERY", 0.2)
    code = "import time; print('tests/test_a.py ....   [ 42%]', flush=True); time.sleep(1.5)"
    assert [ended.passed for _, ended in build.SideBySide(1, 60.0).run([step("some", code)])] == [True]
    assert "some 42%" in capsys.readouterr().out


@pytest.mark.skipif(build.WINDOWS, reason="processes are ended alone there, and tell nothing")
def test_a_step_that_hangs_tells_where_and_ends_with_its_children(tmp_path: Path) -> None:
    child = tmp_path / "child"
    code = f"""
import faulthandler, pathlib, subprocess, sys, time
faulthandler.enable()
print("so far", flush=True)
process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path({str(child)!r}).write_text(str(process.pid))
def stuck():
    time.sleep(60)
stuck()
"""
    ((_, ended),) = build.SideBySide(1, 3.0).run([step("Hangs", code)])
    assert not ended.passed
    assert "so far" in ended.output and "in stuck" in ended.output
    assert ended.output.endswith("Hangs: stopped, still running after 3 s; above is where it was.\n")
    assert gone(int(child.read_text()))


@pytest.mark.skipif(build.WINDOWS, reason="needs POSIX process groups")
def test_steps_end_when_nobody_waits_for_them(tmp_path: Path) -> None:
    started = tmp_path / "started"
    code = f"""
import os, pathlib, time
pathlib.Path({str(tmp_path / "new")!r}).write_text(str(os.getpid()))
os.replace({str(tmp_path / "new")!r}, {str(started)!r})
time.sleep(60)
"""
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(started)!r}).exists(): time.sleep(0.01)"
    steps = build.SideBySide(2, 60.0).run([step("quick", wait), step("slow", code), step("never", "")])
    assert next(steps)[1].passed
    steps.close()
    assert gone(int(started.read_text()))


def gone(pid: int) -> bool:
    """Whether a process ends within a few seconds, or is but a remnant that nobody has asked about."""
    stat, end = Path(f"/proc/{pid}/stat"), time.monotonic() + 5.0
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
            if stat.parent.parent.is_dir() and stat.read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.02)
    return False
