# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an armature's animation is still what it was: a state to keep and to compare."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from bpy.types import Action, FCurve, Object

from . import compat, rig


@dataclass(frozen=True)
class State:
    """An animation in short.

    Attributes:
        layout: which actions play, when and how; quick to read.
        actions: ``session_uid`` of those.
        keys: a digest of all their keys.
    """

    layout: tuple[Any, ...]
    actions: frozenset[int]
    keys: bytes


def state(ob: Object) -> State:
    """The state of an armature's animation now. Reading the keys takes 10 ms for 200 curves of 1000 keys."""
    return State(layout(ob), actions(ob), keys(ob))


def layout(ob: Object) -> tuple[Any, ...]:
    """Which actions animate the armature, and when and how NLA strips play them."""
    animation = ob.animation_data
    if animation is None:
        return ()
    uid = animation.action.session_uid if animation.action is not None else 0
    own = (uid, compat.slot_identifier(animation), animation.use_nla, animation.use_tweak_mode)
    if not animation.use_nla:
        return own
    strips = tuple(
        (
            strip.action.session_uid if strip.action is not None else 0, strip.frame_start, strip.frame_end,
            strip.action_frame_start, strip.action_frame_end, strip.scale, strip.repeat, strip.use_reverse,
            strip.blend_type, strip.blend_in, strip.blend_out, strip.extrapolation, strip.mute or track.mute,
            strip.use_animated_influence or strip.influence,
        )
        for track in animation.nla_tracks
        for strip in track.strips
    )  # fmt: skip
    return (*own, animation.action_blend_type, animation.action_influence, strips)


def actions(ob: Object) -> frozenset[int]:
    """``session_uid`` of the actions that animate the armature."""
    return frozenset(action.session_uid for action, _ in _played(ob))


def keys(ob: Object) -> bytes:
    """A digest of all keys of those actions."""
    digest = blake2b(digest_size=16)
    for _, curves in _played(ob):
        for curve in curves:
            digest.update(f"{curve.data_path} {curve.array_index} {curve.mute} {len(curve.modifiers)}".encode())
            points = curve.keyframe_points
            for name, size, kind in (
                ("co", 2, np.float32), ("handle_left", 2, np.float32), ("handle_right", 2, np.float32),
                ("interpolation", 1, np.int32),
            ):  # fmt: skip
                values = np.empty(size * len(points), kind)
                points.foreach_get(name, values)
                digest.update(values.tobytes())
    return digest.digest()


def _played(ob: Object) -> list[tuple[Action, Iterable[FCurve]]]:
    """The actions that animate the armature, and the curves of each that do."""
    animation = ob.animation_data
    if animation is None:
        return []
    found: list[tuple[Action, Iterable[FCurve]]] = []
    if animation.action is not None:
        found.append((animation.action, compat.curves(animation)))
    found += [(strip.action, compat.strip_curves(strip)) for strip in rig.strips(ob) if strip.action is not None]
    return found
