# SPDX-License-Identifier: GPL-3.0-or-later
"""Weight that goes from one foot to the other, in steps as people who stand for long take (Duarte, Zatsiorsky 1999)."""

from __future__ import annotations

import numpy as np

STATION_SECONDS = 4.0  # from one foot to the other, on average
STEP_SECONDS, STEP_PER_METRE = 1.0, 12.0  # a shift takes a second, and more the further it goes
MOST_STEPPING = 0.75  # share of the loop that shifts may take; the rest is held
UNEVEN = 0.25  # spread of places and times of stations


def shift(phase: np.ndarray, seconds: float, reach: float, rng: np.random.Generator) -> np.ndarray:
    """(T,) metres along the line from one foot to the other: from 0 to one side, to the other, and back to 0.

    Args:
        phase: (T,) of the loop, 0 at its first and last frame.
        seconds: length of the loop.
        reach: metres to either side, about.
        rng: of places and times.
    """
    stations = max(2, 2 * round(seconds / (2.0 * STATION_SECONDS)))
    side = np.where((np.arange(stations) + rng.integers(2)) % 2, 1.0, -1.0)
    places = reach * side * (1.0 + UNEVEN * rng.uniform(-1.0, 1.0, stations))
    places = np.concatenate([[0.0], places, [0.0]])
    way = np.abs(np.diff(places))
    step = STEP_SECONDS + STEP_PER_METRE * way
    # Short loops have no time for all of it: what would be too fast is less far.
    room = min(1.0, MOST_STEPPING * seconds / step.sum())
    step, places = room * step, room * places
    hold = rng.uniform(1.0 - 2.0 * UNEVEN, 1.0 + 2.0 * UNEVEN, stations + 1)
    hold[0] *= 0.5  # and half of it before the first: the loop begins within a station
    hold *= (seconds - step.sum()) / hold.sum()
    begin = 0.5 * hold[0] + np.concatenate([[0.0], np.cumsum(step[:-1] + hold[1:])])
    time = (phase * seconds)[:, None]
    return _step((time - begin) / step) @ np.diff(places)


def _step(share: np.ndarray) -> np.ndarray:
    """From 0 to 1 with least jerk (Flash, Hogan 1985)."""
    s = np.clip(share, 0.0, 1.0)
    return s**3 * (10.0 + s * (6.0 * s - 15.0))
