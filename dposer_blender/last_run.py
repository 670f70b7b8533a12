# SPDX-License-Identifier: GPL-3.0-or-later
"""The last tool that was run, with its settings, to repeat on another armature; gone when Blender quits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .edit_task import EditTask


@dataclass(frozen=True)
class Run:
    """A tool and its settings: the operator's ``bl_idname`` and label, and its properties."""

    operator: str
    label: str
    settings: Mapping[str, Any]


_last: Run | None = None
_tasks: dict[str, EditTask] = {}


def remember(run: Run) -> None:
    """Keep a run in place of the one before."""
    global _last
    _last = run
    _tasks.clear()


def recall() -> Run | None:
    """The last run, if there was one."""
    return _last


def keep(made: str, task: EditTask) -> None:
    """Keep what a run did to an armature, to ask for more of it, by ``run`` of the record that it made."""
    _tasks[made] = task


def task_of(made: str) -> EditTask | None:
    """What the last run did that made this record."""
    return _tasks.get(made)


def forget() -> None:
    """Keep nothing."""
    global _last
    _last = None
    _tasks.clear()
