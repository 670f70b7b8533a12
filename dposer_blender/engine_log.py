# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's standard error, kept in a file of bounded size: a full disk or a flood of warnings harms nobody."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import IO

MAX_LOG = 1 << 20  # bytes; a log that would be longer is begun anew with its last lines
_TAIL = 1 << 14  # bytes of the end that are remembered
_CHUNK = 1 << 16
_LINE = 300  # characters of a line that fit into a sentence; the engine's own sentences do
_LEFT_OUT = b"... earlier lines were left out ...\n"
_LOGS = 5  # files that are kept, of as many Blenders


class EngineLog:
    """Follows what one engine process says, in a thread of its own, until that says no more.

    The engine writes to a pipe and never waits for a disk; what cannot be written to the file is only remembered.

    Args:
        path: the file, which is added to.
        stream: the process's standard error.
    """

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self._path, self._stream, self._tail = path, stream, b""
        self._thread = threading.Thread(target=self._follow, name="dposer log", daemon=True)
        self._thread.start()

    def last_line(self, wait: float = 0.0) -> str:
        """The last line so far, or nothing; of a process that has ended, after so many seconds at most."""
        self._thread.join(wait)
        lines = self._tail.decode("utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return last if len(last) <= _LINE else f"{last[:_LINE]}..."

    def _follow(self) -> None:
        with self._stream:
            while chunk := self._stream.read1(_CHUNK):  # type: ignore[attr-defined]
                self._tail = (self._tail + chunk)[-_TAIL:]
                with contextlib.suppress(OSError):
                    self._keep(chunk)

    def _keep(self, chunk: bytes) -> None:
        with self._path.open("ab", buffering=0) as log:
            if log.seek(0, os.SEEK_END) + len(chunk) > MAX_LOG:
                log.truncate(0)
                chunk = _LEFT_OUT + self._tail
            log.write(chunk)


def path(folder: Path) -> Path:
    """The log of this Blender in a folder that several may share, from which the oldest logs go."""
    own = folder / f"engine-{os.getpid()}.log"
    with contextlib.suppress(OSError):
        others = sorted((log for log in folder.glob("engine*.log") if log != own), key=_age)
        for log in others[: max(0, len(others) + 1 - _LOGS)]:
            with contextlib.suppress(OSError):  # Windows keeps one that is still written
                log.unlink()
    return own


def _age(log: Path) -> float:
    return log.stat().st_mtime
