# SPDX-License-Identifier: GPL-3.0-or-later
"""The body's bones alone, as a tree of their own: how rigs whose bones other bones move are read and written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from bpy.types import Object, PoseBone

from ..engine.motion.joints import JOINTS, PARENTS
from . import rig


@dataclass(frozen=True)
class Layout:
    """The bones of a mapping.

    Attributes:
        names: J bones, parents first.
        parents: (J,) int32, the nearest of them above in the rig, or, where something between the two follows
            constraints, that of the joint above in the body; -1 for roots.
        turned: (J,) which of them edits of the body turn.
        shown: (J,) bones that show where each one's part of the body is, see `clip.Puppet`.
    """

    names: tuple[str, ...]
    parents: np.ndarray
    turned: np.ndarray
    shown: tuple[str, ...]


def layout(mapping: Mapping[str, Any], ob: Object) -> Layout:
    """Lay out the bones of the engine's mapping (its request ``map``) that the armature has."""
    sources: Mapping[str, Any] = mapping["sources"]
    turned = {bone for bones in mapping["bones"].values() for bone in bones}
    parents: dict[str, str | None] = {}
    last: dict[str, str] = {}
    for joint in JOINTS:
        source = sources.get(joint)
        if source is None or not source["own"]:
            continue
        above = _nearest(joint, last)
        for bone in source["bones"]:
            parents.setdefault(bone, above)
            above = bone
        last[joint] = source["bones"][-1]
    moved = rig.constrained_bones(ob)
    for name in parents:
        if (above := _own_parent(ob.pose.bones[name], parents, moved)) is not None:
            parents[name] = above
    names = _parents_first(parents)
    index = {name: j for j, name in enumerate(names)}
    shown = (mapping["shown"].get(name, name) for name in names)
    return Layout(
        names=names,
        parents=np.array([-1 if (above := parents[name]) is None else index[above] for name in names], np.int32),
        turned=np.array([name in turned for name in names]),
        shown=tuple(bone if bone in ob.pose.bones else name for bone, name in zip(shown, names, strict=True)),
    )


def _own_parent(bone: PoseBone, names: Collection[str], moved: Collection[str]) -> str | None:
    """The nearest bone of some above one in the rig; None where another between follows constraints."""
    parent = bone.parent
    while parent is not None and parent.name not in names:
        if parent.name in moved:
            return None
        parent = parent.parent
    return parent.name if parent is not None else None


def _parents_first(parents: Mapping[str, str | None]) -> tuple[str, ...]:
    """The bones in an order in which each comes after its parent."""
    order: dict[str, None] = {}

    def put(name: str) -> None:
        above = parents[name]
        if above is not None and above not in order:
            put(above)
        order[name] = None

    for name in parents:
        put(name)
    return tuple(order)


def _nearest(joint: str, last: Mapping[str, str]) -> str | None:
    """The bone of the nearest joint above that has one."""
    parent = PARENTS[JOINTS.index(joint)]
    while parent >= 0 and JOINTS[parent] not in last:
        parent = PARENTS[parent]
    return last[JOINTS[parent]] if parent >= 0 else None
