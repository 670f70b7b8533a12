# SPDX-License-Identifier: GPL-3.0-or-later
"""New natural poses from the prior alone (DPoser sec. 5.2, pose generation)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from engine.device import pick_device, prefers_bfloat16
from engine.diffusion.noise import Noise
from engine.diffusion.samplers import SAMPLERS, integrate
from engine.diffusion.schedule import bent
from engine.errors import MotionError
from engine.memory import at_once, within_memory
from engine.motion.windows import quat_to_rotvec, rotvec_to_quat
from engine.priors.pose_prior import PosePrior
from engine.priors.weights import load_pose_prior
from engine.tasks.steps import OnStep

ROWS_AT_ONCE = 4096
MOST = 100_000  # poses
HOTTEST = 1.25  # poses come apart beyond: at 1.3 they lie twice as far from each other as captured ones


@dataclass(frozen=True)
class GenerateSettings:
    """How to generate.

    Attributes:
        sampler: a name of `engine.diffusion.samplers.SAMPLERS`.
        steps: of the sampler.
        bend: exponent of the time grid; 1 is uniform, above 1 puts more steps near t = 0.
        t_min: time at which sampling ends; the clean estimate there is the pose.
        temperature: standard deviation of all noise, that sampling sets out from and that it adds; below 1 gives
            common poses, above 1 rare ones.
        seed: of all randomness; pose n is the same however many are asked for.
        device: auto, cpu, cuda or mps.
    """

    sampler: str = "ddim 0.6"
    steps: int = 50
    bend: float = 1.0
    t_min: float = 1e-3
    temperature: float = 1.0
    seed: int = 0
    device: str = "auto"


PRESETS: dict[str, GenerateSettings] = {
    "paper": GenerateSettings("euler-maruyama", 1000, bend=1.0, t_min=1e-5),
    "released": GenerateSettings("predictor-corrector", 1000, bend=1.0, t_min=5e-3),
    "best": GenerateSettings(),
}
"""``paper``: Euler-Maruyama in 1,000 steps (sec. 5.2). ``released``: with one Langevin correction (snr 0.16) after each
step, down to t = 5e-3 (``demo.py --metrics``). ``best``: a twentieth of the evaluations; eta was chosen on
the validation split, where 0.6 varies as real poses do, 1 less and 0 more."""


@within_memory
def generate(
    count: int,
    settings: GenerateSettings | None = None,
    prior: PosePrior | None = None,
    on_step: OnStep | None = None,
) -> np.ndarray:
    """Generate poses.

    Args:
        count: how many.
        settings: see `GenerateSettings`; the default is the preset "best".
        prior: the bundled one by default.
        on_step: told (done, total, stage); stops the work by raising.

    Returns:
        (count, 21, 3) float64 axis-angle in radians, root not included.

    Raises:
        MotionError: no pose is asked for, or the temperature is not positive.
        WeightsError, DeviceError: as named.
    """
    chosen = settings or PRESETS["best"]
    if not 1 <= count <= MOST:
        raise MotionError(f"Ask for at least one pose and at most {MOST}.")
    if not 0.0 < chosen.temperature <= HOTTEST:
        raise MotionError(
            f"The temperature must be above 0 and at most {HOTTEST}; 1 is as lively as the training data."
        )
    device = pick_device(chosen.device)
    prior = (prior or load_pose_prior()).to(device)
    sde = prior.sde
    times = bent(chosen.steps, sde.t_max, chosen.t_min, chosen.bend)
    first = np.random.SeedSequence(chosen.seed).generate_state(1, np.uint64)[0]
    with np.errstate(over="ignore"):
        seeds = first + np.arange(count, dtype=np.uint64)
    poses = np.empty((count, 21, 3))
    size = at_once(ROWS_AT_ONCE)
    for begin in range(0, count, size):
        noise = Noise(seeds[begin : begin + size], chosen.temperature)

        def tell(done: int, steps: int, first: int = begin, rows: int = len(noise)) -> None:
            if on_step:
                on_step(int(first + rows * done / steps), count, "Generating poses")

        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=prefers_bfloat16(device)):
            x = noise.draw((prior.dim,), device)
            step = SAMPLERS[chosen.sampler]
            x = integrate(prior.estimate, sde, x, times, step, noise, on_iteration=tell).x
            event = prior.estimate(x, torch.full((1,), chosen.t_min, device=device)).x0
        poses[begin : begin + len(noise)] = prior.denormalise(event.float()).cpu().numpy()
    return quat_to_rotvec(rotvec_to_quat(poses))  # sampled angles may exceed pi
