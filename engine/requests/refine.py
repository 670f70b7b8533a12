# SPDX-License-Identifier: GPL-3.0-or-later
"""The request ``refine``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.errors import MotionError, ProtocolError
from engine.motion.motion import Motion
from engine.motion.retarget import Alignment, to_body, to_rig
from engine.motion.rigs import RigMap
from engine.protocol import Arrays, Header
from engine.requests.filming import check_pixels, lens_of, stand_of
from engine.requests.parameters import floats, required, settings_of, texts
from engine.requests.rig import Answer, check_answer, described, joints_of, map_of, motion_of, packed
from engine.tasks.steps import OnStep

if TYPE_CHECKING:
    from engine.tasks.refine.animation import Shot

MOST_CAMERAS = 16
MOST_SMOOTH = 100.0
MOST_ROUNDS = 1000


@dataclass(frozen=True)
class RefineRequestSettings:
    """How to refine.

    Attributes:
        preset: of `engine.tasks.refine.refine.PRESETS`.
        smooth: how many times as much as usual frames hang together.
        rounds: of inversion and sampling, at most; None for the preset's.
        device: auto, cpu, cuda or mps.
    """

    preset: str = "best"
    smooth: float = 1.0
    rounds: int | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        from engine.tasks.refine.refine import PRESETS

        if self.preset not in PRESETS:
            raise MotionError(f"There is no way to refine called {self.preset}; choose of {', '.join(PRESETS)}.")
        if not 0.0 <= self.smooth <= MOST_SMOOTH:
            raise MotionError(f"Smoothness must be from 0 to {MOST_SMOOTH:g}, not {self.smooth:g}.")
        if self.rounds is not None and not 1 <= self.rounds <= MOST_ROUNDS:
            raise MotionError(f"Refine in 1 to {MOST_ROUNDS} rounds, not in {self.rounds}.")


def refine(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Refine a rig's animation to what cameras saw of it: `engine.tasks.refine.animation.refine_motion`.

    Args:
        params: of a rig's animation, see `engine.requests.rig`; ``cameras`` (V of them, none to make the animation
            smooth and no more: each with ``focal``, ``centre_u`` and ``centre_v`` in pixels), ``bones`` (bones, joints
            or body parts that may change, or null for all), ``settings`` (fields of `RefineRequestSettings`).
        arrays: of a rig's animation; of its cameras ``pixels`` (V, T, 17, 2), ``confidence`` (V, T, 17) from 0, not
            seen, to 1, where they are known ``sigma`` (V, T, 17), NaN where not, and ``camera`` (V, 4, 4) or, where
            they move, (V, T, 4, 4), see `stand_of`.
        on_step: told (done, total, stage); stops the task by raising.

    Returns:
        ``before`` and ``after`` (for each camera, how far off its keypoints the animation is, in pixels; null where it
        saw none), ``rounds`` and ``evaluations`` (of the loop and of the network, means over the frames), and what
        `described` tells; and the arrays of one edit, see `packed`.

    Raises:
        ProtocolError: a parameter or array is missing or unknown.
        MappingError: the rig cannot be matched to the body. EngineError: as the task does.
    """
    from engine.tasks.refine.animation import pixels_off, refine_motion
    from engine.tasks.refine.refine import preset

    motion = motion_of(params, arrays)
    rig_map = map_of(params, motion.skeleton)
    settings = settings_of(RefineRequestSettings, params.get("settings", {}))
    chosen = None if params.get("bones") is None else joints_of(texts(params, "bones"), rig_map)
    check_answer(motion, len(motion))
    shots = _shots(params, arrays, motion, rig_map)
    usual = preset(settings.preset, max(1, len(shots)))
    loop = usual.loop if settings.rounds is None else replace(usual.loop, rounds=settings.rounds)
    before = to_body(motion, rig_map)
    found = refine_motion(
        before,
        shots,
        replace(usual, loop=loop, smooth=settings.smooth * usual.smooth, device=settings.device),
        held=None if chosen is None else ~chosen,
        on_step=on_step,
    )
    edit = to_rig(motion, rig_map, before, found.motion)
    # As the rig shows it, which may lack joints of the body.
    after = to_body(edit.motion, rig_map, Alignment(motion, rig_map))
    answer = {
        "before": [_told(pixels_off(before, shot)) for shot in shots],
        "after": [_told(pixels_off(after, shot)) for shot in shots],
        "rounds": found.rounds,
        "evaluations": found.evaluations,
    }
    return answer | described(motion, rig_map), packed([edit])


def _shots(params: Header, arrays: Arrays, motion: Motion, rig_map: RigMap) -> list[Shot]:
    """What each camera saw, and where it stands."""
    from engine.tasks.refine.animation import Shot

    cameras = _cameras(required(params, "cameras"))
    if not cameras:
        return []
    pixels, confidence = floats(arrays, "pixels", 4), floats(arrays, "confidence", 3)
    sigma = floats(arrays, "sigma", 3) if "sigma" in arrays else [None] * len(cameras)
    places = required(arrays, "camera")
    check_pixels(pixels)
    if not len(cameras) == len(pixels) == len(confidence) == len(sigma) == len(places):
        raise MotionError("Each camera needs keypoints and a place of its own.")
    shots = []
    for number, camera in enumerate(cameras):
        turn, place = stand_of(places[number], len(motion), motion, rig_map)
        shots.append(Shot(turn, place, lens_of(camera), pixels[number], confidence[number], sigma[number]))
    return shots


def _cameras(cameras: Any) -> list[Header]:
    if not isinstance(cameras, list) or not all(isinstance(camera, dict) for camera in cameras):
        raise ProtocolError("A request to the engine has cameras that are no list; reinstall DPoser.")
    if len(cameras) > MOST_CAMERAS:
        raise MotionError(f"Refine to at most {MOST_CAMERAS} cameras, not to {len(cameras)}.")
    return cameras


def _told(error: float) -> float | None:
    return float(error) if np.isfinite(error) else None
