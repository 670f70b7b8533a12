# SPDX-License-Identifier: GPL-3.0-or-later
"""What cleaning leaves of real motion above 4 Hz."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from engine.evaluation.clean import FILTER_GRIDS
from engine.evaluation.corruption import white
from engine.evaluation.metrics import mpjpe
from engine.evaluation.motion_clips import FPS, MotionClip, joints_of, minutes, motion_clips
from engine.evaluation.spectra import energy, spectrum
from engine.evaluation.tables.table import Context, Table
from engine.motion.filters import Filter, from_strength, smooth_rotations
from engine.motion.joints import JOINTS
from engine.motion.windows import continuous
from engine.tasks.clean_body import clean_poses

HERTZ = 4.0
GROUPS: dict[str, tuple[str, ...]] = {
    "hands": ("elbow", "wrist"),
    "feet": ("ankle", "foot"),
    "rest": ("hip", "knee", "spine1", "spine2", "spine3", "neck", "head", "collar", "shoulder"),
}
ALL = "all"
KEPT, FOLLOWED, LEFT = "kept %", "followed %", "off %"
COLUMNS = (*(f"{group} {what}" for what in (KEPT, FOLLOWED) for group in (ALL, *GROUPS)), f"{ALL} {LEFT}")
NOISE_DEGREES, TUNED_DEGREES = 2.0, 5.0
TUNING_SEED = 1000
SPLITS = ("test", "test_other")
SHORTEST = 60  # frames
TUNING_EVERY = 4  # of the clips of the validation split

Method = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
"""Rotations (T, 22, 4) cleaned, given those, the path (T, 3) and a seed."""


def members(group: str) -> np.ndarray:
    """(21,) bool, the body joints of a group."""
    if group == ALL:
        return np.ones(len(JOINTS) - 1, bool)
    return np.array([joint.split("_")[-1] in GROUPS[group] for joint in JOINTS[1:]])


def tuned(clips: list[MotionClip]) -> float:
    """Cut-off in hertz of the Butterworth with the least joint error on white noise of 5 degrees."""
    rng = np.random.default_rng(TUNING_SEED)
    noisy = [white(TUNED_DEGREES)(clip.quat, FPS, rng) for clip in clips]
    truth = [joints_of(clip.quat, clip.path) for clip in clips]

    def error(hertz: float) -> float:
        chosen = Filter("butterworth", hertz)
        found = [
            joints_of(smooth_rotations(q, FPS, chosen), c.path) for q, c in zip(noisy, clips, strict=True)
        ]
        return mpjpe(np.concatenate(found), np.concatenate(truth))

    return min(FILTER_GRIDS["butterworth"], key=error)


def methods(context: Context) -> dict[str, Method]:
    """What is compared."""

    def learned(prior: str) -> Method:
        return lambda quat, path, seed: (
            clean_poses(quat, path, FPS, 1.0, seed, context.device, None, prior=prior).quat
        )

    def filtered(hertz: float) -> Method:
        return lambda quat, path, seed: smooth_rotations(quat, FPS, Filter("butterworth", hertz))

    hertz = tuned(motion_clips(context.data / "val", SHORTEST, every=TUNING_EVERY))
    usual = from_strength("butterworth", 1.0).parameter
    return {
        "input": lambda quat, path, seed: quat,
        "wiener": learned("none"),
        "motion prior": learned("motion"),
        f"butterworth {hertz:g} Hz, tuned": filtered(hertz),
        f"butterworth {usual:g} Hz, strength 1": filtered(usual),
    }


def energies(method: Method, clips: list[MotionClip], noise: float, seed: int) -> np.ndarray:
    """(3, 21) `energy` of the body joints after cleaning, over all clips, with white noise of so many degrees."""
    total = np.zeros((3, len(JOINTS) - 1))
    for clip in clips:
        quat = clip.quat
        if noise:
            rng = np.random.default_rng([seed, clip.number])
            quat = continuous(white(noise)(quat, FPS, rng))
        cleaned = continuous(method(quat, clip.path, seed))
        total += energy(spectrum(cleaned[:, 1:], FPS, HERTZ), spectrum(clip.quat[:, 1:], FPS, HERTZ))
    return total


def detail(context: Context) -> Table:
    """Energy kept above 4 Hz, of captures as they are and under noise."""
    rows: dict[str, dict[str, list[float]]] = {}
    words = []
    compared = methods(context)
    for split in SPLITS:
        clips = motion_clips(context.data / split, SHORTEST, every=context.scale)
        words.append(f"{split}: {len(clips)} clips, {minutes(clips):.1f} minutes")
        for name, method in compared.items():
            row: dict[str, list[float]] = {column: [] for column in COLUMNS}
            true, found, _ = energies(method, clips, 0.0, 0)
            for group in (ALL, *GROUPS):
                own = members(group)
                row[f"{group} {KEPT}"].append(100.0 * float(found[own].sum() / true[own].sum()))
            for seed in range(context.seeds):
                true, found, common = energies(method, clips, NOISE_DEGREES, seed)
                for group in (ALL, *GROUPS):
                    own = members(group)
                    row[f"{group} {FOLLOWED}"].append(100.0 * float(common[own].sum() / true[own].sum()))
                off = found.sum() - 2.0 * common.sum() + true.sum()
                row[f"{ALL} {LEFT}"].append(100.0 * float(off / true.sum()))
            rows[f"{split}: {name}"] = row
            print(f"  detail: {split}, {name}", file=sys.stderr)
    return Table(
        "detail",
        f"Motion above {HERTZ:g} Hz after cleaning",
        f"Clips of at least {SHORTEST / FPS:g} s at {FPS:g} fps ({'; '.join(words)}), with root and path. Energy of "
        f"the local angular velocities of the 21 body joints above {HERTZ:g} Hz, summed over joints and clips; hands "
        "are elbows and wrists, feet are ankles and balls. Kept: energy of the cleaned capture over that of the "
        f"capture. Of 2° noise: the same clips with white noise of {NOISE_DEGREES:g} degrees per axis on the body "
        "joints. Followed: coefficient of the regression of the cleaned on the true fast motion, so that noise left "
        "over does not count. Off: energy of cleaned minus true over that of the truth. Spread over seeds of the "
        "noise. The tuned Butterworth has the least joint error on the validation split under white noise of "
        f"{TUNED_DEGREES:g} degrees.",
        COLUMNS,
        rows,
        notes="Captures carry noise of their own above 4 Hz, wrists and balls of the feet most; what is taken from "
        "them is not all motion.",
    )
