# SPDX-License-Identifier: GPL-3.0-or-later
"""The reading half of a job: an armature's frames to arrays, in short pieces where Blender has to evaluate them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import bpy
from bpy.types import Context, Object, Scene

from . import armature, bone_map, map_request, vrm
from .errors import ArmatureError
from .jobs import Done, Request, Task

if TYPE_CHECKING:
    from .client import Message
    from .clip import Clip

SLICE = 0.15  # seconds of evaluation between two looks at the user's input


class ReadTask(Task):
    """Reads an armature and asks the engine about it; a rig to be evaluated is mapped first.

    Args:
        ob: the armature.
        context: with its scene.
        read: first and last frame to read.
        body: whether the question is about the body, and needs to know which bones are its.
        still: whether an armature without animation will do, see `armature.read`.

    Attributes:
        clip: what is read, once the reading has begun.
    """

    def __init__(
        self, ob: Object, context: Context, read: tuple[int, int], body: bool = True, still: bool = False
    ) -> None:
        scene = context.scene
        self._ob_uid, self._name, self._scene_uid = ob.session_uid, ob.name, scene.session_uid
        self._read, self._still = read, still
        self._names = {"bone_map": bone_map.entries(ob.data), "human_bones": vrm.human_bones(ob.data)}
        self.clip: Clip | None = None
        if body and armature.needs_evaluation(ob):
            self._asked = map_request.asked(ob, scene)
        else:
            self._begin(ob, scene, None)

    def ask(self, clip: Clip) -> Request:
        """What to ask the engine about the complete clip."""
        raise NotImplementedError

    def answered(self, context: Context, message: Message) -> Done | None:
        """Use the engine's answer; None where `prepare` has more to do."""
        raise NotImplementedError

    def opened(self, ob: Object, clip: Clip) -> None:
        """Called once when the bones to read are known, before their frames are evaluated."""

    @property
    def frames(self) -> int:  # type: ignore[override]
        return self._read[1] + 1 - self._read[0]

    @property
    def fraction(self) -> float:  # type: ignore[override]
        return self.clip.evaluated / len(self.clip) if self.clip is not None else 0.0

    def prepare(self, context: Context) -> bool | Done:
        """Evaluate a slice of a rig that its f-curves alone do not describe."""
        if self.clip is not None and not self.clip.complete:
            with self.in_scene(context):
                armature.evaluate(self.clip, context, SLICE)
            return self.clip.complete
        return True

    def request(self, context: Context) -> Request:
        """The rest pose, whose map is needed; then the clip."""
        return self._asked if self.clip is None else self.ask(self.clip)

    def finish(self, context: Context, message: Message) -> Done | None:
        """Read the bones that the map names; then use the answer."""
        if self.clip is not None:
            return self.answered(context, message)
        mapping = map_request.told(message)
        ob = armature.of_uid(self._ob_uid)
        if ob is None:
            raise ArmatureError(f"{self._name} was removed while DPoser was at work; nothing was changed.")
        with self.in_scene(context):
            self._begin(ob, context.scene, mapping)
        return None

    @contextmanager
    def in_scene(self, context: Context) -> Iterator[None]:
        """The scene that the job began in, whichever the user looks at now.

        Raises:
            ArmatureError: it is gone.
        """
        if context.scene is not None and context.scene.session_uid == self._scene_uid:
            yield
            return
        scene = next((scene for scene in bpy.data.scenes if scene.session_uid == self._scene_uid), None)
        if scene is None:
            raise ArmatureError(
                f"The scene of {self._name} was removed while DPoser was at work; nothing was changed."
            )
        layers = [layer for layer in scene.view_layers if self._name in layer.objects]
        with context.temp_override(scene=scene, view_layer=(layers or scene.view_layers)[0]):
            yield

    def _begin(self, ob: Object, scene: Scene, mapping: dict[str, Any] | None) -> None:
        self.clip = armature.read(ob, scene, *self._read, mapping, self._still)
        self.clip.bone_map, self.clip.human_bones = self._names["bone_map"], self._names["human_bones"]
        self.opened(ob, self.clip)
