# SPDX-License-Identifier: GPL-3.0-or-later
"""Features of pictures and the poses in them, in the files that regression networks' authors write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.errors import FileError
from engine.motion.features import MOST_FEATURES, read_features, read_image_poses


def saved(folder: Path, **arrays: Any) -> Path:
    path = folder / "some.npz"
    np.savez(path, **arrays)
    return path


def test_features_of_pare_and_of_prohmr(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pare = rng.normal(size=(5, 128, 24)).astype("f4")
    path = saved(tmp_path, pose_feats=pare, cam_shape_feats=rng.normal(size=(5, 64, 24)), pred_pose=np.ones(3))
    np.testing.assert_array_equal(read_features(path), pare.reshape(5, 3072))
    prohmr = rng.normal(size=(4, 2048)).astype("f2")
    found = read_features(saved(tmp_path, img_feats=prohmr))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, prohmr.astype("f4"))
    plain = rng.normal(size=(3, 7))
    np.save(tmp_path / "plain.npy", plain)
    np.testing.assert_allclose(read_features(tmp_path / "plain.npy"), plain, rtol=1e-6)
    # NumPy writes what is transposed in Fortran's order.
    np.save(tmp_path / "turned.npy", np.asfortranarray(plain))
    np.testing.assert_allclose(read_features(tmp_path / "turned.npy"), plain, rtol=1e-6)


def test_a_person_who_stands_before_opencv_s_camera_stands_before_ours(tmp_path: Path) -> None:
    """SPIN's people who stand upright and face the camera are turned by half a turn about x."""
    poses = np.zeros((3, 72))
    poses[:, 0] = np.pi
    poses[1, :3] = (Rotation.from_rotvec([np.pi, 0, 0]) * Rotation.from_rotvec([0, 0.5, 0])).as_rotvec()
    poses[2, 3 * 18 : 3 * 19] = (0.1, -0.7, 0.2)
    poses[:, -6:] = 0.3  # hands
    for array in (poses, poses.reshape(3, 24, 3).astype("f4")):
        found, known = read_image_poses(saved(tmp_path, pose=array))
        assert found.shape == (3, 22, 3) and known.all()
        np.testing.assert_allclose(found[0], 0.0, atol=1e-6)
        # To its own left is to the right in the picture.
        np.testing.assert_allclose(found[1, 0], (0.0, 0.5, 0.0), atol=1e-6)
        np.testing.assert_allclose(found[2, 18], (0.1, -0.7, 0.2), atol=1e-6)


def test_pictures_without_a_pose_are_told_apart(tmp_path: Path) -> None:
    poses = np.random.default_rng(0).normal(size=(4, 72))
    poses[2] = np.nan
    found, known = read_image_poses(saved(tmp_path, body_pose=poses, has_body_pose=np.array([1.0, 1.0, 0.0, 1.0])))
    assert known.tolist() == [True, True, False, True] and np.isfinite(found).all()
    spin = np.array([[True], [False], [False], [True]])
    assert read_image_poses(saved(tmp_path, pose=poses, has_smpl=spin))[1].tolist() == [True, False, False, True]
    with pytest.raises(FileError, match="rotation that is none"):
        read_image_poses(saved(tmp_path, pose=poses))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"other": np.zeros((2, 3))}, "holds no features"),
        ({"features": np.zeros(3)}, "shape"),
        ({"features": np.zeros((0, 3))}, "shape"),
        ({"features": np.zeros((1, MOST_FEATURES + 1))}, "shape"),
        ({"features": np.zeros((2, 3), int)}, "damaged"),
        ({"features": np.array([[1.0], [np.nan]])}, "picture 1"),
        ({"features": np.array([[1e300, 2.0]])}, "finite"),
        ({"features": np.array([{}])}, "pickled"),
    ],
)
def test_what_is_no_file_of_features(tmp_path: Path, arrays: dict, words: str) -> None:
    with pytest.raises(FileError, match=words):
        read_features(saved(tmp_path, **arrays))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"features": np.zeros((2, 72))}, "no SMPL poses"),
        ({"pose": np.zeros((2, 66))}, "shape"),
        ({"pose": np.zeros((0, 72))}, "shape"),
        ({"pose": np.zeros((2, 72)), "has_smpl": np.ones(3)}, "3 of has_smpl"),
        ({"pose": np.full((2, 72), 1e9)}, "rotation that is none"),
    ],
)
def test_what_is_no_file_of_poses(tmp_path: Path, arrays: dict, words: str) -> None:
    with pytest.raises(FileError, match=words):
        read_image_poses(saved(tmp_path, **arrays))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        read_features(tmp_path / "gone.npz")
    for name in ("text.npz", "text.npy"):
        (tmp_path / name).write_text("features")
        with pytest.raises(FileError, match=name):
            read_features(tmp_path / name)
