# SPDX-License-Identifier: GPL-3.0-or-later
"""An armature's animation to arrays: what can be read, what can be written, and the reading.

A rig whose bones follow their own keys alone is read from its f-curves. Any other (constraints, drivers,
unusual inheritance, NLA strips) is evaluated by Blender frame by frame, so that the engine sees what the
animator sees; bones that constraints or drivers move are read, and never written.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import bpy
import numpy as np
from bpy.types import Action, AnimData, Context, FCurve, Object, PoseBone, Scene
from mathutils import Vector

from . import compat, curves, limbs, puppets, rig, rotations, skeleton, stage, targets
from .clip import Clip, Puppet, Seen
from .errors import ArmatureError


def find(context: Context) -> Object | None:
    """The armature the user works on: the active object, the one that deforms it, or the one whose target it is."""
    ob = context.object
    if ob is None or ob.type == "ARMATURE":
        return ob
    return ob.find_armature() or targets.owner(ob, context.scene)


def of_uid(uid: int) -> Object | None:
    """The object of this ``session_uid``, where it still is."""
    return next((ob for ob in bpy.data.objects if ob.session_uid == uid), None)


def refusal(ob: Object | None, still: bool = False) -> str:
    """Why this armature has no motion to read, in a few words; empty where it has. Quick enough to poll.

    Args:
        ob: the armature.
        still: whether a pose will do, without any animation.
    """
    if ob is None or ob.type != "ARMATURE":
        return "Select an armature first"
    if ob.data.is_editmode:
        return f"{ob.name} is in Edit Mode: leave it first"
    animation = ob.animation_data
    if animation is None or animation.action is None:
        moves = still or bool(rig.strips(ob))
        return "" if moves else f"{ob.name} has no action: import or assign a motion first"
    if compat.HAS_SLOTS and not compat.slot_identifier(animation):
        return f"{ob.name} uses no slot of its action: choose one in the Action Editor first"
    return ""


def refusal_to_write(ob: Object, target: str = "NEW") -> str:
    """Why a result cannot be given to this readable armature, in a few words; empty where it can.

    Args:
        ob: an armature without `refusal`.
        target: where the result goes, of `writing.TARGETS`.
    """
    override = ob.override_library
    if not ob.is_editable or (override is not None and override.is_system_override):
        return (
            f"{ob.name} is linked from another file: make a local copy or an editable library override first"
        )
    animation = ob.animation_data
    if animation is None:
        return ""
    action, strip = animation.action, rig.tweaked_strip(ob)
    if strip is not None and target == "NLA":
        return f"{ob.name} is in tweak mode: leave it in the NLA Editor first"
    faded = strip is not None and (strip.use_animated_influence or strip.blend_in > 0 or strip.blend_out > 0)
    if strip is not None and (strip.blend_type != "REPLACE" or faded):
        return f"{strip.name} is mixed with other NLA strips: set it to Replace at full influence first"
    mixed = animation.action_blend_type != "REPLACE" or animation.action_influence < 1
    if strip is None and mixed and rig.strips(ob):
        return f"{ob.name} mixes its action with NLA strips: set it to Replace at full influence first"
    if target == "OVERWRITE":
        if action is None:
            return f"{ob.name} has no action to overwrite: write to a new one"
        if not action.is_editable:
            return f"{action.name} is linked from another file: write to a new action"
    return ""


def action_range(ob: Object) -> tuple[int, int] | None:
    """First and last whole frame of the armature's motion; None where nothing moves its bones.

    They are the action's own frames, which tweak mode shows at another time.
    """
    animation = ob.animation_data
    if animation is None or animation.action is None:
        extents = [(strip.frame_start, strip.frame_end) for strip in rig.strips(ob)]
    else:
        found = {key: curve for key, curve in motion_curves(animation).items() if curves.has_values(curve)}
        moves_bones = any(rig.is_pose_path(path) for path, _ in found)
        extents = [curves.extent(curve) for curve in found.values()] if moves_bones else []
    if not extents:
        return None
    first, last = min(begin for begin, _ in extents), max(end for _, end in extents)
    if animation is not None and animation.action is not None and animation.action.use_frame_range:
        first, last = animation.action.frame_start, animation.action.frame_end
    begin = int(np.ceil(first - 1e-3))
    return begin, max(begin, int(np.floor(last + 1e-3)))


def actions_for(ob: Object) -> list[tuple[Action, str]]:
    """The actions that move bones of the armature, each with the identifier of the slot that does; hidden ones not."""
    found = []
    for action in bpy.data.actions:
        if action.name.startswith("."):
            continue
        for slot in compat.slots_for(action, ob):
            bones = {rig.bone_of(c.data_path) for c in compat.curves_of(action, slot) if rig.is_pose_path(c.data_path)}
            if any(name in ob.pose.bones for name in bones):
                found.append((action, slot))
                break
    return found


def needs_evaluation(ob: Object) -> bool:
    """Whether f-curves alone do not tell the pose; then a mapping may be given to `read`."""
    return not rig.speaks_for_itself(ob) or any(
        curves.is_active(curve) and path.endswith(".scale") and not curves.is_constant(curve, 1.0)
        for (path, _), curve in motion_curves(ob.animation_data).items()
    )


def read(
    ob: Object,
    scene: Scene,
    first: int,
    last: int,
    mapping: Mapping[str, Any] | None = None,
    still: bool = False,
) -> Clip:
    """Read frames ``first`` to ``last``; where the clip is not `Clip.complete`, `evaluate` completes it.

    Args:
        ob: the armature.
        scene: where it is.
        first, last: frames of its action, see `action_range`.
        mapping: the engine's (its request ``map``), for a rig that `needs_evaluation`: then the body's bones alone
            are read, see `Puppet`.
        still: whether an armature without any animation is read, too: the pose it is in, on all frames.

    Raises:
        ArmatureError: `refusal` has a reason, the armature has no bones, or is scaled to nothing.
    """
    if reason := refusal(ob, still):
        raise ArmatureError(f"{reason}.")
    animation = ob.animation_data
    action = animation.action if animation is not None else None
    if not len(ob.data.bones):
        raise ArmatureError(f"{ob.name} has no bones: choose another armature.")
    told, arrays = skeleton.read(ob, scene)
    if not told["scale"] > 0:
        raise ArmatureError(f"{ob.name} is scaled to nothing: give it a scale above zero.")
    frames = np.arange(first, last + 1)
    bones = tuple(told["names"])
    puppet: puppets.Layout | None = puppets.layout(mapping, ob) if mapping is not None else None
    names, parents, chosen = bones, arrays["parents"], list(range(len(bones)))
    if puppet is not None:
        names, parents, chosen = puppet.names, puppet.parents, [bones.index(name) for name in puppet.names]
    rest, tails = arrays["rest"][chosen], arrays["tails"][chosen]
    object_name = ""
    if _object_moves(ob, frames):
        object_name = _unused(f"{ob.name} (object)", bones)
        names, parents = (object_name, *names), np.concatenate([[-1], parents + 1]).astype(np.int32)
        rest, tails = np.concatenate([np.eye(4)[None], rest]), np.concatenate([np.zeros((1, 3)), tails])
    modes = tuple((ob if name == object_name else ob.pose.bones[name]).rotation_mode for name in names)
    count, size = len(frames), len(names)
    clip = Clip(
        armature=ob.name,
        armature_uid=ob.session_uid,
        action=action.name if action is not None else "",
        action_uid=action.session_uid if action is not None else 0,
        slot=compat.slot_identifier(animation),
        bones=bones,
        names=names,
        object_name=object_name,
        object_turn=np.array([1.0, 0.0, 0.0, 0.0]),
        object_scale=ob.matrix_basis.median_scale,
        parents=parents,
        rest=rest,
        tails=tails,
        scale=told["scale"],
        fps=scene.render.fps / scene.render.fps_base,
        frames=frames,
        scene_frames=_scene_frames(animation, frames),
        modes=modes,
        raw_rotations=np.zeros((count, size, 4)),
        raw_locations=np.zeros((count, size, 3)),
        rotations_keyed=np.zeros((size, 4), bool),
        locations_keyed=np.zeros((size, 3), bool),
        rotations_locked=np.zeros(size, bool),
        translations_locked=np.zeros(size, bool),
        rotations=np.empty((count, size, 4)),
        translations=np.empty((count, size, 3)),
    )
    _read_channels(ob, clip)
    _lock(ob, clip)
    take_channels(ob, clip)
    if object_name:
        clip.object_turn = _upright(clip.rotations[0, 0])
        clip.from_object(clip.rotations[:, 0], clip.translations[:, 0])
    if needs_evaluation(ob):
        if ob.data.pose_position == "REST":
            raise ArmatureError(f"{ob.name} shows its rest position: switch it to Pose Position first.")
        clip.poses = np.empty((count, size, 4, 4), np.float32)
        if puppet is not None:
            extra = () if not object_name else (object_name,)
            clip.puppet = Puppet(
                turned=np.concatenate([np.zeros(len(extra), bool), puppet.turned]),
                shown=extra + puppet.shown,
                seen=Seen.room(count, size),
                mapping=dict(mapping or {}),
            )
    return clip


def take_channels(ob: Object, clip: Clip) -> None:
    """Derive the local transforms from the raw channels."""
    for j, mode in enumerate(clip.modes):
        raw = clip.raw_rotations[:, j, : rotations.channels(mode)[1]]
        clip.rotations[:, j] = rotations.to_quaternions(raw, mode)
    connected = np.array(
        [name != clip.object_name and _is_connected(ob.pose.bones[name]) for name in clip.names]
    )
    clip.translations = np.where(connected[:, None], 0.0, clip.raw_locations)


def evaluate(clip: Clip, context: Context, seconds: float) -> None:
    """Evaluate frames of an incomplete clip for about so long; the scene is on its frame afterwards.

    Raises:
        ArmatureError: the armature has been removed or its bones have changed.
    """
    ob = resolve(clip)
    assert clip.poses is not None
    camera = Camera(ob, clip)
    deadline = time.monotonic() + seconds
    with stage.evaluation(ob, context) as evaluated:
        while not clip.complete:  # at least one frame, however long it took to begin
            t = clip.evaluated
            clip.poses[t], seen = camera.take(evaluated(clip.scene_frames[t]))
            if clip.puppet is not None and seen is not None:
                clip.puppet.seen.put(t, seen)
            clip.evaluated += 1
            if time.monotonic() > deadline:
                break
    if clip.complete:
        if clip.puppet is not None:
            limbs.unstretch(clip)
        clip.take_poses()


class Camera:
    """Takes what Blender evaluates of a clip's bones.

    Args:
        ob: the clip's armature, resolved just now.
        clip: the clip.
    """

    def __init__(self, ob: Object, clip: Clip) -> None:
        self._object = bool(clip.object_name)
        self._turn = rotations.to_matrices(clip.object_turn).T
        index = {name: n for n, name in enumerate(ob.pose.bones.keys())}
        names = clip.names[1:] if self._object else clip.names
        shown = clip.puppet.shown[len(clip.names) - len(names) :] if clip.puppet is not None else names
        self._own, self._shown = [index[name] for name in names], [index[name] for name in shown]
        self._puppet = clip.puppet is not None
        if self._puppet:
            bones = ob.data.bones
            rest = {bone.name: np.array(bone.matrix_local) for bone in bones}
            self._from_shown = np.array([np.linalg.inv(rest[a]) @ rest[b] for a, b in zip(shown, names, strict=True)])
            above = [bones[name].parent for name in names]
            self._above = [index[bone.name] if bone is not None else -1 for bone in above]
            # Without local location a bone moves along its parent's axes, or the armature's where it has none.
            self._axes = np.array(
                [
                    (np.linalg.inv(rest[bone.name])[:3, :3] if bone is not None else np.eye(3)) @ rest[name][:3, :3]
                    if bones[name].use_local_location
                    else np.eye(3)
                    for name, bone in zip(names, above, strict=True)
                ]
            )

    def take(self, posed: Object) -> tuple[np.ndarray, Seen | None]:
        """From the evaluated armature: pose matrices (J, 4, 4) as shown; and of a puppet's bones themselves."""
        matrices = skeleton.matrices(posed.pose.bones, "matrix")
        carrier = self._object_matrix(posed) if self._object else None
        if not self._puppet:
            return _carried(carrier, matrices[self._own]), None
        basis = skeleton.matrices(posed.pose.bones, "matrix_basis")[self._own]
        above = np.concatenate([matrices, np.eye(4, dtype=np.float32)[None]])[self._above]
        axes = above[:, :3, :3] @ self._axes
        if carrier is not None:
            basis = np.concatenate([carrier[None], basis])
            axes = np.concatenate([np.eye(3)[None], carrier[:3, :3] @ axes])
        shown = _carried(carrier, matrices[self._shown] @ self._from_shown)
        return shown, Seen(_carried(carrier, matrices[self._own]), basis, axes)

    def _object_matrix(self, posed: Object) -> np.ndarray:
        """(4, 4) the object's transform without its scale, in units of armature space."""
        location, quaternion, _ = posed.matrix_basis.decompose()
        result = np.eye(4)
        result[:3, :3] = self._turn @ np.array(quaternion.to_matrix())
        result[:3, 3] = self._turn @ np.array(location) / posed.matrix_basis.median_scale
        return result


def resolve(clip: Clip) -> Object:
    """The clip's armature, still animated by the clip's action and with the clip's bones.

    Raises:
        ArmatureError: it is not.
    """
    ob = resolve_object(clip)
    animation = ob.animation_data
    action = animation.action if animation is not None else None
    if reason := refusal(ob, still=not clip.action_uid):
        raise ArmatureError(f"{reason}; nothing was changed.")
    uid = action.session_uid if action is not None else 0
    if uid != clip.action_uid or compat.slot_identifier(animation) != clip.slot:
        raise ArmatureError(
            f"{clip.armature} was given another action while DPoser was at work; nothing was changed."
        )
    if tuple(bone.name for bone in ob.data.bones) != clip.bones:
        raise ArmatureError(
            f"The bones of {clip.armature} were edited while DPoser was at work; nothing was changed."
        )
    if clip.poses is not None and ob.data.pose_position == "REST":
        raise ArmatureError(
            f"{clip.armature} was set to its rest position while DPoser was at work; nothing was changed."
        )
    return ob


def resolve_object(clip: Clip) -> Object:
    """The clip's armature, whatever animates it now.

    Raises:
        ArmatureError: it is gone.
    """
    ob = of_uid(clip.armature_uid)
    if ob is None or ob.type != "ARMATURE":
        raise ArmatureError(f"{clip.armature} was removed while DPoser was at work; nothing was changed.")
    return ob


def owner(ob: Object, clip: Clip, name: str) -> PoseBone | Object:
    """What holds the channels of one of the clip's bones."""
    return ob if name == clip.object_name else ob.pose.bones[name]


def motion_curves(animation: AnimData | None) -> dict[tuple[str, int], FCurve]:
    """The f-curves of bones' channels, and of the object's location and rotation, by data path and index."""
    found = compat.curves(animation)
    return {(c.data_path, c.array_index): c for c in found if rig.is_motion_path(c.data_path)}


def _scene_frames(animation: AnimData | None, frames: np.ndarray) -> np.ndarray:
    """When frames of the action are shown."""
    if animation is None or not animation.use_tweak_mode:
        return frames.astype(np.float64)
    return np.array([animation.nla_tweak_strip_time_to_scene(frame) for frame in frames.tolist()])


def _object_moves(ob: Object, frames: np.ndarray) -> bool:
    """Whether keys of the object itself move it in these frames, and nothing else does."""
    if ob.parent is not None or any(not c.mute for c in ob.constraints):
        return False
    return any(
        not rig.is_pose_path(path) and curves.is_active(curve) and np.ptp(curves.sample(curve, frames)) > 1e-6
        for (path, _), curve in motion_curves(ob.animation_data).items()
        if curves.has_values(curve)
    )


def _carried(carrier: np.ndarray | None, matrices: np.ndarray) -> np.ndarray:
    """Poses (J, 4, 4) below that of the object, which comes first; as they are where the object carries nothing."""
    return matrices if carrier is None else np.concatenate([carrier[None], carrier @ matrices])


def _unused(name: str, taken: tuple[str, ...]) -> str:
    while name in taken:
        name += "_"
    return name


def _upright(quaternion: np.ndarray) -> np.ndarray:
    """(4,) the rotation that brings up the axis of an object, so rotated, that is nearest to the world's up."""
    up = rotations.to_matrices(quaternion)[2]
    axis = int(np.abs(up).argmax())
    nearest = Vector((0.0, 0.0, 0.0))
    nearest[axis] = np.sign(up[axis])
    return np.array(nearest.rotation_difference((0.0, 0.0, 1.0)))


def _is_connected(bone: PoseBone) -> bool:
    return bone.bone.use_connect and bone.parent is not None


def channels(
    ob: Object, clip: Clip
) -> Iterator[tuple[int, PoseBone | Object, str, np.ndarray, np.ndarray]]:
    """Each bone's index, owner, property, and views of its raw values (T, C) and of which are keyed (C,)."""
    for j, (name, mode) in enumerate(zip(clip.names, clip.modes, strict=True)):
        bone = owner(ob, clip, name)
        rotation, count = rotations.channels(mode)
        yield j, bone, rotation, clip.raw_rotations[:, j, :count], clip.rotations_keyed[j, :count]
        yield j, bone, "location", clip.raw_locations[:, j], clip.locations_keyed[j]


def _read_channels(ob: Object, clip: Clip) -> None:
    """Fill in the raw channels: a curve's values where it has a say, else the property's."""
    found = motion_curves(ob.animation_data)
    for _, bone, channel, raw, keyed in channels(ob, clip):
        value, path = getattr(bone, channel), rig.path(bone, channel)
        for i in range(len(keyed)):
            curve = found.get((path, i))
            if curve is not None and curves.is_active(curve) and curves.has_values(curve):
                raw[:, i], keyed[i] = curves.sample(curve, clip.frames), True
            else:
                raw[:, i] = value[i]


def _lock(ob: Object, clip: Clip) -> None:
    """Mark the bones that something other than their own, writable keys moves, and count why."""
    fixed = {key for key, curve in motion_curves(ob.animation_data).items() if not curves.is_writable(curve)}
    fixed_paths = {path for path, _ in fixed}
    constrained, driven = rig.constrained_bones(ob), rig.driven_paths(ob)
    reasons: Counter[str] = Counter()
    for j, (name, mode) in enumerate(zip(clip.names, clip.modes, strict=True)):
        bone = owner(ob, clip, name)
        rotation, location = rig.path(bone, rotations.channels(mode)[0]), rig.path(bone, "location")
        connected = name != clip.object_name and _is_connected(bone)
        clip.rotations_locked[j] = name in constrained or rotation in driven | fixed_paths
        clip.translations_locked[j] = connected or name in constrained or location in driven | fixed_paths
        if name in constrained:
            reasons["follow constraints"] += 1
        elif rotation in driven or location in driven:
            reasons["follow drivers"] += 1
        elif rotation in fixed_paths or location in fixed_paths:
            reasons["have locked, muted or modified curves"] += 1
    clip.locked_by = dict(reasons)
