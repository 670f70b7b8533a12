# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a run over takes has come: a line for each take as it ends, and on a terminal a bar below them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TextIO

from engine.progress import BAR_INTERVAL, Bar, time_left, write
from engine.takes.walk import Take
from engine.wording import printable


class TakesProgress:
    """Progress of a run, measured by the sizes of the takes' files.

    Args:
        stream: where to write.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._bar = stream, Bar(stream)
        self._sizes: dict[Take, int] = {}
        self._shares: dict[Take, float] = {}
        self._count = self._ended = 0
        self._begin = time.monotonic()
        self._drawn = 0.0
        self._told_waiting = False

    def begin(self, todo: Iterable[Take], count: int) -> None:
        """The takes to do, of so many in all; the clock starts."""
        for take in todo:
            self._sizes[take] = 1
            with suppress(OSError):  # gone in the meantime: whoever reads it will say so
                self._sizes[take] += take.source.stat().st_size
        self._count, self._ended = count, count - len(self._sizes)
        self._begin = time.monotonic()
        if self._ended:
            self._print(f"{self._ended} of {count} takes are done already")
        self._draw()

    def step(self, take: Take, share: float) -> None:
        """A take has come so far, 0 to 1."""
        self._shares[take] = share
        self._draw()

    def ended(self, take: Take, state: str, entry: dict[str, Any]) -> None:
        """A take is over."""
        self._shares[take] = 1.0
        self._ended += 1
        said = printable(entry["error"]) if "error" in entry else described(entry)
        left = f"; {self._left()}" if self._ended < self._count and not self._bar.shown else ""
        note = "" if state in ("cleaned", "failed") else f" ({state})"
        self._print(f"{self._ended}/{self._count} {take.shown}: {said}{note}{left}")
        self._drawn = 0.0
        self._draw()

    def lost(self, take: Take, why: str) -> None:
        """A take's process is gone, and it is tried once more."""
        self._shares[take] = 0.0
        self._print(f"{take.shown}: its process {why}; the take is tried again")

    def waiting(self, count: int) -> None:
        """Nothing is left but so many takes that other runs have in work."""
        if not self._told_waiting:
            self._told_waiting = True
            self._print(f"Waiting for other runs, which have {count} of these takes in work")

    def close(self) -> None:
        """Take the bar off the terminal."""
        self._bar.clear()

    def _share(self) -> float:
        done = sum(self._sizes.get(take, 0) * share for take, share in self._shares.items())
        return done / max(sum(self._sizes.values()), 1)

    def _left(self) -> str:
        share = self._share()
        return time_left(time.monotonic() - self._begin, share) if share > 0 else "time left unknown"

    def _draw(self) -> None:
        now = time.monotonic()
        if self._bar.shown and now - self._drawn >= BAR_INTERVAL:
            self._drawn = now
            self._bar.draw(f"{self._ended}/{self._count} takes", self._share(), f"{self._share():4.0%}  {self._left()}")

    def _print(self, text: str) -> None:
        self._bar.clear()
        write(self._stream, f"{text}\n")


def described(entry: dict[str, Any]) -> str:
    """A cleaned clip's entry of the report in words."""
    frames, seconds, report = entry["frames"], max(entry["seconds"], 1e-3), entry["report"]
    said = f"{frames} frames in {seconds:.1f} s ({frames / seconds:.0f} frames/s)"
    if rejected := report.get("rejected"):
        said += f"; {100 * rejected:.1f}% of the samples were no measurements and are filled in"
    if mixed_up := report.get("mixed_up"):
        said += f"; bent backwards or taken for each other, now sorted out: {', '.join(mixed_up)}"
    return said
