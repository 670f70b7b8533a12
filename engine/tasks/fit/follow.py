# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip whose hands, feet or head follow targets: every frame meets its own, the change of the clip is smooth.

All frames are solved together: the pose of each changes as little as the prior allows, and the change bends as little
as it can over time, so that nothing pops where a target begins, ends, or comes within reach. Each frame is seen from
its own pelvis, so that it does not matter which way the body faces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import roma
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from engine.body import forward_kinematics
from engine.errors import MotionError
from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion
from engine.priors.pose_prior import PosePrior
from engine.tasks.fit.aim import Targets
from engine.tasks.fit.effectors import EffectorSettings, meet, still
from engine.tasks.fit.path import Bending
from engine.tasks.fit.state import ROOT, TRANSL, Space, to_body
from engine.tasks.steps import OnStep

WINDOW_SECONDS = 8.0  # frames solved together and kept, so that memory does not grow with the clip
AHEAD_SECONDS = 1.5  # and those solved with them to know where they lead
FEET = ("left_ankle", "right_ankle")
LIFTED = 0.5  # metres that a foot may stray per metre it is higher than the other foot
WITHIN_REACH = 1e-3  # metres
GROUNDED = 0.03  # metres; feet of no more than this difference both stand


@dataclass(frozen=True)
class FollowSettings(EffectorSettings):
    """How a clip follows targets.

    Attributes:
        keep, turn_std, move_std: as in `EffectorSettings`; a free pelvis helps where the limbs do not suffice.
        keep_feet: feet without a target stay where they are, with their orientation, while the pelvis moves; one that
            is in the air gives way.
        smooth: seconds; changes of the clip that come and go in less are dear.
        blend: seconds at the ends of the range over which the targets set in, where the clip goes on beyond it.

    Raises:
        MotionError: a time is negative, or longer than `AHEAD_SECONDS`; as `EffectorSettings`.
    """

    keep: float = 1.0
    turn_std: float = 0.15
    move_std: float = 0.08
    keep_feet: bool = True
    smooth: float = 0.08
    blend: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0.0 <= self.smooth <= 0.5 and 0.0 <= self.blend <= AHEAD_SECONDS):
            raise MotionError(f"Give 0 to 0.5 s of smoothing and 0 to {AHEAD_SECONDS:g} s of blending.")


@dataclass(frozen=True)
class Followed:
    """A clip that follows targets.

    Attributes:
        motion: as many frames as before; those out of the range are bit-equal.
        places: (T, K, 3) metres where the joints came to be.
        change: (T, D) what was solved for, to go on from.
        missed: (T, K) metres between targets and joints; NaN where no target counts, and in the blends.
    """

    motion: BodyMotion
    missed: np.ndarray
    places: np.ndarray
    change: Tensor


def follow_targets(
    motion: BodyMotion,
    targets: Targets,
    prior: PosePrior,
    settings: FollowSettings | None = None,
    offsets: np.ndarray | None = None,
    frames: tuple[int, int] | None = None,
    on_step: OnStep | None = None,
    movable: np.ndarray | None = None,
    guess: Followed | None = None,
) -> Followed:
    """Let joints of a clip follow targets.

    Args:
        motion: any body.
        targets: of as many frames, in the body's space.
        prior: the pose prior, on the CPU.
        settings: see `FollowSettings`.
        offsets: (22, 3) or (T, 22, 3) metres, where the joints are relative to their parents, if not as in
            ``motion.offsets``: see `engine.tasks.fit.rig_targets`.
        frames: half-open range that may change; None for all.
        on_step: told (done, total, stage); stops by raising.
        movable: (22,) bool, joints that may turn; None for all.
        guess: an answer to nearly the same targets, to go on from.

    Raises:
        MotionError: the targets or the range do not fit the clip, or no target counts.
    """
    chosen = settings or FollowSettings()
    begin, end = (0, len(motion)) if frames is None else frames
    if len(targets) != len(motion) or not 0 <= begin < end <= len(motion):
        raise MotionError(
            f"Targets need a place for each of the clip's {len(motion)} frames, of which some may change."
        )
    if not targets.counts[begin:end].any():
        raise MotionError("No target has a place in these frames; give at least one.")
    clip = _Clip(motion, prior, motion.offsets if offsets is None else offsets)
    aims = clip.local(targets)
    ease = _ease(len(motion), begin, end, chosen.blend * motion.fps)
    aims = clip.eased(aims, ease)
    if chosen.keep_feet and chosen.free_root:
        aims = clip.with_feet(aims)
    weight = (chosen.smooth * motion.fps) ** 4
    missed = np.full((len(motion), len(targets.joints)), np.nan)
    change = torch.zeros_like(clip.start)
    with torch.inference_mode():
        for first, last, ahead in _windows(begin, end, motion.fps):
            rows = slice(first, ahead)
            before, after = change[max(first - 2, 0) : first], change[ahead : ahead + 2]
            # Beyond the window, but not beyond the range, nothing is known yet.
            bending = Bending(weight, before, after if ahead == end else after[:0])
            start = clip.start[rows]
            near = None if guess is None else start + guess.change[rows]
            space = clip.space_at(rows)
            here = aims.at(rows)
            solved, away = meet(start, here, space, prior, chosen, still(start), movable, near)
            if len(motion) > 1 and weight:
                # What each frame reaches by itself, it reaches with the others, too.
                effort = np.where(away > WITHIN_REACH, chosen.effort, np.inf)
                solved, away = meet(start, here, space, prior, chosen, bending, movable, near, effort)
            change[first:last] = (solved - start)[: last - first]
            missed[first:last] = away[: last - first, : len(targets.joints)]
            if on_step:
                on_step(last - begin, end - begin, "Fitting")
    missed[(ease < 1.0) | ~targets.counts.any(axis=1)] = np.nan
    return Followed(clip.changed(change, begin, end), missed, clip.placed(change, targets.indices), change)


class _Clip:
    """A clip as rows seen from each frame's pelvis: root and position are zero there.

    Attributes:
        start: (T, D).
    """

    def __init__(self, motion: BodyMotion, prior: PosePrior, offsets: np.ndarray) -> None:
        self._motion, self._prior = motion, prior
        self._offsets = np.broadcast_to(offsets, (len(motion), 22, 3))
        self._turn = Rotation.from_rotvec(motion.poses[:, 0])
        space = self.space_at(slice(None))
        poses = torch.as_tensor(_unwrapped(motion.poses))
        self.start = space.rows(poses, torch.zeros(len(motion), 3, dtype=torch.float64))
        self.start[:, ROOT] = 0.0

    def space_at(self, rows: slice) -> Space:
        """The space of some frames' rows."""
        return Space.of(self._prior, self._offsets[rows], np.zeros((22, 3, 0)))

    def local(self, targets: Targets) -> Targets:
        """Targets as seen from the pelvis."""
        return targets.seen_from(self._turn, self._motion.transl)

    def eased(self, targets: Targets, ease: np.ndarray) -> Targets:
        """Targets that set in from where their joints are: ``ease`` (T,) from 0 to 1."""
        if (ease == 1.0).all():
            return targets
        places, turns = self._placed(self.start, targets.indices)
        share = ease[:, None, None]
        eased = places + share * (targets.places - places)
        if targets.turns is None:
            return replace(targets, places=eased)
        result = targets.turns.copy()
        for k in range(result.shape[1]):
            at = np.flatnonzero(~np.isnan(result[:, k]).any(axis=-1))
            if not at.size:
                continue
            own = Rotation.from_matrix(turns[at, k])
            away = own.inv() * Rotation.from_quat(result[at, k], scalar_first=True)
            part = Rotation.from_rotvec(ease[at, None] * away.as_rotvec())
            result[at, k] = (own * part).as_quat(scalar_first=True)
        return replace(targets, places=eased, turns=result)

    def with_feet(self, targets: Targets) -> Targets:
        """Targets that also hold the feet which have none, the lower foot of each frame firmly."""
        names = tuple(name for name in FEET if name not in targets.joints)
        if not names:
            return targets
        places, turns = self._placed(self.start, np.array([JOINTS.index(name) for name in FEET]))
        height = np.stack([self._turn.apply(places[:, k])[:, 1] for k in range(len(FEET))], axis=1)
        lifted = np.maximum(height - height.min(axis=1, keepdims=True) - GROUNDED, 0.0)
        chosen = [FEET.index(name) for name in names]
        quats = Rotation.from_matrix(turns[:, chosen].reshape(-1, 3, 3)).as_quat(scalar_first=True)
        slack = LIFTED * lifted[:, chosen]
        return targets.and_(Targets(names, places[:, chosen], quats.reshape(len(turns), -1, 4), slack))

    def changed(self, change: Tensor, begin: int, end: int) -> BodyMotion:
        """The clip with rows changed by (T, D), in the range."""
        motion, rows = self._motion, slice(begin, end)
        pose, place, _ = to_body(self.space_at(rows), (self.start + change)[rows])
        poses, transl = motion.poses.copy(), motion.transl.copy()
        touched = change[rows].abs().numpy() > 0.0
        joints = np.concatenate(
            [touched[:, ROOT].any(axis=1)[:, None], touched[:, TRANSL.stop :].reshape(len(pose), 21, 3).any(axis=2)],
            axis=1,
        )
        pose[:, 0] = (self._turn[rows] * Rotation.from_rotvec(pose[:, 0])).as_rotvec()
        poses[rows] = np.where(joints[..., None], pose, poses[rows])
        transl[rows] += np.where(joints[:, :1], self._turn[rows].apply(place), 0.0)
        return replace(motion, poses=poses, transl=transl)

    def placed(self, change: Tensor, joints: np.ndarray) -> np.ndarray:
        """Places (T, K, 3) of joints in the clip's space, of rows changed by (T, D)."""
        places, _ = self._placed(self.start + change, joints)
        turned = [self._turn.apply(places[:, k]) for k in range(len(joints))]
        return np.stack(turned, axis=1) + self._motion.transl[:, None]

    def _placed(self, x: Tensor, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places (T, K, 3) and orientations (T, K, 3, 3) of joints of rows, seen from the pelvis before."""
        pose = self.space_at(slice(0, 1)).pose(x)
        offsets = torch.tensor(self._offsets)
        places, turns = forward_kinematics(roma.rotvec_to_rotmat(pose), offsets, x[:, TRANSL])
        return places[:, joints].numpy(), turns[:, joints].numpy()


def _windows(begin: int, end: int, fps: float) -> Iterator[tuple[int, int, int]]:
    """First and last frame that a window keeps, and how far it looks."""
    size, more = max(1, round(WINDOW_SECONDS * fps)), max(2, round(AHEAD_SECONDS * fps))
    first = begin
    while first < end:
        # A short rest joins the last window.
        last = end if first + size + more >= end else first + size
        yield first, last, min(last + more, end)
        first = last


def _ease(frames: int, begin: int, end: int, blend: float) -> np.ndarray:
    """(T,) from 0 to 1 where the range begins and ends amid the clip, 1 elsewhere in it."""
    time = np.arange(frames, dtype=np.float64)
    ease = np.ones(frames)
    if begin > 0:
        ease = np.minimum(ease, (time - begin + 1.0) / (blend + 1.0))
    if end < frames:
        ease = np.minimum(ease, (end - time) / (blend + 1.0))
    ease = np.clip(ease, 0.0, 1.0)
    return ease * ease * (3.0 - 2.0 * ease)


def _unwrapped(poses: np.ndarray) -> np.ndarray:
    """(T, J, 3) axis-angles that go on beyond half a turn where they would turn round."""
    angle = np.linalg.norm(poses, axis=-1)
    turned = np.einsum("tja,tja->tj", poses[1:], poses[:-1]) < 0.0
    turned &= np.minimum(angle[1:], angle[:-1]) > 0.5 * np.pi
    odd = np.concatenate([np.zeros((1, poses.shape[1]), bool), np.cumsum(turned, axis=0) % 2 == 1])
    other = poses * (1.0 - 2.0 * np.pi / np.maximum(angle, 1e-9))[..., None]
    return np.where(odd[..., None], other, poses)
