# SPDX-License-Identifier: GPL-3.0-or-later
"""Features of pictures that a regression network wrote, and the SMPL poses in those pictures.

``.npz`` archives of plain arrays, as ScoreHMR's preprocessing caches them (``pose_feats`` (N, 128, 24) of PARE,
``img_feats`` (N, 2048) of ProHMR), or one ``.npy``; poses as SPIN's, EFT's and ProHMR's data sets hold them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from engine import physical_memory
from engine.errors import FileError
from engine.motion import files, npz
from engine.motion.joints import JOINTS

MOST_FEATURES = 8192
SMPL_JOINTS = 24
LARGEST = 1e4  # radians, of a component

FEATURES = (
    "features", "pose_feats", "img_feats", "pare_pose_feats", "prohmr_feats", "conditioning_feats", "image_features",
    "img_features", "feats",
)  # fmt: skip
"""Names of arrays of features, those that count first before the others."""
POSES = ("pose", "body_pose", "poses", "smpl_pose")
"""Names of arrays of poses: SPIN's and EFT's, ProHMR's, and others'."""
KNOWN = ("has_smpl", "has_body_pose")
"""Names of arrays that say for which pictures there is a pose."""

_ADVICE = "write it again"
_TO_OURS = Rotation.from_rotvec([np.pi, 0.0, 0.0])  # from OpenCV's axes of a camera: x to the right, y down, z ahead


def read_features(path: Path) -> np.ndarray:
    """Features (N, F) float32 of N pictures; further axes, as of PARE's (N, 128, 24), are laid out in a row.

    Raises:
        FileError: the file is missing, damaged, too large, or holds no finite features by a name of `FEATURES`.
    """
    if path.suffix.lower() == ".npy":
        content = files.read_bytes(path)
        physical_memory.check(path.name, npz.COPIES * len(content))
        members = {FEATURES[0]: content}
    else:
        members = npz.read(path, keys=FEATURES, advice=_ADVICE)
    key = next((name for name in FEATURES if name in members), None)
    if key is None:
        raise FileError(f"{path.name} holds no features; name the array features or pose_feats.")
    found = npz.array(path.name, members, key, "f", _ADVICE)
    if found.ndim < 2 or not found.size or found[0].size > MOST_FEATURES:
        raise FileError(
            f"{path.name} has features of the shape {found.shape}; they must be (N, F) of at least one picture, F at "
            f"most {MOST_FEATURES}."
        )
    with np.errstate(over="ignore"):
        features = found.reshape(len(found), -1).astype(np.float32)
    if not np.isfinite(features).all():
        row = int(np.argmin(np.isfinite(features).all(axis=1)))
        raise FileError(f"{path.name} holds features that are no finite numbers (first of picture {row}); correct it.")
    return features


def read_image_poses(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """SMPL poses in pictures, and of which pictures there are any.

    The file's are axis-angle in radians, (N, 72) or (N, 24, 3), the root's orientation in OpenCV's axes of the camera
    (y down, z ahead), which is turned into ours (Y up, looking along -Z). The hands are left out.

    Returns:
        Poses (N, 22, 3) float64 with angles at most pi, and (N,) bool.

    Raises:
        FileError: the file is missing, damaged, too large, or holds no such poses by a name of `POSES`.
    """
    members = npz.read(path, keys=(*POSES, *KNOWN), advice=_ADVICE)
    key = next((name for name in POSES if name in members), None)
    if key is None:
        raise FileError(f"{path.name} holds no SMPL poses; name their array pose.")
    found = npz.array(path.name, members, key, "f", _ADVICE)
    if found.shape[1:] not in ((3 * SMPL_JOINTS,), (SMPL_JOINTS, 3)) or not len(found):
        raise FileError(
            f"{path.name} has poses of the shape {found.shape}; they must be (N, {3 * SMPL_JOINTS}), rotation vectors "
            f"of {SMPL_JOINTS} joints."
        )
    known = np.ones(len(found), bool)
    for name in KNOWN:
        if name in members:
            told = npz.array(path.name, members, name, "fiub", _ADVICE)
            if told.size != len(found):
                raise FileError(f"{path.name} has {len(found)} poses and {told.size} of {name}; {_ADVICE}.")
            known &= told.reshape(-1) > 0
    flat = found.reshape(-1, SMPL_JOINTS, 3)[:, : len(JOINTS)].astype(np.float64)
    flat = np.where(known[:, None, None], flat, 0.0)
    if not np.abs(flat).max() <= LARGEST:
        raise FileError(f"{path.name} holds a rotation that is none; correct it.")
    poses = Rotation.from_rotvec(flat.reshape(-1, 3)).as_rotvec().reshape(flat.shape)
    poses[:, 0] = (_TO_OURS * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    return poses, known
