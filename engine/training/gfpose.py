# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of GFPose's prior of joints (Ci et al. 2023), and of its deterministic twin.

``python -m engine train --prior gfpose``. Poses on random shapes before random cameras; a condition is what a detector
sees of them, or with some chance the 3D joints themselves, less what the hierarchy of masks hides (the paper's U3D).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from engine.diffusion.denoiser import diffuse
from engine.diffusion.joint_network import ConditionalJointMLP, JointMLP
from engine.priors.joint_prior import DIM, JointPrior, Seen, centre, from_event, to_event, told
from engine.priors.joint_weights import load_joint_prior, save_joint_prior, save_joint_regressor
from engine.training.loop import stratified_times
from engine.training.people import DETECTED, EXACT, Detector, People, detect, hidden
from engine.training.ranks import Ranks, alone
from engine.training.run import Course, begin_from, train

SHARE_OF_3D = 0.3
"""Of the conditions, where both kinds are trained; the paper has 0.1."""
DOUBTFUL_3D, MOST_DOUBT_3D = 0.3, 0.06
"""Share of 3D conditions that are noisy, and the largest standard deviation of their noise in metres."""
DETECTORS = {"mixed": Detector(), "exact": EXACT, "detected": DETECTED}
POSE_SPREAD = 2.0
"""Units: an error of x0 of so much counts as one of the noise's standard deviation, at any time."""
STATISTICS = 20_000
"""People that mean and spread are taken of."""
VALIDATED, VALIDATION_SEED, VALIDATION_TIMES = 4096, 7, 64


def observed(joints: Tensor, args: argparse.Namespace, generator: torch.Generator) -> Seen:
    """Conditions of joints (B, 17, 3), as the options draw them, centred."""
    count = len(joints)
    seen = detect(joints, DETECTORS[args.detector], generator)
    if args.conditions != "2d":
        share = 1.0 if args.conditions == "3d" else SHARE_OF_3D
        solid = (torch.rand(count, 1, 1, generator=generator) < share).to(joints.device)
        doubt = MOST_DOUBT_3D * torch.rand(count, 1, 1, generator=generator)
        doubt *= torch.rand(count, 1, 1, generator=generator) < DOUBTFUL_3D
        doubt = doubt.to(joints)
        noisy = joints + doubt * torch.randn(joints.shape, generator=generator).to(joints)
        seen = Seen(
            torch.where(solid, noisy, seen.joints), torch.where(solid, doubt.expand_as(joints), seen.doubt)
        )
    human, part, joint = args.masks
    lost = hidden(count, human, part, joint, generator).to(joints.device)
    return centre(Seen(seen.joints, seen.doubt.masked_fill(lost[:, :, None], torch.inf)))[0]


def noise_loss(prior: JointPrior, joints: Tensor, seen: Seen, times: Tensor, z: Tensor) -> Tensor:
    """GFPose's eq. 10 in noise prediction, and the same of x0, a mean over coordinates: a scalar.

    Where nearly all is noise, to tell that is no feat; but there it is decided which pose it will be, and in how x0 is
    told it shows. After 2,000 iterations without it the mean of what is drawn was 13 % farther off.

    Args:
        prior: in training.
        joints: (B, 17, 3) metres; seen: of the same people.
        times: (B',), each for B / B' consecutive people.
        z: (B, 51) noise.
    """
    each = times.repeat_interleave(len(joints) // len(times))
    x_t = diffuse(prior.sde, to_event(joints), each, z)
    noise = prior.noise(x_t, times, *prior.gaussian(seen), told(seen))
    alpha, sigma = prior.sde.marginal(each)
    weight = 1.0 + (sigma / (alpha * POSE_SPREAD)).square()
    return (weight[:, None] * (noise - z).square()).mean()


def regression_loss(network: JointMLP, joints: Tensor, seen: Seen) -> Tensor:
    """Mean squared error of an event's coordinates, as Martinez et al. (2017) train the same backbone."""
    return (network(told(seen)).float() - to_event(joints)).square().mean()


def train_gfpose(args: argparse.Namespace, ranks: Ranks | None = None) -> Path:
    """Train for the given iterations; returns the path of the weights that validate best.

    Raises:
        FileError: no data. WeightsError: the checkpoint cannot be resumed. DeviceError: no such device.
    """
    ranks = ranks or alone(args.device)
    torch.manual_seed(args.seed)
    people = People.load(args.data, args.seed, args.share_alike, ranks.device)
    held_out = People.load(args.val, VALIDATION_SEED, device=ranks.device)
    generator = torch.Generator().manual_seed(VALIDATION_SEED)
    shown = held_out.draw(VALIDATED, generator)
    looked_at = observed(shown, args, generator)
    z = torch.randn(VALIDATED, DIM, generator=generator).to(ranks.device)
    part = ranks.part(args.batch)

    def batch(generator: torch.Generator) -> tuple[Tensor, Seen]:
        joints = people.draw(ranks.size * args.batch, generator)
        seen = observed(joints, args, generator)
        return joints[part], Seen(seen.joints[part], seen.doubt[part])

    if args.deterministic:
        regressor = JointMLP(hidden=args.hidden, embed=args.embed, dropout=args.dropout, blocks=args.blocks)

        def miss(model: JointMLP) -> dict[str, float]:
            error = from_event(model(told(looked_at))) - shown
            return {"mpjpe": float(1000.0 * error.norm(dim=-1).mean())}

        return train(
            Course(
                "gfpose_twin",
                regressor.to(ranks.device),
                batch,
                lambda model, drawn: regression_loss(model, *drawn),
                miss,
                save_joint_regressor,
            ),
            args,
            ranks,
        )

    network = ConditionalJointMLP(hidden=args.hidden, embed=args.embed, dropout=args.dropout, blocks=args.blocks)
    if args.start:
        begin_from(network.load_state_dict, load_joint_prior(args.start).network.state_dict(), args.start)
    events = to_event(people.draw(STATISTICS, torch.Generator().manual_seed(args.seed)))
    # With sides swapped half the time, and turned any way, nobody is to one side or in front.
    mean = events.mean(dim=0).unflatten(0, (-1, 3)) * torch.tensor([0.0, 1.0, 0.0]).to(events)
    prior = JointPrior(network, mean.flatten(), events.std(dim=0)).to(ranks.device)
    times = stratified_times(VALIDATION_TIMES, prior.sde.t_min, prior.sde.t_max, generator).to(ranks.device)

    def diffused(generator: torch.Generator) -> tuple[Tensor, Seen, Tensor, Tensor]:
        joints, seen = batch(generator)
        t = stratified_times(ranks.size * args.times_per_batch, prior.sde.t_min, prior.sde.t_max, generator)
        noise = torch.randn(ranks.size * args.batch, DIM, generator=generator)[part]
        return joints, seen, t[ranks.part(args.times_per_batch)].to(joints), noise.to(joints)

    def validate(model: JointPrior) -> dict[str, float]:
        return {"loss": float(noise_loss(model, shown, looked_at, times, z))}

    return train(
        Course("gfpose", prior, diffused, lambda model, drawn: noise_loss(model, *drawn), validate, save_joint_prior),
        args,
        ranks,
    )
