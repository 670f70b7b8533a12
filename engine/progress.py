# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a command has come: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import shutil
import time
from typing import TextIO

LINE_INTERVAL = 5.0  # seconds between the lines of a log
BAR_INTERVAL = 0.1
_BAR_WIDTH = 24


class Progress:
    """Progress of one clip, with its frames per second and the time left.

    Args:
        label: what is worked on.
        frames: how many frames it has.
        stream: where to write; a bar if it is a terminal.
    """

    def __init__(self, label: str, frames: int, stream: TextIO) -> None:
        self._label, self._frames, self._stream = label, frames, stream
        self._bar = stream.isatty()
        self._begin = time.monotonic()
        self._written = self._begin if not self._bar else -BAR_INTERVAL
        self._drawn = 0

    def step(self, done: int, total: int, stage: str) -> None:
        """Take note that ``done`` of ``total`` steps are done and that the task is in ``stage``."""
        now = time.monotonic()
        if total <= 0 or now - self._written < (BAR_INTERVAL if self._bar else LINE_INTERVAL):
            return
        self._written = now
        share = min(max(done / total, 0.0), 1.0)
        text = f"{share:4.0%}  {stage}"
        if share > 0:
            elapsed = max(now - self._begin, 1e-3)
            left = round(elapsed * (1 - share) / share)
            text += f"  {self._frames * share / elapsed:.0f} frames/s  {left // 60}:{left % 60:02d} left"
        if self._bar:
            filled = round(share * _BAR_WIDTH)
            self._draw(f"{self._label} [{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {text}")
        else:
            print(f"{self._label}: {text.strip()}", file=self._stream, flush=True)

    def close(self) -> None:
        """Take the bar off the terminal."""
        if self._drawn:
            self._draw("")
            self._stream.write("\r")
            self._stream.flush()

    def _draw(self, text: str) -> None:
        text = text[: shutil.get_terminal_size().columns - 1]
        self._stream.write("\r" + text.ljust(self._drawn))
        self._stream.flush()
        self._drawn = len(text)
