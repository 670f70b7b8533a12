# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Python process does outside itself, for one that is started with this folder on its PYTHONPATH.

Python imports a module of this name before the program. Each line of the file that ``DPOSER_AUDIT`` names is what was
done and to which path: network for any use of a socket, with the files of the code that led to it, write for files that
are opened to be written, and so on.
"""

from __future__ import annotations

import os
import sys

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NETWORK = ("socket.", "http.", "urllib.", "ftplib.", "smtplib.", "poplib.", "imaplib.", "telnetlib.")
_CHANGING = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}


def _start(place: str) -> None:
    log = os.open(place, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(kind: str, *paths: object) -> None:
        for path in paths:
            if isinstance(path, str | bytes | os.PathLike):
                os.write(log, f"{kind}\t{os.path.abspath(os.fsdecode(path))}\n".encode())  # noqa: PTH100

    def callers() -> dict[str, None]:
        """The files whose code is in progress, the innermost first."""
        frame, files = sys._getframe(2), {}
        while frame is not None:
            files[frame.f_code.co_filename] = None
            frame = frame.f_back
        return files

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith(_NETWORK):
            os.write(log, f"network\t{event} {' < '.join(callers())}\n".encode())
        elif event == "open":
            path, mode, flags = arguments
            by_mode = isinstance(mode, str) and set(mode) & set("wax+")
            if by_mode or (isinstance(flags, int) and flags & _WRITING):
                note("write", path)
        elif event == "os.mkdir" and os.path.isdir(str(arguments[0])):  # noqa: PTH112 - nothing is made
            return
        elif event in _CHANGING:
            note(event, *arguments[: 2 if event in ("os.rename", "os.link", "os.symlink") else 1])

    sys.addaudithook(hook)


if "DPOSER_AUDIT" in os.environ:
    _start(os.environ["DPOSER_AUDIT"])
