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
UNITS = {"millimetres", "metres", "seconds", "degrees", "frames", "times", "percent"}


def classes() -> Iterator[type]:
    package = importlib.import_module("dposer_ext.dposer_blender")
    yield from package._classes()


def operators() -> dict[str, Any]:
    """Registered operator by identifier: its type as Blender has it."""
    found = [cls for cls in classes() if issubclass(cls, bpy.types.Operator)]
    return {cls.bl_idname: getattr(bpy.ops.dposer, cls.bl_idname.partition(".")[2]).get_rna_type() for cls in found}


def properties() -> dict[str, Any]:
    """Every property of ours, by class and name; those of Blender's mix-in classes are Blender's matter."""
    found, types = {}, operators()
    for cls in classes():
        rna = types.get(getattr(cls, "bl_idname", "")) or getattr(cls, "bl_rna", None)
        for name in vars(cls).get("__annotations__", {}):  # those of Blender begin with bl_
            prop = rna.properties.get(name) if rna is not None else None
            if prop is not None and not name.startswith("bl_"):
                found[f"{cls.__name__}.{name}"] = prop
    return found


def words(text: str) -> int:
    return len(text.split())


def test_every_property_has_a_name_and_a_tooltip() -> None:
    found = properties()
    known = {"DPoserSettings.strength", "DPOSER_OT_clean_motion.strength", "DPOSER_AP_preferences.python"}
    assert known <= found.keys()
    for name, prop in found.items():
        assert prop.name, name
        assert words(prop.description) >= 3 and not prop.description.endswith("."), (name, prop.description)
        for item in getattr(prop, "enum_items", ()):
            assert item.name, (name, item.identifier)
            assert words(item.description) >= 2 and not item.description.endswith("."), (name, item.description)


def test_every_number_has_a_range_and_a_unit() -> None:
    """A slider that is dragged ends where values stop making sense, and nobody has to guess what a number counts."""
    records = tuple(cls.__name__ for cls in classes() if cls.__module__.endswith(".results"))  # nobody sets them
    numbers = {
        name: prop
        for name, prop in properties().items()
        if prop.type in {"INT", "FLOAT"} and not name.startswith(records)
    }
    assert "DPoserSettings.tolerance" in numbers
    for name, prop in numbers.items():
        assert prop.hard_min > -1e9, name
        assert prop.hard_max < 1e9 or name.endswith(".seed"), name
        assert prop.soft_max - prop.soft_min <= 10_000 or name.endswith(".seed"), name
        if prop.type == "FLOAT":
            counted = prop.subtype != "NONE" or prop.unit != "NONE"
            said = set(re.findall(r"\w+", prop.description))
            # A factor has no unit: its description says what 0, 1 or 2 mean.
            assert counted or said & UNITS or {"0", "1"} & said, (name, prop.description)


def test_every_operator_has_a_tooltip_and_a_label_of_its_own() -> None:
    found = operators()
    assert {"dposer.clean_motion", "dposer.check_engine", "dposer.copy_diagnostics"} <= found.keys()
    for name, rna in found.items():
        assert words(rna.description) >= 4 and not rna.description.endswith("."), (name, rna.description)
    labels = [rna.name for rna in found.values()]
    assert all(labels) and len(set(labels)) == len(labels), sorted(labels)


def test_every_panel_and_menu_has_a_label() -> None:
    kinds = (bpy.types.Panel, bpy.types.Menu)
    found = [cls for cls in classes() if issubclass(cls, kinds)]
    assert len(found) >= 6
    for cls in found:
        assert cls.bl_label and not cls.bl_label.endswith("."), cls.__name__


def test_one_run_is_one_undo_step() -> None:
    changing = ("clean_motion", "pick_bone", "clear_bone", "mirror_bone_map", "clear_bone_map", "load_bone_map",
                "load_bone_map_preset")  # fmt: skip
    for name in changing:
        assert {"REGISTER", "UNDO"} <= getattr(bpy.ops.dposer, name).bl_options, name


def own_handlers() -> list[Any]:
    """The functions of the extension that Blender calls when something happens."""
    lists = (getattr(bpy.app.handlers, name) for name in dir(bpy.app.handlers))
    return [f for found in lists if isinstance(found, list) for f in found if "dposer" in getattr(f, "__module__", "")]


def test_unregister_leaves_nothing_and_register_brings_it_back() -> None:
    root = importlib.import_module("dposer_ext")
    assert own_handlers()
    root.unregister()
    try:
        assert not hasattr(bpy.types.Scene, "dposer")
        assert not hasattr(bpy.types.Armature, "dposer_bone_map")
        assert not hasattr(bpy.types, "DPOSER_PT_main")
        assert not own_handlers()
    finally:
        root.register()
    assert bpy.context.scene.dposer.strength == 1.0
    assert own_handlers()


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
    texts = re.findall(r"\bicon=([^\n)]*)", sources)
    wanted = {name for text in texts for name in re.findall(r'"([A-Z_0-9]+)"', text)}
    icons = bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items.keys()
    assert wanted and wanted <= set(icons), wanted - set(icons)
