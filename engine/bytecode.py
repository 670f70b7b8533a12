# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the engine's compiled modules are kept: not beside its sources, in an extension that must not change.

Blender names a folder of the user's in the environment and tells Python to write no bytecode; then the engine's own
modules are kept there, and those of libraries where Python keeps them, since compiling PyTorch takes many seconds.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import BYTECODE_SUFFIXES, SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path
from typing import Any

VARIABLE = "DPOSER_BYTECODE"
_SOURCES = Path(__file__).resolve().parent


def keep() -> None:
    """Keep bytecode as the environment asks for; call it before the engine's other modules are imported."""
    folder = os.environ.get(VARIABLE, "")
    if not folder:
        return

    class Loader(SourceFileLoader):
        """Reads and writes the bytecode of a source in the folder."""

        def get_data(self, path: str) -> bytes:
            return super().get_data(_kept(path, folder))

        def set_data(self, path: str, data: Any, **options: Any) -> None:
            super().set_data(_kept(path, folder), data, **options)

    def finder(path: str) -> FileFinder:
        if not Path(path).is_relative_to(_SOURCES):
            raise ImportError(path)
        return FileFinder(path, (Loader, SOURCE_SUFFIXES))

    sys.path_hooks.insert(0, finder)
    for path in [path for path in sys.path_importer_cache if Path(path).is_relative_to(_SOURCES)]:
        del sys.path_importer_cache[path]
    sys.dont_write_bytecode = False


def _kept(path: str, folder: str) -> str:
    """Where a file is: that of the engine's bytecode in the folder, any other where it is."""
    if not path.endswith(tuple(BYTECODE_SUFFIXES)) or not Path(path).is_relative_to(_SOURCES):
        return path
    return str(Path(folder, Path(path).relative_to(_SOURCES)))
