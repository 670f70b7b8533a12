# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.plausibility`` scores every frame; ``dposer.jump_to_worst_frame`` goes through what it found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from bpy.props import EnumProperty
from bpy.types import Context, Object, Operator

from ...engine.errors import EngineError
from .. import armature, compat, frame_range, outcomes, plausibility, preferences, stage, staleness
from ..body_joints import TITLES
from ..drawing import handlers, scale, segments
from ..jobs import Done, JobOperator, Request
from ..late import np
from ..polled import Polled
from ..properties.plausibility import plausibility_properties
from ..reading import ReadTask
from ..tool_operator import take_settings

if TYPE_CHECKING:
    from ..client import Message
    from ..clip import Clip

_PADDING = 2.0  # seconds around the range, which tell what is damage there
_DAMAGED = 0.5  # probability from which a sample is called no measurement
_STEPS = (
    ("WORST", "Worst", "The least plausible moment of all"),
    ("NEXT", "Next", "The next one, less bad than the last"),
    ("PREVIOUS", "Previous", "The one before, worse than the last"),
)


class PlausibilityTask(ReadTask):
    """A scoring as `jobs.Job` drives it; changes nothing.

    Args:
        ob: the armature.
        context: with its scene.
        frames: first and last frame to score.
        read: first and last frame that the engine sees.
        device: that the engine computes on.
    """

    title = "Scoring"

    def __init__(
        self, ob: Object, context: Context, frames: tuple[int, int], read: tuple[int, int], device: str
    ) -> None:
        self._range, self._device, self._state = frames, device, staleness.state(ob)
        super().__init__(ob, context, read, still=True)

    def ask(self, clip: Clip) -> Request:
        """For the plausibility of the range."""
        params, arrays = clip.request()
        begin, end = self._rows(clip)
        return "score", params | {"frames": [begin, end], "settings": {"device": self._device}}, arrays

    def answered(self, context: Context, message: Message) -> Done:
        """Keep the scores and show them."""
        assert self.clip is not None
        clip, told, arrays = self.clip, message.result, message.arrays
        ob = armature.resolve_object(clip)
        damaged = arrays["damage"] > _DAMAGED
        scores = plausibility.Scores(
            armature=ob.name,
            state=self._state,
            frames=clip.scene_frames[slice(*self._rows(clip))],
            pose=arrays["pose"],
            joints=arrays["joints"],
            damaged=damaged.any(axis=1),
            damage=float(damaged.mean()),
            noise=float(np.degrees(np.median(arrays["noise"]))),
            bones={joint: tuple(bones) for joint, bones in told["bones"].items()},
            segments=segments.segments(told["shown"]),
            moments=tuple(plausibility.Moment(*moment) for moment in told["worst"]),
            stale=staleness.state(ob) != self._state,
        )
        plausibility.remember(clip.armature_uid, scores)
        handlers.refresh()
        worst = scores.moments[0]
        count = "1 frame" if len(scores.pose) == 1 else f"{len(scores.pose)} frames"
        return Done(
            f"Scored {count} of {ob.name}: median {scale.figure(scores.median)}, "
            f"worst {_told(scores, worst)} (chance of an odder natural pose)."
        )

    def _rows(self, clip: Clip) -> tuple[int, int]:
        """The range as rows of the clip, half open."""
        first = int(clip.frames[0])
        return self._range[0] - first, self._range[1] + 1 - first


class DPOSER_OT_plausibility(Polled, JobOperator, Operator):
    """Score how natural the active armature's pose is on every frame, and show where it is not; changes nothing"""

    bl_idname = "dposer.plausibility"
    bl_label = "Plausibility"
    bl_options: ClassVar[set[str]] = {"REGISTER"}

    __annotations__ = plausibility_properties(options={"SKIP_SAVE"})

    @classmethod
    def refusal(cls, context: Context) -> str:
        """Why there is no motion or pose to score, in a few words; empty where there is."""
        return armature.refusal(armature.find(context), still=True)

    def task(self, context: Context) -> PlausibilityTask:
        """Read the armature; a range that was not given is the panel's."""
        ob, scene = armature.find(context), context.scene
        assert ob is not None  # as poll has seen
        self._armature_uid = ob.session_uid
        take_settings(self, context, "plausibility")
        whole = armature.action_range(ob)
        if whole is None or self.frames == "FRAME":
            frame = frame_range.in_action(ob, (scene.frame_current, scene.frame_current))[0]
            frames = frame, frame
        else:
            frames = frame_range.chosen(ob, scene, self.frames, whole)
        read = frame_range.around(scene, frames, whole or frames, _PADDING)
        return PlausibilityTask(ob, context, frames, read, preferences.of(context)[1])

    def failed(self, error: EngineError) -> None:
        """Let the panel say why, too."""
        outcomes.remember(self._armature_uid, outcomes.Outcome(problem=str(error)))

    def draw(self, context: Context) -> None:
        """Nothing to adjust: another range would be scored while Blender stands still."""


class DPOSER_OT_jump_to_worst_frame(Operator):
    """Go to the least plausible frame, or on to the next one; in Pose Mode its oddest bones are selected"""

    bl_idname = "dposer.jump_to_worst_frame"
    bl_label = "Jump to Worst Frame"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    __annotations__ = {
        "which": EnumProperty(
            name="Which", description="Which of the worst moments", items=_STEPS, options={"SKIP_SAVE"}
        )
    }

    @classmethod
    def description(cls, context: Context, properties: Any) -> str:
        """What the button at hand does."""
        told = {
            "WORST": "Go to the least plausible frame",
            "NEXT": "Go to the next of the worst moments, which are half a second apart",
            "PREVIOUS": "Go back to the moment before, which is worse",
        }[properties.which]
        return f"{told}; in Pose Mode its oddest bones are selected"

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether the armature was scored."""
        found = _scores(context) is not None
        if not found:
            cls.poll_message_set("Score the motion first: press Plausibility")
        return found

    def execute(self, context: Context) -> set[str]:
        """Show the frame and select bones."""
        ob, scores = armature.find(context), _scores(context)
        assert ob is not None and scores is not None  # as poll has seen
        count, place = len(scores.worst), scores.place
        if self.which == "WORST" or (place is None and self.which == "NEXT"):
            place = 0
        else:
            place = ((place or 0) + (1 if self.which == "NEXT" else -1)) % count
        scores.place, moment = place, scores.worst[place]
        stage.show(context.scene, float(scores.frames[moment.row]))
        if ob.mode == "POSE":
            _select(ob, [bone for joint in scores.oddest(moment.row) for bone in scores.bones.get(joint, ())])
        handlers.redraw()
        stale = "; the motion has changed since it was scored" if scores.stale else ""
        self.report({"INFO"}, f"Worst {place + 1} of {count}: {_told(scores, moment)}{stale}.")
        return {"FINISHED"}


class DPOSER_OT_clear_plausibility(Operator):
    """Forget the armature's scores, and with them the graph and the colours"""

    bl_idname = "dposer.clear_plausibility"
    bl_label = "Clear Plausibility"
    bl_options: ClassVar[set[str]] = {"REGISTER"}

    @classmethod
    def poll(cls, context: Context) -> bool:
        """Whether there is something to forget."""
        found = _scores(context) is not None
        if not found:
            cls.poll_message_set("The armature has no scores")
        return found

    def execute(self, context: Context) -> set[str]:
        """Forget them."""
        ob = armature.find(context)
        assert ob is not None  # as poll has seen
        plausibility.forget(ob.session_uid)
        handlers.refresh()
        return {"FINISHED"}


def _scores(context: Context) -> plausibility.Scores | None:
    ob = armature.find(context)
    return plausibility.recall(ob.session_uid) if ob is not None else None


def _told(scores: plausibility.Scores, moment: plausibility.Moment) -> str:
    """ "frame 34, Left Elbow, 0.04 %"."""
    return f"frame {scores.frames[moment.row]:g}, {TITLES[moment.joint]}, {scale.figure(moment.plausibility)}"


def _select(ob: Object, names: list[str]) -> None:
    """Make these the selected bones in Pose Mode, the first of them the active one."""
    for bone in ob.pose.bones:
        compat.select(bone, bone.name in names)
    if active := next((ob.data.bones[name] for name in names if name in ob.data.bones), None):
        ob.data.bones.active = active


CLASSES = (DPOSER_OT_plausibility, DPOSER_OT_jump_to_worst_frame, DPOSER_OT_clear_plausibility)
