# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of damage: what counts as found, and that every kind is measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.evaluation import tables
from engine.evaluation.motion_clips import motion_clips
from engine.evaluation.tables import damage
from engine.evaluation.tables.table import Context
from engine.training.damage import LEAST_DAMAGE


def test_counts_by_hand() -> None:
    away = np.array([[2.0, 2.0, 2.0, 0.5, 0.0, 0.0, 0.0]]) * LEAST_DAMAGE
    flagged = np.array([[True, True, False, True, True, False, False]])
    counts = damage.counted(flagged, away)
    assert counts == (2, 1, 1), "what is a little off counts neither way"
    assert counts.figures() == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert counts.plus(damage.Counts(1, 0, 0)) == (3, 1, 1)
    assert damage.Counts(0, 0, 0).figures() == (0.0, 0.0, 0.0)


def test_one_who_knows_scores_full_marks(data: Path) -> None:
    clips = motion_clips(data / "test", 30)

    def flag(quat: np.ndarray, path: np.ndarray, fps: float) -> damage.Flags:
        clean = clips[0].quat
        wrong = np.abs((quat * clean).sum(axis=-1)) < np.cos(LEAST_DAMAGE / 2.0)
        return {damage.RULES: wrong[:, 1:], damage.PRIOR: ~wrong[:, 1:]}

    for kind in damage.KINDS:
        found = damage.simulated(clips, kind, "no noise", 0, flag)
        assert found[damage.RULES].right > 0 and found[damage.RULES].figures() == (1.0, 1.0, 1.0), kind
        assert found[damage.PRIOR].right == 0, kind


def test_every_kind_is_measured(context: Context) -> None:
    table = tables.measure("damage", context)
    methods = (damage.RULES, damage.PRIOR)
    for kind in damage.KINDS:
        for method in methods:
            row = table.rows[f"{kind}: {method}"]
            assert set(row) == set(damage.COLUMNS[:6]) and all(len(v) == 2 for v in row.values())
    for split in ("test", "test_other"):
        assert table.rows[f"{split} as captured: {damage.RULES}"] == {damage.FALSE: [0.0]}
    for name in (damage.DEFECT, *damage.HEALTHY):
        assert table.rows[f"{name}: {damage.RULES}"] == {damage.ELBOWS: [0.0], damage.OTHERS: [0.0]}
    spikes = table.rows[f"spikes: {damage.RULES}"]
    assert np.mean(spikes["precision, no noise"]) > 0.8 and np.mean(spikes["recall, no noise"]) > 0.4
