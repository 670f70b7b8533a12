# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a mapping that was kept goes with a rig: its bones and joints are there, and its numbers are numbers.

Of a control rig only the controls of the body are sent, so switches, and bones that show or follow, may be of others.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.motion.joints import JOINTS
from engine.motion.rigs.rig_map import RigMap, Source, Switch
from engine.motion.skeleton import Skeleton


def fits(rig_map: RigMap, skeleton: Skeleton) -> bool:
    """Whether a mapping, every value of which may be anything, is one of the rig."""
    tables = (rig_map.twist, rig_map.limbs, rig_map.tpose, rig_map.turn)
    return (
        _texts((rig_map.name, rig_map.title, *rig_map.reasons))
        and _numbers([rig_map.confidence], 1)
        and all(_source(source, skeleton) for source in rig_map.sources.values())
        and all(joint in JOINTS for table in (rig_map.sources, *tables) for joint in table)
        and all(len(entry) == 2 and entry[0] in JOINTS and _numbers(entry[1:], 1) for entry in rig_map.twist.values())
        and all(_numbers(entry, 3) for table in tables[1:] for entry in table.values())
        and all(any(direction) for direction in rig_map.limbs.values())
        and all(_switch(switch) for switch in rig_map.switches)
        and _pairs(rig_map.follows)
        and all(followed in skeleton for bone, followed in rig_map.follows.items() if bone in skeleton)
        and _pairs(rig_map.shown)
        and _ends(rig_map.parents(skeleton))
    )


def _source(source: Source, skeleton: Skeleton) -> bool:
    flags = (source.own, source.shared, source.twists)
    return (
        all(bone in skeleton for bone in source.bones)
        and 0 < len(source.bones) == len(set(source.bones))
        and _numbers([source.at], 1)
        and 0.0 <= source.at <= 1.0
        and all(type(flag) is bool for flag in flags)
    )


def _switch(switch: Switch) -> bool:
    known = all(joint in JOINTS for joint in switch.joints)
    return known and _texts([switch.bone, switch.property]) and _numbers([switch.value], 1)


def _pairs(table: Any) -> bool:
    return isinstance(table, Mapping) and all(_texts(pair) for pair in table.items())


def _ends(parents: Sequence[int]) -> bool:
    """Whether the way up from every bone ends."""
    ended = [False] * len(parents)
    for bone in range(len(parents)):
        path: list[int] = []
        while bone >= 0 and not ended[bone]:
            if len(path) > len(parents):
                return False
            path.append(bone)
            bone = parents[bone]
        for passed in path:
            ended[passed] = True
    return True


def _texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _numbers(values: Sequence[Any], count: int) -> bool:
    return len(values) == count and all(
        type(value) in (int, float) and abs(value) < 1e9 and math.isfinite(value) for value in values
    )
