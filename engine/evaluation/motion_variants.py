# SPDX-License-Identifier: GPL-3.0-or-later
"""Small motion priors that differ in one choice: what they are told, what clips are varied by, whose clips they are."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import exp
from pathlib import Path

import torch
from torch import Tensor

from engine.priors.motion_prior import LEAST_NOISE, MotionPrior, Output, Seen, Told
from engine.priors.motion_weights import load_motion_prior
from engine.priors.pose_gaussian import PoseGaussian
from engine.training import train
from engine.training.motion import VALIDATION_FRAMES, VALIDATION_SEED, train_motion, untrained
from engine.training.motion_bank import Augmentation, Clip, build, load_clips

FOLDER = Path("runs/motion_variants")
HIDDEN, DROPOUT, BATCH = 96, 0.05, 1536
LEARNING_RATE, WARM_UP, EMA = 1e-3, 50, 0.99
ITERATIONS = 800
BANK_FRAMES = 120_000
BANK_SEED = 0
USUAL = exp(-3.0)  # the noise and the deviation, radians and metres, that features take for 0

NONE = Augmentation(mirror=False, warp=False, recombine=False, misfit=False)


class Unjudged(MotionPrior):
    """A prior that is not told what is known, how noisy it is, and how far off the truth may be.

    What it is told of all of them is the same everywhere. Its answers are in deviations as any prior's, and so are the
    hints: that is the unit and not a channel.
    """

    def features(self, seen: Seen) -> Tensor:
        """As of evidence all of one quality."""
        return super().features(
            seen._replace(
                known=torch.zeros_like(seen.known),
                noise=torch.full_like(seen.noise, USUAL - LEAST_NOISE),
                deviation=torch.full_like(seen.deviation, USUAL),
            )
        )

    def hints(self, seen: Seen) -> Tensor:
        """As if all were known: averages take in what is no measurement."""
        return super().hints(seen._replace(known=torch.ones_like(seen.known)))


class FrameByFrame(MotionPrior):
    """A prior that takes every frame for a clip of its own: nothing is heard of the frames around it."""

    def told(self, seen: Seen) -> Told:
        """Features and hints of each frame alone."""
        size = seen.path.shape[:2]
        clip = {name: getattr(seen, name).repeat_interleave(size[1], dim=0) for name in ("noise", "placed")}
        told = super().told(
            Seen(**{k: _alone(v) for k, v in seen._asdict().items() if k not in clip}, **clip)
        )
        return Told(*(_together(part, size) for part in told))

    def forward(self, told: Told, x_t: Tensor, t: Tensor) -> Output:
        """As of windows of one frame."""
        size = x_t.shape[:2]
        times = t if len(t) == 1 else t.repeat_interleave(size[1])
        out = super().forward(Told(*map(_alone, told)), _alone(x_t), times)
        return Output(*(_together(part, size) for part in out))


def _alone(x: Tensor) -> Tensor:
    """From windows (B, W, ...) to windows of one frame (B W, 1, ...)."""
    return x.flatten(0, 1)[:, None]


def _together(x: Tensor, size: torch.Size) -> Tensor:
    """From windows of one frame (B W, 1, ...) to windows (B, W, ...)."""
    return x[:, 0].unflatten(0, size)


@dataclass(frozen=True)
class MotionVariant:
    """One choice.

    Attributes:
        kind: of the prior.
        posed: whether it is told joint positions.
        augmentation: what clips are varied by.
        subjects: share of the performers, as the option of ``train``.
        folders: of the data that clips come from, those under share-alike licences too.
    """

    kind: type[MotionPrior] = MotionPrior
    posed: bool = True
    augmentation: Augmentation = field(default_factory=Augmentation)
    subjects: float = 1.0
    folders: tuple[str, ...] = ("train", "train_more")

    def clips(self, data: Path) -> list[Clip]:
        """What it is trained on, of the folder of the splits.

        Raises:
            FileError: a split is not there.
        """
        return load_clips([data / name for name in self.folders], True, self.subjects)

    def bank_name(self) -> str:
        """Of the examples, which variants with the same clips and augmentation share."""
        varied = [name for name, taken in vars(self.augmentation).items() if taken] or ["plain"]
        return "_".join([*self.folders, f"{100 * self.subjects:.0f}", *varied])

    def name(self) -> str:
        """Of the variant, as a file name."""
        return "_".join([self.kind.__name__, "posed" if self.posed else "unposed", self.bank_name()])

    def dressed(self, plain: MotionPrior) -> MotionPrior:
        """A prior of the variant's kind with the weights of another."""
        return self.kind(plain.network, plain.offsets, plain.sde, plain.posed)

    def arguments(self, seed: int) -> argparse.Namespace:
        """The options of ``train`` for this variant; on the CPU, as it is small."""
        parser = argparse.ArgumentParser()
        train.add_arguments(parser)
        words: dict[str, object] = {
            "prior": "motion",
            "batch": BATCH,
            "iterations": ITERATIONS,
            "validate-every": ITERATIONS,
            "learning-rate": LEARNING_RATE,
            "warm-up": WARM_UP,
            "ema": EMA,
            "seed": seed,
            "device": "cpu",
            "out": FOLDER / f"{self.name()}_{seed}",
        }
        options = [f"--{name}={value}" for name, value in words.items()]
        return parser.parse_args(["--data", *self.folders, *options, "--fresh"])


def size_words(names: Iterable[str]) -> str:
    """What was trained, in words, of training folders ``names``."""
    return (
        f"Small motion priors: width {HIDDEN}, otherwise the network, windows and losses of the bundled one. "
        f"{ITERATIONS:,} iterations on batches of {BATCH:,} frames, averaged weights, each on {BANK_FRAMES:,} frames "
        f"of damaged clips made from the folders {' and '.join(names)}."
    )


@dataclass(frozen=True)
class TrainedVariant:
    """A trained variant.

    Attributes:
        prior: averaged weights of the last iteration.
        log: what training said last: seconds, and mean joint errors in mm as `engine.training.motion.validate` names
            them.
    """

    prior: MotionPrior
    log: dict[str, float]


def trained(variant: MotionVariant, seed: int, data: Path) -> TrainedVariant:
    """A variant, from disk where a run has kept it; kept under `FOLDER`, which is not in the repository.

    Args:
        variant: which.
        seed: of the weights and of everything drawn in training; the examples are the same for all seeds.
        data: folder of the splits.

    Raises:
        FileError: a split is not there. WeightsError: what was kept is damaged.
    """
    arguments = variant.arguments(seed)
    log = arguments.out / "log.jsonl"
    if not log.exists() or not log.read_text():  # a line is written when all is done
        torch.manual_seed(seed)
        prior = variant.dressed(untrained(HIDDEN, DROPOUT, variant.posed))
        train_motion(arguments, prior, _banks(variant, data))
    prior = variant.dressed(load_motion_prior(arguments.out / "motion.safetensors")).eval()
    return TrainedVariant(prior, json.loads(log.read_text().splitlines()[-1]))


def _banks(variant: MotionVariant, data: Path) -> Path:
    """The folder of the variant's examples and of those of the validation split, made where they are not there yet."""
    gaussian = PoseGaussian.load()
    folder = FOLDER / "banks" / variant.bank_name()
    folder.mkdir(parents=True, exist_ok=True)
    held_out = FOLDER / "banks" / "val_000.npz"
    if not held_out.exists():
        clips = load_clips([data / "val"], False)
        build(held_out, clips, gaussian, VALIDATION_FRAMES, VALIDATION_SEED, NONE)
    if not (folder / held_out.name).exists():
        (folder / held_out.name).hardlink_to(held_out)
    if not (examples := folder / "train_000.npz").exists():
        build(examples, variant.clips(data), gaussian, BANK_FRAMES, BANK_SEED, variant.augmentation)
    return folder
