# SPDX-License-Identifier: GPL-3.0-or-later
"""How the last cleaning of each armature went, for the panel; gone when Blender quits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bpy.app.translations import pgettext_iface as iface_

from .by_uid import ByUid


@dataclass(frozen=True)
class Outcome:
    """What the panel shows about an armature.

    Attributes:
        figures: names and values to show, such as ("Jitter", "-83 %").
        mapped: how many of the body's joints were found on the rig; 0 where nobody looked.
        problem: why the cleaning failed; empty where it did not.
    """

    figures: tuple[tuple[str, str], ...] = ()
    mapped: int = 0
    problem: str = ""


_outcomes: ByUid[Outcome] = ByUid()
remember, recall = _outcomes.keep, _outcomes.of
"""Keep and give the outcome for the armature of a ``session_uid``."""


def begin(uid: int) -> None:
    """Let go of what the run before told about an armature, but for the joints that were found."""
    before = recall(uid)
    if before is not None:
        remember(uid, Outcome(mapped=before.mapped))


def figures(report: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The figures of an engine's report that an animator reads: those it has, in words."""
    found: list[tuple[str, str]] = []
    noise = report.get("noise_deg_median")
    if noise is not None:
        found.append(("Noise", f"{noise:.1f}°"))
    before, after = report.get("jitter_before"), report.get("jitter_after")
    if before and after is not None:
        found.append(("Jitter", f"{100 * (after / before - 1):+.0f} %".replace("-", "\N{MINUS SIGN}")))
    rejected = report.get("rejected")
    if rejected is not None:
        found.append(("Rejected", f"{100 * rejected:.1f} %"))
    if mixed_up := report.get("mixed_up"):
        count = len(mixed_up)
        joints = iface_("1 joint") if count == 1 else iface_("{count} joints").format(count=count)
        found.append(("Sorted out", joints))
    if "pixels_off" in report:
        found.append(("Off the keypoints", f"{report['pixels_off']:.1f} px"))
    off = report.get("off_keypoints", [])
    for name, (before, now) in off:
        label = "Off the keypoints" if len(off) == 1 else name
        found.append((label, f"{before:.1f} \N{RIGHTWARDS ARROW} {now:.1f} px"))
    if "seconds" in report:
        found.append(("Time", f"{report['seconds']:.1f} s"))
    return tuple(found)
