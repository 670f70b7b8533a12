# SPDX-License-Identifier: GPL-3.0-or-later
"""The bone of the other side, by its name."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

import bpy

_PAIRS = (("left", "right"), ("l", "r"), ("lft", "rgt"), ("lf", "rt"), ("左", "右"))
_OTHER = {a: b for pair in _PAIRS for a, b in (pair, pair[::-1])}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[左右]")
_LEAST = 3  # letters of a word behind a side written without a break


def counterpart(name: str, present: Container[str]) -> str:
    """The bone on the other side of the one of this name; empty where the rig has none.

    Args:
        name: "upper_arm.L", "mixamorig:LeftArm", "Bip01 L UpperArm", "lThigh", "左腕".
        present: the names of the rig's bones.
    """
    return next((other for other in _candidates(name) if other != name and other in present), "")


def _candidates(name: str) -> Iterator[str]:
    """Names that the other side may have: Blender's own rule, then every side word exchanged, then each alone."""
    yield bpy.utils.flip_name(name)
    sides = [match for match in _WORD.finditer(name) if match[0].lower() in _OTHER]
    yield _exchanged(name, sides)
    for match in reversed(sides):
        yield _exchanged(name, [match])
    for match in reversed(list(_WORD.finditer(name))):  # written without a break: "lthigh", "leftarm"
        for side in ("left", "right", "l", "r"):
            if match[0].lower().startswith(side) and len(match[0]) >= len(side) + _LEAST:
                yield name[: match.start()] + _like(match[0], _OTHER[side]) + name[match.start() + len(side) :]
                break


def _exchanged(name: str, sides: list[re.Match[str]]) -> str:
    for match in reversed(sides):
        name = name[: match.start()] + _like(match[0], _OTHER[match[0].lower()]) + name[match.end() :]
    return name


def _like(model: str, word: str) -> str:
    """A word in the case of another."""
    if model.isupper() and (len(model) > 1 or len(word) == 1):
        return word.upper()
    return word.title() if model[0].isupper() else word
