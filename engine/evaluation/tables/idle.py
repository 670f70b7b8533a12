# SPDX-License-Identifier: GPL-3.0-or-later
"""Idles against people who stand: feet, seam, liveliness and plausibility."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace

import numpy as np

from engine.body import posed
from engine.evaluation.standing_metrics import BANDS, acceleration, seam, speed
from engine.evaluation.tables.table import Context, Table
from engine.motion.motion import BodyMotion
from engine.motion.tpose import OFFSETS
from engine.tasks.generate import GenerateSettings, generate
from engine.tasks.grounded import grounded
from engine.tasks.idle import IdleSettings, idle
from engine.tasks.leg import LEGS
from engine.tasks.score import ScoreSettings, score
from engine.tasks.stance import Stance
from engine.training.standing import CALM, Standing, standing_windows

FPS = 30.0
WINDOW_SECONDS = 2.0
LOOP_SECONDS = 8.0
CAPTURED, SAMPLED = 24, 12  # start poses
FROM_CAPTURES, FROM_SAMPLES = "idle, captured poses", "idle, sampled poses"
SPLITS = ("train", "train_more", "val", "test", "test_other")
UNSEEN = ("val", "test", "test_other")
LOWER, UPPER = 5.0, 95.0  # percentiles of real windows that bound the range
LEAST_PLAUSIBLE = 10.0  # percentile of real windows that plausibility must not fall under

SPEED = "speed mm/s"
ACCELERATIONS = tuple(f"acc {low:g}-{high:g} Hz mm/s²" for low, high in BANDS)
PLAUSIBILITY = "plausibility"
LIVELINESS = (SPEED, *ACCELERATIONS)
COLUMNS = (
    *LIVELINESS, PLAUSIBILITY, "start", "in range %", "plausible %", "drift mm", "seam mm", "seam step", "seam jerk",
    "s per loop",
)  # fmt: skip


@dataclass(frozen=True)
class _Real:
    """What people are like who stand.

    Attributes:
        lively: (N, 5) figures of `LIVELINESS` of calm windows.
        plausible: (M,) plausibilities of windows of people that the priors have not seen.
    """

    lively: np.ndarray
    plausible: np.ndarray

    def row(self, percentile: float) -> dict[str, list[float]]:
        """One percentile of every figure."""
        values = [*np.percentile(self.lively, percentile, axis=0), np.percentile(self.plausible, percentile)]
        return {name: [float(v)] for name, v in zip((*LIVELINESS, PLAUSIBILITY), values, strict=True)}

    def within(self, figures: np.ndarray) -> float:
        """Per cent of figures (N, 5) that lie in the range of the real ones."""
        low, high = np.percentile(self.lively, (LOWER, UPPER), axis=0)
        return float(100.0 * ((figures >= low) & (figures <= high)).mean())

    def likely(self, values: np.ndarray) -> float:
        """Per cent of plausibilities (N,) that are not under the lower end of the real ones."""
        return float(100.0 * (values >= np.percentile(self.plausible, LEAST_PLAUSIBLE)).mean())


def idle_table(context: Context) -> Table:
    """Figures of idles from captured poses and from samples of the pose prior, beside those of real windows.

    Raises:
        FileError: a split is not there. WeightsError, DeviceError: as `idle`.
    """
    real = _real(context)
    starts = {FROM_CAPTURES: _captured(context), FROM_SAMPLES: _sampled(context)}
    rows = {f"real, {p:g}th percentile": real.row(p) for p in (LOWER, LEAST_PLAUSIBLE, 50.0, UPPER)}
    for name, poses in starts.items():
        for seed in range(context.seeds):
            for column, value in _figures(poses, IdleSettings(seed=seed, device=context.device), real).items():
                rows.setdefault(name, {}).setdefault(column, []).append(value)
            print(f"  {name}: seed {seed + 1} of {context.seeds}", file=sys.stderr)
    return Table(
        "idle",
        "Idle loops",
        f"Real: {len(real.lively)} windows of {WINDOW_SECONDS:g} s, overlapping by three quarters, of all splits "
        f"({', '.join(SPLITS)}; {FPS:g} fps) in which ankles and balls of both feet stay in place within 3 cm, both "
        f"feet are on one level, the pelvis is up and the hands stay within {100 * CALM:g} cm of their middles; their "
        f"plausibility is of the {len(real.plausible)} such windows of {', '.join(UNSEEN)}, whatever the hands do, as "
        f"nearly all people of train score 1. Idles: loops of {LOOP_SECONDS:g} s at {FPS:g} fps from "
        f"{len(starts[FROM_CAPTURES])} poses of the test split in which feet rest (hands may do anything), and from "
        f"{len(starts[FROM_SAMPLES])} samples of the pose prior that stand on both feet; cut into the same windows. "
        "Bundled mannequin, 22 joints. Spectra that the idles are drawn from are of the training split. Mean and "
        "spread over seeds.",
        COLUMNS,
        rows,
        notes=NOTES,
    )


def _real(context: Context) -> _Real:
    def windows(splits: tuple[str, ...], calm: float) -> list[Standing]:
        there = [context.data / split for split in splits if (context.data / split).is_dir()]
        found = [w for folder in there for w in standing_windows(folder, WINDOW_SECONDS, calm, share_alike=True)]
        return found[:: context.scale]

    lively = np.stack([_lively(window.joints) for window in windows(SPLITS, CALM)])
    unseen = windows(UNSEEN, np.inf)
    poses = np.concatenate([window.motion.poses for window in unseen])
    return _Real(lively, np.median(_plausible(poses, context.device).reshape(len(unseen), -1), axis=1))


def _lively(joints: np.ndarray) -> np.ndarray:
    return np.array([speed(joints, FPS), *acceleration(joints, FPS)])


def _plausible(poses: np.ndarray, device: str) -> np.ndarray:
    return score(poses, ScoreSettings(device=device)).pose


def _captured(context: Context) -> list[BodyMotion]:
    """Frames of the test split in which both feet rest, as many of each clip as can be."""
    by_clip: dict[int, list[Standing]] = {}
    for window in standing_windows(context.data / "test", WINDOW_SECONDS, calm=np.inf):
        by_clip.setdefault(window.clip, []).append(window)
    each = -(-CAPTURED // len(by_clip))
    chosen = [
        windows[n]
        for windows in by_clip.values()
        for n in np.unique(np.linspace(0, len(windows) - 1, each).round().astype(int))
    ]
    return [
        replace(window.motion, poses=window.motion.poses[:1], transl=window.motion.transl[:1])
        for window in chosen[:: context.scale]
    ]


def _sampled(context: Context) -> list[BodyMotion]:
    """Samples of the pose prior that stand on both feet, upright."""
    poses = generate(20 * SAMPLED, GenerateSettings(device=context.device))
    rest = BodyMotion(np.zeros((1, 22, 3)), np.array([[0.0, 0.95, 0.0]]), FPS, OFFSETS)
    body = grounded(rest, poses)
    each = (replace(body, poses=body.poses[[n]], transl=body.transl[[n]]) for n in range(len(body)))
    standing = [one for one in each if (stance := Stance.of(one)).stands and len(stance.bearing) == 2]
    return standing[:SAMPLED][:: context.scale]


def _figures(starts: list[BodyMotion], settings: IdleSettings, real: _Real) -> dict[str, float]:
    """Figures of the idles from some poses, by column."""
    begin = time.monotonic()
    loops = [idle(start, LOOP_SECONDS, settings) for start in starts]
    seconds = (time.monotonic() - begin) / len(loops)
    length = round(WINDOW_SECONDS * FPS)
    lively, plausible, drift, seams = [], [], [], []
    for loop in loops:
        joints = posed(loop)[0]
        lively += [_lively(joints[b : b + length]) for b in range(0, len(joints) - length + 1, length // 2)]
        plausible.append(float(np.median(_plausible(loop.poses, settings.device))))
        drift.append(1000.0 * float(np.linalg.norm(joints - joints[0], axis=-1)[:, _bearing(loop)].max()))
        seams.append(seam(joints))
    figures = np.stack(lively)
    gaps, steps, jerks = np.array(seams).T
    return {
        **dict(zip(LIVELINESS, figures.mean(axis=0).tolist(), strict=True)),
        PLAUSIBILITY: float(np.median(plausible)),
        "in range %": real.within(figures),
        "plausible %": real.likely(np.array(plausible)),
        "start": float(np.median(_plausible(np.concatenate([start.poses for start in starts]), settings.device))),
        "drift mm": max(drift),
        "seam mm": float(gaps.max()),
        "seam step": float(steps.mean()),
        "seam jerk": float(jerks.mean()),
        "s per loop": seconds,
    }


def _bearing(loop: BodyMotion) -> list[int]:
    """Ankles and balls of the feet that are on the floor."""
    first = replace(loop, poses=loop.poses[:1], transl=loop.transl[:1])
    return [joint for name in Stance.of(first).bearing for joint in LEGS[name][2:]]


NOTES = (
    "Speed: mean of all joints. Acc: root mean square acceleration of all joints within a band. Plausibility: of the "
    "median frame of a window or loop, median over loops (`engine.tasks.score`); start: of the poses that the loops "
    "set out from. In range: share of the figures of all windows, speed and bands, between the "
    f"{LOWER:g}th and {UPPER:g}th percentile of real windows. Plausible: share of loops not under the "
    f"{LEAST_PLAUSIBLE:g}th percentile of real windows. Drift: the farthest that an ankle or ball of a foot on the "
    "floor ever gets from its place, worst of all loops. Seam: the farthest that a joint's last place is from its "
    "first, worst of all; seam step: the speed of joints over the seam against the loop's median; seam jerk: the "
    "change of velocity over the seam against the median change from frame to frame."
)
