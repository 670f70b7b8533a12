# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine evaluate --table``: the paper's tables measured again on our data, and tables of our own."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.evaluation.tables.table import Context, Table

POSES: dict[str, str] = {
    "1": "generation:table_1",
    "2": "fitting:table_2",
    "3": "completion:table_3",
    "4": "denoising:table_4",
    "5": "schedules:table_5",
    "6": "denoising:table_6",
    "S-1": "schedules:table_s1",
    "S-2": "denoising:table_s2",
    "S-3": "training:table_s3",
    "S-4": "training:table_s4",
    "S-5": "completion:table_s5",
    "reconstruction": "reconstruction:reconstruction",
    "inbetween": "inbetween:inbetween",
    "limbs": "limbs:limbs",
    "damage": "damage:damage",
    "feet": "feet:feet",
    "idle": "idle:idle_table",
    "detail": "detail:detail",
    "effectors": "effectors:effectors",
    "dragging": "dragging:dragging",
    "auxiliary": "training:auxiliary",
    "motion-training": "motion_training:motion_training",
}
"""DPoser's tables and ours of poses and motion: what ``--table all`` measures."""
LIFTING: dict[str, str] = {"lift": "lift:lift_table", "lifting-speed": "lifting_speed:lifting_speed"}
LIFTING |= {f"gfpose-{number}": f"gfpose:table_{number}" for number in (1, 4, 5, 6, 7, 9, 10, 15, 16, 17)}
LIFTING |= {f"diffpose-{number}": f"diffpose:table_{number}" for number in (1, 3, 4, 5, 6)}
LIFTING["diffpose-figure-4"] = "diffpose:figure_4"
"""Tables of lifters, most of which train networks for comparison."""
REFINING: dict[str, str] = {f"scorehmr-{number}": f"refining:table_{number}" for number in (2, 3, 4)}
"""ScoreHMR's tables."""
MODULES = POSES | LIFTING | REFINING
"""Table name -> module in this package and its function ``(Context) -> Table``."""


def measure(name: str, context: Context) -> Table:
    """Measure one table; KeyError for a name not in `MODULES`."""
    module, function = MODULES[name].split(":")
    return getattr(import_module(f"{__name__}.{module}"), function)(context)
