# SPDX-License-Identifier: GPL-3.0-or-later
"""The length unit of a file that does not tell it, guessed from the size of people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.errors import MappingError
from engine.motion.rigs import find_map
from engine.motion.skeleton import Skeleton

LEG = 0.82  # metres from hip joint to ankle of an adult of 1.70 m

# Units that motion files are made in, most usual first: metre, centimetre, millimetre, inch, and the unit of CMU's
# ASF files, an inch divided by 0.45.
UNITS = (1.0, 0.01, 0.001, 0.0254, 0.0254 / 0.45)


def metres_per_unit(skeleton: Skeleton) -> float:
    """Metres per rig unit.

    With a known rig, the usual unit that makes its legs as long as a person's (0.7 to 1 m, else 0.4 to 1.3 m for
    children and cartoon figures), else whatever makes them those of an adult. With an unknown one, the usual unit in
    which its longest chain of bones measures 0.9 to 2.4 m (hip to fingertip, or floor to fingertip), else 1.
    """
    heads = skeleton.rest[:, :3, 3]
    try:
        bones = find_map(skeleton).bones
    except MappingError:
        return next((unit for unit in UNITS if 0.9 <= unit * _reach(skeleton) <= 2.4), 1.0)
    chain = heads[[skeleton.index(bones[joint]) for joint in ("left_hip", "left_knee", "left_ankle")]]
    leg = float(np.linalg.norm(np.diff(chain, axis=0), axis=1).sum())
    for low, high in ((0.7, 1.0), (0.4, 1.3)):
        for unit in UNITS:
            if low <= unit * leg <= high:
                return unit
    return LEG / leg if leg > 0 else 1.0


def in_human_size(skeleton: Skeleton) -> Skeleton:
    """The skeleton with its scale kept where that makes a figure of 0.3 to 8 m reach, and guessed otherwise.

    A rig imported at a centimetre to the unit claims to be a giant; a real giant is cleaned no worse as a person.
    """
    if 0.3 <= skeleton.scale * _reach(skeleton) <= 8.0:
        return skeleton
    return replace(skeleton, scale=metres_per_unit(skeleton))


def _reach(skeleton: Skeleton) -> float:
    """Length of the longest chain of bones from a root, in rig units."""
    heads = skeleton.rest[:, :3, 3]
    length = np.zeros(len(skeleton))
    for j, parent in enumerate(skeleton.parents):
        if parent >= 0:
            length[j] = length[parent] + np.linalg.norm(heads[j] - heads[parent])
    return float(length.max(initial=0.0))
