# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips of real capture out of the indexed splits in ``../shared/data``, on the mannequin's bones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from engine.body import Body
from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def leg(offsets: np.ndarray) -> float:
    """Length in metres of a body's left leg, from the hip to the ankle."""
    bones = [JOINTS.index("left_knee"), JOINTS.index("left_ankle")]
    return float(np.linalg.norm(offsets[bones], axis=1).sum())


def clip(name: str, mannequin: Body) -> BodyMotion:
    """A clip, called ``split/name``, its path as long as the mannequin's legs are."""
    split, own_name = name.split("/")
    index = json.loads((DATA / split / "index.json").read_text(encoding="utf-8"))
    entry = next(entry for entry in index if entry["name"] == own_name)
    with np.load(DATA / split / entry["file"], allow_pickle=False) as arrays:
        own = slice(entry["start"], entry["start"] + entry["length"])
        poses, path = arrays["poses"][own].astype(float), arrays["trans"][own].astype(float)
    path *= leg(mannequin.offsets) / float(entry["leg_len"])
    return BodyMotion(poses, path, float(entry["fps"]), np.asarray(mannequin.offsets, float))
