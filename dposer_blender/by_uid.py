# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of Blender's data for as long as Blender runs, by ``session_uid``, which undo does not change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class ByUid(Generic[T]):
    """One value for each of the data that were last asked about.

    Args:
        most: how many are kept; the oldest go first.
    """

    def __init__(self, most: int = 100) -> None:
        self._most = most
        self._values: dict[int, T] = {}

    def keep(self, uid: int, value: T) -> None:
        """Keep a value in place of the one before."""
        self._values.pop(uid, None)
        self._values[uid] = value
        while len(self._values) > self._most:
            del self._values[next(iter(self._values))]

    def of(self, uid: int) -> T | None:
        """The value that was kept, if there is one."""
        return self._values.get(uid)

    def drop(self, uid: int) -> None:
        """Forget a value."""
        self._values.pop(uid, None)

    def clear(self) -> None:
        """Forget all of them."""
        self._values.clear()

    def items(self) -> Iterator[tuple[int, T]]:
        """All that is kept, oldest first."""
        return iter(list(self._values.items()))
