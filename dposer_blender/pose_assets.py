# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses as assets of Blender's asset browser, in a catalog of the file's own asset library."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path

import bpy
from bpy.types import Action, Object

from ..engine.errors import FileError
from . import compat, curves, results

CATALOGS = "blender_assets.cats.txt"
_HEADER = "# This is an Asset Catalog Definition file for Blender.\n\nVERSION 1\n\n"


def add(ob: Object, name: str, keys: results.Keys, frame: float, catalog: str) -> Action:
    """A pose asset of what curves show on a frame.

    Args:
        ob: the armature.
        name: of the asset.
        keys: of the pose's channels.
        frame: where they show it.
        catalog: identifier of its catalog; empty for none.
    """
    action = bpy.data.actions.new(name)
    slot = compat.new_slot(action, ob)
    for (path, index), own in keys.items():
        curve = compat.new_curve_of(action, slot, path, index, results.group_of(path))
        curves.restore(curve, own)
        value = curve.evaluate(frame)
        curve.keyframe_points.clear()
        curve.keyframe_points.insert(1.0, value)
    action.asset_mark()
    if catalog:
        action.asset_data.catalog_id = catalog
    return action


def catalog_id(path: str) -> str:
    """The identifier of a catalog of the asset library that the file is in, made where there is none of that path.

    Args:
        path: of the catalog, such as "Poses/Idle".

    Returns:
        Empty where the file has never been saved, so that it is in no library.

    Raises:
        FileError: the catalogs cannot be read or written.
    """
    if not bpy.data.filepath:
        return ""
    path = "/".join(part.strip() for part in path.replace(":", "-").split("/") if part.strip())
    if not path:
        return ""
    file = _file(Path(bpy.data.filepath).parent)
    try:
        text = file.read_text("utf-8") if file.exists() else _HEADER
        found = _catalogs(text)
        if path not in found:
            found = {path: str(uuid.uuid4())}
            line = f"{found[path]}:{path}:{path.replace('/', '-')}\n"
            _replace(file, text + ("" if text.endswith("\n") else "\n") + line)
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"The asset catalogs in {file} cannot be used ({error}); leave Catalog empty.") from error
    return found[path]


def _file(folder: Path) -> Path:
    """Where the catalogs are: the nearest file above, as Blender looks for it, or one beside the .blend."""
    return next((f for parent in (folder, *folder.parents) if (f := parent / CATALOGS).exists()), folder / CATALOGS)


def _catalogs(text: str) -> Mapping[str, str]:
    """Path -> identifier."""
    lines = (line.split(":", 2) for line in text.splitlines() if line and line[0] not in "#V")
    return {parts[1]: parts[0] for parts in lines if len(parts) == 3}


def _replace(file: Path, text: str) -> None:
    """Write a file whole or not at all."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".catalogs")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        whole = Path(name)
        whole.chmod(file.stat().st_mode & 0o777 if file.exists() else 0o644)
        whole.replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
