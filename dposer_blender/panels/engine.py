# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine behind the buttons: whether it runs and what it lacks, in the sidebar and in the preferences."""

from __future__ import annotations

from typing import ClassVar

from bpy.app.translations import pgettext_iface as iface_
from bpy.types import Context, Panel, UILayout

from ...engine.errors import EngineError
from .. import engine_check, engine_state, jobs, session
from ..interpreters import CHOSEN, NAMED
from .layout import Sidebar, wrap

_NARROW = 450  # pixels; a sidebar is, the preferences are not
_ICONS = {"good": "CHECKMARK", "poor": "INFO", "bad": "ERROR"}


class DPOSER_PT_engine(Sidebar, Panel):
    """The process behind the button."""

    bl_idname = "DPOSER_PT_engine"
    bl_parent_id = "DPOSER_PT_main"
    bl_label = "Engine"
    bl_options: ClassVar[set[str]] = {"DEFAULT_CLOSED"}

    def draw(self, context: Context) -> None:
        layout = self.layout
        running = session.running() is not None
        layout.label(
            text="Running" if running else "Starts when it is needed", icon="CHECKMARK" if running else "PAUSE"
        )
        _draw_device(layout, context)
        draw_check(layout, context)
        column = layout.column(align=True)
        column.operator("dposer.check_engine", icon="VIEWZOOM")
        column.operator("dposer.restart_engine", icon="FILE_REFRESH")
        column.operator("dposer.copy_diagnostics", icon="COPYDOWN")


def draw_check(layout: UILayout, context: Context) -> None:
    """What the last check found, each with what to do where something is lacking."""
    rows = engine_check.rows()
    if not rows:
        return
    box = layout.box().column()
    narrow = context.region.width < _NARROW * context.preferences.system.ui_scale
    for row in rows:
        subject, value, advice = row.shown()
        line = box.split(factor=0.5 if narrow else 0.3)
        line.alert = row.state == "bad"
        line.label(text=subject, icon=_ICONS[row.state], translate=False)
        line.label(text=value, translate=False)
        if advice:
            wrap(box, context, advice, "BLANK1", alert=row.state == "bad")


def draw_preferences(layout: UILayout, context: Context) -> None:
    """What the preferences come to, and the check."""
    _draw_interpreter(layout, context)
    _draw_device(layout, context)
    job = jobs.current()
    row = layout.row()
    if job is None:
        row.operator("dposer.check_engine", icon="VIEWZOOM")
        row.operator("dposer.restart_engine", icon="FILE_REFRESH")
        row.operator("dposer.copy_diagnostics", icon="COPYDOWN")
    else:
        row.progress(factor=job.fraction, text=job.text, type="BAR")
        row.operator("dposer.cancel", text="", icon="CANCEL")
    draw_check(layout, context)


def _draw_interpreter(layout: UILayout, context: Context) -> None:
    """Which Python runs the engine, and why that one; or why none does."""
    try:
        used = session.interpreter(context)
    except EngineError as error:
        wrap(layout, context, str(error), "ERROR", alert=True)
        return
    if used.source == CHOSEN:
        told = iface_("Chosen here: {path}")
    elif used.source == NAMED:
        told = iface_("Named by DPOSER_PYTHON: {path}")
    else:
        told = iface_("Blender's own: {path}")
    layout.label(text=told.format(path=used.path), icon="CONSOLE", translate=False)


def _draw_device(layout: UILayout, context: Context) -> None:
    """What the engine computes on, where it runs."""
    if name := engine_state.device(context):
        layout.label(text=iface_("Computes on {device}").format(device=name), icon="MEMORY", translate=False)


CLASSES = (DPOSER_PT_engine,)
