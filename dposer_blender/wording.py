# SPDX-License-Identifier: GPL-3.0-or-later
"""Counted things in the sentences of reports, in the language of Blender's reports."""

from __future__ import annotations

from bpy.app.translations import pgettext_rpt as rpt_


def bones(count: int) -> str:
    """So many bones."""
    return rpt_("1 bone") if count == 1 else rpt_("{count} bones").format(count=count)


def poses(count: int) -> str:
    """So many poses."""
    return rpt_("1 pose") if count == 1 else rpt_("{count} poses").format(count=count)


def in_ways(count: int) -> str:
    """In so many ways, with a space in front; nothing where there is one."""
    return " " + rpt_("in {count} ways").format(count=count) if count > 1 else ""
