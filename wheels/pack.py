# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds a package: the extension's files, its wheels and their licences, zipped and checked by Blender's own tool."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from wheels import fetch, licences, lock, sizes, variants
from wheels.steps import BuildError, say
from wheels.targets import Target

STAGED = ("__init__.py", "blender_manifest.toml", "README.md", "LICENSE", "dposer_blender", "engine")


@dataclass(frozen=True)
class Workshop:
    """What packages are built with.

    Attributes:
        root: the project's folder.
        python: an interpreter with pip.
        builder: Blender's command line tool for extensions, a script.
    """

    root: Path
    python: Path
    builder: Path

    @property
    def manifest(self) -> str:
        """The text of the project's manifest."""
        return (self.root / "blender_manifest.toml").read_text(encoding="utf-8")

    def blender(self, *arguments: str | Path) -> bool:
        """Run Blender's tool; whether it was content."""
        return subprocess.run([self.python, self.builder, *arguments], cwd=self.root).returncode == 0


def pack(shop: Workshop, folder: Path, variant: str, target: Target | None = None) -> sizes.Package:
    """Build one package; its zip appears only when Blender has found it good.

    Args:
        shop: what it is built with.
        folder: where the zip goes; made if absent.
        variant: of `variants.BUNDLED`.
        target: what it is for; None for `variants.BARE`, which is for every Blender.

    Raises:
        BuildError: a wheel cannot be had, the zip is too large, or Blender's builder or validator refuses it.
    """
    bundled = lock.select(lock.read(), target, variant) if target else []
    path = folder / variants.file_name(shop.manifest, variant, target)
    if target:
        sizes.check_wheels(bundled, variant, target)
        fetch.fetch(bundled, target, shop.python)
    say(f"Packing {path.name}")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=lock.PARTIAL) as temporary:
        staged, built = Path(temporary, "staged"), Path(temporary, path.name)
        stage(shop.root, staged)
        _add_wheels(shop, staged, target, bundled)
        if not shop.blender("build", "--source-dir", staged, "--output-filepath", built):
            raise BuildError("Blender's extension builder refused the package; its message is above.")
        if not shop.blender("validate", built):
            raise BuildError("Blender's extension validator refused the package; its message is above.")
        sizes.check_zip(built)
        built.replace(path)
    return sizes.Package(path, variant, target, tuple(bundled))


def stage(root: Path, folder: Path) -> None:
    """Copy what every package holds into a folder, made here, laid out as in its zip."""
    folder.mkdir()
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in STAGED:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignore)
        else:
            shutil.copy2(source, folder / name)


def link(source: Path, copy: Path) -> None:
    """Give a file a second place; it is copied only where the file system cannot do with one."""
    with contextlib.suppress(OSError):
        os.link(source, copy)
        return
    shutil.copy2(source, copy)


def _add_wheels(shop: Workshop, staged: Path, target: Target | None, bundled: list[lock.Wheel]) -> None:
    """Add wheels, the manifest that names them, and their licences."""
    if target is None:
        return
    manifest = variants.with_wheels(shop.manifest, target, [wheel.file for wheel in bundled])
    (staged / "blender_manifest.toml").write_text(manifest, encoding="utf-8")
    (staged / "wheels").mkdir()
    for wheel in bundled:
        link(fetch.FOLDER / wheel.file, staged / "wheels" / wheel.file)
    (staged / licences.FILE).write_text(licences.document(bundled, fetch.FOLDER), encoding="utf-8")
