# SPDX-License-Identifier: GPL-3.0-or-later
"""What requests have in common: a rig's skeleton, animation and mapping in, its edited bones out."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from engine.errors import MotionError
from engine.motion.joints import HALVES, JOINTS, PARTS
from engine.motion.motion import BodyMotion, Motion
from engine.motion.retarget import RigEdit, to_rig
from engine.motion.rigs import RigMap, find_map, restored_map
from engine.motion.skeleton import Skeleton
from engine.motion.units import in_human_size
from engine.protocol import MAX_PAYLOAD, Arrays, Header
from engine.requests.parameters import floats, names_of, number, required, texts
from engine.wording import few

Answer = tuple[Header, Arrays]

MOST_VARIANTS = 64
FARTHEST = 1e9  # rig units, of bones and of what they move
SHORTEST_QUATERNION = 1e-6
_ANSWERED = 7 * 8 + 2  # bytes for each bone and frame of an edit


def motion_of(params: Header, arrays: Arrays) -> Motion:
    """The animation of a request.

    Args:
        params: ``fps`` and those of `skeleton_of`.
        arrays: ``rotations`` (T, J, 4) WXYZ, ``translations`` (T, J, 3), and those of `skeleton_of`.

    Raises:
        ProtocolError: one is missing. MotionError: they make no animation.
    """
    skeleton = skeleton_of(params, arrays)
    fps, rotations, translations = (
        number(params, "fps"), floats(arrays, "rotations", 3), floats(arrays, "translations", 3),
    )  # fmt: skip
    motion = Motion(in_human_size(skeleton), rotations, translations, fps)
    if max(abs(rotations).max(initial=0.0), abs(translations).max(initial=0.0)) > FARTHEST:
        raise MotionError("The animation holds numbers beyond any motion's; remove those keys.")
    if (abs(rotations).max(axis=-1, initial=0.0) < SHORTEST_QUATERNION).any():
        raise MotionError("The animation holds rotations that are none; remove those keys.")
    return motion


def skeleton_of(params: Header, arrays: Arrays) -> Skeleton:
    """The skeleton of a request.

    Args:
        params: ``names`` (J) and ``scale`` (metres per rig unit).
        arrays: ``parents`` (J,), ``rest`` (J, 4, 4), ``tails`` (J, 3).

    Raises:
        ProtocolError: one is missing. MotionError: they make no skeleton.
    """
    names, scale = tuple(texts(params, "names")), number(params, "scale")
    parents, rest, tails = required(arrays, "parents"), floats(arrays, "rest", 3), floats(arrays, "tails", 2)
    if parents.ndim != 1 or parents.dtype.kind not in "iu":
        raise MotionError("The animation's arrays do not fit its skeleton.")
    if abs(rest).max(initial=0.0) > FARTHEST or np.nanmax(abs(tails), initial=0.0) > FARTHEST:
        raise MotionError("The skeleton is larger than any; apply the armature's scale.")
    return Skeleton(names, tuple(parents.tolist()), rest, tails, scale)


def map_of(params: Header, skeleton: Skeleton) -> RigMap:
    """The mapping of a request's rig.

    Args:
        params: ``mapping`` (what the request ``map`` found, or null); else ``bone_map`` (body joint to bone, or null to
            find it) and ``human_bones`` (VRM human bone to bone, or null).
        skeleton: the rig.

    Raises:
        MappingError: the rig cannot be matched to the body. ProtocolError: a table is none.
    """
    if params.get("mapping") is not None:
        return restored_map(params["mapping"], skeleton)
    return find_map(skeleton, names_of(params, "bone_map"), names_of(params, "human_bones"))


def joints_of(names: Iterable[str], rig_map: RigMap) -> np.ndarray:
    """(22,) bool, the body's joints that bones of the rig, joints or body parts stand for.

    A name that stands for none, such as a finger's, is passed over: a selection may hold more than the body.

    Raises:
        MotionError: no name stands for any.
    """
    names = list(names)
    chosen: set[str] = set()
    for name in names:
        chosen |= rig_map.joints_of(name) | set((PARTS | HALVES).get(name, ())) | ({name} & set(JOINTS))
    if not chosen:
        told = few(names, 5) or "none"
        raise MotionError(f"None of the chosen bones ({told}) belongs to the body; choose others.")
    return np.array([joint in chosen for joint in JOINTS])


def described(motion: Motion, rig_map: RigMap | None) -> Header:
    """What every answer about a rig tells of it.

    Returns:
        ``joints``, how many of the body the rig has, with those that lie between two bones; ``bones``, body joint to
        the bones that its edits turn; ``scale``, metres per rig unit for a body of human size. None of the body for a
        rig that has no mapping.
    """
    turned = {joint: list(source.turned) for joint, source in rig_map.sources.items()} if rig_map else {}
    joints = len(rig_map.sources) if rig_map else 0
    return {"joints": joints, "bones": turned, "scale": motion.skeleton.scale}


def edits(
    motion: Motion, rig_map: RigMap, before: BodyMotion, bodies: Iterable[BodyMotion], collars: bool = False
) -> Arrays:
    """V edits of the body (``before`` as `to_body` gave it) as those of the rig's bones, see `packed` and `to_rig`."""
    return packed([to_rig(motion, rig_map, before, after, collars) for after in bodies])


def check_answer(motion: Motion, frames: int, variants: int = 1) -> None:
    """Raise MotionError where so many edits of so many frames are more than an answer can carry."""
    if variants * frames * len(motion.skeleton) * _ANSWERED > MAX_PAYLOAD:
        raise MotionError("So many frames of so many bones are too much at once; ask for fewer variants or frames.")


def packed(found: Iterable[RigEdit]) -> Arrays:
    """V edits of a rig as arrays.

    Returns:
        ``rotations`` (V, T, J, 4) WXYZ and ``translations`` (V, T, J, 3) float64; ``rotations_changed`` and
        ``translations_changed`` (V, T, J) uint8.
    """
    found = list(found)
    return {
        "rotations": np.stack([edit.motion.rotations for edit in found]),
        "translations": np.stack([edit.motion.translations for edit in found]),
        "rotations_changed": np.stack([edit.rotations_changed for edit in found]).astype(np.uint8),
        "translations_changed": np.stack([edit.translations_changed for edit in found]).astype(np.uint8),
    }
