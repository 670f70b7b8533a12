# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the engine while panels draw, which may neither ask it nor wait: PyTorch and the device."""

from __future__ import annotations

import contextlib
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bpy.app.translations import pgettext_iface as iface_
from bpy.types import Context

from ..engine.errors import EngineError
from . import jobs, preferences, session
from .interpreters import OWN

if TYPE_CHECKING:
    from .client import EngineProcess, Header

_lacking: dict[str, bool] = {}  # of interpreters that have run the engine, whether learned tools cannot run there


def lacks_torch(context: Context) -> bool:
    """Whether learned tools cannot run, as far as is known: of an interpreter that was never started nothing is."""
    process, info = session.running(), _info()
    if process is not None and info is not None:
        _lacking[process.python] = "problem" in info
    with contextlib.suppress(EngineError):
        used = session.interpreter(context)
        return _lacking.get(used.path, used.source == OWN and _own_lacks_torch())
    return False


def device(context: Context) -> str:
    """Where the engine computes, in words; empty where it does not run or does not know yet."""
    info = _info()
    if info is None:
        return ""
    chosen = preferences.of(context)[1]
    kind = info["automatic"] if chosen == "auto" else chosen
    if kind == "cpu" or kind not in info["devices"]:
        return iface_("CPU, {threads} threads").format(threads=info["threads"]) if kind == "cpu" else ""
    return info["devices"][kind]


def _info() -> Header | None:
    """What the running engine has told of itself; None where it does not run or does not know yet."""
    process = session.running()
    if process is None:
        return None
    _listen(process)
    return process.info if process.info is not None and process.info.get("ready") else None


def _listen(process: EngineProcess) -> None:
    """Take what the engine told of itself after the last job; while there is one, that listens."""
    if jobs.current() is None and not process.busy:
        with contextlib.suppress(EngineError):  # the next job finds out, and says it
            process.poll()


@lru_cache(maxsize=1)
def _own_lacks_torch() -> bool:
    """Whether Blender's own Python has no PyTorch; found without loading it."""
    return find_spec("torch") is None
