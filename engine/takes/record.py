# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of takes that earlier runs, or runs on other machines, have cleaned: a small file for each.

They lie in `FOLDER` of the output folder. A file of its own for each take needs no lock and nothing but the replacing
of whole files, which network file systems do too.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import engine
from engine.errors import FileError
from engine.motion.files import replacing
from engine.takes.walk import Take

FOLDER = ".dposer"
_BLOCK = 1 << 20  # bytes hashed at a time
_MAX_BYTES = 1 << 20  # of a record
_TOLD = ("noise_deg_median", "rejected", "jitter_before", "jitter_after")  # of a report, in the summary


class State(Enum):
    """What there is to do about a take."""

    TODO = "not done"
    DONE = "done before"
    KEPT = "changed since"
    """Somebody has changed the result; it is theirs now."""


@dataclass(frozen=True)
class Fingerprint:
    """A file's content, and by what to see at a glance that it has not changed."""

    size: int
    mtime_ns: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Fingerprint:
        """Raises OSError where the file cannot be read."""
        with path.open("rb") as stream:
            before = path.stat()
            digest = hashlib.sha256()
            while block := stream.read(_BLOCK):
                digest.update(block)
        return cls(before.st_size, before.st_mtime_ns, digest.hexdigest())

    def matches(self, path: Path) -> bool:
        """Whether a file has this content; read only where its size or time of change leave a doubt."""
        try:
            found = path.stat()
            if found.st_size != self.size:
                return False
            return found.st_mtime_ns == self.mtime_ns or Fingerprint.of(path).sha256 == self.sha256
        except OSError:
            return False


@dataclass(frozen=True)
class Record:
    """What came of a take.

    Attributes:
        take: its label.
        made_by: `maker` of the settings and the engine; empty where it failed.
        entry: what the report says of it.
        input: what it was made from; None where it could not be read.
        output: what was written last; None where nothing was.
    """

    take: str
    made_by: str
    entry: dict[str, Any] = field(repr=False)
    input: Fingerprint | None = None
    output: Fingerprint | None = None


def maker(settings: dict[str, Any]) -> str:
    """A digest of JSON-able settings and of the engine, its weights included, that a result depends on."""
    digest = hashlib.sha256(json.dumps([engine.__version__, settings], sort_keys=True).encode())
    for path in sorted((Path(engine.__file__).parent / "weights").glob("*.safetensors")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _checked(entry: dict[str, Any]) -> dict[str, Any]:
    """A take's part of the report; ValueError where a summary could not tell of it."""
    report = entry.get("report", {})
    numbers = [entry.get(name, 0) for name in ("frames", "seconds")] + [report.get(name, 0) for name in _TOLD]
    if not isinstance(entry.get("error", ""), str) or not all(isinstance(number, int | float) for number in numbers):
        raise ValueError("an entry without its figures")
    return dict(entry)


class Records:
    """The records of an output folder.

    Args:
        folder: the output folder; what is missing of it is made when something is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER / "takes"

    def read(self, take: Take) -> Record | None:
        """A take's record; None where there is none, or none that can be understood."""
        path = self._path(take)
        try:
            if path.stat().st_size > _MAX_BYTES:
                return None
            content = json.loads(path.read_bytes())
            prints = {k: None if content[k] is None else Fingerprint(**content[k]) for k in ("input", "output")}
            record = Record(str(content["take"]), str(content["made_by"]), _checked(content["entry"]), **prints)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        return record if record.take == take.label else None

    def write(self, take: Take, record: Record) -> None:
        """Keep a take's record; FileError where it cannot be written."""
        path = self._path(take)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(f"The folder {path.parent} cannot be made ({error.strerror}).") from error
        with replacing(path) as stream:
            stream.write(json.dumps(asdict(record), allow_nan=False).encode())

    def state(self, take: Take, made_by: str) -> tuple[State, Record | None]:
        """What there is to do about a take for someone whose `maker` is ``made_by``, and its record."""
        record = self.read(take)
        if record is None or record.output is None or not take.target.exists():
            return State.TODO, record
        intact = record.output.matches(take.target)
        if take.in_place:  # What was made has taken the place of what it was made from.
            return (State.DONE if intact and record.made_by == made_by else State.TODO), record
        if not intact:
            return State.KEPT, record
        same = record.made_by == made_by and record.input is not None and record.input.matches(take.source)
        return (State.DONE if same else State.TODO), record

    def _path(self, take: Take) -> Path:
        return self._folder / f"{take.key}.json"
