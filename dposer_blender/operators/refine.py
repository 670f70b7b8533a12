# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.refine_to_keypoints``: an animation that is nearly right becomes what cameras saw of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from bpy.app.translations import pgettext_rpt as rpt_
from bpy.props import IntProperty
from bpy.types import Context, Object, Operator, Scene

from .. import armature, bone_choice, filmed, footage, frame_range, outcomes, pinhole, wording, writing
from ..after_reading import AfterReading
from ..edit_task import EditTask
from ..errors import ArmatureError
from ..jobs import Done, Request, Task
from ..late import np
from ..polled import Polled
from ..properties import common
from ..properties.keypoints import source, through, timing
from ..properties.refine import MOST_CAMERAS, refine_properties
from ..tool_operator import ToolOperator, take_settings
from . import keypoints

if TYPE_CHECKING:
    from ..client import Message
    from ..clip import Clip


@dataclass(frozen=True)
class View:
    """A camera and its keypoints.

    Attributes:
        name, uid: of the camera, the latter its ``session_uid``.
        found: the keypoints.
        frame: the picture that the camera takes.
        size: (width, height) of their images in pixels.
        fps: of them.
        start: frame of the scene that shows the first.
    """

    name: str
    uid: int
    found: footage.Footage
    frame: pinhole.Frame
    size: tuple[int, int]
    fps: float
    start: int

    def shown(self, scene: Scene) -> tuple[float, float]:
        """First and last frame of the scene on which somebody is seen."""
        seen = np.flatnonzero((self.found.confidence > 0).any(axis=1))
        if not len(seen):
            raise ArmatureError(f"{self.name} saw nobody: choose another person, or another file.")
        pace = scene.render.fps / scene.render.fps_base / self.fps
        return self.start + seen[0] * pace, self.start + seen[-1] * pace

    def on(self, clip: Clip) -> filmed.Filmed:
        """What it saw on the frames of a clip."""
        camera = armature.of_uid(self.uid)
        if camera is None:
            raise ArmatureError(f"{self.name} was removed while DPoser was at work; nothing was changed.")
        rows = (clip.scene_frames - self.start) / clip.fps * self.fps
        return filmed.Filmed(camera, self.frame, self.size, *self.found.at(rows))


class RefineTask(EditTask):
    """A refinement as `jobs.Job` drives it.

    Args:
        ob: the armature.
        context: with its scene.
        frames: first and last frame to change.
        ease: over how many of them the result comes in at the first, and goes out at the last.
        views: cameras with what they saw; none to make the motion smooth.
        bones: which bones may change, and the parts of the body where it is those; see `bone_choice`.
        settings: ``smooth``, ``rounds``, ``device``.
        result: how the result is written.
    """

    title = tool = "Refining"

    def __init__(
        self,
        ob: Object,
        context: Context,
        frames: tuple[int, int],
        ease: tuple[int, int],
        views: list[View],
        bones: tuple[str, set[str]],
        settings: dict[str, Any],
        result: writing.Settings,
    ) -> None:
        self._views, self._bones, self._refine = views, bones, settings
        self._films: list[filmed.Filmed] = []
        self._looked = 0
        super().__init__(ob, context, frames, frames, result, ease)

    def opened(self, ob: Object, clip: Clip) -> None:
        """Choose the bones that may change, and the keypoints of the frames."""
        self._chosen = bone_choice.changeable(ob, clip, *self._bones)
        self._films = [view.on(clip) for view in self._views]

    @property
    def fraction(self) -> float:  # type: ignore[override]
        if self._writing is None and self.clip is not None and self.clip.complete and self._films:
            return self._looked / len(self.clip)
        return super().fraction

    def prepare(self, context: Context) -> bool | Done:
        """Read the armature, then where its cameras are; write a slice of the result."""
        prepared = super().prepare(context)
        if prepared is not True or self._writing is not None or self.clip is None or not self._films:
            return prepared
        clip = self.clip
        with self.in_scene(context):
            self._looked = filmed.look(
                self._films, clip, context, lambda row: float(clip.scene_frames[row]), self._looked
            )
        return self._looked == len(clip)

    def ask(self, clip: Clip) -> Request:
        """For the motion that the cameras saw."""
        params, arrays = clip.request()
        cameras, told = filmed.told(self._films)
        asked = {"cameras": cameras, "bones": self._chosen, "settings": self._refine}
        return "refine", params | asked, arrays | told

    def sentence(self, written: writing.Written, message: Message, clip: Clip) -> str:
        """What was refined, and how far off it was and is."""
        bones = wording.bones(len(written.names))
        if not self._films:
            told = rpt_("Smoothed {bones} of {armature} to {action}")
            return told.format(bones=bones, armature=clip.armature, action=written.action)
        off = [
            (name, *(f"{part:.1f}" for part in pair)) for name, *pair in self._pixels_off(message) if None not in pair
        ]
        told = rpt_("Refined {bones} of {armature} to keypoints in {action}: {pixels}")
        each = rpt_("off by {after} instead of {before} pixels")
        pixels = [each.format(before=before, after=after) for _, before, after in off]
        if len(off) > 1:
            pixels = [f"{name} {one}" for (name, *_), one in zip(off, pixels, strict=True)]
        return told.format(bones=bones, armature=clip.armature, action=written.action, pixels=", ".join(pixels))

    def unchanged(self, clip: Clip) -> str:
        """Nothing was off."""
        return f"{clip.armature} moves as it should already; nothing was changed."

    def _done(self, ob: Object) -> Done:
        """Show how far off the result is."""
        done = super()._done(ob)
        assert self.clip is not None and self._answer is not None
        if done.finished:
            off = [(name, pair) for name, *pair in self._pixels_off(self._answer) if None not in pair]
            figures = outcomes.figures({"off_keypoints": off})
            outcomes.remember(self.clip.armature_uid, outcomes.Outcome(figures, self._answer.result["joints"]))
        return done

    def _pixels_off(self, message: Message) -> list[tuple[str, float | None, float | None]]:
        """Each camera's name, and how far off its keypoints the motion was and is, in pixels of its images."""
        told = message.result
        return [
            (film.name, *(None if off is None else film.in_images(off) for off in pair))
            for film, *pair in zip(self._films, told["before"], told["after"], strict=True)
        ]


class DPOSER_OT_refine_to_keypoints(ToolOperator, Operator):
    """Pull the armature's motion onto what one or several cameras saw of it, as 2D keypoints, or just make it smooth"""

    bl_idname = "dposer.refine_to_keypoints"
    bl_label = "Refine to Keypoints"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}
    settings_of = "refine"
    several = False

    __annotations__ = {
        **source(options={"SKIP_SAVE"}),
        **timing(options={"SKIP_SAVE"}),
        **through(options={"SKIP_SAVE"}),
        **refine_properties(options={"SKIP_SAVE"}),
        **common.writing(options={"SKIP_SAVE"}),
    }

    def task(self, context: Context) -> Task:
        """As of all tools; the first camera and its keypoints are those of Animate from Keypoints."""
        keypoints.take_camera(self, context)
        take_settings(self, context, self.settings_of)
        take_settings(self, context, "keypoints")
        return super().task(context)

    def make(self, context: Context, ob: Object) -> Task:
        """The refinement of the armature's motion, once its keypoints have been read."""
        scene = context.scene
        whole = armature.action_range(ob)
        if whole is None:
            raise ArmatureError(f"The action of {ob.name} moves no bone; choose another action.")
        chosen = frame_range.chosen(ob, scene, self.frames, whole)
        settings = {"smooth": self.smoothness, "rounds": self.rounds, "device": self.device(context)}
        bones, result, uid = (self.bones, set(self.parts)), self.result_settings("_refined"), ob.session_uid
        if self.only_smooth:
            if not self.smoothness or chosen[0] == chosen[1]:
                raise ArmatureError("There is nothing to smooth: raise Smoothness, and choose more frames than one.")
            return RefineTask(ob, context, chosen, (0, 0), [], bones, settings, result)
        wanted = [_Wanted.of(scene, self, keypoints.camera_of(scene, self.camera))]
        wanted += [_Wanted.of(scene, more, _own_camera(scene, more)) for more in scene.dposer.refine.cameras]
        names = [one.name for one in wanted]
        for name in names:
            if names.count(name) > 1:
                raise ArmatureError(f"{name} is there twice: choose another camera for one of its keypoint files.")
        name, ease = ob.name, self.ease

        def begin(context: Context, found: list[footage.Footage]) -> RefineTask:
            target = armature.of_uid(uid)
            if target is None:
                raise ArmatureError(f"{name} was removed while DPoser was at work; nothing was changed.")
            pairs = list(zip(wanted, found, strict=True))
            views = [one.view(context.scene, own, first=not n) for n, (one, own) in enumerate(pairs)]
            frames, eased = _covered(target, context.scene, views, chosen, ease)
            return RefineTask(target, context, frames, eased, views, bones, settings, result)

        return AfterReading(context, [one.asked for one in wanted], begin)


@dataclass(frozen=True)
class _Wanted:
    """A camera whose keypoints are yet to be read."""

    name: str
    uid: int
    asked: Request
    size: tuple[int, int]
    fps: float
    start: int

    @classmethod
    def of(cls, scene: Scene, settings: Any, camera: Object) -> _Wanted:
        """From what names a file and tells of it, and a camera."""
        size = settings.width, settings.height
        asked = keypoints.request(scene, settings.filepath, settings.person, size)
        return cls(camera.name, camera.session_uid, asked, size, settings.fps, settings.start)

    def view(self, scene: Scene, found: footage.Footage, first: bool) -> View:
        """With what was read; the first camera's images are the render's."""
        frame, size = pinhole.Frame.of(scene), self.size if all(self.size) else found.size
        if first or not all(size) or frame.shows(size):
            size = filmed.size_of(scene, self.size, found)
        else:  # of another camera, which takes pictures of its own
            frame = pinhole.Frame(*size, 1.0)
        fps = self.fps or found.fps or scene.render.fps / scene.render.fps_base
        return View(self.name, self.uid, found, frame, size, fps, self.start)


def _own_camera(scene: Scene, settings: Any) -> Object:
    """The camera of an entry of the list.

    Raises:
        ArmatureError: none is chosen, or it cannot be it.
    """
    if settings.camera is None:
        raise ArmatureError("A further camera is not chosen: choose one, or remove its entry from the list.")
    return keypoints.camera_of(scene, settings.camera.name)


def _covered(
    ob: Object, scene: Scene, views: list[View], chosen: tuple[int, int], ease: int
) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last frame to change, of those chosen, and how many at either end come before and after the keypoints.

    Raises:
        ArmatureError: there are none.
    """
    shown = [view.shown(scene) for view in views]
    limits = math.ceil(min(first for first, _ in shown)), math.floor(max(last for _, last in shown))
    first, last = frame_range.in_action(ob, limits)
    within = max(first, chosen[0]), min(last, chosen[1])
    if within[0] > within[1]:
        raise ArmatureError(
            f"The keypoints are on frames {first} to {last}, and the motion to refine on {chosen[0]} to {chosen[1]}: "
            "set Start, or choose another range."
        )
    before, after = min(ease, within[0] - chosen[0]), min(ease, chosen[1] - within[1])
    return (within[0] - before, within[1] + after), (before, after)


class DPOSER_OT_add_refine_camera(Polled, Operator):
    """Add a further camera that saw the same person, with a keypoint file of its own"""

    bl_idname = "dposer.add_refine_camera"
    bl_label = "Add Camera"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    @classmethod
    def refusal(cls, context: Context) -> str:
        """Why not, in a few words; empty where it can be done."""
        if len(context.scene.dposer.refine.cameras) + 1 >= MOST_CAMERAS:
            return "There are as many cameras as can be used"
        return ""

    def execute(self, context: Context) -> set[str]:
        """Add an entry, that begins as the first camera's file does."""
        added = context.scene.dposer.refine.cameras.add()
        added.start = context.scene.dposer.keypoints.start
        return {"FINISHED"}


class DPOSER_OT_remove_refine_camera(Polled, Operator):
    """Remove this camera from the list; the camera itself stays"""

    bl_idname = "dposer.remove_refine_camera"
    bl_label = "Remove Camera"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}

    __annotations__ = {
        "index": IntProperty(name="Index", description="Of the camera in the list, from 0", min=0, max=MOST_CAMERAS)
    }

    @classmethod
    def refusal(cls, context: Context) -> str:
        """Why not, in a few words; empty where it can be done."""
        return "" if len(context.scene.dposer.refine.cameras) else "The list is empty"

    def execute(self, context: Context) -> set[str]:
        """Remove the entry."""
        cameras = context.scene.dposer.refine.cameras
        if self.index >= len(cameras):
            self.report({"ERROR"}, "There is no such camera in the list.")
            return {"CANCELLED"}
        cameras.remove(self.index)
        return {"FINISHED"}


CLASSES = (DPOSER_OT_refine_to_keypoints, DPOSER_OT_add_refine_camera, DPOSER_OT_remove_refine_camera)
