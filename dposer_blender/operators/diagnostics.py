# SPDX-License-Identifier: GPL-3.0-or-later
"""``dposer.copy_diagnostics``: what to send with a question or a bug report."""

from __future__ import annotations

import bpy
from bpy.types import Context, Operator

from .. import diagnostics


class DPOSER_OT_copy_diagnostics(Operator):
    """Copy versions, settings, the engine's check and the end of its log as text, for a question or a bug report"""

    bl_idname = "dposer.copy_diagnostics"
    bl_label = "Copy Diagnostics"

    def execute(self, context: Context) -> set[str]:
        """Copy; without a window, which has the clipboard, print."""
        text = diagnostics.text(context)
        if bpy.app.background:
            print(text)
        context.window_manager.clipboard = text
        self.report({"INFO"}, "Diagnostics copied: paste them where you ask for help.")
        return {"FINISHED"}


CLASSES = (DPOSER_OT_copy_diagnostics,)
