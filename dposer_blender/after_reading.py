# SPDX-License-Identifier: GPL-3.0-or-later
"""A job about keypoints: it reads their files, and then is the task that is made of what they hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bpy.types import Context

from ..engine.errors import EngineError
from . import footage
from .deputed import Deputed
from .drawing import handlers
from .jobs import Done, Request

if TYPE_CHECKING:
    from .client import Message
    from .edit_task import EditTask


class AfterReading(Deputed):
    """Reads keypoint files, and then is the task that is made of what they hold.

    Args:
        context: with the scene; the first file's keypoints are kept for it, and shown.
        asked: for each file; see `operators.keypoints.request`.
        make: the task, of the keypoints of each.
    """

    def __init__(
        self,
        context: Context,
        asked: Sequence[Request],
        make: Callable[[Context, list[footage.Footage]], EditTask],
    ) -> None:
        super().__init__("Reading keypoints")
        self._scene_uid, self._asked, self._make = context.scene.session_uid, asked, make
        self._found: list[footage.Footage] = []

    def prepare(self, context: Context) -> bool | Done:
        """As the task."""
        return self._task.prepare(context) if self._task is not None else True

    def request(self, context: Context) -> Request:
        """For the next file; then as the task."""
        return self._task.request(context) if self._task is not None else self._asked[len(self._found)]

    def finish(self, context: Context, message: Message) -> Done | None:
        """Keep the keypoints, show the first's, and go on with the next or the task."""
        if self._task is not None:
            return self._task.finish(context, message)
        found = footage.told(self._asked[len(self._found)][1]["path"], message)
        if not self._found:
            footage.remember(self._scene_uid, found)
            handlers.refresh_keypoints()
        self._found.append(found)
        if len(self._found) == len(self._asked):
            self._task = self._make(context, self._found)
        return None

    def recover(self, error: EngineError) -> bool | Done:
        """As the task."""
        return self._task.recover(error) if self._task is not None else False
