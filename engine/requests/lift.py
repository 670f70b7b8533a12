# SPDX-License-Identifier: GPL-3.0-or-later
"""The request ``lift``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from engine.errors import MotionError
from engine.motion.motion import BodyMotion
from engine.motion.retarget import to_body
from engine.protocol import Arrays, Header
from engine.requests.filming import check_pixels, lens_of, stand_of
from engine.requests.heatmaps import drawn
from engine.requests.parameters import floats, settings_of
from engine.requests.rig import MOST_VARIANTS, Answer, check_answer, described, map_of, motion_of
from engine.requests.single_pose import made_of, one_pose, taking_over
from engine.tasks.steps import OnStep


def lift(params: Header, arrays: Arrays, on_step: OnStep) -> Answer:
    """Animate a rig from 2D keypoints: `engine.tasks.lift.animation.lift`.

    Args:
        params: of a rig's animation, see `engine.requests.rig`; ``focal``, ``centre_u`` and ``centre_v`` of the camera
            in pixels, ``settings`` (fields of `LiftSettings`; ``keep`` is how many animations to make), and
            ``heatmaps`` (as the answer to ``keypoints`` has them, or null), from the whole of which DiffPose sets out.
        arrays: of a rig's animation of one frame; ``pixels`` (T, 17, 2), ``confidence`` (T, 17) and, where they are
            known, ``sigma`` (T, 17), see the task; ``camera`` (4, 4) or, where it moves, (T, 4, 4), the camera's axes
            (it looks along -Z, up is Y) in the rig's space, or none for a body that stays where its first frame
            stands; with heatmaps, ``image`` (T, 2, 2), see `engine.requests.heatmaps`.
        on_step: told (done, total, stage); stops the task by raising.

    Returns:
        ``errors`` (one for each animation, the best first, in pixels), ``pitch`` in radians (null unless settings ask
        for the world) and what `described` tells; and the arrays of the edits, see `packed`, with ``confidence``
        (T, 22), ``distance`` (T,) and ``spread`` (T,) in metres.

    Raises:
        ProtocolError: a parameter or array is missing or unknown.
        MappingError: the rig cannot be matched to the body. FileError: the heatmaps are gone or have changed.
        EngineError: as the task does.
    """
    from engine.tasks.lift.animation import LiftSettings, lift

    motion = one_pose(motion_of(params, arrays))
    rig_map = map_of(params, motion.skeleton)
    settings = settings_of(LiftSettings, params.get("settings", {}))
    if settings.keep > MOST_VARIANTS:
        raise MotionError(f"Ask for at most {MOST_VARIANTS} animations.")
    pixels, confidence = floats(arrays, "pixels", 3), floats(arrays, "confidence", 2)
    sigma = floats(arrays, "sigma", 2) if "sigma" in arrays else None
    check_answer(motion, len(pixels), settings.keep)
    check_pixels(pixels)
    camera = lens_of(params)
    stand = stand_of(arrays["camera"], len(pixels), motion, rig_map) if "camera" in arrays else None
    before = to_body(motion, rig_map)
    draws, heatmaps = None, params.get("heatmaps")
    if heatmaps is not None and settings.prior == "diffpose":
        on_step(0, len(pixels), "Reading")
        draws = drawn(heatmaps, arrays, len(pixels), settings.seed)
    found = lift(
        pixels, confidence, sigma, camera, motion.fps, settings, before.offsets, on_step=on_step, draws=draws
    )
    if stand is None:
        made = _standing(found.motions, before)
    else:
        made = [_before_the_camera(body, *stand) for body in found.motions]
    told = {"confidence": found.confidence, "distance": found.distance, "spread": found.spread}
    answer = {"errors": found.error.tolist(), "pitch": found.pitch} | described(motion, rig_map)
    return answer, taking_over(made_of(motion, rig_map, before, made), rig_map, motion.skeleton) | told


def _before_the_camera(body: BodyMotion, turn: Rotation, place: np.ndarray) -> BodyMotion:
    """A body in the camera's axes as `to_body` would have it of the rig before that camera, see `stand_of`."""
    poses = body.poses.copy()
    poses[:, 0] = (turn * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    return replace(body, poses=poses, transl=turn.apply(body.transl) + place)


def _standing(bodies: tuple[BodyMotion, ...], before: BodyMotion) -> list[BodyMotion]:
    """Bodies moved sideways and along, so that the first begins where the rig's pose stands."""
    shift = (before.transl[0] - bodies[0].transl[0]) * [1.0, 0.0, 1.0]
    return [replace(body, transl=body.transl + shift) for body in bodies]
