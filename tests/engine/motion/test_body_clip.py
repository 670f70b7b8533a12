# SPDX-License-Identifier: GPL-3.0-or-later
"""The body as a rig of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from seen_person import person

from engine.body import posed
from engine.commands.clip_file import ClipFile
from engine.motion import bvh
from engine.motion.body_clip import body_rig
from engine.motion.joints import JOINTS, PARENTS
from engine.motion.retarget import Alignment


def test_a_file_of_the_body_has_its_joints_where_they_are(tmp_path: Path) -> None:
    motion = person(20, seed=4).motion
    path = tmp_path / "body.bvh"
    bvh.write(path, bvh.from_motion(body_rig(motion)))
    read = bvh.read(path).motion
    assert read.fps == motion.fps and read.skeleton.scale == 1.0
    assert [read.skeleton.names[p] for p in read.skeleton.parents[1:]] == [
        JOINTS[PARENTS[JOINTS.index(name)]] for name in read.skeleton.names[1:]
    ]
    clip = ClipFile(path)
    assert clip._rig_map is not None and clip._rig_map.missing == []
    heads = Alignment(read, clip._rig_map).globals(read.rotations, read.translations)[1]
    column = [Alignment(read, clip._rig_map).column(name) for name in JOINTS]
    np.testing.assert_allclose(heads[:, column], posed(motion)[0], atol=1e-5)
    # As any rig's, it is read as the body that it is, but for where limbs point at rest.
    assert np.linalg.norm(posed(clip.body)[0] - posed(motion)[0], axis=-1).mean() < 0.015
