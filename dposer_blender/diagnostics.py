# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody who is asked for help wants to know, as plain text without names of people or of their folders."""

from __future__ import annotations

import getpass
import os
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import bpy
from bpy.types import Context, Object

from ..engine import __version__
from . import armature, bone_map, engine_check, outcomes, preferences, problems, session
from .errors import EngineStopped

_LOG_LINES = 40
_LOG_BYTES = 1 << 16  # read of the log's end


def text(context: Context) -> str:
    """The diagnostics; starts nothing and changes nothing."""
    sections = (
        ("DPoser", _versions()),
        ("Engine check", _check()),
        ("Preferences", _preferences(context)),
        ("Armature", _armature(armature.find(context))),
        ("Last errors", problems.recent()),
        (f"Last {_LOG_LINES} lines of the engine's log", _log()),
    )
    lines = [line for title, content in sections for line in (f"## {title}", *(list(content) or ["none"]), "")]
    return anonymous("\n".join(lines))


def anonymous(said: str) -> str:
    """A text whose paths name neither the user's folder nor the user."""
    home = str(Path.home())
    flags = re.IGNORECASE if os.name == "nt" else 0
    if len(home) > 1:
        for form in {home, home.replace("\\", "/"), home.replace("\\", "\\\\")}:
            said = re.sub(rf"{re.escape(form)}(?![\w.-])", "~", said, flags=flags)
    try:
        user = getpass.getuser()
    except (ImportError, KeyError, OSError):  # no such user
        return said
    return re.sub(rf"(?<=[\\/]){re.escape(user)}(?=[\\/]|$)", "~", said, flags=flags | re.MULTILINE)


def _versions() -> Iterator[str]:
    app = bpy.app
    build = app.build_hash.decode(errors="replace")
    yield f"DPoser {__version__}"
    yield f"Blender {app.version_string} ({build}, {app.build_platform.decode(errors='replace')})"
    yield f"Background: {'yes' if app.background else 'no'}"
    yield f"System: {platform.platform()}, {platform.machine()}, {os.cpu_count()} processors"
    yield f"Blender's Python: {platform.python_version()}, {sys.executable}"


def _check() -> Iterator[str]:
    for row in engine_check.rows():
        subject, value, advice = row.shown(translated=False)
        yield f"{subject}: {value} ({row.state})" + (f". {advice}" if advice else "")


def _preferences(context: Context) -> Iterator[str]:
    python, device = preferences.of(context)
    yield f"Python: {python or 'Blender own'}"
    yield f"Device: {device}"
    try:
        used = session.interpreter(context)
        yield f"Interpreter used: {used.path} ({used.source})"
    except EngineStopped as error:
        yield str(error)
    yield f"Engine: {'running' if session.running() is not None else 'not running'}"


def _armature(ob: Object | None) -> Iterator[str]:
    if ob is None or ob.type != "ARMATURE":
        return
    by_hand, search, checked = bone_map.checked(ob.data)
    found = search.found if search is not None else None
    yield f"Bones: {len(ob.data.bones)}"
    outcome = outcomes.recall(ob.session_uid)
    searched = len(checked.bones) if search is not None else 0
    yield f"Rig: {found.title if found is not None else 'Find Bones has not told'}"
    yield f"Joints mapped: {max(searched, outcome.mapped if outcome is not None else 0)} of 22, by hand {len(by_hand)}"
    for joint, problem in checked.problems.items():
        yield f"{joint}: {problem}"


def _log() -> list[str]:
    try:
        with session.log().open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_BYTES))
            return log.read().decode("utf-8", errors="replace").splitlines()[-_LOG_LINES:]
    except OSError:
        return []
