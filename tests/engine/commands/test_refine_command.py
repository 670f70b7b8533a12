# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine refine`` from file to file."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rotation_priors import untrained
from scipy.spatial.transform import Rotation
from seen_person import CAMERA, FPS, person

from engine.body import bundled, posed
from engine.body.h36m_joints import h36m_joints
from engine.cli import main
from engine.commands.clip_file import ClipFile
from engine.evaluation.metrics import acceleration
from engine.evaluation.starts import perturbed
from engine.motion import amass, bvh
from engine.motion.body_clip import body_rig
from engine.motion.h36m import JOINTS
from engine.motion.motion import BodyMotion, Motion
from engine.motion.tpose import OFFSETS
from engine.motion.windows import continuous, rotvec_to_quat
from engine.priors.rotation_weights import save_rotation_prior
from engine.progress import Progress

FRAMES = 12
SOMEONE = person(FRAMES, seed=2)
VIEW = {"fx": 1100, "fy": 1100, "cx": 640, "cy": 360, "width": 1280, "height": 720}
NAMES = ["neck" if name == "thorax" else name for name in JOINTS]


def start(body: BodyMotion, seed: int = 0) -> BodyMotion:
    """A body as a network misses it."""
    poses, transl = perturbed(body.poses, body.transl, "far", np.random.default_rng(seed), FPS)
    return replace(body, poses=poses, transl=transl)


def keypoint_file(path: Path, pixels: np.ndarray, hidden: tuple[int, ...] = (), **about: Any) -> Path:
    frames = [
        {} if t in hidden else {name: [*map(float, row[j]), 0.9, 2.0] for j, name in enumerate(NAMES)}
        for t, row in enumerate(pixels)
    ]
    path.write_text(json.dumps({"fps": FPS, "frames": frames, "camera": VIEW} | about))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clip as .bvh and .npz, keypoints, and weights that know nothing."""
    body = start(SOMEONE.motion)
    bvh.write(tmp_path / "in.bvh", bvh.from_motion(body_rig(body)))
    amass.create(tmp_path / "in.npz", body)
    keypoint_file(tmp_path / "k.json", SOMEONE.pixels)
    save_rotation_prior(tmp_path / "w.safetensors", untrained(), {})
    return tmp_path


def refine(folder: Path, source: str, target: str, *options: str, weights: str = "w.safetensors") -> int:
    names = [str(folder / word) if re.fullmatch(r"\w[\w.]*\.(json|npz|npy|bvh|safetensors)", word) else word
             for word in options]  # fmt: skip
    words = ["refine", str(folder / source), str(folder / target), "--device", "cpu", "--rounds", "2"]
    return main([*words, "--preset", "paper", "--weights", str(folder / weights), *names])


def body_error(found: BodyMotion, truth: BodyMotion) -> float:
    """Metres between joints, pelvises aligned."""
    joints, there = posed(found)[0], posed(truth)[0]
    return float(np.linalg.norm(joints - joints[:, :1] - there + there[:, :1], axis=-1).mean())


def figures(told: str) -> tuple[float, float]:
    found = re.search(r"([\d.]+) -> ([\d.]+) pixels from the keypoints", told)
    assert found
    return float(found[1]), float(found[2])


@pytest.mark.parametrize("ending", ["bvh", "npz"])
def test_a_clip_comes_nearer_to_its_keypoints(
    folder: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refine(folder, f"in.{ending}", f"out.{ending}", "--keypoints", "k.json") == 0
    told = capsys.readouterr()
    assert told.out.startswith(f"out.{ending}: {FRAMES} frames, ") and told.err == ""
    assert told.out.endswith("2.0 rounds, 100 network evaluations for each frame\n")
    before, after = figures(told.out)
    assert before > 15.0 and after < 0.4 * before
    found, given = (ClipFile(folder / f"{name}.{ending}").body for name in ("out", "in"))
    assert found.fps == FPS and len(found) == FRAMES
    away = np.linalg.norm(found.transl - SOMEONE.motion.transl, axis=1)
    assert away.mean() < 0.9 * np.linalg.norm(given.transl - SOMEONE.motion.transl, axis=1).mean()


def test_frames_that_nothing_guides_stay_bit_for_bit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Keypoints of fewer frames, with a gap, the first of which is numbered."""
    frames = json.loads(keypoint_file(folder / "k.json", SOMEONE.pixels[:8], hidden=(3,)).read_text())["frames"]
    entries = [entry | {"frame": 100 + t} for t, entry in enumerate(frames)]
    (folder / "k.json").write_text(json.dumps({"fps": FPS, "frames": entries, "camera": VIEW}))
    assert refine(folder, "in.bvh", "out.bvh", "--keypoints", "k.json", "--smooth", "0") == 0
    assert f"{FRAMES} frames (5 of them unseen)" in capsys.readouterr().out
    given, found = ((folder / name).read_text().splitlines() for name in ("in.bvh", "out.bvh"))
    assert given[:-FRAMES] == found[:-FRAMES]
    same = [a == b for a, b in zip(given[-FRAMES:], found[-FRAMES:], strict=True)]
    assert same == [t == 3 or t >= 8 for t in range(FRAMES)]
    # With smoothness all frames are guided.
    assert refine(folder, "in.bvh", "out.bvh", "--keypoints", "k.json") == 0
    found = (folder / "out.bvh").read_text().splitlines()
    assert not any(a == b for a, b in zip(given[-FRAMES:], found[-FRAMES:], strict=True))


def test_keypoints_are_taken_by_time(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At twice the clip's rate every second counts; what goes on beyond the clip is left out, which is told."""
    twice = np.repeat(SOMEONE.pixels, 2, axis=0)
    twice[1:-1:2] = 0.5 * (twice[1:-1:2] + twice[2::2])
    keypoint_file(folder / "k2.json", np.concatenate([twice, 0.0 * twice + 500.0]), fps=2.0 * FPS)
    assert refine(folder, "in.npz", "out.npz", "--keypoints", "k.json") == 0
    assert capsys.readouterr().err == ""
    usual = amass.read(folder / "out.npz").motion
    assert refine(folder, "in.npz", "out.npz", "--keypoints", "k2.json") == 0
    told = capsys.readouterr()
    assert told.err == "k2.json has frames before the clip or after it, which are left out.\n"
    np.testing.assert_allclose(amass.read(folder / "out.npz").motion.poses, usual.poses, atol=1e-6)


def test_keypoints_may_begin_later(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As if the frames before had shown nobody; files whose frames are numbered from elsewhere are told of."""
    late = 5
    keypoint_file(folder / "k.json", SOMEONE.pixels, hidden=tuple(range(late)))
    assert refine(folder, "in.npz", "out.npz", "--keypoints", "k.json") == 0
    expected = amass.read(folder / "out.npz").motion.poses
    frames = json.loads((folder / "k.json").read_text())["frames"][late:]
    numbered = [{"frame": late + n} | frame for n, frame in enumerate(frames)]
    (folder / "k.json").write_text(json.dumps({"fps": FPS, "frames": numbered, "camera": VIEW}))
    capsys.readouterr()
    assert refine(folder, "in.npz", "out.npz", "--keypoints", "k.json", "--start", str(late + 1)) == 0
    assert capsys.readouterr().err == ""
    np.testing.assert_allclose(amass.read(folder / "out.npz").motion.poses, expected, atol=1e-6)
    assert refine(folder, "in.npz", "out.npz", "--keypoints", "k.json") == 0
    assert f"begins with frame {late}, which is taken for the clip's first" in capsys.readouterr().err


def test_what_is_taken_for_granted_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{name: [*map(float, row[j]), 0.9, 2.0] for j, name in enumerate(NAMES)} for row in SOMEONE.pixels[:8]]
    people = [{"people": [{"id": "Ann"} | row, {"id": "Bob"} | row]} for row in rows]
    (folder / "k.json").write_text(json.dumps({"fps": FPS, "frames": people, "camera": VIEW}))
    assert refine(folder, "in.npz", "out.npz", "--keypoints", "k.json") == 0
    told = capsys.readouterr().err.splitlines()
    assert any(re.fullmatch(r"k\.json shows (Ann, Bob|Bob, Ann), and \w+ is taken; --person names another\.", line)
               for line in told)  # fmt: skip
    assert "k.json ends before the clip does; frames after it only go along." in told
    keypoint_file(folder / "k.json", SOMEONE.pixels + 3000.0)
    assert refine(folder, "in.npz", "out.npz", "--keypoints", "k.json") == 0
    assert "it may stand elsewhere than its camera sees" in capsys.readouterr().err


def test_what_the_file_holds_besides_stays(folder: Path) -> None:
    members = dict(np.load(folder / "in.npz"))
    members["poses"][:, 66:] = np.random.default_rng(0).normal(size=(FRAMES, 90))
    members["labels"] = np.array(["a", "b"])
    np.savez(folder / "in.npz", **members)
    assert refine(folder, "in.npz", "out.npz", "--keypoints", "k.json") == 0
    with np.load(folder / "out.npz") as found:
        np.testing.assert_array_equal(found["poses"][:, 66:], members["poses"][:, 66:])
        np.testing.assert_array_equal(found["labels"], members["labels"])
        assert (found["poses"][:, :66] != members["poses"][:, :66]).all(axis=0).any()


def test_a_clip_becomes_smooth_without_keypoints(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refine(folder, "in.bvh", "out.bvh", "--rounds", "3", "--smooth", "90") == 0
    assert capsys.readouterr().out == (
        f"out.bvh: {FRAMES} frames, 3.0 rounds, 150 network evaluations for each frame\n"
    )
    given, found = (posed(ClipFile(folder / name).body)[0] for name in ("in.bvh", "out.bvh"))
    shaking, left = (np.linalg.norm(acceleration(joints, FPS), axis=-1).mean() for joints in (given, found))
    assert left < 0.1 * shaking
    assert body_error(ClipFile(folder / "out.bvh").body, ClipFile(folder / "in.bvh").body) < 0.1


def test_views_agree_on_one_body(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The person from another side, whose clip is a rig's and whose camera nobody knows."""
    other = person(FRAMES, seed=2, aside=0.2, pitch=-0.25)
    turned = Rotation.from_rotvec([0.0, 1.1, 0.0])
    poses = other.motion.poses.copy()
    poses[:, 0] = (turned * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    second = start(replace(other.motion, poses=poses), seed=1)
    bvh.write(folder / "b.bvh", bvh.from_motion(body_rig(second)))
    options = ("--views", "b.bvh", "--smooth", "0", "--rounds", "4")
    assert refine(folder, "in.npz", "out.npz", *options) == 0
    assert re.search(r"[34]\.\d rounds, [34]\d\d network evaluations for each frame and view$", capsys.readouterr().out)
    first, found = (amass.read(folder / name).motion for name in ("in.npz", "out.npz"))
    np.testing.assert_array_equal(found.transl, first.transl)
    turns = Rotation.from_rotvec(first.poses[:, 0]).inv() * Rotation.from_rotvec(found.poses[:, 0])
    assert turns.magnitude().max() < 0.05, "the root is the first camera's"
    starts = [body_error(body, SOMEONE.motion) for body in (first, replace(second, poses=second.poses))]
    agreed = replace(found, poses=np.concatenate([SOMEONE.motion.poses[:, :1], found.poses[:, 1:]], axis=1))
    alone = replace(first, poses=np.concatenate([SOMEONE.motion.poses[:, :1], first.poses[:, 1:]], axis=1))
    assert body_error(agreed, SOMEONE.motion) < 0.85 * body_error(alone, SOMEONE.motion), starts


def stood(folder: Path, name: str, turn: Rotation, place: np.ndarray) -> Path:
    """A camera's file: `turn` and `place` are those of its axes, y up and looking along -z, in the world."""
    rotation = np.diag([1.0, -1.0, -1.0]) @ turn.as_matrix().T
    path = folder / name
    path.write_text(json.dumps(VIEW | {"rotation": rotation.tolist(), "translation": (-rotation @ place).tolist()}))
    return path


def test_several_cameras_tell_where_they_stand(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two of them tell depth, which one cannot."""
    names = []
    for name, yaw in (("front.json", 0.0), ("side.json", 1.4)):
        turn = Rotation.from_rotvec([0.0, yaw, 0.0])
        middle = SOMEONE.motion.transl.mean(axis=0)
        place = middle + turn.apply([0.0, 0.0, 4.0])
        stood(folder, name, turn, place)
        there = turn.inv().apply((SOMEONE.joints - place).reshape(-1, 3)).reshape(FRAMES, 17, 3)
        keypoint_file(folder / f"k_{name}", CAMERA.project(torch.from_numpy(there)).numpy())
        names.append(name)
    keypoints = ("--keypoints", *(f"k_{name}" for name in names))
    assert refine(folder, "in.npz", "out.npz", *keypoints, "--camera", *names) == 0
    before, after = figures(capsys.readouterr().out)
    assert after < 0.5 * before
    found = amass.read(folder / "out.npz").motion
    away = np.linalg.norm(found.transl - SOMEONE.motion.transl, axis=1)
    assert away.mean() < 0.06
    assert refine(folder, "in.npz", "out.npz", *keypoints) == 2
    assert "must tell where they stand" in capsys.readouterr().err
    assert refine(folder, "in.npz", "out.npz", *keypoints, "--camera", names[0]) == 2


def test_a_rig_may_face_anywhere(folder: Path) -> None:
    """A rig whose rest pose looks along +X is before the same camera as one that looks along +Z."""
    rig = body_rig(start(SOMEONE.motion))
    aside = Rotation.from_rotvec([0.0, np.pi / 2, 0.0])
    rest = rig.skeleton.rest.copy()
    rest[:, :3, 3] = aside.apply(rest[:, :3, 3])
    skeleton = replace(rig.skeleton, rest=rest, tails=aside.apply(rig.skeleton.tails))
    local = Rotation.from_quat(np.roll(rig.rotations.reshape(-1, 4), -1, axis=1))
    turns = (aside * local * aside.inv()).as_rotvec().reshape(FRAMES, 22, 3)
    root = Rotation.from_quat(np.roll(rig.rotations[:, 0], -1, axis=1))
    turns[:, 0] = (root * aside.inv()).as_rotvec()
    sideways = Motion(skeleton, continuous(rotvec_to_quat(turns)), rig.translations, rig.fps)
    bvh.write(folder / "aside.bvh", bvh.from_motion(sideways))
    for name in ("in", "aside"):
        assert refine(folder, f"{name}.bvh", f"out_{name}.bvh", "--keypoints", "k.json") == 0
    first, second = (
        bvh.read(folder / f"out_{name}.bvh").motion.translations[:, 0] for name in ("in", "aside")
    )
    np.testing.assert_allclose(first, second, atol=2e-3)


def test_the_shape_is_found_along(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a person much larger than the mean, whose pose and place are nearly known."""
    betas = np.zeros(10)
    betas[0] = 2.0
    body = replace(SOMEONE.motion, offsets=bundled(betas).offsets)
    joints = posed(body)[0]
    turns = torch.from_numpy(Rotation.from_rotvec(body.poses.reshape(-1, 3)).as_matrix()).unflatten(0, (FRAMES, 22))
    there = h36m_joints(turns, torch.tensor(body.offsets)) + torch.from_numpy(body.transl)[:, None]
    pixels = CAMERA.project(there).numpy()
    keypoint_file(folder / "k.json", pixels)
    amass.create(folder / "in.npz", replace(body, offsets=OFFSETS))
    errors = []
    for options in ((), ("--shape",)):
        assert refine(folder, "in.npz", "out.npz", "--keypoints", "k.json", "--rounds", "4", *options) == 0
        errors.append(figures(capsys.readouterr().out)[1])
        clip = amass.read(folder / "out.npz")
        found = bundled(clip.betas[:10]).joints(clip.motion.poses, clip.motion.transl).numpy()
        errors.append(float(np.linalg.norm(found - joints, axis=-1).mean()))
    # How large they are one camera can hardly tell from how far away they are.
    assert errors[2] < 0.8 * errors[0] and errors[3] < 0.8 * errors[1]
    assert clip.betas[0] > 0.4 and clip.betas.shape == (16,)
    # A clip that tells its shape needs none to be found.
    amass.create(folder / "in.npz", replace(body, offsets=OFFSETS), betas)
    assert refine(folder, "in.npz", "out.npz", "--keypoints", "k.json") == 0
    assert figures(capsys.readouterr().out)[0] < 0.1
    np.testing.assert_array_equal(amass.read(folder / "out.npz").betas, betas)


def test_features_of_pictures_guide_a_prior_that_was_trained_on_such(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_rotation_prior(folder / "f.safetensors", untrained(24), {})
    rng = np.random.default_rng(0)
    np.savez(folder / "f.npz", pose_feats=rng.normal(size=(FRAMES, 6, 4)))
    options = ("--keypoints", "k.json", "--features", "f.npz")
    assert refine(folder, "in.npz", "out.npz", *options, weights="f.safetensors") == 0
    other = amass.read(folder / "out.npz").motion.poses
    np.savez(folder / "f.npz", pose_feats=5.0 * rng.normal(size=(FRAMES, 6, 4)))
    assert refine(folder, "in.npz", "out.npz", *options, weights="f.safetensors") == 0
    assert not np.array_equal(other, amass.read(folder / "out.npz").motion.poses)
    np.save(folder / "g.npy", rng.normal(size=(FRAMES, 23)))
    np.save(folder / "h.npy", rng.normal(size=(FRAMES - 1, 24)))
    capsys.readouterr()
    for words, weights, said in (
        (("--features", "g.npy"), "f.safetensors", "trained on 24 features"),
        (("--features", "h.npy"), "f.safetensors", f"features of {FRAMES - 1} pictures"),
        ((), "f.safetensors", "trained on 24 features"),
        (("--features", "f.npz"), "w.safetensors", "sees keypoints"),
        (("--features", "f.npz", "f.npz"), "f.safetensors", "2 files of features"),
        (("--features", "gone.npz"), "f.safetensors", "gone.npz cannot be read"),
    ):
        assert refine(folder, "in.npz", "no.npz", *words, weights=weights) == 2
        assert said in capsys.readouterr().err and not (folder / "no.npz").exists()


TWO_BONES = """HIERARCHY
ROOT a
{
 OFFSET 0 0 0
 CHANNELS 3 Zrotation Xrotation Yrotation
 JOINT b
 {
  OFFSET 0 1 0
  CHANNELS 3 Zrotation Xrotation Yrotation
  End Site
  {
   OFFSET 0 1 0
  }
 }
}
MOTION
Frames: 2
Frame Time: 0.04
0 0 0 0 0 0
0 0 0 0 0 0
"""


@pytest.mark.parametrize(
    ("source", "target", "options", "word"),
    [
        ("gone.bvh", "out.bvh", (), "does not exist"),
        ("in.bvh", "out.npz", (), "must end in .bvh"),
        ("in.bvh", "in.bvh", (), "written over"),
        ("", "out.bvh", (), "is a folder"),
        ("in.bvh", "out.bvh", ("--shape",), "needs an AMASS"),
        ("two.bvh", "out.bvh", (), "no pair of legs"),
        ("nan.npz", "out.npz", (), "NaN"),
        ("in.bvh", "out.bvh", ("--smooth", "0"), "Nothing guides"),
        ("one.npz", "out.npz", (), "Nothing guides"),
        ("in.bvh", "out.bvh", ("--smooth", "nan"), "Weights"),
        ("in.bvh", "out.bvh", ("--smooth", "-1"), "Weights"),
        ("in.bvh", "out.bvh", ("--keypoints", "lost.json"), "does not exist"),
        ("in.bvh", "out.bvh", ("--keypoints", "empty.json"), "Nobody is seen"),
        ("in.bvh", "out.bvh", ("--keypoints", "late.json"), "shows nobody in the clip's"),
        ("in.bvh", "out.bvh", ("--keypoints", "k.json", "--person", "Bob"), "Bob"),
        ("in.bvh", "out.bvh", ("--keypoints", "bare.json"), "neither camera nor image size"),
        ("in.bvh", "out.bvh", ("--keypoints", "k.json", "--camera", "1,2"), "no camera"),
        ("in.bvh", "out.bvh", ("--keypoints", "k.json", "--camera", "9,1,1", "9,1,1"), "2 cameras"),
        ("in.bvh", "out.bvh", ("--camera", "9,1,1"), "tells nothing"),
        ("in.bvh", "out.bvh", ("--keypoints", "k.json", "k.json"), "must tell where they stand"),
        ("in.bvh", "out.bvh", ("--views", "in.npz", "--keypoints", "k.json"), "names 1 files"),
        ("in.bvh", "out.bvh", ("--views", "one.npz"), "has 1 frames"),
        ("in.bvh", "out.bvh", ("--views", "k.json"), "neither a .bvh nor an .npz"),
        ("behind.npz", "out.npz", ("--keypoints", "k.json"), "behind"),
        ("in.bvh", "out.bvh", ("--weights", "k.json"), "weights"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    folder: Path, source: str, target: str, options: tuple[str, ...], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "two.bvh").write_text(TWO_BONES)
    members = dict(np.load(folder / "in.npz"))
    np.savez(folder / "behind.npz", **(members | {"trans": -members["trans"]}))
    np.savez(folder / "one.npz", **(members | {"poses": members["poses"][:1], "trans": members["trans"][:1]}))
    members["poses"][3, 5] = np.nan
    np.savez(folder / "nan.npz", **members)
    keypoint_file(folder / "empty.json", SOMEONE.pixels, hidden=tuple(range(FRAMES)))
    late = np.concatenate([SOMEONE.pixels, SOMEONE.pixels])
    keypoint_file(folder / "late.json", late, hidden=tuple(range(FRAMES)))
    keypoint_file(folder / "bare.json", SOMEONE.pixels, camera=None)
    before = sorted(path.name for path in folder.iterdir())
    assert refine(folder, source, target, *options) == 2
    sentence = capsys.readouterr().err.strip().splitlines()[-1]
    assert word in sentence and sentence.endswith(".")
    assert sorted(path.name for path in folder.iterdir()) == before


def test_it_can_be_cancelled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a round, and nothing is written."""
    done: list[int] = []

    def stop(self: Progress, at: int, total: int, stage: str) -> None:
        done.append(at)
        if at >= total // 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "step", stop)
    assert refine(folder, "in.bvh", "out.bvh", "--keypoints", "k.json") == 130
    assert len(done) > 5 and done == sorted(done) and not (folder / "out.bvh").exists()
