# SPDX-License-Identifier: GPL-3.0-or-later
"""The body's bones alone, as a tree of their own: how rigs whose bones other bones move are read and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from bpy.types import Object

from ..engine.motion.joints import JOINTS, PARENTS


@dataclass(frozen=True)
class Layout:
    """The bones of a mapping.

    Attributes:
        names: J bones, parents first.
        parents: (J,) int32, the bone of the joint above in the body; -1 for the first.
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
    index = {name: j for j, name in enumerate(parents)}
    shown = {name: mapping["shown"].get(name, name) for name in parents}
    return Layout(
        names=tuple(parents),
        parents=np.array([-1 if above is None else index[above] for above in parents.values()], np.int32),
        turned=np.array([name in turned for name in parents]),
        shown=tuple(bone if bone in ob.pose.bones else name for name, bone in shown.items()),
    )


def _nearest(joint: str, last: Mapping[str, str]) -> str | None:
    """The bone of the nearest joint above that has one."""
    parent = PARENTS[JOINTS.index(joint)]
    while parent >= 0 and JOINTS[parent] not in last:
        parent = PARENTS[parent]
    return last[JOINTS[parent]] if parent >= 0 else None
