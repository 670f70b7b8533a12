# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.check_engine``, ``dposer.restart_engine``, ``dposer.cancel``: the engine and its job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Context, Operator

from ...engine.errors import EngineError
from .. import engine_check, jobs, preferences, problems, session
from ..errors import EngineStopped
from ..jobs import Done, JobOperator, Request, Task
from ..polled import Polled

if TYPE_CHECKING:
    from ..client import Message


class CheckTask(Task):
    """Ask the engine whether it has what the tools need, and how quick it is."""

    title = "Checking"

    def __init__(self, device: str) -> None:
        self._device = device

    def request(self, context: Context) -> Request:
        """The device that the user chose is checked, too."""
        return "check", {"device": self._device}, {}

    def finish(self, context: Context, message: Message) -> Done:
        """Remember what was found and say the worst of it in a sentence."""
        engine_check.remember(message.result["findings"])
        rows = engine_check.rows()
        faulty = sorted((row for row in rows if row.advice), key=lambda row: row.state != "bad")
        faults = [row.shown()[2] for row in faulty]
        if not faults:
            return Done(rpt_("The engine works ({solve}).").format(solve=rows[-1].shown()[1]))
        for sentence in faults:
            problems.note(f"{sentence}.")
        return Done(f"{faults[0]}.", "WARNING")


class DPOSER_OT_check_engine(Polled, JobOperator, Operator):
    """Start the engine if needed, and see whether Python, PyTorch, device and weights are ready, and how quick it is"""

    bl_idname = "dposer.check_engine"
    bl_label = "Check Engine"

    def task(self, context: Context) -> CheckTask:
        """The question to ask."""
        return CheckTask(preferences.of(context)[1])

    def failed(self, error: EngineError) -> None:
        """Let the preferences say why, too."""
        try:
            python = session.interpreter(bpy.context).path
        except EngineStopped:
            python = ""
        engine_check.fail(error, python)


class DPOSER_OT_restart_engine(Operator):
    """End the engine and start it again, for example after choosing another Python"""

    bl_idname = "dposer.restart_engine"
    bl_label = "Restart Engine"

    def execute(self, context: Context) -> set[str]:
        """Restart; a job in progress is cancelled."""
        jobs.cancel()
        try:
            session.restart(context)
        except EngineStopped as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, "The engine was restarted.")
        return {"FINISHED"}


class DPOSER_OT_cancel(Operator):
    """Cancel the job in progress; nothing is changed"""

    bl_idname = "dposer.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether a job is in progress."""
        if jobs.current() is None:
            cls.poll_message_set("DPoser is not at work")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """Cancel."""
        jobs.cancel()
        return {"FINISHED"}


CLASSES = (DPOSER_OT_check_engine, DPOSER_OT_restart_engine, DPOSER_OT_cancel)
