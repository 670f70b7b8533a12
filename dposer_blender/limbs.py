# SPDX-License-Identifier: GPL-3.0-or-later
"""Limbs that inverse kinematics stretches, as limbs of fixed length: what the controls of a control rig can do.

Solvers for inverse kinematics lengthen and shorten bones by some per cent to reach their targets. The FK controls
that are written in place of them do not. So knee and elbow are put where bones of the built length bring ankle and
wrist to the same place, in the plane that the limb bends in.
"""

from __future__ import annotations

import numpy as np

from . import rotations
from .clip import Clip

_NEARLY = 1e-3  # of a limb's length: as straight, or as folded, as it may be
_STILL = 1e-4  # radians between a control and what shows its limb


def unstretch(clip: Clip) -> None:
    """Give the evaluated limbs of a puppet that its controls do not move now their built lengths; in place."""
    puppet = clip.puppet
    assert puppet is not None and clip.poses is not None
    index = {name: j for j, name in enumerate(clip.names)}
    for switch in puppet.mapping["switches"]:
        chain = [puppet.mapping["bones"].get(joint, [None])[0] for joint in switch["joints"]]
        if len(chain) < 3 or any(name not in index for name in chain[:3]):
            continue
        bones = [index[name] for name in chain if name in index]
        gap = rotations.angle(clip.poses[:, bones[:2], :3, :3], puppet.seen.own[:, bones[:2], :3, :3])
        rows = np.flatnonzero(gap.max(axis=1) > _STILL)
        if len(rows):
            _bend(clip, rows, bones)


def _bend(clip: Clip, rows: np.ndarray, bones: list[int]) -> None:
    """Move the second joint of a limb, turn its first two bones after it, and carry the rest along."""
    assert clip.poses is not None
    poses = clip.poses[rows[:, None], bones].astype(np.float64)
    start, middle, stop = poses[:, 0, :3, 3], poses[:, 1, :3, 3], poses[:, 2, :3, 3]
    first, second = np.linalg.norm(np.diff(clip.rest[bones[:3], :3, 3], axis=0), axis=-1)
    whole = first + second
    along = stop - start
    reach = np.linalg.norm(along, axis=-1, keepdims=True)
    along = along / np.maximum(reach, 1e-9)
    reach = np.clip(reach, abs(first - second) + _NEARLY * whole, (1 - _NEARLY) * whole)
    aside = (middle - start) - ((middle - start) * along).sum(axis=-1, keepdims=True) * along
    aside = aside / np.maximum(np.linalg.norm(aside, axis=-1, keepdims=True), 1e-9)
    forth = (first**2 + reach**2 - second**2) / (2 * reach)
    knee = start + forth * along + np.sqrt(np.maximum(first**2 - forth**2, 0.0)) * aside
    ankle = start + reach * along
    for n, (before, after) in enumerate(((middle - start, knee - start), (stop - middle, ankle - knee))):
        poses[:, n, :3, :3] = rotations.to_matrices(rotations.between(before, after)) @ poses[:, n, :3, :3]
    poses[:, 1, :3, 3] = knee
    poses[:, 2, :3, 3] = ankle
    for n in range(3, len(bones)):
        offset = (np.linalg.inv(clip.rest[bones[n - 1]]) @ clip.rest[bones[n]])[:3, 3]
        turn = rotations.to_matrices(rotations.from_matrices(poses[:, n - 1, :3, :3]))
        poses[:, n, :3, 3] = poses[:, n - 1, :3, 3] + turn @ offset
    clip.poses[rows[:, None], bones] = poses
