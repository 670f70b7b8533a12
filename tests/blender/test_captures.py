# SPDX-License-Identifier: GPL-3.0-or-later
"""Real captures, faulted, cleaned in headless Blender through the operator as a user does."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
pytest.importorskip(
    "scipy", reason="the demo's importer needs the engine's libraries in Blender's own interpreter"
)

from engine.motion import bvh  # noqa: E402
from engine.motion.rigs import find_map  # noqa: E402
from engine.motion.windows import multiply, rotvec_to_quat  # noqa: E402
from engine.tasks.confidence import angle  # noqa: E402

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "bvh_test"
CLIPS = (
    "cmu_05_01", "cmu_05_02", "cmu_05_02_CC_Base", "cmu_05_10_CC_Base", "cmu_08_01", "cmu_09_01",
    "cmu_13_01", "cmu_13_11", "cmu_13_19", "cmu_13_26", "cmu_13_33", "cmu_13_39",
)  # fmt: skip
FRAMES = 360

pytestmark = [
    pytest.mark.skipif(not DATA.is_dir(), reason="the real captures are not beside this checkout"),
    pytest.mark.skipif(bpy.app.version < (4, 4), reason="the demo's importer needs action slots"),
]


@pytest.mark.parametrize("name", CLIPS)
def test_a_noisy_capture_comes_back_nearer_to_the_capture(name: str) -> None:
    from demo import rig

    clip = bvh.read(DATA / f"{name}.bvh").motion
    first = 1  # the T-pose is no motion
    truth = dataclasses.replace(
        clip,
        rotations=clip.rotations[first : first + FRAMES],
        translations=clip.translations[first : first + FRAMES],
    )
    bones = [clip.skeleton.index(bone) for bone in find_map(clip.skeleton).bones.values()]
    rng = np.random.default_rng(5)
    shake = np.zeros((*truth.rotations.shape[:2], 3))
    shake[:, bones] = np.deg2rad(3.0) * rng.normal(size=(len(truth), len(bones), 3))
    noisy = dataclasses.replace(truth, rotations=multiply(truth.rotations, rotvec_to_quat(shake)))

    armature = rig.build(name, noisy)
    before = rig.read(armature, clip.skeleton, len(truth))[0]
    # Feet held still under a root that shook are off the capture's angles; tests of the engine see to them.
    assert bpy.ops.dposer.clean_motion(method="prior", feet="never") == {"FINISHED"}
    after = rig.read(armature, clip.skeleton, len(truth))[0]

    assert armature.animation_data.action.name == f"{name}_clean"
    assert bpy.data.actions[name].use_fake_user
    others = np.setdiff1d(np.arange(len(clip.skeleton)), bones)
    assert (after[:, others] == before[:, others]).all(), "bones that are no part of the body stay"
    error = [np.rad2deg(angle(quat, truth.rotations)[:, bones]).mean() for quat in (before, after)]
    # At 120 fps noise of 3 degrees per axis leaves about a quarter; half leaves room for the liveliest clip.
    assert error[1] < 0.5 * error[0], f"{error[0]:.2f} degrees before, {error[1]:.2f} after"
