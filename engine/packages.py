# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages that only learned tools need: whether this interpreter has them, and the sentence where it has not."""

from __future__ import annotations

import sys
import threading
from importlib.util import find_spec

from engine.errors import PackageError

BESIDE_TORCH = ("roma", "safetensors")
"""What every learned tool needs beside PyTorch; small, and of no use without it."""

_lock = threading.Lock()
_tried = False
_failure: Exception | None = None


def torch_failure() -> Exception | None:
    """Load PyTorch; why it cannot be, or None. A failed import is not tried twice: the second one fails otherwise."""
    global _tried, _failure
    with _lock:
        if not _tried:
            try:
                import torch  # noqa: F401
            except Exception as error:  # a broken PyTorch raises anything
                _failure = error
            _tried = True
        return _failure


def is_missing(failure: Exception) -> bool:
    """Whether there is no PyTorch at all, rather than one that cannot be loaded."""
    return isinstance(failure, ModuleNotFoundError) and failure.name == "torch"


def in_a_line(error: BaseException) -> str:
    """An error's kind and the first thing it says."""
    said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def need_torch(asker: str = "This tool", otherwise: str = "") -> None:
    """See to it that learned tools can run; loads PyTorch.

    Args:
        asker: who needs it, as the sentence begins.
        otherwise: what to choose in its stead; empty where there is nothing.

    Raises:
        PackageError: PyTorch or what is used with it is missing or broken.
    """
    failure = torch_failure()
    where = f"the engine's Python ({sys.executable})"
    choices = f"{otherwise}, or " if otherwise else ""
    advice = f"choose {choices}a Python with PyTorch in DPoser's preferences."
    if failure is None:
        missing = " and ".join(name for name in BESIDE_TORCH if find_spec(name) is None)
        if missing:
            raise PackageError(f"{asker} needs {missing}, which {where} lacks: install it there, or {advice}")
    elif is_missing(failure):
        raise PackageError(f"{asker} needs PyTorch, which {where} lacks: {advice}")
    else:
        cause = in_a_line(failure)
        raise PackageError(
            f"{asker} needs PyTorch, which {where} cannot load ({cause}): reinstall it there, or {advice}"
        ) from failure
