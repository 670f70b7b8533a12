# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of limbs that are missing for a clip."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.evaluation import tables
from engine.evaluation.motion_clips import motion_clips
from engine.evaluation.tables.limbs import COLUMNS, LEGS, METHODS, completed, figures, missing
from engine.evaluation.tables.table import Context
from engine.motion.windows import quat_to_rotvec


def test_every_limb_is_completed_by_every_method(context: Context) -> None:
    table = tables.measure("limbs", context)
    assert list(table.rows) == ["truth", *METHODS]
    assert table.rows["truth"] == {f"{name} skate mm": [pytest.approx(0.0, abs=1.0)] for name in LEGS}
    for name in METHODS:
        assert set(table.rows[name]) == set(COLUMNS) and all(
            np.isfinite(values).all() for values in table.rows[name].values()
        )


def test_the_truth_has_no_error_and_is_not_handed_over(data: Path) -> None:
    clip = motion_clips(data / "test", 60)[0]
    truth = quat_to_rotvec(clip.quat)
    # A body that sways by millimetres skates a little, truth or not.
    for column, (value, _) in figures(truth, clip, "legs").items():
        assert value == pytest.approx(0.0, abs=1.0 if "skate" in column else 1e-4), column
    filled = completed(clip, "left arm", "motion", 0, "cpu")
    lost = np.append(False, missing("left arm"))
    np.testing.assert_array_equal(filled[:, ~lost], truth[:, ~lost])
    other = clip.quat.copy()
    other[:, lost] = other[::-1, lost]
    np.testing.assert_array_equal(
        completed(replace(clip, quat=other), "left arm", "motion", 0, "cpu"), filled
    )
