# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawing that fails is told of once and then left out: Blender draws many times a second."""

from __future__ import annotations

import functools
from collections.abc import Callable

_failed: set[str] = set()


def quiet(draw: Callable[[], None]) -> Callable[[], None]:
    """The same, but that after a failure it does nothing until `forgive`."""
    name = f"{draw.__module__}.{draw.__qualname__}"

    @functools.wraps(draw)
    def drawn() -> None:
        if name in _failed:
            return
        try:
            draw()
        except Exception:
            import traceback  # here, as Blender's start has no use for it

            _failed.add(name)
            traceback.print_exc()

    return drawn


def forgive() -> None:
    """Let everything be tried again."""
    _failed.clear()
