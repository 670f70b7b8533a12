# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of in-betweening: every method at every gap, and one value where nothing is random."""

from __future__ import annotations

import numpy as np

from engine.evaluation import tables
from engine.evaluation.tables.inbetween import COLUMNS, GAPS
from engine.evaluation.tables.table import Context


def test_every_gap_is_filled_by_every_method(context: Context) -> None:
    table = tables.measure("inbetween", context)
    assert GAPS == (5, 15, 30, 45) and table.columns == COLUMNS
    for name, row in table.rows.items():
        assert set(row) == set(COLUMNS), name
        runs = context.seeds if "variation" in name else 1
        assert all(len(values) == runs and np.isfinite(values).all() for values in row.values()), name
    # Waves are slow: a curve that leaves with the right velocity is nearer than a straight line, that than none.
    errors = [table.rows[name]["L2P @ 5"][0] for name in ("two-key spline", "linear-slerp", "zero velocity")]
    assert errors == sorted(errors) and errors[0] < 0.5 * errors[2]
