# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets of settings through Blender's own operators: those that come with DPoser, and a user's, there and back."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

bpy = pytest.importorskip("bpy")

SUBDIR = "dposer/clean"


@pytest.fixture(autouse=True)
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's folder of scripts of our own, so that nothing is written into the real one."""
    real_paths = bpy.utils.script_paths

    def resource(kind: str, *, path: str = "", create: bool = False) -> str:
        folder = tmp_path / kind.lower() / path
        if create:
            folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    def paths(*, subdir: str | None = None, **options: Any) -> list[str]:
        own = tmp_path / "scripts" / (subdir or "")
        return [*real_paths(subdir=subdir, **options), *([str(own)] if own.is_dir() else [])]

    monkeypatch.setattr(bpy.utils, "user_resource", resource)
    monkeypatch.setattr(bpy.utils, "script_paths", paths)
    classes = importlib.import_module("dposer_ext.dposer_blender")._classes()
    labels = {cls: cls.bl_label for cls in classes if hasattr(cls, "preset_subdir")}
    yield tmp_path / "scripts" / "presets" / "dposer" / "clean"
    for cls, label in labels.items():  # Blender names a menu after the preset that was chosen from it last
        cls.bl_label = label


def files(folder: str = SUBDIR) -> dict[str, Path]:
    return {path.stem: path for found in bpy.utils.preset_paths(folder) for path in Path(found).glob("*.py")}


def load(name: str) -> None:
    path = files()[name]
    assert bpy.ops.script.execute_preset(filepath=str(path), menu_idname="DPOSER_PT_clean_presets") == {"FINISHED"}


@pytest.mark.parametrize(
    ("name", "strength", "feet"),
    [("Gentle", 0.5, "auto"), ("Noisy_video_mocap", 1.3, "always"), ("Optical_mocap", 0.7, "never")],
)
def test_presets_that_come_with_dposer(name: str, strength: float, feet: str) -> None:
    settings = bpy.context.scene.dposer
    settings.method, settings.strength, settings.target = "median", 2.0, "NLA"
    load(name)
    assert (settings.method, settings.feet) == ("prior", feet)
    assert settings.strength == pytest.approx(strength)
    assert settings.target == "NLA", "what a preset does not name stays"


@pytest.mark.parametrize(("tool", "count"), [("complete", 2), ("inbetween", 2), ("generate", 2), ("idle", 2)])
def test_every_tool_has_some(tool: str, count: int) -> None:
    """Each changes the tool's settings, and only those; an empty list would read "Missing Paths"."""
    shared = bpy.context.scene.dposer
    settings = getattr(shared, tool)
    found = files(f"dposer/{tool}")
    assert len(found) == count
    seen = set()
    for path in found.values():
        names = [name for name in settings.bl_rna.properties.keys() if name not in ("rna_type", "name")]
        for name in names:
            settings.property_unset(name)
        menu = f"DPOSER_PT_{tool}_presets"
        assert bpy.ops.script.execute_preset(filepath=str(path), menu_idname=menu) == {"FINISHED"}
        seen.add(tuple(str(getattr(settings, name)) for name in names))
    assert len(seen) == count
    assert shared.strength == 1.0


def test_a_preset_of_ones_own_there_and_back(scripts: Path, extension: Callable[[str], Any]) -> None:
    settings = bpy.context.scene.dposer
    wanted = {
        "method": "savgol", "strength": 0.25, "frames": "SCENE", "feet": "never", "target": "OVERWRITE",
        "keys": "REDUCED", "tolerance": 3.5, "bones": "PARTS", "parts": {"left_arm", "head"}, "lock_selected": True,
        "blend_in": 4, "blend_out": 5, "actions": "ALL", "doubt": True,
    }  # fmt: skip
    assert wanted.keys() == extension("properties.clean").clean_properties().keys() - {"seed"}
    for name, value in wanted.items():
        setattr(settings, name, value)
    settings.seed = 7
    assert bpy.ops.dposer.clean_preset_add(name="My walk 2.0") == {"FINISHED"}
    assert [path.name for path in scripts.iterdir()] == ["My_walk_2_0.py"]
    for name in (*wanted, "seed"):
        settings.property_unset(name)
    load("My_walk_2_0")
    assert {name: getattr(settings, name) for name in wanted} == wanted
    assert settings.seed == 0, "a seed is for one run"
    assert bpy.ops.dposer.clean_preset_add(name="My_walk_2_0", remove_name=True) == {"FINISHED"}
    assert not list(scripts.iterdir())


def test_presets_go_with_the_extension(extension: Callable[[str], Any]) -> None:
    presets = extension("setting_presets")
    assert "Gentle" in files()
    presets.unregister()
    try:
        assert not files()
    finally:
        presets.register()
    assert "Gentle" in files()
