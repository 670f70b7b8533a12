# SPDX-License-Identifier: GPL-3.0-or-later
"""A static extension repository: packages with the index by which Blender finds the one for itself.

Blender picks by platform, Python and version, and knows no variants: two packages of one id that suit the same
Blender are duplicates to it. So the repository gives each kind of Blender one package, the full one where it was
built and the lite one elsewhere, and its folder ``lite`` is a second repository with the lite ones alone.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from wheels.pack import Workshop, link
from wheels.sizes import Package
from wheels.steps import BuildError, say
from wheels.targets import Target
from wheels.variants import FULL, LITE

INDEX = "index.json"


def write(shop: Workshop, folder: Path, packages: Sequence[Package]) -> None:
    """Write the repository into a folder, in the place of one written before.

    Args:
        shop: has Blender's tool.
        folder: made if absent. Its packages of this extension are replaced, all else in it stays.
        packages: full and lite ones.

    Raises:
        BuildError: there is none to serve, or Blender's tool fails.
    """
    lite = [package for package in packages if package.variant == LITE]
    best: dict[Target, Package] = {}
    for package in sorted(packages, key=lambda package: package.variant == FULL):
        if package.target:
            best[package.target] = package
    if not best:
        raise BuildError(
            "A repository serves full and lite zips, and none was built; ask for a variant that can be."
        )
    _serve(shop, folder, list(best.values()))
    if lite:
        _serve(shop, folder / LITE, lite)


def _serve(shop: Workshop, folder: Path, packages: Sequence[Package]) -> None:
    """Fill one folder and have Blender's tool write its index."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{tomllib.loads(shop.manifest)['id']}-*.zip"):
        old.unlink()
    for package in packages:
        link(package.path, folder / package.path.name)
    if not shop.blender("server-generate", "--repo-dir", folder, "--html"):
        raise BuildError(f"Blender's tool could not write the index of {folder}; its message is above.")
    say(f"Repository: {(folder / INDEX).resolve()} ({len(packages)} packages)")
