# SPDX-License-Identifier: GPL-3.0-or-later
"""One run over the takes of a folder: what is done already stays, what is not is handed out, all is remembered."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import EngineError, FileError
from engine.motion.files import put, remove_leftovers
from engine.takes.claims import Claims
from engine.takes.pool import Ended, Lost, Pool, Step
from engine.takes.progress import TakesProgress
from engine.takes.record import Record, Records, State
from engine.takes.walk import Take, check_cases
from engine.takes.work import Made, failure

POLL_SECONDS = 0.5
ATTEMPTS = 2  # at a take whose process dies
MOST_LOSSES = 10  # of one take, by whosever fault


@dataclass(frozen=True)
class Outcome:
    """What came of a take.

    Attributes:
        take: which.
        state: "cleaned", "failed", or a `State`'s words.
        entry: for the report: frames, seconds and the task's report, or error and kind; empty where nothing is known.
    """

    take: Take
    state: str
    entry: dict[str, Any] = field(default_factory=dict)

    @property
    def well(self) -> bool:
        """Whether there is a result."""
        return self.state in (CLEANED, State.DONE.value, State.KEPT.value)


CLEANED, FAILED = "cleaned", "failed"


@dataclass
class Run:
    """A run; `go` does it, and `outcomes` tells at any time what has come of the takes.

    Args:
        takes: in the order of the report.
        folder: the output folder.
        made_by: `maker` of what is done.
        progress: who is told.
        again: do what is done already once more.
        time_limit: seconds that a take may need; None for no limit.
    """

    takes: Sequence[Take]
    folder: Path
    made_by: str
    progress: TakesProgress
    again: bool = False
    time_limit: float | None = None
    _found: dict[Take, Outcome] = field(default_factory=dict)
    _losses: dict[Take, list[bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._records = Records(self.folder)
        self._todo: deque[Take] = deque()
        self._elsewhere: deque[Take] = deque()

    def outcomes(self) -> list[Outcome]:
        """One for each take, in their order."""
        return [self._found.get(take, Outcome(take, State.TODO.value)) for take in self.takes]

    def go(self, pool: Callable[[], Pool]) -> None:
        """Clean the takes.

        Args:
            pool: starts those who clean; not asked where there is nothing to do.

        Raises:
            FileError: nothing can be written, or two takes would be one file.
            EngineError: no take can be cleaned here.
        """
        with Claims(self.folder) as claims:
            check_cases(self.takes, self.folder / ".dposer")
            self._todo.extend(take for take in self.takes if not self._is_done(take))
            self.progress.begin(self._todo, len(self.takes))
            if self._todo:
                hands = pool()
                try:
                    self._lead(hands, claims)
                finally:
                    left = [take for take, _ in hands.running()]
                    hands.close()
                    for take in left:
                        remove_leftovers(take.target)

    def _lead(self, pool: Pool, claims: Claims) -> None:
        while self._todo or self._elsewhere or pool.running():
            while self._todo and pool.free():
                self._hand_out(self._todo.popleft(), pool, claims)
            if not pool.running() and not self._todo and self._elsewhere:
                self.progress.waiting(len(self._elsewhere))
                time.sleep(POLL_SECONDS)
            self._attend(pool, claims)
            if not self._todo:  # Those whom others had, they have done by now, or died over.
                self._todo, self._elsewhere = self._elsewhere, self._todo

    def _hand_out(self, take: Take, pool: Pool, claims: Claims) -> None:
        if not claims.claim(take):
            self._elsewhere.append(take)
        elif self._is_done(take):  # by another run, since we looked
            claims.release(take)
            self.progress.ended(take, self._found[take].state, self._found[take].entry)
        else:
            pool.start(take)

    def _attend(self, pool: Pool, claims: Claims) -> None:
        """Take note of what has happened."""
        for event in pool.wait(POLL_SECONDS if pool.running() else 0.0):
            if isinstance(event, Step):
                self.progress.step(event.take, event.share)
            elif isinstance(event, Ended):
                self._end(event.take, event.made, claims)
            else:
                self._lose(event, claims)
        for take, seconds in pool.running() if self.time_limit is not None else ():
            if self.time_limit is not None and seconds > self.time_limit:
                pool.stop(take)
                slow = EngineError(
                    f"It was given up after {self.time_limit:g} s; allow more by --time-limit, or clean it by itself."
                )
                self._end(take, Made(failure(slow), None, None, False), claims)

    def _is_done(self, take: Take) -> bool:
        """Whether nothing is to be done; then that is the take's outcome."""
        if self.again and take not in self._found:
            return False
        state, record = self._records.state(take, self.made_by)
        if state is State.TODO or record is None:
            return False
        self._found[take] = Outcome(take, state.value, record.entry)
        return True

    def _lose(self, event: Lost, claims: Claims) -> None:
        losses = self._losses.setdefault(event.take, [])
        losses.append(event.its_fault)
        remove_leftovers(event.take.target)
        if losses.count(True) < ATTEMPTS and len(losses) < MOST_LOSSES:
            self.progress.lost(event.take, event.why)
            claims.release(event.take)
            self._todo.append(event.take)
            return
        lost = EngineError(
            f"Its process {event.why}, each time of {len(losses)}, perhaps for want of memory; use fewer --workers, "
            "or clean it by itself."
        )
        self._end(event.take, Made(failure(lost), None, None, False), claims)

    def _end(self, take: Take, made: Made, claims: Claims) -> None:
        state = FAILED if "error" in made.entry else CLEANED
        self._found[take] = Outcome(take, state, made.entry)
        self.progress.ended(take, state, made.entry)
        if made.hopeless:
            raise EngineError(f"The run stops at {take.shown}, since the other takes would fare no better.")
        if state == CLEANED:
            record = Record(take.label, self.made_by, made.entry, made.input, made.output)
        else:  # An earlier result stays, and stays known.
            earlier = self._records.read(take)
            record = Record(take.label, "", made.entry, made.input, earlier.output if earlier else None)
        self._records.write(take, record)
        if made.aside is not None:
            try:
                put(made.aside, take.target)
            except FileError as error:  # the record tells of a result that is not there, and so of a take to do
                self._found[take] = Outcome(take, FAILED, failure(error))
        remove_leftovers(take.target)
        claims.release(take)


def remembered(takes: Sequence[Take], folder: Path, made_by: str) -> list[Outcome]:
    """What runs before this one have made of takes, by this or other machines."""
    records = Records(folder)
    outcomes = []
    for take in takes:
        state, record = records.state(take, made_by)
        entry = {} if record is None else record.entry
        if state is State.TODO:
            outcomes.append(Outcome(take, FAILED, entry) if "error" in entry else Outcome(take, state.value))
        else:
            outcomes.append(Outcome(take, state.value, entry))
    return outcomes
