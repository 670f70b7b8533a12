# SPDX-License-Identifier: GPL-3.0-or-later
"""The motion prior: a score network over windows of body motion, conditioned on what was seen of it.

The diffusion runs over the difference of the motion to a reference (a smoothed, splined or completed motion, see
`engine.tasks.evidence`), in units of how far the truth may be from it. So what the network learns about time does
not depend on where the body is, one network serves every task, and where nothing is unknown nothing moves. At the
start of the diffusion, where the state says nothing, its estimate is the mean of all motions that agree with what
was seen: one evaluation cleans. Sampling from there gives one of those motions.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import roma
import torch
from torch import Tensor, nn

from engine.body.kinematics import forward_kinematics
from engine.diffusion.denoiser import Estimate
from engine.diffusion.samplers import Denoise
from engine.diffusion.sde import SubVP
from engine.diffusion.temporal_network import TemporalScoreNet
from engine.motion.joints import MIRROR

JOINTS = 22
CHANNELS = 23
EVENT = 3 * CHANNELS
FEET = (7, 8, 10, 11)  # ankles and balls of the feet
CONTACTS = len(FEET)
OTHER_FOOT = (1, 0, 3, 2)  # of `FEET`, on the other side
LEAST_DEVIATION = 1e-4  # radians, metres: below, a channel is taken as known
LEAST_NOISE = 0.004
LEAST_STEP = 0.0005  # radians from frame to frame; less is no movement
VERDICT = 6.0  # logarithm of how much likelier samples are damaged that the rules left out
WINDOW = 96  # frames, of training and use
CLIP = 6.0  # deviations; features beyond say no more
MOST_EVENT = 8.0  # deviations; the truth is hardly ever farther from a reference, and no estimate is
TURN_SCALE, SHIFT_SCALE = 0.15, 0.05  # radians and metres that count as one in features
WIDTHS = (1.0, 2.5, 6.0)  # frames, standard deviations of the Gaussians that hints are made with
HINTS = 2 * len(WIDTHS)
OUTPUTS = EVENT + (HINTS + len(WIDTHS)) * EVENT + JOINTS + CONTACTS + CHANNELS


class Seen(NamedTuple):
    """Evidence in tensors, windows of W frames; see `engine.tasks.evidence.Evidence`.

    Attributes:
        rotation: (B, W, 22, 3, 3) the reference's local rotations, root first.
        path: (B, W, 3) metres.
        turn, shift: (B, W, 22, 3) radians and (B, W, 3) metres, what was measured, from the reference; else 0.
        known: (B, W, 23) 0 or 1.
        noise: (B, 23).
        deviation: (B, W, 23).
        placed: (B,) 0 or 1.
    """

    rotation: Tensor
    path: Tensor
    turn: Tensor
    shift: Tensor
    known: Tensor
    noise: Tensor
    deviation: Tensor
    placed: Tensor


class Told(NamedTuple):
    """What the network is told, made of `Seen`.

    Attributes:
        features: (B, W, FEATURES).
        hints: (B, W, HINTS, 69).
        known: (B, W, 22) 1 where rules took a joint's sample for a measurement.
    """

    features: Tensor
    hints: Tensor
    known: Tensor


class Output(NamedTuple):
    """What the network says of windows.

    Attributes:
        event: (B, W, 69) the clean estimate, in deviations.
        quality: (B, W, 22) logit that a joint's measurement is damaged.
        contact: (B, W, 4) logit that ankles and balls of the feet rest on something.
        log_spread: (B, W, 23) logarithm of the estimate's error, in deviations.
    """

    event: Tensor
    quality: Tensor
    contact: Tensor
    log_spread: Tensor


class MotionPrior(nn.Module):
    """Score network and SDE over windows of motion.

    "Event" is (B, W, 69): log-rotations of 22 joints and the path, from the reference to the motion, over their
    deviations.

    Args:
        network: `FEATURES` + 69 channels in, `OUTPUTS` out.
        offsets: (22, 3) rest offsets of the body that features are measured on, metres.
        sde: forward diffusion.
        posed: whether the network is told joint positions, that is where the body is.
    """

    offsets: Tensor

    def __init__(
        self, network: TemporalScoreNet, offsets: Tensor, sde: SubVP | None = None, posed: bool = True
    ) -> None:
        super().__init__()
        self.network = network
        self.sde = sde or SubVP()
        self.posed = posed
        self.register_buffer("offsets", offsets.float().clone())

    def features(self, seen: Seen) -> Tensor:
        """What the network is told, (B, W, FEATURES), whichever way the body faces."""
        batch, frames = seen.path.shape[:2]
        own = seen.rotation
        mean = own[:, :, 1:].mean(dim=1, keepdim=True)
        away = _log_near(mean, own[:, :, 1:])
        root = own[:, :, 0]
        spin = torch.zeros(batch, frames, 3, device=own.device)
        spin[:, 1:] = _small_log(root[:, :-1].mT @ root[:, 1:])
        up = root[..., 1, :]  # of the world, in the root's axes
        velocity = torch.zeros_like(seen.path)
        velocity[:, 1:] = seen.path[:, 1:] - seen.path[:, :-1]
        velocity = (root.mT @ velocity[..., None])[..., 0]
        joints = forward_kinematics(own, self.offsets, torch.zeros_like(seen.path))[0]
        local = torch.einsum("bwij,bwki->bwkj", root, joints)[:, :, 1:]
        feet = joints[:, :, FEET, :] + seen.path[:, :, None]
        speed = torch.zeros_like(feet)
        speed[:, 1:] = feet[:, 1:] - feet[:, :-1]
        floor = feet[..., 1].flatten(1).quantile(0.05, dim=1)[:, None, None]
        grounded = torch.cat([40.0 * speed.norm(dim=-1), 12.0 * (feet[..., 1] - floor)], dim=-1)
        placed = seen.placed[:, None, None]
        deviation = seen.deviation.clamp_min(LEAST_DEVIATION)
        miss = torch.cat([seen.turn.flatten(2), (root.mT @ seen.shift[..., None])[..., 0]], dim=-1)
        level = seen.noise.clamp_min(LEAST_NOISE)[:, None].repeat_interleave(3, dim=-1)
        parts = [
            4.0 * away.flatten(2),
            placed * torch.cat([10.0 * spin, up, 20.0 * velocity, 2.0 * (seen.path[..., 1:2] - 0.9)], dim=-1),
            placed * grounded.clamp(-CLIP, CLIP),
            (miss / level).clamp(-CLIP, CLIP),
            (miss / torch.where(_is_path(miss), SHIFT_SCALE, TURN_SCALE)).clamp(-CLIP, CLIP),
            seen.known,
            (seen.noise + LEAST_NOISE).log()[:, None].expand(-1, frames, -1) + 3.0,
            deviation.log() + 3.0,
            placed.expand(-1, frames, -1),
            2.0 * local.flatten(2) * float(self.posed),
            self._restlessness(seen),
        ]
        return torch.cat(parts, dim=-1)

    @staticmethod
    def _restlessness(seen: Seen) -> Tensor:
        """(B, W, 22) logarithm of each joint's measured turn since the frame before: lost limbs stand still."""
        measured = seen.rotation @ roma.rotvec_to_rotmat(seen.turn)
        step = torch.zeros_like(seen.turn)
        if seen.turn.shape[1] > 1:
            step[:, 1:] = _small_log(measured[:, :-1].mT @ measured[:, 1:])
            step[:, 0] = step[:, 1]
        return (step.norm(dim=-1) + LEAST_STEP).log() + 4.0

    def hints(self, seen: Seen) -> Tensor:
        """Where smoothing more or less than the reference would lead, in deviations, (B, W, HINTS, 69).

        Less: averages of what was measured around each frame, relative to the reference. More: averages of the
        reference itself. How lively a body is changes from joint to joint and from second to second, and the
        reference's smoothing does not; the network only has to say how much of which hint it believes.
        """
        frames = seen.path.shape[1]
        root = seen.rotation[:, :, 0]
        deviation = seen.deviation.clamp_min(LEAST_DEVIATION).repeat_interleave(3, dim=-1)
        miss = torch.cat([seen.turn.flatten(2), (root.mT @ seen.shift[..., None])[..., 0]], dim=-1)
        known = seen.known.repeat_interleave(3, dim=-1)
        found = []
        for width in WIDTHS:
            average = _gaussian(frames, width, miss.device)
            heard = torch.einsum("st,btc->bsc", average, known)
            less = torch.einsum("st,btc->bsc", average, known * miss) / heard.clamp_min(0.05)
            turned = torch.einsum("st,btjkl->bsjkl", average, seen.rotation)
            path = torch.einsum("st,btc->bsc", average, seen.path) - seen.path
            more = torch.cat(
                [_small_log(seen.rotation.mT @ turned).flatten(2), (root.mT @ path[..., None])[..., 0]], dim=-1
            )
            found += [less, more]
        return (torch.stack(found, dim=2) / deviation[:, :, None]).clamp(-CLIP, CLIP)

    @staticmethod
    def _calmer(x_t: Tensor) -> Tensor:
        """What averages of a state (B, W, 69) over time differ from it by, (B, W, WIDTHS, 69)."""
        frames = x_t.shape[1]
        widths = [torch.einsum("st,btc->bsc", _gaussian(frames, w, x_t.device), x_t) - x_t for w in WIDTHS]
        return torch.stack(widths, dim=2)

    def told(self, seen: Seen) -> Told:
        """Features, hints and the rules' verdict."""
        return Told(self.features(seen), self.hints(seen), seen.known[..., :JOINTS])

    def forward(self, told: Told, x_t: Tensor, t: Tensor) -> Output:
        """From what was seen, diffused events (B, W, 69) and times (B,) or (1,); where x_t is 0 at t_max: the mean."""
        raw = self.network(torch.cat([told.features, x_t], dim=-1), t).float()
        sizes = [EVENT, HINTS * EVENT, len(WIDTHS) * EVENT, JOINTS, CONTACTS, CHANNELS]
        change, belief, smoothing, quality, contact, spread = raw.split(sizes, dim=-1)
        alpha, sigma = (c.reshape(-1, 1, 1) for c in self.sde.marginal(t))
        # Karras et al. 2022, eq. 7, for events of unit variance: the network sees and says numbers of unit size.
        total = alpha**2 + sigma**2
        change = change + (belief.unflatten(-1, (HINTS, EVENT)) * told.hints).sum(dim=2)
        # The state's noise is white in time and motion is not: here too the network only says how much to smooth.
        calm = (smoothing.unflatten(-1, (len(WIDTHS), EVENT)) * self._calmer(x_t)).sum(dim=2)
        change = change + alpha / total.sqrt() * calm
        event = alpha / total * x_t + sigma / total.sqrt() * change
        # The network has only to say where the rules are wrong.
        quality = quality + VERDICT * (1.0 - told.known)
        return Output(event.clamp(-MOST_EVENT, MOST_EVENT), quality, contact, spread.clamp(-3.0, 3.0))

    def mean(self, told: Told) -> Output:
        """The mean of all motions that agree with what was seen, in one evaluation."""
        t = torch.full((1,), self.sde.t_max, device=told.features.device)
        return self(told, torch.zeros(*told.features.shape[:2], EVENT, device=t.device), t)

    def both_ways(self, seen: Seen) -> Output:
        """The mean over a body and its mirror image: what the network knows of one side helps the other."""
        straight = self.mean(self.told(seen))
        turned = mirrored_output(self.mean(self.told(mirrored(seen))))
        return Output(*(0.5 * (a + b) for a, b in zip(straight, turned, strict=True)))

    def under(self, told: Told) -> Denoise:
        """The denoiser of samplers and solvers under what was seen."""

        def denoise(x_t: Tensor, t: Tensor) -> Estimate:
            alpha, sigma = (c.reshape(-1, 1, 1) for c in self.sde.marginal(t))
            x0 = self(told, x_t, t).event
            noise = (x_t - alpha * x0) / sigma
            return Estimate(x0, noise, -noise / sigma)

        return denoise


FEATURES = 63 + 10 + 8 + EVENT + EVENT + CHANNELS + CHANNELS + CHANNELS + 1 + 63 + JOINTS


def mirrored(seen: Seen) -> Seen:
    """What would have been seen of the body's reflection in the YZ plane."""
    order = torch.tensor([*MIRROR, JOINTS], device=seen.path.device)
    flip, turn = _signs(seen.path.device)
    rotation = flip[:, None] * seen.rotation * flip
    return Seen(
        rotation[:, :, order[:JOINTS]],
        seen.path * flip,
        seen.turn[:, :, order[:JOINTS]] * turn,
        seen.shift * flip,
        seen.known[..., order],
        seen.noise[..., order],
        seen.deviation[..., order],
        seen.placed,
    )


def mirrored_output(out: Output) -> Output:
    """An answer about a reflection as one about the body itself."""
    device = out.event.device
    order = torch.tensor([*MIRROR, JOINTS], device=device)
    flip, turn = _signs(device)
    event = out.event.unflatten(-1, (CHANNELS, 3))[:, :, order]
    event = torch.cat([event[:, :, :JOINTS] * turn, event[:, :, JOINTS:] * flip], dim=2)
    return Output(
        event.flatten(2),
        out.quality[..., order[:JOINTS]],
        out.contact[..., torch.tensor(OTHER_FOOT, device=device)],
        out.log_spread[..., order],
    )


def _signs(device: torch.device) -> tuple[Tensor, Tensor]:
    """What a reflection in the YZ plane does to vectors, and to axes of rotations."""
    flip = torch.tensor([-1.0, 1.0, 1.0], device=device)
    return flip, -flip


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # made under inference_mode, it could not serve autograd later
def _averaging(frames: int, width: float) -> Tensor:
    time = torch.arange(frames, dtype=torch.float32)
    weight = torch.exp(-0.5 * ((time[:, None] - time) / width) ** 2)
    return weight / weight.sum(dim=1, keepdim=True)


def _gaussian(frames: int, width: float, device: torch.device) -> Tensor:
    """(frames, frames) matrix that averages with a Gaussian of so many frames."""
    return _averaging(frames, width).to(device)


def _is_path(miss: Tensor) -> Tensor:
    return torch.arange(EVENT, device=miss.device) >= 3 * JOINTS


def _small_log(rotation: Tensor) -> Tensor:
    """Log of rotations (..., 3, 3) by small angles, to third order: the skew part."""
    return 0.5 * torch.stack(
        [
            rotation[..., 2, 1] - rotation[..., 1, 2],
            rotation[..., 0, 2] - rotation[..., 2, 0],
            rotation[..., 1, 0] - rotation[..., 0, 1],
        ],
        dim=-1,
    )


def _log_near(mean: Tensor, rotation: Tensor) -> Tensor:
    """The skew part of mean^T rotation: the log-rotation around the mean, good for small angles."""
    return _small_log(mean.mT @ rotation)
