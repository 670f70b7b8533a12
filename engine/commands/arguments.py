# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several commands share, and values of theirs: frames, names."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from engine.errors import FileError, MotionError
from engine.motion import npz
from engine.motion.bone_map_file import read_plain
from engine.motion.joints import JOINTS
from engine.wording import fit

Span = tuple[int | None, int | None]
"""Half-open range of frames as typed; None is the clip's own end."""

Options = argparse._ActionsContainer
"""What options are added to: a parser, or a group of its options."""


def add_clip(parser: Options) -> None:
    """``IN``, a clip."""
    parser.add_argument("input", metavar="IN", type=Path, help="a .bvh or AMASS .npz file")


def add_output(parser: Options) -> None:
    """``OUT``, a clip again."""
    parser.add_argument("output", metavar="OUT", type=Path, help="the file to write")


def add_bone_map(parser: Options, more: str = "") -> None:
    """``--bone-map``, which `read_bone_map` reads; ``more`` to say of it."""
    parser.add_argument(
        "--bone-map", type=Path, metavar="FILE.json", help=f"which bone is which joint{more}"
    )


def add_seed(parser: Options, what: str = "default: 0") -> None:
    """``--seed``; ``what`` it is of."""
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help=what)


def add_device(parser: Options) -> None:
    """``--device`` to compute on."""
    parser.add_argument(
        "--device", choices=["auto", "cpu", "cuda", "mps"], default="auto", help="default: auto"
    )


def read_bone_map(path: Path | None) -> dict[str, str] | None:
    """Which bone is which joint, from a file; None where none is given. Raises FileError."""
    return None if path is None else read_plain(path)


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


def joint_names(name: str, members: Mapping[str, bytes]) -> list[str]:
    """The array joint_names of a .npz file; FileError where there is none, or one of them is no joint of the body."""
    try:
        found = npz.texts(npz.array(name, members, "joint_names", "SU"))
    except ValueError as error:
        raise FileError(f"{name} has joint_names that cannot be as many; correct the file.") from error
    unknown = next((joint for joint in found if joint not in JOINTS), None)
    if unknown is not None:
        raise FileError(f"{name} names a joint {fit(unknown)}; joints are {', '.join(JOINTS)}.")
    return found
