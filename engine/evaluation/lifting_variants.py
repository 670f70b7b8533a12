# SPDX-License-Identifier: GPL-3.0-or-later
"""Lifters trained for comparison: the same network, data and number of iterations, one choice of training changed."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

from engine.evaluation.baselines.trained import TRAINING_FOLDERS
from engine.evaluation.variants import FOLDER
from engine.training import train

SIZES = {"hidden": 512, "embed": 256}
BATCH, TIMES_PER_BATCH = 512, 128
ITERATIONS = 2000
GRAPH_WIDTH, GRAPH_BATCH, GRAPH_ITERATIONS = 64, 256, 1500
GRAPH_WORDS = (
    f"Networks of {GRAPH_WIDTH} features a joint and as many of its context, trained alike for {GRAPH_ITERATIONS} "
    f"iterations of {GRAPH_BATCH} frames on one encoder; the bundled ones are twice as wide and were trained longer."
)
SIZE_WORDS = (
    f"Networks of width {SIZES['hidden']}, trained alike and once for {ITERATIONS} iterations of {BATCH}; the bundled "
    "prior is twice as wide and was trained longer."
)


@dataclass(frozen=True)
class LifterVariant:
    """One training of GFPose's prior, or of its twin.

    Attributes:
        masks: chances of HPJ.
        conditions, detector: options of ``train``.
        deterministic: the twin.
        sizes: of the network, where they are not `SIZES`.
    """

    masks: tuple[float, float, float] = (0.1, 0.2, 0.1)
    conditions: str = "unified"
    detector: str = "mixed"
    deterministic: bool = False
    sizes: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of its folder."""
        digits = "".join("T" if chance == 1.0 else str(round(10 * chance)) for chance in self.masks)
        sizes = "".join(f"_{key}{value}" for key, value in self.sizes.items())
        return f"{'twin' if self.deterministic else 'gfpose'}_{digits}_{self.conditions}_{self.detector}{sizes}"

    def arguments(self, seed: int, data: Path, device: str) -> argparse.Namespace:
        """What ``train`` would have parsed."""
        parser = argparse.ArgumentParser()
        train.add_arguments(parser)
        words = SIZES | self.sizes | {
            "prior": "gfpose",
            "conditions": self.conditions,
            "detector": self.detector,
            "batch": BATCH,
            "times-per-batch": TIMES_PER_BATCH,
            "iterations": ITERATIONS,
            "learning-rate": 1e-3,
            "warm-up": 200,
            "dropout": 0,
            "ema": 0.998,
            "validate-every": ITERATIONS,
            "seed": seed,
            "device": device,
            "out": FOLDER / "lifters" / f"{self.name}_{seed}",
        }  # fmt: skip
        options = [f"--{name}={value}" for name, value in words.items()]
        options += ["--masks", *(str(chance) for chance in self.masks)]
        options += ["--deterministic"] if self.deterministic else []
        folders = [str(data / name) for name in TRAINING_FOLDERS]
        return parser.parse_args(["--data", *folders, "--val", str(data / "val"), *options])


@dataclass(frozen=True)
class GraphVariant:
    """One training of DiffPose's diffusion network.

    Attributes:
        options: of ``train``, beside those of all.
        frames: of the encoder's sequences.
    """

    options: tuple[str, ...] = ()
    frames: int = 1

    def train(self, seed: int, data: Path, device: str = "auto") -> Path:
        """The weights, from disk where a run has kept them under `FOLDER`; FileError: a split is not there."""
        from engine.training.diffpose import train_context, train_diffpose

        context = FOLDER / "lifters" / f"context_{self.frames}_{seed}"
        encoder = context / "context.safetensors"
        if not encoder.exists():
            train_context(self._arguments("context", context, seed, data, device, f"--frames={self.frames}"))
        words = "_".join(option.strip("-").replace("=", "") for option in self.options) or "plain"
        folder = FOLDER / "lifters" / f"diffpose_{self.frames}_{words}_{seed}"
        path = folder / "diffpose.safetensors"
        if not path.exists():
            train_diffpose(
                self._arguments("diffpose", folder, seed, data, device, f"--context={encoder}", *self.options)
            )
        return path

    def _arguments(
        self, prior: str, out: Path, seed: int, data: Path, device: str, *options: str
    ) -> argparse.Namespace:
        parser = argparse.ArgumentParser()
        train.add_arguments(parser)
        words = {
            "prior": prior, "batch": GRAPH_BATCH, "iterations": GRAPH_ITERATIONS, "width": GRAPH_WIDTH, "blocks": 3,
            "learning-rate": 1e-3, "warm-up": 200, "dropout": 0, "ema": 0.998, "validate-every": GRAPH_ITERATIONS,
            "seed": seed, "device": device, "precision": "float32", "out": out,
        }  # fmt: skip
        given = [f"--{name}={value}" for name, value in words.items()]
        folders = [str(data / name) for name in TRAINING_FOLDERS]
        return parser.parse_args(["--data", *folders, "--val", str(data / "val"), *given, *options])


def weights(variant: LifterVariant, seed: int, data: Path, device: str = "auto") -> Path:
    """A variant's weights, from disk where a run has kept them under `FOLDER`, which is not in the repository.

    Raises:
        FileError: a split is not there.
    """
    from engine.training.gfpose import train_gfpose

    arguments = variant.arguments(seed, data, device)
    path = arguments.out / f"{'gfpose_twin' if variant.deterministic else 'gfpose'}.safetensors"
    return path if path.exists() else train_gfpose(arguments)
