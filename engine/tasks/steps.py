# SPDX-License-Identifier: GPL-3.0-or-later
"""How long computations report and are cancelled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

OnStep = Callable[[int, int, str], None]
"""Called between solver steps with (done, total, stage in words); may raise `Cancelled`."""


def within(on_step: OnStep | None, share: float) -> OnStep | None:
    """Someone told of a computation that is the first ``share``, 0 to 1, of the whole."""
    if on_step is None:
        return None
    return lambda done, total, stage: on_step(int(share * done), total, stage)


def beyond(on_step: OnStep | None, share: float) -> OnStep | None:
    """Someone told of a computation that is what follows the first ``share``, 0 to 1, of the whole."""
    if on_step is None:
        return None
    return lambda done, total, stage: on_step(int(share * total + (1.0 - share) * done), total, stage)


@dataclass(frozen=True)
class Stage:
    """One stage of a computation as a part of its whole, so that progress never goes back.

    Attributes:
        on_step: who is told, or None.
        total: the whole, in frames.
        first, last: shares of the whole, 0 to 1, at which the stage begins and ends.
        name: in words.
    """

    on_step: OnStep | None
    total: int
    first: float
    last: float
    name: str

    def __call__(self, share: float) -> None:
        """Tell that a share of this stage, 0 to 1, is done."""
        if self.on_step:
            done = self.first + (self.last - self.first) * min(share, 1.0)
            self.on_step(int(done * self.total), self.total, self.name)
