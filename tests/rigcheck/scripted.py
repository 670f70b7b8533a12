# SPDX-License-Identifier: GPL-3.0-or-later
"""One animated rig per naming convention, in the axes, units and rest pose in which such rigs are met."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rigcheck import figures
from rigcheck.conventions import CONVENTIONS
from rigcheck.figures import CENTIMETRES, MODES, UPRIGHT, X_AHEAD_CENTIMETRES, Y_UP_CENTIMETRES, Placing
from rigcheck.people import BLENDER, SIDES, Person, person


@dataclass(frozen=True)
class Habit:
    """How the rigs of one convention come into Blender.

    Attributes:
        placing: axes and unit.
        carrier: the bone that moves through the scene; the pelvis where None.
        step: frames from key to key.
        still: joints or bones without keys.
    """

    placing: Placing = UPRIGHT
    carrier: str | None = None
    step: int = 1
    still: tuple[str, ...] = ()


HABITS = {
    "smpl_old": Habit(still=("left_collar", "right_collar")),
    "mixamo": Habit(Y_UP_CENTIMETRES),
    "cmu_bvh": Habit(CENTIMETRES, still=("LHipJoint", "RHipJoint")),
    "daz": Habit(CENTIMETRES, still=("lButtock", "rButtock")),
    "daz_genesis8": Habit(Y_UP_CENTIMETRES, step=4),
    "daz_genesis9": Habit(Y_UP_CENTIMETRES),
    "reallusion": Habit(CENTIMETRES),
    "unreal4": Habit(CENTIMETRES, carrier="root"),
    "unreal5": Habit(CENTIMETRES, carrier="root", step=3),
    "rokoko": Habit(Y_UP_CENTIMETRES),
    "xsens": Habit(CENTIMETRES, still=("left_collar", "right_collar")),
    "biped": Habit(X_AHEAD_CENTIMETRES, carrier="Bip001"),
    "humanik": Habit(Y_UP_CENTIMETRES, carrier="Character1_Reference"),
    "plask": Habit(Y_UP_CENTIMETRES, step=2),
    "makehuman": Habit(Placing(np.eye(3), 0.1)),
}


def in_blender(name: str) -> Person:
    """The convention's person with bones along their limbs, rolled at random, Z up."""
    return person(name, replace(CONVENTIONS[name], axes="blender"))


def add(name: str, frames: int = 24) -> Any:
    """The convention's rig, walking; rotation modes are mixed."""
    someone, habit = in_blender(name), HABITS.get(name, Habit())
    ob = figures.build(name, someone.skeleton, habit.placing)
    start = sorted(CONVENTIONS).index(name) % len(MODES)
    helpers = [bone for bone in CONVENTIONS[name].below if bone in ob.pose.bones]
    parts = [part for group in (*CONVENTIONS[name].arm, *CONVENTIONS[name].leg) for part in group[1:]]
    figures.walk(
        ob,
        someone.bones,
        habit.placing.turn @ BLENDER,
        frames=frames,
        arms=CONVENTIONS[name].arms,
        carrier=habit.carrier,
        modes=MODES[start:] + MODES[:start],
        step=habit.step,
        still=(*habit.still, *helpers),
        twisting=[part.format(**words) for part in parts for words in SIDES.values()],
        seed=start,
    )
    return ob
