# SPDX-License-Identifier: GPL-3.0-or-later
"""The body's 22 joints in an animator's words."""

from __future__ import annotations

import re

from ..engine.motion.joints import JOINTS

_SPECIAL = {"spine1": "Lower Spine", "spine2": "Middle Spine", "spine3": "Upper Spine"}
_LIMBS = {
    "hip": ("Hip", "thigh"),
    "knee": ("Knee", "shin"),
    "ankle": ("Ankle", "foot"),
    "foot": ("Toes", "toes"),
    "collar": ("Collar", "collarbone"),
    "shoulder": ("Shoulder", "upper arm"),
    "elbow": ("Elbow", "forearm"),
    "wrist": ("Wrist", "hand"),
}
_LEG, _ARM = ("hip", "knee", "ankle", "foot"), ("collar", "shoulder", "elbow", "wrist")

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Torso", ("head", "neck", "spine3", "spine2", "spine1", "pelvis")),
    *(
        (f"{side.title()} {limb}", tuple(f"{side}_{joint}" for joint in joints))
        for limb, joints in (("Arm", _ARM), ("Leg", _LEG))
        for side in ("left", "right")
    ),
)
"""Parts of the body from head to toes, each with its joints in the order in which they are read."""


def _title(joint: str) -> str:
    side, _, limb = joint.partition("_")
    return f"{side.title()} {_LIMBS[limb][0]}" if limb else _SPECIAL.get(joint, joint.title())


def _bone(joint: str) -> str:
    side, _, limb = joint.partition("_")
    if limb:
        return f"{side} {_LIMBS[limb][1]}"
    return {"pelvis": "hips", "neck": "neck", "head": "head"}.get(joint, TITLES[joint].lower())


TITLES: dict[str, str] = {joint: _title(joint) for joint in JOINTS}
"""Joint -> what it is called: "Left Elbow"."""

BONES: dict[str, str] = {joint: _bone(joint) for joint in JOINTS}
"""Joint -> the bone that turns at it: "left forearm"."""


def in_words(sentence: str) -> str:
    """A sentence of the engine with the names of its joints ("left_elbow") as an animator reads them."""
    return re.sub(r"\b[a-z]+(?:_[a-z]+|[123])\b", lambda match: TITLES.get(match[0], match[0]), sentence)
