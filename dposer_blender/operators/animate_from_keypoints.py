# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.animate_from_keypoints``: the motion of a person whose joints were seen in images."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Context, Object, Operator

from .. import (
    armature,
    confidences,
    filmed,
    footage,
    frame_range,
    outcomes,
    pinhole,
    rotations,
    settling,
    wording,
    writing,
)
from ..after_reading import AfterReading
from ..edit_task import EditTask, Variant
from ..errors import ArmatureError
from ..jobs import Done, Request, Task
from ..late import np
from ..properties import common
from ..properties.keypoints import lifting, source, through, timing
from ..tool_operator import ToolOperator
from . import keypoints

if TYPE_CHECKING:
    from ..client import Message
    from ..clip import Clip

_MOST_FRAMES = 100_000
_SAME = 1e-6  # frames


class LiftTask(EditTask):
    """A lifting as `jobs.Job` drives it.

    Args:
        ob: the armature.
        context: with its scene.
        seen: the keypoints.
        size: (width, height) of their images in pixels.
        camera: that saw them.
        start: frame of the action that shows the first of them.
        fps: of the keypoints.
        settings: fields of the engine's ``LiftSettings``.
        result: how the result is written.
    """

    title = tool = "Lifting"

    def __init__(
        self,
        ob: Object,
        context: Context,
        seen: footage.Footage,
        size: tuple[int, int],
        camera: Object,
        start: int,
        fps: float,
        settings: dict[str, Any],
        result: writing.Settings,
    ) -> None:
        scene = context.scene
        self._fps, self._lift, self._heatmaps = fps, settings, seen.heatmaps
        self._film = filmed.Filmed(
            camera, pinhole.Frame.of(scene), size, seen.pixels, seen.confidence, seen.sigma
        )
        self._looked = 0
        pace = scene.render.fps / scene.render.fps_base / fps
        count = math.floor((len(seen) - 1) * pace + _SAME)
        if count >= _MOST_FRAMES:
            raise ArmatureError(f"So many keypoints take {count + 1} frames of the scene: raise their frame rate.")
        frames = start, start + count
        # What is no part of the body, such as a prop, does not go on as if the body still did what it did before.
        super().__init__(ob, context, frames, frames, replace(result, held=True), still=True)

    @property
    def has_more(self) -> bool:
        """Every seed gives others."""
        return True

    def reseed(self, seed: int) -> None:
        """Ask with another seed."""
        self._lift = self._lift | {"seed": seed}

    @property
    def fraction(self) -> float:  # type: ignore[override]
        if self._writing is None and self.clip is not None and self.clip.complete:
            return self._looked / len(self._film)
        return super().fraction

    def prepare(self, context: Context) -> bool | Done:
        """Read the armature, then where its camera is; write a slice of the result."""
        prepared = super().prepare(context)
        if prepared is not True or self._writing is not None or self.clip is None:
            return prepared
        clip = self.clip

        def when(row: int) -> float:
            return float(clip.scene_frames[0]) + row * clip.fps / self._fps

        with self.in_scene(context):
            self._looked = filmed.look([self._film], clip, context, when, self._looked)
        return self._looked == len(self._film)

    def ask(self, clip: Clip) -> Request:
        """For the motion that the camera sees so."""
        params, arrays = clip.request()
        pose = {name: arrays[name][:1] for name in ("rotations", "translations")}
        film = self._film
        asked = {"fps": self._fps, "settings": self._lift} | film.lens
        told = {"pixels": film.pixels, "confidence": film.confidence, "camera": film.views}
        if self._heatmaps is not None:
            asked["heatmaps"], told["image"] = self._heatmaps, film.image
        if film.sigma is not None:
            told["sigma"] = film.sigma
        return "lift", params | asked, arrays | pose | told

    def variants(self, message: Message) -> list[Variant]:
        """As many as were asked for, all of one seed."""
        return [Variant(self._lift["seed"])] * len(message.result["errors"])

    def changes(self, message: Message, clip: Clip) -> list[settling.Change]:
        """The animations on the frames of the clip, which may come faster or slower than the keypoints."""
        left, right, share = self._between(clip)
        return [
            settling.Change(
                rotations.slerp(change.rotations[left], change.rotations[right], share[:, None]),
                change.translations[left]
                + share[:, None, None] * (change.translations[right] - change.translations[left]),
                change.turned[left],
                change.moved[left],
            )
            for change in super().changes(message, clip)
        ]

    def sentence(self, written: writing.Written, message: Message, clip: Clip) -> str:
        """What was made."""
        told = rpt_("Animated {armature} from {frames} frames of keypoints{ways} in {action}, {pixels:.1f} pixels off, seed {seed}")  # noqa: E501
        return told.format(
            armature=clip.armature, frames=len(self._film), ways=wording.in_ways(len(message.result["errors"])),
            action=written.action, pixels=self._pixels_off(message), seed=self._lift["seed"],
        )  # fmt: skip

    def _done(self, ob: Object) -> Done:
        """Keep how far each joint was seen with the action that was made, and show how far off it is."""
        done = super()._done(ob)
        assert self.clip is not None and self._answer is not None
        record = ob.dposer_result
        if done.finished and self._settings.target != "OVERWRITE" and record.result is not None:
            left, right, share = self._between(self.clip)
            seen = self._answer.arrays["confidence"]
            found = seen[left] + share[:, None] * (seen[right] - seen[left])
            confidences.keep(record.result, int(self.clip.frames[0]), found)
        if done.finished:
            figures = outcomes.figures({"pixels_off": self._pixels_off(self._answer)})
            outcomes.remember(self.clip.armature_uid, outcomes.Outcome(figures, self._answer.result["joints"]))
        return done

    def _pixels_off(self, message: Message) -> float:
        """Of the images, by which the first animation is off."""
        return self._film.in_images(float(message.result["errors"][0]))

    def _between(self, clip: Clip) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of the keypoints before and after each of the clip's frames, and how far it is from one to the other."""
        at = (clip.scene_frames - clip.scene_frames[0]) / clip.fps * self._fps
        at = np.clip(at, 0.0, len(self._film) - 1.0)
        left = np.floor(at + _SAME).astype(int)
        right = np.minimum(left + 1, len(self._film) - 1)
        return left, right, np.maximum(at - left, 0.0)


class DPOSER_OT_animate_from_keypoints(ToolOperator, Operator):
    """Animate the armature from 2D keypoints of a person, so that it moves before the camera as the person did"""

    bl_idname = "dposer.animate_from_keypoints"
    bl_label = "Animate from Keypoints"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}
    settings_of = "keypoints"
    still = True
    several = False

    __annotations__ = {
        **source(options={"SKIP_SAVE"}),
        **timing(options={"SKIP_SAVE"}),
        **through(options={"SKIP_SAVE"}),
        **lifting(options={"SKIP_SAVE"}),
        **common.writing(options={"SKIP_SAVE"}),
    }

    def task(self, context: Context) -> Task:
        """As of all tools; the panel names its camera by itself, and not by its name."""
        keypoints.take_camera(self, context)
        return super().task(context)

    def make(self, context: Context, ob: Object) -> AfterReading:
        """The motion of an armature, from the keypoints of the file."""
        if self.keys == "ORIGINAL":
            raise ArmatureError(
                "Keypoints need keys where the original has none: set Keys to Every Frame or Reduced."
            )
        camera = keypoints.camera_of(context.scene, self.camera)
        asked = keypoints.request(context.scene, self.filepath, self.person, (self.width, self.height))
        settings = {
            "prior": self.prior,
            "hypotheses": self.hypotheses,
            "keep": self.variants,
            "seed": self.seed,
            "device": self.device(context),
        }
        given, start, fps, uid = (self.width, self.height), self.start, self.fps, ob.session_uid
        camera_uid, result, name = camera.session_uid, self.result_settings("_keypoints"), ob.name

        def begin(context: Context, read: list[footage.Footage]) -> LiftTask:
            (found,) = read
            scene, target, filming = context.scene, armature.of_uid(uid), armature.of_uid(camera_uid)
            if target is None or filming is None:
                raise ArmatureError(f"{name} or its camera was removed while DPoser was at work; nothing was changed.")
            size = filmed.size_of(scene, given, found)
            own = scene.render.fps / scene.render.fps_base
            first = frame_range.in_action(target, (start, start))[0]
            return LiftTask(
                target, context, found, size, filming, first, fps or found.fps or own, settings, result
            )

        return AfterReading(context, [asked], begin)


CLASSES = (DPOSER_OT_animate_from_keypoints,)
