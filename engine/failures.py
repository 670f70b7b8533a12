# SPDX-License-Identifier: GPL-3.0-or-later
"""From any exception to the one sentence a user reads; what nobody foresaw leaves its traceback on stderr."""

from __future__ import annotations

import sys
import traceback

from engine.errors import EngineError


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
    traceback.print_exception(error)
    if _is_out_of_memory(error):
        return EngineError(
            "The engine ran out of memory; clean a shorter range, or choose the CPU as device."
        )
    cause = f"{type(error).__name__}: {error}".splitlines()[0]
    return EngineError(f"The engine met an unforeseen error ({cause}); see {details} and report it.")


def _is_out_of_memory(error: BaseException) -> bool:
    # PyTorch's class is named, not imported, since it may not be loaded; its CPU allocator has no class.
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "can't allocate memory" in str(error))
    )
