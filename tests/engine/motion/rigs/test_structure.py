# SPDX-License-Identifier: GPL-3.0-or-later
"""A body is found without its names, however the rig is turned, scaled and listed; what is no body is refused."""

from __future__ import annotations

import dataclasses
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from engine.errors import MappingError
from engine.motion.rigs import find_map
from engine.motion.skeleton import Skeleton

LIMBS = [f"{side}_{joint}" for side in ("left", "right")
         for joint in ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist")]  # fmt: skip


def moved(skeleton: Skeleton, rng: np.random.Generator) -> tuple[Skeleton, dict[str, str]]:
    """The rig turned, scaled, shifted and listed at random, with names that tell nothing, and those names."""
    turn, size, shift = Rotation.random(random_state=rng).as_matrix(), 10 ** rng.uniform(-2, 3), rng.normal(size=3)
    waiting, order = set(range(len(skeleton))), []
    while waiting:
        ready = sorted(n for n in waiting if skeleton.parents[n] not in waiting)
        order.append(int(rng.choice(ready)))
        waiting.remove(order[-1])
    names = {skeleton.names[n]: f"bone {k}" for n, k in enumerate(rng.permutation(len(skeleton)))}
    rest = skeleton.rest[order].copy()
    rest[:, :3, :3] = turn @ rest[:, :3, :3]
    rest[:, :3, 3] = size * rest[:, :3, 3] @ turn.T + shift
    parents = tuple(order.index(p) if (p := skeleton.parents[n]) >= 0 else -1 for n in order)
    tails = size * skeleton.tails[order] @ turn.T + shift
    return Skeleton(tuple(names[skeleton.names[n]] for n in order), parents, rest, tails), names


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_limbs_are_found_without_names(someone: Any, seed: int) -> None:
    if not someone.by_structure:
        pytest.skip("a control rig holds each limb several times, which only names tell apart")
    skeleton, names = moved(someone.skeleton, np.random.default_rng(seed))
    rig_map = find_map(skeleton)
    assert rig_map.name == "structure"
    wanted = {joint: names[bones[0]] for joint, bones in someone.bones.items() if joint in LIMBS}
    assert {joint: bone for joint, bone in rig_map.bones.items() if joint in LIMBS} == wanted
    for joint in ("pelvis", "head"):
        assert rig_map.bones[joint] == names[someone.bones[joint][0]]
    spine = [bone for j in ("spine1", "spine2", "spine3") for bone in someone.bones.get(j, ())]
    found = [bone for j in ("spine1", "spine2", "spine3") for bone in rig_map.sources[j].turned]
    assert found == [names[bone] for bone in spine]
    assert 0.3 < rig_map.confidence <= 0.5
    assert rig_map.reasons[0].startswith("The legs were found by structure: ")
    assert all(reason.endswith(".") for reason in rig_map.reasons)


def test_hand_made_names_do_not_hide_a_sword_or_a_coat(people: dict[str, Any]) -> None:
    """Bones of clothes and props, as long as limbs, are no limbs."""
    bones = list(zip(people["vroid"].skeleton.names, people["vroid"].skeleton.parents, strict=True))
    skeleton = people["vroid"].skeleton
    names, parents, heads = [b for b, _ in bones], [p for _, p in bones], [*skeleton.rest[:, :3, 3]]
    for x, side in ((0.15, "L"), (-0.15, "R")):
        for root, top in (("J_Bip_C_Hips", 0.9), ("J_Bip_C_Head", 1.7)):  # a coat and pigtails
            parent = names.index(root)
            for n in range(5):
                names.append(f"cloth {root} {side} {n}")
                parents.append(parent)
                parent = len(names) - 1
                heads.append(np.array([x, 0.1 + 0.01 * n, top - 0.12 * n]))
    parent = names.index("J_Bip_R_Hand")
    for n in range(3):
        names.append(f"sword {n}")
        parents.append(parent)
        parent = len(names) - 1
        heads.append(heads[names.index("J_Bip_R_Hand")] + [0.0, -0.3 * n, 0.1])
    rest = np.tile(np.eye(4), (len(names), 1, 1))
    rest[:, :3, 3] = heads
    dressed = Skeleton(tuple(names), tuple(parents), rest, np.full((len(names), 3), np.nan))
    unnamed, other = moved(dressed, np.random.default_rng(1))
    found = find_map(unnamed).bones
    for joint, own in people["vroid"].bones.items():
        if joint in LIMBS:
            assert found[joint] == other[own[0]], joint


def rig(bones: dict[str, tuple[str | None, tuple[float, float, float]]]) -> Skeleton:
    names = list(bones)
    rest = np.tile(np.eye(4), (len(names), 1, 1))
    rest[:, :3, 3] = [place for _, place in bones.values()]
    parents = tuple(names.index(parent) if parent is not None else -1 for parent, _ in bones.values())
    return Skeleton(tuple(names), parents, rest, np.full((len(names), 3), np.nan))


def quadruped() -> Skeleton:
    bones: dict[str, tuple[str | None, tuple[float, float, float]]] = {"a": (None, (0, 0.7, -0.4))}
    for n in range(1, 5):
        bones[f"a{n}"] = f"a{n - 1}" if n > 1 else "a", (0, 0.75, -0.4 + 0.2 * n)
    bones |= {"n": ("a4", (0, 0.9, 0.5)), "n1": ("n", (0, 1.05, 0.6)), "n2": ("n1", (0, 1.05, 0.75))}
    bones |= {"t": ("a", (0, 0.7, -0.5)), "t1": ("t", (0, 0.6, -0.7)), "t2": ("t1", (0, 0.5, -0.8))}
    for x, s in ((0.12, "x"), (-0.12, "y")):
        for start, z in (("a", -0.4), ("a4", 0.4)):
            parent = start
            for n, (y, dz) in enumerate(((0.65, 0.0), (0.38, 0.05), (0.1, -0.03), (0.03, 0.08))):
                name = f"{start}{s}{n}"
                bones[name] = parent, (x, y, z + dz)
                parent = name
    return rig(bones)


def hands_only() -> Skeleton:
    bones: dict[str, tuple[str | None, tuple[float, float, float]]] = {"r": (None, (0, 0, 0))}
    for x, s in ((0.3, "x"), (-0.3, "y")):
        bones[s], bones[f"{s}w"] = ("r", (x, 0, 0)), (s, (x, 0, 0.25))
        for n in range(5):
            parent = f"{s}w"
            for k in range(4):
                bones[f"{s}{n}{k}"] = parent, (x + 0.02 * (n - 2), 0, 0.3 + 0.03 * k)
                parent = f"{s}{n}{k}"
    return rig(bones)


@pytest.mark.parametrize(
    ("skeleton", "what"),
    [
        (quadruped(), "as a standing body has them"),
        (hands_only(), "pair of legs"),
        (rig({"root": (None, (0, 0, 0)), "head": ("root", (0, 1, 0))}), "no pair of legs"),
        (rig({"Root": (None, (0, 0, 0)), "Tip": ("Root", (0, 1, 0))}), "no pair of legs"),
        (rig({"Root": (None, (0, 0, 0))}), "no pair of legs"),
        (rig({"a": (None, (0, 0, 0)), "b": ("a", (0, 0, 0)), "c": ("a", (0, 0, 0))}), "no pair of legs"),
    ],
    ids=["quadruped", "hands", "two named bones", "two bones", "one bone", "all in one point"],
)
def test_what_is_no_body_is_refused_in_one_sentence(skeleton: Skeleton, what: str) -> None:
    with pytest.raises(MappingError) as error:
        find_map(skeleton)
    sentence = str(error.value)
    assert what in sentence and "left_hip" in sentence
    assert sentence.endswith(".") and sentence.count(". ") == 0 and "\n" not in sentence


@pytest.mark.parametrize("part", ["leg", "arm", "head", "toes"])
def test_a_body_without_a_part_is_refused(people: dict[str, Any], part: str) -> None:
    someone = people["unreal4"]
    gone = {"leg": ["thigh_l"], "arm": ["upperarm_r"], "head": ["neck_01"], "toes": ["ball_l", "ball_r"]}[part]
    kept: list[str] = []
    skeleton = someone.skeleton
    for n, bone in enumerate(skeleton.names):
        parent = skeleton.parents[n]
        if bone not in gone and (parent < 0 or skeleton.names[parent] in kept):
            kept.append(bone)
    rows = [skeleton.index(bone) for bone in kept]
    parents = tuple(kept.index(skeleton.names[p]) if (p := skeleton.parents[n]) >= 0 else -1 for n in rows)
    less = Skeleton(tuple(kept), parents, skeleton.rest[rows], np.full((len(rows), 3), np.nan))
    less, _ = moved(less, np.random.default_rng(0))
    with pytest.raises(MappingError):
        find_map(less)


def test_a_real_rig_is_found_by_name_and_by_structure(shared_data: Path) -> None:
    """The rest pose of Mesh2Motion's human, whose bones are named as Unreal's."""
    content = (shared_data / "rigs" / "mesh2motion_rig_human.glb").read_bytes()
    length = struct.unpack("<I", content[12:16])[0]
    nodes = json.loads(content[20 : 20 + length])["nodes"]
    parent_of = {child: n for n, node in enumerate(nodes) for child in node.get("children", [])}

    def world(n: int) -> np.ndarray:
        here = np.eye(4)
        here[:3, 3] = nodes[n].get("translation", [0, 0, 0])
        here[:3, :3] = Rotation.from_quat(nodes[n].get("rotation", [0, 0, 0, 1])).as_matrix() * nodes[n].get(
            "scale", [1, 1, 1]
        )
        return world(parent_of[n]) @ here if n in parent_of else here

    def depth(n: int) -> int:
        return depth(parent_of[n]) + 1 if n in parent_of else 0

    order = sorted(range(len(nodes)), key=depth)
    parents = tuple(order.index(parent_of[n]) if n in parent_of else -1 for n in order)
    rest = np.array([world(n) for n in order])
    skeleton = Skeleton(tuple(nodes[n]["name"] for n in order), parents, rest, np.full((len(order), 3), np.nan))
    named = find_map(skeleton)
    assert named.name == "unreal4" and named.confidence == 1.0 and len(named.sources) == 22
    other = dataclasses.replace(skeleton, names=tuple(f"bone {n}" for n in range(len(order))))
    found = find_map(other)
    assert found.name == "structure"
    spelled = dict(zip(other.names, skeleton.names, strict=True))
    assert {joint: spelled[bone] for joint, bone in found.bones.items()} == named.bones
