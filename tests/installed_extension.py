# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension as it is installed, its modules that need no Blender; imports nothing of the engine by itself."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "installed_dposer"


def installed(module: str) -> types.ModuleType:
    """A module of an installed extension, where ``engine`` lies beside ``dposer_blender``."""
    if PACKAGE not in sys.modules:
        extension = types.ModuleType(PACKAGE)
        extension.__path__ = [str(ROOT)]
        sys.modules[PACKAGE] = extension
    return importlib.import_module(f"{PACKAGE}.{module}")
