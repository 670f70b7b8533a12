# SPDX-License-Identifier: GPL-3.0-or-later
"""A request to the engine as an operator: modal in a window, blocking for scripts and ``blender -b``.

Between two ticks a job holds plain data only, never a reference to Blender's: the user may delete the
armature, undo or load another file meanwhile.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import bpy
from bpy.app.handlers import persistent
from bpy.types import Context, Event, Timer

from ..engine import errors
from ..engine.errors import Cancelled, EngineError
from . import session
from .body_joints import in_words
from .client import EngineProcess, EngineStopped, Message

_TICK = 0.1  # seconds between two looks at the engine
_SILENCE_LIMIT = 600.0  # seconds without a word after which an engine is given up
_CANCELLED = "Cancelled; nothing was changed."


Request = tuple[str, dict[str, Any], dict[str, Any]]
"""The operation, the parameters and the arrays for the engine."""


@dataclass(frozen=True)
class Done:
    """How a job ended: the sentence to report, its level, and whether it did what it is for."""

    sentence: str
    level: str = "INFO"
    finished: bool = True


class Task:
    """What a job does before and after the engine has its turn; made of plain data.

    Attributes:
        title: what is being done, in one word.
        stage: what `prepare` is doing, in one word.
        frames: how many frames it is done to; 0 where that makes no sense.
        fraction: how much of `prepare` is done, 0 to 1.
    """

    title = ""
    stage = "Reading"
    frames = 0
    fraction = 0.0

    def prepare(self, context: Context) -> bool | Done:
        """Do a short piece of the work that needs Blender: False while there is more of it, or how the job ended."""
        return True

    def request(self, context: Context) -> Request:
        """What to ask the engine."""
        raise NotImplementedError

    def finish(self, context: Context, message: Message) -> Done | None:
        """Use the engine's result; None where there is more to prepare."""
        raise NotImplementedError

    def abandon(self) -> None:
        """Take back what was done so far; called when the job ends before it is done."""


class Job:
    """A task on its way through the engine.

    Attributes:
        title: of the task.
        stage: what is being done now, in words.
        fraction: how much of it is done, 0 to 1.
    """

    def __init__(self, task: Task) -> None:
        self.title, self.stage, self.fraction = task.title, "Starting", 0.0
        self._task = task
        self._process: EngineProcess | None = None
        self._number: int | None = None
        self._asked = self._heard = 0.0
        self._cancelled = False

    @property
    def speed(self) -> float:
        """Frames done per second; 0 while unknown."""
        elapsed = time.monotonic() - self._asked
        return (
            self._task.frames * self.fraction / elapsed if self._number is not None and elapsed > 0.5 else 0.0
        )

    @property
    def text(self) -> str:
        """Progress in a few words."""
        speed = self.speed
        return f"{self.stage}  {self.fraction:.0%}" + (f"  ·  {speed:.0f} frames/s" if speed >= 1 else "")

    def cancel(self) -> None:
        """Give up: at once here, and soon in the engine, whose late result is thrown away."""
        if not self._cancelled and self._number is not None:
            session.cancel(self._number)
        self._cancelled = True

    def abandon(self) -> None:
        """Give up and take back what was done, now: nothing will advance any more."""
        self.cancel()
        self._task.abandon()

    def advance(self, context: Context) -> Done | None:
        """Do what can be done without waiting; the end of the job where it has come.

        Raises:
            Cancelled: `cancel` was called.
            EngineError: the task or the engine failed.
        """
        try:
            return self._advance(context)
        except BaseException:
            self._task.abandon()
            raise

    def _advance(self, context: Context) -> Done | None:
        if self._cancelled:
            raise Cancelled(_CANCELLED)
        if self._process is None:
            self._process = session.engine(context)
        if self._number is None:
            prepared = self._task.prepare(context)
            if isinstance(prepared, Done):
                return prepared
            if not prepared:
                self.stage, self.fraction = self._task.stage, self._task.fraction
                return None
            messages = self._process.poll()
            if self._process.info is None:
                self.stage = "Starting"
                if time.monotonic() - self._process.started > session.START_LIMIT:
                    self._process.kill()
                    raise EngineStopped(
                        "The engine did not start in time; restart it or choose another interpreter."
                    )
                return None
            self._number = self._process.request(*self._task.request(context))
            self._asked = self._heard = time.monotonic()
            self.stage = self.title
        else:
            messages = self._process.poll()
        for message in messages:
            if message.job == self._number and (done := self._take(context, message)) is not None:
                return done
        if time.monotonic() - self._heard > _SILENCE_LIMIT:
            self._process.kill()
            raise EngineStopped("The engine has been silent for too long and was ended; try again.")
        return None

    def _take(self, context: Context, message: Message) -> Done | None:
        self._heard = time.monotonic()
        if message.type == "error":
            text = in_words(message.message) if message.kind == "MappingError" else message.message
            raise getattr(errors, message.kind, EngineError)(text)
        if message.type == "result":
            self._number = None
            return self._task.finish(context, message)
        self.fraction = min(max(message.done / message.total, 0.0), 1.0) if message.total > 0 else 0.0
        self.stage = message.stage.capitalize() or self.title
        return None


_current: Job | None = None


def current() -> Job | None:
    """The job in progress; there is one at a time."""
    return _current


class JobOperator:
    """Base of the operators that ask the engine for something."""

    _job: Job
    _timer: Timer | None = None

    def task(self, context: Context) -> Task:
        """What to do; raises EngineError where it cannot be done."""
        raise NotImplementedError

    def failed(self, error: EngineError) -> None:
        """Called with what the job failed with, after it was reported; not for a cancellation."""

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Start the job and let the user go on working."""
        if bpy.app.background or context.window is None:
            return self.execute(context)
        try:
            self._begin(context)
        except EngineError as error:
            return self._fail(context, error)
        wm = context.window_manager
        self._timer = wm.event_timer_add(_TICK, window=context.window)
        wm.modal_handler_add(self)
        return self._tick(context)

    def modal(self, context: Context, event: Event) -> set[str]:
        """Follow the job; Esc cancels it, and Undo has to wait, since it would change what was read."""
        if self._job is not _current:  # a file was loaded
            self._end(context)
            return {"CANCELLED"}
        if event.type == "ESC" and event.value == "PRESS":
            self._job.cancel()
            return self._tick(context)
        if event.type in {"Z", "Y"} and (event.ctrl or event.oskey):
            return {"RUNNING_MODAL"}
        if event.type == "TIMER":
            return self._tick(context) | {"PASS_THROUGH"}
        return {"PASS_THROUGH"}

    def execute(self, context: Context) -> set[str]:
        """Do the job and return when it is over; Ctrl-C in a terminal cancels it."""
        wm = context.window_manager
        try:
            self._begin(context)
            wm.progress_begin(0, 100)
            while (done := self._job.advance(context)) is None:
                wm.progress_update(round(100 * self._job.fraction))
                time.sleep(_TICK / 5)
        except KeyboardInterrupt:
            self._job.cancel()
            return self._fail(context, Cancelled(_CANCELLED))
        except EngineError as error:
            return self._fail(context, error)
        except BaseException:
            self._end(context)
            raise
        return self._succeed(context, done)

    def cancel(self, context: Context) -> None:
        """Called by Blender when it ends the operator itself."""
        self._job.abandon()
        self._end(context)

    def _begin(self, context: Context) -> None:
        global _current
        self._job = Job(self.task(context))
        _current = self._job

    def _tick(self, context: Context) -> set[str]:
        try:
            done = self._job.advance(context)
        except EngineError as error:
            return self._fail(context, error)
        except BaseException:
            self._end(context)
            raise
        if done is not None:
            return self._succeed(context, done)
        context.workspace.status_text_set(f"DPoser: {self._job.text}  ·  Esc cancels")
        _redraw(context)
        return {"RUNNING_MODAL"}

    def _succeed(self, context: Context, done: Done) -> set[str]:
        self._end(context)
        self.report({done.level}, done.sentence)  # type: ignore[attr-defined]
        return {"FINISHED"} if done.finished else {"CANCELLED"}

    def _fail(self, context: Context, error: EngineError) -> set[str]:
        self._end(context)
        if isinstance(error, Cancelled):
            self.report({"WARNING"}, str(error))  # type: ignore[attr-defined]
        else:
            self.report({"ERROR"}, str(error))  # type: ignore[attr-defined]
            self.failed(error)
        return {"CANCELLED"}

    def _end(self, context: Context) -> None:
        """Take back everything that shows a job in progress."""
        global _current
        if getattr(self, "_job", None) is _current:
            _current = None
        wm = context.window_manager
        wm.progress_end()
        if self._timer is not None:
            wm.event_timer_remove(self._timer)
            self._timer = None
            if context.workspace is not None:
                context.workspace.status_text_set(None)
        _redraw(context)


def cancel() -> None:
    """Cancel the job in progress, if there is one."""
    if _current is not None:
        _current.cancel()


def register() -> None:
    """Watch for files being loaded."""
    bpy.app.handlers.load_pre.append(_abandon)


def unregister() -> None:
    """Cancel the job in progress and stop watching."""
    _abandon()
    bpy.app.handlers.load_pre.remove(_abandon)


@persistent
def _abandon(*_: object) -> None:
    """Drop the job: what it has read is about to go."""
    global _current
    if _current is not None:
        _current.abandon()
    _current = None


def _redraw(context: Context) -> None:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()
