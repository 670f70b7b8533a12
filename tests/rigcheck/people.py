# SPDX-License-Identifier: GPL-3.0-or-later
"""People to find: one skeleton per naming convention, made from the published names and the measures of an adult.

Needs NumPy alone, so that engine and Blender measure the same people.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.motion.joints import JOINTS
from engine.motion.skeleton import Skeleton
from engine.motion.tpose import LIMBS
from rigcheck.conventions import CONVENTIONS, Names
from rigcheck.turns import about

SIDES = {
    "left": {"L": "L", "l": "l", "Left": "Left", "left": "left"},
    "right": {"L": "R", "l": "r", "Left": "Right", "left": "right"},
}
LEG = ("hip", "knee", "ankle", "foot")
ARM = ("collar", "shoulder", "elbow", "wrist")
BLENDER = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # Y up, Z ahead -> Z up, -Y ahead


@dataclass(frozen=True)
class Person:
    """A skeleton and what must be found in it.

    Attributes:
        name: of the convention's table.
        skeleton: the rig.
        bones: body joint -> the bones that an edit turns.
        by_structure: whether the tree alone tells the limbs; not so in a control rig, which holds each limb many times.
    """

    name: str
    skeleton: Skeleton
    bones: dict[str, tuple[str, ...]]
    by_structure: bool = True

    def renamed(self, names: Mapping[str, str]) -> Person:
        """The same person with other bone names."""
        skeleton = dataclasses.replace(self.skeleton, names=tuple(names[name] for name in self.skeleton.names))
        bones = {joint: tuple(names[bone] for bone in bones) for joint, bones in self.bones.items()}
        return dataclasses.replace(self, skeleton=skeleton, bones=bones)


def person(name: str, names: Names) -> Person:
    """Build a convention's skeleton: 1.75 m, facing +Z, then in the axes that the convention is met in."""
    bones: dict[str, tuple[str | None, np.ndarray]] = {}
    ends: dict[str, np.ndarray] = {}

    def add(bone: str, parent: str | None, *at: float) -> str:
        bones[bone] = parent, np.array(at)
        return bone

    parent: str | None = None
    for bone in names.above:
        parent = add(bone, parent, 0.0, 0.0, 0.0)
    root = parent
    pelvis = add(names.pelvis, parent, 0.0, 0.95, 0.0)
    parent = pelvis
    spine = [bone for group in names.spine.values() for bone in group]
    for n, bone in enumerate(spine):
        parent = add(bone, parent, 0.0, 1.02 + 0.36 * n / len(spine), -0.02 + 0.01 * (n % 2))
    chest = parent
    for n, bone in enumerate(names.neck):
        parent = add(bone, parent, 0.0, 1.49 + 0.1 * n / len(names.neck), -0.02 + 0.02 * n)
    head = add(names.head, parent, 0.0, 1.6, 0.01)
    if names.top:
        add(names.top, head, 0.0, 1.8, 0.01)
    for n, bone in enumerate(names.face):
        add(bone, head, 0.03 * (n % 3 - 1), 1.65, 0.08)
    hang = about("z", -names.arms)
    for side, words in SIDES.items():
        mirror = np.array([1.0 if side == "left" else -1.0, 1.0, 1.0])
        shoulder = np.array([0.18, 1.43, -0.02])
        arm = [np.array([0.04, 1.42, 0.0]), shoulder, shoulder + hang @ [0.28, 0, -0.005],
               shoulder + hang @ [0.535, 0, 0.0]]  # fmt: skip
        leg = [np.array([0.1, 0.9, 0.0]), np.array([0.11, 0.49, 0.01]), np.array([0.11, 0.08, -0.02]),
               np.array([0.12, 0.02, 0.11])]  # fmt: skip
        for start, parts, points, end in (
            (pelvis, names.leg, leg, leg[-1] + [0, 0, 0.06]),
            (chest, names.arm, arm, arm[-1] + hang @ [0.1, 0, 0]),
        ):
            parent = start
            if start is pelvis:
                for n, bone in enumerate(names.below):
                    bone = bone.format(**words)
                    if bone not in bones:
                        aside = 0.0 if bone == names.below[n] else 0.02
                        add(bone, parent, *(mirror * [aside, 0.94, 0.0]))
                    parent = bone
            for group, begin, stop in zip(parts, points, [*points[1:], end], strict=True):
                for n, part in enumerate(group):
                    place = begin + (stop - begin) * n / len(group)
                    parent = add(part.format(**words), parent, *(mirror * place))
                    ends[parent] = mirror * (begin + (stop - begin) * (n + 1) / len(group))
        for leaf, above in names.leaves:
            leaf, above = leaf.format(**words), above.format(**words)
            if "toe" in leaf.lower() and "foot" in above.lower():
                offset = np.array([0.02 * (int(leaf[3]) - 3), -0.06, 0.12])
            elif any(word in above.lower() for word in ("toe", "foot")):
                offset = np.array([0.0, -0.03, 0.05])
            elif above.lower().endswith(("hand", "wrist")):
                offset = hang @ [0.08, 0.0, 0.02]
            else:
                following = next((point for owner, point in bones.values() if owner == above), bones[above][1])
                offset = mirror * (following - bones[above][1]) / 2 + [0.01, 0.0, 0.03]
            add(leaf, above, *(bones[above][1] + mirror * offset))
        for n, finger in enumerate(names.fingers):
            parent = next(group for group in reversed(names.arm) if group)[-1].format(**words)
            for k in range(3):
                bone = finger.format(**words)
                bone = bone[::-1].replace("1", str(k + 1), 1)[::-1]
                place = arm[-1] + hang @ [0.06 + 0.03 * n % 0.04 + 0.028 * k, 0.0, 0.05 - 0.025 * n]
                parent = add(bone, parent, *(mirror * place))
    for bone, above in names.props:
        add(bone, above, *(bones[above][1] + [0.0, 0.02, 0.05]))
    helper = root
    for bone in names.loose_pairs:
        if "{" not in bone:
            helper = add(bone, root, 0.0, 0.0, 0.0)
        else:
            for side, words in SIDES.items():
                x = 0.1 if side == "left" else -0.1
                add(bone.format(**words), helper, x, 0.1 if "foot" in bone else 1.0, 0.0)

    found = {"pelvis": (names.pelvis,), "head": (names.head,)} | {j: tuple(b) for j, b in names.spine.items()}
    if names.neck:
        halved = name in ("cmu_bvh", "reallusion")  # these tables read the middle of the neck and turn its lowest bone
        found["neck"] = (names.neck[0],) if halved else tuple(names.neck)
    for side, words in SIDES.items():
        for joints, groups in ((LEG, names.leg), (ARM, names.arm)):
            for j, group in zip(joints, groups, strict=True):
                in_line = group[:1] + group[1:][-1:] if f"{side}_{j}" in LIMBS else group[:1]
                if group:
                    found[f"{side}_{j}"] = tuple(bone.format(**words) for bone in in_line)
    return Person(name, skeleton_of(bones, names.axes, ends), {j: found[j] for j in JOINTS if j in found})


def skeleton_of(
    bones: Mapping[str, tuple[str | None, np.ndarray]], axes: str, ends: Mapping[str, np.ndarray] | None = None
) -> Skeleton:
    """Bones as a skeleton.

    Args:
        bones: bone -> (parent, point in metres, Y up, facing +Z); a parent may come after its children.
        axes: as in `Names`.
        ends: where bones that have no children end.
    """
    order: list[str] = []

    def put(bone: str) -> None:
        parent = bones[bone][0]
        if bone not in order:
            if parent is not None:
                put(parent)
            order.append(bone)

    for bone in bones:
        put(bone)
    turn = BLENDER if axes == "blender" else np.eye(3)
    heads = {bone: turn @ bones[bone][1] for bone in order}
    rest = np.tile(np.eye(4), (len(order), 1, 1))
    tails = np.full((len(order), 3), np.nan)
    for n, bone in enumerate(order):
        rest[n, :3, 3] = heads[bone]
        children = [heads[other] for other in order if bones[other][0] == bone]
        along = next((child - heads[bone] for child in children if np.linalg.norm(child - heads[bone]) > 1e-3), None)
        if along is None and ends is not None and bone in ends:
            along = turn @ ends[bone] - heads[bone]
        if along is None:
            parent = bones[bone][0]
            along = heads[bone] - heads[parent] if parent is not None else turn @ [0.0, 0.1, 0.0]
        if np.linalg.norm(along) < 1e-3:
            along = turn @ [0.0, 0.1, 0.0]
        tails[n] = heads[bone] + along
        if axes == "blender":
            roll = np.random.default_rng(zlib.crc32(bone.encode())).uniform(-np.pi, np.pi)
            rest[n, :3, :3] = along_y(along) @ about("y", np.degrees(roll))
    parents = tuple(order.index(parent) if (parent := bones[bone][0]) is not None else -1 for bone in order)
    return Skeleton(tuple(order), parents, rest, tails)


def along_y(direction: np.ndarray) -> np.ndarray:
    """A rotation (3, 3) whose Y axis is a direction, as Blender's bones lie along their Y axis."""
    y = direction / np.linalg.norm(direction)
    x = np.cross(y, [0.3, 0.5, 0.81])
    x /= np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def rigify_controls() -> Person:
    """A generated Rigify rig (Blender 4.5): FK controls with the mechanism bones they hang from, and their IK twins."""
    up = {bone: np.array(point) for bone, point in {
        "torso": (0, 0.98, 0.02), "hips": (0, 1.15, 0), "chest": (0, 1.15, 0), "spine_fk": (0, 1.05, 0),
        "spine_fk.001": (0, 1.15, 0), "spine_fk.002": (0, 1.15, 0), "spine_fk.003": (0, 1.3, 0), "neck": (0, 1.48, 0),
        "head": (0, 1.6, 0.02), "ORG-spine": (0, 0.92, 0),
    }.items()}  # fmt: skip
    follows = {
        "torso": "MCH-torso.parent", "hips": "torso", "chest": "torso", "MCH-spine.001": "torso",
        "spine_fk.001": "MCH-spine.001", "MCH-spine": "spine_fk.001", "spine_fk": "MCH-spine",
        "tweak_spine": "spine_fk",
        "ORG-spine": "tweak_spine", "MCH-spine.002": "torso", "spine_fk.002": "MCH-spine.002",
        "MCH-spine.003": "spine_fk.002", "spine_fk.003": "MCH-spine.003", "MCH-ROT-neck": "spine_fk.003",
        "neck": "MCH-ROT-neck", "MCH-ROT-head": "neck", "head": "MCH-ROT-head", "tweak_spine.003": "spine_fk.003",
        "ORG-spine.003": "tweak_spine.003",
    }  # fmt: skip
    bones: dict[str, tuple[str | None, np.ndarray]] = {
        "root": (None, np.zeros(3)),
        "MCH-torso.parent": (None, np.zeros(3)),
    }
    for bone, parent in follows.items():
        place = up.get(bone, up.get(bone.replace("MCH-spine", "spine_fk"), bones[parent][1]))
        bones[bone] = parent, place
    hang = about("z", -40.0)
    shoulder = np.array([0.18, 1.43, -0.02])
    arm = {"upper_arm": shoulder, "forearm": shoulder + hang @ [0.28, 0, -0.01],
           "hand": shoulder + hang @ [0.53, 0, 0]}  # fmt: skip
    leg = {"thigh": np.array([0.1, 0.9, 0.0]), "shin": np.array([0.1, 0.49, 0.01]),
           "foot": np.array([0.1, 0.08, -0.02]), "toe": np.array([0.1, 0.02, 0.11])}  # fmt: skip
    for side, mirror in (("L", np.ones(3)), ("R", np.array([-1.0, 1.0, 1.0]))):
        bones[f"shoulder.{side}"] = "ORG-spine.003", mirror * [0.04, 1.42, 0]
        bones[f"ORG-shoulder.{side}"] = "ORG-spine.003", mirror * [0.04, 1.42, 0]
        for limb, start in ((arm, f"ORG-shoulder.{side}"), (leg, "ORG-spine")):
            first = next(iter(limb))
            master = f"MCH-{first}_parent.{side}"
            bones[master] = start, mirror * np.array(limb[first])
            bones[f"{first}_parent.{side}"] = start, mirror * np.array(limb[first])
            for kind in ("fk", "ik"):
                parent = master
                for part, place in limb.items():
                    if kind == "fk" and part in ("hand", "foot", "toe"):
                        bones[f"MCH-{part}_fk.{side}"] = parent, mirror * np.array(place)
                        parent = f"MCH-{part}_fk.{side}"
                    bones[f"{part}_{kind}.{side}"] = parent, mirror * np.array(place)
                    parent = f"{part}_{kind}.{side}"
    found: dict[str, Any] = {"pelvis": ("torso",), "spine2": ("spine_fk.002",), "spine3": ("spine_fk.003",),
                             "neck": ("neck",), "head": ("head",)}  # fmt: skip
    for side, letter in (("left", "L"), ("right", "R")):
        found[f"{side}_collar"] = (f"shoulder.{letter}",)
        for joint, part in (("hip", "thigh"), ("knee", "shin"), ("ankle", "foot"), ("foot", "toe"),
                            ("shoulder", "upper_arm"), ("elbow", "forearm"), ("wrist", "hand")):  # fmt: skip
            found[f"{side}_{joint}"] = (f"{part}_fk.{letter}",)
    skeleton = skeleton_of(bones, "blender")
    return Person("rigify_controls", skeleton, {j: found[j] for j in JOINTS if j in found}, by_structure=False)


PEOPLE = {name: person(name, names) for name, names in CONVENTIONS.items()} | {"rigify_controls": rigify_controls()}
