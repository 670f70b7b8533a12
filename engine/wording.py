# SPDX-License-Identifier: GPL-3.0-or-later
"""Names from files and rigs in sentences: a few of them, each short and on one line, whatever they hold."""

from __future__ import annotations

from collections.abc import Iterable

MOST_LETTERS = 64


def few(names: Iterable[str], most: int = 3) -> str:
    """The first of some names, fit for a sentence, and how many more there are."""
    names = list(names)
    shown = ", ".join(fit(name) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def fit(name: str) -> str:
    """A name, cut where it is long, with marks in place of what cannot be printed."""
    plain = printable(name[:MOST_LETTERS])
    return plain if len(name) <= MOST_LETTERS else f"{plain[: MOST_LETTERS - 4]}..."


def printable(text: str) -> str:
    """A text on one line with marks in place of what cannot be printed, which could write elsewhere on a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
