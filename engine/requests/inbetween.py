# SPDX-License-Identifier: GPL-3.0-or-later
"""The request ``inbetween``."""

from __future__ import annotations

import dataclasses
from typing import Any

from engine.errors import MotionError, ProtocolError
from engine.motion.motion import BodyMotion
from engine.motion.retarget import to_body
from engine.motion.rigs import RigMap
from engine.motion.skeleton import Skeleton
from engine.protocol import Arrays, Header
from engine.requests.parameters import required, settings_of, whole
from engine.requests.rig import MOST_VARIANTS, Answer, check_answer, described, edits, map_of, motion_of
from engine.tasks.steps import OnStep


def inbetween(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Fill the frames between keys: `engine.tasks.inbetween.inbetween`.

    Args:
        params: of a rig's animation, see `engine.requests.rig`; ``keys`` (rows that stay; or bone -> rows of its
            keys, of which those of the body's bones and of bones that carry them stay, and those of "", the object),
            ``variants`` (how many, each with the next seed), ``settings`` (fields of `InbetweenSettings`).
        arrays: of a rig's animation.
        on_step: told (done, total, stage); stops the task by raising.

    Returns:
        ``seeds`` of the variants, ``keys`` (the rows that stayed, ascending), and what `described` tells; and the
        arrays of as many edits, see `packed`.

    Raises:
        ProtocolError: a parameter or array is missing or unknown.
        MappingError: the rig cannot be matched to the body. MotionError: the body has fewer keys than two, or no frame
            between them. EngineError: as the task does.
    """
    from engine.tasks.inbetween import InbetweenSettings, inbetween

    motion = motion_of(params, arrays)
    rig_map = map_of(params, motion.skeleton)
    settings = settings_of(InbetweenSettings, params.get("settings", {}))
    # The likeliest motion is one: without variation, seeds make no difference.
    count = whole(params, "variants", 1) if settings.variation > 0 else 1
    if not 1 <= count <= MOST_VARIANTS:
        raise MotionError(f"Ask for at least one way and at most {MOST_VARIANTS}.")
    check_answer(motion, len(motion), count)
    keys = _keys_of_body(required(params, "keys"), motion.skeleton, rig_map)
    before = to_body(motion, rig_map)
    bodies: list[BodyMotion] = []
    for number in range(count):

        def tell(done: int, total: int, stage: str, first: int = number) -> None:
            on_step(first * total + done, count * total, stage)

        own = dataclasses.replace(settings, seed=settings.seed + number)
        bodies.append(inbetween(before, keys, own, on_step=tell))
    seeds = [settings.seed + number for number in range(count)]
    return {"seeds": seeds, "keys": keys} | described(motion, rig_map), edits(motion, rig_map, before, bodies)


def _keys_of_body(keys: Any, skeleton: Skeleton, rig_map: RigMap) -> list[int]:
    """The rows on which the body, or what carries it, has keys, ascending."""
    rows_by_bone = keys.values() if isinstance(keys, dict) else [keys]
    if not all(isinstance(rows, list) and all(type(row) is int for row in rows) for rows in rows_by_bone):
        raise ProtocolError("A request to the engine has keys that are no rows; reinstall DPoser.")
    if not isinstance(keys, dict):
        return sorted(set(keys))
    rows = sorted({row for bone in _bones_of_body(skeleton, rig_map) & keys.keys() for row in keys[bone]})
    if len(rows) < 2:
        told = "Only one frame has" if rows else "No frame has"
        raise MotionError(
            f"{told} a selected key of the body, as keys of other bones do not count: select keys of it on two or more."
        )
    if rows[-1] - rows[0] + 1 == len(rows):
        raise MotionError(
            "No frame lies between the selected keys of the body: select some that are further apart."
        )
    return rows


def _bones_of_body(skeleton: Skeleton, rig_map: RigMap) -> set[str]:
    """The mapped bones, the bones above them, and the object, which is named ""."""
    found, parents = {""}, rig_map.parents(skeleton)
    for name in {bone for source in rig_map.sources.values() for bone in (*source.bones, *source.turned)}:
        bone = skeleton.index(name)
        while bone >= 0 and skeleton.names[bone] not in found:
            found.add(skeleton.names[bone])
            bone = parents[bone]
    return found
