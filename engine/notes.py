# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences that belong to a result: what the user should know of how it came about."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_heard: ContextVar[list[str] | None] = ContextVar("notes", default=None)


def note(sentence: str) -> None:
    """Tell it to whoever listens, once; on stderr where nobody does."""
    heard = _heard.get()
    if heard is None:
        print(sentence, file=sys.stderr, flush=True)
    elif sentence not in heard:
        heard.append(sentence)


@contextmanager
def listening() -> Iterator[list[str]]:
    """Hear the notes of what is computed meanwhile, in this thread; who listened before hears them afterwards.

    Yields:
        The notes, which become more.
    """
    heard: list[str] = []
    before = _heard.get()
    token = _heard.set(heard)
    try:
        yield heard
    finally:
        _heard.reset(token)
        if before is not None:
            for sentence in heard:
                note(sentence)
