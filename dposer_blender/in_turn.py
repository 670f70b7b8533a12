# SPDX-License-Identifier: GPL-3.0-or-later
"""Several tasks one after the other, as one job: one progress bar, one undo step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpy.types import Context

from ..engine.errors import Cancelled, EngineError
from .deputed import Deputed
from .errors import EngineStopped
from .jobs import Done, Request, Task

if TYPE_CHECKING:
    from .client import Message


@dataclass(frozen=True)
class Item:
    """One of the tasks.

    Attributes:
        name: what it is done to.
        begin: makes the task; raises EngineError where it cannot be done. Called when its turn has come.
        end: called when it is over, however it went.
        unsettled: whether the file is not as it should stay between the two.
    """

    name: str
    begin: Callable[[Context], Task]
    end: Callable[[], None]
    unsettled: bool = False


class InTurn(Deputed):
    """Does every item that can be done; one that fails is told of and passed over.

    What is done when the job is cancelled stays done.

    Args:
        title: what is done, in a word.
        items: at least one.
    """

    def __init__(self, title: str, items: Sequence[Item]) -> None:
        super().__init__(title)
        self._items = items
        self._at = -1
        self._done = 0
        self._problems: list[str] = []

    @property
    def part(self) -> tuple[int, int]:  # type: ignore[override]
        """Which of the items is being done, from 0, and how many there are."""
        return max(0, self._at), len(self._items)

    @property
    def kept(self) -> str:  # type: ignore[override]
        """What stays done when the job is cancelled now; empty where nothing does."""
        return f"{self._done} of {len(self._items)} were done and stay" if self._done else ""

    @property
    def unsettled(self) -> bool:  # type: ignore[override]
        return super().unsettled or (self._task is not None and self._items[self._at].unsettled)

    def prepare(self, context: Context) -> bool | Done:
        """Begin the next item, or go on with the one in progress."""
        if self._task is None:
            self._at += 1
            self._task = self._items[self._at].begin(context)
            return False
        prepared = self._task.prepare(context)
        return (self._over(prepared) or False) if isinstance(prepared, Done) else prepared

    def request(self, context: Context) -> Request:
        """What the item in progress asks."""
        assert self._task is not None
        return self._task.request(context)

    def finish(self, context: Context, message: Message) -> Done | None:
        """The answer, for the item in progress."""
        assert self._task is not None
        done = self._task.finish(context, message)
        return None if done is None else self._over(done)

    def recover(self, error: EngineError) -> bool | Done:
        """Go on with the next item, unless nothing can go on."""
        if isinstance(error, (Cancelled, EngineStopped)):
            return False
        if self._task is not None:
            self._task.abandon()
        self._problems.append(f"{self._items[self._at].name}: {error}")
        return self._next() or True

    def abandon(self) -> None:
        """Take back what the item in progress has done so far."""
        super().abandon()
        if 0 <= self._at < len(self._items):
            self._items[self._at].end()

    def _over(self, done: Done) -> Done | None:
        if done.finished:
            self._done += 1
        else:
            self._problems.append(f"{self._items[self._at].name}: {done.sentence}")
        return self._next()

    def _next(self) -> Done | None:
        """Leave the item in progress; the end of the job where it was the last."""
        self._items[self._at].end()
        self._task = None
        if self._at + 1 < len(self._items):
            return None
        self._at = len(self._items)
        sentence = f"{self._label}: {self._done} of {len(self._items)} done"
        if not self._problems:
            return Done(f"{sentence}.")
        return Done(f"{sentence}. {' '.join(self._problems)}", "WARNING", finished=self._done > 0)
