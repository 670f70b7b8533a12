# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.check_engine``, ``dposer.restart_engine``, ``dposer.cancel``: the engine and its job."""

from __future__ import annotations

from bpy.types import Context, Operator

from .. import jobs, session
from ..client import EngineStopped, Message
from ..jobs import Done, JobOperator, Request, Task


class CheckTask(Task):
    """Ask the engine what it is, PyTorch included."""

    title = "Checking"

    def request(self, context: Context) -> Request:
        """A greeting that waits for PyTorch."""
        return "hello", {"wait": True}, {}

    def finish(self, context: Context, message: Message) -> Done:
        """Remember the answer and say it in a sentence."""
        info = message.result
        session.checked = info
        if info["torch"] is None:
            problem = info.get("problem") or "The engine's Python has no PyTorch."
            return Done(f"{problem} Filters work without it, the pose prior does not.", "WARNING")
        if not info["weights"]:
            return Done("The engine works, but its weights are missing; reinstall DPoser.", "WARNING")
        devices = ", ".join(info["devices"])
        return Done(f"The engine works: Python {info['python']}, PyTorch {info['torch']}, on {devices}.")


class DPOSER_OT_check_engine(JobOperator, Operator):
    """Start the engine if needed, and see whether Python, PyTorch, the device and the weights are ready"""

    bl_idname = "dposer.check_engine"
    bl_label = "Check Engine"

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether no job is in progress."""
        return _is_idle(cls)

    def task(self, context: Context) -> CheckTask:
        """The question to ask."""
        return CheckTask()


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


def _is_idle(cls: type[Operator]) -> bool:
    if jobs.current() is not None:
        cls.poll_message_set("DPoser is at work: wait, or press Esc to cancel")
        return False
    return True


CLASSES = (DPOSER_OT_check_engine, DPOSER_OT_restart_engine, DPOSER_OT_cancel)
