# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine clean``: a clip, or every clip in a folder, from file to file."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import engine
from engine.commands.arguments import names, read_bone_map, resolve, seed, span, spans
from engine.commands.clip_file import FORMATS
from engine.errors import FileError
from engine.failures import explain
from engine.motion.files import replacing
from engine.motion.motion import BodyMotion
from engine.progress import Progress
from engine.tasks.clean import (
    FEET,
    LEARNED,
    MAX_STRENGTH,
    METHODS,
    CleanBodyResult,
    CleanResult,
    CleanSettings,
    clean,
    clean_body,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``clean``; imports nothing heavy."""
    parser.epilog = (
        "Frames are counted from 0 whatever the file says, and A:B means A up to but not including B, as in "
        "Python: 0:100 is the first hundred frames, 50: all from the 51st on. Exit code 0: all cleaned; 2: "
        "an error, and nothing was written for that clip."
    )
    parser.add_argument(
        "input", metavar="IN", type=Path, help="a .bvh or AMASS .npz file, or a folder of them"
    )
    parser.add_argument("output", metavar="OUT", type=Path, help="the file, or the folder, to write")
    parser.add_argument("--method", choices=METHODS, default="prior", help="default: prior")
    parser.add_argument(
        "--prior", choices=LEARNED, default="motion",
        help="of the method prior: motion (default), or pose, the prior of single poses alone",
    )  # fmt: skip
    parser.add_argument(
        "--feet", choices=FEET, default="auto",
        help="hold resting feet still: auto (default) where they slide, always, never",
    )  # fmt: skip
    parser.add_argument(
        "--strength", type=strength, default=1.0, metavar="S",
        help="0 leaves the clip as it is, 1 (default) does what its noise asks for, 2 is the most",
    )  # fmt: skip
    parser.add_argument("--range", type=span, metavar="A:B", help="frames to clean (default: all)")
    parser.add_argument(
        "--lock-frames", type=spans, default=(), metavar="LIST", help="frames to keep as they are: 1,5,10:20"
    )
    parser.add_argument(
        "--bones", type=names, metavar="LIST",
        help="clean only these: bones of the rig, joints (left_elbow) or parts (left_arm, trunk) of the body",
    )  # fmt: skip
    parser.add_argument(
        "--bone-map",
        type=Path,
        metavar="FILE.json",
        help='which bone is which joint: {"left_hip": "LThigh", ...}',
    )
    parser.add_argument(
        "--device", choices=["auto", "cpu", "cuda", "mps"], default="auto", help="default: auto"
    )
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of all randomness (default: 0)")
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="write what was found and done")
    parser.add_argument("--overwrite", action="store_true", help="allow OUT to be IN itself")


def run(args: argparse.Namespace) -> int:
    """Clean what ``args`` asks for; one clip's failure does not stop the next. Returns the exit code.

    Raises:
        FileError: there is nothing to clean, or OUT or the report cannot be what was asked for.
    """
    clips = _clips(args.input, args.output, args.overwrite)
    bone_map = None if args.bone_map is None else read_bone_map(args.bone_map)
    if args.report is not None:
        _check_report(args.report, clips)
    entries: list[dict[str, Any]] = []
    begin = time.monotonic()
    try:
        _clean_all(clips, args, bone_map, entries)
    finally:  # an interrupted run says what it has done
        if args.report is not None:
            with replacing(args.report) as stream:
                text = json.dumps({"engine": engine.__version__, "clips": entries}, indent=2, allow_nan=False)
                stream.write(text.encode() + b"\n")
    failed = [clip.label for clip, entry in zip(clips, entries, strict=True) if "error" in entry]
    if len(clips) > 1:
        print(_summary(entries, failed, time.monotonic() - begin), file=sys.stderr)
    return 2 if failed else 0


def _check_report(report: Path, clips: list[_Clip]) -> None:
    """Refuse a report that could not be written, or would be written over a clip."""
    if report.suffix.lower() in FORMATS or report.resolve() in {
        path.resolve() for clip in clips for path in (clip.source, clip.target)
    }:
        raise FileError(
            f"The report {report.name} would be written over a clip; give it a name ending in .json."
        )
    if not os.access(report.resolve().parent, os.W_OK) or report.is_dir():
        raise FileError(f"The report {report} cannot be written there; name another file.")


def _clean_all(
    clips: list[_Clip],
    args: argparse.Namespace,
    bone_map: dict[str, str] | None,
    entries: list[dict[str, Any]],
) -> None:
    """Clean every clip; ``entries`` grows by one per clip."""
    for number, clip in enumerate(clips, start=1):
        label = clip.source.name if len(clips) == 1 else f"{number}/{len(clips)} {clip.label}"
        entry = {"input": str(clip.source), "output": str(clip.target)}
        try:
            entries.append(entry | _clean_clip(clip, label, args, bone_map))
        except Exception as error:
            failure = explain(error, "the lines above")
            entries.append(entry | {"error": str(failure), "kind": type(failure).__name__})
            print(failure if len(clips) == 1 else f"{label}: {failure}", file=sys.stderr)


@dataclass(frozen=True)
class _Clip:
    source: Path
    target: Path
    label: str


def _clips(source: Path, target: Path, overwrite: bool) -> list[_Clip]:
    """What to clean, and where to; checked as far as can be before work begins."""
    if source.is_dir():
        if target.exists() and not target.is_dir():
            raise FileError(
                f"{source.name} is a folder but {target.name} is a file; name a folder to write to."
            )
        inside = target.resolve()
        found = [
            path for path in sorted(source.rglob("*")) if path.suffix.lower() in FORMATS and path.is_file()
        ]
        if inside != source.resolve():  # What an earlier run left there is no input of this one.
            found = [path for path in found if not path.resolve().is_relative_to(inside)]
        if not found:
            raise FileError(f"There are no .bvh or .npz clips in {source}; name another folder.")
        clips = [
            _Clip(path, target / path.relative_to(source), str(path.relative_to(source))) for path in found
        ]
    elif not source.exists():
        raise FileError(f"{source} does not exist; check its name.")
    else:
        if source.suffix.lower() not in FORMATS:
            raise FileError(f"{source.name} is neither a .bvh nor an .npz file; convert it to one of them.")
        if target.is_dir():
            target = target / source.name
        elif target.suffix.lower() != source.suffix.lower():
            raise FileError(f"{target.name} must end in {source.suffix}, as {source.name} does; rename it.")
        if not target.parent.is_dir():
            raise FileError(f"The folder {target.parent} does not exist; create it first.")
        clips = [_Clip(source, target, source.name)]
    if not overwrite:
        for clip in clips:
            if clip.target.exists() and clip.source.samefile(clip.target):
                raise FileError(f"{clip.label} would be written over; name another OUT or pass --overwrite.")
    return clips


def _clean_clip(
    clip: _Clip, label: str, args: argparse.Namespace, bone_map: dict[str, str] | None
) -> dict[str, Any]:
    """Clean one clip; its part of the report."""
    begin = time.monotonic()
    files = FORMATS[clip.source.suffix.lower()]
    content = files.read(clip.source)
    frames = len(content.motion)
    settings = _settings(args, frames)
    progress = Progress(label, frames, sys.stderr)
    result: CleanResult | CleanBodyResult
    try:
        if isinstance(content.motion, BodyMotion):
            result = clean_body(content.motion, settings, progress.step)
        else:
            result = clean(content.motion, settings, bone_map, progress.step)
    finally:
        progress.close()
    try:
        clip.target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"The folder {clip.target.parent} cannot be created ({error.strerror}).") from error
    files.write(clip.target, content, result.motion)
    seconds = max(time.monotonic() - begin, 1e-3)
    said = f"{label}: {frames} frames in {seconds:.1f} s ({frames / seconds:.0f} frames/s)"
    if rejected := result.report.get("rejected"):
        said += f"; {100 * rejected:.1f}% of the samples were no measurements and are filled in"
    if mixed_up := result.report.get("mixed_up"):
        said += f"; bent backwards or taken for each other, now sorted out: {', '.join(mixed_up)}"
    print(said, file=sys.stderr)
    return {"frames": frames, "report": result.report}


def _settings(args: argparse.Namespace, frames: int) -> CleanSettings:
    """The task's settings for a clip of so many frames."""
    return CleanSettings(
        method=args.method,
        strength=args.strength,
        frames=None if args.range is None else resolve(args.range, frames),
        lock_frames=tuple(frame for part in args.lock_frames for frame in range(*resolve(part, frames))),
        bones=args.bones,
        seed=args.seed,
        device=args.device,
        prior=args.prior,
        feet=args.feet,
    )


def _summary(entries: list[dict[str, Any]], failed: list[str], seconds: float) -> str:
    frames = sum(entry.get("frames", 0) for entry in entries)
    text = (
        f"Cleaned {len(entries) - len(failed)} of {len(entries)} clips ({frames} frames) in {seconds:.1f} s"
    )
    return f"{text}; failed: {', '.join(failed)}." if failed else f"{text}."


def strength(text: str) -> float:
    value = float(text)
    if not 0 <= value <= MAX_STRENGTH:
        raise argparse.ArgumentTypeError(f"must be from 0 to {MAX_STRENGTH:g}")
    return value
