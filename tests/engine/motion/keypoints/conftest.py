# SPDX-License-Identifier: GPL-3.0-or-later
"""Two people who walk past each other, as every detector would see them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SIZE = (1280, 720)
FRAMES = 8
# Where the body's points are in an upright person of height 1, from the middle of the hips; x to the image's right.
FIGURE = {
    "nose": (0.02, -0.40), "neck": (0.0, -0.30), "pelvis": (0.0, 0.0), "spine": (0.0, -0.15), "head_top": (0.0, -0.48),
    "left_shoulder": (0.10, -0.30), "right_shoulder": (-0.10, -0.30), "left_elbow": (0.14, -0.16),
    "right_elbow": (-0.13, -0.17), "left_wrist": (0.16, -0.02), "right_wrist": (-0.17, -0.03), "left_hip": (0.06, 0.0),
    "right_hip": (-0.06, 0.0), "left_knee": (0.07, 0.24), "right_knee": (-0.05, 0.23), "left_ankle": (0.08, 0.46),
    "right_ankle": (-0.09, 0.47),
}  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """The two people's points: pixels and confidence by person, frame and name."""

    def at(self, person: int, frame: int, name: str) -> tuple[float, float, float]:
        """Names that are none of the figure's get a place of their own, so that mixing them up is seen."""
        shift = np.array([300.0 + 40.0 * frame, 300.0]) if person == 0 else np.array([620.0 - 40.0 * frame, 380.0])
        place = FIGURE.get(name, (0.3, 0.01 * (len(name) % 7)))
        u, v = shift + (200.0 + 40.0 * person) * np.array(place)
        return float(u), float(v), round(0.5 + 0.05 * (len(name) % 8), 3)

    def flat(self, person: int, frame: int, names: list[str]) -> list[float]:
        """u, v, confidence of points in order."""
        return [value for name in names for value in self.at(person, frame, name)]


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Writes content, JSON unless it is text, to a file of a name, and returns its path."""

    def write(content: Any, name: str = "a.json") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write
