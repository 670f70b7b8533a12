# SPDX-License-Identifier: GPL-3.0-or-later
"""The one folder that the extension writes to by itself: where Blender wants an extension's data of a user."""

from __future__ import annotations

from pathlib import Path

import bpy

from .preferences import ROOT_PACKAGE


def user_folder(path: str = "", create: bool = True) -> Path:
    """The folder, or one in it; with ``create``, it is there."""
    try:
        return Path(bpy.utils.extension_path_user(ROOT_PACKAGE, path=path, create=create))
    except ValueError:  # not installed as an extension
        return Path(bpy.utils.user_resource("CONFIG", path=f"dposer/{path}".rstrip("/"), create=create))
