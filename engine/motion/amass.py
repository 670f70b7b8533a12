# SPDX-License-Identifier: GPL-3.0-or-later
"""AMASS clips (Mahmood et al., ICCV 2019): ``.npz`` files of SMPL, SMPL-H and SMPL-X parameters, Z up."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from engine.errors import FileError, MotionError
from engine.motion import files, npz
from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion
from engine.motion.tpose import OFFSETS

LARGEST = 1e4  # radians, of a component
FARTHEST = 1e6  # metres
MOST_BETAS = 1000  # SMPL-X has 400 with expressions
BODY = 3 * len(JOINTS)
SMPLH = 3 * 52  # body and hands

_RATES = ("mocap_framerate", "mocap_frame_rate", "framerate", "fps")
_TO_Y_UP = Rotation.from_rotvec([-np.pi / 2, 0.0, 0.0])


@dataclass(frozen=True)
class AmassClip:
    """An AMASS file in memory.

    Attributes:
        motion: the animation, Y up. `transl` is the file's translation turned to Y up; the pelvis joint stands at a
            constant distance from it that depends on the body's shape.
        members: every array of the file as the bytes of its ``.npy``; those that are not read are never decoded.
        gender: the file's gender, or "neutral".
        betas: (B,) shape coefficients, or empty.
    """

    motion: BodyMotion
    members: Mapping[str, bytes] = field(repr=False)
    gender: str
    betas: np.ndarray


def read(path: str | Path) -> AmassClip:
    """Read an AMASS ``.npz``: `poses` (T, 66 or more), or SMPL-X's `root_orient` and `pose_body`; and `trans`.

    Raises:
        FileError: the file is missing, damaged, larger than `files.MAX_BYTES` unpacked, or lacks poses, translation
            or frame rate. Pickled arrays are never loaded.
        MotionError: no frames, NaN or infinite values.
    """
    path = Path(path)
    members = npz.read(path)
    poses, trans = _body(path.name, members), npz.array(path.name, members, "trans")
    if trans.shape != (len(poses), 3):
        raise FileError(f"{path.name} has poses and translations of different numbers of frames; it is damaged.")
    rate = next((key for key in _RATES if key in members), None)
    if rate is None:
        raise FileError(f"{path.name} does not tell its frame rate (mocap_framerate); add it to the file.")
    fps = npz.array(path.name, members, rate)
    if fps.size != 1:
        raise FileError(f"{path.name} has a frame rate ({rate}) that is not one number; correct it in the file.")
    if np.abs(trans, dtype=np.float64).max(initial=0.0) > FARTHEST:  # NaN is for the motion to refuse
        raise MotionError(f"{path.name} goes more than {FARTHEST:g} m away; it is damaged.")
    betas = npz.array(path.name, members, "betas") if "betas" in members else np.zeros(0)
    if betas.size > MOST_BETAS or not np.isfinite(betas).all():
        raise FileError(f"{path.name} has shape coefficients (betas) that are none; correct them in the file.")
    path_y_up = trans.astype(np.float64) @ _TO_Y_UP.as_matrix().T
    motion = BodyMotion(to_y_up(poses), path_y_up, float(fps.item()), OFFSETS.copy())
    return AmassClip(motion, members, _gender(members), betas.astype(np.float64).reshape(-1))


def write(path: str | Path, clip: AmassClip, motion: BodyMotion) -> None:
    """Write a clip with another motion of as many frames.

    Joints and frames at which `motion` equals the clip's own keep the file's bits, as does everything that is no body
    pose: hands, face, shape, markers, labels. The file appears whole or not at all.

    Raises:
        FileError: the target cannot be written.
        MotionError: `motion` has another number of frames or frame rate than the clip.
    """
    path = Path(path)
    old = clip.motion
    if len(motion) != len(old) or motion.fps != old.fps:
        raise MotionError("The edited motion has other frames than the AMASS file it is written over.")
    members = dict(clip.members)
    turned = (motion.poses != old.poses).any(axis=-1)
    moved = (motion.transl != old.transl).any(axis=-1)
    poses = motion.poses.copy()
    poses[:, 0] = (_TO_Y_UP.inv() * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    keep = ~np.repeat(turned, 3, axis=1)
    for key, columns in (("poses", slice(0, BODY)), ("root_orient", slice(0, 3)), ("pose_body", slice(3, BODY))):
        if key in members:  # SMPL-X files may hold the pose twice, whole and in parts
            array = npz.array(path.name, members, key)
            flat = array.reshape(len(array), -1).copy()
            width = columns.stop - columns.start
            new = poses.reshape(-1, BODY)[:, columns].astype(array.dtype)
            flat[:, :width] = np.where(keep[:, columns], flat[:, :width], new)
            members[key] = _npy(flat.reshape(array.shape))
    trans = npz.array(path.name, members, "trans").copy()
    trans[moved] = (motion.transl[moved] @ _TO_Y_UP.as_matrix()).astype(trans.dtype)
    members["trans"] = _npy(trans)
    _write(path, members)


def shaped(clip: AmassClip, betas: np.ndarray) -> AmassClip:
    """A clip of another body, of shape coefficients (B,)."""
    betas = betas.astype(np.float64)
    return replace(clip, members=dict(clip.members) | {"betas": _npy(betas)}, betas=betas)


def create(path: str | Path, motion: BodyMotion, betas: np.ndarray | None = None) -> None:
    """Write a new AMASS file (SMPL-H: 52 joints, hands at rest) of a motion. It appears whole or not at all.

    Args:
        path: the ``.npz``.
        motion: Y up; its `transl` becomes the file's translation, turned to Z up.
        betas: (B,) shape coefficients; zeros by default.

    Raises:
        FileError: the target cannot be written.
    """
    poses = np.zeros((len(motion), SMPLH), np.float64)
    poses[:, :BODY] = motion.poses.reshape(len(motion), -1)
    poses[:, :3] = (_TO_Y_UP.inv() * Rotation.from_rotvec(motion.poses[:, 0])).as_rotvec()
    arrays = {
        "poses": poses,
        "trans": motion.transl @ _TO_Y_UP.as_matrix(),
        "betas": np.zeros(16) if betas is None else np.asarray(betas, np.float64),
        "gender": np.array("neutral"),
        "mocap_framerate": np.array(motion.fps),
    }
    _write(Path(path), {key: _npy(array) for key, array in arrays.items()})


def _write(path: Path, members: Mapping[str, bytes]) -> None:
    """Write an archive of the arrays' bytes by name; the same arrays give the same file."""
    with files.replacing(path) as stream, zipfile.ZipFile(stream, "w") as archive:
        for key, content in members.items():
            # ZipInfo's default date, where a name alone would be given today's.
            archive.writestr(zipfile.ZipInfo(f"{key}.npy"), content, zipfile.ZIP_DEFLATED)


def _body(name: str, members: Mapping[str, bytes]) -> np.ndarray:
    """(T, 22, 3) float64 axis-angle as in the file, Z up."""
    if "poses" in members:
        poses = npz.array(name, members, "poses")
    elif "root_orient" in members and "pose_body" in members:
        root, body = npz.array(name, members, "root_orient"), npz.array(name, members, "pose_body")
        if root.ndim < 2 or body.ndim < 2 or len(root) != len(body):
            raise FileError(f"{name} has root_orient and pose_body of different numbers of frames; it is damaged.")
        poses = np.concatenate([root.reshape(len(root), -1), body.reshape(len(body), -1)], axis=1)
    else:
        raise FileError(f"{name} has no poses (nor root_orient and pose_body), so it is not an AMASS motion.")
    if poses.ndim < 2 or poses.dtype.kind != "f" or (len(poses) and poses[0].size < BODY):
        raise FileError(f"{name} has poses of the shape {poses.shape}; the body needs {BODY} numbers per frame.")
    if not len(poses):
        raise MotionError(f"{name} has no frames; choose another clip.")
    flat = poses.reshape(len(poses), -1)[:, :BODY].astype(np.float64)
    if not np.isfinite(flat).all():
        frame = int(np.argmin(np.isfinite(flat).all(axis=1)))
        raise MotionError(f"{name} holds NaN or infinite rotations (first at frame {frame}); remove those frames.")
    if np.abs(flat).max() > LARGEST:
        frame = int(np.abs(flat).max(axis=1).argmax())
        raise MotionError(f"{name} holds a rotation that is none (at frame {frame}); remove that frame.")
    return flat.reshape(-1, len(JOINTS), 3)


def to_y_up(poses: np.ndarray) -> np.ndarray:
    """The poses with the root turned to Y up, every angle at most pi."""
    poses = Rotation.from_rotvec(poses.reshape(-1, 3)).as_rotvec().reshape(poses.shape)
    poses[:, 0] = (_TO_Y_UP * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    return poses


def _gender(members: Mapping[str, bytes]) -> str:
    """The gender; files of some subsets hold it as bytes, or pickled, which is not read."""
    try:
        found = npz.texts(npz.array("", members, "gender", "SU"))
    except (FileError, ValueError):
        return "neutral"
    return found[0] if found and found[0] in ("male", "female", "neutral") else "neutral"


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=False)
    return stream.getvalue()
