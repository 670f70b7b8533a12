# SPDX-License-Identifier: GPL-3.0-or-later
"""What a package can be made for: a platform as Blender names it, and the Python that a range of Blenders brings."""

from __future__ import annotations

import platform as machine
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Abi:
    """A Python that Blender brings, for which compiled wheels are made.

    Attributes:
        python: its version, such as "3.11".
        blender_min: the first Blender that has it.
        blender_max: the first Blender that has it no longer, or None.
        versions: packages by the version taken for this Python where that is not the version of `requirements.txt`.
    """

    python: str
    blender_min: str
    blender_max: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def digits(self) -> str:
        """As wheels' tags and the packages' file names have it: "311"."""
        return self.python.replace(".", "")


@dataclass(frozen=True)
class Platform:
    """An operating system on a processor.

    Attributes:
        name: as Blender's manifests have it.
        tags: as wheels have it, in groups, those of the oldest systems first: what runs there runs on newer ones.
        versions: packages by the version taken here where that is not the version of `requirements.txt`.
        longest_path: characters that a path in a wheel may have where Blender unpacks it, or None for any.
    """

    name: str
    tags: tuple[tuple[str, ...], ...]
    versions: Mapping[str, str] = field(default_factory=dict, compare=False)
    longest_path: int | None = None


@dataclass(frozen=True)
class Target:
    """One kind of Blender that a package with wheels is made for."""

    platform: Platform
    abi: Abi

    def __str__(self) -> str:
        return f"{self.platform.name}, Python {self.abi.python}"

    @property
    def versions(self) -> dict[str, str]:
        """Packages by the version taken here where that is not the version of `requirements.txt`."""
        return {**self.platform.versions, **self.abi.versions}


ABIS = {
    abi.python: abi
    for abi in (
        # .venv's SciPy, which runs with every NumPy of these Blenders.
        Abi("3.11", "4.2.0", "5.1.0"),
        # A SciPy for NumPy up to 2.6; Blender 5.2 has NumPy 2.5.
        Abi("3.13", "5.1.0", versions={"scipy": "1.17.1"}),
    )
}

# Windows takes 259 characters, and Blender asks for no more. "C:\\Users\\", a name of up to 20, and
# "\\AppData\\Roaming\\Blender Foundation\\Blender\\5.2\\extensions\\.local\\Lib\\site-packages\\" come first.
_WINDOWS_PATH = 259 - 9 - 20 - 84

PLATFORMS = {
    platform.name: platform
    for platform in (
        Platform(
            "linux-x64",
            (
                ("manylinux2014_x86_64", "manylinux_2_17_x86_64"),
                ("manylinux_2_27_x86_64", "manylinux_2_28_x86_64"),
            ),
        ),
        # PyTorch 2.13 brings licence files of 167 characters: Blender fails to unpack them, and drops the whole wheel.
        Platform("windows-x64", (("win_amd64",),), {"torch": "2.12.1"}, _WINDOWS_PATH),
        Platform("macos-arm64", (("macosx_12_0_arm64",), ("macosx_14_0_arm64",))),
    )
}


def targets(platforms: Iterable[str], pythons: Iterable[str]) -> list[Target]:
    """Every pair of them."""
    pythons = list(pythons)
    return [Target(PLATFORMS[platform], ABIS[python]) for platform in platforms for python in pythons]


def this_platform() -> str | None:
    """The platform of `PLATFORMS` that this machine is, or None."""
    system = {"linux": "linux", "win32": "windows", "darwin": "macos"}.get(sys.platform, "")
    processor = {"x86_64": "x64", "amd64": "x64", "arm64": "arm64", "aarch64": "arm64"}.get(
        machine.machine().lower(), ""
    )
    name = f"{system}-{processor}"
    return name if name in PLATFORMS else None
