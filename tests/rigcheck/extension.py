# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension of this checkout, loaded in Blender as Blender loads it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

from rigcheck.places import ROOT

NAME = "dposer_ext"  # what `bl_ext.user_default.dposer` is for an installed one


def load() -> ModuleType:
    """The extension as a package of its own, so that its relative imports hold; loaded once."""
    if NAME in sys.modules:
        return sys.modules[NAME]
    spec = importlib.util.spec_from_file_location(
        NAME, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    return module


def part(name: str) -> Any:
    """A module of the extension, such as ``armature``."""
    load()
    return importlib.import_module(f"{NAME}.dposer_blender.{name}")
