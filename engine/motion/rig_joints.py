# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the joints of a rig are, frame by frame, as its bones have them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from engine.motion.joints import JOINTS, PARENTS
from engine.motion.motion import BodyMotion, Motion
from engine.motion.retarget import CHUNK, Alignment
from engine.motion.rigs import RigMap


def rig_offsets(
    motion: Motion, rig_map: RigMap, body: BodyMotion, alignment: Alignment | None = None
) -> np.ndarray:
    """(T, 22, 3) metres, where the joints of the rig are relative to their parents, frame by frame.

    `to_body` gives one offset per joint. That is exact for rigs whose joints turn and nothing else; here bones that
    slide, and bones between two joints that turn, are taken into account. Joints without a bone of their own are where
    the body has them.

    Args:
        motion: the rig's motion.
        rig_map: its mapping.
        body: ``to_body(motion, rig_map)``.
        alignment: ``Alignment(motion, rig_map)`` where it is known.
    """
    rig = alignment or Alignment(motion, rig_map)
    result = np.tile(body.offsets, (len(motion), 1, 1))
    for start in range(0, len(motion), CHUNK):
        rows = slice(start, start + CHUNK)
        places = {JOINTS.index(joint): place for joint, place in _heads(rig, motion, rig_map, rows).items()}
        turns = [Rotation.from_rotvec(body.poses[rows, 0])]
        for joint, parent in enumerate(PARENTS[1:], start=1):
            turns.append(turns[parent] * Rotation.from_rotvec(body.poses[rows, joint]))
            if joint in places:
                result[rows, joint] = turns[parent].apply(places[joint] - places[parent], inverse=True)
            else:
                places[joint] = places[parent] + turns[parent].apply(result[rows, joint])
    return result


def joint_places(
    motion: Motion, rig_map: RigMap, joints: Sequence[str], alignment: Alignment | None = None
) -> np.ndarray:
    """(T, K, 3) metres in the body's axes, where bones of joints begin that have a bone of their own.

    Args:
        motion: the rig's motion.
        rig_map: its mapping.
        joints: K names.
        alignment: of this motion, or of the one that it was made from.
    """
    rig = alignment or Alignment(motion, rig_map)
    result = np.empty((len(motion), len(joints), 3))
    for start in range(0, len(motion), CHUNK):
        rows = slice(start, start + CHUNK)
        heads = _heads(rig, motion, rig_map, rows)
        result[rows] = np.stack([heads[joint] for joint in joints], axis=1)
    return result


def _heads(rig: Alignment, motion: Motion, rig_map: RigMap, rows: slice) -> dict[str, np.ndarray]:
    """Joint -> (T, 3) metres in the body's axes, for joints that have a bone of their own."""
    _, heads = rig.globals(motion.rotations[rows], motion.translations[rows])
    heads = heads @ rig.axes.T * motion.skeleton.scale
    return {joint: heads[:, rig.column(bone)] for joint, bone in rig_map.bones.items()}
