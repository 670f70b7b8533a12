# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast work goes, and how long what is left of it will take."""

from __future__ import annotations

from collections import deque

_WINDOW = 15.0  # seconds looked back: long enough to be steady, short enough to notice a change
_SURE = 1.0  # seconds of progress, and
_SURE_SHARE = 0.03  # share of the work, from which on anything can be told


class Pace:
    """Follows the share of a stage of work that is done; another stage, or a step back, begins anew."""

    def __init__(self) -> None:
        self._stage = ""
        self._seen: deque[tuple[float, float]] = deque()
        self._begun = 0.0

    def note(self, stage: str, fraction: float, now: float) -> None:
        """Take in how far the work is.

        Args:
            stage: what is being done.
            fraction: how much of it is done, 0 to 1.
            now: seconds on a clock that never goes back.
        """
        if stage != self._stage or (self._seen and fraction < self._seen[-1][1]):
            self._seen.clear()
        if not self._seen:
            self._begun = fraction
        self._stage = stage
        if not self._seen or fraction > self._seen[-1][1]:
            self._seen.append((now, fraction))
        while len(self._seen) > 2 and now - self._seen[1][0] > _WINDOW:
            self._seen.popleft()

    def wait(self, seconds: float) -> None:
        """Take out time in which nothing could be done."""
        self._seen = deque((then + seconds, fraction) for then, fraction in self._seen)

    @property
    def rate(self) -> float:
        """Share of the stage done per second, lately; 0 while that cannot be told."""
        if not self._seen:
            return 0.0
        (begin, first), (end, last) = self._seen[0], self._seen[-1]
        if end - begin < _SURE or last - self._begun < _SURE_SHARE:
            return 0.0
        return (last - first) / (end - begin)

    def left(self, now: float) -> float:
        """Seconds until the stage is done at this rate; 0 while that cannot be told."""
        rate = self.rate
        if not rate:
            return 0.0
        then, fraction = self._seen[-1]
        return max(0.0, (1.0 - fraction) / rate - (now - then))
