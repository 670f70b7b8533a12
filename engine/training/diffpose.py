# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of DiffPose (Gong et al. 2023): the context encoder first, then, with that frozen, the diffusion network.

``python -m engine train --prior context``, of single frames, or of sequences with ``--frames``, which may ``--start``
from the one of single frames; then ``--prior diffpose --context FILE``. The baselines of the paper's Table 4 are
``--single-step``, and that with more ``--blocks``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from engine.diffusion.denoiser import diffuse
from engine.diffusion.graph_network import ContextEncoder, PoseGraphNet
from engine.diffusion.mixture import Frame
from engine.diffusion.sde import DiscreteVP
from engine.motion.h36m import PARENTS
from engine.priors.joint_prior import JOINT_COUNT, Seen, centre, from_event, to_event
from engine.priors.lifting_prior import BETAS, Context, LiftingPrior
from engine.priors.lifting_weights import (
    load_context_encoder,
    load_lifting_prior,
    save_context_encoder,
    save_lifting_prior,
)
from engine.training.gfpose import DETECTORS
from engine.training.loop import stratified_times
from engine.training.people import People, detect, hidden
from engine.training.people_clips import PeopleClips
from engine.training.ranks import Ranks, alone
from engine.training.run import Course, begin_from, train

HIDDEN = (0.0, 0.03, 0.03)
"""Chances that a detector misses a person, a part and a joint."""
SAMPLES = 100
"""Of a starting distribution while training, a tenth of those in use."""
VALIDATED, VALIDATION_SEED = 1024, 7
LEAST_ERROR = 0.05
"""Units: a spread that the encoder tells is at least this while its likelihood is trained."""

Batch = tuple[Tensor, Seen]
"""Joints (clips * frames, 17, 3) in metres, and what is seen of them, centred."""
Draw = Callable[[int, torch.Generator], Batch]
"""A batch of so many clips."""


def _draws(args: argparse.Namespace, folders: list[Path], seed: int, frames: int, device: torch.device) -> Draw:
    detector = DETECTORS[args.detector]

    def seen_of(joints: Tensor, generator: torch.Generator) -> Batch:
        seen = detect(joints, detector, generator, frames)
        lost = hidden(len(joints), *HIDDEN, generator).to(joints.device)
        return joints, centre(Seen(seen.joints, seen.doubt.masked_fill(lost[:, :, None], torch.inf)))[0]

    if frames == 1:
        people = People.load(folders, seed, args.share_alike, device)
        return lambda count, generator: seen_of(people.draw(count, generator), generator)
    clips = PeopleClips(folders, frames, seed, args.share_alike, device)
    return lambda count, generator: seen_of(clips.draw(count, generator).flatten(0, 1), generator)


def _part_of(draw: Draw, clips: int, frames: int, ranks: Ranks) -> Callable[[torch.Generator], Batch]:
    """This rank's part of batches of so many clips for each."""

    def drawn(generator: torch.Generator) -> Batch:
        joints, seen = draw(ranks.size * clips, generator)
        part = ranks.part(clips * frames)
        return joints[part], Seen(seen.joints[part], seen.doubt[part])

    return drawn


@dataclass(frozen=True)
class Diffused:
    """Poses on their way to where they are looked for.

    Attributes:
        joints: (B, 17, 3) metres, the truth.
        context: of what is seen of them.
        frame: the component that each is diffused to.
        y: (B, 51) in its coordinates, at steps k (B,).
    """

    joints: Tensor
    context: Context
    frame: Frame
    y: Tensor
    k: Tensor


def _mpjpe(found: Tensor, truth: Tensor) -> float:
    """Millimetres between joints (B, 17, 3) in units and in metres."""
    return float(1000.0 * (from_event(found.flatten(1)) - truth).norm(dim=-1).mean())


def train_context(args: argparse.Namespace, ranks: Ranks | None = None) -> Path:
    """Train the context encoder to tell 3D joints, and how far it may be off; returns the path of its weights.

    Raises:
        FileError: no data. WeightsError: the checkpoint cannot be resumed. DeviceError: no such device.
    """
    ranks = ranks or alone(args.device)
    torch.manual_seed(args.seed)
    frames, clips = args.frames, max(1, args.batch // args.frames)
    draw = _draws(args, args.data, args.seed, frames, ranks.device)
    held_out = _draws(args, args.val, VALIDATION_SEED, frames, ranks.device)
    truth, looked_at = held_out(max(1, VALIDATED // frames), torch.Generator().manual_seed(VALIDATION_SEED))
    encoder = ContextEncoder(
        PARENTS, width=args.width, heads=args.heads, depth=args.depth, frames=frames, dropout=args.dropout
    ).to(ranks.device)
    if args.start:
        begin_from(encoder.start_from, load_context_encoder(args.start).to(ranks.device), args.start)
    # The prior's other half is not used: it is its context that is trained.
    holder = LiftingPrior(encoder, PoseGraphNet(PARENTS, width=4, context=0, blocks=0))

    def told(model: ContextEncoder, seen: Seen) -> Context:
        holder.encoder = model
        there = torch.ones(len(seen.joints) // frames, frames, dtype=torch.bool, device=seen.joints.device)
        return holder.context(seen, there)

    def loss(model: ContextEncoder, drawn: Batch) -> Tensor:
        joints, seen = drawn
        context = told(model, seen)
        error = context.mean - to_event(joints).unflatten(1, (JOINT_COUNT, 3))
        # The spread learns from the error, and the error is not weighed by the spread.
        std = context.std + LEAST_ERROR
        likelihood = torch.log(std) + 0.5 * (error.detach() / std).square()
        return error.norm(dim=-1).mean() + 0.1 * likelihood.mean()

    def validate(model: ContextEncoder) -> dict[str, float]:
        return {"mpjpe": _mpjpe(told(model, looked_at).mean, truth)}

    drawn = _part_of(draw, clips, frames, ranks)
    return train(Course("context", encoder, drawn, loss, validate, save_context_encoder), args, ranks)


def train_diffpose(args: argparse.Namespace, ranks: Ranks | None = None) -> Path:
    """Train the diffusion network on a frozen encoder; returns the path of the weights of both.

    Raises:
        FileError: no data. WeightsError: no encoder, or the checkpoint cannot be resumed. DeviceError: no such device.
    """
    ranks = ranks or alone(args.device)
    torch.manual_seed(args.seed)
    encoder = load_context_encoder(args.context).to(ranks.device)
    frames = encoder.frames
    clips = max(1, args.batch // frames)
    draw = _draws(args, args.data, args.seed, frames, ranks.device)
    held_out = _draws(args, args.val, VALIDATION_SEED, frames, ranks.device)
    generator = torch.Generator().manual_seed(VALIDATION_SEED)
    truth, looked_at = held_out(max(1, VALIDATED // frames), generator)
    features = 0 if args.no_context else encoder.width
    network = PoseGraphNet(
        PARENTS, context=features, width=args.width, heads=args.heads, blocks=args.blocks, dropout=args.dropout
    )
    if args.start:
        other = load_lifting_prior(args.start).network
        begin_from(network.load_state_dict, other.state_dict(), args.start)
    betas = tuple(args.betas) if args.betas else BETAS
    sde = DiscreteVP(args.steps, *betas)
    prior = LiftingPrior(encoder, network, args.components, sde, args.standard).to(ranks.device)

    def diffused(joints: Tensor, seen: Seen, k: Tensor, generator: torch.Generator) -> Diffused:
        """Poses diffused to steps k (B,)."""
        there = torch.ones(len(joints) // frames, frames, dtype=torch.bool, device=joints.device)
        with torch.no_grad():
            context = prior.context(seen, there)
        mixtures = prior.start(seen, context, SAMPLES, generator)
        frame = mixtures.draw(torch.rand(len(joints), generator=generator))
        z = torch.randn(len(joints), 3 * JOINT_COUNT, generator=generator).to(joints)
        y = diffuse(prior.sde, frame.whiten(to_event(joints)), k.to(joints), z)
        return Diffused(joints, context, frame, y, k.to(joints))

    def told(model: LiftingPrior, given: Diffused) -> Tensor:
        """What the network takes for the poses, (B, 17, 3) units."""
        found = model.under(given.context, given.frame)(given.y, given.k).x0
        return given.frame.colour(found).unflatten(1, (JOINT_COUNT, 3))

    def steps(count: int, generator: torch.Generator) -> Tensor:
        if args.single_step:
            return torch.full((count,), float(args.steps))
        return stratified_times(count, 0.5, args.steps + 0.5, generator).round().clamp(1, args.steps)

    part_of_a_batch = _part_of(draw, clips, frames, ranks)

    def drawn(generator: torch.Generator) -> Diffused:
        joints, seen = part_of_a_batch(generator)
        k = steps(ranks.size * clips * frames, generator)[ranks.part(clips * frames)]
        return diffused(joints, seen, k, generator)

    def loss(model: LiftingPrior, given: Diffused) -> Tensor:
        truth = to_event(given.joints).unflatten(1, (JOINT_COUNT, 3))
        return (told(model, given) - truth).norm(dim=-1).mean()

    def validate(model: LiftingPrior) -> dict[str, float]:
        same = torch.Generator().manual_seed(VALIDATION_SEED)
        last = torch.full((len(truth),), float(args.steps))
        given = {"mpjpe": diffused(truth, looked_at, last, same)}
        given["mpjpe_any"] = diffused(truth, looked_at, steps(len(truth), same), same)
        return {name: _mpjpe(told(model, one), truth) for name, one in given.items()}

    prior.encoder.requires_grad_(False)
    return train(Course("diffpose", prior, drawn, loss, validate, save_lifting_prior), args, ranks)
