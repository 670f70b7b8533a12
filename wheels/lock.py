# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock file: every wheel that a package may bundle, by name, version, hash, size, place and licence."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from wheels import licences, pip
from wheels.steps import BuildError, say
from wheels.targets import ABIS, PLATFORMS, Target, targets
from wheels.variants import BUNDLED, FULL

FILE = Path(__file__).with_name("lock.json")
PARTIAL = ".partial-"  # how folders of unfinished downloads begin
_PIN = re.compile(r"^([\w.-]+)==(\S+)$")


@dataclass(frozen=True)
class Wheel:
    """One file of the registry.

    Attributes:
        name: of the package, normalised: small letters, hyphens.
        version: as the file has it, such as "2.13.0+cpu".
        file: name of the file.
        sha256: its hash, hexadecimal.
        size: bytes.
        licence: SPDX expression.
        platforms, pythons: what it is taken for, of `PLATFORMS` and `ABIS`.
    """

    name: str
    version: str
    file: str
    sha256: str
    size: int
    licence: str
    platforms: tuple[str, ...]
    pythons: tuple[str, ...]


def read(path: Path = FILE) -> list[Wheel]:
    """The wheels of a lock file.

    Raises:
        BuildError: it is not there or damaged.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["wheels"]
        return [
            Wheel(**(row | {"platforms": tuple(row["platforms"]), "pythons": tuple(row["pythons"])}))
            for row in rows
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f"{path.name} cannot be read ({error}); write it anew: build.py wheels --lock."
        ) from error


def select(wheels: Iterable[Wheel], target: Target, variant: str) -> list[Wheel]:
    """The wheels that a variant bundles for a target, by name.

    Raises:
        BuildError: the lock file lacks one.
    """
    at_hand = {
        wheel.name: wheel
        for wheel in wheels
        if target.platform.name in wheel.platforms and target.abi.python in wheel.pythons
    }
    lacking = [name for name in BUNDLED[variant] if name not in at_hand]
    if lacking:
        raise BuildError(
            f"The lock file has no wheel of {', '.join(lacking)} for {target}; refresh it: build.py wheels --lock."
        )
    return sorted((at_hand[name] for name in BUNDLED[variant]), key=lambda wheel: wheel.name)


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def normalised(name: str) -> str:
    """A package's name as the registry compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(root: Path) -> dict[str, str]:
    """Version of every package that the project's requirement files pin, by normalised name."""
    found = {}
    for path in (*sorted(root.glob("requirements*.txt")), root / "constraints.txt"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if match := _PIN.match(line.strip()):
                found[normalised(match[1])] = match[2]
    return found


def versions(root: Path, target: Target) -> dict[str, str]:
    """Version that is bundled of every package."""
    pinned = pins(root)
    return {name: target.versions.get(name, pinned[name]) for name in BUNDLED[FULL]}


def refresh(root: Path, python: Path, folder: Path, path: Path = FILE) -> list[Wheel]:
    """Download every wheel for every target and write down what came: the lock file anew.

    Args:
        root: the folder of the requirement files.
        python: an interpreter with pip. Its settings say where PyTorch's builds without CUDA come from.
        folder: keeps the wheels.
        path: the lock file.

    Raises:
        BuildError: a package cannot be had, or has a licence that nobody has read, or paths too long for Windows.
    """
    seen: dict[str, Wheel] = {}
    folder.mkdir(parents=True, exist_ok=True)
    for target in targets(PLATFORMS, ABIS):
        say(f"Wheels for {target}")
        for name, version in versions(root, target).items():
            file = _download(python, f"{name}=={version}", target, folder)
            _check_paths(file, target)
            old = seen.get(file.name)
            seen[file.name] = Wheel(
                name=name,
                version=file.name.split("-")[1],
                file=file.name,
                sha256=old.sha256 if old else digest(file),
                size=file.stat().st_size,
                licence=old.licence if old else licences.expression(file, name),
                platforms=_with(old.platforms if old else (), target.platform.name),
                pythons=_with(old.pythons if old else (), target.abi.python),
            )
    wheels = sorted(seen.values(), key=lambda wheel: (wheel.name, wheel.file))
    path.write_text(
        json.dumps({"wheels": [asdict(wheel) for wheel in wheels]}, indent=1) + "\n", encoding="utf-8"
    )
    return wheels


def _check_paths(file: Path, target: Target) -> None:
    """Raise BuildError where Blender could not unpack the wheel's longest path."""
    with zipfile.ZipFile(file) as archive:
        longest = max(archive.namelist(), key=len)
    limit = target.platform.longest_path
    if limit and len(longest) > limit:
        raise BuildError(
            f"{file.name} has paths of {len(longest)} characters, and {target.platform.name} takes {limit} "
            f"where Blender unpacks them ({longest}); pin another version in wheels/targets.py."
        )


def _with(values: tuple[str, ...], value: str) -> tuple[str, ...]:
    return values if value in values else (*values, value)


def _download(python: Path, requirement: str, target: Target, folder: Path) -> Path:
    """The package's wheel for the oldest systems for which there is one."""
    tried: tuple[str, ...] = ()
    for tags in target.platform.tags:
        tried += tags
        with tempfile.TemporaryDirectory(dir=folder, prefix=PARTIAL) as temporary:
            answer = pip.download(python, target.abi, tried, Path(temporary), requirement, quiet=True)
            if answer.returncode == 0:
                (path,) = Path(temporary).iterdir()
                return path.replace(folder / path.name)
    reason = (answer.stderr.strip().splitlines() or ["pip said nothing"])[-1]
    raise BuildError(f"{requirement} cannot be had for {target}: {reason}.")
