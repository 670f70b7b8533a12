# SPDX-License-Identifier: GPL-3.0-or-later
"""The mannequin as riggers know it: a skeleton, a mesh at rest, and the weights that bind one to the other."""

from __future__ import annotations

import numpy as np

from engine.body import Body
from engine.body.bundled import MannequinSkin
from engine.motion.joints import JOINTS, PARENTS
from engine.motion.motion import BodyMotion, Motion
from engine.motion.skeleton import Skeleton
from engine.motion.windows import rotvec_to_quat

_LEAST = 1e-3  # of a weight; less is rounding
_CHUNK = 2048  # vertices whose equations are solved at once
_LEAVES = {"head": (0.0, 0.16, 0.0), "foot": (0.0, 0.0, 0.09), "wrist": (0.11, 0.0, 0.0)}  # metres, the left ones
_NEXT = {"pelvis": "spine1", "spine3": "neck"}  # the child that a bone with several points at


def heads(body: Body) -> np.ndarray:
    """(22, 3) rest positions of the joints in metres, Y up, the pelvis at the origin."""
    places = np.zeros((len(JOINTS), 3))
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            places[joint] = places[parent] + body.offsets[joint]
    return places


def rest(body: Body) -> np.ndarray:
    """(V, 3) vertices in T-pose in metres, Y up, the pelvis at the origin."""
    return body.vertices(np.zeros((1, len(JOINTS), 3)), np.zeros(3)).numpy()[0]


def weights(body: Body) -> np.ndarray:
    """(V, 22) share of each joint in each vertex of the bundled mannequin; the rows sum to one.

    The skin is ``v - pelvis = sum_j R_j c_j`` (`MannequinSkin`), and linear blending with weights ``w`` gives
    ``c_j = w_j (v0 - h_j) + sum_k o_k W_k`` over the children k of j: their offsets times the weights of all that hangs
    from them. That is linear in ``w``, and determines it.
    """
    assert isinstance(body.skin, MannequinSkin)
    basis = body.skin.basis.double().numpy().T.reshape(-1, len(JOINTS), 3)
    hung = np.zeros((len(JOINTS), 3, len(JOINTS)))  # what weights below a joint add to its vector
    for joint in range(len(JOINTS)):
        above = joint
        while PARENTS[above] >= 0:
            hung[PARENTS[above], :, joint] += body.offsets[above]
            above = PARENTS[above]
    apart = rest(body)[:, None] - heads(body)
    own = np.arange(len(JOINTS))
    found = np.empty((len(basis), len(JOINTS)))
    for start in range(0, len(basis), _CHUNK):
        rows = slice(start, start + _CHUNK)
        equations = np.broadcast_to(hung, (len(basis[rows]), *hung.shape)).copy()
        equations[:, own, :, own] += apart[rows].transpose(1, 0, 2)
        left = np.concatenate([equations.reshape(-1, 66, 22), np.ones((len(basis[rows]), 1, 22))], axis=1)
        right = np.concatenate([basis[rows].reshape(-1, 66, 1), np.ones((len(basis[rows]), 1, 1))], axis=1)
        across = left.swapaxes(1, 2)
        found[rows] = np.linalg.solve(across @ left, across @ right)[..., 0]
    found[found < _LEAST] = 0.0
    return found / found.sum(axis=1, keepdims=True)


def skeleton(body: Body, names: dict[str, str], scale: float = 1.0) -> Skeleton:
    """The mannequin's bones.

    Args:
        body: the mannequin.
        names: joint -> bone.
        scale: metres per unit of the skeleton.
    """
    places = heads(body) / scale
    places[:, 1] += -rest(body)[:, 1].min() / scale  # it stands on the floor
    tails = np.full_like(places, np.nan)
    for joint, parent in enumerate(PARENTS):
        if parent >= 0 and _NEXT.get(JOINTS[parent], JOINTS[joint]) == JOINTS[joint]:
            tails[parent] = places[joint]
    for joint, name in enumerate(JOINTS):
        if (tip := _LEAVES.get(name.removeprefix("left_").removeprefix("right_"))) is not None:
            side = -1.0 if name.startswith("right_") else 1.0
            tails[joint] = places[joint] + np.array(tip) * (side, 1.0, 1.0) / scale
    at = np.tile(np.eye(4), (len(JOINTS), 1, 1))
    at[:, :3, 3] = places
    return Skeleton(tuple(names[joint] for joint in JOINTS), PARENTS, at, tails, scale)


def perform(motion: BodyMotion, bones: Skeleton) -> Motion:
    """A body's motion as the skeleton's: `bones` come from `skeleton`."""
    translations = np.zeros((len(motion), len(bones), 3))
    translations[:, 0] = motion.transl / bones.scale - bones.rest[0, :3, 3]
    return Motion(bones, rotvec_to_quat(motion.poses), translations, motion.fps)
