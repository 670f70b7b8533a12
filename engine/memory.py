# SPDX-License-Identifier: GPL-3.0-or-later
"""Where memory is too small: smaller batches first, then the processor instead of the graphics card, then a sentence.

A computation under `within_memory` asks `at_once` how large its batches may be, and `engine.device.pick_device` where
to run; where memory runs out it is begun anew with other answers, so it must not change what it was given.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from engine.errors import OutOfMemory
from engine.notes import note

P = ParamSpec("P")
T = TypeVar("T")

SHARES = (1.0, 0.25, 0.0625)
"""Of the usual size of a batch, what is tried, one after the other."""

ON_CPU = "Computed on the CPU, as the graphics card's memory was too small."
EXHAUSTED = "The engine ran out of memory: end other programs, or choose a shorter range or fewer variants."

_ON_THE_CARD = ("out of memory", "ALLOC_FAILED")
_ON_THE_PROCESSOR = ("can't allocate memory", "not enough memory", "bad allocation")
"""What PyTorch's errors say, which but for CUDA's have no class; its allocator for the CPU differs by system."""

_share: ContextVar[float] = ContextVar("share of a batch", default=1.0)
_confined: ContextVar[bool] = ContextVar("confined to the CPU", default=False)


def at_once(usual: int) -> int:
    """How many (windows, poses) to compute at once, where that is ``usual`` if memory allows."""
    return max(1, round(usual * _share.get()))


def is_confined_to_cpu() -> bool:
    """Whether the CPU stands in for the device that was chosen."""
    return _confined.get()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was too small, the processor's or a graphics card's."""
    return isinstance(error, MemoryError) or _is_of_a_card(error) or _says(error, _ON_THE_PROCESSOR)


def within_memory(compute: Callable[P, T]) -> Callable[P, T]:
    """``compute``, begun anew where memory is too small; it notes `ON_CPU` where that was of use.

    One inside another is the first to be begun anew, with what the other has come to as its first answers.

    Raises:
        OutOfMemory: nothing was of use. The log tells of every failure.
    """

    @wraps(compute)
    def careful(*args: P.args, **kwargs: P.kwargs) -> T:
        confined, most = _confined.get(), _share.get()
        while True:
            of_a_card = False
            for share in (share for share in SHARES if share <= most):
                try:
                    with _limited(share, confined):
                        result = compute(*args, **kwargs)
                except Exception as error:
                    if isinstance(error, OutOfMemory) or not is_out_of_memory(error):
                        raise
                    of_a_card = _is_of_a_card(error)
                    place = "the CPU" if confined else "its device"
                    print(f"{compute.__name__}, {share:g} of a batch on {place}: {error}", file=sys.stderr, flush=True)
                else:
                    if confined and not _confined.get():
                        note(ON_CPU)
                    return result
                _let_go()  # here, as the error holds on to what was allocated
            if confined or not of_a_card:
                raise OutOfMemory(EXHAUSTED)
            confined, most = True, SHARES[0]

    return careful


@contextmanager
def _limited(share: float, confined: bool) -> Iterator[None]:
    tokens = _share.set(share), _confined.set(confined)
    try:
        yield
    finally:
        _share.reset(tokens[0])
        _confined.reset(tokens[1])


def _is_of_a_card(error: BaseException) -> bool:
    # PyTorch's class is named, not imported, since it may not be loaded.
    return type(error).__name__ == "OutOfMemoryError" or _says(error, _ON_THE_CARD)


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)


def _let_go() -> None:
    """Give memory that nobody needs any more back to the card."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if torch is not None and torch.backends.mps.is_available():
        torch.mps.empty_cache()
