# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that make many frames of one pose of a rig."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.errors import MotionError
from engine.motion.motion import BodyMotion, Motion
from engine.motion.rigs import RigMap
from engine.motion.skeleton import Skeleton
from engine.protocol import Arrays
from engine.requests.rig import edits


def one_pose(motion: Motion) -> Motion:
    """The motion; raises MotionError where it has more frames than one."""
    if len(motion) != 1:
        raise MotionError(f"This sets out from one pose, not from {len(motion)} frames; name one frame.")
    return motion


def held(motion: Motion, frames: int) -> Motion:
    """One pose of a rig, held for so many frames."""
    return replace(
        motion,
        rotations=np.repeat(motion.rotations, frames, axis=0),
        translations=np.repeat(motion.translations, frames, axis=0),
    )


def made_of(motion: Motion, rig_map: RigMap, before: BodyMotion, made: Sequence[BodyMotion]) -> Arrays:
    """V clips of the body made of its one pose ``before``, all as long, as edits of the rig's bones: see `packed`."""
    frames = len(made[0])
    still = replace(
        before, poses=np.repeat(before.poses, frames, axis=0), transl=np.repeat(before.transl, frames, axis=0)
    )
    return edits(held(motion, frames), rig_map, still, made, collars=True)


def taking_over(found: Arrays, rig_map: RigMap, skeleton: Skeleton) -> Arrays:
    """Edits that say of the whole body that it changes on all frames, and of what carries it.

    Where the animation that the pose is of goes on after it, the body must not go on with it: not in frames that happen
    to be as the pose is, nor in legs that an edit leaves alone.
    """
    turned = {skeleton.index(bone) for source in rig_map.sources.values() for bone in source.turned}
    parents, carriers = rig_map.parents(skeleton), []
    bone = skeleton.index(rig_map.bones["pelvis"])
    while bone >= 0:
        carriers.append(bone)
        bone = parents[bone]
    rotations, translations = found["rotations_changed"].copy(), found["translations_changed"].copy()
    rotations[..., sorted(turned | set(carriers))] = 1
    translations[..., carriers] = 1
    return found | {"rotations_changed": rotations, "translations_changed": translations}
