# SPDX-License-Identifier: GPL-3.0-or-later
"""A Python without PyTorch, roma, safetensors and torchdiffeq: for a child process with this folder on its PYTHONPATH.

Python imports a module of this name before the program. The packages are not found, as where they were never installed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

MISSING = {"torch", "roma", "safetensors", "torchdiffeq", "smplx"}


class Lacking(PathFinder):
    """Finds all but what is missing."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in MISSING:
            return None
        return super().find_spec(fullname, path, target)


sys.meta_path = [Lacking if finder is PathFinder else finder for finder in sys.meta_path]
