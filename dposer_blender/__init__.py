# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blender side of DPoser: panels, operators, the way to the engine; everything that imports ``bpy``."""

from __future__ import annotations

from . import late

late.defer(__name__)


def register() -> None:
    """Register every class, property and handler."""
    import bpy

    from . import bone_map, jobs, menus, properties, results, setting_presets, targets, translations
    from .drawing import handlers

    translations.register()
    for cls in _classes():
        bpy.utils.register_class(cls)
    properties.register()
    results.register()
    targets.register()
    bone_map.register()
    menus.register()
    handlers.register()
    setting_presets.register()
    jobs.register()


def unregister() -> None:
    """End the running job and the engine, and take everything back."""
    import bpy

    from . import (
        bone_map,
        jobs,
        last_run,
        menus,
        properties,
        results,
        session,
        setting_presets,
        targets,
        translations,
    )
    from .drawing import handlers

    jobs.unregister()
    menus.unregister()
    session.stop()
    last_run.forget()
    handlers.unregister()
    setting_presets.unregister()
    bone_map.unregister()
    targets.unregister()
    results.unregister()
    properties.unregister()
    for cls in reversed(_classes()):
        bpy.utils.unregister_class(cls)
    translations.unregister()


def _classes() -> tuple[type, ...]:
    from . import bone_map, menus, operators, panels, preferences, properties, results, targets

    modules = (preferences, properties, results, targets, bone_map, operators, menus, panels)
    return tuple(cls for module in modules for cls in module.CLASSES)
