# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody who is filmed, and somebody who walks past behind: captured motion on the mannequin, before the camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from demo import captured_clip, make_sample
from demo.sample_blend import on_the_floor, performed
from engine.body import Body
from engine.motion.motion import BodyMotion

CLIPS = ("test/cmu_13_26", "test/cmu_08_04")
"""Directing traffic, and a slow walk, of people whom no prior has seen."""
FRAMES = 60
STANDS, PASSES = (0.0, -1.6), (-1.05, 0.0)  # metres, Blender's axes: middles of both ways
FACES, GOES = np.radians(15.0), np.radians(123.7)
"""Headings from -Y towards +X: half to the camera, and across its view from the left."""


def acted(dummy: Body) -> tuple[str, list[BodyMotion]]:
    """What it is, and the motions of both on the mannequin, where they take place.

    Without captures it is the sample's walk, twice.
    """
    if captured_clip.DATA.is_dir():
        told = f"captures {' and '.join(CLIPS)}"
        both = [on_the_floor(_cut(captured_clip.clip(name, dummy)), dummy) for name in CLIPS]
    else:
        told = "the sample's walk, twice"
        both = [_cut(performed(make_sample.truth(), dummy))] * 2
    return told, [_placed(motion, *way) for motion, way in zip(both, ((FACES, STANDS), (GOES, PASSES)), strict=True)]


def _cut(motion: BodyMotion) -> BodyMotion:
    return replace(motion, poses=motion.poses[:FRAMES], transl=motion.transl[:FRAMES])


def _placed(motion: BodyMotion, heading: float, middle: tuple[float, float]) -> BodyMotion:
    """Turned to head there on average, the middle of its way over a place of the floor (SMPL's axes: Y up)."""
    ahead = Rotation.from_rotvec(motion.poses[:, 0]).apply((0.0, 0.0, 1.0)).mean(axis=0)
    turn = Rotation.from_euler("Y", heading - np.arctan2(ahead[0], ahead[2]))
    poses, transl = motion.poses.copy(), turn.apply(motion.transl)
    poses[:, 0] = (turn * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    transl[:, (0, 2)] += np.array([middle[0], -middle[1]]) - (transl.max(axis=0) + transl.min(axis=0))[[0, 2]] / 2.0
    return replace(motion, poses=poses, transl=transl)
