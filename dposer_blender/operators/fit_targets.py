# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.add_targets``, ``follow_live``, ``end_live``, ``fit_range``, ``remove_targets``: bones follow empties."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import bpy
from bpy.props import BoolProperty
from bpy.types import Context, Event, Object, Operator

from .. import (
    armature,
    bone_choice,
    frame_range,
    jobs,
    live,
    map_request,
    rig,
    stage,
    targets,
    writing,
)
from ..body_joints import TITLES
from ..edit_task import EditTask
from ..errors import ArmatureError
from ..jobs import Done, JobOperator, Request, Task
from ..late import np
from ..polled import Polled
from ..properties import common
from ..properties.fit_targets import LIMBS, baked, how, which
from ..reading import SLICE
from ..tool_operator import ToolOperator, take_settings

if TYPE_CHECKING:
    from ..client import Message
    from ..clip import Clip

_NOTED = 2e-3  # metres by which a target may be missed without a word
_CLOSE = 5e-4  # metres, near enough for the bones of a control rig
_ROUNDS = 3  # of aiming off for it
_PADDING = 0.5  # seconds around the range that the engine sees


def refusal(context: Context, needs_targets: bool = True, live: bool = False) -> str:
    """Why the armature cannot follow targets, in a few words; empty where it can."""
    ob = armature.find(context)
    reason = armature.refusal(ob, still=True)
    if reason or ob is None:
        return reason
    if needs_targets and not targets.of(ob, context.scene):
        return f"{ob.name} has no target: add some first"
    animation = ob.animation_data
    if live and animation is not None and animation.action is None and rig.strips(ob):
        return f"{ob.name} plays NLA strips, which hide its pose: fit a range, or tweak a strip"
    return armature.refusal_to_write(ob)


class AddTask(Task):
    """Find the bones of the body, and put empties where they are.

    Args:
        ob: the armature.
        context: with its scene.
        choose: from the engine's mapping to the joints that get a target.
    """

    title = "Finding bones"

    def __init__(self, ob: Object, context: Context, choose: Callable[[dict[str, Any]], list[str]]) -> None:
        self._uid, self._name, self._choose = ob.session_uid, ob.name, choose
        self._asked = map_request.asked(ob, context.scene)

    def request(self, context: Context) -> Request:
        """The rest pose and what was mapped by hand."""
        return self._asked

    def finish(self, context: Context, message: Message) -> Done:
        """Make the empties, select them and make them ready to be dragged."""
        mapping = map_request.told(message)
        ob = armature.of_uid(self._uid)
        if ob is None:
            raise ArmatureError(f"{self._name} was removed while DPoser was at work; nothing was changed.")
        before = len(targets.of(ob, context.scene))
        found = targets.add(ob, context, mapping, self._choose(mapping))
        if context.mode == "POSE":
            bpy.ops.object.mode_set(mode="OBJECT")
        context.view_layer.update()
        for other in list(context.selected_objects):
            other.select_set(False)
        for empty in found:
            if empty.name in context.view_layer.objects:
                empty.select_set(True)
                context.view_layer.objects.active = empty
        added = len(targets.of(ob, context.scene)) - before
        return Done(f"{ob.name} has {before + added} targets, {added} of them new.")


class DPOSER_OT_add_targets(Polled, JobOperator, Operator):
    """Add empties where bones are now, for the bones to follow"""

    bl_idname = "dposer.add_targets"
    bl_label = "Add Targets"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    __annotations__ = which(options={"SKIP_SAVE"})

    @classmethod
    def refusal(cls, context: Context) -> str:
        """Why there is no armature to add them to, in a few words; empty where there is."""
        return refusal(context, needs_targets=False)

    def task(self, context: Context) -> AddTask:
        """The search for the bones; a setting that was not given is the panel's."""
        ob = armature.find(context)
        assert ob is not None  # as poll has seen
        take_settings(self, context, "fit_targets")
        choice, joints = self.bones, set(self.joints)
        selected = bone_choice.selected(ob) if choice == "SELECTED" else []

        def choose(mapping: dict[str, Any]) -> list[str]:
            bones = {joint: names for joint, names in mapping["bones"].items() if names}
            if choice == "SELECTED":
                chosen = [joint for joint, names in bones.items() if set(names) & _shown(selected, mapping)]
                if not chosen:
                    raise ArmatureError(
                        "None of the selected bones is one of the body's: select some that are, or map them first."
                    )
                return chosen
            wanted = set(LIMBS) if choice == "LIMBS" else joints
            if not wanted:
                raise ArmatureError("No joint is chosen: choose some.")
            missing = sorted(wanted - bones.keys())
            if missing:
                raise ArmatureError(f"No bone of {ob_name} is the body's {TITLES[missing[0]]}: map one first.")
            return [joint for joint in bones if joint in wanted]

        ob_name = ob.name
        return AddTask(ob, context, choose)


class DPOSER_OT_follow_live(Polled, JobOperator, Operator):
    """Let the body follow its targets while you drag them. Enter keys the pose, Esc puts it back"""

    bl_idname = "dposer.follow_live"
    bl_label = "Follow Live"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}
    tick = 0.02

    __annotations__ = how(options={"SKIP_SAVE"})

    @classmethod
    def refusal(cls, context: Context) -> str:
        """Why no armature can follow targets, in a few words; empty where one can."""
        return refusal(context, live=True)

    def invoke(self, context: Context, event: Event) -> set[str]:
        """Follow until the user ends it; in background mode, fit the current frame and key it."""
        self._once = False
        return super().invoke(context, event)

    def execute(self, context: Context) -> set[str]:
        """Fit the current frame and key it."""
        self._once = True
        return super().execute(context)

    def task(self, context: Context) -> live.LiveTask:
        """The following; a setting that was not given is the panel's."""
        ob = armature.find(context)
        assert ob is not None  # as poll has seen
        take_settings(self, context, "fit_targets")
        global _live
        _live = live.LiveTask(ob, context, _settings(self), self._once)
        return _live

    def modal(self, context: Context, event: Event) -> set[str]:
        """Enter keys the pose; Undo is the user's, since every look at the targets is a new one."""
        if event.type in {"RET", "NUMPAD_ENTER"} and event.value == "PRESS" and _live is not None:
            _live.confirm()
            return {"RUNNING_MODAL"}
        if event.type in {"Z", "Y"}:
            return {"PASS_THROUGH"}
        return super().modal(context, event)


class DPOSER_OT_end_live(Operator):
    """End following the targets"""

    bl_idname = "dposer.end_live"
    bl_label = "End Following"

    keep: BoolProperty(
        name="Keep", description="Key the pose; else it is put back", default=True, options={"SKIP_SAVE"}
    )

    @classmethod
    def description(cls, context: Context, properties: Operator) -> str:
        """What the button does."""
        return "Key the pose on this frame" if properties.keep else "Put the pose back"

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether an armature follows its targets."""
        if following() is None:
            cls.poll_message_set("No armature follows its targets now")
            return False
        return True

    def execute(self, context: Context) -> set[str]:
        """End it at the next look."""
        task = following()
        if self.keep and task is not None:
            task.confirm()
        else:
            jobs.cancel()
        return {"FINISHED"}


class FitTask(EditTask):
    """The following of a range of frames, as `jobs.Job` drives it.

    Args:
        ob: the armature.
        context: with its scene.
        frames: first and last frame that may change.
        read: first and last frame that the engine sees.
        settings: fields of the engine's ``FollowSettings``.
        result: how the result is written.
    """

    title = tool = "Fitting"

    def __init__(
        self,
        ob: Object,
        context: Context,
        frames: tuple[int, int],
        read: tuple[int, int],
        settings: dict[str, Any],
        result: writing.Settings,
    ) -> None:
        self._follow = settings
        found = targets.of(ob, context.scene)
        self._joints = [target.joint for target in found]
        self._turn = np.array([target.turn for target in found])
        self._empties = [target.empty.session_uid for target in found]
        count = read[1] + 1 - read[0]
        self._places = np.empty((count, len(found), 3))
        self._turns = np.empty((count, len(found), 4))
        self._looked = self._rounds = 0
        self._gap = np.zeros_like(self._places)
        self._found: np.ndarray | None = None
        super().__init__(ob, context, frames, read, result, still=True)

    @property
    def fraction(self) -> float:  # type: ignore[override]
        if self._writing is None and self.clip is not None and self.clip.complete:
            return self._looked / len(self._places)
        return super().fraction

    def prepare(self, context: Context) -> bool | Done:
        """Read the armature, then where its targets are; write a slice of the result."""
        prepared = super().prepare(context)
        if prepared is not True or self._writing is not None or self.clip is None:
            return prepared
        with self.in_scene(context):
            self._look(context, self.clip)
        return self._looked == len(self._places)

    def abandon(self) -> None:
        """Undo the writing, also of a result that is being looked at."""
        if self._found is not None and self._writing is not None:
            self._writing.take_back()
        super().abandon()

    def ask(self, clip: Clip) -> Request:
        """To follow the targets."""
        params, arrays = clip.request()
        first, last = (frame - int(clip.frames[0]) for frame in self._range)
        locked = [name for name, held in zip(clip.names, clip.rotations_locked, strict=True) if held]
        asked = {
            "targets": self._joints,
            "frames": [first, last + 1],
            "locked": locked,
            "settings": self._follow,
        }
        return "targets", params | asked, arrays | {"places": self._places - self._gap, "turns": self._turns}

    def accepted(self, context: Context) -> bool | None:
        """Whether the bones of a control rig are where its body's model says; else the targets are aimed off."""
        clip, message = self.clip, self._answer
        assert clip is not None and message is not None
        written = self._writing is not None and self._writing.written is not None
        if clip.puppet is None or not written or self._rounds == _ROUNDS:
            return True
        if self._found is None:
            self._found, self._evaluated = np.empty_like(self._places), 0
        ob = armature.resolve_object(clip)
        camera, deadline = armature.Camera(ob, clip), time.monotonic() + SLICE
        columns = [clip.names.index(message.result["bones"][joint][0]) for joint in self._joints]
        with stage.evaluation(ob, context) as evaluated:
            while self._evaluated < len(clip) and time.monotonic() < deadline:
                poses, _ = camera.take(evaluated(clip.scene_frames[self._evaluated]))
                self._found[self._evaluated] = poses[columns, :3, 3]
                self._evaluated += 1
        if self._evaluated < len(clip):
            return None
        reached = np.nan_to_num(message.arrays["missed"], nan=np.inf) < _NOTED
        off = (self._found - self._places) * reached[..., None]
        self._found = None
        if float(np.linalg.norm(off, axis=-1).max()) * clip.scale < _CLOSE:
            return True
        self._gap, self._rounds = self._gap + off, self._rounds + 1
        return False

    def sentence(self, written: writing.Written, message: Message, clip: Clip) -> str:
        """What follows now, and what is out of reach."""
        count = len(self._joints)
        to = "1 target" if count == 1 else f"{count} targets"
        missed = {joint: far for joint, far in message.result["missed"].items() if far and far > _NOTED}
        far = "".join(f", {TITLES[joint]} up to {1e3 * away:.0f} mm off" for joint, away in missed.items())
        return f"Fitted {clip.armature} to {to} in {written.action}{far}"

    def unchanged(self, clip: Clip) -> str:
        """The targets are where the bones are."""
        return f"{clip.armature} is at its targets; nothing was changed."

    def _look(self, context: Context, clip: Clip) -> None:
        """Evaluate the targets on some frames."""
        ob = armature.resolve_object(clip)
        by_uid = {other.session_uid: other for other in context.scene.objects}
        empties = [by_uid[uid] for uid in self._empties if uid in by_uid]
        if len(empties) < len(self._empties):
            raise ArmatureError(f"A target of {clip.armature} was deleted; nothing was changed.")
        deadline = time.monotonic() + SLICE
        with stage.evaluations([ob, *empties], context) as evaluated:
            while self._looked < len(self._places) and time.monotonic() < deadline:
                row = self._looked
                posed, *seen = evaluated(clip.scene_frames[row])
                self._places[row], self._turns[row] = targets.in_clip(clip, posed, seen)
                self._looked += 1
        if not (np.isfinite(self._places).all() if self._looked == len(self._places) else True):
            raise ArmatureError(f"A target of {clip.armature} has no finite place: move it back.")
        self._turns[:, ~self._turn] = np.nan


class DPOSER_OT_fit_range(ToolOperator, Operator):
    """Let the body follow its targets on every frame of a range, and write it to a new action"""

    bl_idname = "dposer.fit_range"
    bl_label = "Fit Range"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}
    settings_of = "fit_targets"
    still = True
    several = False

    __annotations__ = {
        **how(options={"SKIP_SAVE"}),
        **baked(options={"SKIP_SAVE"}),
        **common.writing(options={"SKIP_SAVE"}),
    }

    @classmethod
    def refusal(cls, context: Context) -> str:
        """Why not, in a few words; empty where it can be done."""
        return refusal(context) or super().refusal(context)

    def make(self, context: Context, ob: Object) -> FitTask:
        """The fitting; without animation of its own, the armature is fitted on the scene's frames."""
        scene = context.scene
        fps = scene.render.fps / scene.render.fps_base
        whole = armature.action_range(ob)
        if whole is None:
            if self.frames == "SELECTED":
                raise ArmatureError(f"{ob.name} has no keys: choose another range.")
            whole = scene.frame_start, scene.frame_end
        frames = frame_range.chosen(ob, scene, self.frames, whole)
        read = frame_range.around(scene, frames, whole, _PADDING)
        ease = min(self.ease / fps, 1.5)
        settings = _settings(self) | {"smooth": self.smooth, "blend": ease}
        return FitTask(ob, context, frames, read, settings, self.result_settings("_fitted"))


class DPOSER_OT_remove_targets(Polled, Operator):
    """Remove the armature's targets; its motion stays as it is"""

    bl_idname = "dposer.remove_targets"
    bl_label = "Remove Targets"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    @classmethod
    def refusal(cls, context: Context) -> str:
        """Why there are none to remove, in a few words; empty where there are."""
        ob = armature.find(context)
        reason = armature.refusal(ob, still=True)
        if not reason and ob is not None and not len(ob.dposer_targets):
            return f"{ob.name} has no target"
        return reason

    def execute(self, context: Context) -> set[str]:
        """Remove them, and let the armature be the active object again."""
        ob = armature.find(context)
        assert ob is not None  # as poll has seen
        count = targets.remove(ob)
        if ob.name in context.view_layer.objects:
            context.view_layer.objects.active = ob
        self.report({"INFO"}, f"Removed {count} targets of {ob.name}.")
        return {"FINISHED"}


_live: live.LiveTask | None = None


def following() -> live.LiveTask | None:
    """The armature's following that is in progress."""
    job = jobs.current()
    return _live if job is not None and job.task is _live else None


def _shown(selected: list[str], mapping: dict[str, Any]) -> set[str]:
    """Selected bones, and the controls of those that only show where a part of the body is."""
    controls = {shown: control for control, shown in mapping["shown"].items()}
    return {*selected, *(controls[name] for name in selected if name in controls)}


def _settings(operator: Any) -> dict[str, Any]:
    return {"keep": operator.keep, "free_root": operator.free_root, "keep_feet": operator.keep_feet}


CLASSES = (
    DPOSER_OT_add_targets,
    DPOSER_OT_follow_live,
    DPOSER_OT_end_live,
    DPOSER_OT_fit_range,
    DPOSER_OT_remove_targets,
)
