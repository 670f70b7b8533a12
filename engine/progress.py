# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a command has come: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import contextlib
import shutil
import time
from typing import TextIO

LINE_INTERVAL = 5.0  # seconds between the lines of a log
BAR_INTERVAL = 0.1
_BAR_WIDTH = 24


def write(stream: TextIO, text: str) -> None:
    """Write where that can be done: a clip is no worse for a log on a full disk."""
    with contextlib.suppress(OSError):
        stream.write(text)
        stream.flush()


class Bar:
    """The last line of a terminal, drawn over itself; `Bar.shown` is whether there is a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self.shown = stream.isatty()
        self._stream = stream
        self._drawn = 0

    def draw(self, label: str, share: float, text: str) -> None:
        """A bar filled by a share, 0 to 1, between two texts."""
        filled = round(share * _BAR_WIDTH)
        self._write(f"{label} [{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {text}")

    def clear(self) -> None:
        """Take the bar off the terminal."""
        if self._drawn:
            self._write("")
            write(self._stream, "\r")

    def _write(self, text: str) -> None:
        text = text[: shutil.get_terminal_size().columns - 1]
        write(self._stream, "\r" + text.ljust(self._drawn))
        self._drawn = len(text)


def time_left(elapsed: float, share: float) -> str:
    """Minutes and seconds that remain of a work of which a share, above 0, took so many seconds, in words."""
    left = round(elapsed * (1 - share) / share)
    return f"{left // 60}:{left % 60:02d} left"


class Progress:
    """Progress of one clip, with its frames per second and the time left.

    Args:
        label: what is worked on.
        frames: how many frames it has.
        stream: where to write; a bar if it is a terminal.
    """

    def __init__(self, label: str, frames: int, stream: TextIO) -> None:
        self._label, self._frames, self._stream = label, frames, stream
        self._bar = Bar(stream)
        self._begin = time.monotonic()
        self._written = self._begin if not self._bar.shown else -BAR_INTERVAL

    def step(self, done: int, total: int, stage: str) -> None:
        """Take note that ``done`` of ``total`` steps are done and that the task is in ``stage``."""
        now = time.monotonic()
        if total <= 0 or now - self._written < (BAR_INTERVAL if self._bar.shown else LINE_INTERVAL):
            return
        self._written = now
        share = min(max(done / total, 0.0), 1.0)
        text = f"{share:4.0%}  {stage}"
        if share > 0:
            elapsed = max(now - self._begin, 1e-3)
            text += f"  {self._frames * share / elapsed:.0f} frames/s  {time_left(elapsed, share)}"
        if self._bar.shown:
            self._bar.draw(self._label, share, text)
        else:
            write(self._stream, f"{self._label}: {text.strip()}\n")

    def close(self) -> None:
        """Take the bar off the terminal."""
        self._bar.clear()
