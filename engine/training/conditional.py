# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the conditional prior: poses given some of their joints (`engine.priors.conditional_prior`).

``python -m engine train --prior conditional``. A batch hides joints of each pose and shows the others through noise
of a level drawn per pose; the network predicts the diffusion noise of the hidden ones.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from engine.device import prefers_bfloat16
from engine.diffusion.denoiser import diffuse
from engine.diffusion.networks import ConditionalScoreMLP
from engine.motion.joints import JOINTS, PARTS
from engine.priors.conditional_prior import ConditionalPrior
from engine.priors.conditional_weights import save_conditional_prior
from engine.training import checkpoint, dataset
from engine.training.loop import batches, ema_average, stratified_times
from engine.training.ranks import Ranks, alone
from engine.training.statistics import statistics

BODY = JOINTS[1:]
WHOLE_PARTS, EACH_JOINT = (
    0.6,
    0.3,
)  # shares of poses that lose parts, or single joints; the rest lose everything
SECOND_PART = 0.3  # chance of each part beside the one that is always lost
LARGEST_DOUBT = 2.5  # standard deviations of a coordinate
VALIDATION_DOUBT = 1.0
VALIDATION_TIMES = 64
COOL_DOWN = 0.3  # share of the iterations over which the learning rate falls to nearly 0
LEAST_RATE = 0.02  # of the learning rate


def draw_known(count: int, generator: torch.Generator) -> Tensor:
    """Which joints are known in each of ``count`` poses, (count, 21) bool.

    Parts of `PARTS`, single joints at a rate of their own, or none at all (GFPose sec. 3.3).
    """
    parts = torch.tensor([[joint in members for joint in BODY] for members in PARTS.values()])
    also = torch.rand(count, len(parts), generator=generator) < SECOND_PART
    also[torch.arange(count), torch.randint(len(parts), (count,), generator=generator)] = True
    lost_parts = (also.float() @ parts.float()) > 0
    rate = torch.rand(count, 1, generator=generator)
    lost_joints = torch.rand(count, len(BODY), generator=generator) < rate
    kind = torch.rand(count, 1, generator=generator)
    everything = torch.ones(count, len(BODY), dtype=torch.bool)
    lost = torch.where(
        kind < WHOLE_PARTS,
        lost_parts,
        torch.where(kind < WHOLE_PARTS + EACH_JOINT, lost_joints, everything),
    )
    return ~lost


def hidden_noise_loss(
    prior: ConditionalPrior, event: Tensor, seen: Tensor, known: Tensor, doubt: Tensor, t: Tensor, z: Tensor
) -> Tensor:
    """Mean squared error of the noise predicted for hidden coordinates, a scalar.

    Args:
        event: (B, 63) the truth.
        seen: (B, 63) what is shown of it.
        known: (B, 21) bool.
        doubt: (B, 1) or a number, the level the network is told.
        t: (B',) times, B' dividing B, each for B / B' consecutive items.
        z: (B, 63) noise.
    """
    condition = prior.condition(seen, known, doubt)
    x_t = diffuse(prior.sde, event, t.repeat_interleave(len(event) // len(t)), z)
    noise = prior.network(x_t, t, condition.known, condition.trust).float()
    hidden = (~known).repeat_interleave(3, dim=1)
    return ((noise - z).square() * hidden).sum() / hidden.sum().clamp_min(1)


@torch.no_grad()
def validate(prior: ConditionalPrior, poses: Tensor, seed: int = 7) -> float:
    """The loss on held-out poses, known joints exact but doubted as in use; same masks and noise every time."""
    generator = torch.Generator().manual_seed(seed)
    rows = len(poses) // VALIDATION_TIMES * VALIDATION_TIMES
    device = prior.mean.device
    event = prior.normalise(poses[:rows].to(device))
    known = draw_known(rows, generator).to(device)
    times = stratified_times(VALIDATION_TIMES, prior.sde.t_min, prior.sde.t_max, generator).to(device)
    z = torch.randn(event.shape, generator=generator).to(device)
    return float(
        hidden_noise_loss(prior, event, event, known, torch.tensor(VALIDATION_DOUBT, device=device), times, z)
    )


def train_conditional(args: argparse.Namespace, ranks: Ranks | None = None) -> Path:
    """Train for the given iterations; returns the path of the weights, those that validate best.

    Args:
        args: options of ``train``.
        ranks: the processes that train together; this one alone by default. The loss is a mean over what is hidden, of
            which each rank has its own amount.

    Raises:
        FileError: no data. WeightsError: the checkpoint cannot be resumed. DeviceError: no such device.
    """
    ranks = ranks or alone(args.device)
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    device = ranks.device
    half = args.precision == "bfloat16" or (args.precision == "auto" and prefers_bfloat16(device))
    args.out.mkdir(parents=True, exist_ok=True)
    training = dataset.load(args.data, args.share_alike)
    held_out = torch.from_numpy(dataset.load(args.val).poses[::3]) if args.val else None
    mean, std = statistics(training, "axis-angle", "z-score")

    network = ConditionalScoreMLP(dropout=args.dropout)
    prior = ConditionalPrior(network, mean, std).to(device)
    averaged = AveragedModel(prior, avg_fn=ema_average(args.ema))
    smoothed = cast(ConditionalPrior, averaged.module)
    optimiser = torch.optim.Adam(prior.parameters(), lr=args.learning_rate)
    state = {"iteration": 0, "best": float("inf"), "seconds": 0.0}
    resume = args.out / "checkpoint.safetensors"
    if ranks.told(resume.exists() and not args.fresh):
        state = checkpoint.load(resume, prior, averaged, optimiser, generator)
        ranks.say(f"resumed at iteration {state['iteration']}")
    ranks.agree(prior, averaged)
    ranks.part_ways(args.seed, int(state["iteration"]))

    weights = args.out / "conditional.safetensors"
    source = batches(training, args.batch, generator, ranks)
    began, running = time.monotonic() - state["seconds"], 0.0
    with ranks.log(args.out / "log.jsonl") as log:
        for iteration in range(int(state["iteration"]) + 1, args.iterations + 1):
            left = (args.iterations - iteration) / (COOL_DOWN * args.iterations)
            for group in optimiser.param_groups:
                group["lr"] = args.learning_rate * min(1.0, iteration / args.warm_up, max(LEAST_RATE, left))
            event = prior.normalise(next(source).to(device))
            whole, part = ranks.size * args.batch, ranks.part(args.batch)
            known = draw_known(whole, generator)[part].to(device)
            doubt = (LARGEST_DOUBT * torch.rand(whole, 1, generator=generator))[part].to(device)
            seen = event + doubt * torch.randn(whole, event.shape[1], generator=generator)[part].to(device)
            times = stratified_times(
                ranks.size * args.times_per_batch, prior.sde.t_min, prior.sde.t_max, generator
            )[ranks.part(args.times_per_batch)]
            z = torch.randn(whole, event.shape[1], generator=generator)[part].to(device)
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                loss = hidden_noise_loss(prior, event, seen, known, doubt, times.to(device), z)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            ranks.average_gradients(prior.parameters())
            torch.nn.utils.clip_grad_norm_(prior.parameters(), 1.0, error_if_nonfinite=True)
            optimiser.step()
            averaged.update_parameters(prior)
            running += (ranks.mean(loss) - running) / min(iteration, 100)
            if iteration % args.validate_every and iteration != args.iterations:
                continue

            state |= {"iteration": iteration, "seconds": time.monotonic() - began}
            line = {"iteration": iteration, "train": round(running, 5), "seconds": round(state["seconds"], 1)}
            if ranks.leads:
                improved = True
                if held_out is not None:
                    averaged.eval()
                    line["val_loss"] = round(validate(smoothed, held_out), 5)
                    averaged.train()
                    improved = line["val_loss"] < state["best"]
                    state["best"] = min(line["val_loss"], state["best"])
                if improved:
                    notes = {"iteration": str(iteration), "seed": str(args.seed)}
                    save_conditional_prior(weights, smoothed, notes)
                checkpoint.save(resume, prior, averaged, optimiser, state, generator)
            print(json.dumps(line), file=log, flush=True)
            ranks.say(" ".join(f"{k} {v}" for k, v in line.items()))
            ranks.part_ways(args.seed, iteration)
    return weights
