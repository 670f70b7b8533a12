# SPDX-License-Identifier: GPL-3.0-or-later
"""From hypotheses of every frame to a few animations, each of which goes on from frame to frame."""

from __future__ import annotations

import numpy as np

from engine.motion.h36m import JOINTS
from engine.tasks.lift.smoothing_spline import smoothing_spline

ORDINARY = 1.0
"""Metres per second from the pelvis at which joints move as people do, and by which going beyond costs one."""
APART = 0.06
"""Metres, root mean square over the joints, from which two animations count as different."""
REPELLED = 40.0  # cost of a frame of an animation that was chosen before
DISAGREEMENT = 0.25
"""Weight of squared deviations from what was seen: hypotheses were drawn under it already."""
RESIDUAL_LIMIT = 3.0  # standard deviations at which an observation is taken for an outlier

FRESH = 0.15
"""Of what hypotheses differ by, the part of an animation's error that each frame has anew."""
LEAST_DEVIATION = 0.006  # metres
_LIVELY = {"wrist": 12.0, "elbow": 5.0, "ankle": 8.0, "knee": 4.0, "nose": 2.0, "top": 2.0}
_CALM = 0.8
"""Roughness of joints' paths, m^2 / s^3: see `smoothing_spline`."""


def choose_paths(
    joints: np.ndarray, fps: float, keep: int = 1, seen: np.ndarray | None = None, doubt: np.ndarray | None = None
) -> np.ndarray:
    """Which hypothesis each animation takes on each frame, (N, T) int64, the best animation first.

    Dynamic programming (Viterbi 1967) over the hypotheses: typical ones cost little, steps are as long as people's
    are, and each further animation keeps away from those before it.

    Args:
        joints: (T, S, 17, 3) metres from the pelvis, in axes that hardly turn.
        fps: frames per second.
        keep: N, at most S.
        seen: (T, 17, 2) metres, what the first two coordinates were seen to be; None for nothing.
        doubt: (T, 17) standard deviations of that, infinite where a joint was not seen.
    """
    frames, count = joints.shape[:2]
    flat = joints.reshape(frames, count, -1)
    node = _rarity(joints)
    if seen is not None and doubt is not None:
        miss = np.linalg.norm(joints[..., :2] - seen[:, None], axis=-1) / (doubt + LEAST_DEVIATION)[:, None]
        node = node + DISAGREEMENT * np.minimum(np.square(miss), RESIDUAL_LIMIT**2).sum(axis=-1)
    steps = [_step_cost(joints[t - 1], joints[t], fps) for t in range(1, frames)]
    paths: list[np.ndarray] = []
    for _ in range(min(keep, count)):
        path = _cheapest(node, steps)
        paths.append(path)
        chosen = flat[np.arange(frames), path]
        apart = np.square(flat - chosen[:, None]).sum(axis=-1) / joints.shape[2]
        node = node + REPELLED * np.exp(-0.5 * apart / APART**2)
    return np.stack(paths)


def along(joints: np.ndarray, path: np.ndarray) -> np.ndarray:
    """The animation (T, ...) that takes hypotheses ``path`` (T,) of joints (T, S, ...)."""
    return joints[np.arange(len(joints)), path]


def settled(joints: np.ndarray, path: np.ndarray) -> np.ndarray:
    """The animation (T, 17, 3) of hypotheses ``path`` (T,), each the mean of those that hardly differ from it.

    That is one step of mean shift (Cheng 1995): nearer the middle of what is likely there, without mixing in what is
    another pose. With a width of `APART` the error falls as far as with any from 0.03 to 0.12 m.
    """
    chosen = along(joints, path)
    apart = np.square(joints - chosen[:, None]).sum(axis=(2, 3)) / joints.shape[2]
    weight = np.exp(-0.5 * apart / APART**2)
    return np.einsum("ts,tsjc->tjc", weight / weight.sum(axis=1, keepdims=True), joints)


def spread(joints: np.ndarray) -> np.ndarray:
    """(T, 17, 3) standard deviations over hypotheses (T, S, 17, 3); of a single one, what doubt alone would leave."""
    return joints.std(axis=1, ddof=1) if joints.shape[1] > 1 else np.full(joints[:, 0].shape, APART)


def smoothed(path: np.ndarray, deviation: np.ndarray, fps: float) -> np.ndarray:
    """An animation (T, 17, 3) without what frames have anew, each joint as lively as people move it.

    Args:
        path: metres; each axis by itself.
        deviation: (T, 17, 3) what the hypotheses differ by, infinite where a frame tells nothing.
        fps: frames per second.
    """
    own = np.hypot(FRESH * deviation, LEAST_DEVIATION)
    result = np.empty_like(path)
    for joint, name in enumerate(JOINTS):
        roughness = _LIVELY.get(name.split("_")[-1], _CALM)
        result[:, joint] = smoothing_spline(path[:, joint], own[:, joint], roughness, fps)
    return result


def _rarity(joints: np.ndarray) -> np.ndarray:
    """(T, S) minus the logarithm of a kernel density over each frame's hypotheses, relative to the frame's densest."""
    frames, count = joints.shape[:2]
    flat = joints.reshape(frames, count, -1)
    apart = np.stack([_squared(frame, frame) for frame in flat]) / joints.shape[2]
    width = np.maximum(np.median(apart, axis=(1, 2), keepdims=True), 1e-8) / 4.0
    density = -np.log(np.exp(-0.5 * apart / width).mean(axis=2))
    return density - density.min(axis=1, keepdims=True)


def _step_cost(before: np.ndarray, after: np.ndarray, fps: float) -> np.ndarray:
    """(S, S) cost of going from each hypothesis (S, 17, 3) to each of the next frame."""
    cost = np.zeros((len(before), len(after)))
    for joint in range(before.shape[1]):
        speed = fps * np.sqrt(_squared(before[:, joint], after[:, joint]))
        cost += 0.5 * np.square(np.maximum(speed / ORDINARY - 1.0, 0.0))
    return cost


def _squared(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(A, B) squared distances of points (A, D) and (B, D)."""
    inner = first @ second.T
    return np.maximum(np.square(first).sum(axis=1)[:, None] + np.square(second).sum(axis=1) - 2.0 * inner, 0.0)


def _cheapest(node: np.ndarray, steps: list[np.ndarray]) -> np.ndarray:
    """(T,) the path of least cost over nodes (T, S) and steps (S, S) between them."""
    frames = len(node)
    back = np.zeros(node.shape, np.int64)
    total = node[0]
    for t in range(1, frames):
        ways = total[:, None] + steps[t - 1]
        back[t] = ways.argmin(axis=0)
        total = ways.min(axis=0) + node[t]
    path = np.empty(frames, np.int64)
    path[-1] = total.argmin()
    for t in range(frames - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return path
