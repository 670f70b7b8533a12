# SPDX-License-Identifier: GPL-3.0-or-later
"""Which takes there are in a folder, and where each goes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine.commands.clip_file import FORMATS
from engine.errors import FileError
from engine.wording import printable


@dataclass(frozen=True)
class Take:
    """A clip of a folder.

    Attributes:
        source: its file.
        target: the file to write.
        label: its path in the folder, with "/" between.
    """

    source: Path
    target: Path
    label: str

    @property
    def shown(self) -> str:
        """The label for sentences."""
        return printable(self.label)

    @cached_property
    def key(self) -> str:
        """A name for files about this take: the same on every machine, of a length that every file system takes."""
        return hashlib.sha256(self.label.encode("utf-8", "surrogateescape")).hexdigest()[:32]

    @property
    def in_place(self) -> bool:
        """Whether the take is written over itself."""
        return self.target.exists() and self.source.samefile(self.target)


def find_takes(source: Path, target: Path, overwrite: bool) -> list[Take]:
    """The clips of a folder and those below it, sorted by name; hidden files and folders are none.

    Args:
        source: the folder.
        target: the folder to write to; what is in it is no input, unless it is the same folder.
        overwrite: allow a take to be written over itself.

    Raises:
        FileError: there are no takes, or one would be written over itself or another, or two to one file.
    """
    if target.exists() and not target.is_dir():
        raise FileError(f"{source.name} is a folder but {target.name} is a file; name a folder to write to.")
    inside = target.resolve()
    same = inside == source.resolve()
    if not same and source.resolve().is_relative_to(inside):
        raise FileError(f"{source} lies in {target}, where the results would mix with it; name another OUT.")
    takes = []
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if path.suffix.lower() not in FORMATS or any(part.startswith(".") for part in relative.parts):
            continue
        if path.is_file() and (same or not path.resolve().is_relative_to(inside)):
            takes.append(Take(path, target / relative, relative.as_posix()))
    if not takes:
        raise FileError(f"There are no .bvh or .npz clips in {source}; name another folder.")
    _check(takes, overwrite)
    return takes


def _check(takes: Sequence[Take], overwrite: bool) -> None:
    if not overwrite:
        for take in takes:
            if take.in_place:
                raise FileError(f"{take.shown} would be written over; name another OUT or pass --overwrite.")
    sources = {take.source.resolve(): take for take in takes}
    targets: dict[Path, Take] = {}
    for take in takes:
        target = take.target.resolve()
        over = sources.get(target, take)
        if over is not take and not take.source.samefile(over.source):
            raise FileError(f"The result of {take.shown} would be written over {over.shown}; name another OUT.")
        if (other := targets.setdefault(target, take)) is not take:
            raise FileError(f"{other.shown} and {take.shown} would both be written to {target}; name another OUT.")


def check_cases(takes: Sequence[Take], folder: Path) -> None:
    """Refuse names that differ in case only where the file system of ``folder`` tells no case.

    Args:
        takes: of `find_takes`.
        folder: one that exists, where the takes are written, with a name that has letters.

    Raises:
        FileError: two takes would be one file there.
    """
    if not folder.with_name(folder.name.swapcase()).exists():
        return
    seen: dict[str, Take] = {}
    for take in takes:
        if (other := seen.setdefault(take.label.casefold(), take)) is not take:
            raise FileError(f"{other.shown} and {take.shown} would be one file in {folder.parent}; rename one of them.")


def share(takes: Sequence[Take], number: int, count: int) -> list[Take]:
    """Every ``count``-th take from the one at ``number`` (from 0) on: shares are disjoint and together are all."""
    return list(takes[number::count])
