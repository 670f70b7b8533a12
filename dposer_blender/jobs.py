# SPDX-License-Identifier: GPL-3.0-or-later
"""A request to the engine as an operator: modal in a window, blocking for scripts and ``blender -b``.

Between two ticks a job holds plain data only, never a reference to Blender's: the user may delete the
armature, undo or load another file meanwhile.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import bpy
from bpy.app.handlers import persistent
from bpy.app.translations import pgettext_iface as iface_
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Context, Event, Timer

from ..engine import errors
from ..engine.errors import Cancelled, EngineError
from . import problems, session
from .body_joints import in_words
from .errors import EngineStopped
from .pace import Pace

if TYPE_CHECKING:
    from .client import EngineProcess, Message

_TICK = 0.1  # seconds between two looks at the engine
_STILL = 1.0  # seconds between two looks after which Blender itself stood still
_SILENCE_LIMIT = 600.0  # seconds without a word after which an engine is given up
_BLOCKING = ("RENDER", "OBJECT_BAKE")  # jobs of Blender's whose threads read what a task may change
_SHOWING = {"VIEW_3D", "PREFERENCES"}  # editors that show the job


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
        part: which of several like tasks is being done, from 0, and how many there are.
        kept: what stays done if it ends now, in a few words; empty where nothing does.
        unsettled: whether the file is not as it should stay, as the task has changed a part of it.
        endless: whether it goes on until it is told to end, over undo and redo, too: no share of it is ever done.
    """

    title = ""
    stage = "Reading"
    frames = 0
    fraction = 0.0
    part = 0, 1
    kept = ""
    unsettled = False
    endless = False

    def prepare(self, context: Context) -> bool | Done:
        """Do a short piece of the work that needs Blender: False while there is more of it, or how the job ended."""
        return True

    def request(self, context: Context) -> Request:
        """What to ask the engine."""
        raise NotImplementedError

    def finish(self, context: Context, message: Message) -> Done | None:
        """Use the engine's result; None where there is more to prepare."""
        raise NotImplementedError

    def recover(self, error: EngineError) -> bool | Done:
        """Whether the task goes on with something else although this failed; or how the job ended."""
        return False

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
        self._heard = self._looked = time.monotonic()
        self._pace = Pace()
        self._cancelled = ""
        self._undone = self._restarted = False
        self._notes: list[str] = []

    @property
    def task(self) -> Task:
        """What is on its way."""
        return self._task

    @property
    def speed(self) -> float:
        """Frames done per second; 0 while unknown."""
        return self._task.frames * self._pace.rate

    @property
    def left(self) -> float:
        """Seconds until what is being done now is done, at the rate so far; 0 while unknown."""
        return self._pace.left(time.monotonic())

    @property
    def kept(self) -> str:
        """What stays done if the job ends now, in a few words."""
        return "" if self._undone else self._task.kept

    @property
    def text(self) -> str:
        """Progress in a few words."""
        return "  ·  ".join(self._words())

    @property
    def mute(self) -> bool:
        """Whether the engine, which is at work on it, does not answer."""
        return self._number is not None and self._process is not None and self._process.mute

    @property
    def heading(self) -> str:
        """So much of it as fits into a narrow bar."""
        return self._words()[0]

    @property
    def pace(self) -> str:
        """The rest of it: frames per second and the time left; empty while unknown."""
        return "  ·  ".join(self._words()[1:])

    def _words(self) -> list[str]:
        """What is being done and how much of it is; then the pace."""
        if self.mute:
            return [iface_("The engine does not respond")]
        if self._task.endless:
            return [iface_(self.stage)]
        number, count = self._task.part
        words = [f"{iface_(self.stage)}  {self.fraction:.0%}"]
        if count > 1:
            words[0] = f"{number + 1}/{count}  ·  {words[0]}"
        if self.speed >= 1:
            words.append(iface_("{speed:.0f} frames/s").format(speed=self.speed))
        if self.left >= 1:
            minutes, seconds = divmod(round(self.left), 60)
            words.append(iface_("{minutes}:{seconds:02} left").format(minutes=minutes, seconds=seconds))
        return words

    @property
    def notes(self) -> list[str]:
        """What the engine told of how its results came about, in sentences."""
        return [rpt_(note) for note in self._notes]

    @property
    def unsettled(self) -> bool:
        """Whether the file is not as it should stay, as a part of it has been changed."""
        return self._task.unsettled

    @property
    def ended(self) -> str:
        """What to report of a job that was cancelled; empty of any other."""
        if not self._cancelled:
            return ""
        return f"{self._cancelled}; {self.kept or 'nothing was changed'}."

    def cancel(self, reason: str = "Cancelled") -> None:
        """Give up: at once here, and soon in the engine, whose late result is thrown away.

        Args:
            reason: how the sentence that tells of it begins.
        """
        if not self._cancelled and self._number is not None:
            session.cancel(self._number)
        self._cancelled = self._cancelled or reason

    def abandon(self, reason: str = "Cancelled", undone: bool = False) -> None:
        """Give up and take back what was half done, now: nothing will advance any more.

        Args:
            reason: see `cancel`.
            undone: whether what was kept is about to go, too.
        """
        self.cancel(reason)
        self._task.abandon()
        self._undone = undone

    def advance(self, context: Context) -> Done | None:
        """Do what can be done without waiting; the end of the job where it has come.

        Raises:
            Cancelled: `cancel` was called.
            EngineError: the task or the engine failed.
        """
        try:
            return self._advance(context)
        except EngineError as error:
            recovered = not self._cancelled and self._task.recover(error)
            if recovered is False:
                self._task.abandon()
                raise
            self._number, self.fraction = None, 0.0
            return recovered if isinstance(recovered, Done) else None
        except BaseException:
            self._task.abandon()
            raise

    def _advance(self, context: Context) -> Done | None:
        if self._cancelled:
            raise Cancelled(self.ended)
        now = time.monotonic()
        since, self._looked = now - self._looked, now
        self._heard += max(0.0, since - _STILL)  # the engine was not heard while Blender stood still or slept
        if is_blocked():
            self.stage = "Waiting for the render"
            self._heard += min(since, _STILL)
            self._pace.wait(since)
            return None
        done = self._work(context)
        self._pace.note(f"{self._task.part[0]} {self.stage}", self.fraction, time.monotonic())
        return done

    def _work(self, context: Context) -> Done | None:
        if self._process is None:
            self._process = session.engine(context)
        if self._number is None:
            prepared = self._task.prepare(context)
            if isinstance(prepared, Done):
                return prepared
            if not prepared:
                self.stage, self.fraction = self._task.stage, self._task.fraction
                return None
            known = self._process.info is not None
            if not (self._restarted or self._process.alive) and known:
                self._restarted = True  # It ended while it had nothing to do for this job: nothing is lost.
                self._process.restart()
            try:
                messages = self._process.poll()
            except EngineStopped:
                if self._restarted or not known:
                    raise
                self._restarted = True  # It was ending when we looked.
                self._process.restart()
                return None
            if self._process.info is None:
                self.stage = "Starting"
                if time.monotonic() - self._process.started > session.START_LIMIT:
                    self._process.kill()
                    raise EngineStopped(
                        "The engine did not start in time; restart it or choose another interpreter."
                    )
                return None
            self._number = self._process.request(*self._task.request(context))
            self._heard = time.monotonic()
            self.stage, self.fraction = self._task.title, 0.0
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
            self._number, self.fraction = None, 0.0
            self._notes += [note for note in message.result.get("notes", ()) if note not in self._notes]
            return self._task.finish(context, message)
        self.fraction = min(max(message.done / message.total, 0.0), 1.0) if message.total > 0 else 0.0
        self.stage = message.stage[:1].upper() + message.stage[1:] or self._task.title
        return None


def is_blocked() -> bool:
    """Whether Blender renders or bakes in another thread, while which nothing may be changed."""
    return any(bpy.app.is_job_running(kind) for kind in _BLOCKING)


_current: Job | None = None


def current() -> Job | None:
    """The job in progress; there is one at a time."""
    return _current


class JobOperator:
    """Base of the operators that ask the engine for something.

    Attributes:
        tick: seconds between two looks at the engine.
    """

    tick: ClassVar[float] = _TICK
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
        result = self._tick(context)
        if result == {"RUNNING_MODAL"}:  # Blender crashes where an operator has ended and still has a handler.
            wm = context.window_manager
            self._timer = wm.event_timer_add(self.tick, window=context.window)
            wm.modal_handler_add(self)
        return result

    def modal(self, context: Context, event: Event) -> set[str]:
        """Follow the job; Esc cancels it."""
        if self._job is not _current:  # something was undone, or the file was saved
            return self._fail(context, Cancelled(self._job.ended))
        if event.type == "ESC" and event.value == "PRESS":
            self._job.cancel()
            return self._tick(context)
        if event.type == "TIMER":
            return self._tick(context) | {"PASS_THROUGH"}
        return {"PASS_THROUGH"}

    def execute(self, context: Context) -> set[str]:
        """Do the job and return when it is over; Ctrl-C in a terminal cancels it."""
        wm = context.window_manager
        try:
            self._begin(context)
            if is_blocked():
                raise EngineError("Blender is rendering: wait until that is done.")
            wm.progress_begin(0, 100)
            told = False
            while (done := self._job.advance(context)) is None:
                wm.progress_update(round(100 * self._job.fraction))
                if self._job.mute and not told:
                    print(f"{self._job.heading}.", file=sys.stderr, flush=True)  # a report would come at the end
                    told = True
                time.sleep(self.tick / 5)
        except KeyboardInterrupt:
            self._job.abandon()
            return self._fail(context, Cancelled(self._job.ended))
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
        context.workspace.status_text_set(f"DPoser: {self._job.text}  ·  {iface_('Esc cancels')}")
        _redraw(context)
        return {"RUNNING_MODAL"}

    def _succeed(self, context: Context, done: Done) -> set[str]:
        self._end(context)
        notes = self._job.notes
        level = "WARNING" if notes and done.level == "INFO" else done.level
        self.report({level}, " ".join([done.sentence, *notes]))  # type: ignore[attr-defined]
        return {"FINISHED"} if done.finished else {"CANCELLED"}

    def _fail(self, context: Context, error: EngineError) -> set[str]:
        self._end(context)
        job = getattr(self, "_job", None)
        kept = job.kept if job is not None else ""
        if isinstance(error, Cancelled):
            self.report({"WARNING"}, str(error))  # type: ignore[attr-defined]
        else:
            told = f" {kept[0].upper()}{kept[1:]}." if kept else ""
            self.report({"ERROR"}, f"{error}{told}")  # type: ignore[attr-defined]
            problems.note(str(error))
            self.failed(error)
        return {"FINISHED"} if kept else {"CANCELLED"}  # so that what was done can be undone

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


_HANDLERS = ("load_pre", "save_pre", "undo_pre", "redo_pre")


def register() -> None:
    """Watch for what a job must not go on over."""
    for name in _HANDLERS:
        getattr(bpy.app.handlers, name).append(_BEFORE[name])


def unregister() -> None:
    """Cancel the job in progress and stop watching."""
    _drop("Cancelled")
    for name in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(_BEFORE[name])


def _drop(reason: str, undone: bool = False) -> None:
    """Take back what the job in progress has not brought to an end, and forget it; see `Job.abandon`."""
    global _current
    job, _current = _current, None
    if job is not None:
        job.abandon(reason, undone)


@persistent
def _before_load(*_: object) -> None:
    """What the job has read is about to go."""
    _drop("Cancelled")


@persistent
def _before_save(*_: object) -> None:
    """Nothing half-done gets into the file."""
    if _current is not None and _current.unsettled:
        _drop("Cancelled, as the file was saved")


@persistent
def _before_undo(*_: object) -> None:
    """Undo replaces what the job has read; what it has done so far is an undo step, which goes."""
    if _current is not None and _current.task.endless:
        return
    done = _current is not None and bool(_current.kept)
    _drop("Cancelled, as something was undone", undone=done)
    if done:
        bpy.ops.ed.undo_push(message="DPoser")


@persistent
def _before_redo(*_: object) -> None:
    """As before an undo, but what the job has done so far comes after what could be redone, and stays."""
    if _current is not None and _current.task.endless:
        return
    done = _current is not None and bool(_current.kept)
    _drop("Cancelled, as something was redone")
    if done:
        bpy.ops.ed.undo_push(message="DPoser")


_BEFORE = {
    "load_pre": _before_load, "save_pre": _before_save, "undo_pre": _before_undo, "redo_pre": _before_redo,
}  # fmt: skip


def _redraw(context: Context) -> None:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in _SHOWING:
                area.tag_redraw()
