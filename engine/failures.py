# SPDX-License-Identifier: GPL-3.0-or-later
"""From any exception to the one sentence a user reads; what nobody foresaw leaves its traceback on stderr."""

from __future__ import annotations

import contextlib
import errno
import sys
import traceback

from engine.errors import EngineError, FileError, OutOfMemory
from engine.memory import EXHAUSTED, is_out_of_memory
from engine.packages import in_a_line


def explain(error: BaseException, details: str) -> EngineError:
    """The error to show for ``error``: itself where it is meant for the user, else one sentence about it.

    Args:
        error: what a task raised.
        details: where stderr goes, in words that follow "see": the traceback of an unforeseen error is there.
    """
    if isinstance(error, EngineError):
        return error
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.partition(".")[0] != "engine":
        return EngineError(
            f"The engine's Python ({sys.executable}) lacks the module {error.name}; install it there or "
            "choose another interpreter."
        )
    with contextlib.suppress(OSError):  # the sentence is told also where the disk of the log is full
        traceback.print_exception(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return FileError("The output cannot be written, as the disk is full; free some space and try again.")
    if is_out_of_memory(error):
        return OutOfMemory(EXHAUSTED)
    cause = in_a_line(error)
    if isinstance(error, ImportError) and (package := _imported(error)):
        return EngineError(
            f"The engine's Python ({sys.executable}) cannot load {package} ({cause}); reinstall it there or "
            "choose another interpreter."
        )
    return EngineError(f"The engine met an unforeseen error ({cause}); see {details} and report it.")


def _imported(error: ImportError) -> str:
    """The package whose own code failed to be imported; nothing where that is the engine's."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    module = str(place.tb_frame.f_globals.get("__name__", "")) if place is not None else ""
    package = module.partition(".")[0]
    return "" if package in ("engine", "importlib", "__main__") else package
