# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's own SMPL, SMPL-H and SMPL-X model files.

Only the arrays that pose the body are read, and none of them as Python objects: the package smplx opens .npz
files with pickle allowed, so its skinning is used here but not its loader.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import roma
import torch

from engine.body.body import Body, fit_betas
from engine.errors import FileError
from engine.motion import files, npz
from engine.motion.joints import PARENTS

MAX_BYTES = 1 << 30  # of the file, and of its arrays; those of SMPL-X have 300 MB in double precision

_ADVICE = "choose a SMPL, SMPL-H or SMPL-X .npz, or download the model again"
_KEYS = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")
_HANDS = ("hands_meanl", "hands_meanr")

# Number of joints -> name of the model and its first joint of each hand, where hands have a mean pose.
_MODELS: dict[int, tuple[str, tuple[int, ...]]] = {
    24: ("SMPL", ()),
    52: ("SMPL-H", (22, 37)),
    55: ("SMPL-X", (25, 40)),
}
_HAND_JOINTS = 15


def load(path: str | Path, betas: np.ndarray | None = None) -> Body:
    """The body of a SMPL (Loper 2015), SMPL-H (Romero 2017) or SMPL-X file (Pavlakos 2019).

    Hands are held in the model's mean pose, jaw and eyes in their rest pose.

    Args:
        path: model file in .npz format.
        betas: shape coefficients of that model; those it does not have are left out, None is its mean shape.

    Raises:
        FileError: the file is missing, truncated, not of one of these models, or a pickle.
        ValueError: `betas` is not a vector of finite numbers.
    """
    path = Path(path)
    arrays = _read(path)
    joints = len(arrays["J_regressor"])
    shapedirs = arrays["shapedirs"][:, :, : _shape_space(joints, arrays["shapedirs"].shape[2])]
    shape = fit_betas(betas, shapedirs.shape[2])
    rest = arrays["J_regressor"] @ (arrays["v_template"] + shapedirs @ shape)
    parents = np.array(PARENTS)
    offsets = rest[: len(parents)] - rest[parents]
    offsets[0] = 0.0
    skin = SmplSkin(arrays, shapedirs, shape, rest[0])
    return Body(offsets, rest[0].copy(), shape, arrays["f"].astype(np.int64), skin)


class SmplSkin:
    """Linear blend skinning with shape and pose blend shapes, by the package smplx, in float32."""

    def __init__(
        self, arrays: dict[str, np.ndarray], shapedirs: np.ndarray, betas: np.ndarray, pelvis: np.ndarray
    ) -> None:
        def tensor(array: np.ndarray) -> torch.Tensor:
            return torch.as_tensor(np.ascontiguousarray(array), dtype=torch.float32)

        joints, vertices = arrays["J_regressor"].shape
        self._betas = tensor(betas)[None]
        self._pelvis = tensor(pelvis)
        self._template = tensor(arrays["v_template"])
        self._shapedirs = tensor(shapedirs)
        self._posedirs = tensor(arrays["posedirs"]).reshape(3 * vertices, -1).mT.contiguous()
        self._regressor = tensor(arrays["J_regressor"])
        self._weights = tensor(arrays["weights"])
        self._parents = torch.as_tensor(arrays["kintree_table"][0].astype(np.int64))
        self._parents[0] = -1
        rest = torch.zeros(joints, 3)
        for start, key in zip(_MODELS[joints][1], _HANDS, strict=False):
            rest[start : start + _HAND_JOINTS] = tensor(arrays[key]).reshape(_HAND_JOINTS, 3)
        self._beyond = roma.rotvec_to_rotmat(rest[len(PARENTS) :])

    def __call__(self, local: torch.Tensor, rotations: torch.Tensor, pelvis: torch.Tensor) -> torch.Tensor:
        """Posed vertices (B, V, 3); see `engine.body.body.Skin`."""
        from smplx.lbs import lbs

        beyond = self._beyond.to(local.device).expand(len(local), -1, 3, 3)
        vertices, _ = lbs(
            self._betas.to(local.device).expand(len(local), -1),
            torch.cat([local, beyond], dim=1),
            self._template.to(local.device),
            self._shapedirs.to(local.device),
            self._posedirs.to(local.device),
            self._regressor.to(local.device),
            self._parents.to(local.device),
            self._weights.to(local.device),
            pose2rot=False,
        )
        return vertices + (pelvis - self._pelvis.to(pelvis.device))[:, None]


def _shape_space(joints: int, columns: int) -> int:
    """Number of shape coefficients; SMPL-X files hold expressions behind them (300 + 100, or 10 + 10)."""
    if _MODELS[joints][0] != "SMPL-X":
        return columns
    return 300 if columns >= 400 else min(10, columns)


def _read(path: Path) -> dict[str, np.ndarray]:
    """The arrays that pose the body, float64 except faces and tree, their shapes and values checked."""
    start = files.read_bytes(path, MAX_BYTES, _ADVICE)[:2]
    if start[:1] == b"\x80" or path.suffix.lower() == ".pkl":
        raise FileError(
            f"{path.name} is a Python pickle, which may run code when opened; "
            "convert it to an .npz of plain arrays, or download the model as .npz."
        )
    if start != b"PK":
        raise FileError(f"{path.name} is no .npz archive; choose a SMPL, SMPL-H or SMPL-X .npz.")
    return _checked(path.name, npz.read(path, MAX_BYTES, (*_KEYS, *_HANDS), _ADVICE))


def _checked(name: str, members: Mapping[str, bytes]) -> dict[str, np.ndarray]:
    arrays = {key: npz.array(name, members, key, advice=_ADVICE) for key in _KEYS}
    regressor = arrays["J_regressor"]
    joints, vertices = regressor.shape if regressor.ndim == 2 else (0, 0)
    if joints not in _MODELS:
        raise FileError(f"{name} has {joints} joints; choose a SMPL, SMPL-H or SMPL-X body (24, 52 or 55).")
    if _MODELS[joints][1]:
        arrays |= {key: npz.array(name, members, key, advice=_ADVICE) for key in _HANDS}
    expected_shapes: dict[str, tuple[int, ...]] = {
        "v_template": (vertices, 3),
        "f": (*arrays["f"].shape[:1], 3),
        "shapedirs": (vertices, 3, arrays["shapedirs"].shape[-1] if arrays["shapedirs"].ndim else 0),
        "posedirs": (vertices, 3, 9 * (joints - 1)),
        "weights": (vertices, joints),
        "kintree_table": (2, joints),
        "hands_meanl": (3 * _HAND_JOINTS,),
        "hands_meanr": (3 * _HAND_JOINTS,),
    }
    for key, array in arrays.items():
        expected = expected_shapes.get(key, array.shape)
        if array.shape != expected:
            raise FileError(
                f"{name} holds {key} of the shape {array.shape}, not {expected} as its {joints} joints and "
                f"{vertices} vertices need; download the model again."
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise FileError(f"{name} holds NaN or infinite values in {key}; download the model again.")
    _check_tree(name, arrays)
    integers = ("f", "kintree_table")
    return {key: array if key in integers else array.astype(np.float64) for key, array in arrays.items()}


def _check_tree(name: str, arrays: dict[str, np.ndarray]) -> None:
    """Faces must name vertices; the tree must begin with the 22 body joints, parents before children."""
    faces, parents = arrays["f"].astype(np.int64), arrays["kintree_table"][0].astype(np.int64)
    if faces.size and not 0 <= faces.min() <= faces.max() < len(arrays["v_template"]):
        raise FileError(f"{name} holds faces of vertices that it does not have; download the model again.")
    ordered = all(0 <= p < j for j, p in enumerate(parents) if j)
    if tuple(parents[1 : len(PARENTS)]) != PARENTS[1:] or not ordered:
        raise FileError(f"{name} does not have the joint tree of SMPL; choose a SMPL, SMPL-H or SMPL-X .npz.")
