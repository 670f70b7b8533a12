# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blender side of DPoser: panels, operators, the way to the engine; everything that imports ``bpy``."""

from __future__ import annotations


def register() -> None:
    """Register every class, property and handler."""
    import bpy

    from . import jobs, properties

    for cls in _classes():
        bpy.utils.register_class(cls)
    properties.register()
    jobs.register()


def unregister() -> None:
    """End the running job and the engine, and take everything back."""
    import bpy

    from . import jobs, properties, session

    jobs.unregister()
    session.stop()
    properties.unregister()
    for cls in reversed(_classes()):
        bpy.utils.unregister_class(cls)


def _classes() -> tuple[type, ...]:
    from . import panels, preferences, properties
    from .operators import clean, engine

    return (*preferences.CLASSES, *properties.CLASSES, *clean.CLASSES, *engine.CLASSES, *panels.CLASSES)
