# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line on real files: what it writes, what it refuses, and what it says."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import engine
from engine import cli
from engine.failures import explain
from engine.motion import amass
from engine.motion.bone_map_file import read_plain
from engine.motion.motion import BodyMotion
from engine.motion.tpose import OFFSETS
from engine.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
FRAMES = 60
HIERARCHY = """HIERARCHY
ROOT Root
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Spine
  {
    OFFSET 0 10 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT Head Top
    {
      OFFSET 0 12 1
      CHANNELS 3 Zrotation Xrotation Yrotation
      End Site
      {
        OFFSET 0 5 0
      }
    }
  }
}
"""


def make_bvh(path: Path, frames: int = FRAMES) -> Path:
    """A noisy swing of three bones, 30 frames per second, in whole thousandths so that the text is exact."""
    t = np.arange(frames)[:, None] / 30
    phase = np.arange(12)
    values = 20 * np.sin(2 * np.pi * 0.5 * t + phase) + np.random.default_rng(1).normal(0, 3, (frames, 12))
    rows = "\n".join(" ".join(f"{value:.3f}" for value in row) for row in values)
    path.write_text(f"{HIERARCHY}MOTION\nFrames: {frames}\nFrame Time: 0.0333333\n{rows}\n")
    return path


def values(path: Path) -> np.ndarray:
    """(T, 12) channels of a file, read by nothing but NumPy."""
    return np.loadtxt(path.read_text().split("Frame Time:")[1].splitlines()[1:], ndmin=2)


Cleaning = Callable[..., tuple[int, str]]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_bvh(tmp_path / "clip.bvh")


def test_a_clip_becomes_smoother(clean_here: Cleaning, clip: Path) -> None:
    out = clip.with_name("out.bvh")
    code, said = clean_here(clip, out, "--method", "gaussian")
    assert code == 0 and "60 frames" in said
    assert out.read_text().startswith(HIERARCHY)
    jerk = [np.abs(np.diff(values(path), 3, axis=0)).mean() for path in (clip, out)]
    assert jerk[1] < 0.5 * jerk[0]


@pytest.mark.parametrize("method", ["prior", "butterworth", "gaussian", "savgol", "median"])
def test_strength_0_changes_nothing(clean_here: Cleaning, clip: Path, method: str) -> None:
    out = clip.with_name("out.bvh")
    code, said = clean_here(clip, out, "--method", method, "--strength", 0)
    assert code == 0, said
    np.testing.assert_array_equal(values(out), values(clip))


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (["--range", "10:20"], np.r_[0:10, 20:60]),
        (["--range", ":20"], np.r_[20:60]),
        (["--range", "20:"], np.r_[0:20]),
        (["--lock-frames", "5,12,30:33"], np.array([5, 12, 30, 31, 32])),
        (["--range", "10:40", "--lock-frames", "20"], np.r_[0:10, 20, 40:60]),
    ],
)
def test_frames_are_counted_from_0(clean_here: Cleaning, clip: Path, options: list[str], kept: np.ndarray) -> None:
    out = clip.with_name("out.bvh")
    assert clean_here(clip, out, "--method", "gaussian", *options)[0] == 0
    same = (values(out) == values(clip)).all(axis=1)
    assert same[kept].all()
    # A filter may leave the clip's own first and last frame where they are.
    assert set(np.flatnonzero(same)) - set(kept) <= {0, FRAMES - 1}


def test_only_the_named_bones_move(clean_here: Cleaning, clip: Path) -> None:
    out = clip.with_name("out.bvh")
    assert clean_here(clip, out, "--method", "gaussian", "--bones", "Head Top, Spine")[0] == 0
    same = (values(out) == values(clip)).all(axis=0)
    np.testing.assert_array_equal(same, [True] * 6 + [False] * 6)


def test_the_report(clean_here: Cleaning, clip: Path) -> None:
    report = clip.with_name("report.json")
    assert clean_here(clip, clip.with_name("out.bvh"), "--method", "median", "--report", report)[0] == 0
    content = json.loads(report.read_text())
    assert content["engine"] == engine.__version__
    (entry,) = content["clips"]
    assert entry["input"] == str(clip) and entry["frames"] == FRAMES
    assert entry["report"]["method"] == "median"


def test_the_same_seed_gives_the_same_file(clean_here: Cleaning, clip: Path) -> None:
    outs = [clip.with_name(f"{name}.bvh") for name in "ab"]
    for out in outs:
        clean_here(clip, out, "--method", "butterworth", "--seed", 3)
    assert outs[0].read_bytes() == outs[1].read_bytes()


def test_amass(clean_here: Cleaning, tmp_path: Path) -> None:
    poses = np.random.default_rng(0).normal(0, 0.05, (40, 156))
    np.savez(
        tmp_path / "a.npz", poses=poses, trans=np.zeros((40, 3)), mocap_framerate=np.array(60.0),
        betas=np.zeros(16), gender=np.array("neutral"),
    )  # fmt: skip
    code, said = clean_here(tmp_path / "a.npz", tmp_path / "b.npz", "--method", "gaussian", "--range", "10:30")
    assert code == 0, said
    with np.load(tmp_path / "b.npz") as cleaned:
        changed = (cleaned["poses"] != poses).any(axis=1)
        np.testing.assert_array_equal(np.flatnonzero(changed), np.arange(10, 30))
        np.testing.assert_array_equal(cleaned["poses"][:, 66:], poses[:, 66:])
        assert cleaned["gender"] == "neutral"


def test_it_says_which_joints_were_mixed_up(clean_here: Cleaning, tmp_path: Path) -> None:
    """Both elbows bend backwards by up to 100 degrees."""
    poses = np.zeros((40, 156))
    bend = np.deg2rad(70.0 + 30.0 * np.sin(np.arange(40) / 6.0))
    poses[:, 3 * 18 + 1], poses[:, 3 * 19 + 1] = bend, -bend
    np.savez(tmp_path / "a.npz", poses=poses, trans=np.zeros((40, 3)), mocap_framerate=np.array(30.0))
    code, said = clean_here(tmp_path / "a.npz", tmp_path / "b.npz", "--method", "wiener")
    assert code == 0 and "now sorted out: left_elbow, right_elbow" in said, said
    with np.load(tmp_path / "b.npz") as cleaned:
        assert (cleaned["poses"][:, 3 * 18 + 1] < 0).all() and (cleaned["poses"][:, 3 * 19 + 1] > 0).all()


@pytest.mark.parametrize(
    ("source", "target", "sentence"),
    [
        ("gone.bvh", "out.bvh", "does not exist"),
        ("clip.bvh", "out.npz", "must end in .bvh"),
        ("clip.bvh", "nowhere/out.bvh", "does not exist; create it"),
        ("clip.bvh", "clip.bvh", "written over"),
        ("clip.bvh", "../{here}/clip.bvh", "written over"),
        ("clip.bvh", "linked.bvh", "written over"),
        ("clip.bvh", ".", "written over"),
        ("clip.bvh", "read_only.bvh", "read-only"),
        ("text.txt", "out.txt", "neither a .bvh nor an .npz"),
        ("empty.bvh", "out.bvh", "empty"),
        ("binary.bvh", "out.bvh", "binary.bvh"),
        ("binary.npz", "out.npz", "binary.npz"),
        ("cut.bvh", "out.bvh", "cut.bvh"),
        ("still.bvh", "out.bvh", "no frames"),
        ("nan.bvh", "out.bvh", "nan.bvh"),
        ("nothing", "out", "no .bvh or .npz clips"),
        ("folder", "clip.bvh", "folder"),
    ],
)
def test_every_refusal_is_one_sentence_and_leaves_nothing(
    clean_here: Cleaning, clip: Path, source: str, target: str, sentence: str
) -> None:
    folder = clip.parent
    text = clip.read_text()
    (folder / "text.txt").write_text("hello")
    (folder / "empty.bvh").write_text("")
    (folder / "binary.bvh").write_bytes(bytes(range(256)) * 20)
    (folder / "binary.npz").write_bytes(bytes(range(256)) * 20)
    (folder / "cut.bvh").write_text(text[: len(text) // 2])
    (folder / "still.bvh").write_text(f"{HIERARCHY}MOTION\nFrames: 0\nFrame Time: 0.0333333\n")
    (folder / "nan.bvh").write_text(text[: text.rindex(" ")] + " nan\n")
    (folder / "nothing").mkdir()
    (folder / "folder").mkdir()
    make_bvh(folder / "folder" / "inner.bvh")
    os.link(clip, folder / "linked.bvh")
    make_bvh(folder / "read_only.bvh").chmod(0o444)
    before = {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}
    code, said = clean_here(folder / source, folder / target.format(here=folder.name), "--method", "gaussian")
    assert code == 2
    assert sentence in said and said.count("\n") == 1 and said.endswith(".\n"), said
    assert {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")} == before


def test_the_range_must_be_in_the_clip(clean_here: Cleaning, clip: Path) -> None:
    out = clip.with_name("out.bvh")
    for options in (["--range", "50:61"], ["--range", "60:"], ["--range", "9:9"], ["--lock-frames", "60"]):
        code, said = clean_here(clip, out, "--method", "gaussian", *options)
        assert code == 2 and "whose frames are 0:60" in said and said.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--strength", "3"], ["--strength", "-1"], ["--strength", "nan"], ["--strength", "much"],
        ["--range", "5"], ["--range", "a:b"], ["--range", "-5:3"], ["--lock-frames", "1,,2"],
        ["--lock-frames", "x"], ["--method", "magic"], ["--device", "tpu"], ["--seed", "-1"],
    ],
)  # fmt: skip
def test_wrong_usage(clean_here: Cleaning, clip: Path, options: list[str]) -> None:
    code, said = clean_here(clip, clip.with_name("out.bvh"), *options)
    assert code == 2 and options[0] in said.splitlines()[-1]


def test_unknown_bones_are_named(clean_here: Cleaning, clip: Path) -> None:
    code, said = clean_here(clip, clip.with_name("out.bvh"), "--method", "gaussian", "--bones", "Spine,Tail")
    assert code == 2 and "Tail" in said and said.count("\n") == 1


def test_a_rig_that_is_no_body_needs_a_filter(clean_here: Cleaning, clip: Path) -> None:
    pytest.importorskip("torch")
    code, said = clean_here(clip, clip.with_name("out.bvh"))
    assert code == 2 and said.count("\n") == 1, said
    assert not clip.with_name("out.bvh").exists()


def test_a_bone_map_file(clean_here: Cleaning, clip: Path) -> None:
    bones = clip.with_name("map.json")
    for content in ("{", "[]", '{"pelvis": 3}', '{"dposer_bone_map": 1}', '{"dposer_bone_map": 1, "bones": []}'):
        bones.write_text(content)
        code, said = clean_here(clip, clip.with_name("out.bvh"), "--bone-map", bones)
        assert code == 2 and "map.json" in said


def test_a_bone_map_exported_from_blender_is_the_same_table(tmp_path: Path) -> None:
    file = tmp_path / "map.json"
    for content in ('{"left_elbow": "arm"}', '{"dposer_bone_map": 1, "rig": "R", "bones": {"left_elbow": "arm"}}'):
        file.write_text(content)
        assert read_plain(file) == {"left_elbow": "arm"}


def test_overwriting_must_be_asked_for(clean_here: Cleaning, clip: Path) -> None:
    before = values(clip)
    assert clean_here(clip, clip, "--method", "gaussian", "--overwrite")[0] == 0
    assert not np.array_equal(values(clip), before)


def test_a_folder(clean_here: Cleaning, tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "in" / "out"
    (source / "day 2").mkdir(parents=True)
    for name in ("a.bvh", "c.BVH", "day 2/d.bvh"):
        make_bvh(source / name)
    (source / "b.bvh").write_text("not a clip")
    (source / "notes.txt").write_text("")
    for _ in range(2):  # The second run does not take the first one's results for clips.
        code, said = clean_here(source, out, "--method", "gaussian", "--report", tmp_path / "r.json")
        assert code == 2
        assert "Cleaned 3 of 4 takes (180 frames)" in said and "Failed: b.bvh: b.bvh " in said
        written = {str(path.relative_to(out)) for path in out.rglob("[!.]*") if path.suffix in (".bvh", ".BVH")}
        assert written == {"a.bvh", "c.BVH", str(Path("day 2", "d.bvh"))}
    entries = json.loads((tmp_path / "r.json").read_text())["clips"]
    assert [entry.get("kind") for entry in entries] == [None, "FileError", None, None]
    (source / "b.bvh").unlink()
    assert clean_here(source, out, "--method", "gaussian")[0] == 0
    code, said = clean_here(source, source, "--method", "gaussian")
    assert code == 2 and "--overwrite" in said


@pytest.mark.parametrize("words", [["--help"], ["clean", "--help"], ["serve", "--help"], ["train", "--help"],
                                   ["evaluate", "--help"], ["--version"]])  # fmt: skip
def test_help_is_quick_and_loads_no_torch(words: list[str]) -> None:
    program = (
        "import sys, engine.cli\ntry: engine.cli.main(sys.argv[1:])\n"
        "finally: assert not {'torch', 'roma', 'smplx'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (engine.__version__ if words == ["--version"] else "usage: python -m engine") in done.stdout


def test_a_filter_loads_no_torch(clip: Path) -> None:
    program = (
        "import sys, engine.cli\nassert engine.cli.main(sys.argv[1:]) == 0\n"
        "assert not {'torch', 'roma', 'smplx'} & set(sys.modules)"
    )
    words = ["clean", str(clip), str(clip.with_name("out.bvh")), "--method", "savgol"]
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    clip, frames = tmp_path / "clip.npz", 100_000
    poses = 0.3 * np.sin(np.arange(frames)[:, None, None] / 10.0 + np.arange(66).reshape(22, 3))
    amass.create(clip, BodyMotion(poses, np.zeros((frames, 3)), 30.0, OFFSETS))
    command = [sys.executable, "-m", "engine", "clean", str(clip), str(tmp_path / "out.npz")]
    # A test run started in the background ignores SIGINT, and would hand that down.
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, preexec_fn=heeding
    ) as process:
        assert process.stderr is not None
        assert "%" in process.stderr.readline()  # in mid-job, which has more than a minute to go
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=300)[1]
    assert process.returncode == 130
    assert said.splitlines()[-1] == "Interrupted."
    assert list(tmp_path.iterdir()) == [clip]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    progress = Progress("walk.bvh", 300, stream)
    now = 102.0
    progress.step(1, 4, "solving")
    progress.step(2, 4, "too soon for another")
    drawn = stream.getvalue()
    assert drawn.startswith("\rwalk.bvh [######..................]  25%  solving")
    assert drawn.endswith("38 frames/s  0:06 left")  # 75 frames in 2 s
    progress.close()
    assert stream.getvalue()[len(drawn) :].strip(" \r") == ""


def test_the_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    stream = io.StringIO()
    progress = Progress("walk.bvh", 1000, stream)
    for second in range(1, 101):
        now = second / 5
        progress.step(second, 100, "solving")
    progress.close()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "walk.bvh: 25%  solving  50 frames/s  0:15 left"
    assert len(lines) == 4


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX limits")
def test_a_full_disk_is_told_in_a_sentence_and_leaves_nothing(clip: Path) -> None:
    command = f'ulimit -f 1; exec "{sys.executable}" -m engine clean "$0" "$1" --method butterworth'
    target = clip.with_name("out.bvh")
    done = subprocess.run(
        ["sh", "-c", command, str(clip), str(target)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (2, "out.bvh cannot be written: the disk is full.\n")
    assert [path.name for path in clip.parent.iterdir()] == [clip.name]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_log_on_a_full_disk_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError), Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        monkeypatch.setattr("engine.progress.LINE_INTERVAL", 0.0)
        Progress("clip", 10, full).step(1, 2, "working")
        assert str(explain(OSError(errno.ENOSPC, "No space left on device"), "the log")).startswith("The output cannot")
        assert cli.main(["clean", "gone.bvh", "out.bvh"]) == 2
        full.write("x")


def test_a_report_is_never_written_over_a_clip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = make_bvh(tmp_path / "clip.bvh")
    content = clip.read_bytes()
    out = tmp_path / "out.bvh"
    for report in (clip, out, tmp_path / "other.npz", tmp_path / "no" / "report.json"):
        words = ["clean", str(clip), str(out), "--method", "median", "--report", str(report)]
        assert cli.main(words) == 2
        assert "report" in capsys.readouterr().err
    assert clip.read_bytes() == content and list(tmp_path.iterdir()) == [clip]
