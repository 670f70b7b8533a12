# SPDX-License-Identifier: GPL-3.0-or-later
"""Empties that bones of an armature follow, kept with it: ``object.dposer_targets``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, PointerProperty, StringProperty
from bpy.types import Collection, Context, Object, PropertyGroup, Scene
from mathutils import Matrix, Vector

from . import rotations
from .body_joints import TITLES
from .late import np

if TYPE_CHECKING:
    from .clip import Clip

COLLECTION = "DPoser Targets"
_MARK = "dposer_joint"
"""Custom property of an empty that is a target: its joint."""
_SIZE = 0.035  # of the rig's height
_LEAST_SIZE = 1e-3  # Blender units

_OVERRIDABLE = {"LIBRARY_OVERRIDABLE"}


def _is_empty(self: PropertyGroup, ob: Object) -> bool:
    return bool(ob.type == "EMPTY")


class DPoserTarget(PropertyGroup):
    """A target of an armature.

    Attributes:
        joint: the body's joint whose bone follows.
        empty: where it shall be.
        turn: whether the bone turns with the empty, too.
    """

    joint: StringProperty(
        name="Joint", description="The body's joint whose bone follows the target", override=_OVERRIDABLE
    )
    empty: PointerProperty(
        type=Object, name="Target", description="The empty that the bone follows", poll=_is_empty,
        override=_OVERRIDABLE,
    )  # fmt: skip
    turn: BoolProperty(
        name="Rotation", description="Turn the bone with its target, too", default=False, override=_OVERRIDABLE
    )


def of(ob: Object, scene: Scene) -> list[DPoserTarget]:
    """The targets of an armature that are in the scene."""
    return [target for target in ob.dposer_targets if _is_in(target.empty, scene)]


def owner(empty: Object, scene: Scene) -> Object | None:
    """The armature whose target an empty is."""
    if empty.type != "EMPTY" or _MARK not in empty:
        return None
    armatures = (ob for ob in scene.objects if ob.type == "ARMATURE")
    return next((ob for ob in armatures if any(t.empty == empty for t in ob.dposer_targets)), None)


def add(ob: Object, context: Context, mapping: Mapping[str, Any], joints: Sequence[str]) -> list[Object]:
    """Make empties where the bones of joints are; a joint that has one already keeps it.

    Args:
        ob: the armature.
        context: with its scene.
        mapping: the engine's (its request ``map``).
        joints: of the mapping, with a bone of their own.

    Returns:
        The targets of all these joints.
    """
    have = {target.joint: target.empty for target in of(ob, context.scene)}
    posed = ob.evaluated_get(context.evaluated_depsgraph_get())
    collection, found = _collection(context.scene), []
    for joint in joints:
        if joint in have:
            found.append(have[joint])
            continue
        empty = bpy.data.objects.new(f"{ob.name} {TITLES[joint]}", None)
        empty[_MARK] = joint
        empty.empty_display_type = "SPHERE"
        empty.empty_display_size = _size(posed)
        empty.show_in_front = True
        empty.matrix_world = _place(posed, mapping, joint)
        collection.objects.link(empty)
        _forget(ob, joint)
        target = ob.dposer_targets.add()
        target.joint, target.empty = joint, empty
        found.append(empty)
    return found


def remove(ob: Object) -> int:
    """Remove the armature's targets; how many there were."""
    empties = [target.empty for target in ob.dposer_targets if target.empty is not None]
    ob.dposer_targets.clear()
    for empty in empties:
        bpy.data.objects.remove(empty)
    collection = bpy.data.collections.get(COLLECTION)
    if collection is not None and not collection.objects and not collection.children:
        bpy.data.collections.remove(collection)
    return len(empties)


def places(armature: Object, empties: Sequence[Object]) -> tuple[np.ndarray, np.ndarray]:
    """Positions (K, 3) and rotations (K, 4) WXYZ of evaluated empties in the space of an evaluated armature."""
    inverse = np.linalg.inv(np.array(armature.matrix_world, np.float64))
    matrices = inverse @ np.array([np.array(empty.matrix_world, np.float64) for empty in empties])
    return matrices[:, :3, 3], rotations.from_matrices(matrices[:, :3, :3])


def in_clip(clip: Clip, posed: Object, others: Sequence[Object]) -> tuple[np.ndarray, np.ndarray]:
    """Positions (K, 3) and rotations (K, 4) of evaluated objects in the space of the bones of a clip.

    Args:
        clip: of an armature.
        posed: that armature, evaluated.
        others: the objects.
    """
    if not clip.object_name:
        return places(posed, others)
    # The object is the root bone: what counts is the space that it moves in, in units of the armature's.
    matrices = np.array([np.array(other.matrix_world, np.float64) for other in others])
    turn = rotations.to_matrices(clip.object_turn).T
    found = matrices[:, :3, 3] @ turn.T / clip.object_scale
    return found, rotations.from_matrices(turn @ matrices[:, :3, :3])


def _place(posed: Object, mapping: Mapping[str, Any], joint: str) -> Matrix:
    """The place and rotation in the world of the bone of a joint, without scale."""
    name = mapping["bones"][joint][0]
    shown = mapping["shown"].get(name, name)
    if shown not in posed.pose.bones:
        shown = name
    bones = posed.data.bones
    between = bones[shown].matrix_local.inverted() @ bones[name].matrix_local
    location, turn, _ = (posed.matrix_world @ posed.pose.bones[shown].matrix @ between).decompose()
    return Matrix.LocRotScale(location, turn, Vector((1.0, 1.0, 1.0)))


def _size(ob: Object) -> float:
    heads = np.array([bone.head_local for bone in ob.data.bones])
    return max(_SIZE * float(np.ptp(heads, axis=0).max()) * ob.matrix_world.median_scale, _LEAST_SIZE)


def _collection(scene: Scene) -> Collection:
    """The scene's collection of targets."""
    found = next((c for c in scene.collection.children_recursive if c.name.startswith(COLLECTION)), None)
    if found is None:
        found = bpy.data.collections.new(COLLECTION)
        scene.collection.children.link(found)
    return found


def _forget(ob: Object, joint: str) -> None:
    """Take what is left of a joint's former target out of the list; its empty was deleted by the user."""
    for index, target in reversed(list(enumerate(ob.dposer_targets))):
        if target.joint == joint:
            ob.dposer_targets.remove(index)


def _is_in(ob: Object | None, scene: Scene) -> bool:
    """Whether an object is in the scene: one that the user deleted lives on while something points to it."""
    return ob is not None and scene.objects.get(ob.name) == ob


def register() -> None:
    """Give each object its list."""
    Object.dposer_targets = CollectionProperty(
        type=DPoserTarget,
        name="DPoser Targets",
        description="Empties that bones of this armature follow",
        override=_OVERRIDABLE | {"USE_INSERTION"},
    )


def unregister() -> None:
    """Take the lists back."""
    del bpy.types.Object.dposer_targets


CLASSES = (DPoserTarget,)
