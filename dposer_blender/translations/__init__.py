# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface in other languages: a file for each, from the English text as the code has it.

Blender looks texts up in its own catalogue first, where "Feet" is a unit of length: a text whose word means something
else there asks for it in `CONTEXT`.
"""

from __future__ import annotations

import bpy

from ..preferences import ROOT_PACKAGE
from . import ja_jp, zh_hans

CONTEXT = "DPoser"
"""What Blender calls a translation context: set it where Blender's own word means something else."""

LANGUAGES = {"ja_JP": ja_jp.TEXTS | ja_jp.BODY, "zh_HANS": zh_hans.TEXTS | zh_hans.BODY}
"""Blender's name of a language -> English text -> translation."""

_CONTEXTS = (bpy.app.translations.contexts.default, bpy.app.translations.contexts.operator_default, CONTEXT)


def register() -> None:
    """Give Blender the translations."""
    tables = {
        language: {(context, text): meant for text, meant in texts.items() for context in _CONTEXTS}
        for language, texts in LANGUAGES.items()
    }
    bpy.app.translations.register(ROOT_PACKAGE, tables)


def unregister() -> None:
    """Take them back."""
    bpy.app.translations.unregister(ROOT_PACKAGE)
