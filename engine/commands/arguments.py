# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of options that several commands share: frames, names, bone maps."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from engine.errors import FileError, MotionError
from engine.motion.files import read_bytes

Span = tuple[int | None, int | None]
"""Half-open range of frames as typed; None is the clip's own end."""


def natural(text: str) -> int:
    """A whole number, 0 or more."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return value


def positive(text: str) -> int:
    """A whole number, 1 or more."""
    value = natural(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def seed(text: str) -> int:
    """A seed of random numbers: a whole number of at most 63 bits."""
    value = natural(text)
    if value >= 2**63:
        raise argparse.ArgumentTypeError("must be less than 2 to the power of 63")
    return value


def span(text: str) -> Span:
    """``A:B``, ``A:`` or ``:B``."""
    first, colon, last = text.partition(":")
    try:
        begin, end = natural(first) if first else None, natural(last) if last else None
    except (ValueError, argparse.ArgumentTypeError):
        colon = ""
    if not colon:
        raise argparse.ArgumentTypeError(f"{text!r} is not a range such as 0:100")
    return begin, end


def spans(text: str) -> tuple[Span, ...]:
    """Frames and ranges with commas between: ``1,5,10:20``."""
    return tuple(span(part if ":" in part else f"{part}:{_following(part)}") for part in text.split(","))


def _following(text: str) -> int:
    try:
        return natural(text) + 1
    except (ValueError, argparse.ArgumentTypeError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a frame or a range such as 10:20") from None


def names(text: str) -> tuple[str, ...]:
    """Names with commas between."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def resolve(span: Span, frames: int) -> tuple[int, int]:
    """The range of a clip of so many frames; MotionError where it is not in the clip."""
    begin, end = span[0] or 0, frames if span[1] is None else span[1]
    if not begin < end <= frames:
        raise MotionError(
            f"The frames {begin}:{end} are not in the clip, whose frames are 0:{frames}; correct --range or "
            "--lock-frames."
        )
    return begin, end


def read_bone_map(path: Path) -> dict[str, str]:
    """A bone map from a JSON file, joint name to bone name; FileError where the file is none.

    The file holds the table itself, or is one that Blender's Bone Map panel has exported, with the table as "bones".
    """
    try:
        bone_map = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path.name} is not a JSON file; write a bone map as joint: bone.") from error
    if isinstance(bone_map, dict) and "dposer_bone_map" in bone_map:
        bone_map = bone_map.get("bones")
    if not isinstance(bone_map, dict) or not all(isinstance(bone, str) for bone in bone_map.values()):
        raise FileError(f"{path.name} must map each joint's name to a bone's name.")
    return bone_map
