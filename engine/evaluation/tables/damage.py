# SPDX-License-Identifier: GPL-3.0-or-later
"""Which joint-frames are damaged: the rules alone, and with the motion prior."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.evaluation.corruption import clean, white
from engine.evaluation.motion_clips import FPS, MotionClip, minutes, motion_clips
from engine.evaluation.tables.table import Context, Table
from engine.motion import bvh
from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion
from engine.motion.retarget import to_body
from engine.motion.rigs import find_map
from engine.motion.tpose import OFFSETS
from engine.motion.windows import continuous, log_around, quat_to_rotvec, rotvec_to_quat
from engine.tasks.clean_motion import DAMAGED
from engine.tasks.quality import quality
from engine.tasks.wiener import smooth_body
from engine.training.damage import LEAST_DAMAGE, dropped_frames, losses, spikes, swaps

KINDS = {"spikes": spikes, "losses": losses, "swaps": swaps, "dropped frames": dropped_frames}
NOISES = {"no noise": clean, "2° noise": white(2.0)}
SHORTEST = 30  # frames
LEAST_TOUCH = 1e-4  # radians; nearer to the truth, no fault has touched a joint
RULES, PRIOR = "rules", "score"

FIGURES = ("precision", "recall", "F1")
FALSE = "flagged per 1000"
ELBOWS, OTHERS = "elbows flagged %", "others flagged %"
COLUMNS = (*(f"{figure}, {noise}" for noise in NOISES for figure in FIGURES), FALSE, ELBOWS, OTHERS)

DEFECT = "cmu_13_18.bvh"  # elbows bent backwards in every frame
HEALTHY = ("cmu_13_19.bvh", "cmu_13_26.bvh")  # of the same subject
ELBOW = np.array([name in ("left_elbow", "right_elbow") for name in JOINTS[1:]])

Flags = dict[str, np.ndarray]
"""Method -> (T, 21) bool, joint-frames that it calls damaged."""


class Counts(NamedTuple):
    """Joint-frames flagged rightly, flagged wrongly, and missed."""

    right: int
    wrong: int
    missed: int

    def figures(self) -> tuple[float, float, float]:
        """Precision, recall and F1; 0 where nothing is flagged or nothing is damaged."""
        precision = self.right / max(1, self.right + self.wrong)
        recall = self.right / max(1, self.right + self.missed)
        both = 2 * self.right + self.wrong + self.missed
        return precision, recall, 2 * self.right / max(1, both)

    def plus(self, other: Counts) -> Counts:
        """The sum."""
        return Counts(self.right + other.right, self.wrong + other.wrong, self.missed + other.missed)


def flags(quat: np.ndarray, path: np.ndarray, fps: float, device: str) -> Flags:
    """What rules alone, and ``score``, call damaged in rotations (T, 22, 4) along a path (T, 3)."""
    start = continuous(quat)
    ruled = ~smooth_body(start, path, fps).known[:, 1:22]
    judged = quality(BodyMotion(quat_to_rotvec(start), path, fps, OFFSETS), device)
    return {RULES: ruled, PRIOR: judged.damaged[:, 1:]}


def counted(flagged: np.ndarray, away: np.ndarray) -> Counts:
    """Counts of flagged joint-frames (T, 21) that are ``away`` (T, 21) radians from the truth.

    What a fault moved by less than `LEAST_DAMAGE` counts neither way.
    """
    damaged, sound = away > LEAST_DAMAGE, away < LEAST_TOUCH
    return Counts(
        int((flagged & damaged).sum()), int((flagged & sound).sum()), int((~flagged & damaged).sum())
    )


def simulated(
    clips: list[MotionClip], kind: str, noise: str, seed: int, flag: Callable[..., Flags]
) -> dict[str, Counts]:
    """Counts by method, of clips damaged in one way."""
    totals = {RULES: Counts(0, 0, 0), PRIOR: Counts(0, 0, 0)}
    for clip in clips:
        rng = np.random.default_rng([seed, list(KINDS).index(kind), clip.number])
        quat, path = KINDS[kind](clip.quat, clip.path, FPS, rng)
        away = np.linalg.norm(log_around(clip.quat[:, 1:], quat[:, 1:]), axis=-1)
        for method, flagged in flag(NOISES[noise](quat, FPS, rng), path, FPS).items():
            totals[method] = totals[method].plus(counted(flagged, away))
    return totals


def damage(context: Context) -> Table:
    """Precision, recall and F1 of damage, false alarms on captures, and a capture with a real defect."""

    def flag(quat: np.ndarray, path: np.ndarray, fps: float) -> Flags:
        return flags(quat, path, fps, context.device)

    rows: dict[str, dict[str, list[float]]] = {}
    clips = motion_clips(context.data / "test", SHORTEST, every=context.scale)
    for kind in KINDS:
        for noise in NOISES:
            for seed in range(context.seeds):
                for method, counts in simulated(clips, kind, noise, seed, flag).items():
                    row = rows.setdefault(f"{kind}: {method}", {})
                    for figure, value in zip(FIGURES, counts.figures(), strict=True):
                        row.setdefault(f"{figure}, {noise}", []).append(value)
            print(f"  damage: {kind}, {noise}", file=sys.stderr)
    for split in ("test", "test_other"):
        captures = motion_clips(context.data / split, SHORTEST, every=context.scale)
        found = [flag(clip.quat, clip.path, FPS) for clip in captures]
        for method in (RULES, PRIOR):
            share = np.concatenate([f[method] for f in found]).mean()
            rows[f"{split} as captured: {method}"] = {FALSE: [1000.0 * float(share)]}
        print(f"  damage: {split} as captured", file=sys.stderr)
    for name in (DEFECT, *HEALTHY):
        for method, shares in of_file(context.data / "bvh_test" / name, flag).items():
            rows[f"{name}: {method}"] = {column: [value] for column, value in shares.items()}
        print(f"  damage: {name}", file=sys.stderr)
    return Table(
        "damage",
        "Damaged joint-frames found",
        f"{len(clips)} clips of the test split (subjects 5, 8, 9, 13; {FPS:g} fps; {minutes(clips):.1f} minutes), with "
        "root and path, damaged by the simulator that the motion prior is trained on, one kind at a time; a joint-frame"
        f" of the 21 body joints is damaged where it is more than {np.rad2deg(LEAST_DAMAGE):.0f} degrees off, and "
        "where a fault moved it by less it counts neither way. 2° noise: white, per axis, over the damage. Precision, "
        "recall and F1 of all joint-frames together; spread over seeds. Rules: what the smoother rejects; "
        f"score: also what the motion prior calls damaged with a probability over {DAMAGED:g}, limbs taken for each "
        "other, and elbows and knees that bend backwards. Flagged per 1000: joint-frames of "
        f"captures as they are. {DEFECT} (120 fps) has its elbows bent backwards in every frame; "
        f"{' and '.join(HEALTHY)} are sound clips of the same subject.",
        COLUMNS,
        rows,
        notes="Captures hold some damage of their own, so that what is flagged in them is not all false.",
    )


def of_file(path: Path, flag: Callable[..., Flags]) -> dict[str, dict[str, float]]:
    """Percentages of elbow frames, and of the other joints' frames, that each method flags in a BVH file.

    Raises:
        FileError, MappingError: the file cannot be read or its rig is not known.
    """
    motion = bvh.read(path).motion
    body = to_body(motion, find_map(motion.skeleton))
    found = flag(continuous(rotvec_to_quat(body.poses)), body.transl, body.fps)
    return {
        method: {
            ELBOWS: 100.0 * float(flagged[:, ELBOW].mean()),
            OTHERS: 100.0 * float(flagged[:, ~ELBOW].mean()),
        }
        for method, flagged in found.items()
    }
