# SPDX-License-Identifier: GPL-3.0-or-later
"""Bones that spread a limb's twist along its skin, and what share of it each takes.

Some rigs build a limb from two bones in line, of which the first bends and the second twists; others hang small bones
along it that take part of the hand's twist, or undo part of the upper arm's. How much each takes is measured in the
motion itself, so that what is edited keeps the proportions that the rig was animated with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.motion.motion import Motion
from engine.motion.rigs import RigMap, Source
from engine.motion.tpose import LIMBS

LEAST = np.radians(0.2)  # standard deviation of a twist that tells something
TELLING = 0.9  # share of a bone's twist that the limb's must explain
LARGEST = 1.2  # share: a twist bone takes up to the whole twist, or undoes it; more is chance
ASIDE = 0.15  # most that a twist bone swings, to its twist


@dataclass(frozen=True)
class Follower:
    """A bone, no joint's own, that twists with a joint's bone.

    Attributes:
        bone, leader: indices of bones.
        axis, leader_axis: (3,) the limb's direction in each one's rest frame.
        share: of the leader's twist.
    """

    bone: int
    leader: int
    axis: np.ndarray
    leader_axis: np.ndarray
    share: float


def limb_axis(motion: Motion, rig_map: RigMap, joint: str, bone: str) -> np.ndarray | None:
    """Unit direction (3,) of a joint's limb in a bone's rest frame; None where the limb's end is unknown."""
    skeleton, sources = motion.skeleton, rig_map.sources
    child = LIMBS[joint][0] if joint in LIMBS else ""
    first = skeleton.index(sources[joint].bones[0])
    end = skeleton.rest[skeleton.index(sources[child].bones[0]), :3, 3] if child in sources else skeleton.tails[first]
    limb = end - skeleton.rest[first, :3, 3]
    length = np.linalg.norm(limb)
    if not np.isfinite(length) or length < 1e-9:
        return None
    turn = skeleton.rest[skeleton.index(bone), :3, :3]
    limb = turn.T @ limb  # a scaled rest pose is scaled evenly
    return limb / np.linalg.norm(limb)


def bending_share(motion: Motion, rig_map: RigMap, joint: str, source: Source) -> float:
    """How much of a limb's twist the bending bone of `Source.twists` takes, 0 to 1; 0 where nothing twists."""
    twists = []
    for bone in source.turned:
        axis = limb_axis(motion, rig_map, joint, bone)
        if axis is None:
            return 0.0
        twists.append(twist_angles(motion.rotations[:, motion.skeleton.index(bone)], axis))
    total = twists[0] + twists[1]
    if total.std() < LEAST:
        return 0.0
    return float(np.clip(np.cov(twists[0], total, bias=True)[0, 1] / total.var(), 0.0, 1.0))


def followers(motion: Motion, rig_map: RigMap) -> list[Follower]:
    """The bones along the limbs that twist with them, as the motion shows."""
    skeleton = motion.skeleton
    held = {skeleton.index(bone) for source in rig_map.sources.values() for bone in source.bones}
    for bone in reversed(range(len(skeleton))):  # and all that carry one of these
        if bone in held and skeleton.parents[bone] >= 0:
            held.add(skeleton.parents[bone])
    found = []
    for joint, (child, _) in LIMBS.items():
        source = rig_map.sources.get(joint)
        if source is None:
            continue
        leaders = [*source.turned[-1:], *([rig_map.bones[child]] if child in rig_map.bones else [])]
        along = {skeleton.index(bone) for bone in source.bones}
        for bone, parent in enumerate(skeleton.parents):
            if parent in along and bone not in held:
                best = _best(motion, rig_map, joint, bone, leaders)
                if best is not None:
                    found.append(best)
    return found


def follow(before: np.ndarray, after: np.ndarray, found: list[Follower]) -> dict[int, np.ndarray]:
    """Bone -> what it twists by (T, 4) WXYZ in its own frame, when rotations (T, J, 4) become others."""
    turns = {}
    for follower in found:
        leader, axis = follower.leader, follower.leader_axis
        change = _twist(after[:, leader], axis) - _twist(before[:, leader], axis)
        half = 0.5 * follower.share * ((change + np.pi) % (2.0 * np.pi) - np.pi)
        turns[follower.bone] = np.concatenate([np.cos(half)[:, None], np.sin(half)[:, None] * follower.axis], axis=1)
    return turns


def twist_angles(quats: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Angles (T,) in radians by which quaternions (T, 4) WXYZ twist about an axis (3,), without jumps."""
    return np.unwrap(_twist(quats, axis))


def _twist(quats: np.ndarray, axis: np.ndarray) -> np.ndarray:
    return 2.0 * np.arctan2(quats[:, 1:] @ axis, quats[:, 0])


def _best(
    motion: Motion, rig_map: RigMap, joint: str, bone: int, leaders: list[str]
) -> Follower | None:
    """How a bone along a joint's limb twists with one of the joints' bones; None if it does not."""
    skeleton = motion.skeleton
    axis = limb_axis(motion, rig_map, joint, skeleton.names[bone])
    if axis is None:
        return None
    quats = motion.rotations[:, bone]
    twist = twist_angles(quats, axis)
    spread = twist.std()
    swing = 2.0 * np.arccos(np.clip(np.hypot(quats[:, 0], quats[:, 1:] @ axis), 0.0, 1.0))
    if spread < LEAST or swing.std() > ASIDE * spread:
        return None
    best: tuple[float, Follower] | None = None
    for name in leaders:
        leader = skeleton.index(name)
        own = limb_axis(motion, rig_map, joint, name)
        if own is None:
            continue
        led = twist_angles(motion.rotations[:, leader], own)
        if led.std() < LEAST:
            continue
        # From frame to frame, so that noise counts: a bone that does not shake along is no follower.
        steps, own_steps = np.diff(led), np.diff(twist)
        product, size = float(own_steps @ steps), float(steps @ steps)
        explained, share = product**2 / (float(own_steps @ own_steps) * size), product / size
        if explained > TELLING and abs(share) <= LARGEST and (best is None or explained > best[0]):
            best = explained, Follower(bone, leader, axis, own, share)
    return best[1] if best is not None else None
