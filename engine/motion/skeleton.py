# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig's rest pose, as BVH files and Blender armatures both define it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from engine.errors import MotionError


@dataclass(frozen=True)
class Skeleton:
    """Bones, parents first, with their rest transforms.

    A bone's global transform follows Blender's rule, which BVH shares with identity rest rotations::

        global[j] = global[p] @ inv(rest[p]) @ rest[j] @ basis[j]      (basis = animated local transform)

    Attributes:
        names: J bone names, unique.
        parents: J parent indices, -1 for roots; a parent always precedes its children.
        rest: (J, 4, 4) float64, rest transforms in the rig's space (rig units).
        tails: (J, 3) float64, rest position of each bone's far end in the rig's space; NaN where unknown.
        scale: metres per rig unit, used for root translation.

    Raises:
        MotionError: names repeat, a parent follows its child, or shapes disagree.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    rest: np.ndarray
    tails: np.ndarray
    scale: float = 1.0
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        count = len(self.names)
        if len(set(self.names)) != count:
            repeated = sorted({n for n in self.names if self.names.count(n) > 1})
            raise MotionError(f"The skeleton names a bone twice: {', '.join(repeated[:5])}.")
        if len(self.parents) != count or self.rest.shape != (count, 4, 4) or self.tails.shape != (count, 3):
            raise MotionError("The skeleton's names, parents and rest transforms differ in number.")
        if any(not -1 <= p < j for j, p in enumerate(self.parents)):
            raise MotionError("The skeleton lists a bone before its parent.")
        object.__setattr__(self, "_index", {name: j for j, name in enumerate(self.names)})

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Position of a bone by name; raises KeyError if there is none."""
        return self._index[name]

    def __contains__(self, name: object) -> bool:
        return name in self._index
