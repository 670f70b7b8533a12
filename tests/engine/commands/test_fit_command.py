# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine fit`` from file to file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from heatmap_files import rendered
from scipy.spatial.transform import Rotation

from engine.body import bundled, pose_joints
from engine.cli import main
from engine.evaluation.cameras import look
from engine.motion import amass, bvh
from engine.motion.joints import JOINTS, PARENTS
from engine.motion.keypoints import MARKS
from engine.motion.keypoints.layouts import H36M_17
from engine.motion.motion import BodyMotion, Motion
from engine.motion.rigs import find_map
from engine.motion.tpose import OFFSETS
from engine.priors.weights import load_pose_prior


@pytest.fixture(scope="module")
def poses() -> np.ndarray:
    prior = load_pose_prior()
    event = 0.5 * torch.randn(2, 63, generator=torch.Generator().manual_seed(1))
    return prior.denormalise(event).double().numpy()


def forward_kinematics_of(poses: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """World rotations (T, 22, 3, 3) and joints (T, 22, 3) by SciPy, the pelvis at the origin."""
    turns = [Rotation.from_rotvec(poses[:, 0])]
    joints = [np.zeros((len(poses), 3))]
    for j in range(1, 22):
        parent = PARENTS[j]
        joints.append(joints[parent] + turns[parent].apply(bundled().offsets[j]))
        turns.append(turns[parent] * Rotation.from_rotvec(poses[:, j]))
    return np.stack([t.as_matrix() for t in turns], axis=1), np.stack(joints, axis=1)


def test_keypoints_become_an_amass_clip(tmp_path: Path, poses: np.ndarray) -> None:
    views = look(poses, 0, occluded=False)
    frames = [
        {m: [*p, c] for m, p, c in zip(MARKS, pixels.tolist(), confidence.tolist(), strict=True) if c > 0}
        for pixels, confidence in zip(views.pixels, views.confidence, strict=True)
    ]
    source, target = tmp_path / "in.json", tmp_path / "out.npz"
    source.write_text(json.dumps({"frames": [*frames, {}]}))  # nobody is seen in the last frame
    assert main(["fit", str(source), str(target), "--camera", "1000,500,500", "--fps", "25"]) == 0
    clip = amass.read(target)
    assert clip.motion.fps == 25
    assert clip.motion.poses.shape == (3, 22, 3)
    np.testing.assert_array_equal(clip.motion.poses[2], clip.motion.poses[1])


def test_heatmaps_become_an_amass_clip(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], poses: np.ndarray
) -> None:
    views = look(poses, 0, occluded=False)
    maps = np.zeros((2, len(H36M_17), 50, 50))
    for place, point in enumerate(H36M_17):
        if point in MARKS:
            mark = MARKS.index(point)
            seen = views.confidence[:, mark, None, None] > 0
            maps[:, place] = rendered(views.pixels[:, mark] / 20.0, 50, 50) * seen
    source, target = tmp_path / "in.npz", tmp_path / "out.npz"
    np.savez_compressed(source, heatmaps=maps, size=(1000, 1000))
    assert main(["fit", str(source), str(target), "--camera", "1000,500,500"]) == 0
    error = float(capsys.readouterr().out.split(" pixels")[0].rpartition(" ")[2])
    assert error < 15.0 and amass.read(target).motion.poses.shape == (2, 22, 3)


def test_a_person_of_a_table_by_the_camera_of_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], poses: np.ndarray
) -> None:
    """The same poses as from JSON, though others are seen, pixels are no squares, and the camera was larger."""
    views = look(poses[:1], 0, occluded=False)
    pixels, confidence = views.pixels[0], views.confidence[0]
    named = {m: [*p, c] for m, p, c in zip(MARKS, pixels.tolist(), confidence.tolist(), strict=True) if c > 0}
    plain = tmp_path / "in.json"
    plain.write_text(json.dumps({"fps": 50, "camera": {"focal": 1000, "centre": [500, 500]}, "frames": [named]}))
    rows = [f"0,b,{m},{u},{500 + 0.8 * (v - 500)},{c}" for m, (u, v, c) in named.items()]
    table, camera = tmp_path / "in.csv", tmp_path / "camera.json"
    table.write_text("\n".join(["frame,person,joint,x,y,confidence", "0,a,neck,30,40,1", *rows]))
    matrix = {"K": [[2000, 0, 1000], [0, 1600, 1000], [0, 0, 1]], "dist_coeffs": [0.01, 0]}
    camera.write_text(json.dumps(matrix | {"image_size": [2000, 2000]}))
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    assert main(["fit", str(plain), str(first)]) == 0
    assert "distortion" not in capsys.readouterr().err
    options = ["--camera", str(camera), "--person", "b", "--size", "1000,1000", "--fps", "50"]
    assert main(["fit", str(table), str(second), *options]) == 0
    assert "distortion is not modelled" in capsys.readouterr().err
    one, other = amass.read(first).motion, amass.read(second).motion
    assert one.fps == other.fps == 50
    np.testing.assert_allclose(one.poses, other.poses, atol=1e-3)
    np.testing.assert_allclose(one.transl, other.transl, atol=1e-3)


def test_joints_become_an_amass_clip(tmp_path: Path, poses: np.ndarray) -> None:
    joints = pose_joints(torch.from_numpy(poses)).numpy()
    source, target = tmp_path / "in.npz", tmp_path / "out.npz"
    np.savez(source, joints=joints)
    assert main(["fit", str(source), str(target)]) == 0
    motion = amass.read(target).motion
    found = bundled().joints(motion.poses, motion.transl).numpy()
    away = (found - found[:, :1]) - (joints - joints[:, :1])
    assert np.linalg.norm(away, axis=-1).mean() < 0.03


def test_markers_become_an_amass_clip(tmp_path: Path, poses: np.ndarray) -> None:
    """Two markers to a joint of the bundled body, at places in its axes, of which one is not seen."""
    full = torch.from_numpy(np.concatenate([np.zeros((2, 1, 3)), poses], axis=1))
    names, places = [*JOINTS, *JOINTS], np.repeat([[0.05, 0.0, 0.0], [0.0, 0.04, 0.05]], 22, axis=0)
    turns, joints = forward_kinematics_of(full)
    which = [JOINTS.index(name) for name in names]
    points = joints[:, which] + np.einsum("tpij,pj->tpi", turns[:, which], places)
    points[0, 5] = np.nan
    source, target = tmp_path / "in.npz", tmp_path / "out.npz"
    np.savez(source, points=points, joint_names=np.array(names), places=places)
    assert main(["fit", str(source), str(target)]) == 0
    motion = amass.read(target).motion
    found = bundled().joints(motion.poses, motion.transl).numpy()
    assert np.linalg.norm(found - joints, axis=-1).mean() < 0.015


@pytest.mark.parametrize(
    ("arrays", "word"),
    [
        ({"other": np.zeros(3)}, "neither"),
        ({"joints": np.zeros((2, 20, 3))}, "shape"),
        ({"points": np.zeros((2, 1, 3)), "joint_names": np.array(["tail"])}, "tail"),
        ({"points": np.zeros((2, 1, 3)), "joint_names": np.array(["head"]), "places": np.zeros(3)}, "places"),
    ],
)
def test_points_of_another_form_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arrays: dict[str, np.ndarray], word: str
) -> None:
    np.savez(tmp_path / "in.npz", **arrays)
    assert main(["fit", str(tmp_path / "in.npz"), str(tmp_path / "out.npz")]) == 2
    assert word in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()


def test_targets_pose_the_first_frame(tmp_path: Path) -> None:
    source, target, wanted = tmp_path / "in.npz", tmp_path / "out.npz", tmp_path / "targets.json"
    amass.create(source, BodyMotion(np.zeros((2, 22, 3)), np.zeros((2, 3)), 30.0, OFFSETS))
    place = [0.3, 0.5, 0.3]
    wanted.write_text(json.dumps({"left_wrist": place}))
    assert main(["fit", str(source), str(target), "--targets", str(wanted)]) == 0
    motion = amass.read(target).motion
    assert len(motion) == 1
    joints = bundled().joints(motion.poses, motion.transl).numpy()
    np.testing.assert_allclose(joints[0, 20], place, atol=1e-3)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ({"left_wrist": [1e300, 0, 0]}, "metres"),
        ({"left_wrist": {"position": [0.3, 0.4, 0.3], "rotation": [1e300, 0, 0]}}, "radians"),
    ],
)
def test_targets_beyond_reason_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: dict, word: str
) -> None:
    source, wanted = tmp_path / "in.npz", tmp_path / "targets.json"
    amass.create(source, BodyMotion(np.zeros((1, 22, 3)), np.zeros((1, 3)), 30.0, OFFSETS))
    wanted.write_text(json.dumps(content))
    assert main(["fit", str(source), str(tmp_path / "out.npz"), "--targets", str(wanted)]) == 2
    assert word in capsys.readouterr().err


def test_targets_lead_a_clip(tmp_path: Path) -> None:
    source, target, wanted = tmp_path / "in.npz", tmp_path / "out.npz", tmp_path / "targets.npz"
    amass.create(source, BodyMotion(np.zeros((12, 22, 3)), np.zeros((12, 3)), 30.0, OFFSETS))
    places = np.full((12, 2, 3), np.nan)
    places[:, 0] = [0.4, 0.5, 0.2] + 0.01 * np.arange(12)[:, None]
    np.savez(wanted, joint_names=np.array(["left_wrist", "head"]), places=places)
    assert main(["fit", str(source), str(target), "--targets", str(wanted)]) == 0
    motion = amass.read(target).motion
    joints = bundled().joints(motion.poses, motion.transl).numpy()
    np.testing.assert_allclose(joints[:, 20], places[:, 0], atol=1e-3)
    assert not motion.poses[:, [1, 2, 4, 5, 7, 8, 17, 19]].any()


@pytest.mark.parametrize(
    ("members", "word"),
    [
        ({"places": np.zeros((12, 1, 3))}, "joint_names"),
        ({"joint_names": np.array(["head"]), "places": np.zeros((12, 3))}, "shape"),
        ({"joint_names": np.array(["head"]), "places": np.zeros((5, 1, 3))}, "12 frames"),
        ({"joint_names": np.array(["tail"]), "places": np.zeros((12, 1, 3))}, "tail"),
    ],
)
def test_targets_that_do_not_fit_the_clip_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], members: dict[str, np.ndarray], word: str
) -> None:
    source, wanted = tmp_path / "in.npz", tmp_path / "targets.npz"
    amass.create(source, BodyMotion(np.zeros((12, 22, 3)), np.zeros((12, 3)), 30.0, OFFSETS))
    np.savez(wanted, **members)
    assert main(["fit", str(source), str(tmp_path / "out.npz"), "--targets", str(wanted)]) == 2
    assert word in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()


def test_targets_lead_a_rig(tmp_path: Path, shared_data: Path) -> None:
    source, target, wanted = shared_data / "bvh_test" / "cmu_05_10.bvh", tmp_path / "out.bvh", tmp_path / "t.npz"
    motion = bvh.read(source).motion
    bone = find_map(motion.skeleton).bones["left_wrist"]
    places = np.full((len(motion), 1, 3), np.nan)
    places[30:60] = world(motion, bone)[30:60, None] + np.array([0.0, 1.0, 0.0])
    np.savez(wanted, joint_names=np.array(["left_wrist"]), places=places)
    assert main(["fit", str(source), str(target), "--targets", str(wanted)]) == 0
    after = bvh.read(target).motion
    off = np.linalg.norm(world(after, bone)[30:60] - places[30:60, 0], axis=-1)
    assert after.skeleton.scale * np.quantile(off, 0.9) < 2e-3


def world(motion: Motion, bone: str) -> np.ndarray:
    """(T, 3) where a bone of a BVH file begins: rest rotations are none, translations go with the offsets."""
    chain, j = [], motion.skeleton.index(bone)
    while j >= 0:
        chain.append(j)
        j = motion.skeleton.parents[j]
    turn, place = Rotation.identity(len(motion)), np.zeros((len(motion), 3))
    for j in reversed(chain):
        parent = motion.skeleton.parents[j]
        above = motion.skeleton.rest[parent, :3, 3] if parent >= 0 else 0.0
        place = place + turn.apply(motion.translations[:, j] + motion.skeleton.rest[j, :3, 3] - above)
        turn = turn * Rotation.from_quat(motion.rotations[:, j], scalar_first=True)
    return place


def test_less_noise_follows_exact_joints_more_closely(tmp_path: Path, poses: np.ndarray) -> None:
    joints = pose_joints(torch.from_numpy(poses)).numpy()
    np.savez(tmp_path / "in.npz", joints=joints)
    errors = []
    for noise in ("10", "1"):
        target = tmp_path / f"out_{noise}.npz"
        assert main(["fit", str(tmp_path / "in.npz"), str(target), "--noise", noise]) == 0
        clip = amass.read(target)
        found = bundled(clip.betas[:10]).joints(clip.motion.poses, clip.motion.transl).numpy()
        errors.append(np.linalg.norm(found - found[:, :1] - joints, axis=-1).mean())
    assert errors[1] < 0.5 * errors[0]
    assert errors[1] < 3e-3


def test_joints_in_millimetres_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], poses: np.ndarray
) -> None:
    np.savez(tmp_path / "in.npz", joints=1000.0 * pose_joints(torch.from_numpy(poses)).numpy())
    assert main(["fit", str(tmp_path / "in.npz"), str(tmp_path / "out.npz")]) == 2
    assert "metres" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ([], "--camera"),
        (["--camera", "a,b"], "no camera"),
        (["--camera=-5,1,1"], "positive"),
        (["--camera", "1000,500,500", "--fps", "0"], "frame rate"),
        (["--camera", "1000,500,500", "--person", "7"], "choose one of 1"),
        (["--camera", "1000,500,500", "--size", "3"], "no size"),
        (["--camera", "gone.json"], "no such file"),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], word: str
) -> None:
    source = tmp_path / "in.json"
    source.write_text(json.dumps({"neck": [1, 2], "pelvis": [1, 3], "left_hip": [2, 3], "right_hip": [0, 3]}))
    assert main(["fit", str(source), str(tmp_path / "out.npz"), *options]) == 2
    assert word in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()
