# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loop of the pose prior."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from engine.device import prefers_bfloat16
from engine.diffusion.denoiser import noise_matching_loss
from engine.diffusion.networks import ScoreMLP
from engine.errors import WeightsError
from engine.priors.pose_prior import PosePrior
from engine.priors.weights import save_pose_prior
from engine.training import checkpoint, dataset
from engine.training.auxiliary import body_loss
from engine.training.ranks import Ranks, alone
from engine.training.statistics import statistics

VALIDATION_TIMES = 64
DEFAULTS = {"representation": "axis-angle", "normalisation": "z-score"}
"""What checkpoints from before there was a choice have."""


def ema_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Averaging function with the warm-up min(decay, (1 + n) / (10 + n)) of score_sde (ema.py)."""

    def average(averaged: Tensor, current: Tensor, updates: Tensor | int) -> Tensor:
        n = float(updates)
        weight = min(decay, (1.0 + n) / (10.0 + n))
        return averaged + (1.0 - weight) * (current - averaged)

    return average


def batches(
    poses: dataset.PoseSet, size: int, generator: torch.Generator, ranks: Ranks
) -> Iterator[Tensor]:
    """Endless batches (size, 21, 3), drawn by subject weight with replacement, each pose mirrored half the time.

    Each is this rank's part of what is drawn for all.
    """
    both = torch.from_numpy(np.stack([poses.poses, dataset.mirror(poses.poses)]))
    cumulative = torch.from_numpy(np.cumsum(poses.subject_weights()))
    while True:
        whole, part = size * ranks.size, ranks.part(size)
        draws = torch.rand(whole, generator=generator, dtype=torch.float64) * cumulative[-1]
        index = torch.searchsorted(cumulative, draws).clamp(max=len(poses) - 1)
        side = torch.randint(2, (whole,), generator=generator)
        yield both[side[part], index[part]]


def stratified_times(count: int, t_min: float, t_max: float, generator: torch.Generator) -> Tensor:
    """(count,) times, one uniform in each of ``count`` equal parts of [t_min, t_max], shuffled."""
    cells = torch.randperm(count, generator=generator) + torch.rand(count, generator=generator)
    return t_min + (t_max - t_min) * cells / count


@torch.no_grad()
def validate(prior: PosePrior, poses: Tensor, seed: int = 7) -> dict[str, float]:
    """Noise-prediction error on held-out poses with fixed noise, overall and where Clean Motion works (t <= 0.3).

    ``x0_deg`` is the root mean square error, in degrees per coordinate, of the one-step denoiser at t = 0.1.
    """
    generator = torch.Generator().manual_seed(seed)
    device = prior.mean.device
    count = min(VALIDATION_TIMES, len(poses))
    rows = len(poses) // count * count
    event = prior.normalise(poses[:rows].to(device))
    z = torch.randn(event.shape, generator=generator).to(device)
    losses = {}
    for name, t_max in (("loss", 1.0), ("loss_low", 0.3)):
        times = stratified_times(count, prior.sde.t_min, t_max, generator).to(device)
        losses[name] = float(noise_matching_loss(prior.denoiser, event, times, z).mean())
    t = torch.full((1,), 0.1, device=device)
    alpha, sigma = prior.sde.marginal(t)
    error = prior.denormalise(prior.estimate(alpha * event + sigma * z, t).x0) - poses[:rows].to(device)
    return losses | {"x0_deg": float(torch.rad2deg(error.square().mean().sqrt()))}


def untrained(args: argparse.Namespace, poses: dataset.PoseSet) -> PosePrior:
    """A prior with fresh weights and the statistics of the training poses."""
    mean, std = statistics(poses, args.representation, args.normalisation)
    network = ScoreMLP(len(mean), args.hidden, args.embed, dropout=args.dropout)
    return PosePrior(network, mean, std, representation=args.representation, normalisation=args.normalisation)


def training_loss(
    prior: PosePrior, event: Tensor, times: Tensor, z: Tensor, auxiliary: str, auxiliary_batch: int
) -> Tensor:
    """Noise matching over a batch, and the body-model loss over some of it where asked for (DPoser sec. D).

    Args:
        prior: in training.
        event: (B, dim); z, the same shape.
        times: (B',), each for B / B' items.
        auxiliary: none, plain or weighted.
        auxiliary_batch: items of the body-model loss, spread evenly over the batch and so over the times.
    """
    loss = noise_matching_loss(prior.denoiser, event, times, z).mean()
    if auxiliary == "none":
        return loss
    count = min(auxiliary_batch, len(event))
    rows = torch.arange(count, device=event.device) * len(event) // count
    each = times.repeat_interleave(len(event) // len(times))[rows]
    # Both are squared norms in the paper; ours of the noise is a mean over coordinates, so this one shrinks alike.
    return loss + body_loss(prior, event[rows], each, z[rows], auxiliary == "weighted").mean() / prior.dim


def kept_weights(folder: Path, iteration: int) -> Path:
    """Where ``--keep-every`` keeps the weights of an iteration."""
    return folder / f"dposer_{iteration:06d}.safetensors"


def train_dposer(args: argparse.Namespace, ranks: Ranks | None = None) -> Path:
    """Train until the iterations or the patience run out; returns the path of the best weights.

    Args:
        args: options of ``train``.
        ranks: the processes that train together; this one alone by default.
    """
    ranks = ranks or alone(args.device)
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    device = ranks.device
    half = args.precision == "bfloat16" or (args.precision == "auto" and prefers_bfloat16(device))
    args.out.mkdir(parents=True, exist_ok=True)

    training = dataset.load(args.data, args.share_alike)
    held_out = torch.from_numpy(dataset.load(args.val).poses[::3]) if args.val else None
    ranks.say(f"{len(training)} poses of {len(np.unique(training.subjects))} subjects on {ranks}")

    prior = untrained(args, training).to(device)
    averaged = AveragedModel(prior, avg_fn=ema_average(args.ema))
    smoothed = cast(PosePrior, averaged.module)
    optimiser = torch.optim.Adam(prior.parameters(), lr=args.learning_rate, betas=(0.9, 0.999), eps=1e-8)
    made_for = {"representation": args.representation, "normalisation": args.normalisation}
    state = {"iteration": 0, "best": float("inf"), "since_best": 0, "seconds": 0.0} | made_for
    resume = args.out / "checkpoint.safetensors"
    if ranks.told(resume.exists() and not args.fresh):
        state = checkpoint.load(resume, prior, averaged, optimiser, generator)
        if any(state.get(name, earlier) != made_for[name] for name, earlier in DEFAULTS.items()):
            raise WeightsError(
                f"The checkpoint {resume.name} has another representation or normalisation; use another --out."
            )
        ranks.say(f"resumed at iteration {state['iteration']}")
    ranks.agree(prior, averaged)
    ranks.part_ways(args.seed, int(state["iteration"]))

    best_path = args.out / "dposer.safetensors"
    started, running = time.monotonic() - state["seconds"], 0.0
    source = batches(training, args.batch, generator, ranks)
    with ranks.log(args.out / "log.jsonl") as log:
        for iteration in range(int(state["iteration"]) + 1, args.iterations + 1):
            for group in optimiser.param_groups:
                group["lr"] = args.learning_rate * min(1.0, iteration / args.warm_up)
            event = prior.normalise(next(source).to(device))
            times = stratified_times(
                ranks.size * args.times_per_batch, prior.sde.t_min, prior.sde.t_max, generator
            )[ranks.part(args.times_per_batch)].to(device)
            z = torch.randn(ranks.size * args.batch, prior.dim, generator=generator)[ranks.part(args.batch)].to(device)
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                loss = training_loss(prior, event, times, z, args.auxiliary, args.auxiliary_batch)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            ranks.average_gradients(prior.parameters())
            torch.nn.utils.clip_grad_norm_(prior.parameters(), 1.0, error_if_nonfinite=True)
            optimiser.step()
            averaged.update_parameters(prior)
            running += (ranks.mean(loss) - running) / min(iteration, 100)
            if args.keep_every and iteration % args.keep_every == 0 and ranks.leads:
                save_pose_prior(kept_weights(args.out, iteration), smoothed, {"iteration": str(iteration)})
            if iteration % args.validate_every and iteration != args.iterations:
                continue

            state |= {"iteration": iteration, "seconds": time.monotonic() - started}
            line = {"iteration": iteration, "train": round(running, 5), "seconds": round(state["seconds"], 1)}
            if ranks.leads:
                improved = True
                if held_out is not None:
                    averaged.eval()
                    figures = validate(smoothed, held_out)
                    averaged.train()
                    line |= {f"val_{k}": round(v, 5) for k, v in figures.items()}
                    improved = figures["loss"] < state["best"]
                    state |= {
                        "best": min(figures["loss"], state["best"]),
                        "since_best": 0 if improved else state["since_best"] + 1,
                    }
                if improved:
                    save_pose_prior(best_path, smoothed, {"iteration": str(iteration), "seed": str(args.seed)})
                checkpoint.save(resume, prior, averaged, optimiser, state, generator)
            print(json.dumps(line), file=log, flush=True)
            ranks.say(
                f"{iteration}/{args.iterations} "
                + " ".join(f"{k} {v}" for k, v in line.items() if k != "iteration")
            )
            state = ranks.told(state)
            ranks.part_ways(args.seed, iteration)
            if state["since_best"] >= args.patience:
                ranks.say("validation has stopped improving")
                break
    return best_path
