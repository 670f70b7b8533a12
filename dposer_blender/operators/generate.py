# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.generate_poses``: natural poses, on the current frame, along the timeline, or as pose assets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from bpy.app.translations import pgettext_rpt as rpt_
from bpy.types import Context, Object, Operator

from .. import bone_choice, frame_range, pose_assets, rotations, settling, wording, writing
from ..edit_task import EditTask, Variant
from ..jobs import Done, Request
from ..late import np
from ..properties import common
from ..properties.generate import generate_properties
from ..tool_operator import ToolOperator

if TYPE_CHECKING:
    from ..client import Message
    from ..clip import Clip


class GenerateTask(EditTask):
    """A generation as `jobs.Job` drives it.

    Args:
        ob: the armature.
        context: with its scene.
        frames: the frames of the poses; one, for all of them, unless they go along the timeline.
        count: how many poses.
        kept: which bones keep the pose of the first frame, and the parts of the body where it is those.
        settings: fields of the engine's settings.
        result: how the result is written.
        catalog: where the poses become assets, the path of their catalog; else None.
    """

    title = tool = "Generating"

    def __init__(
        self,
        ob: Object,
        context: Context,
        frames: np.ndarray,
        count: int,
        kept: tuple[str, set[str]],
        settings: dict[str, Any],
        result: writing.Settings,
        catalog: str | None,
    ) -> None:
        self._at, self._poses, self._kept_bones = frames, count, kept
        self._generate, self._catalog = settings, catalog
        limits = int(frames[0]), int(frames[-1])
        if len(frames) > 1:
            result = replace(result, poses=frames - frames[0])
        super().__init__(ob, context, limits, limits, result, still=True)

    @property
    def has_more(self) -> bool:
        """Poses to choose from, unless they go along the timeline as one result."""
        return len(self._at) == 1

    def reseed(self, seed: int) -> None:
        """Ask with another seed."""
        self._generate = self._generate | {"seed": seed}

    @property
    def keeps_all(self) -> bool:
        """Every pose, where they become assets."""
        return super().keeps_all or self._catalog is not None

    def opened(self, ob: Object, clip: Clip) -> None:
        """Choose the bones that keep their pose."""
        choice, parts = self._kept_bones
        self._keep: list[str] = []
        if choice == bone_choice.PARTS:
            self._keep = bone_choice.names(parts)
        elif choice == bone_choice.SELECTED:
            self._keep = bone_choice.selected(ob)

    def ask(self, clip: Clip) -> Request:
        """For poses in place of the first frame's."""
        params, arrays = clip.request()
        pose = {name: arrays[name][:1] for name in ("rotations", "translations")}
        asked = {"count": self._poses, "kept": self._keep, "settings": self._generate}
        return "generate", params | asked, arrays | pose

    def variants(self, message: Message) -> list[Variant]:
        """Every pose, unless they go along the timeline as one result."""
        return [Variant(self._generate["seed"])] * (1 if len(self._at) > 1 else self._poses)

    def changes(self, message: Message, clip: Clip) -> list[settling.Change]:
        """The poses one by one; or as one motion through all of them."""
        (row,) = super().changes(message, clip)
        poses = [
            settling.Change(*(part[n : n + 1] for part in (row.rotations, row.translations, row.turned, row.moved)))
            for n in range(self._poses)
        ]
        return poses if len(self._at) == 1 else [self._through(row, clip)]

    def _through(self, row: settling.Change, clip: Clip) -> settling.Change:
        """From pose to pose on every frame of the clip, evenly; what no pose changes goes on as it was."""
        at = (clip.frames - self._at[0]) / (self._at[1] - self._at[0])
        left = np.minimum(at.astype(int), self._poses - 2)
        share = (at - left)[:, None]
        turned, moved = (
            np.broadcast_to(part.any(axis=0), (len(clip), len(clip.names))) for part in (row.turned, row.moved)
        )
        places = row.translations[left] + share[..., None] * (row.translations[left + 1] - row.translations[left])
        turns = rotations.slerp(row.rotations[left], row.rotations[left + 1], share)
        return settling.Change(turns, places, turned, moved)

    def sentence(self, written: writing.Written, message: Message, clip: Clip) -> str:
        """What was made."""
        return rpt_("Made {poses} for {armature} in {action}, seed {seed}").format(
            poses=wording.poses(self._poses), armature=clip.armature, action=written.action, seed=self._generate["seed"]
        )

    def _done(self, ob: Object) -> Done:
        """Make assets of the poses, and leave the animation as it was; or keep the result."""
        if self._catalog is None or not self._kept:
            return super()._done(ob)
        assert self.clip is not None and self._writing is not None
        self._writing.take_back()
        catalog = pose_assets.catalog_id(self._catalog)
        seed, frame = self._generate["seed"], float(self._at[0])
        for number, kept in enumerate(reversed(self._kept), start=1):
            name = f"{self.clip.armature} {seed}.{number:02}"
            pose_assets.add(ob, name, kept.keys, frame, catalog)
        poses = "1 pose" if len(self._kept) == 1 else f"{len(self._kept)} poses"
        place = f" in {self._catalog}" if catalog else "; save the file to have them in a catalog"
        return Done(f"Added {poses} of {self.clip.armature} to the asset browser{place}.")


class DPOSER_OT_generate_poses(ToolOperator, Operator):
    """Make up natural poses for the armature: one to choose on this frame, some along the timeline, or pose assets"""

    bl_idname = "dposer.generate_poses"
    bl_label = "Generate Poses"
    bl_options: ClassVar[set[str]] = {"REGISTER", "UNDO"}
    settings_of = "generate"
    still = True

    __annotations__ = {
        **generate_properties(options={"SKIP_SAVE"}),
        **common.writing(options={"SKIP_SAVE"}),
    }

    @property
    def choices(self) -> int:
        """Every pose, unless they go along the timeline."""
        return self.count if self.output == "POSE" else 1

    def make(self, context: Context, ob: Object) -> GenerateTask:
        """The poses of an armature, from that on the current frame."""
        now = context.scene.frame_current
        begin = frame_range.in_action(ob, (now, now))[0]
        row = self.output == "KEYS" and self.count > 1
        frames = begin + self.step * np.arange(self.count if row else 1)
        settings = {"temperature": self.temperature, "seed": self.seed, "device": self.device(context)}
        result = self.result_settings("_poses")
        if self.output == "ASSETS":
            result = replace(result, target="NEW")
        return GenerateTask(
            ob,
            context,
            frames,
            self.count,
            (self.bones, set(self.parts)),
            settings,
            result,
            self.catalog if self.output == "ASSETS" else None,
        )


CLASSES = (DPOSER_OT_generate_poses,)
