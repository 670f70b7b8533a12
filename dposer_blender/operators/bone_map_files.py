# SPDX-License-Identifier: GPL-3.0-or-later
"""Bone maps to files and back: exported for others to import, or kept as a preset on this machine."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.app.translations import pgettext_rpt as rpt_
from bpy.props import BoolProperty, StringProperty
from bpy.types import Context, Event, Object, Operator
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ...engine.errors import EngineError
from ...engine.motion import bone_map_file
from ...engine.wording import few
from .. import armature, bone_map, presets
from ..body_joints import TITLES
from ..errors import ArmatureError
from .bone_map import MapOperator, target


class DPOSER_OT_save_bone_map(ExportHelper, Operator):
    """Export what is mapped by hand to a JSON file, for others who animate the same rig"""

    bl_idname = "dposer.save_bone_map"
    bl_label = "Export Bone Map"

    filename_ext = ".json"
    filter_glob: StringProperty(
        name="Filter", description="Files to show", default="*.json", options={"HIDDEN"}
    )
    include_found: BoolProperty(
        name="Include Found Bones",
        description="Also write the bones that were found automatically, as if they were mapped by hand",
        default=False,
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether there is a map to write."""
        return _has_map(cls, context)

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Propose the armature's name and ask for the file."""
        if not self.properties.is_property_set("filepath"):
            self.filepath = bpy.path.clean_name(target(context).name) + self.filename_ext
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: Context) -> set[str]:
        """Write the file."""
        ob = target(context)
        path = Path(bpy.path.abspath(bpy.path.ensure_ext(self.filepath, self.filename_ext)))
        try:
            bones = _written(ob, self.include_found)
            bone_map_file.write(path, _title(ob), bones)
        except EngineError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, rpt_("Exported {joints} to {name}.").format(joints=_joints(bones), name=path.name))
        return {"FINISHED"}


class DPOSER_OT_load_bone_map(MapOperator, ImportHelper, Operator):
    """Import a bone map from a JSON file, in place of what is mapped by hand"""

    bl_idname = "dposer.load_bone_map"
    bl_label = "Import Bone Map"

    filename_ext = ".json"
    filter_glob: StringProperty(
        name="Filter", description="Files to show", default="*.json", options={"HIDDEN"}
    )

    def execute(self, context: Context) -> set[str]:
        """Read the file."""
        return _load(self, context, Path(bpy.path.abspath(self.filepath)))


class DPOSER_OT_save_bone_map_preset(Operator):
    """Keep what is mapped by hand as a preset on this machine, for this rig in other files"""

    bl_idname = "dposer.save_bone_map_preset"
    bl_label = "Save Preset"

    preset: StringProperty(
        name="Name", description="What to call the preset; one of that name is replaced", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether there is a map to keep."""
        return _has_map(cls, context)

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Propose the armature's name."""
        self.preset = self.preset or target(context).name[:60]
        result: set[str] = context.window_manager.invoke_props_dialog(self)
        return result

    def execute(self, context: Context) -> set[str]:
        """Write the preset."""
        ob = target(context)
        try:
            bones = _written(ob, False)
            bone_map_file.write(presets.path(self.preset, create=True), _title(ob), bones)
        except EngineError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        sentence = rpt_("Saved {joints} as preset {name}.")
        self.report({"INFO"}, sentence.format(joints=_joints(bones), name=self.preset.strip()))
        return {"FINISHED"}


def _preset_names(self: Operator, context: Context, text: str) -> list[str]:
    return presets.names()


def _preset_property() -> object:
    return StringProperty(
        name="Preset", description="Name of the preset", search=_preset_names, options={"SKIP_SAVE"}
    )


class DPOSER_OT_load_bone_map_preset(MapOperator, Operator):
    """Load this preset in place of what is mapped by hand"""

    bl_idname = "dposer.load_bone_map_preset"
    bl_label = "Load Preset"

    preset: _preset_property()

    def execute(self, context: Context) -> set[str]:
        """Read the preset."""
        try:
            path = presets.existing(self.preset)
        except EngineError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return _load(self, context, path)


class DPOSER_OT_remove_bone_map_preset(Operator):
    """Delete this preset from this machine; armatures keep their maps"""

    bl_idname = "dposer.remove_bone_map_preset"
    bl_label = "Remove Preset"

    preset: _preset_property()

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Ask first: it cannot be undone."""
        result: set[str] = context.window_manager.invoke_confirm(self, event)
        return result

    def execute(self, context: Context) -> set[str]:
        """Delete it."""
        try:
            presets.existing(self.preset).unlink()
        except EngineError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        except OSError as error:
            self.report({"ERROR"}, f"The preset {self.preset} cannot be removed ({error.strerror or error}).")
            return {"CANCELLED"}
        self.report({"INFO"}, rpt_("Removed preset {name}.").format(name=self.preset))
        return {"FINISHED"}


def _has_map(cls: type[Operator], context: Context) -> bool:
    ob = armature.find(context)
    if ob is None or ob.type != "ARMATURE":
        reason = "Select an armature first"
    else:
        by_hand, search, _ = bone_map.checked(ob.data)
        found = search is not None and search.found is not None
        reason = "" if by_hand or found else "No joint is mapped by hand, so there is nothing to keep"
    if reason:
        cls.poll_message_set(reason)
    return not reason


def _title(ob: Object) -> str:
    """What the rig is, for those who read the file."""
    search = bone_map.checked(ob.data)[1]
    return search.found.title if search is not None and search.found is not None else ob.name


def _written(ob: Object, include_found: bool) -> dict[str, str]:
    """The bones to write.

    Raises:
        ArmatureError: there are none, or some are not the rig's, which nobody could load.
    """
    by_hand, _, checked = bone_map.checked(ob.data)
    bones = dict(by_hand)
    if include_found:
        bones = {joint: turned[0] for joint, turned in checked.bones.items() if turned} | bones
    if not bones:
        raise ArmatureError(
            f"No joint of {ob.name} is mapped by hand, so there is nothing to keep: its bones are found "
            "automatically everywhere."
        )
    if gone := [bone for bone in bones.values() if bone and bone not in ob.data.bones]:
        raise ArmatureError(
            f"{ob.name} does not have the bones {few(gone)} of its map; choose others first."
        )
    return {joint: bones[joint] for joint in TITLES if joint in bones}


def _load(operator: Operator, context: Context, path: Path) -> set[str]:
    """Make a file's map the armature's; nothing changes where it does not fit."""
    ob = target(context)
    try:
        bones = bone_map_file.read(path)[1]
        if foreign := [bone for bone in bones.values() if bone and bone not in ob.data.bones]:
            raise ArmatureError(
                f"{path.stem} names bones that {ob.name} does not have: {few(foreign)}; "
                "choose the map of another rig."
            )
    except EngineError as error:
        operator.report({"ERROR"}, str(error))
        return {"CANCELLED"}
    bone_map.replace(ob.data, bones)
    operator.report({"INFO"}, rpt_("Loaded {joints} from {name}.").format(joints=_joints(bones), name=path.stem))
    return {"FINISHED"}


def _joints(bones: dict[str, str]) -> str:
    return rpt_("1 joint") if len(bones) == 1 else rpt_("{count} joints").format(count=len(bones))


CLASSES = (
    DPOSER_OT_save_bone_map,
    DPOSER_OT_load_bone_map,
    DPOSER_OT_save_bone_map_preset,
    DPOSER_OT_load_bone_map_preset,
    DPOSER_OT_remove_bone_map_preset,
)
