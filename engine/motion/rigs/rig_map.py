# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bones of one rig move which joints of the body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from engine.errors import MappingError
from engine.motion.joints import REQUIRED, SPINE
from engine.motion.skeleton import Skeleton


@dataclass(frozen=True)
class Source:
    """Where a body joint's rotation comes from.

    Attributes:
        bones: one bone, or several of one chain from the body outwards.
        at: position from the first bone's rotation (0) to the last one's (1).
        own: whether an edit of the joint turns a bone; otherwise its change reaches the next mapped child.
        shared: whether an edit turns all the bones by equal parts, as a long spine bends; otherwise the first alone.
        twists: whether the last bone takes the twist of an edit, and the first the bend: a limb in two bones.
    """

    bones: tuple[str, ...]
    at: float = 0.0
    own: bool = True
    shared: bool = False
    twists: bool = False

    @property
    def turned(self) -> tuple[str, ...]:
        """The bones that an edit of the joint turns, from the body outwards."""
        if not self.own:
            return ()
        if self.twists:
            return self.bones[0], self.bones[-1]
        return self.bones if self.shared else self.bones[:1]


@dataclass(frozen=True)
class Switch:
    """A custom property that makes a control rig obey the mapped bones.

    Attributes:
        bone: the pose bone that holds it.
        property: its name.
        value: what it must be while the mapped bones are read or written.
        joints: the body joints that depend on it.
    """

    bone: str
    property: str
    value: float
    joints: tuple[str, ...]


@dataclass(frozen=True)
class RigMap:
    """The mapping of one rig.

    Attributes:
        name: the table's name, or "names", "structure" or "custom" where no table tells the rig.
        title: what an animator calls the convention.
        sources: body joint -> source, for the joints the rig has.
        twist: body joint -> (child joint, share of the child bone's twist that belongs to the joint).
        limbs: body joint -> direction of its limb in the rest pose, in body axes.
        tpose: body joint -> rotation of its bone in T-pose, as angles about X, Y, Z in degrees, see `table`.
        turn: body joint -> angles about X, Y, Z in degrees, see `table`.
        confidence: 0 to 1. The share of the convention's joints that were found, times 1 for a convention told by
            its signature, 0.8 for one without it, 0.7 for names of no known convention and 0.5 for structure alone;
            joints mapped by hand count as certain.
        reasons: what the mapping rests on, one sentence each.
        switches: what a control rig must be set to, see `Switch`.
        follows: bone -> bone that it follows by a constraint, in place of its parent.
        shown: control -> bone that shows where the control's part of the body is, whether the control or another (its
            IK twin) moves it.
    """

    name: str
    title: str
    sources: Mapping[str, Source]
    twist: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    limbs: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    tpose: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    turn: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    confidence: float = 1.0
    reasons: tuple[str, ...] = ()
    switches: tuple[Switch, ...] = ()
    follows: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        """The mapping as JSON, with ``bones`` (body joint -> the bones that its edits turn) besides; see `restored`."""
        turned = {joint: list(source.turned) for joint, source in self.sources.items()}
        return json.loads(json.dumps(asdict(self))) | {"bones": turned}

    @classmethod
    def restored(cls, described: Mapping[str, Any]) -> RigMap:
        """The mapping that `described` gave.

        Whether it goes with a rig is for `engine.motion.rigs.restored_map` to see.

        Raises:
            MappingError: it is none.
        """
        try:
            values = {item.name: described[item.name] for item in fields(cls)}
            values["sources"] = {
                joint: Source(**{**source, "bones": tuple(source["bones"])})
                for joint, source in values["sources"].items()
            }
            values["switches"] = tuple(
                Switch(**{**switch, "joints": tuple(switch["joints"])}) for switch in values["switches"]
            )
            for name in ("twist", "limbs", "tpose", "turn"):
                values[name] = {joint: tuple(entry) for joint, entry in values[name].items()}
            return cls(**{**values, "reasons": tuple(values["reasons"])})
        except (KeyError, TypeError, AttributeError) as error:
            raise MappingError("The mapping of the rig's bones is broken; find the bones again.") from error

    @property
    def bones(self) -> dict[str, str]:
        """Body joint -> the first bone that its edits turn, for joints that have one."""
        return {joint: source.bones[0] for joint, source in self.sources.items() if source.own}

    @property
    def missing(self) -> list[str]:
        """What the mapping lacks to be of use: joints, or "a spine joint"."""
        missing = [joint for joint in REQUIRED if joint not in self.sources]
        return missing if any(joint in self.sources for joint in SPINE) else [*missing, "a spine joint"]

    def parents(self, skeleton: Skeleton) -> list[int]:
        """Index of the bone that each bone of the rig follows, -1 for none; it may come later in the rig's list."""
        return [
            skeleton.index(self.follows[name]) if name in self.follows else parent
            for name, parent in zip(skeleton.names, skeleton.parents, strict=True)
        ]

    def joints_of(self, bone: str) -> set[str]:
        """The body's joints that a bone of the rig moves by itself; none for a bone that is no part of the body."""
        return {
            joint
            for joint, source in self.sources.items()
            if source.bones[-1] == bone or (source.shared and bone in source.bones)
        }
