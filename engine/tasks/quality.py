# SPDX-License-Identifier: GPL-3.0-or-later
"""How good a capture is: which samples are no measurements, and how much noise lies on the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion
from engine.motion.windows import continuous, rotvec_to_quat
from engine.priors.motion_weights import load_motion_prior
from engine.tasks.clean_motion import DAMAGED, better
from engine.tasks.mixed_up import mended
from engine.tasks.steps import OnStep, Stage, within
from engine.tasks.wiener import smooth_body

LEFT_OUT = DAMAGED + 1e-6


@dataclass(frozen=True)
class Quality:
    """The quality of a capture.

    Attributes:
        damage: (T, 22) probability that a joint's sample is no measurement, above `DAMAGED` where Clean Motion leaves
            it out.
        noise: (22,) standard deviation per axis of the noise on the others, radians.
    """

    damage: np.ndarray
    noise: np.ndarray

    @property
    def damaged(self) -> np.ndarray:
        """(T, 22) bool, what Clean Motion leaves out."""
        return self.damage > DAMAGED

    def worst_joints(self, count: int) -> list[tuple[str, float]]:
        """Joints with the largest share of damaged frames, and the shares."""
        share = self.damaged.mean(axis=0)
        order = np.argsort(-share, kind="stable")[:count]
        return [(JOINTS[j], float(share[j])) for j in order if share[j] > 0]


def quality(motion: BodyMotion, device: str = "auto", on_step: OnStep | None = None) -> Quality:
    """Judge a clip as Clean Motion does before it cleans.

    Args:
        motion: the clip.
        device: auto, cpu, cuda or mps.
        on_step: told (done, total, stage); stops the work by raising.

    Raises:
        WeightsError, DeviceError: as named.
    """
    prior = load_motion_prior()
    quat, frames = continuous(rotvec_to_quat(motion.poses)), len(motion)

    mixed_up = mended(quat, motion.fps)
    quat = mixed_up.quat
    smoothed = smooth_body(quat, motion.transl, motion.fps, on_step=within(on_step, 0.5))
    stage = Stage(on_step, frames, 0.5, 1.0, "Looking for damage")
    smoothed, found = better(smoothed, quat, motion.transl, motion.fps, 1.0, prior, device, stage)
    damage = np.where(smoothed.known[:, :22], np.minimum(found.damage, DAMAGED), np.maximum(found.damage, LEFT_OUT))
    damage[mixed_up.wrong] = 1.0
    return Quality(damage, smoothed.noise[:22])
