# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the packages share: Blender's own extension tool, and wheels small enough to make."""

from __future__ import annotations

import importlib.util
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import build
from wheels import lock
from wheels.pack import Workshop


@pytest.fixture(scope="session")
def shop() -> Workshop:
    """What packages are built with."""
    return build.workshop()


@pytest.fixture(scope="session")
def blender_ext(shop: Workshop) -> ModuleType:
    """Blender's extension tool as a module: what it thinks of wheels and manifests."""
    spec = importlib.util.spec_from_file_location("blender_ext", shop.builder)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["blender_ext"] = module  # its named tuples ask for it
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def make_wheel(tmp_path: Path) -> Callable[..., lock.Wheel]:
    """Makes a wheel of a package in the folder ``index``, as pip reads it; returns its row of the lock file."""

    def make(file: str = "probe-1.0-py3-none-any.whl", **more: str) -> lock.Wheel:
        folder = tmp_path / "index"
        folder.mkdir(exist_ok=True)
        name, version = file.split("-")[:2]
        info = f"{name}-{version}.dist-info"
        files = {
            f"{name}.py": "",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": "",
            **more,
        }
        with zipfile.ZipFile(folder / file, "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
        path = folder / file
        return lock.Wheel(
            name, version, file, lock.digest(path), path.stat().st_size, "MIT", ("linux-x64",), ("3.11",)
        )

    return make
