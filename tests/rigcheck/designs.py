# SPDX-License-Identifier: GPL-3.0-or-later
"""Humanoid rigs that nobody has named: every number of bones, any axes, units, rolls and ways to inherit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.motion.joints import JOINTS
from engine.motion.skeleton import Skeleton
from rigcheck import figures
from rigcheck.conventions import Names
from rigcheck.figures import MODES, Placing
from rigcheck.people import BLENDER, SIDES, Person, person
from rigcheck.turns import about, from_rotvec

INHERITANCE = ("use_inherit_rotation", "use_local_location", "NONE", "ALIGNED", "FIX_SHEAR", "AVERAGE")
"""What a bone may do otherwise than new bones: a flag turned off, or a mode of inheriting scale."""

TURNS = np.round(
    [facing @ about("z", 90.0 * n) for facing in (*(about("x", 90.0 * k) for k in range(4)), about("y", 90.0),
                                                  about("y", -90.0)) for n in range(4)]
)  # fmt: skip
"""(24, 3, 3) the ways to lay a rig along its file's axes."""


@dataclass(frozen=True)
class Design:
    """What one random rig is like.

    Attributes:
        spine, neck, above, below, fingers: numbers of bones in the spine (1 or more) and neck, over the pelvis,
            between pelvis and thighs, and of fingers.
        toes, collars, wrists: whether the rig has them.
        twists: whether limbs carry twist bones beside the chain.
        split: whether limbs are made of two bones each, of which the second twists.
        arms: degrees by which the arms hang in the rest pose.
        turn: which of `TURNS` lies between Z up and the armature's axes.
        unit: metres per unit; the object's scale.
        mode: which rotation mode the first bone has.
        step: frames between keys.
        carrier: whether the topmost bone above moves through the scene, in place of the pelvis.
        still_collars: whether the collars stay at rest.
        inheritance: (place, one of `INHERITANCE`) of bones that inherit otherwise; places count around the bones that
            are mapped by `bone_map`, and those that carry none of them.
        scale: of the topmost bone.
        crooked: whether the joints' bones point anywhere, as in files of programs whose bones have no length; else
            they are only rolled at random.
        seed: of rolls, directions and motion.
    """

    spine: int = 3
    neck: int = 1
    above: int = 0
    below: int = 0
    fingers: int = 0
    toes: bool = True
    collars: bool = True
    wrists: bool = True
    twists: bool = False
    split: bool = False
    arms: float = 0.0
    turn: int = 0
    unit: float = 1.0
    mode: int = 0
    step: int = 1
    carrier: bool = False
    still_collars: bool = False
    inheritance: tuple[tuple[int, str], ...] = ()
    scale: float = 1.0
    crooked: bool = False
    seed: int = 0

    def person(self) -> Person:
        """The rig's bones under numbers for names, Z up, with what must be found in them."""
        halves = [1, 2] if self.split else [1]

        def limb(part: str) -> list[str]:
            return [f"{part}{half}{{L}}" for half in halves]

        names = Names(
            "pelvis", self._spine(), [f"neck{n}" for n in range(self.neck)], "head",
            [limb("thigh"), limb("shin"), ["ankle{L}"], ["ball{L}"] if self.toes else []],
            [["collar{L}"] if self.collars else [], limb("arm"), limb("forearm"), ["wrist{L}"] if self.wrists else []],
            above=[f"above{n}" for n in range(self.above)],
            below=[f"below{{L}}{n}" for n in range(self.below)],
            leaves=[(f"{part}twist{{L}}", f"{part}1{{L}}") for part in ("thigh", "arm", "forearm")] * self.twists,
            fingers=[f"finger{n}x1{{L}}" for n in range(self.fingers)] if self.wrists else [],
            face=["jaw", "eye"],
            arms=self.arms,
        )  # fmt: skip
        someone = person("design", names)
        numbers = {bone: f"b{n:03}" for n, bone in enumerate(someone.skeleton.names)}
        someone = replace(someone.renamed(numbers), name="structure")
        bending = [someone.skeleton.index(bone) for bone in _bending(someone)]
        return replace(someone, skeleton=self._turned(someone.skeleton, bending))

    def build(self, frames: int) -> tuple[Any, Person]:
        """The armature in Blender, walking, and the person it is."""
        someone = self.person()
        placing = Placing(TURNS[self.turn], self.unit)
        ob = figures.build("Design", someone.skeleton, placing)
        free = _free(someone)
        for n, kind in self.inheritance:
            bone = ob.data.bones[free[n % len(free)]]
            if kind.startswith("use_"):
                setattr(bone, kind, False)
            else:
                bone.inherit_scale = kind
        ob.pose.bones[0].scale = [self.scale] * 3
        still = [f"{side}_collar" for side in SIDES] if self.still_collars else []
        bending = _bending(someone)
        others = [bone for bone in someone.skeleton.names if bone not in bending]
        figures.walk(
            ob,
            someone.bones,
            placing.turn @ BLENDER,
            frames=frames,
            arms=self.arms,
            carrier=someone.skeleton.names[0] if self.carrier and self.above else None,
            modes=MODES[self.mode :] + MODES[: self.mode],
            step=self.step,
            still=[*still, *self._between(someone)],
            twisting=others,
            seed=self.seed,
        )
        return ob, someone

    def _spine(self) -> dict[str, list[str]]:
        bones = [f"spine{n}" for n in range(self.spine)]
        if self.spine < 3:
            return {f"spine{3 - self.spine + n + 1}": [bone] for n, bone in enumerate(bones)}
        groups = np.array_split(np.array(bones), 3)
        return {f"spine{n + 1}": group.tolist() for n, group in enumerate(groups)}

    def _between(self, someone: Person) -> list[str]:
        """Bones between pelvis and thighs, which no rig's animator touches."""
        skeleton, found = someone.skeleton, []
        for side in SIDES:
            bone = skeleton.parents[skeleton.index(someone.bones[f"{side}_hip"][0])]
            while skeleton.names[bone] != someone.bones["pelvis"][0]:
                found.append(skeleton.names[bone])
                bone = skeleton.parents[bone]
        return found

    def _turned(self, skeleton: Skeleton, owned: list[int]) -> Skeleton:
        """The skeleton with its bones turned at random about their heads; all but the joints' own stay along limbs."""
        rng = np.random.default_rng(self.seed)
        turns = about("y", rng.uniform(-180.0, 180.0, len(skeleton)))
        if self.crooked:
            turns[owned] = from_rotvec(rng.normal(size=(len(owned), 3)))
        rest = skeleton.rest.copy()
        rest[:, :3, :3] = rest[:, :3, :3] @ turns
        lengths = np.linalg.norm(skeleton.tails - rest[:, :3, 3], axis=1, keepdims=True)
        return replace(skeleton, rest=rest, tails=rest[:, :3, 3] + rest[:, :3, 1] * lengths)


def _bending(someone: Person) -> list[str]:
    """The bones that bend: all of a joint of the trunk, the first of a limb's."""
    return [bone for joint, bones in someone.bones.items() for bone in (bones[:1] if "_" in joint else bones)]


def _free(someone: Person) -> list[str]:
    """The bones that are mapped by hand, or that carry none that are."""
    skeleton, mapped = someone.skeleton, set(bone_map(someone).values())
    carrying = set()
    for name in mapped:
        bone = skeleton.parents[skeleton.index(name)]
        while bone >= 0:
            carrying.add(skeleton.names[bone])
            bone = skeleton.parents[bone]
    return [name for name in skeleton.names if name in mapped or name not in carrying]


def bone_map(someone: Person) -> dict[str, str]:
    """The mapping that a user makes by hand: each joint's first bone."""
    return {joint: bones[0] for joint, bones in someone.bones.items() if joint in JOINTS}
