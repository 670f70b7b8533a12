# SPDX-License-Identifier: GPL-3.0-or-later
"""How plausible the motion of each armature was found to be; gone when Blender quits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..engine.motion.joints import JOINTS
from .by_uid import ByUid
from .drawing.scale import ODD, RARE, oddness
from .drawing.segments import Segment
from .staleness import State

_KEPT = 20


class Moment(NamedTuple):
    """A moment to look at.

    Attributes:
        row: its row among the scored frames.
        plausibility: of the pose, 0 to 1.
        joint: the one that is oddest, as the engine names it.
    """

    row: int
    plausibility: float
    joint: str


@dataclass
class Scores:
    """The plausibility of an armature's motion, T frames.

    Attributes:
        armature: its name.
        state: of the animation that was scored.
        frames: (T,) float64 ascending, frames of the scene.
        pose: (T,) 0 to 1.
        joints: (T, 21) 0 to 1, of the body's joints without the pelvis.
        damaged: (T,) whether the capture holds samples that are no measurements.
        damage: share of such samples, 0 to 1.
        noise: on the others, degrees.
        bones: body joint -> the bones that are turned to change it.
        segments: lines that stand for the joints in the viewport.
        moments: worst first, half a second apart.
        stale: whether the animation has changed since.
        place: which of `worst` was jumped to last; None for none.
        odd: (T,) the pose's `oddness`, which is drawn.
    """

    armature: str
    state: State
    frames: np.ndarray
    pose: np.ndarray
    joints: np.ndarray
    damaged: np.ndarray
    damage: float
    noise: float
    bones: Mapping[str, tuple[str, ...]]
    segments: tuple[Segment, ...]
    moments: tuple[Moment, ...]
    stale: bool = False
    place: int | None = None

    def __post_init__(self) -> None:
        self.odd = oddness(self.pose)

    @property
    def worst(self) -> tuple[Moment, ...]:
        """The moments that are worth a look: those that are rare, or the worst one where none is."""
        return tuple(m for m in self.moments if m.plausibility < RARE) or self.moments[:1]

    @property
    def median(self) -> float:
        """Of the poses' plausibility."""
        return float(np.median(self.pose))

    def oddest(self, row: int) -> list[str]:
        """The joints that are odd on a frame, the oddest first; the oddest one at least."""
        joints = self.joints[row]
        order = np.argsort(joints, kind="stable")
        count = max(1, int((joints < ODD).sum()))
        return [JOINTS[1 + int(joint)] for joint in order[:count]]

    def row(self, frame: float) -> int | None:
        """The row of a frame of the scene, or of the nearest one less than half a frame away; None outside."""
        nearest = int(np.abs(self.frames - frame).argmin())
        return nearest if abs(self.frames[nearest] - frame) <= 0.5 else None


_scores: ByUid[Scores] = ByUid(_KEPT)
remember, recall, forget, forget_all, kept = _scores.keep, _scores.of, _scores.drop, _scores.clear, _scores.items
"""Keep, give and drop the scores for the armature of a ``session_uid``; drop and list those of all."""
