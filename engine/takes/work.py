# SPDX-License-Identifier: GPL-3.0-or-later
"""Cleaning one clip from file to file, wherever it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine.commands.arguments import Span, resolve
from engine.commands.clip_file import FORMATS
from engine.errors import DeviceError, FileError, PackageError, WeightsError
from engine.failures import explain
from engine.motion.files import mode_of, no_more_can_be_written, remove_leftovers, sibling
from engine.motion.motion import BodyMotion
from engine.takes.record import Fingerprint
from engine.tasks.clean import CleanBodyResult, CleanResult, CleanSettings, clean, clean_body
from engine.tasks.steps import OnStep


@dataclass(frozen=True)
class Cleaning:
    """What to do to clips of any length; see `CleanSettings`.

    Attributes:
        frames: as typed; None for all.
        lock_frames: as typed.
        bone_map: body joint to bone, where the user chose; else found.
    """

    method: str
    prior: str
    feet: str
    strength: float
    frames: Span | None
    lock_frames: Sequence[Span]
    bones: tuple[str, ...] | None
    bone_map: dict[str, str] | None
    seed: int
    device: str

    def settings(self, frames: int) -> CleanSettings:
        """The task's settings for a clip of so many frames; MotionError where they ask for frames it has not."""
        return CleanSettings(
            method=self.method,
            strength=self.strength,
            frames=None if self.frames is None else resolve(self.frames, frames),
            lock_frames=tuple(frame for part in self.lock_frames for frame in range(*resolve(part, frames))),
            bones=self.bones,
            seed=self.seed,
            device=self.device,
            prior=self.prior,
            feet=self.feet,
        )

    def asked(self) -> dict[str, Any]:
        """What was asked for, JSON-able: all but where it is computed."""
        asked = asdict(self)
        del asked["device"]
        return asked


Watch = Callable[[int], OnStep | None]
"""Told how many frames a clip has; returns who is told how far it has come."""


def clean_clip(
    source: Path, target: Path, cleaning: Cleaning, watch: Watch, confidence: np.ndarray | None = None
) -> dict[str, Any]:
    """Clean a clip from file to file; what the report says of it: ``frames``, ``seconds`` and the task's ``report``.

    Args:
        source, target: the files.
        cleaning: what to do.
        watch: see `Watch`.
        confidence: (T, 22) of the clip's joints, where it is known.

    Raises:
        FileError: a file is not there, not a clip, or cannot be written. Else as `clean` and `clean_body`.
    """
    begin = time.monotonic()
    files = FORMATS[source.suffix.lower()]
    content = files.read(source)
    frames = len(content.motion)
    settings, on_step = cleaning.settings(frames), watch(frames)
    result: CleanResult | CleanBodyResult
    if isinstance(content.motion, BodyMotion):
        result = clean_body(content.motion, settings, on_step, confidence)
    else:
        result = clean(content.motion, settings, cleaning.bone_map, on_step, confidence=confidence)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"The folder {target.parent} cannot be created ({error.strerror}).") from error
    files.write(target, content, result.motion)
    return {"frames": frames, "seconds": round(time.monotonic() - begin, 3), "report": result.report}


HERE = "the lines above"
"""Where a process that the user has started says more about what nobody foresaw."""


def failure(error: BaseException, details: str = HERE) -> dict[str, str]:
    """What the report says of a clip that failed; the traceback of what nobody foresaw is on stderr (``details``)."""
    explained = explain(error, details)
    return {"error": str(explained), "kind": type(explained).__name__}


class Made(NamedTuple):
    """What came of a take.

    Attributes:
        entry: for the report.
        input, output: the files, where there are any.
        hopeless: whether no other take would fare better.
        aside: where the output waits, if it is to take the input's place: not before that is on record, as a run that
            is killed in between must not take what was made for what it was made from.
    """

    entry: dict[str, Any]
    input: Fingerprint | None
    output: Fingerprint | None
    hopeless: bool
    aside: Path | None = None


def make(
    source: Path, target: Path, cleaning: Cleaning, on_step: OnStep | None = None, details: str = HERE
) -> Made:
    """Clean a take that nobody else works on; whatever goes wrong is told in the entry.

    Args:
        source, target: absolute.
        cleaning: what to do.
        on_step: who is told how far it has come.
        details: where stderr goes, as for `explain`.
    """
    found = None
    try:
        remove_leftovers(target)
        try:
            found = Fingerprint.of(source)
        except OSError as error:
            raise FileError(f"{source.name} cannot be read ({error.strerror}).") from error
        aside = None
        if target.exists() and source.samefile(target):
            mode_of(target)
            aside = sibling(target)
        entry = clean_clip(source, aside or target, cleaning, lambda _: on_step)
        return Made(entry, found, Fingerprint.of(aside or target), False, aside)
    except Exception as error:
        hopeless = isinstance(error, (DeviceError, PackageError, WeightsError)) or no_more_can_be_written(error)
        return Made(failure(error, details), found, None, hopeless)
