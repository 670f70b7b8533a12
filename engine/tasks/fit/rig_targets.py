# SPDX-License-Identifier: GPL-3.0-or-later
"""Bones of a rig that follow targets.

The body is solved for with the rig's own limbs, and its edit carried back to the bones. Where they come to be elsewhere
than the body's joints, since an edit of one joint may turn several bones, the body aims off by as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from engine.errors import MotionError
from engine.motion.joints import JOINTS
from engine.motion.motion import Motion
from engine.motion.retarget import CHUNK, Alignment, RigEdit, to_body, to_rig
from engine.motion.rig_joints import joint_places, rig_offsets
from engine.motion.rigs import RigMap
from engine.priors.pose_prior import PosePrior
from engine.tasks.fit.aim import Targets, check_joints
from engine.tasks.fit.follow import Followed, FollowSettings, follow_targets
from engine.tasks.steps import OnStep, Stage

PASSES = 5
"""Corrections of the aim, at most."""
SETTLED = 2e-4
"""Metres; bones that lie no further from the body's joints than in the pass before need no better aim."""


@dataclass(frozen=True)
class RigFollowed:
    """A rig that follows targets.

    Attributes:
        edit: its motion.
        missed: (T, K) metres between targets and bones; NaN where no target counts, and in the blends.
    """

    edit: RigEdit
    missed: np.ndarray


def follow_on_rig(
    motion: Motion,
    rig_map: RigMap,
    joints: Sequence[str],
    places: np.ndarray,
    turns: np.ndarray | None,
    prior: PosePrior,
    settings: FollowSettings | None = None,
    frames: tuple[int, int] | None = None,
    locked: Sequence[str] = (),
    on_step: OnStep | None = None,
) -> RigFollowed:
    """Let bones of a rig follow targets.

    Args:
        motion: the rig's motion.
        rig_map: its mapping.
        joints: K names of the body's joints whose bones follow.
        places: (T, K, 3) where these bones shall begin, in the rig's space and units; NaN where that is open.
        turns: (T, K, 4) unit quaternions WXYZ, the bones' rotations in the rig's space, likewise; None for none.
        prior, settings, frames, on_step: as in `follow_targets`.
        locked: bones that may not turn.

    Raises:
        MotionError: a joint has no bone of its own; as `follow_targets` and `Targets`.
        MappingError: the rig's bones cannot be aligned.
    """
    check_joints(joints)
    for joint in joints:
        if joint not in rig_map.bones:
            raise MotionError(f"No bone of the rig is the body's {joint}; map one, or choose another joint.")
    count = len(joints)
    if np.shape(places) != (len(motion), count, 3) or (
        turns is not None and np.shape(turns) != (len(motion), count, 4)
    ):
        raise MotionError("Targets need a place of three numbers for each frame and joint.")
    chosen = settings or FollowSettings()
    rig = Alignment(motion, rig_map, collars=len(motion) == 1)  # a pose held says nothing of what is animated
    body = to_body(motion, rig_map, rig)
    offsets = rig_offsets(motion, rig_map, body, rig)
    wanted = places @ rig.axes.T * motion.skeleton.scale
    body_turns = None if turns is None else _body_turns(rig, motion, rig_map, joints, turns)
    targets = Targets(tuple(joints), wanted, body_turns)
    movable = np.array(
        [joint in rig.bones and not set(rig.bones[joint]) & set(locked) for joint in JOINTS]
    )
    begin, end = (0, len(motion)) if frames is None else frames
    gap = np.zeros_like(wanted)
    followed: Followed | None = None
    for number in range(PASSES):
        stage = Stage(on_step, end - begin, number / PASSES, (number + 1) / PASSES, "Fitting")

        def told(done: int, total: int, _: str, stage: Stage = stage) -> None:
            stage(0.99 * done / total)

        aimed = replace(targets, places=wanted - gap)
        followed = follow_targets(body, aimed, prior, chosen, offsets, frames, told, movable, followed)
        edit = to_rig(motion, rig_map, body, followed.motion, alignment=rig)
        found = joint_places(edit.motion, rig_map, joints, rig)
        before, gap = gap, found - followed.places
        if np.abs(gap - before)[begin:end].max() < SETTLED:
            break
    assert followed is not None  # after one pass at least
    missed = np.where(np.isnan(followed.missed), np.nan, np.linalg.norm(found - wanted, axis=-1))
    if on_step:
        on_step(end - begin, end - begin, "Fitting")
    return RigFollowed(edit, missed)


def _body_turns(
    rig: Alignment, motion: Motion, rig_map: RigMap, joints: Sequence[str], turns: np.ndarray
) -> np.ndarray:
    """(T, K, 4) global orientations of joints in the body's axes that turn their bones as asked (T, K, 4)."""
    result = np.full(turns.shape, np.nan)
    axes = Rotation.from_matrix(rig.axes)
    for start in range(0, len(motion), CHUNK):
        rows = slice(start, start + CHUNK)
        bones, _ = rig.globals(motion.rotations[rows], motion.translations[rows])
        body = rig.body_globals(bones)
        for k, joint in enumerate(joints):
            at = np.flatnonzero(~np.isnan(turns[rows, k]).any(axis=-1))
            if not at.size:
                continue
            own = Rotation.from_matrix(bones[at, rig.column(rig_map.bones[joint])])
            change = axes * Rotation.from_quat(turns[rows][at, k], scalar_first=True) * own.inv() * axes.inv()
            turned = change * Rotation.from_matrix(body[at, JOINTS.index(joint)])
            result[start + at, k] = turned.as_quat(scalar_first=True)
    return result
