# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured on a rig, and what it must not exceed."""

from __future__ import annotations

import math
from dataclasses import dataclass

POSE_LIMIT = 0.5  # degrees between a segment of the body and Blender's
ROTATION_LIMIT = 0.1  # degrees between a bone as asked for and as Blender shows it
POSITION_LIMIT = 0.1  # millimetres, alike


@dataclass(frozen=True)
class Figures:
    """What was measured on one rig.

    Attributes:
        rig: its name in the table.
        error: the sentence with which the engine refused it; nothing else is told then.
        bones, frames: how many.
        map, confidence: the mapping found.
        lacks: body joints without a source.
        pose: degrees, greatest angle between a segment of the body and Blender's evaluated pose, forearms left out.
        pose_at: that segment and its frame.
        forearm: alike, of the forearms.
        edited_pose, edited_pose_at, edited_forearm: alike, after the edit of all joints was written.
        unedited: whether a round trip without an edit leaves every key as it is, bit for bit.
        others: whether an edit of one arm leaves every key of all other bones as it is.
        rotation, rotation_at: degrees, greatest difference between mapped bones as asked for and as Blender shows them.
        position: millimetres, alike.
        locked: mapped bones that may not be written, as something else moves them.
    """

    rig: str
    error: str = ""
    bones: int = 0
    frames: int = 0
    map: str = ""
    confidence: float = 0.0
    lacks: tuple[str, ...] = ()
    pose: float = math.nan
    pose_at: str = ""
    forearm: float = math.nan
    edited_pose: float = math.nan
    edited_pose_at: str = ""
    edited_forearm: float = math.nan
    unedited: bool = False
    others: bool = False
    rotation: float = math.nan
    rotation_at: str = ""
    position: float = math.nan
    position_at: str = ""
    locked: tuple[str, ...] = ()

    def failures(self) -> list[str]:
        """What falls short of the limits, in words."""
        if self.error:
            return [self.error]
        found = []
        for when, worst, where, forearm in (
            ("pose", self.pose, self.pose_at, self.forearm),
            ("edited pose", self.edited_pose, self.edited_pose_at, self.edited_forearm),
        ):
            if not worst < POSE_LIMIT:
                found.append(f"{when} {worst:.3f} degrees at {where}")
            if not forearm < POSE_LIMIT:
                found.append(f"{when} {forearm:.3f} degrees at a forearm")
        if not self.unedited:
            found.append("keys differ without an edit")
        if not self.others:
            found.append("keys of other bones differ after an edit of one arm")
        if not self.rotation < ROTATION_LIMIT:
            found.append(f"rotation {self.rotation:.4f} degrees at {self.rotation_at}")
        if not self.position < POSITION_LIMIT:
            found.append(f"position {self.position:.4f} mm at {self.position_at}")
        return found
