# SPDX-License-Identifier: GPL-3.0-or-later
"""What the motion prior owes to what it is told, to varied clips, and to the number of performers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from engine.evaluation.corruption import KINDS
from engine.evaluation.metrics import mpjpe
from engine.evaluation.motion_clips import FPS, MotionClip, Weighed, joints_of, mean, minutes, motion_clips
from engine.evaluation.motion_variants import (
    NONE,
    FrameByFrame,
    MotionVariant,
    TrainedVariant,
    Unjudged,
    size_words,
    trained,
)
from engine.evaluation.tables.table import Context, Table
from engine.tasks.clean_motion import better
from engine.tasks.wiener import Smoothed, smooth_body
from engine.training.motion_bank import FAMILIES, Augmentation

FULL, REFERENCE = "full", "reference"
VARIANTS: dict[str, MotionVariant] = {
    FULL: MotionVariant(),
    "without quality": MotionVariant(Unjudged),
    "per frame only": MotionVariant(FrameByFrame),
    "without joint positions": MotionVariant(posed=False),
    "without any augmentation": MotionVariant(augmentation=NONE),
    "without mirroring": MotionVariant(augmentation=Augmentation(mirror=False)),
    "without time warp": MotionVariant(augmentation=Augmentation(warp=False)),
    "without recombination": MotionVariant(augmentation=Augmentation(recombine=False)),
    "without misfit": MotionVariant(augmentation=Augmentation(misfit=False)),
    "25 % of the subjects": MotionVariant(subjects=0.25),
    "50 % of the subjects": MotionVariant(subjects=0.5),
    "without train_more (HDM05 and others)": MotionVariant(folders=("train",)),
}
FAULTS = ("white 5 deg", "correlated 5 deg", "drop-outs")
EVERY = 8  # of the test clips
SHORTEST = 60  # frames
SUBJECTS, LENGTH = "subjects", "minutes"
VALIDATION = {f"{family}, val mm": family for family in FAMILIES}
COLUMNS = (SUBJECTS, LENGTH, *VALIDATION, *(f"{fault}, test mm" for fault in FAULTS))


class Case(NamedTuple):
    """A faulty clip: the truth, its rotations (T, 22, 4) with faults, and what the smoother makes of them."""

    clip: MotionClip
    quat: np.ndarray
    smoothed: Smoothed


def still(clip: MotionClip) -> MotionClip:
    """The clip without root orientation and path, as Clean Motion is measured."""
    quat = clip.quat.copy()
    quat[:, 0] = [1.0, 0.0, 0.0, 0.0]
    return MotionClip(quat, np.zeros_like(clip.path), clip.number)


def cases(clips: list[MotionClip], fault: str, seed: int) -> list[Case]:
    """Clips with a fault of `FAULTS`."""
    made = []
    for clip in clips:
        rng = np.random.default_rng([seed, FAULTS.index(fault), clip.number])
        quat = KINDS[fault](clip.quat, FPS, rng)
        made.append(Case(clip, quat, smooth_body(quat, clip.path, FPS)))
    return made


def error(taken: list[Case], clean: Callable[[Case], np.ndarray]) -> float:
    """Mean joint error in mm of cleaned rotations (T, 22, 4)."""
    return mean(
        Weighed(mpjpe(*(joints_of(quat, c.clip.path) for quat in (clean(c), c.clip.quat))), len(c.clip))
        for c in taken
    )


def motion_training(context: Context) -> Table:
    """Mean joint errors of small motion priors that differ in one choice."""
    clips = [still(c) for c in motion_clips(context.data / "test", SHORTEST, every=EVERY * context.scale)]
    rows: dict[str, dict[str, list[float]]] = {REFERENCE: {}, **{name: {} for name in VARIANTS}}
    for seed in range(context.seeds):
        faulty = {fault: cases(clips, fault, seed) for fault in FAULTS}
        for fault, taken in faulty.items():
            _add(rows[REFERENCE], f"{fault}, test mm", error(taken, lambda c: c.smoothed.quat))
        for name, variant in VARIANTS.items():
            own = trained(variant, seed, context.data)
            row = rows[name]
            for column, family in VALIDATION.items():
                rows[REFERENCE][column] = [own.log[f"{family}_ref"]]
                _add(row, column, own.log[f"{family}_est"])
            for fault, taken in faulty.items():
                clean = partial(cleaned, own=own, device=context.device)
                _add(row, f"{fault}, test mm", error(taken, clean))
            learned = variant.clips(context.data)
            row[SUBJECTS] = [float(len({clip.subject for clip in learned}))]
            row[LENGTH] = [sum(len(clip.poses) for clip in learned) / FPS / 60.0]
            said = ", ".join(f"{column} {row[column][-1]:.2f}" for column in COLUMNS)
            said += f"; trained in {own.log['seconds']:.0f} s"
            print(f"  {name}, seed {seed}: {said}", file=sys.stderr, flush=True)
    return Table(
        "motion_training",
        "What the motion prior owes to its conditions, to augmentation and to data",
        f"{size_words(VARIANTS[FULL].folders)} Compare rows with each other, not with the bundled prior: that is "
        "larger and trained for longer. Val: mean error of 22 joints on the windows of damaged clips by which training "
        "is watched, of performers that are in no training folder: clean has noise and damage, between has keys alone, "
        f"missing lacks limbs. Test: {len(clips)} clips, every {EVERY * context.scale}th of the test split (subjects "
        f"5, 8, 9, 13; {FPS:g} fps; {minutes(clips):.1f} minutes), root at rest, with the faults of Clean Motion, "
        "cleaned by the motion prior alone, without the pose prior. Reference: what every row starts from, without a "
        "network: on the test clips the Wiener smoother. Without quality: what is known, its noise and its deviation "
        "are hidden. Per frame only: every frame is a window of its own. Augmentations: mirroring, time warp, "
        "recombination of upper and lower bodies, misfit (every joint off by a constant rotation of its own); heading "
        "needs none, the prior does not see it. Subjects and minutes: of the clips before augmentation. Spread over "
        "seeds, of training and of the faults; the examples trained on are the same.",
        COLUMNS,
        rows,
        notes=NOTES,
    )


NOTES = (
    "All rows share the smoother's spectra and the Gaussian of poses that come with the engine, learned from all "
    "training folders: what fewer performers cost is what they cost the network."
)


def cleaned(case: Case, own: TrainedVariant, device: str) -> np.ndarray:
    """Rotations (T, 22, 4) as the motion prior cleans them."""
    return better(case.smoothed, case.quat, case.clip.path, FPS, 1.0, own.prior, device)[1].quat


def _add(row: dict[str, list[float]], column: str, value: float) -> None:
    row.setdefault(column, []).append(value)
