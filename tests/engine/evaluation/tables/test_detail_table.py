# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what cleaning leaves of fast motion."""

from __future__ import annotations

import numpy as np
import pytest

from engine.evaluation import tables
from engine.evaluation.tables.detail import ALL, COLUMNS, FOLLOWED, GROUPS, KEPT, LEFT, SPLITS, members
from engine.evaluation.tables.table import Context


def test_groups_are_a_partition_of_the_body() -> None:
    assert (np.sum([members(group) for group in GROUPS], axis=0) == 1).all()
    assert members(ALL).all() and members("hands").sum() == 4 and members("feet").sum() == 4


def test_nothing_done_keeps_all(context: Context) -> None:
    table = tables.measure("detail", context)
    assert table.columns == COLUMNS and len(table.rows) == 5 * len(SPLITS)
    for split in SPLITS:
        untouched = table.rows[f"{split}: input"]
        # Joints that stand still have nothing to keep, so the group that waves is looked at.
        assert untouched[f"hands {KEPT}"] == [pytest.approx(100.0)]
        low = next(row for name, row in table.rows.items() if name.startswith(split) and "tuned" in name)
        assert np.mean(low[f"{ALL} {LEFT}"]) < np.mean(untouched[f"{ALL} {LEFT}"])
        assert len(low[f"{ALL} {FOLLOWED}"]) == context.seeds
