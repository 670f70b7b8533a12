# SPDX-License-Identifier: GPL-3.0-or-later
"""Armatures from the nodes of a glTF file without a skin, which Blender's importer would make empties of: VRM files."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from engine.motion.skeleton import Skeleton
from rigcheck import figures
from rigcheck.people import BLENDER

Document = dict[str, Any]


def read(path: Path) -> Document:
    """The JSON part of a binary glTF file (glTF 2.0 specification, section 4.4)."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<I", data, 12)
    return json.loads(data[20 : 20 + length])


def human_bones(document: Document) -> dict[str, str]:
    """VRM human bone -> node name, as VRM 0 and VRM 1 files tell it."""
    extensions, nodes = document["extensions"], document["nodes"]
    if "VRM" in extensions:
        pairs = [(entry["bone"], entry["node"]) for entry in extensions["VRM"]["humanoid"]["humanBones"]]
    else:
        one = extensions.get("VRMC_vrm") or extensions["VRMC_vrm_animation"]
        pairs = [(human, entry["node"]) for human, entry in one["humanoid"]["humanBones"].items()]
    return {human: nodes[node]["name"] for human, node in pairs}


def add(path: Path, prefix: str = "") -> Any:
    """An armature of the file's nodes from the hips' root down, walking, in an open Blender file.

    Args:
        path: a binary glTF file with VRM's human bones.
        prefix: put before every bone's name.
    """
    document = read(path)
    told = human_bones(document)
    skeleton = _skeleton(document, told["hips"])
    ob = figures.build(path.stem, Skeleton(tuple(prefix + name for name in skeleton.names), skeleton.parents,
                                           skeleton.rest, skeleton.tails))  # fmt: skip
    joints = {joint: [prefix + told[human]] for joint, human in _HUMAN.items() if human in told}
    figures.walk(ob, joints, BLENDER)
    return ob


_HUMAN = {
    "pelvis": "hips", "spine1": "spine", "spine2": "chest", "spine3": "upperChest", "neck": "neck", "head": "head",
} | {
    f"{side}_{joint}": f"{side}{part}"
    for side in ("left", "right")
    for joint, part in (("hip", "UpperLeg"), ("knee", "LowerLeg"), ("ankle", "Foot"), ("foot", "Toes"),
                        ("collar", "Shoulder"), ("shoulder", "UpperArm"), ("elbow", "LowerArm"), ("wrist", "Hand"))
}  # fmt: skip


def _skeleton(document: Document, hips: str) -> Skeleton:
    """The nodes from the hips' root down, Z up, -Y ahead, parents first; bones lie along the nodes' Y axes."""
    nodes = document["nodes"]
    parents = {child: n for n, node in enumerate(nodes) for child in node.get("children", ())}
    root = next(n for n, node in enumerate(nodes) if node["name"] == hips)
    while root in parents:
        root = parents[root]
    z_up = np.eye(4)
    z_up[:3, :3] = BLENDER
    if "VRM" in document["extensions"]:  # VRM 0 looks along -Z of glTF, VRM 1 along +Z
        z_up = np.diag([-1.0, -1.0, 1.0, 1.0]) @ z_up
    order, poses = [root], {root: z_up @ _local(nodes[root])}
    for n in order:
        for child in nodes[n].get("children", ()):
            order.append(child)
            poses[child] = poses[n] @ _local(nodes[child])
    rest = np.array([poses[n] for n in order])
    tails = rest[:, :3, 3] + 0.05 * rest[:, :3, 1]
    places = {n: place for place, n in enumerate(order)}
    return Skeleton(
        tuple(nodes[n]["name"] for n in order),
        tuple(places.get(parents.get(n, -1), -1) for n in order),
        rest,
        tails,
    )


def _local(node: Document) -> np.ndarray:
    """A node's transform (4, 4) without its scale."""
    x, y, z, w = node.get("rotation", (0.0, 0.0, 0.0, 1.0))
    local = np.eye(4)
    local[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    local[:3, 3] = node.get("translation", (0.0, 0.0, 0.0))
    return local
