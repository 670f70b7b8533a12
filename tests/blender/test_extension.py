# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender is told about the extension: classes, names, tooltips, and that all of it goes again."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

bpy = pytest.importorskip("bpy")

ROOT = Path(__file__).resolve().parents[2]


def classes() -> Iterator[type]:
    package = importlib.import_module("dposer_ext.dposer_blender")
    yield from package._classes()


def properties() -> Iterator[tuple[str, Any]]:
    for cls in classes():
        own = getattr(cls, "bl_rna", None)
        for name in getattr(cls, "__annotations__", {}):
            prop = own.properties.get(name) if own is not None else None
            if prop is None and hasattr(cls, "bl_idname") and "OT" in cls.__name__:
                operator = getattr(bpy.ops.dposer, cls.bl_idname.partition(".")[2])
                prop = operator.get_rna_type().properties.get(name)
            if prop is not None and not name.startswith("bl_"):
                yield f"{cls.__name__}.{name}", prop


def test_every_property_has_a_name_and_a_tooltip() -> None:
    found = dict(properties())
    assert {"DPoserSettings.strength", "DPOSER_OT_clean_motion.strength"} <= found.keys()
    for name, prop in found.items():
        assert prop.name, name
        for text in (prop.description, *(i.description for i in getattr(prop, "enum_items", ()))):
            assert text and not text.endswith("."), (name, text)


def test_every_operator_has_a_tooltip() -> None:
    operators = [cls for cls in classes() if issubclass(cls, bpy.types.Operator)]
    assert len(operators) == 14
    for cls in operators:
        rna = getattr(bpy.ops.dposer, cls.bl_idname.partition(".")[2]).get_rna_type()
        assert rna.description and not rna.description.endswith("."), cls.bl_idname
        assert rna.name


def test_one_run_is_one_undo_step() -> None:
    changing = ("clean_motion", "pick_bone", "clear_bone", "mirror_bone_map", "clear_bone_map", "load_bone_map",
                "load_bone_map_preset")  # fmt: skip
    for name in changing:
        assert {"REGISTER", "UNDO"} <= getattr(bpy.ops.dposer, name).bl_options, name


def test_unregister_leaves_nothing_and_register_brings_it_back() -> None:
    root = importlib.import_module("dposer_ext")
    handlers = len(bpy.app.handlers.load_pre)
    root.unregister()
    try:
        assert not hasattr(bpy.types.Scene, "dposer")
        assert not hasattr(bpy.types.Armature, "dposer_bone_map")
        assert not hasattr(bpy.types, "DPOSER_PT_main")
        assert len(bpy.app.handlers.load_pre) == handlers - 1
    finally:
        root.register()
    assert bpy.context.scene.dposer.strength == 1.0
    assert len(bpy.app.handlers.load_pre) == handlers


def test_unregister_ends_the_engine(extension: Callable[[str], Any]) -> None:
    root, session = importlib.import_module("dposer_ext"), extension("session")
    process = session.engine(bpy.context)
    assert process.alive
    root.unregister()
    try:
        assert not process.alive and session.running() is None
    finally:
        root.register()


def test_blender_finds_the_manifest_valid() -> None:
    tool = Path(bpy.utils.system_resource("SCRIPTS"), "addons_core", "bl_pkg", "cli", "blender_ext.py")
    done = subprocess.run([sys.executable, str(tool), "validate", str(ROOT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_blender_has_every_icon() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "dposer_blender").rglob("*.py"))
    texts = re.findall(r"icon=([^\n]*)", sources)
    wanted = {name for text in texts for name in re.findall(r'"([A-Z_0-9]+)"', text)}
    icons = bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items.keys()
    assert wanted and wanted <= set(icons), wanted - set(icons)
