# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of feet: the noise that it says, and every method."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.evaluation import tables
from engine.evaluation.motion_clips import MotionClip, motion_clips
from engine.evaluation.tables import feet
from engine.evaluation.tables.table import Context
from engine.motion.windows import log_around


def test_noise_is_as_strong_as_the_table_says(data: Path) -> None:
    clip = motion_clips(data / "test", 60)[0]
    long = MotionClip(np.tile(clip.quat, (150, 1, 1)), np.tile(clip.path, (150, 1)), 0)
    quat, path = feet.noisy(long, 0)
    turn = np.rad2deg(log_around(long.quat, quat)).std(axis=(0, 2))
    np.testing.assert_allclose(turn[0], feet.ROOT_DEGREES, rtol=0.05)
    np.testing.assert_allclose(turn[1:], feet.BODY_DEGREES, rtol=0.05)
    away = path - long.path
    assert away[:, 1].std() == pytest.approx(feet.PATH_METRES, rel=0.05)
    drift = np.hypot(feet.PATH_METRES, feet.DRIFT_METRES)
    assert away[:, [0, 2]].std() == pytest.approx(drift, rel=0.15)


def test_a_body_that_stands(context: Context) -> None:
    table = tables.measure("feet", context)
    assert table.rows["truth"] == {feet.SKATE: [pytest.approx(0.0, abs=1.0)]}
    skates = {name: np.mean(row[feet.SKATE]) for name, row in table.rows.items()}
    assert skates["wiener"] < 0.6 * skates["noisy input"]
    for name, row in table.rows.items():
        assert all(len(values) == (1 if name == "truth" else 2) for values in row.values())
    known = {name for name, row in table.rows.items() if set(feet.FIGURES) <= set(row)}
    assert known == set(table.rows) - {"truth", "motion prior + foot lock"}
