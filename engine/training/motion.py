# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loop of the motion prior."""

from __future__ import annotations

import argparse
import json
import time
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import roma
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim.swa_utils import AveragedModel

from engine.body import bundled, forward_kinematics
from engine.device import prefers_bfloat16
from engine.diffusion.temporal_network import TemporalScoreNet
from engine.motion.contacts import resting
from engine.motion.joints import PARENTS
from engine.motion.tpose import OFFSETS
from engine.priors.motion_prior import (
    EVENT,
    FEATURES,
    FEET,
    JOINTS,
    LEAST_DEVIATION,
    MOST_EVENT,
    OUTPUTS,
    WINDOW,
    MotionPrior,
    Seen,
)
from engine.priors.motion_weights import save_motion_prior
from engine.priors.pose_gaussian import PoseGaussian
from engine.training import checkpoint
from engine.training.loop import ema_average
from engine.training.motion_bank import FAMILIES, Augmentation, Bank, build, build_all, load_clips
from engine.training.ranks import Ranks, alone

LENGTHS = {WINDOW: 0.7, WINDOW // 2: 0.2, WINDOW // 4: 0.1}
"""Frames of a batch's windows, and how often: clips may be short."""
MEAN_SHARE = 0.7  # of a batch is trained where the state says nothing; the rest at all times
LEAST_EVENT = 0.05  # mean square in deviations, under which a reference is as good as can be
QUALITY_WEIGHT, CONTACT_WEIGHT, SPREAD_WEIGHT = 1.0, 0.1, 0.02
COOL_DOWN = 0.9  # of the iterations, over which the learning rate falls
LEAST_RATE = 0.02
MATRIX_RATE = 3.0  # learning rate of the blocks' matrices under Muon, against the others' under Adam
FPS = 30.0
VALIDATION_FRAMES, VALIDATION_SEED = 40_000, 10_000
LEAST_LEVER = 0.1  # metres: hands, toes and heads have a length, though no joint at their end
ROOT_LEVER, PATH_LEVER = 0.3, 0.5  # metres per radian, and per metre


class Batch(NamedTuple):
    """Windows with the truth.

    Attributes:
        seen: what the prior is told.
        event: (B, W, 69) the truth in deviations; path in the root's axes.
        free: (B, W, 23) 1 where there is something to find.
        damage: (B, W, 22); judged: (B, W, 22) 1 where it is learned from, known or not.
        contact: (B, W, 4).
        family: (B,).
    """

    seen: Seen
    event: Tensor
    free: Tensor
    damage: Tensor
    judged: Tensor
    contact: Tensor
    family: Tensor

    def to(self, device: torch.device) -> Batch:
        """The batch on a device."""
        return Batch(Seen(*(part.to(device) for part in self.seen)), *(part.to(device) for part in self[1:]))


def levers() -> Tensor:
    """(23,) metres that joints move, root mean square over the body, per radian of each joint."""
    offsets = torch.as_tensor(np.asarray(OFFSETS), dtype=torch.float64)
    joints = forward_kinematics(
        torch.eye(3, dtype=torch.float64).expand(JOINTS, 3, 3), offsets, torch.zeros(3).double()
    )[0]
    lever = torch.zeros(JOINTS + 1)
    for j in range(JOINTS):
        below = []
        for k in range(JOINTS):
            above = k
            while above != -1 and above != j:
                above = PARENTS[above]
            if above == j:
                below.append(k)
        lever[j] = (joints[below] - joints[j]).norm(dim=1).square().sum().div(JOINTS).sqrt()
    # The whole body hangs on root and path, but few tasks are about them.
    lever[0], lever[JOINTS] = ROOT_LEVER, PATH_LEVER
    return lever.clamp_min(LEAST_LEVER)


class Windows:
    """Windows of a bank, drawn at random."""

    def __init__(self, bank: Bank, offsets: np.ndarray) -> None:
        self.bank = bank
        self.contact = contacts(bank, offsets)
        self.lengths = np.diff(bank.offsets)

    def draw(self, length: int, count: int, rng: np.random.Generator, ranks: Ranks | None = None) -> Batch:
        """A batch of ``count`` windows: of those drawn for all ranks this one's, where there are several."""
        rows = np.flatnonzero(self.lengths >= length)
        share = self.lengths[rows] - length + 1.0
        whole, part = (count, slice(None)) if ranks is None else (count * ranks.size, ranks.part(count))
        which = rng.choice(rows, whole, p=share / share.sum())
        start = self.bank.offsets[which] + rng.integers(0, self.lengths[which] - length + 1)
        return self.cut(which[part], start[part], length)

    def cut(self, which: np.ndarray, start: np.ndarray, length: int) -> Batch:
        """Windows of examples ``which`` from frames ``start`` of the bank."""
        bank, at = self.bank, start[:, None] + np.arange(length)
        a = {k: torch.from_numpy(v[at]) for k, v in bank.arrays.items()}
        placed = torch.from_numpy(bank.placed[which]).float()
        rotation = roma.unitquat_to_rotmat(a["quat"].roll(-1, dims=-1))
        seen = Seen(
            rotation,
            a["path"],
            a["turn"],
            a["shift"],
            a["known"].float(),
            torch.from_numpy(bank.noise[which]),
            a["deviation"],
            placed,
        )
        deviation = a["deviation"].clamp_min(LEAST_DEVIATION).repeat_interleave(3, dim=-1)
        shift = (rotation[:, :, 0].mT @ a["true_shift"][..., None])[..., 0]
        event = torch.cat([a["true_turn"].flatten(2), shift], dim=-1) / deviation
        free = (a["deviation"] > LEAST_DEVIATION).float()
        free[:, :, [0, JOINTS]] *= placed[:, None, None]
        family = torch.from_numpy(bank.family[which])
        judged = (family == 0).float()[:, None, None].expand(-1, length, JOINTS)
        return Batch(
            seen,
            event.clamp(-MOST_EVENT, MOST_EVENT),
            free,
            a["damage"].float(),
            judged,
            torch.from_numpy(self.contact[at]),
            family,
        )


def contacts(bank: Bank, offsets: np.ndarray, size: int = 8192) -> np.ndarray:
    """(N, 4) 1 where a foot's joint is near the floor and at rest in the truth, of a bank's frames."""
    found = np.zeros((bank.offsets[-1], len(FEET)), np.float32)
    body = torch.as_tensor(np.asarray(offsets), dtype=torch.float32)
    for first, last in zip(bank.offsets[:-1], bank.offsets[1:], strict=True):
        rows = slice(first, last)
        local = roma.unitquat_to_rotmat(torch.from_numpy(bank.arrays["quat"][rows]).roll(-1, dims=-1))
        local = local @ roma.rotvec_to_rotmat(torch.from_numpy(bank.arrays["true_turn"][rows]))
        path = torch.from_numpy(bank.arrays["path"][rows] + bank.arrays["true_shift"][rows])
        feet = forward_kinematics(local, body, path)[0][:, FEET].numpy()
        found[rows] = resting(feet, FPS)
    return found


def loss_of(
    prior: MotionPrior, batch: Batch, t: Tensor, z: Tensor, lever: Tensor
) -> tuple[Tensor, dict[str, float]]:
    """The training loss, and its parts.

    Args:
        prior: in training.
        batch: windows.
        t: (B,) times; at t_max the state is left out (see `MotionPrior.forward`).
        z: (B, W, 69) noise.
        lever: (23,) of `levers`.
    """
    alpha, sigma = (c.reshape(-1, 1, 1) for c in prior.sde.marginal(t))
    blind = (t >= prior.sde.t_max).reshape(-1, 1, 1)
    x_t = torch.where(blind, 0.0, alpha * batch.event + sigma * z)
    with torch.autocast(x_t.device.type, enabled=False):  # small angles between rotations drown in half precision
        told = prior.told(batch.seen)
    out = prior(told, x_t, t)
    miss = (out.event - batch.event).unflatten(-1, (-1, 3)).square().mean(dim=-1)
    size = batch.event.unflatten(-1, (-1, 3)).square().mean(dim=-1)
    scale = (alpha**2 + sigma**2) / sigma**2
    moved = (lever * batch.seen.deviation).square() * batch.free
    # As a share of what the reference leaves unknown, whatever the task: a small error of a good reference counts as
    # much as a large one of a poor one. Away from the mean, the state's noise has unit size whatever the event's.
    least = torch.where(blind[:, 0, 0], LEAST_EVENT, 1.0)
    total = []
    for weight in (batch.free, moved):
        whole = weight.sum(dim=(1, 2)).clamp_min(1e-12)
        usual = (size * weight).sum(dim=(1, 2)) / whole
        total.append((miss * weight).sum(dim=(1, 2)) / whole / (usual + least))
    matching = (0.4 * total[0] + 0.6 * total[1]) * scale[:, 0, 0].clamp_max(100.0)
    quality = binary_cross_entropy_with_logits(out.quality, batch.damage, reduction="none") * batch.judged
    quality_loss = quality.sum() / batch.judged.sum().clamp_min(1.0)
    placed = batch.seen.placed[:, None, None]
    contact = binary_cross_entropy_with_logits(out.contact, batch.contact, reduction="none") * placed
    contact_loss = contact.sum() / (placed.sum() * contact[0].numel()).clamp_min(1.0)
    likelihood = 0.5 * miss.detach() * torch.exp(-2.0 * out.log_spread) + out.log_spread
    likelihood = (likelihood * batch.free * blind).sum() / (batch.free * blind).sum().clamp_min(1.0)
    parts = {"mean": matching[blind[:, 0, 0]].mean(), "state": matching[~blind[:, 0, 0]].mean()}
    loss = (
        matching.mean()
        + QUALITY_WEIGHT * quality_loss
        + CONTACT_WEIGHT * contact_loss
        + SPREAD_WEIGHT * likelihood
    )
    parts |= {"quality": quality_loss, "contact": contact_loss, "spread": likelihood}
    return loss, {name: float(value.detach()) for name, value in parts.items()}


def draw(banks: list[Windows], frames: int, rng: np.random.Generator, ranks: Ranks) -> Batch:
    """A batch of about so many frames from one of the banks, each rank's its own."""
    length = int(rng.choice(list(LENGTHS), p=list(LENGTHS.values())))
    return banks[int(rng.integers(len(banks)))].draw(length, max(1, frames // length), rng, ranks)


@torch.no_grad()
def validate(prior: MotionPrior, windows: Windows, count: int = 600) -> dict[str, float]:
    """Mean joint error in millimetres of reference and mean estimate, per family; fixed windows."""
    rng = np.random.default_rng(7)
    errors: dict[str, list[np.ndarray]] = {}
    for length in LENGTHS:
        for _ in range(max(1, int(count * LENGTHS[length]) // 40)):
            batch = windows.draw(length, 40, rng)
            out = prior.mean(prior.told(batch.seen))
            before, after = (
                joint_errors(prior, batch, torch.zeros_like(out.event)),
                joint_errors(prior, batch, out.event),
            )
            for number, family in enumerate(FAMILIES):
                rows = batch.family == number
                for name, value in (("ref", before), ("est", after)):
                    errors.setdefault(f"{family}_{name}", []).append(value[rows].numpy().reshape(-1))
    return {name: round(1000.0 * float(np.concatenate(v).mean()), 3) for name, v in errors.items()}


def joint_errors(prior: MotionPrior, batch: Batch, event: Tensor) -> Tensor:
    """(B, W) mean distance in metres between joints of an estimate and of the truth."""

    def joints(e: Tensor) -> Tensor:
        step = (
            e.unflatten(-1, (-1, 3))
            * (batch.seen.deviation.clamp_min(LEAST_DEVIATION) * batch.free)[..., None]
        )
        local = batch.seen.rotation @ roma.rotvec_to_rotmat(step[:, :, :JOINTS])
        shift = (batch.seen.rotation[:, :, 0] @ step[:, :, JOINTS, :, None])[..., 0]
        return forward_kinematics(local, prior.offsets, batch.seen.path + shift)[0]

    return (joints(event) - joints(batch.event)).norm(dim=-1).mean(dim=-1)


def untrained(hidden: int, dropout: float, posed: bool = True) -> MotionPrior:
    """A prior with fresh weights."""
    network = TemporalScoreNet(FEATURES + EVENT, OUTPUTS, hidden, dropout=dropout)
    return MotionPrior(network, torch.as_tensor(np.asarray(bundled().offsets)), posed=posed)


def prepare_banks(args: argparse.Namespace) -> Path:
    """Make the banks: that of the validation clips, the first to train on, and, in a second process, the others.

    Returns their folder. Raises FileError where there are no clips.
    """
    folder = args.out / "bank"
    folder.mkdir(parents=True, exist_ok=True)
    clips = load_clips(args.data, args.share_alike, args.subjects)
    gaussian = PoseGaussian.load()
    varied = Augmentation(**{name: name in args.augmentation for name in ("mirror", "warp", "recombine", "misfit")})
    if not (held_out := folder / "val_000.npz").exists():
        plain = Augmentation(mirror=False, warp=False, recombine=False, misfit=False)
        build(held_out, load_clips(args.val, False), gaussian, VALIDATION_FRAMES, VALIDATION_SEED, plain)
    build_all(folder, clips, gaussian, 1, args.seed, varied)
    rest = (folder, clips, gaussian, args.bank_frames, args.seed, varied)
    get_context("spawn").Process(target=build_all, args=rest, daemon=True).start()
    return folder


def train_motion(
    args: argparse.Namespace,
    prior: MotionPrior | None = None,
    banks_folder: Path | None = None,
    ranks: Ranks | None = None,
) -> Path:
    """Train for the given iterations; returns the path of the weights, averaged ones of the last validation.

    Args:
        args: options of ``train``.
        prior: what to train, instead of one made by the options.
        banks_folder: with banks to train on and that of the validation clips, instead of those made by the options.
        ranks: the processes that train together; this one alone by default. Parts of the loss are means over what is
            free, judged or placed, of which each rank has its own amount.

    Raises:
        FileError: no clips. WeightsError: the checkpoint cannot be resumed. DeviceError: no such device.
    """
    ranks = ranks or alone(args.device)
    folder = ranks.told(banks_folder or (prepare_banks(args) if ranks.leads else None))
    assert folder is not None
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    device = ranks.device
    half = args.precision == "bfloat16" or (args.precision == "auto" and prefers_bfloat16(device))
    args.out.mkdir(parents=True, exist_ok=True)
    prior = (prior or untrained(args.hidden, args.dropout, not args.unposed)).to(device)
    averaged = AveragedModel(prior, avg_fn=ema_average(args.ema))
    smoothed = cast(MotionPrior, averaged.module)
    inner = [p for p in prior.network.blocks.parameters() if p.ndim == 2]
    outer = [p for p in prior.parameters() if all(p is not q for q in inner)]
    # Muon (Jordan et al. 2024) for the blocks' matrices: the loss falls about twice as fast as under Adam alone.
    matrices = torch.optim.Muon(
        inner, args.learning_rate, weight_decay=args.weight_decay, adjust_lr_fn="match_rms_adamw"
    )
    optimiser = torch.optim.AdamW(outer, lr=args.learning_rate, weight_decay=args.weight_decay)
    state = {"iteration": 0, "seconds": 0.0}
    resume = args.out / "checkpoint.safetensors"
    if ranks.told(resume.exists() and not args.fresh):
        state = checkpoint.load(resume, prior, averaged, optimiser, generator, matrices)
        ranks.say(f"resumed at iteration {state['iteration']}")
    ranks.agree(prior, averaged)
    ranks.part_ways(args.seed, int(state["iteration"]))
    offsets = np.asarray(bundled().offsets)
    held_out = Windows(Bank.load([folder / "val_000.npz"]), offsets)
    lever = levers().to(device)
    weights = args.out / "motion.safetensors"
    began = time.monotonic() - state["seconds"]
    running: dict[str, float] = {}
    banks: dict[Path, Windows] = {}
    rng = np.random.default_rng([args.seed, int(state["iteration"])])
    with ranks.log(args.out / "log.jsonl") as log:
        for iteration in range(int(state["iteration"]) + 1, args.iterations + 1):
            if not banks or iteration % args.validate_every == 1:
                # Banks may still be growing.
                for file in ranks.told(sorted(set(folder.glob("train_*[0-9].npz")) - set(banks))):
                    banks[file] = Windows(Bank.load([file]), offsets)
            left = (args.iterations - iteration) / (COOL_DOWN * args.iterations)
            rate = args.learning_rate * min(1.0, iteration / args.warm_up, max(LEAST_RATE, left))
            for one, factor in ((optimiser, 1.0), (matrices, MATRIX_RATE)):
                for group in one.param_groups:
                    group["lr"] = factor * rate
            batch = draw(list(banks.values()), args.batch, rng, ranks).to(device)
            count, length = batch.event.shape[:2]
            whole, part = ranks.size * count, ranks.part(count)
            t = torch.rand(whole, generator=generator) * (prior.sde.t_max - prior.sde.t_min) + prior.sde.t_min
            t = torch.where(torch.rand(whole, generator=generator) < MEAN_SHARE, prior.sde.t_max, t)[part]
            z = torch.randn(whole, length, EVENT, generator=generator)[part]
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                loss, parts = loss_of(prior, batch, t.to(device), z.to(device), lever)
            prior.zero_grad(set_to_none=True)
            loss.backward()
            ranks.average_gradients(prior.parameters())
            torch.nn.utils.clip_grad_norm_(prior.parameters(), 1.0, error_if_nonfinite=True)
            optimiser.step()
            matrices.step()
            averaged.update_parameters(prior)
            for name, value in parts.items():
                if value != value:  # a batch in which no item has a state, or all have
                    continue
                running[name] = running.get(name, value) + (value - running.get(name, value)) / min(
                    iteration, 100
                )
            if iteration % args.validate_every and iteration != args.iterations:
                continue
            state |= {"iteration": iteration, "seconds": time.monotonic() - began}
            line = {"iteration": iteration, "seconds": round(state["seconds"], 1), "banks": len(banks)}
            line |= {name: round(value, 4) for name, value in running.items()}
            if ranks.leads:
                averaged.eval()
                line |= validate(smoothed, held_out)
                averaged.train()
                save_motion_prior(weights, smoothed, {"iteration": str(iteration), "seed": str(args.seed)})
                checkpoint.save(resume, prior, averaged, optimiser, state, generator, matrices)
            print(json.dumps(line), file=log, flush=True)
            ranks.say(" ".join(f"{k} {v}" for k, v in line.items()))
            ranks.part_ways(args.seed, iteration)
    return weights
