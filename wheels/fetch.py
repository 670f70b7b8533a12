# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches wheels that the lock file names, by pip, and takes none whose hash is another."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from wheels import pip
from wheels.lock import PARTIAL, Wheel, digest
from wheels.steps import BuildError, say
from wheels.targets import Target

FOLDER = Path(__file__).with_name("fetched")


def verified(wheel: Wheel, folder: Path = FOLDER) -> bool:
    """Whether a folder has the very file that the lock file names."""
    path = folder / wheel.file
    return path.is_file() and path.stat().st_size == wheel.size and digest(path) == wheel.sha256


def fetch(wheels: Sequence[Wheel], target: Target, python: Path, folder: Path = FOLDER) -> None:
    """Bring a target's wheels into a folder; those already there are only verified.

    A file has its name only once it is whole and its hash is right, so an interrupted download leaves nothing that
    could be taken for a wheel.

    Args:
        wheels: of the lock file.
        target: what they are for.
        python: an interpreter with pip.
        folder: made if absent.

    Raises:
        BuildError: pip cannot get one, or the disk does not take it.
    """
    lacking = [wheel for wheel in wheels if not verified(wheel, folder)]
    if not lacking:
        return
    say(f"Fetching {len(lacking)} wheels for {target} ({sum(wheel.size for wheel in lacking) / 1e6:.0f} MB)")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=PARTIAL) as temporary:
            _download(lacking, target, python, Path(temporary))
            for wheel in lacking:
                if not verified(wheel, Path(temporary)):
                    raise BuildError(
                        f"{wheel.file} came with another content than the lock file's; fetch it again."
                    )
                Path(temporary, wheel.file).replace(folder / wheel.file)
    except OSError as error:
        raise BuildError(
            f"The wheels cannot be kept in {folder} ({error.strerror}); make room there."
        ) from error


def _download(wheels: Sequence[Wheel], target: Target, python: Path, folder: Path) -> None:
    """Have pip download the files into a folder; it checks their hashes, too."""
    requirements = folder / "requirements.txt"
    lines = [f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}" for wheel in wheels]
    requirements.write_text("\n".join(lines) + "\n", encoding="utf-8")
    tags = [tag for group in target.platform.tags for tag in group]
    answer = pip.download(python, target.abi, tags, folder, "--require-hashes", "--requirement", requirements)
    if answer.returncode != 0:
        raise BuildError(
            f"pip could not fetch the wheels for {target} (its message is above); check the network and the free disk "
            f"space, then run the same command again{_advice(wheels)}."
        )


def _advice(wheels: Sequence[Wheel]) -> str:
    """What else may help: builds of PyTorch without CUDA are not in the public registry."""
    local = [f"{wheel.name} {wheel.version}" for wheel in wheels if "+" in wheel.version]
    if not local:
        return ""
    return (
        f". {', '.join(local)} comes from PyTorch's own index of builds for the CPU: name that to pip "
        "(PIP_EXTRA_INDEX_URL), or put the file into wheels/fetched"
    )
