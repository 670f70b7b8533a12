# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's half of a measurement: map a rig, carry its motion to the body, edit it there, carry it back.

``python -m rigcheck.worker`` reads lines of two file names, ``question.npz<TAB>answer.npz``, and prints a line when an
answer is written; `rigcheck.engine` is the other end. It takes the product's own road: `find_map`, `to_body`, `to_rig`.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from engine.errors import EngineError
from engine.motion.joints import JOINTS, PARENTS
from engine.motion.motion import BodyMotion, Motion
from engine.motion.retarget import Alignment, to_body, to_rig
from engine.motion.rigs import RigMap, find_map
from engine.motion.skeleton import Skeleton
from engine.motion.units import in_human_size
from rigcheck.motions import LIMBS

EDIT = np.radians(18.0)  # most a joint turns by, in one of three waves
SHIFT = 0.1  # metres that the root moves by, alike
ONE_ARM = "left_elbow"


def answer(question: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Everything that Blender needs to judge one rig.

    Args:
        question: ``info`` (JSON: ``task``, "map" or "edit", and the parameters of `Clip.request` with a ``seed``) and
            its arrays; a map needs the rest pose alone.

    Returns:
        For a map ``info`` (JSON: ``error`` or ``mapping``). For an edit ``info`` (JSON: ``error``, or the map, its
        ``segments``, ``turned`` bones per joint and the ``arm`` bones that the edit of one turns) and arrays:

        * ``segments`` (T, S, 3), ``edited_segments``: directions from joint to child joint of the body, before and
          after the edit of all joints, in the rig's axes;
        * for each edit ("none", "arm", "all") ``rotations_*``, ``translations_*``, ``turned_*``, ``moved_*``;
        * ``wanted`` (T, J, 4, 4): pose of the rig after the edit of all joints, by Blender's rule in float64.
    """
    info = json.loads(str(question["info"]))
    rest, tails = (np.asarray(question[key], np.float64) for key in ("rest", "tails"))
    skeleton = Skeleton(tuple(info["names"]), tuple(question["parents"].tolist()), rest, tails, info["scale"])
    try:
        if info["task"] == "map":
            found = find_map(skeleton, info["bone_map"], info["human_bones"])
            return {"info": json.dumps({"mapping": found.described()})}
        rotations, translations = (
            np.asarray(question[key], np.float64) for key in ("rotations", "translations")
        )
        motion = Motion(in_human_size(skeleton), rotations, translations, info["fps"])
        if info["mapping"] is not None:
            rig_map = RigMap.restored(info["mapping"])
        else:
            rig_map = find_map(motion.skeleton, info["bone_map"], info["human_bones"])
        before = to_body(motion, rig_map)
    except EngineError as error:
        return {"info": json.dumps({"error": str(error)})}
    rng = np.random.default_rng(info["seed"])
    edits = {"none": before, "arm": _arm_edited(before, rng), "all": edited(before, rng)}
    alignment = Alignment(motion, rig_map)
    segments = _segments(motion, rig_map, alignment)
    result: dict[str, Any] = {
        "segments": directions(before, segments) @ alignment.axes,
        "edited_segments": directions(edits["all"], segments) @ alignment.axes,
    }
    for name, after in edits.items():
        edit = to_rig(motion, rig_map, before, after)
        result |= {
            f"rotations_{name}": edit.motion.rotations,
            f"translations_{name}": edit.motion.translations,
            f"turned_{name}": edit.rotations_changed,
            f"moved_{name}": edit.translations_changed,
        }
        if name == "all":
            result["wanted"] = posed(edit.motion, rig_map)
    sources = {joint: source.turned for joint, source in rig_map.sources.items() if source.own}
    result["info"] = json.dumps(
        {
            "map": rig_map.name,
            "confidence": rig_map.confidence,
            "joints": list(rig_map.sources),
            "scale": motion.skeleton.scale,
            "turned": {joint: list(bones) for joint, bones in alignment.bones.items()},
            "heads": {joint: bones[0] for joint, bones in sources.items()},
            "segments": segments,
            "arm": _below(motion.skeleton, alignment.bones[ONE_ARM][0], result["turned_arm"].any(axis=0)),
        }
    )
    return result


def edited(body: BodyMotion, rng: np.random.Generator) -> BodyMotion:
    """The body with a smooth random turn of every joint and a smooth random shift of the root."""
    poses = Rotation.from_rotvec(body.poses.reshape(-1, 3))
    turn = _waves(len(body), (22, 3), rng) * EDIT
    poses = (poses * Rotation.from_rotvec(turn.reshape(-1, 3))).as_rotvec().reshape(body.poses.shape)
    return dataclasses.replace(body, poses=poses, transl=body.transl + _waves(len(body), (3,), rng) * SHIFT)


def _arm_edited(body: BodyMotion, rng: np.random.Generator) -> BodyMotion:
    poses = body.poses.copy()
    poses[:, JOINTS.index(ONE_ARM)] += _waves(len(body), (3,), rng) * EDIT
    return dataclasses.replace(body, poses=poses)


def _waves(frames: int, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """(T, *shape) of slow waves between -1 and 1, of which none is zero."""
    phase, speed = rng.uniform(0.0, 2.0 * np.pi, shape), rng.uniform(1.0, 3.0, shape)
    time = np.linspace(0.0, 2.0, frames).reshape(-1, *(1 for _ in shape))
    return np.sin(phase + speed * time)


def globals_of(body: BodyMotion) -> np.ndarray:
    """Global rotations (T, 22, 3, 3) of the joints."""
    turns = Rotation.from_rotvec(body.poses.reshape(-1, 3)).as_matrix().reshape(len(body), -1, 3, 3)
    for j, parent in enumerate(PARENTS[1:], start=1):
        turns[:, j] = turns[:, parent] @ turns[:, j]
    return turns


def directions(body: BodyMotion, segments: list[tuple[str, str]]) -> np.ndarray:
    """(T, S, 3) from joint to child joint, by the body's forward kinematics, not of unit length."""
    turns = globals_of(body)
    pairs = [(JOINTS.index(joint), JOINTS.index(child)) for joint, child in segments]
    return np.stack([turns[:, joint] @ body.offsets[child] for joint, child in pairs], axis=1)


def posed(motion: Motion, rig_map: RigMap) -> np.ndarray:
    """(T, J, 4, 4) global = parent @ inv(rest of parent) @ rest @ basis, the rule of Blender's manual."""
    skeleton, parents = motion.skeleton, rig_map.parents(motion.skeleton)
    basis = np.tile(np.eye(4), (*motion.rotations.shape[:2], 1, 1))
    quats = np.roll(motion.rotations, -1, axis=-1)
    basis[..., :3, :3] = Rotation.from_quat(quats.reshape(-1, 4)).as_matrix().reshape(*quats.shape[:2], 3, 3)
    basis[..., :3, 3] = motion.translations
    result = np.empty_like(basis)
    done: set[int] = set()

    def place(bone: int) -> None:
        if bone in done:
            return
        done.add(bone)
        local, parent = skeleton.rest[bone] @ basis[:, bone], parents[bone]
        if parent >= 0:
            place(parent)
            local = result[:, parent] @ np.linalg.inv(skeleton.rest[parent]) @ local
        result[:, bone] = local

    for bone in range(len(skeleton)):
        place(bone)
    return result


def _segments(motion: Motion, rig_map: RigMap, alignment: Alignment) -> list[tuple[str, str]]:
    """Limbs, and the trunk's segments whose far end hangs rigidly from the joint's one bone."""
    own = alignment.bones
    segments = [pair for pair in LIMBS if pair[0] in own and pair[1] in own]
    for child in own:
        joint = JOINTS[PARENTS[JOINTS.index(child)]] if child != "pelvis" else ""
        if (joint, child) in LIMBS or joint not in own or rig_map.sources[child].at:
            continue
        if len(rig_map.sources[joint].bones) == 1 and alignment.above[child] == own[joint][0]:
            between = _between(motion.skeleton, rig_map, own[joint][0], own[child][0])
            if not np.ptp(motion.rotations[:, between], axis=0).any():
                segments.append((joint, child))
    return segments


def _below(skeleton: Skeleton, top: str, turned: np.ndarray) -> list[str]:
    """The bones that an edit turned and that hang from a bone, itself included: it and its twist bones."""
    inside = np.zeros(len(skeleton), bool)
    for bone, parent in enumerate(skeleton.parents):
        inside[bone] = skeleton.names[bone] == top or (parent >= 0 and inside[parent])
    return [skeleton.names[bone] for bone in np.flatnonzero(inside & turned)]


def _between(skeleton: Skeleton, rig_map: RigMap, upper: str, lower: str) -> list[int]:
    """Indices of the bones strictly between two, of which one follows the other."""
    parents, found = rig_map.parents(skeleton), []
    bone = parents[skeleton.index(lower)]
    while bone != skeleton.index(upper):
        found.append(bone)
        bone = parents[bone]
    return found


def main() -> None:
    """Answer until the pipe closes."""
    for line in sys.stdin:
        question, target = line.rstrip("\n").split("\t")
        with np.load(question) as arrays:
            np.savez(target, **answer(arrays))
        print("done", flush=True)


if __name__ == "__main__":
    main()
