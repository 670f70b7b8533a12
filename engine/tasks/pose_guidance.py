# SPDX-License-Identifier: GPL-3.0-or-later
"""The pose half of cleaning: L_DPoser pulls uncertain poses towards plausible ones."""

from __future__ import annotations

import numpy as np
import torch

from engine.device import pick_device, prefers_bfloat16
from engine.diffusion.schedule import truncated
from engine.diffusion.solvers import proximal
from engine.memory import at_once, within_memory
from engine.motion.windows import quat_to_rotvec, rotvec_to_quat
from engine.priors.pose_prior import POSE_DIM, PosePrior
from engine.tasks.temporal import Advance

ITERATIONS = 8
T_MAX, T_MIN = 0.2, 0.05  # DPoser sec. 4.3; the authors' second version ends at 0.05 as well
WEIGHT = 0.05  # tuned on the validation split: more costs accuracy, less leaves implausible poses in gaps
FRAMES_AT_ONCE = 2048


@within_memory
def guide_poses(
    quat: np.ndarray,
    variance: np.ndarray,
    prior: PosePrior,
    seed: int,
    device: str = "auto",
    advance: Advance | None = None,
) -> np.ndarray:
    """Body joints (T, 21, 4) drawn towards the prior as far as they are uncertain.

    Args:
        quat: unit quaternions WXYZ.
        variance: (T, 21) of each joint's log-rotation, per coordinate, in radians squared; 0 keeps a joint bit-equal.
        prior: the pose prior.
        seed: of the diffusion noise.
        device: auto, cpu, cuda or mps.
        advance: told the share done; stops by raising.
    """
    chosen = np.flatnonzero((variance > 0).any(axis=1))
    target = pick_device(device)
    prior = prior.to(target)
    std = prior.std.to("cpu", torch.float64).numpy().reshape(1, -1, 3)
    out = quat.copy()
    times = truncated(ITERATIONS, T_MAX, T_MIN)
    size = at_once(FRAMES_AT_ONCE)
    for begin in range(0, len(chosen), size):
        rows = chosen[begin : begin + size]
        pose = torch.from_numpy(quat_to_rotvec(quat[rows])).float().to(target)
        spread = torch.from_numpy((variance[rows, :, None] / std**2).reshape(-1, POSE_DIM)).float().to(target)
        start = prior.normalise(pose)
        generator = torch.Generator().manual_seed(seed)

        def tell(done: int, total: int, first: int = begin, count: int = len(rows)) -> None:
            if advance:
                advance((first + count * done / total) / len(chosen))

        with torch.autocast(target.type, torch.bfloat16, enabled=prefers_bfloat16(target)):
            event = proximal(prior.estimate, prior.sde, start, spread, times, WEIGHT, generator, tell)
        moved = prior.denormalise(event.float() - start) - prior.mean.reshape(1, -1, 3)
        change = moved.cpu().numpy().astype(np.float64)
        result = rotvec_to_quat(quat_to_rotvec(quat[rows]) + change)
        out[rows] = np.where((variance[rows] > 0)[..., None], result, quat[rows])
    return out
