# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.generate_idle``: a loop of standing still, from the current pose."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Context, Object, Operator

from .. import compat, frame_range, wording, writing
from ..edit_task import EditTask, Variant
from ..errors import ArmatureError
from ..jobs import Done, Request
from ..late import np
from ..properties import common
from ..properties.idle import idle_properties
from ..tool_operator import ToolOperator

if TYPE_CHECKING:
    from ..client import Message
    from ..clip import Clip


class IdleTask(EditTask):
    """An idle as `jobs.Job` drives it.

    Args:
        ob: the armature.
        context: with its scene.
        frames: first and last frame of the loop; the first has the pose that it sets out from.
        settings: fields of the engine's ``IdleSettings``.
        variants: how many, each with the next seed.
        result: how the result is written.
    """

    title = tool = "Idling"

    def __init__(
        self,
        ob: Object,
        context: Context,
        frames: tuple[int, int],
        settings: dict[str, Any],
        variants: int,
        result: writing.Settings,
    ) -> None:
        self._idle, self._variants = settings, variants
        # What is no part of the body, such as fingers and a prop, holds still, so that the loop closes.
        super().__init__(ob, context, frames, frames, replace(result, held=True), still=True)

    @property
    def has_more(self) -> bool:
        """Every seed gives others."""
        return True

    def reseed(self, seed: int) -> None:
        """Ask with another seed."""
        self._idle = self._idle | {"seed": seed}

    def ask(self, clip: Clip) -> Request:
        """For loops that set out from the first frame's pose."""
        params, arrays = clip.request()
        pose = {name: arrays[name][:1] for name in ("rotations", "translations")}
        seconds = (len(clip) - 1) / clip.fps
        asked = {"seconds": seconds, "variants": self._variants, "settings": self._idle}
        return "idle", params | asked, arrays | pose

    def variants(self, message: Message) -> list[Variant]:
        """One of each seed."""
        return [Variant(seed) for seed in message.result["seeds"]]

    def sentence(self, written: writing.Written, message: Message, clip: Clip) -> str:
        """What was made."""
        return rpt_("Made {armature} idle for {seconds:.1f} s{ways} in {action}, seed {seed}").format(
            armature=clip.armature, seconds=(len(clip) - 1) / clip.fps, action=written.action,
            ways=wording.in_ways(len(message.result["seeds"])), seed=self._idle["seed"],
        )  # fmt: skip

    def _done(self, ob: Object) -> Done:
        """Mark the loop in its action, for whatever plays it."""
        done = super()._done(ob)
        action, _ = compat.action_of(ob.animation_data)
        if done.finished and action is not None and self._settings.target == "NEW":
            action.use_frame_range = action.use_cyclic = True
            action.frame_start, action.frame_end = self._range
        return done


class DPOSER_OT_generate_idle(ToolOperator, Operator):
    """Make a loop of standing still from the current pose: breath, weight from foot to foot, small turns of the head"""

    bl_idname = "dposer.generate_idle"
    bl_label = "Generate Idle"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}
    settings_of = "idle"
    still = True

    __annotations__ = {
        **idle_properties(options={"SKIP_SAVE"}),
        **common.writing(options={"SKIP_SAVE"}),
    }

    def make(self, context: Context, ob: Object) -> IdleTask:
        """The idle of an armature, from its pose on the current frame."""
        if self.keys == "ORIGINAL":
            raise ArmatureError("An idle needs keys where the original has none: set Keys to Every Frame or Reduced.")
        scene = context.scene
        begin = frame_range.in_action(ob, (scene.frame_current, scene.frame_current))[0]
        count = int(np.round(self.seconds * scene.render.fps / scene.render.fps_base))
        settings = {
            "amount": self.amount,
            "breathing": self.breathing,
            "sway": self.sway,
            "seed": self.seed,
            "device": self.device(context),
        }
        result = self.result_settings("_idle")
        return IdleTask(ob, context, (begin, begin + count), settings, self.variants, result)


CLASSES = (DPOSER_OT_generate_idle,)
