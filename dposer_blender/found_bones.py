# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine found on each armature, for the table of bones; gone when Blender quits, and found again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .by_uid import ByUid


@dataclass(frozen=True)
class Found:
    """A mapping as the engine found it, without what was mapped by hand.

    Attributes:
        title: what an animator calls such rigs: "Mixamo".
        bones: body joint -> the bones it turns; none of its own for a joint that moves with its neighbours.
        confidence: 0 to 1.
        reasons: what the mapping rests on, one sentence each.
        switches: (bone, custom property, value) that a control rig needs to obey the bones.
        follows: bone -> bone that it follows by a constraint, in place of its parent.
    """

    title: str
    bones: Mapping[str, tuple[str, ...]]
    confidence: float = 1.0
    reasons: tuple[str, ...] = ()
    switches: tuple[tuple[str, str, float], ...] = ()
    follows: Mapping[str, str] = field(default_factory=dict)

    @property
    def certainty(self) -> str:
        """The confidence in a word."""
        return "certain" if self.confidence >= 0.9 else "likely" if self.confidence >= 0.65 else "a guess"


@dataclass(frozen=True)
class Search:
    """What one search gave.

    Attributes:
        found: what was found; None where the rig is no body to the engine.
        count: how many bones the armature had.
        entries: what was mapped by hand then.
        problem: why the two together are of no use, in a sentence; empty where they are.
    """

    found: Found | None
    count: int
    entries: Mapping[str, str]
    problem: str = ""


_searches: ByUid[Search] = ByUid()
remember, recall = _searches.keep, _searches.of
"""Keep and give the last search on the armature data of a ``session_uid``."""


def understood(answer: dict[str, Any], count: int, entries: Mapping[str, str]) -> Search:
    """The engine's answer to a ``map`` request about an armature of so many bones."""
    told = answer["found"]
    found = None
    if told is not None:
        found = Found(
            title=told["title"].partition(" (")[0],
            bones={joint: tuple(bones) for joint, bones in told["bones"].items()},
            confidence=told["confidence"],
            reasons=tuple(told["reasons"]),
            switches=tuple((s["bone"], s["property"], s["value"]) for s in told["switches"]),
            follows=told["follows"],
        )
    return Search(found, count, dict(entries), answer["problem"])
