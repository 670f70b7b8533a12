# SPDX-License-Identifier: GPL-3.0-or-later
"""An armature's action to arrays and, changed, to a new action: the only reader and writer of keys.

A rig whose bones follow their own keys alone is read from its f-curves. Any other (constraints, drivers,
unusual inheritance, NLA strips) is evaluated by Blender frame by frame, so that the engine sees what the
animator sees; bones that constraints or drivers move are read, and never written.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np
from bpy.types import AnimData, Context, FCurve, Object, Scene
from mathutils import Matrix

from ..engine.errors import EngineError
from . import compat, curves, keying, rig, rotations, stage
from .clip import Clip

_SUFFIX = "_clean"
_BLOCK = 4  # bones whose channels are computed together: few enough for the processor's cache


class ArmatureError(EngineError):
    """The armature or its action cannot be read or written as it is."""


@dataclass(frozen=True)
class Written:
    """What `write` did.

    Attributes:
        action: name of the new action.
        bones: how many bones have new values.
        keys: how many keys have new values, the new ones included.
    """

    action: str
    bones: int
    keys: int


def find(context: Context) -> Object | None:
    """The armature the user works on: the active object, or the one that deforms it."""
    ob = context.object
    if ob is None or ob.type == "ARMATURE":
        return ob
    return ob.find_armature()


def refusal(ob: Object | None) -> str:
    """Why this armature cannot be worked on, in a few words; empty where it can. Quick enough to poll."""
    if ob is None or ob.type != "ARMATURE":
        return "Select an armature first"
    override = ob.override_library
    if not ob.is_editable or (override is not None and override.is_system_override):
        return (
            f"{ob.name} is linked from another file: make a local copy or an editable library override first"
        )
    animation = ob.animation_data
    if animation is None or animation.action is None:
        return f"{ob.name} has no action: import or assign a motion first"
    if compat.HAS_SLOTS and not compat.slot_identifier(animation):
        return f"{ob.name} uses no slot of its action: choose one in the Action Editor first"
    if animation.use_tweak_mode:
        return f"{ob.name} is in tweak mode: leave it in the NLA Editor first"
    if rig.has_strips(ob) and (animation.action_blend_type != "REPLACE" or animation.action_influence < 1):
        return f"{ob.name} mixes its action with NLA strips: set it to Replace at full influence first"
    return ""


def action_range(ob: Object) -> tuple[int, int] | None:
    """First and last whole frame of the armature's action; None where it moves no bone."""
    animation = ob.animation_data
    extents = [curves.extent(curve) for curve in _pose_curves(animation).values() if curves.has_values(curve)]
    if not extents:
        return None
    first, last = min(begin for begin, _ in extents), max(end for _, end in extents)
    if animation.action.use_frame_range:
        first, last = animation.action.frame_start, animation.action.frame_end
    begin = int(np.ceil(first - 1e-3))
    return begin, max(begin, int(np.floor(last + 1e-3)))


def read(ob: Object, scene: Scene, first: int, last: int) -> Clip:
    """Read frames ``first`` to ``last``; where the clip is not `Clip.complete`, `evaluate` completes it.

    Raises:
        ArmatureError: `refusal` has a reason, the armature has no bones, or is scaled to nothing.
    """
    if reason := refusal(ob):
        raise ArmatureError(f"{reason}.")
    animation, bones = ob.animation_data, ob.data.bones
    if not len(bones):
        raise ArmatureError(f"{ob.name} has no bones: choose another armature.")
    scale = ob.matrix_world.median_scale * scene.unit_settings.scale_length
    if not scale > 0:
        raise ArmatureError(f"{ob.name} is scaled to nothing: give it a scale above zero.")
    names = tuple(bone.name for bone in bones)
    index = {name: j for j, name in enumerate(names)}
    tails = np.empty(3 * len(bones), np.float32)
    bones.foreach_get("tail_local", tails)
    count = last - first + 1
    modes = tuple(ob.pose.bones[name].rotation_mode for name in names)
    clip = Clip(
        armature=ob.name,
        armature_uid=ob.session_uid,
        action=animation.action.name,
        action_uid=animation.action.session_uid,
        slot=compat.slot_identifier(animation),
        names=names,
        parents=np.array([index[b.parent.name] if b.parent else -1 for b in bones], np.int32),
        rest=_matrices(bones, "matrix_local").astype(np.float64),
        tails=tails.reshape(-1, 3).astype(np.float64),
        scale=scale,
        fps=scene.render.fps / scene.render.fps_base,
        frames=np.arange(first, last + 1),
        modes=modes,
        raw_rotations=np.zeros((count, len(names), 4)),
        raw_locations=np.zeros((count, len(names), 3)),
        rotations_keyed=np.zeros((len(names), 4), bool),
        locations_keyed=np.zeros((len(names), 3), bool),
        rotations_locked=np.zeros(len(names), bool),
        translations_locked=np.zeros(len(names), bool),
        rotations=np.empty((count, len(names), 4)),
        translations=np.empty((count, len(names), 3)),
    )
    _read_channels(ob, clip)
    _lock(ob, clip)
    for j, mode in enumerate(modes):
        raw = clip.raw_rotations[:, j, : rotations.channels(mode)[1]]
        clip.rotations[:, j] = rotations.to_quaternions(raw, mode)
    connected = np.array([bone.use_connect and bone.parent is not None for bone in bones])
    clip.translations = np.where(connected[:, None], 0.0, clip.raw_locations)
    if not rig.speaks_for_itself(ob):
        if ob.data.pose_position == "REST":
            raise ArmatureError(f"{ob.name} shows its rest position: switch it to Pose Position first.")
        clip.poses = np.empty((count, len(names), 4, 4), np.float32)
    return clip


def evaluate(clip: Clip, context: Context, seconds: float) -> None:
    """Evaluate frames of an incomplete clip for about so long; the scene is on its frame afterwards.

    Raises:
        ArmatureError: the armature has been removed or its bones have changed.
    """
    ob = _resolve(clip)
    assert clip.poses is not None
    order = [ob.pose.bones.find(name) for name in clip.names]
    deadline = time.monotonic() + seconds
    with stage.evaluation(ob, context) as evaluated:
        while not clip.complete and time.monotonic() < deadline:
            posed = evaluated(int(clip.frames[clip.evaluated]))
            clip.poses[clip.evaluated] = _matrices(posed.pose.bones, "matrix")[order]
            clip.evaluated += 1
    if clip.complete:
        clip.take_poses()


def write(
    clip: Clip,
    new_rotations: np.ndarray,
    new_translations: np.ndarray,
    rotations_changed: np.ndarray,
    translations_changed: np.ndarray,
    keys: str = keying.EVERY,
    tolerance: float = keying.TOLERANCE,
) -> Written | None:
    """Give the armature a changed copy of the clip's action; the original stays as it is, under a fake user.

    Args:
        clip: complete, as `read` and `evaluate` made it.
        new_rotations: (T, J, 4) unit quaternions WXYZ.
        new_translations: (T, J, 3).
        rotations_changed, translations_changed: (T, J) where they count.
        keys: one of `keying`'s ways to choose the frames that get a key.
        tolerance: in millimetres, for `keying.REDUCED`.

    Returns:
        What was written; None, and nothing is done, where no bone that may be written changes.

    Raises:
        ArmatureError: the armature or the action is gone, or was edited since it was read, or the tolerance
            is not above zero.
    """
    if keys == keying.REDUCED and not tolerance > 0:
        raise ArmatureError("The tolerance must be above zero: give it in millimetres.")
    ob = _resolve(clip)
    _check_unedited(ob, clip)
    rotations_changed = rotations_changed.astype(bool) & ~clip.rotations_locked
    translations_changed = translations_changed.astype(bool) & ~clip.translations_locked
    if not (rotations_changed.any() or translations_changed.any()):
        return None
    new_rotations = np.where(rotations_changed[..., None], new_rotations, clip.rotations)
    new_translations = np.where(translations_changed[..., None], new_translations, clip.translations)
    _undo_inheritance(ob, clip, new_rotations, new_translations, rotations_changed | translations_changed)

    animation, original = ob.animation_data, ob.animation_data.action
    copy = original.copy()
    try:
        copy.name = _clean_name(original.name)
        compat.assign(animation, copy, clip.slot)
        if keys == keying.REDUCED:
            rewrite = keying.reduced(
                clip, new_rotations, new_translations, rotations_changed, translations_changed, tolerance
            )
        elif keys == keying.ORIGINAL:
            rewrite = keying.original(clip, _written_curves(ob, clip, rotations_changed, translations_changed))
        else:
            rewrite = keying.every(clip)
        count_of_keys = 0
        for mode in set(clip.modes):
            alike = [j for j, other in enumerate(clip.modes) if other == mode]
            channel, count = rotations.channels(mode)
            for start in range(0, len(alike), _BLOCK):
                bones = np.array(alike[start : start + _BLOCK])
                raw, changed = clip.raw_rotations[:, bones, :count], rotations_changed[:, bones]
                values = rotations.to_channels(new_rotations[:, bones], mode, raw, changed)
                count_of_keys += _write_channel(ob, clip, bones, channel, raw, values, changed, rewrite)
        everything = np.arange(len(clip.names))
        values = np.where(translations_changed[..., None], new_translations, clip.raw_locations)
        count_of_keys += _write_channel(
            ob, clip, everything, "location", clip.raw_locations, values, translations_changed, rewrite
        )
    except BaseException:
        compat.assign(animation, original, clip.slot)
        bpy.data.actions.remove(copy)
        raise
    if original.is_editable:
        original.use_fake_user = True
    copy.use_fake_user = True  # a result that is compared and put aside for a while is not lost on saving
    ob.update_tag(refresh={"OBJECT", "DATA", "TIME"})
    touched = rotations_changed.any(axis=0) | translations_changed.any(axis=0)
    return Written(copy.name, int(touched.sum()), count_of_keys)


def _resolve(clip: Clip) -> Object:
    """The clip's armature, still animated by the clip's action and with the clip's bones."""
    ob = next((ob for ob in bpy.data.objects if ob.session_uid == clip.armature_uid), None)
    if ob is None or ob.type != "ARMATURE":
        raise ArmatureError(f"{clip.armature} was removed while DPoser was at work; nothing was changed.")
    if reason := refusal(ob):
        raise ArmatureError(f"{reason}; nothing was changed.")
    animation = ob.animation_data
    if animation.action.session_uid != clip.action_uid or compat.slot_identifier(animation) != clip.slot:
        raise ArmatureError(
            f"{clip.armature} was given another action while DPoser was at work; nothing was changed."
        )
    if tuple(bone.name for bone in ob.data.bones) != clip.names:
        raise ArmatureError(
            f"The bones of {clip.armature} were edited while DPoser was at work; nothing was changed."
        )
    return ob


def _matrices(bones: object, attribute: str) -> np.ndarray:
    """(J, 4, 4) float32; Blender hands matrices out column by column."""
    values = np.empty(16 * len(bones), np.float32)  # type: ignore[arg-type]
    bones.foreach_get(attribute, values)  # type: ignore[attr-defined]
    return values.reshape(-1, 4, 4).transpose(0, 2, 1)


def _pose_curves(animation: AnimData) -> dict[tuple[str, int], FCurve]:
    """The f-curves of bones' locations, rotations and scales, by data path and index."""
    found = compat.curves(animation)
    return {(c.data_path, c.array_index): c for c in found if rig.is_pose_path(c.data_path)}


def _read_channels(ob: Object, clip: Clip) -> None:
    """Fill in the raw channels: a curve's values where it has a say, else the property's."""
    found = _pose_curves(ob.animation_data)
    for j, (name, mode) in enumerate(zip(clip.names, clip.modes, strict=True)):
        bone = ob.pose.bones[name]
        rotation, count = rotations.channels(mode)
        for channel, size, raw, keyed in (
            (rotation, count, clip.raw_rotations, clip.rotations_keyed),
            ("location", 3, clip.raw_locations, clip.locations_keyed),
        ):
            value, path = getattr(bone, channel), rig.path(bone, channel)
            for i in range(size):
                curve = found.get((path, i))
                if curve is not None and curves.is_active(curve) and curves.has_values(curve):
                    raw[:, j, i], keyed[j, i] = curves.sample(curve, clip.frames), True
                else:
                    raw[:, j, i] = value[i]


def _lock(ob: Object, clip: Clip) -> None:
    """Mark the bones that something other than their own, writable keys moves, and count why."""
    fixed = {key for key, curve in _pose_curves(ob.animation_data).items() if not curves.is_writable(curve)}
    fixed_paths = {path for path, _ in fixed}
    constrained, driven = rig.constrained_bones(ob), rig.driven_paths(ob)
    reasons: Counter[str] = Counter()
    for j, (name, mode) in enumerate(zip(clip.names, clip.modes, strict=True)):
        bone = ob.pose.bones[name]
        rotation, location = rig.path(bone, rotations.channels(mode)[0]), rig.path(bone, "location")
        connected = bone.bone.use_connect and bone.parent is not None
        clip.rotations_locked[j] = name in constrained or rotation in driven | fixed_paths
        clip.translations_locked[j] = connected or name in constrained or location in driven | fixed_paths
        if name in constrained:
            reasons["follow constraints"] += 1
        elif rotation in driven or location in driven:
            reasons["follow drivers"] += 1
        elif rotation in fixed_paths or location in fixed_paths:
            reasons["have locked, muted or modified curves"] += 1
    clip.locked_by = dict(reasons)


def _check_unedited(ob: Object, clip: Clip) -> None:
    """Raise ArmatureError where a keyed channel, or a bone's rotation mode, is no longer what was read."""
    modes = tuple(ob.pose.bones[name].rotation_mode for name in clip.names)
    found = _pose_curves(ob.animation_data)
    same = modes == clip.modes
    for j, name in enumerate(clip.names):
        if not same:
            break
        bone = ob.pose.bones[name]
        for channel, raw, keyed in (
            (rotations.channels(modes[j])[0], clip.raw_rotations, clip.rotations_keyed),
            ("location", clip.raw_locations, clip.locations_keyed),
        ):
            path = rig.path(bone, channel)
            for i in np.flatnonzero(keyed[j]).tolist():
                curve = found.get((path, i))
                same = (
                    same
                    and curve is not None
                    and bool((curves.sample(curve, clip.frames) == raw[:, j, i]).all())
                )
    if not same:
        raise ArmatureError(
            f"{clip.action} was edited while DPoser was at work; nothing was changed: clean it again."
        )


def _undo_inheritance(
    ob: Object, clip: Clip, new_rotations: np.ndarray, new_translations: np.ndarray, changed: np.ndarray
) -> None:
    """Turn local transforms into the channel values of bones that inherit in an unusual way; in place."""
    unusual = [j for j, name in enumerate(clip.names) if not rig.inherits_by_default(ob.pose.bones[name])]
    unusual = [j for j in unusual if changed[:, j].any()]
    if not unusual:
        return
    poses = clip.posed(new_rotations, new_translations)
    for j in unusual:
        bone, parent = ob.data.bones[clip.names[j]], int(clip.parents[j])
        above = ob.data.bones[clip.names[parent]].matrix_local
        for t in np.flatnonzero(changed[:, j]).tolist():
            channels = bone.convert_local_to_pose(
                Matrix(poses[t, j]),
                bone.matrix_local,
                parent_matrix=Matrix(poses[t, parent]),
                parent_matrix_local=above,
                invert=True,
            )
            location, quaternion, _ = channels.decompose()
            new_rotations[t, j], new_translations[t, j] = quaternion, location


def _clean_name(name: str) -> str:
    """``walk`` becomes ``walk_clean``; a second cleaning of it ``walk_clean.001``, as Blender counts."""
    room = bpy.types.ID.bl_rna.properties["name"].length_max - 1 - len(_SUFFIX)
    stem = name.rpartition(_SUFFIX)[0] or name
    if name[len(stem) + len(_SUFFIX) :].strip(".0123456789"):
        stem = name
    return stem.encode()[:room].decode(errors="ignore") + _SUFFIX


def _write_channel(
    ob: Object,
    clip: Clip,
    bones: np.ndarray,
    channel: str,
    old: np.ndarray,
    new: np.ndarray,
    changed: np.ndarray,
    rewrite: keying.Rewrite,
) -> int:
    """Write a property of B bones, (T, B, C) and changed (T, B), to the assigned action; counts the keys."""
    animation = ob.animation_data
    found = _pose_curves(animation)
    keys = 0
    for b in np.flatnonzero(changed.any(axis=0)).tolist():
        bone = ob.pose.bones[clip.names[bones[b]]]
        path = rig.path(bone, channel)
        for i in range(new.shape[-1]):
            curve = found.get((path, i))
            if curve is None:
                curve = compat.new_curve(animation, path, i, bone.name)
            keys += rewrite(curve, int(bones[b]), channel, i, old[:, b, i], new[:, b, i], changed[:, b])
    return keys


def _written_curves(
    ob: Object, clip: Clip, rotations_changed: np.ndarray, translations_changed: np.ndarray
) -> Iterator[tuple[int, str, FCurve]]:
    """Bone, property and curve of every channel that has one and is about to change."""
    found = _pose_curves(ob.animation_data)
    for j, (name, mode) in enumerate(zip(clip.names, clip.modes, strict=True)):
        bone = ob.pose.bones[name]
        rotation, count = rotations.channels(mode)
        for channel, size, changed in (
            (rotation, count, rotations_changed[:, j]),
            ("location", 3, translations_changed[:, j]),
        ):
            path = rig.path(bone, channel)
            for i in range(size) if changed.any() else ():
                if (path, i) in found:
                    yield j, channel, found[path, i]
