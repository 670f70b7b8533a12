# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the joints of the bundled body's mean shape are: numbers, so that posing it needs no body package."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from engine.motion.joints import JOINTS

_FILE = Path(__file__).with_suffix(".json")
"""Joints of mannequin-x 0.3.0 (Apache-2.0), "wooden", SMPL-X mean shape."""


@lru_cache(maxsize=1)
def mean_offsets() -> np.ndarray:
    """(22, 3) float64 rest offsets to the parent joints in metres, read-only; equal to ``bundled().offsets``."""
    rows = json.loads(_FILE.read_text("utf-8"))
    offsets = np.array([rows[joint] for joint in JOINTS])
    offsets.flags.writeable = False
    return offsets
