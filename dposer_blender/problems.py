# SPDX-License-Identifier: GPL-3.0-or-later
"""The last sentences that told of a failure, for the diagnostics; gone when Blender quits."""

from __future__ import annotations

import time
from collections import deque

_KEPT = 10

_sentences: deque[str] = deque(maxlen=_KEPT)


def note(sentence: str) -> None:
    """Keep a sentence, with the time of day."""
    _sentences.append(f"{time.strftime('%H:%M:%S')} {sentence}")


def recent() -> tuple[str, ...]:
    """The last ones, the oldest first."""
    return tuple(_sentences)
