# SPDX-License-Identifier: GPL-3.0-or-later
"""How large packages are, and how large they may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wheels.lock import Wheel
from wheels.steps import BuildError
from wheels.targets import Target
from wheels.variants import FULL

LIMIT = 300_000_000
"""Bytes that a zip may have: what Blender's extension site takes."""


@dataclass(frozen=True)
class Package:
    """A zip that was built.

    Attributes:
        path: where it is.
        variant: of `BUNDLED`.
        target: what it is for, or None for every Blender.
        wheels: what it bundles.
    """

    path: Path
    variant: str
    target: Target | None
    wheels: tuple[Wheel, ...] = ()


def check_wheels(wheels: Sequence[Wheel], variant: str, target: Target) -> None:
    """Raise BuildError where the wheels alone are too large for a zip; asks nobody and fetches nothing."""
    size = sum(wheel.size for wheel in wheels)
    if size <= LIMIT:
        return
    largest = max(wheels, key=lambda wheel: wheel.size)
    other = (
        " build the lite zip and choose a Python with PyTorch in DPoser's preferences"
        if variant == FULL
        else ""
    )
    raise BuildError(
        f"The {variant} zip for {target} would hold {size / 1e6:.0f} MB of wheels, more than {LIMIT / 1e6:.0f} MB "
        f"({largest.name} {largest.version} alone has {largest.size / 1e6:.0f} MB);{other}."
    )


def check_zip(path: Path) -> None:
    """Raise BuildError where a zip is too large."""
    size = path.stat().st_size
    if size > LIMIT:
        raise BuildError(
            f"{path.name} has {size / 1e6:.0f} MB, more than {LIMIT / 1e6:.0f} MB; leave something out."
        )


def table(packages: Sequence[Package]) -> str:
    """Sizes of packages, one a line, in Markdown."""
    lines = ["| zip | Blender | wheels, MB | zip, MB |", "| --- | --- | ---: | ---: |"]
    for package in packages:
        wheels = sum(wheel.size for wheel in package.wheels) / 1e6
        size = package.path.stat().st_size / 1e6
        lines.append(f"| {package.path.name} | {_blenders(package.target)} | {wheels:.1f} | {size:.1f} |")
    return "\n".join(lines)


def _blenders(target: Target | None) -> str:
    """The Blenders of a target, in words."""
    if target is None:
        return "4.2 or newer"
    first = target.abi.blender_min.removesuffix(".0")
    if target.abi.blender_max is None:
        return f"{first} or newer"
    return f"{first} to below {target.abi.blender_max.removesuffix('.0')}"
