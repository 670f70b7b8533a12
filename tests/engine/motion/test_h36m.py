# SPDX-License-Identifier: GPL-3.0-or-later
"""Human3.6M's 17 joints: their tree, their parts and their places on the SMPL body."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from engine.body import bundled
from engine.body.h36m_joints import h36m_joints
from engine.body.shapes import offsets_of
from engine.motion.h36m import JOINTS, MIRROR, PARENTS, PARTS, body_weights, part_mask
from engine.motion.keypoints import MARKS
from engine.tasks.fit.linearisation import place
from engine.tasks.fit.marks import marks


def test_parts_share_the_joints_out() -> None:
    assert sum(part_mask(name).astype(int) for name in PARTS).tolist() == [1] * len(JOINTS)
    assert [JOINTS[i] for i in np.flatnonzero(part_mask("right_leg"))] == ["right_hip", "right_knee", "right_ankle"]


def test_the_tree_is_its_own_mirror() -> None:
    assert [MIRROR[m] for m in MIRROR] == list(range(17))
    assert all(PARENTS[MIRROR[j]] == (MIRROR[p] if p >= 0 else -1) for j, p in enumerate(PARENTS))
    # Released GFPose's parts by number (random_mask_condition).
    assert [tuple(np.flatnonzero(part_mask(name))) for name in ("right_leg", "left_leg", "left_arm", "right_arm")] == [
        (1, 2, 3), (4, 5, 6), (11, 12, 13), (14, 15, 16),
    ]  # fmt: skip


def test_places_on_the_body_agree_with_the_marks_of_keypoints() -> None:
    rng = np.random.default_rng(0)
    poses = Rotation.random(22 * 5, random_state=1).as_rotvec().reshape(5, 22, 3) * rng.uniform(0, 1, (5, 22, 1))
    offsets = torch.from_numpy(offsets_of(rng.normal(size=(5, 10))))
    local = torch.from_numpy(Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(5, 22, 3, 3))
    joints = h36m_joints(local, offsets)
    seen = place(torch.from_numpy(poses), torch.zeros(5, 3, dtype=torch.float64), offsets, marks()).points
    shared = [name for name in JOINTS if name in MARKS and name != "pelvis"]
    assert len(shared) == 13
    torch.testing.assert_close(
        joints[:, [JOINTS.index(name) for name in shared]], seen[:, [MARKS.index(name) for name in shared]]
    )
    hips = joints[:, [JOINTS.index("left_hip"), JOINTS.index("right_hip")]]
    torch.testing.assert_close(joints[:, 0], hips.mean(dim=1))
    head = joints[:, JOINTS.index("head_top")] - seen[:, MARKS.index("head")]
    assert torch.allclose(head.norm(dim=-1), torch.tensor(0.191, dtype=torch.float64), atol=1e-3)
    np.testing.assert_allclose(body_weights().sum(axis=1), 1.0)


def test_many_shapes_at_once_are_the_shapes_one_by_one() -> None:
    betas = np.random.default_rng(2).normal(0.0, 2.0, (4, 10))
    np.testing.assert_allclose(offsets_of(betas), np.stack([bundled(row).offsets for row in betas]), atol=1e-5)
