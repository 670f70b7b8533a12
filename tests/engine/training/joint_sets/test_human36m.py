# SPDX-License-Identifier: GPL-3.0-or-later
"""Human3.6M in the files of VideoPose3D, made here: the truth is projected by code of this file's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joint_set_files import CAMERAS, PLACES_OF_32, boxed, camera_numbers, takes, turns, xml_of_cameras

from engine.errors import FileError
from engine.motion.h36m import JOINTS
from engine.training.joint_sets import human36m
from engine.training.joint_sets.recording import joined

SYMMETRY = [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]
HOURGLASS_SYMMETRY = [[3, 4, 5, 13, 14, 15], [0, 1, 2, 10, 11, 12]]
TAKES = {"S1": ("Walking 1", "TakingPhoto"), "S9": ("Directions 1",), "S11": ("Directions", "Directions 1")}
PLACES, LENSES = camera_numbers(0)


def in_camera(room: np.ndarray, subject: str, camera: int) -> np.ndarray:
    """(T, J, 3) with Y down and Z forward."""
    place = PLACES[camera, int(subject[1:]) - 1]
    return (room - place[3:] / 1000.0) @ turns(place[:3]).T


def in_image(seen: np.ndarray, camera: int) -> np.ndarray:
    fx, fy, u, v, k1, k2, k3, p1, p2 = LENSES[camera]
    x, y = seen[..., 0] / seen[..., 2], seen[..., 1] / seen[..., 2]
    r2 = x**2 + y**2
    bend = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3 + p1 * y + p2 * x
    return np.stack([fx * (x * bend + p2 * r2) + u, fy * (y * bend + p1 * r2) + v], axis=-1)


def kept(room: np.ndarray) -> np.ndarray:
    return room[:, [PLACES_OF_32[joint] for joint in JOINTS]]


@pytest.fixture
def room() -> dict[str, dict[str, np.ndarray]]:
    return takes(TAKES)


@pytest.fixture
def joints(tmp_path: Path, room: dict[str, dict[str, np.ndarray]]) -> Path:
    return boxed(tmp_path / "data_3d_h36m.npz", positions_3d=room)


@pytest.fixture
def cameras(tmp_path: Path) -> Path:
    return xml_of_cameras(tmp_path / "metadata.xml", PLACES, LENSES)


def keypoints(room: dict[str, dict[str, np.ndarray]], longer: int = 0) -> dict[str, dict[str, list[np.ndarray]]]:
    """What a perfect detector would find, on videos of some more frames."""

    def one(subject: str, points: np.ndarray, camera: int) -> np.ndarray:
        image = in_image(in_camera(kept(points), subject, camera), camera)
        return np.concatenate([image, np.zeros((longer, *image.shape[1:]))]).astype(np.float32)

    return {
        subject: {take: [one(subject, points, n) for n in range(4)] for take, points in of.items()}
        for subject, of in room.items()
    }


def test_takes_by_camera_in_the_projects_axes(
    tmp_path: Path, room: dict[str, dict[str, np.ndarray]], joints: Path, cameras: Path
) -> None:
    metadata = {"layout_name": "h36m", "num_joints": 17, "keypoints_symmetry": SYMMETRY}
    pixels = boxed(tmp_path / "data_2d_h36m_gt.npz", positions_2d=keypoints(room, 3), metadata=metadata)
    found = list(human36m.read(joints, cameras, pixels, ("S1", "S9", "S11")))
    names = [(one.subject, one.take, one.action, one.camera) for one in found]
    assert names == [
        (subject, take, action, camera)
        for subject, take, action in (
            ("S1", "Walking 1", "Walking"), ("S1", "TakingPhoto", "Photo"), ("S9", "Directions 1", "Directions"),
            ("S11", "Directions 1", "Directions"),
        )
        for camera in CAMERAS
    ]  # fmt: skip
    for one in found:
        number = CAMERAS.index(one.camera)
        seen = in_camera(kept(room[one.subject][one.take]), one.subject, number)
        np.testing.assert_allclose(one.joints, seen * [1, -1, -1], atol=1e-5)
        np.testing.assert_allclose(one.pixels, in_image(seen, number), atol=1e-2)
        assert one.joints.dtype == one.pixels.dtype == np.float32
        assert (one.confidence == 1).all() and one.valid.all() and one.fps == 50.0
        assert one.size == one.lens.size == ((1000, 1002) if number in (0, 3) else (1000, 1000))
        np.testing.assert_allclose(one.lens.project(one.joints), one.pixels, atol=1e-2)
        assert one.joints[..., 2].max() < -2.0  # in front


def test_without_keypoints_they_are_the_true_ones(
    room: dict[str, dict[str, np.ndarray]], joints: Path, cameras: Path
) -> None:
    for one in human36m.read(joints, cameras, None, ("S9",)):
        number = CAMERAS.index(one.camera)
        expected = in_image(in_camera(kept(room["S9"]["Directions 1"]), "S9", number), number)
        np.testing.assert_allclose(one.pixels, expected, atol=1e-3)


def test_the_hourglass_finds_no_nose(
    tmp_path: Path, room: dict[str, dict[str, np.ndarray]], joints: Path, cameras: Path
) -> None:
    order = [
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "spine", "thorax",
        "head_top", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
    ]  # fmt: skip
    columns = [JOINTS.index(joint) for joint in order]
    full = keypoints(room)
    cut = {s: {t: [view[:, columns] for view in views] for t, views in of.items()} for s, of in full.items()}
    metadata = {"num_joints": 16, "keypoints_symmetry": HOURGLASS_SYMMETRY}
    nose = JOINTS.index("nose")
    for told in ({"metadata": metadata}, {}):
        pixels = boxed(tmp_path / "data_2d_h36m_sh_ft_h36m.npz", positions_2d=cut, **told)
        for one in human36m.read(joints, cameras, pixels, ("S1",)):
            expected = np.delete(full["S1"][one.take][CAMERAS.index(one.camera)], nose, axis=1)
            np.testing.assert_array_equal(np.delete(one.pixels, nose, axis=1), expected)
            assert (one.confidence[:, nose] == 0).all() and (one.pixels[:, nose] == 0).all()
            assert (np.delete(one.confidence, nose, axis=1) == 1).all()


def test_a_third_column_is_the_confidence(
    tmp_path: Path, room: dict[str, dict[str, np.ndarray]], joints: Path, cameras: Path
) -> None:
    rng = np.random.default_rng(1)
    sure = {
        take: [np.append(view, rng.random((*view.shape[:2], 1)), axis=2) for view in views]
        for take, views in keypoints(room)["S1"].items()
    }
    pixels = boxed(tmp_path / "data_2d_h36m_hr.npz", positions_2d={"S1": sure})
    for one in human36m.read(joints, cameras, pixels, ("S1",)):
        view = sure[one.take][CAMERAS.index(one.camera)]
        np.testing.assert_allclose(one.confidence, view[..., 2], rtol=1e-6)


def test_recordings_in_a_row_share_one_memory(joints: Path, cameras: Path) -> None:
    apart = list(human36m.read(joints, cameras, None, ("S1",)))
    together = joined(iter(apart), every=2)
    assert together.starts.tolist() == list(range(0, 3 * 8 + 1, 3))
    for one, row in zip(apart, together.recordings, strict=True):
        np.testing.assert_array_equal(row.joints, one.joints[::2])
        np.testing.assert_array_equal(row.pixels, one.pixels[::2])
        assert row.joints.base is together.joints and row.fps == 25.0
    with pytest.raises(ValueError, match="at least one"):
        joined([])


def first(found: Any) -> Any:
    return next(iter(found))


def damaged(room: dict[str, dict[str, np.ndarray]], kind: str) -> Any:
    walk = room["S1"]["Walking 1"].copy()
    if kind == "nan":
        walk[0, 3, 1] = np.nan
    elif kind == "millimetres":
        walk *= 1000.0
    elif kind == "joints":
        walk = walk[:, :20]
    elif kind == "empty":
        walk = walk[:0]
    elif kind == "list":
        return {"S1": {"Walking 1": walk.tolist()}}
    elif kind == "flat":
        return {"S1": walk}
    return {"S1": {"Walking 1": walk}}


@pytest.mark.parametrize("kind", ["nan", "millimetres", "joints", "empty", "list", "flat"])
def test_damaged_joints_are_refused(
    tmp_path: Path, room: dict[str, dict[str, np.ndarray]], cameras: Path, kind: str
) -> None:
    path = boxed(tmp_path / "data_3d_h36m.npz", positions_3d=damaged(room, kind))
    with pytest.raises(FileError, match=r"^data_3d_h36m\.npz[^;]*; [^;]*\.$"):
        first(human36m.read(path, cameras, None, ("S1",)))


def test_what_is_missing_is_named(
    tmp_path: Path, room: dict[str, dict[str, np.ndarray]], joints: Path, cameras: Path
) -> None:
    with pytest.raises(FileError, match="does not have S5, but S1, S9, S11;"):
        first(human36m.read(joints, cameras))
    views = keypoints(room)["S1"]
    for keys, says in (
        ({"positions_2d": {"S9": views}}, "does not have S1, but S9"),
        ({"positions_2d": {"S1": {}}}, "does not have S1 Walking 1 by 4 cameras"),
        ({"positions_2d": {"S1": {"Walking 1": views["Walking 1"][:3]}}}, "by 4 cameras"),
        ({"positions_2d": {"S1": {"Walking 1": [v[:-1] for v in views["Walking 1"]]}}}, "fewer frames"),
        ({"positions_2d": {"S1": {"Walking 1": [v[:, :9] for v in views["Walking 1"]]}}}, "keypoints of Human3.6M"),
        (
            {"positions_2d": {"S1": views}, "metadata": {"keypoints_symmetry": [[1, 3, 5], [2, 4, 6]]}},
            "other joints than Human3.6M's",
        ),
        ({"positions_2d": {"S1": views}, "metadata": {"num_joints": 17}}, "other joints"),
    ):
        pixels = boxed(tmp_path / "data_2d_h36m_gt.npz", **keys)
        with pytest.raises(FileError, match=says):
            first(human36m.read(joints, cameras, pixels, ("S1",)))


def test_the_parts_are_those_of_the_papers() -> None:
    assert human36m.TRAINING == ("S1", "S5", "S6", "S7", "S8") and human36m.TEST == ("S9", "S11")
    assert tuple(PLACES_OF_32[joint] for joint in JOINTS) == human36m.KEPT
    assert len(human36m.ACTIONS) == 15
    for take, action in (("WalkingDog", "WalkDog"), ("Sitting 2", "Sitting"), ("SittingDown", "SittingDown")):
        assert human36m.action_of(take) == action in human36m.ACTIONS
    assert human36m.action_of("TakingPhoto-1") == "Photo"
