# SPDX-License-Identifier: GPL-3.0-or-later
"""How steps of `build.py` talk: a line of progress, and one sentence where they cannot go on."""

from __future__ import annotations


class BuildError(Exception):
    """A step cannot go on; ``str(error)`` is the sentence shown."""


def say(text: str) -> None:
    """One line of progress, in order with the output of the programs started."""
    print(f"== {text}", flush=True)
