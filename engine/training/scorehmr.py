# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of ScoreHMR's prior of rotations (Stathopoulos et al. 2024), its context from keypoints or pictures.

``python -m engine train --prior scorehmr``. The paper's contexts are features of pictures; who has some, with the poses
in those pictures, passes them as ``--image-features``. Else they are made of what a detector sees of captured poses on
random shapes before random cameras. The encoder is trained along, and is also asked for the rotations themselves, so
that its features tell what those of regression networks tell.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from engine.diffusion.denoiser import diffuse
from engine.diffusion.keypoint_encoder import KeypointEncoder
from engine.diffusion.rotation_network import RotationMLP
from engine.priors.rotation_prior import DIM, RotationPrior, crop, from_event, to_event
from engine.priors.rotation_weights import load_rotation_prior, save_rotation_prior
from engine.training.gfpose import DETECTORS
from engine.training.loop import stratified_times
from engine.training.people import People, detect, hidden
from engine.training.pictures import Pictures
from engine.training.ranks import Ranks, alone
from engine.training.run import Course, begin_from, train

HIDDEN = (0.05, 0.03, 0.03)
"""Chances that a person, a part and a joint is not seen; of a person of whom nothing is, the prior is of all poses."""
LATE = 150
"""Steps up to which half of the diffusion times are: refinement knows no later ones."""
ANSWER_WEIGHT = 1.0
VALIDATED, VALIDATION_SEED = 2048, 7


class Batch(NamedTuple):
    """Events (B, 144), what is told of them (B, 51 or features), steps (B,) and noise (B, 144)."""

    event: Tensor
    seen: Tensor
    t: Tensor
    z: Tensor


def steps(count: int, last: float, generator: torch.Generator) -> Tensor:
    """(count,) whole steps from 1, half of them up to `LATE`."""
    late = stratified_times(count // 2, 0.5, min(LATE, last) + 0.5, generator)
    every = stratified_times(count - count // 2, 0.5, last + 0.5, generator)
    return torch.cat([late, every])[torch.randperm(count, generator=generator)].round().clamp(1, last)


def losses(prior: RotationPrior, batch: Batch) -> tuple[Tensor, Tensor]:
    """Mean squared errors of the noise (eq. 11), and of the rotations that the encoder alone tells (0 without one)."""
    context = prior.context(batch.seen)
    x_t = diffuse(prior.sde, batch.event, batch.t, batch.z)
    noise = prior.network(x_t, batch.t, context).float()
    told = batch.event if prior.encoder is None else prior.encoder.answer(context).float()
    return (noise - batch.z).square().mean(), (told - batch.event).square().mean()


def degrees(found: Tensor, truth: Tensor) -> Tensor:
    """Mean angle in degrees between the rotations of events (B, 144)."""
    trace = torch.einsum("bjac,bjac->bj", from_event(found), from_event(truth))
    return torch.rad2deg(torch.acos(((trace - 1.0) / 2.0).clamp(-1.0, 1.0))).mean()


def train_scorehmr(args: argparse.Namespace, ranks: Ranks | None = None) -> Path:
    """Train the denoiser, and the encoder of keypoints with it; returns the path of the weights that validate best.

    Raises:
        FileError: no data, or files that do not fit each other. WeightsError: the checkpoint cannot be resumed.
        DeviceError: no such device.
    """
    ranks = ranks or alone(args.device)
    torch.manual_seed(args.seed)
    prior, drawn, shown = (_of_pictures if args.image_features else _of_people)(args, ranks)
    if args.start:
        begin_from(prior.load_state_dict, load_rotation_prior(args.start).state_dict(), args.start)
    part = ranks.part(args.batch)

    def batch(generator: torch.Generator) -> Batch:
        return Batch(*(rows[part] for rows in drawn(ranks.size * args.batch, generator)))

    def loss(model: RotationPrior, given: Batch) -> Tensor:
        noise, answer = losses(model, given)
        return noise + ANSWER_WEIGHT * answer

    def validate(model: RotationPrior) -> dict[str, float]:
        context = model.context(shown.seen)
        figures = {"loss": float(losses(model, shown)[0])}
        if model.encoder is not None:
            figures["answer_degrees"] = float(degrees(model.encoder.answer(context), shown.event))
        return figures

    return train(Course("scorehmr", prior, batch, loss, validate, save_rotation_prior), args, ranks)


Draw = Callable[[int, torch.Generator], Batch]
"""So many items, drawn anew."""


def _of_people(args: argparse.Namespace, ranks: Ranks) -> tuple[RotationPrior, Draw, Batch]:
    """A prior whose contexts are of keypoints, what it is trained on, and what it is validated on."""
    network = RotationMLP(DIM, args.features, args.hidden, args.blocks)
    encoder = KeypointEncoder(context=args.features, dim=DIM, hidden=args.hidden // 2)
    prior = RotationPrior(network, encoder).to(ranks.device)
    people = People.load(args.data, args.seed, args.share_alike, ranks.device)
    held_out = People.load(args.val, VALIDATION_SEED, device=ranks.device)

    def drawn(people: People, count: int, generator: torch.Generator) -> Batch:
        posed = people.draw_posed(count, generator)
        seen = detect(posed.joints, DETECTORS[args.detector], generator)
        lost = hidden(count, *HIDDEN, generator).to(posed.joints.device)
        told = crop(seen.joints[..., :2], seen.doubt[..., 0].masked_fill(lost, torch.inf))
        return _noised(prior, to_event(posed.turns).float(), told.float(), generator)

    shown = drawn(held_out, VALIDATED, torch.Generator().manual_seed(VALIDATION_SEED))
    return prior, partial(drawn, people), shown


def _of_pictures(args: argparse.Namespace, ranks: Ranks) -> tuple[RotationPrior, Draw, Batch]:
    """Likewise of features of pictures."""
    pictures = Pictures.load(args.image_features, args.image_poses)
    training, held_out = pictures.divided()
    network = RotationMLP(DIM, pictures.features.shape[1], args.hidden, args.blocks)
    prior = RotationPrior(network, None, *training.statistics()).to(ranks.device)

    def drawn(pictures: Pictures, rows: Tensor, generator: torch.Generator) -> Batch:
        event, seen = (a[rows].to(ranks.device) for a in (pictures.events, pictures.features))
        return _noised(prior, event, seen, generator)

    def some(count: int, generator: torch.Generator) -> Batch:
        return drawn(training, torch.randint(len(training), (count,), generator=generator), generator)

    # As many as there are, over and over, each with noise of its own.
    rows = torch.arange(VALIDATED) % len(held_out)
    return prior, some, drawn(held_out, rows, torch.Generator().manual_seed(VALIDATION_SEED))


def _noised(prior: RotationPrior, event: Tensor, seen: Tensor, generator: torch.Generator) -> Batch:
    """Events and what is told of them at steps that are drawn."""
    t = steps(len(event), prior.sde.t_max, generator)
    return Batch(event, seen, t.to(event), torch.randn(event.shape, generator=generator).to(event))
