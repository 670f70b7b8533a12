# SPDX-License-Identifier: GPL-3.0-or-later
"""DiffPose's prior (Gong et al. 2023): context encoder, diffusion network, and the distribution a pose starts from.

Joints are (..., 17, 3) metres in the image frame with the pelvis at 0, as in `engine.priors.joint_prior`; networks
see them in its units. What is seen of a joint is its two coordinates scaled by trust, and the trust.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.diffusion.denoiser import Estimate
from engine.diffusion.graph_network import ContextEncoder, PoseGraphNet
from engine.diffusion.mixture import Frame, GaussianMixtures
from engine.diffusion.samplers import Denoise
from engine.diffusion.sde import DiscreteVP
from engine.priors.joint_prior import DIM, JOINT_COUNT, UNIT, Seen, centre, told

STEPS = 50
PRINTED_BETAS = (1e-4, 2e-3)
"""As the supplementary has them: after 50 steps alpha_K^2 is 0.949, though sec. 4.2 needs it to be nearly 0."""
BETAS = (1e-4, 0.25)
"""Ours: alpha_K^2 is 0.001, so that a start drawn from the mixture is what the diffusion has led to."""
LEAST_STD = 0.1
"""Units: a spread below it (6 mm) would have the network tell poses apart by less than they are known to."""
KEPT = 1e-3  # least of the mixture's standard deviations, units
ELSEWHERE = 3.0
"""Standard deviations of a keypoint, at which the middle of a component is in another mode of the heatmap."""


@dataclass(frozen=True)
class Context:
    """What the encoder tells of frames.

    Attributes:
        features: (B, 17, C).
        mean: (B, 17, 3) units, where it takes the joints to be.
        std: (B, 17, 3) units, how far that may be off.
    """

    features: Tensor
    mean: Tensor
    std: Tensor

    def rows(self, index: Tensor | slice) -> Context:
        """Of some of the frames."""
        return Context(self.features[index], self.mean[index], self.std[index])


class LiftingPrior(nn.Module):
    """Encoder and diffusion network with their diffusion.

    Args:
        encoder: trained first, then frozen.
        network: of the reverse process.
        components: M of the mixture that poses start from.
        sde: in discrete steps.
        standard: diffuse to white noise about 0 instead (the paper's Stand-Diff, Tab. 5).
    """

    def __init__(
        self,
        encoder: ContextEncoder,
        network: PoseGraphNet,
        components: int = 5,
        sde: DiscreteVP | None = None,
        standard: bool = False,
    ) -> None:
        super().__init__()
        self.encoder, self.network = encoder, network
        self.components, self.standard = components, standard
        self.sde = sde or DiscreteVP(STEPS, *BETAS)

    def context(self, seen: Seen, there: Tensor | None = None) -> Context:
        """Context of all frames of clips.

        Args:
            seen: centred, (B * T, 17, 3), frames of a clip side by side, as many as the encoder's at most.
            there: (B, T) bool; by default frames are clips of their own.
        """
        frames = 1 if there is None else there.shape[1]
        features = self.encoder.features(keypoints(seen).unflatten(0, (-1, frames)), there).flatten(0, 1)
        mean, log_std = self.encoder.told(features)
        return Context(features, mean.float(), log_std.float().clamp(-6.0, 4.0).exp())

    def start(
        self, seen: Seen, context: Context, samples: int, generator: torch.Generator, alike: bool = False
    ) -> GaussianMixtures:
        """The distribution H_K of each frame's pose, as a mixture fitted to samples of it (sec. 4.1 and eq. 6).

        Two coordinates are spread as the heatmaps say, depth as the encoder does, and so is what was not seen. Where
        there are draws of the heatmaps, each is taken as often as any other; else a joint has one Gaussian. Of frames
        ``alike`` the samples are the same draws, so that their mixtures go on from frame to frame; if all joints have
        one Gaussian they are the same mixture moved and scaled, since expectation-maximisation knows no scale.
        """
        if self.standard:
            shape = (len(seen.joints), 1, DIM)
            nothing = context.mean.new_zeros(shape)
            return GaussianMixtures(nothing[:, :, 0] + 1.0, nothing, nothing + 1.0)
        known = seen.known
        mean = torch.where(known, seen.joints / UNIT, context.mean)
        std = torch.where(known, seen.doubt / UNIT, context.std).clamp_min(LEAST_STD)
        mean, std = (a.flatten(1)[:, None] for a in (mean, std))
        noise = torch.randn(1 if alike else len(mean), samples, DIM, generator=generator).to(mean)
        if seen.draws is None and alike:
            of_all = GaussianMixtures.fit(noise, self.components, generator, floor=KEPT / LEAST_STD)
            weights = of_all.weights.expand(len(mean), -1)
            return GaussianMixtures(weights, mean + std * of_all.means, std * of_all.stds)
        drawn, width = mean + std * noise, None
        if seen.draws is not None:
            drawn, width = _with_draws(drawn, noise, seen, generator), std[:, 0]
        return GaussianMixtures.fit(drawn, self.components, generator, floor=KEPT, alike=alike, width=width)

    def under(self, context: Context, frame: Frame) -> Denoise:
        """The denoiser of samplers for whitened events (B, 51) of as many contexts."""
        centre = frame.mean.unflatten(1, (JOINT_COUNT, 3))
        features = context.features if self.network.settings["context"] else None

        def denoise(y: Tensor, t: Tensor) -> Estimate:
            alpha, sigma = (c.reshape(-1, 1) for c in self.sde.marginal(t))
            pose = frame.colour(y).unflatten(1, (JOINT_COUNT, 3))
            x0 = frame.whiten(self.network(pose, centre, t, features).float().flatten(1))
            noise = (y - alpha * x0) / sigma.clamp_min(1e-6)
            return Estimate(x0, noise, -noise / sigma.clamp_min(1e-6))

        return denoise


def _with_draws(drawn: Tensor, noise: Tensor, seen: Seen, generator: torch.Generator) -> Tensor:
    """Samples (B, S, 51), their first two coordinates of joints that were seen replaced by ``seen.draws``.

    Noise (B or 1, S, 51) is added to draws of narrow heatmaps up to `LEAST_STD`.
    """
    assert seen.draws is not None
    samples, count = drawn.shape[1], seen.draws.shape[1]
    # In an order of its own for each joint: a detector's heatmaps know nothing of each other.
    times = -(-samples // count)
    order = torch.rand(times, count, JOINT_COUNT, generator=generator).argsort(dim=1).flatten(0, 1)[:samples]
    index = order.to(seen.draws.device)[None, :, :, None].expand(len(drawn), -1, -1, 2)
    lacking = (LEAST_STD**2 - (seen.doubt[..., :2] / UNIT).square()).clamp_min(0.0).sqrt()
    joints, spread = (a.unflatten(2, (JOINT_COUNT, 3)) for a in (drawn, noise))
    places = seen.draws.gather(1, index) / UNIT + lacking[:, None] * spread[..., :2]
    known = seen.known[:, None, :, :2]
    return torch.cat([torch.where(known, places, joints[..., :2]), joints[..., 2:]], dim=3).flatten(2)


def in_mode(seen: Seen, means: Tensor, stds: Tensor) -> Seen | None:
    """What is seen where joints are in the modes of their heatmaps in which a component has them; None if it has none
    in another mode than the strongest, which is what is seen anyway.

    Args:
        seen: (B, 17, 3), centred; it is again what it tells.
        means, stds: (B, 51) of the component, units.
    """
    place, width = (UNIT * a.unflatten(1, (JOINT_COUNT, 3))[..., :2] for a in (means, stds))
    joints, doubt = seen.joints[..., :2], seen.doubt[..., :2]
    far = ((place - joints).abs() > ELSEWHERE * doubt.clamp_min(UNIT * LEAST_STD)).any(dim=-1, keepdim=True)
    other = far & seen.known[..., :2]
    if not other.any():
        return None
    moved = torch.cat([torch.where(other, place, joints), seen.joints[..., 2:]], dim=-1)
    doubts = torch.cat([torch.where(other, width, doubt), seen.doubt[..., 2:]], dim=-1)
    return centre(Seen(moved, doubts))[0]


def keypoints(seen: Seen) -> Tensor:
    """What the encoder is told of joints, (B, 17, 3): two coordinates in units by their trust, and the trust."""
    values, trust = told(seen).unflatten(1, (2, JOINT_COUNT, 3)).unbind(1)
    return torch.cat([values[..., :2], trust[..., :1]], dim=-1)
