# SPDX-License-Identifier: GPL-3.0-or-later
"""One training loop for the networks of lifters: rates, averaged weights, checkpoints, validation and log."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from engine.device import prefers_bfloat16
from engine.errors import WeightsError
from engine.training import checkpoint
from engine.training.loop import ema_average
from engine.training.ranks import Ranks

COOL_DOWN = 0.4
"""Share of the iterations over which the learning rate falls to nearly 0."""
LEAST_RATE = 0.01
"""Of the learning rate."""

Model = TypeVar("Model", bound=nn.Module)
Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Course(Generic[Model, Batch]):
    """What is trained, and how.

    Attributes:
        name: of the weights file.
        model: on its device.
        draw: this rank's part of a batch that is drawn for all ranks; in full precision, whatever the network runs in.
        loss: of the model on what was drawn, a scalar.
        validate: figures of the averaged model on what it never saw, the one to improve first.
        save: writes weights with notes.
    """

    name: str
    model: Model
    draw: Callable[[torch.Generator], Batch]
    loss: Callable[[Model, Batch], Tensor]
    validate: Callable[[Model], dict[str, float]]
    save: Callable[[Path, Model, dict[str, str]], None]


def begin_from(take: Callable[[Any], object], weights: Any, path: Path) -> None:
    """Start a network from other weights; WeightsError: they are another network's."""
    try:
        take(weights)
    except (ValueError, RuntimeError) as error:
        raise WeightsError(f"{path.name} holds another network than the one to train.") from error


def train(course: Course[Model, Batch], args: argparse.Namespace, ranks: Ranks) -> Path:
    """Train for the given iterations; returns the path of the averaged weights, those that validate best.

    Args:
        course: see `Course`.
        args: options of ``train``.
        ranks: the processes that train together.

    Raises:
        WeightsError: the checkpoint cannot be resumed.
    """
    generator = torch.Generator().manual_seed(args.seed)
    half = args.precision == "bfloat16" or (args.precision == "auto" and prefers_bfloat16(ranks.device))
    args.out.mkdir(parents=True, exist_ok=True)
    model = course.model
    averaged = AveragedModel(model, avg_fn=ema_average(args.ema))
    smoothed = cast(Model, averaged.module)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(parameters, lr=args.learning_rate)
    state = {"iteration": 0, "best": float("inf"), "seconds": 0.0}
    resume = args.out / "checkpoint.safetensors"
    if ranks.told(resume.exists() and not args.fresh):
        state = checkpoint.load(resume, model, averaged, optimiser, generator)
        ranks.say(f"resumed at iteration {state['iteration']}")
    ranks.agree(model, averaged)
    ranks.part_ways(args.seed, int(state["iteration"]))

    weights = args.out / f"{course.name}.safetensors"
    began, running = time.monotonic() - state["seconds"], 0.0
    with ranks.log(args.out / "log.jsonl") as log:
        for iteration in range(int(state["iteration"]) + 1, args.iterations + 1):
            left = (args.iterations - iteration) / (COOL_DOWN * args.iterations)
            for group in optimiser.param_groups:
                group["lr"] = args.learning_rate * min(1.0, iteration / args.warm_up, max(LEAST_RATE, left))
            batch = course.draw(generator)
            with torch.autocast(ranks.device.type, torch.bfloat16, enabled=half):
                loss = course.loss(model, batch)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            ranks.average_gradients(parameters)
            torch.nn.utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
            optimiser.step()
            averaged.update_parameters(model)
            running += (ranks.mean(loss) - running) / min(iteration, 100)
            if iteration % args.validate_every and iteration != args.iterations:
                continue

            state |= {"iteration": iteration, "seconds": time.monotonic() - began}
            line = {"iteration": iteration, "train": round(running, 5), "seconds": round(state["seconds"], 1)}
            if ranks.leads:
                averaged.eval()
                with torch.no_grad():
                    figures = course.validate(smoothed)
                averaged.train()
                line |= {f"val_{name}": round(value, 5) for name, value in figures.items()}
                first = next(iter(figures.values()))
                if first < state["best"]:
                    state["best"] = first
                    course.save(weights, smoothed, {"iteration": str(iteration), "seed": str(args.seed)})
                checkpoint.save(resume, model, averaged, optimiser, state, generator)
            print(json.dumps(line), file=log, flush=True)
            ranks.say(" ".join(f"{name} {value}" for name, value in line.items()))
            ranks.part_ways(args.seed, iteration)
    return weights
