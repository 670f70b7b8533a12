# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that are read when something of theirs is first used: what Blender need not know at its start.

Enabling the extension tells Blender of its operators, panels and properties. What they do once they are used is in
modules that `defer` puts off. Importing one as a module (``from . import writing``) costs next to nothing then, while
``from .writing import write`` reads it at once: of what is but a type here, type checkers alone import the name.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import LazyLoader, find_spec, module_from_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
else:

    class _NumPy:
        """NumPy, imported when something of it is first used: Blender itself starts without it."""

        def __getattr__(self, name: str) -> Any:
            import numpy

            value = getattr(numpy, name)
            setattr(self, name, value)  # not asked for again
            return value

    np = _NumPy()

MODULES = (
    "armature", "blending", "bone_checks", "bone_choice", "client", "clip", "confidences", "curves", "diagnostics",
    "engine_check", "engine_log", "filmed", "footage", "found_bones", "frame_range", "keying", "last_run", "limbs",
    "live", "map_request", "mirror", "outcomes", "pinhole", "plausibility", "pose_assets", "posing", "presets",
    "puppets", "reduction", "rig", "rotations", "settling", "skeleton", "stage", "staleness", "vrm", "wording",
    "writing", "drawing.curve", "drawing.keypoints", "drawing.overlay", "drawing.scale", "drawing.segments",
    "drawing.swatches", "drawing.timeline", "drawing.viewport",
)  # fmt: skip
"""Those that are put off, by name within the extension's package."""


def defer(package: str) -> None:
    """Put off the reading of `MODULES`.

    Args:
        package: the full name of the package that holds them; it is being imported.
    """
    for name in (f"{package}.{module}" for module in MODULES):
        if name not in sys.modules:
            spec = find_spec(name)  # imports the package that holds it
            assert spec is not None, name
            _defer(spec)


def _defer(spec: ModuleSpec) -> None:
    assert spec.loader is not None
    spec.loader = LazyLoader(spec.loader)
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    setattr(sys.modules[spec.parent or ""], spec.name.rpartition(".")[2], module)
