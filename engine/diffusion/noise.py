# SPDX-License-Identifier: GPL-3.0-or-later
"""Gaussian noise that belongs to an item: the same in any batch, at any place in it and on any device."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

# Constants of SplitMix64 (Steele, Lea, Flood 2014): the golden ratio's fraction and the two mixing multipliers.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class Noise:
    """A stream of standard normal noise for every item, drawn all at once.

    Each number is a hash of (seed of its item, count of the draw, place in the event), so an item's noise does not
    depend on who else is in the batch. SplitMix64 gives the bits, Box and Muller (1958) the normal numbers.

    Args:
        seeds: one per item.
        scale: standard deviation of what is drawn.
    """

    def __init__(self, seeds: Sequence[int] | np.ndarray, scale: float = 1.0) -> None:
        self._scale = np.float32(scale)
        with np.errstate(over="ignore"):
            self._keys = _mixed(np.asarray(seeds).astype(np.uint64) * _GOLDEN + _GOLDEN)
        self._draws = 0

    def __len__(self) -> int:
        return len(self._keys)

    def draw(self, event: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
        """The next noise, (B, *event) float32 on ``device``; it is made on the CPU."""
        size = int(np.prod(event))
        pairs = (size + 1) // 2
        self._draws += 1
        with np.errstate(over="ignore"):
            stream = _mixed(self._keys + np.uint64(self._draws) * _GOLDEN)
            bits = _mixed(stream[:, None] + np.arange(1, pairs + 1, dtype=np.uint64) * _GOLDEN)
        # Upper and lower halves give two uniforms in (0, 1].
        first = ((bits >> np.uint64(32)).astype(np.float64) + 1.0) / 2.0**32
        second = (bits & np.uint64(0xFFFFFFFF)).astype(np.float64) / 2.0**32
        radius, angle = np.sqrt(-2.0 * np.log(first)), 2.0 * np.pi * second
        normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)[:, :size]
        return torch.from_numpy(self._scale * normal.astype(np.float32).reshape(-1, *event)).to(device)


def _mixed(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * _MIX[0]
    z = (z ^ (z >> np.uint64(27))) * _MIX[1]
    return z ^ (z >> np.uint64(31))
