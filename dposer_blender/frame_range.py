# SPDX-License-Identifier: GPL-3.0-or-later
"""Which frames of an action a tool works on."""

from __future__ import annotations

import math

import numpy as np
from bpy.types import Object, Scene

from . import armature, curves, rig
from .errors import ArmatureError


def chosen(ob: Object, scene: Scene, choice: str, whole: tuple[int, int]) -> tuple[int, int]:
    """First and last frame of the action inside the chosen range.

    Args:
        ob: the armature.
        scene: with its frame ranges.
        choice: of `properties.common.RANGES`.
        whole: first and last frame of the action.

    Raises:
        ArmatureError: the action has no frame there, no preview range is set, or no key is selected.
    """
    limits = whole
    if choice == "SELECTED":
        frames = selected_keys(ob)
        limits = int(frames[0]), int(frames[-1])
    elif choice == "SCENE":
        limits = scene.frame_start, scene.frame_end
    elif choice == "PREVIEW":
        if not scene.use_preview_range:
            raise ArmatureError("No preview range is set: set one in the timeline or choose another range.")
        limits = scene.frame_preview_start, scene.frame_preview_end
    if choice in ("SCENE", "PREVIEW"):
        limits = in_action(ob, limits)
    first, last = max(whole[0], limits[0]), min(whole[1], limits[1])
    if first > last:
        raise ArmatureError(
            f"The action's frames {whole[0]} to {whole[1]} lie outside the chosen range "
            f"{limits[0]} to {limits[1]}; choose another range."
        )
    return first, last


def around(scene: Scene, frames: tuple[int, int], whole: tuple[int, int], seconds: float) -> tuple[int, int]:
    """First and last frame of a range with as much on either side of it as the action has, up to so many seconds."""
    padding = round(seconds * scene.render.fps / scene.render.fps_base)
    return (
        min(frames[0], max(whole[0], frames[0] - padding)),
        max(frames[1], min(whole[1], frames[1] + padding)),
    )


def in_action(ob: Object, limits: tuple[int, int]) -> tuple[int, int]:
    """Frames of the scene as whole frames of the action, which tweak mode shows at another time."""
    animation = ob.animation_data
    if animation is None or not animation.use_tweak_mode:
        return limits
    first, last = (animation.nla_tweak_strip_time_to_scene(t, invert=True) for t in limits)
    return math.ceil(first - 1e-3), math.floor(last + 1e-3)


def selected_keys(ob: Object) -> np.ndarray:
    """(K,) whole frames, ascending, on which keys of the armature's bones or of the object itself are selected.

    Raises:
        ArmatureError: none is.
    """
    return np.unique(np.concatenate(list(selected_keys_of_bones(ob).values())))


def selected_keys_of_bones(ob: Object) -> dict[str, np.ndarray]:
    """Bone -> whole frames, ascending, on which keys of it are selected; "" stands for the object itself.

    Raises:
        ArmatureError: none is.
    """
    found: dict[str, list[np.ndarray]] = {}
    for (path, _), curve in armature.motion_curves(ob.animation_data).items():
        frames = curves.selected(curve)
        if len(frames):
            found.setdefault(rig.bone_of(path), []).append(frames)
    if not found:
        raise ArmatureError("No key is selected: select some in the timeline or the dope sheet.")
    return {bone: np.unique(np.round(np.concatenate(frames)).astype(int)) for bone, frames in found.items()}
