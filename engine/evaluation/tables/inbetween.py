# SPDX-License-Identifier: GPL-3.0-or-later
"""In-betweening: L2P, L2Q and NPSS over gaps of 5, 15, 30 and 45 frames."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from engine.device import pick_device
from engine.evaluation.gap_windows import CONTEXT, FPS, GapWindows, cut_windows, placed
from engine.evaluation.motion_metrics import l2p, l2q, npss
from engine.evaluation.tables.table import Context, Table
from engine.evaluation.two_key_spline import two_key_spline
from engine.motion.motion import BodyMotion
from engine.motion.tpose import OFFSETS
from engine.priors.weights import load_pose_prior
from engine.tasks.inbetween import InbetweenSettings
from engine.tasks.inbetween import inbetween as fill
from engine.tasks.interpolate import interpolate_pairs

GAPS = (5, 15, 30, 45)
STATISTICS_GAP = 30  # of the training windows that positions are normalised by
METRICS = ("L2P", "L2Q", "NPSS")
COLUMNS = tuple(f"{metric} @ {gap}" for metric in METRICS for gap in GAPS)
STRIDE = 60  # test frames from one window to the next
STATISTICS_STRIDE = 20  # the same, of those training windows

Method = Callable[[GapWindows], GapWindows]


def _zero_velocity(windows: GapWindows) -> GapWindows:
    """The last frame before the gap, held."""
    poses, transl = windows.poses.copy(), windows.transl.copy()
    poses[:, CONTEXT:-1] = poses[:, CONTEXT - 1 : CONTEXT]
    transl[:, CONTEXT:-1] = transl[:, CONTEXT - 1 : CONTEXT]
    return GapWindows(poses, transl)


def _filled(settings: InbetweenSettings) -> Method:
    def method(windows: GapWindows) -> GapWindows:
        clips = [
            fill(BodyMotion(poses, transl, FPS, OFFSETS), windows.keys, settings)
            for poses, transl in zip(windows.poses, windows.transl, strict=True)
        ]
        return GapWindows(np.stack([c.poses for c in clips]), np.stack([c.transl for c in clips]))

    return method


def _latent(device: str) -> Method:
    """The preset "paper", all windows at once."""

    def method(windows: GapWindows) -> GapWindows:
        filled = _filled(InbetweenSettings("linear"))(windows)
        count, length = windows.poses.shape[:2]
        gap = length - CONTEXT - 1
        ends = windows.poses[:, [CONTEXT - 1, length - 1], 1:].reshape(2 * count, -1, 3)
        left = 2 * np.repeat(np.arange(count), gap)
        share = np.tile(np.arange(1, gap + 1) / (gap + 1), count)
        prior = load_pose_prior().to(pick_device(device))
        between = interpolate_pairs(ends, left, left + 1, share, prior)
        filled.poses[:, CONTEXT:-1, 1:] = between.reshape(count, gap, -1, 3)
        return filled

    return method


def _figures(
    found: GapWindows, truth: GapWindows, mean: np.ndarray, std: np.ndarray, gap: int
) -> dict[str, float]:
    inner = slice(CONTEXT, -1)
    (positions, quat), (aim, aim_quat) = placed(found), placed(truth)
    # Signs that do not jump: continuous in the truth, and of the result those of the truth.
    aim_quat = _continuous(aim_quat)
    quat = np.where((quat * aim_quat).sum(axis=-1, keepdims=True) < 0, -quat, quat)
    positions, quat, aim, aim_quat = (array[:, inner] for array in (positions, quat, aim, aim_quat))
    return {
        f"L2P @ {gap}": l2p(positions, aim, mean, std),
        f"L2Q @ {gap}": l2q(quat, aim_quat),
        f"NPSS @ {gap}": npss(quat.reshape(*quat.shape[:2], -1), aim_quat.reshape(*quat.shape[:2], -1)),
    }


def _continuous(quat: np.ndarray) -> np.ndarray:
    """Quaternions (N, W, J, 4) with the sign of each frame nearest to the frame before."""
    flips = (quat[:, 1:] * quat[:, :-1]).sum(axis=-1, keepdims=True) < 0
    sign = np.where(np.cumsum(flips, axis=1) % 2, -1.0, 1.0)
    return np.concatenate([quat[:, :1], quat[:, 1:] * sign], axis=1)


def _methods(context: Context) -> dict[str, list[Method]]:
    """Ways to fill gaps; more than one function where the result depends on the seed."""
    varied = [
        InbetweenSettings("prior", variation=1.0, seed=seed, device=context.device)
        for seed in range(context.seeds)
    ]
    return {
        "zero velocity": [_zero_velocity],
        "linear-slerp": [_filled(InbetweenSettings("linear"))],
        "two-key spline": [two_key_spline],
        "two-key spline, clamped tangents": [lambda windows: two_key_spline(windows, clamped=True)],
        "DPoser, preset paper (latent slerp, linear root)": [_latent(context.device)],
        "DPoser, spline and dynamics": [_filled(InbetweenSettings("motion"))],
        "DPoser, motion prior": [_filled(InbetweenSettings("prior", device=context.device))],
        "DPoser, motion prior, variation 1": [_filled(settings) for settings in varied],
    }


def inbetween(context: Context) -> Table:
    """L2P, L2Q and NPSS of several ways to fill gaps."""
    statistics = placed(cut_windows(context.data / "train", STATISTICS_GAP, STATISTICS_STRIDE))[0]
    mean, std = statistics.mean(axis=(0, 1)), statistics.std(axis=(0, 1))
    rows: dict[str, dict[str, list[float]]] = {}
    counts = []
    for gap in GAPS:
        truth = cut_windows(context.data / "test", gap, STRIDE).thinned(context.scale)
        counts.append(len(truth))
        for name, runs in _methods(context).items():
            row = rows.setdefault(name, {})
            for method in runs:
                for column, value in _figures(method(truth), truth, mean, std, gap).items():
                    row.setdefault(column, []).append(value)
            print(f"  in-betweening: {name}, {gap} frames", file=sys.stderr)
    return Table(
        "inbetween",
        "In-betweening",
        f"Test split (subjects 5, 8, 9, 13; {FPS:g} fps): {CONTEXT} known frames, a gap of {', '.join(map(str, GAPS))} "
        f"frames, one known frame; {', '.join(map(str, counts))} windows, one every {STRIDE} frames. 22 joints of the "
        "bundled mannequin (SMPL-X mean shape), with root and path. Metrics of Harvey et al. 2020 over the gap, on "
        "global positions normalised by mean and standard deviation of training windows (gaps of "
        f"{STATISTICS_GAP}; each window centred, facing +Z where the gap begins), and global quaternions; NPSS on "
        "global quaternions. One value where nothing is random; else mean and spread over seeds.",
        COLUMNS,
        rows,
        notes=NOTES,
    )


NOTES = (
    "The two-key spline is one cubic Hermite curve per coordinate of the log-rotations and of the path, with the "
    "velocity of the last two known frames at its start and the slope between the keys at its end, where nothing "
    "beyond the key is known; clamped tangents keep every coordinate between its keys. A variation is one of the "
    "motions that are possible, the other rows of DPoser are the most likely one: its distance to the truth is "
    "larger by nature. DPoser's paper shows latent slerp on pairs of single poses and prints no figures for motion. "
    "Harvey et al. measure on LaFAN1, another skeleton: their numbers do not compare. The settings of spline and "
    "dynamics were chosen on the validation split."
)
