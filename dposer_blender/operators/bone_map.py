# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.find_bones`` and what fills the table of bones by hand: pick, clear, mirror, clear all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from bpy.app.translations import pgettext_rpt as rpt_
from bpy.props import EnumProperty
from bpy.types import Context, Object, Operator

from ...engine.motion.joints import JOINTS
from ...engine.wording import few
from .. import armature, bone_map, compat, found_bones, map_request, mirror
from ..body_joints import BONES, TITLES, in_words
from ..jobs import Done, JobOperator, Request, Task
from ..polled import Polled

if TYPE_CHECKING:
    from ..client import Message


def target(context: Context) -> Object:
    """The armature whose map an operator is about, as its poll has seen it."""
    ob = armature.find(context)
    assert ob is not None
    return ob


class FindTask(Task):
    """A search for the bones of the body, as `jobs.Job` drives it."""

    title = "Finding bones"

    def __init__(self, ob: Object, context: Context) -> None:
        self._armature, self._uid, self._count = ob.name, ob.data.session_uid, len(ob.data.bones)
        self._entries = bone_map.entries(ob.data)
        self._asked = map_request.asked(ob, context.scene)

    def request(self, context: Context) -> Request:
        """The rest pose and what was mapped by hand."""
        return self._asked

    def finish(self, context: Context, message: Message) -> Done:
        """Remember what was found and say it in a sentence; the table shows it."""
        search = found_bones.understood(message.result, self._count, self._entries)
        found_bones.remember(self._uid, search)
        if search.problem:
            return Done(in_words(search.problem), "ERROR", finished=False)
        mapped = message.result["map"]
        missing = [TITLES[joint] for joint in JOINTS if joint not in mapped["bones"]]
        title = mapped["title"].partition(" (")[0]
        lacks = f"; without {', '.join(missing)}" if missing else ""
        return Done(f"{self._armature}: {title}, {len(mapped['bones'])} of {len(JOINTS)} joints{lacks}.")


class DPOSER_OT_find_bones(Polled, JobOperator, Operator):
    """Find the bones of the body and check those that were mapped by hand, which are kept"""

    bl_idname = "dposer.find_bones"
    bl_label = "Find Bones"
    bl_options: ClassVar[set[str]] = {"REGISTER"}  # changes nothing that could be undone

    @classmethod
    def refusal(cls, context: Context) -> str:
        """Why there are no bones to find, in a few words; empty where there are."""
        ob = armature.find(context)
        if ob is None:
            return "Select an armature first"
        if not len(ob.data.bones):
            return f"{ob.name} has no bones: choose another armature"
        return bone_map.editing(ob)

    def task(self, context: Context) -> FindTask:
        """The search."""
        return FindTask(target(context), context)


class MapOperator:
    """Base of the operators that change the map by hand: one undo step, and the reason where they cannot."""

    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether the armature's data may be changed."""
        reason = bone_map.refusal(armature.find(context)) or cls.objection(context)
        if reason:
            cls.poll_message_set(reason)  # type: ignore[attr-defined]
        return not reason

    @classmethod
    def objection(cls, context: Context) -> str:
        """What else stands against it, in a few words."""
        return ""

    @classmethod
    def by_hand(cls, context: Context) -> dict[str, str]:
        """What is mapped by hand on the armature that `poll` has seen."""
        return bone_map.entries(target(context).data)


def _joint_property() -> Any:
    return EnumProperty(
        name="Joint",
        description="The body's joint",
        items=[(joint, TITLES[joint], f"The joint of the {BONES[joint]}") for joint in JOINTS],
        options={"SKIP_SAVE"},
    )


class DPOSER_OT_pick_bone(MapOperator, Operator):
    """Map the selected bone to this joint; of several, the active one"""

    bl_idname = "dposer.pick_bone"
    bl_label = "Pick Active Bone"

    joint: _joint_property()

    @classmethod
    def objection(cls, context: Context) -> str:
        """Whether a bone is active; asked for each row of the table, so it looks at no other."""
        ob = target(context)
        return f"Click a bone of {ob.name} in Pose Mode first" if ob.data.bones.active is None else ""

    @classmethod
    def description(cls, context: Context, properties: Any) -> str:
        """Say which joint."""
        return f"Map the selected bone to {TITLES[properties.joint]}, as that of the {BONES[properties.joint]}"

    def execute(self, context: Context) -> set[str]:
        """Map it."""
        ob = target(context)
        selected = [bone.name for bone in ob.pose.bones if compat.is_selected(bone)]
        bone = selected[0] if len(selected) == 1 else ob.data.bones.active.name
        bone_map.put(ob.data, self.joint, bone)
        self.report({"INFO"}, rpt_("{joint} is {bone}.").format(joint=rpt_(TITLES[self.joint]), bone=bone))
        return {"FINISHED"}


class DPOSER_OT_clear_bone(MapOperator, Operator):
    """Take back what was mapped to this joint by hand, so that its bone is found automatically"""

    bl_idname = "dposer.clear_bone"
    bl_label = "Clear Bone"

    joint: _joint_property()

    @classmethod
    def description(cls, context: Context, properties: Any) -> str:
        """Say which joint."""
        return f"Clear {TITLES[properties.joint]}: its bone is found automatically again"

    def execute(self, context: Context) -> set[str]:
        """Clear it."""
        if self.joint not in self.by_hand(context):
            sentence = rpt_("{joint} is not mapped by hand; nothing was changed.")
            self.report({"INFO"}, sentence.format(joint=rpt_(TITLES[self.joint])))
            return {"CANCELLED"}
        bone_map.put(target(context).data, self.joint, None)
        return {"FINISHED"}


class DPOSER_OT_mirror_bone_map(MapOperator, Operator):
    """Map the right side by hand as the left side is, by the bones' names; joints found automatically stay so"""

    bl_idname = "dposer.mirror_bone_map"
    bl_label = "Mirror Left to Right"

    @classmethod
    def objection(cls, context: Context) -> str:
        """Whether the left side has anything to mirror."""
        left = any(joint.startswith("left_") for joint in cls.by_hand(context))
        return "" if left else "Map joints of the left side by hand first"

    def execute(self, context: Context) -> set[str]:
        """Mirror it, and name the bones that have no counterpart."""
        data = target(context).data
        left = {joint: bone for joint, bone in self.by_hand(context).items() if joint.startswith("left_")}
        others = {
            joint.replace("left_", "right_", 1): bone and mirror.counterpart(bone, data.bones)
            for joint, bone in left.items()
        }
        alone = [bone for bone, other in zip(left.values(), others.values(), strict=True) if bone and not other]
        done = [joint for joint, bone in zip(others, left.values(), strict=True) if bone not in alone]
        if not done:
            names = few(alone)
            self.report({"ERROR"}, f"No bone of the rig is the other side's {names}; nothing was changed.")
            return {"CANCELLED"}
        for joint in done:
            bone_map.put(data, joint, others[joint])
        sentence = f"Mirrored {len(done)} {'joint' if len(done) == 1 else 'joints'} to the right"
        if alone:
            self.report({"WARNING"}, f"{sentence}; no bone of the rig is the other side's {few(alone)}.")
        else:
            self.report({"INFO"}, f"{sentence}.")
        return {"FINISHED"}


class DPOSER_OT_clear_bone_map(MapOperator, Operator):
    """Take back all that was mapped by hand: every bone is found automatically"""

    bl_idname = "dposer.clear_bone_map"
    bl_label = "Clear All"

    @classmethod
    def objection(cls, context: Context) -> str:
        """Whether there is anything to clear."""
        return "" if cls.by_hand(context) else "No joint is mapped by hand"

    def execute(self, context: Context) -> set[str]:
        """Clear it."""
        bone_map.replace(target(context).data, {})
        return {"FINISHED"}


CLASSES = (
    DPOSER_OT_find_bones,
    DPOSER_OT_pick_bone,
    DPOSER_OT_clear_bone,
    DPOSER_OT_mirror_bone_map,
    DPOSER_OT_clear_bone_map,
)
