# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory there is, so that what cannot fit is told before it is tried."""

from __future__ import annotations

import os
import sys

from .errors import FileError


def total() -> int | None:
    """Bytes of memory that this process may take: the computer's, or less where a limit is set; None if unknown."""
    if sys.platform == "win32":
        return _windows_total()
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    try:
        physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):  # this system does not tell
        return None if limit == resource.RLIM_INFINITY else limit
    return physical if limit == resource.RLIM_INFINITY else min(physical, limit)


def check(name: str, needed: int) -> None:
    """Refuse a file that needs more memory than there is.

    Args:
        name: of the file.
        needed: bytes at most once it is read, everything counted.

    Raises:
        FileError: the computer has less.
    """
    present = total()
    if present is not None and needed > present:
        raise FileError(
            f"{name} needs {needed / 1e9:.1f} GB of memory and there are {present / 1e9:.1f} GB; cut it into "
            "shorter clips."
        )


def _windows_total() -> int | None:
    import ctypes

    class Status(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API."""

        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "free", "page", "page_free", "virtual")),
            *((name, ctypes.c_ulonglong) for name in ("virtual_free", "extended_free")),
        )

    status = Status(length=ctypes.sizeof(Status))
    known = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return int(status.total) if known else None
