# SPDX-License-Identifier: GPL-3.0-or-later
"""A task that lets another one do its work."""

from __future__ import annotations

from .jobs import Task


class Deputed(Task):
    """What is told of a task is what its deputy tells.

    Args:
        label: the title while there is no deputy.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._task: Task | None = None

    @property
    def title(self) -> str:  # type: ignore[override]
        return self._task.title if self._task is not None else self._label

    @property
    def stage(self) -> str:  # type: ignore[override]
        return self._task.stage if self._task is not None else "Reading"

    @property
    def frames(self) -> int:  # type: ignore[override]
        return self._task.frames if self._task is not None else 0

    @property
    def fraction(self) -> float:  # type: ignore[override]
        return self._task.fraction if self._task is not None else 0.0

    @property
    def unsettled(self) -> bool:  # type: ignore[override]
        return self._task is not None and self._task.unsettled

    def abandon(self) -> None:
        """Take back what the deputy has done so far."""
        if self._task is not None:
            self._task.abandon()
