# SPDX-License-Identifier: GPL-3.0-or-later
"""Base of the tools: operators that change the motion of the selected armatures by way of the engine."""

from __future__ import annotations

from typing import Any, ClassVar

from bpy.types import Context, Object

from ..engine.errors import EngineError
from . import armature, last_run, outcomes, preferences, writing
from .errors import ArmatureError
from .in_turn import InTurn, Item
from .jobs import JobOperator, Task
from .polled import Polled


def take_settings(operator: Any, context: Context, own: str) -> None:
    """A setting of an operator that was not given is the panel's: that of the tool, or of every result.

    Args:
        operator: the operator.
        context: with the scene.
        own: the group of ``scene.dposer`` with the tool's own settings; empty for that of the scene itself.
    """
    shared = context.scene.dposer
    groups = [getattr(shared, own), shared] if own else [shared]
    for name in type(operator).__annotations__:
        if not operator.properties.is_property_set(name):
            holder = next((group for group in groups if name in group.bl_rna.properties), None)
            if holder is not None:
                setattr(operator, name, getattr(holder, name))


class ToolOperator(Polled, JobOperator):
    """One armature is one task; several are done in turn.

    Attributes:
        settings_of: the group of ``scene.dposer`` with the tool's own settings; empty for that of the scene itself.
        still: whether a pose will do, without any animation.
        several: whether all selected armatures are worked on, or only the active one.
    """

    settings_of: ClassVar[str] = ""
    still: ClassVar[bool] = False
    several: ClassVar[bool] = True

    @classmethod
    def refusal(cls, context: Context) -> str:
        """Why the tool cannot be used on the active armature, in a few words; empty where it can."""
        ob = armature.find(context)
        return armature.refusal(ob, cls.still) or armature.refusal_to_write(ob, context.scene.dposer.target)

    def make(self, context: Context, ob: Object) -> Task:
        """The task for one armature; raises EngineError where it cannot be done."""
        raise NotImplementedError

    def items(self, context: Context, ob: Object) -> list[Item]:
        """What is to be done to one of the armatures."""
        name, uid = ob.name, ob.session_uid

        def begin(context: Context) -> Task:
            found = armature.of_uid(uid)
            if found is None:
                raise ArmatureError("it was removed while DPoser was at work.")
            target = self.target  # type: ignore[attr-defined]
            reason = armature.refusal(found, self.still) or armature.refusal_to_write(found, target)
            if reason:
                raise ArmatureError(f"{reason}.")
            return self.make(context, found)

        return [Item(name, begin, lambda: None)]

    def task(self, context: Context) -> Task:
        """Begin on the armature, or on all that are selected; a setting that was not given is the panel's."""
        active = armature.find(context)
        assert active is not None  # as poll has seen
        self._armature_uid = active.session_uid
        take_settings(self, context, self.settings_of)
        if reason := armature.refusal_to_write(active, self.target):  # type: ignore[attr-defined]
            raise ArmatureError(f"{reason}.")
        last_run.remember(last_run.Run(type(self).bl_idname, self.bl_label, self._given()))  # type: ignore[attr-defined]
        chosen = self._armatures(context, active)
        for ob in chosen:
            outcomes.begin(ob.session_uid)
        items = [item for ob in chosen for item in self.items(context, ob)]
        if len(items) > 1:
            return InTurn(self.bl_label, items)  # type: ignore[attr-defined]
        return self.make(context, active)

    def failed(self, error: EngineError) -> None:
        """Let the panel say why, too."""
        outcomes.remember(self._armature_uid, outcomes.Outcome(problem=str(error)))

    def draw(self, context: Context) -> None:
        """Show the result; changing a setting here would compute it all again while Blender stands still."""
        ob = armature.find(context)
        outcome = outcomes.recall(ob.session_uid) if ob is not None else None
        for label, value in outcome.figures if outcome is not None else ():
            row = self.layout.row()  # type: ignore[attr-defined]
            row.label(text=label)
            row.label(text=value)

    def result_settings(self, suffix: str) -> writing.Settings:
        """How the result is written: several to choose from always beside the original."""
        target = "NEW" if self.choices > 1 else self.target  # type: ignore[attr-defined]
        return writing.Settings(target, self.keys, self.tolerance, suffix)  # type: ignore[attr-defined]

    @property
    def choices(self) -> int:
        """How many results there will be to choose from."""
        return getattr(self, "variants", 1)

    def device(self, context: Context) -> str:
        """The processor that the engine computes on."""
        return preferences.of(context)[1]

    def _given(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in type(self).__annotations__}

    def _armatures(self, context: Context, active: Object) -> list[Object]:
        """The active armature, and the others that are selected."""
        if not self.several:
            return [active]
        others = [ob for ob in context.selected_objects if ob.type == "ARMATURE" and ob != active]
        return [active, *others]
