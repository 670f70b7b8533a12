# SPDX-License-Identifier: GPL-3.0-or-later
"""What an animator's software draws between two keys: one cubic with a tangent at either end.

The first key's tangent is the velocity with which the known frames arrive there; behind the last key nothing is
known, so its tangent points along the straight line between the keys. Of zero, that slope and the natural end, it is
the one with the least L2P on the validation split at gaps of 5 to 30 frames.
"""

from __future__ import annotations

import numpy as np

from engine.evaluation.gap_windows import CONTEXT, GapWindows
from engine.motion.windows import exp_around, log_around, quat_to_rotvec, rotvec_to_quat

CLAMP = 3.0  # times the slope between the keys: with tangents up to that a cubic stays between its ends


def two_key_spline(windows: GapWindows, clamped: bool = False) -> GapWindows:
    """The gaps of windows filled with cubic Hermite curves.

    Rotations are curves of log-rotations around the first key, the path one of positions.

    Args:
        windows: what is in their gaps does not matter.
        clamped: as with auto-clamped handles, no coordinate leaves the range between its two keys.
    """
    quat = rotvec_to_quat(windows.poses[:, [CONTEXT - 2, CONTEXT - 1, -1]])
    first = quat[:, 1]
    before, last = (log_around(first, quat[:, k]) for k in (0, 2))
    gap = windows.poses.shape[1] - CONTEXT - 1
    poses, path = windows.poses.copy(), windows.transl.copy()
    turn = hermite(before, np.zeros_like(before), last, gap, clamped)
    poses[:, CONTEXT:-1] = quat_to_rotvec(exp_around(first[:, None], turn))
    path[:, CONTEXT:-1] = hermite(path[:, CONTEXT - 2], path[:, CONTEXT - 1], path[:, -1], gap, clamped)
    return GapWindows(poses, path)


def hermite(before: np.ndarray, first: np.ndarray, last: np.ndarray, gap: int, clamped: bool) -> np.ndarray:
    """Curves (N, gap, ...) between keys ``first`` and ``last`` (N, ...), with ``before`` a frame before the first."""
    slope = last - first  # per the whole distance between the keys, as the tangent is
    tangent = (gap + 1) * (first - before)
    if clamped:
        tangent = np.where(tangent * slope > 0.0, tangent, 0.0)
        tangent = np.clip(tangent, -CLAMP * np.abs(slope), CLAMP * np.abs(slope))
    s = (np.arange(1, gap + 1) / (gap + 1)).reshape(-1, *[1] * (first.ndim - 1))
    # Cubic in s with that tangent at 0, the slope at 1, and the keys at both ends.
    first, tangent, slope = first[:, None], tangent[:, None], slope[:, None]
    return first + s * slope + s * (1.0 - s) ** 2 * (tangent - slope)
