# SPDX-License-Identifier: GPL-3.0-or-later
"""Keypoints at other times than those of their frames."""

from __future__ import annotations

import numpy as np

_SAME = 1e-6  # frames


def sampled(
    pixels: np.ndarray, confidence: np.ndarray, sigma: np.ndarray | None, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Keypoints between frames: pixels (R, K, 2), confidence (R, K) and sigma (R, K), if there is any.

    Between two frames a joint is seen that both show, and outside of all none is.

    Args:
        pixels: (T, K, 2); confidence: (T, K) from 0, not seen, to 1; sigma: (T, K) standard deviations, or None.
        rows: (R,) which of their frames, from 0, whole or not.
    """
    last = len(pixels) - 1
    inside = (rows >= -_SAME) & (rows <= last + _SAME)
    at = np.clip(rows, 0.0, last)
    left = np.minimum(np.floor(at + _SAME).astype(int), last)
    share = np.maximum(at - left, 0.0)
    right = np.where(share > _SAME, np.minimum(left + 1, last), left)

    def between(values: np.ndarray) -> np.ndarray:
        part = share.reshape(-1, *[1] * (values.ndim - 1))
        mixed: np.ndarray = values[left] + part * (values[right] - values[left])
        return mixed

    seen = (confidence[left] > 0) & (confidence[right] > 0) & inside[:, None]
    deviations = None if sigma is None else between(sigma)
    return between(pixels), np.where(seen, between(confidence), 0.0), deviations
