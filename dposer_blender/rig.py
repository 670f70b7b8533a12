# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bones of an armature follow their own keys and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import bpy
from bpy.types import Constraint, NlaStrip, Object, PoseBone

# These shape what a bone's own keys say; the others replace it.
_LIMITS = {"LIMIT_ROTATION", "LIMIT_LOCATION", "LIMIT_SCALE", "LIMIT_DISTANCE", "MAINTAIN_VOLUME", "FLOOR"}
_SCALE = 1e-4  # what files make of a scale of one differs by less
_OBJECT_CHANNELS = ("location", "rotation_quaternion", "rotation_axis_angle", "rotation_euler")
_POSE_CHANNELS = (*_OBJECT_CHANNELS, "scale")


def path(owner: PoseBone | Object, channel: str) -> str:
    """The data path of a channel of a bone, or of the object itself, relative to the object."""
    return channel if isinstance(owner, Object) else f"{owner.path_from_id()}.{channel}"


def property_path(bone: PoseBone, name: str) -> str:
    """The data path of a bone's custom property."""
    return f'{bone.path_from_id()}["{bpy.utils.escape_identifier(name)}"]'


def rest(ob: Object, values: Mapping[tuple[str, int], float]) -> None:
    """Give channels, by data path and index, values; those that are gone are passed over."""
    for (data_path, index), value in values.items():
        owner, _, channel = data_path.rpartition(".")
        if data_path.endswith('"]'):
            owner, _, channel = data_path.rpartition("[")
        try:
            holder = ob.path_resolve(owner) if owner else ob
        except ValueError:
            continue
        if data_path.endswith('"]'):
            holder[bpy.utils.unescape_identifier(channel[1:-2])] = value
        else:
            getattr(holder, channel)[index] = value


def is_pose_path(data_path: str) -> bool:
    """Whether a data path names a bone's location, rotation or scale."""
    return data_path.startswith("pose.bones[") and data_path.endswith(tuple(f".{c}" for c in _POSE_CHANNELS))


def bone_of(data_path: str) -> str:
    """The bone that a data path is of; empty where it is the object's."""
    if not data_path.startswith('pose.bones["'):
        return ""
    quoted = data_path[len('pose.bones["') :]
    end = next(i for i, c in enumerate(quoted) if c == '"' and not _escaped(quoted, i))
    return bpy.utils.unescape_identifier(quoted[:end])


def renamed(data_path: str, name: str) -> str:
    """A bone's data path with another bone's name in it."""
    start = 'pose.bones["'
    own = bpy.utils.escape_identifier(bone_of(data_path))
    return f"{start}{bpy.utils.escape_identifier(name)}{data_path[len(start) + len(own) :]}"


def _escaped(text: str, position: int) -> bool:
    """Whether an odd number of backslashes comes before."""
    before = text[:position]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def is_motion_path(data_path: str) -> bool:
    """Whether a data path names a bone's channel, or the object's location or rotation."""
    return data_path in _OBJECT_CHANNELS or is_pose_path(data_path)


def strips(ob: Object) -> list[NlaStrip]:
    """The NLA strips that take part in the object's animation; in tweak mode, the one that is tweaked too."""
    animation = ob.animation_data
    tracks = animation.nla_tracks if animation is not None and animation.use_nla else ()
    return [strip for track in tracks if not track.mute for strip in track.strips if not strip.mute]


def tweaked_strip(ob: Object) -> NlaStrip | None:
    """The NLA strip whose action is being tweaked."""
    animation = ob.animation_data
    if animation is None or not animation.use_tweak_mode:
        return None
    found = [s for track in animation.nla_tracks for s in track.strips if s.action == animation.action]
    return next((strip for strip in found if strip.active), found[0] if found else None)


def driven_paths(ob: Object) -> set[str]:
    """Data paths under the object's pose that drivers write."""
    animation = ob.animation_data
    drivers = animation.drivers if animation is not None else ()
    return {
        curve.data_path for curve in drivers if not curve.mute and curve.data_path.startswith("pose.bones[")
    }


def constrained_bones(ob: Object) -> set[str]:
    """Names of the bones that constraints move, the chains of inverse kinematics included."""
    names: set[str] = set()
    for bone in ob.pose.bones:
        for constraint in _active(bone):
            if constraint.type in {"IK", "SPLINE_IK"}:
                names.update(link.name for link in _chain(bone, constraint))
            elif constraint.type not in _LIMITS:
                names.add(bone.name)
    return names


def inherits_by_default(bone: PoseBone) -> bool:
    """Whether a bone follows its parent in location, rotation and scale, as new bones do."""
    rest = bone.bone
    follows = rest.use_inherit_rotation and rest.inherit_scale == "FULL" and not rest.use_relative_parent
    return rest.use_local_location and (rest.parent is None or follows)


def speaks_for_itself(ob: Object) -> bool:
    """Whether the f-curves of the action alone, with default inheritance and no scale, give the pose."""
    return not (
        strips(ob)
        or driven_paths(ob)
        or any(
            any(_active(bone)) or not inherits_by_default(bone) or max(abs(s - 1.0) for s in bone.scale) > _SCALE
            for bone in ob.pose.bones
        )
    )


def _active(bone: PoseBone) -> Iterator[Constraint]:
    return (c for c in bone.constraints if not c.mute and c.is_valid and c.influence > 0)


def _chain(bone: PoseBone, constraint: Constraint) -> list[PoseBone]:
    """The bones an IK constraint moves, from its owner upwards; a count of zero means up to the root."""
    chain = [bone, *bone.parent_recursive]
    if constraint.type == "IK" and not constraint.use_tail:
        chain = chain[1:]
    return chain[: constraint.chain_count or None]
