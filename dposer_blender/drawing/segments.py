# SPDX-License-Identifier: GPL-3.0-or-later
"""Which lines along a rig's bones stand for the body's joints. Needs no Blender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ...engine.motion.joints import JOINTS, PARENTS


class Segment(NamedTuple):
    """A line from the head of one bone to the head of another.

    Attributes:
        joint: its index among the body's joints.
        bone: where it begins.
        end: where it ends; empty for the first bone's own tail.
    """

    joint: int
    bone: str
    end: str


def segments(bones: Mapping[str, Sequence[str]]) -> tuple[Segment, ...]:
    """The lines of every joint but the pelvis, whose turn is no part of a pose.

    They lead from head to head, since the tails of imported bones point anywhere.

    Args:
        bones: body joint -> the bones that show it, from the body outwards.
    """
    found: list[Segment] = []
    for number, joint in enumerate(JOINTS[1:], start=1):
        own = bones.get(joint, ())
        if own:
            found += map(Segment, [number] * len(own), own, [*own[1:], _next(number, bones)])
    return tuple(found)


def _next(joint: int, bones: Mapping[str, Sequence[str]]) -> str:
    """The first bone of the next joint outwards that has one; of the upper spine's, the neck's."""
    child = next((number for number, parent in enumerate(PARENTS) if parent == joint), None)
    if child is None:
        return ""
    own = bones.get(JOINTS[child])
    return own[0] if own else _next(child, bones)
