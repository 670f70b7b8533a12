# SPDX-License-Identifier: GPL-3.0-or-later
"""A rig's rest pose, as BVH files and Blender armatures both define it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from engine.errors import MotionError
from engine.wording import few

MAX_BONES = 5_000
MAX_NAME = 1_000  # letters; a scene path of some programs is a bone's name


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
        MotionError: names repeat or are too long, there are too many bones, a parent follows its child, shapes
            disagree, or rest transforms are not finite or mirror.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    rest: np.ndarray
    tails: np.ndarray
    scale: float = 1.0
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        count = len(self.names)
        if count > MAX_BONES:
            raise MotionError(f"The skeleton has more than {MAX_BONES} bones, too many for a character.")
        if not all(isinstance(name, str) and len(name) <= MAX_NAME for name in self.names):
            raise MotionError(f"The skeleton's bones need names of at most {MAX_NAME} letters.")
        if len(set(self.names)) != count:
            repeated = sorted(name for name, times in Counter(self.names).items() if times > 1)
            raise MotionError(f"The skeleton names a bone twice: {few(repeated, 5)}.")
        if len(self.parents) != count or self.rest.shape != (count, 4, 4) or self.tails.shape != (count, 3):
            raise MotionError("The skeleton's names, parents and rest transforms differ in number.")
        if any(type(p) is not int or not -1 <= p < j for j, p in enumerate(self.parents)):
            raise MotionError("The skeleton lists a bone before its parent.")
        if not np.isfinite(self.rest).all() or (np.linalg.det(self.rest[:, :3, :3]) <= 0.0).any():
            raise MotionError("The skeleton's rest transforms are not finite, or no rotations.")
        object.__setattr__(self, "_index", {name: j for j, name in enumerate(self.names)})

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Position of a bone by name; raises KeyError if there is none."""
        return self._index[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._index
