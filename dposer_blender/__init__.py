# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blender side of DPoser: panels, operators, the way to the engine; everything that imports ``bpy``."""

from __future__ import annotations


def register() -> None:
    """Register every class, property and handler."""
    import bpy

    from . import bone_map, jobs, properties

    for cls in _classes():
        bpy.utils.register_class(cls)
    properties.register()
    bone_map.register()
    jobs.register()


def unregister() -> None:
    """End the running job and the engine, and take everything back."""
    import bpy

    from . import bone_map, jobs, properties, session

    jobs.unregister()
    session.stop()
    bone_map.unregister()
    properties.unregister()
    for cls in reversed(_classes()):
        bpy.utils.unregister_class(cls)


def _classes() -> tuple[type, ...]:
    from . import bone_map, panels, preferences, properties
    from .operators import bone_map as bone_map_operators
    from .operators import bone_map_files, clean, engine

    modules = (preferences, properties, bone_map, clean, engine, bone_map_operators, bone_map_files, panels)
    return tuple(cls for module in modules for cls in module.CLASSES)
