# SPDX-License-Identifier: GPL-3.0-or-later
"""The sample file: made by its script, opened as any file, cleaned by the extension."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

bpy = pytest.importorskip("bpy", reason="needs Blender as a module (build.py test sets it up)")

from demo import make_sample, mannequin, rig, sample_blend  # noqa: E402
from engine import body  # noqa: E402
from engine.motion.joints import JOINTS, PARTS  # noqa: E402
from rigcheck.extension import load  # noqa: E402

ROOT = Path(sample_blend.__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file, made in a process of its own."""
    folder = tmp_path_factory.mktemp("sample")
    target = folder / "sample.blend"
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(folder)}
    command = [sys.executable, "-m", "demo.sample_blend", str(target)]
    made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert made.returncode == 0, made.stderr
    return target


@pytest.fixture
def opened(sample: Path) -> Any:
    """The mannequin, in the opened file."""
    bpy.ops.wm.open_mainfile(filepath=str(sample))
    return bpy.context.object


@pytest.fixture
def registered() -> Iterator[None]:
    os.environ.setdefault("DPOSER_PYTHON", sys.executable)
    extension = load()
    extension.register()
    yield
    extension.unregister()


def _vertices(name: str) -> np.ndarray:
    """(V, 3) where Blender shows a character's skin, the character's place taken off."""
    skin = bpy.data.objects[f"{name} Skin"].evaluated_get(bpy.context.evaluated_depsgraph_get())
    flat = np.empty(3 * len(skin.data.vertices), np.float32)
    skin.data.vertices.foreach_get("co", flat)
    matrix = np.array(skin.matrix_world)
    return flat.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3] - np.array(skin.parent.location)


def _shown(frame: int) -> dict[str, np.ndarray]:
    bpy.context.scene.frame_set(frame)
    return {name: _vertices(name) for name in ("Mannequin", "Mixamo", "Rigify")}


def test_weights_pose_the_skin_as_the_package_does() -> None:
    dummy = body.bundled()
    shares, rest, heads = mannequin.weights(dummy), mannequin.rest(dummy), mannequin.heads(dummy)
    poses = np.random.default_rng(1).normal(scale=0.5, size=(1, 22, 3))
    joints = dummy.joints(poses, np.zeros(3)).numpy()[0]
    turns = [np.eye(3)] * len(JOINTS)
    for joint, parent in enumerate(dummy.parents):
        own = Rotation.from_rotvec(poses[0, joint]).as_matrix()
        turns[joint] = turns[parent] @ own if parent >= 0 else own
    blended = sum(
        shares[:, j, None] * ((rest - heads[j]) @ turns[j].T + joints[j]) for j in range(len(JOINTS))
    )
    np.testing.assert_allclose(blended, dummy.vertices(poses, np.zeros(3)).numpy()[0], atol=1e-5)


def test_characters_move_as_the_generators_clip(opened: Any) -> None:
    dummy = body.bundled()
    noisy = sample_blend.performed(make_sample.capture(make_sample.truth()), dummy)
    for frame in (1, 75, 150):
        posed = dummy.vertices(noisy.poses[frame - 1], noisy.transl[frame - 1]).numpy()
        wanted = rig.TO_BLENDER.apply(posed)
        apart = {name: np.linalg.norm(skin - wanted, axis=1) for name, skin in _shown(frame).items()}
        assert apart["Mannequin"].max() < 0.002 and apart["Mixamo"].max() < 0.002
        assert np.median(apart["Rigify"]) < 0.02  # its spine bends elsewhere


def test_file_holds_what_its_text_says(opened: Any) -> None:
    text = bpy.data.texts["Read me"].as_string()
    for name in (sample_blend.NOISY, sample_blend.LOST_ARM, sample_blend.KEYS, sample_blend.STAND):
        assert name in text and bpy.data.actions[name].use_fake_user
    assert opened.name == sample_blend.MANNEQUIN and opened.mode == "POSE"
    assert opened.animation_data.action.name == sample_blend.NOISY
    paths = {curve.data_path for curve in bpy.data.actions[sample_blend.LOST_ARM].fcurves}
    assert not [path for path in paths if any(f'"{joint}"' in path for joint in PARTS["left_arm"])]
    keys = [curve.keyframe_points for curve in bpy.data.actions[sample_blend.KEYS].fcurves]
    assert all(len(points) == len(sample_blend.POSED) for points in keys)
    assert all(point.select_control_point for points in keys for point in points)
    assert all(name in bpy.data.objects for name in sample_blend.REACH)


def test_clip_is_cleaned(opened: Any, registered: None) -> None:
    dummy = body.bundled()
    truth = sample_blend.performed(make_sample.truth(), dummy)
    heads = dummy.joints(truth.poses, truth.transl).numpy() @ rig.TO_BLENDER.as_matrix().T

    def error() -> float:
        """Mean distance of the joints from the truth in millimetres, the pelvis at the origin."""
        found = []
        for frame in range(1, len(truth) + 1):
            bpy.context.scene.frame_set(frame)
            found.append([opened.pose.bones[joint].head[:] for joint in JOINTS])
        apart = (np.array(found) - np.array(found)[:, :1]) - (heads - heads[:, :1])
        return 1000.0 * float(np.linalg.norm(apart, axis=-1).mean())

    before = error()
    assert bpy.ops.dposer.clean_motion() == {"FINISHED"}
    assert opened.animation_data.action.name == f"{sample_blend.NOISY}_clean"
    after = error()
    assert after < 0.6 * before, (before, after)
