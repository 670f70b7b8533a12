# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's importer, against Blender's own pose evaluation and the file's own numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs Blender as a module (build.py test sets it up)")

from demo import make_sample, rig  # noqa: E402
from engine.motion import bvh  # noqa: E402
from engine.motion.motion import Motion  # noqa: E402

SAMPLE = Path(make_sample.__file__).with_name("sample.bvh")


@pytest.fixture
def motion() -> Motion:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return bvh.read(SAMPLE).motion


def _angle(first: np.ndarray, second: np.ndarray) -> float:
    """Greatest angle between unit quaternions in degrees."""
    apart = np.minimum(np.linalg.norm(first - second, axis=-1), np.linalg.norm(first + second, axis=-1))
    return float(np.degrees(4.0 * np.arcsin(apart / 2.0)).max())


def test_read_gives_back_what_was_built(motion: Motion) -> None:
    armature = rig.build("sample", motion)
    rotations, translations = rig.read(armature, motion.skeleton, len(motion))
    assert _angle(rotations, motion.rotations) < 1e-4
    np.testing.assert_allclose(translations, motion.translations, atol=1e-4)


def test_joints_are_where_the_file_says(motion: Motion) -> None:
    armature = rig.build("sample", motion)
    heads, parents = motion.skeleton.rest[:, :3, 3], np.array(motion.skeleton.parents)
    offsets = np.where(parents[:, None] < 0, heads, heads - heads[parents])
    for frame in (0, 70, 150):
        bpy.context.scene.frame_set(rig.FIRST_FRAME + frame)
        places = _forward(motion, offsets, frame) * motion.skeleton.scale
        for name, (x, y, z) in zip(motion.skeleton.names, places, strict=True):
            np.testing.assert_allclose(armature.pose.bones[name].head, (x, -z, y), atol=2e-5)


def test_scene_runs_at_the_clips_rate(motion: Motion) -> None:
    slow = Motion(motion.skeleton, motion.rotations, motion.translations, 23.976)
    rig.build("sample", slow)
    render = bpy.context.scene.render
    assert render.fps / render.fps_base == pytest.approx(23.976, rel=1e-5)
    assert bpy.context.scene.frame_end - bpy.context.scene.frame_start + 1 == len(motion)


def test_sample_is_what_its_script_makes() -> None:
    truth = make_sample.truth()
    for name, made in (("sample_truth", truth), ("sample", make_sample.capture(truth))):
        kept = bvh.read(SAMPLE.with_stem(name)).motion
        assert kept.fps == pytest.approx(made.fps)
        assert _angle(kept.rotations, made.rotations) < 1e-3
        np.testing.assert_allclose(kept.translations, made.translations, atol=1e-3)


def test_standing_foot_of_the_truth_stays() -> None:
    motion = bvh.read(SAMPLE.with_stem("sample_truth")).motion
    places = make_sample.joint_positions(motion.rotations) + motion.translations[:, :1]
    toes = places[:, [make_sample.NAMES.index(f"{side}ToeBase") for side in ("Left", "Right")]]
    speed = np.linalg.norm(np.diff(toes, axis=0), axis=-1).min(axis=1) * motion.fps
    assert np.median(speed) < 10.0  # cm/s; the captures of CMU slide at 9 to 19


def _forward(motion: Motion, offsets: np.ndarray, frame: int) -> np.ndarray:
    """(J, 3) joint positions of one frame by the textbook recursion, in the file's units."""
    places = np.zeros_like(offsets)
    turns = np.zeros((len(offsets), 3, 3))
    for j, parent in enumerate(motion.skeleton.parents):
        w, x, y, z = motion.rotations[frame, j]
        local = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )
        offset = offsets[j] + motion.translations[frame, j]
        places[j] = offset if parent < 0 else places[parent] + turns[parent] @ offset
        turns[j] = local if parent < 0 else turns[parent] @ local
    return places
