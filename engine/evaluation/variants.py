# SPDX-License-Identifier: GPL-3.0-or-later
"""Small priors that differ in one choice of training, for DPoser's ablations (sec. D); trained on first need."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from engine.evaluation.baselines import TRAINING_FOLDERS
from engine.priors.pose_prior import PosePrior
from engine.priors.weights import load_pose_prior
from engine.training import train
from engine.training.loop import kept_weights, train_dposer

FOLDER = Path("runs/variants")
HIDDEN, EMBED = 256, 128
BATCH, TIMES_PER_BATCH, AUXILIARY_BATCH = 256, 64, 32
KEEP_EVERY, VALIDATE_EVERY = 250, 500

SIZE_WORDS = (
    f"Networks of width {HIDDEN} (time embedding {EMBED}, otherwise the paper's), batches of {BATCH}, Adam 2e-4 after "
    "1,000 iterations of warm-up, averaged weights, on the bundled prior's training poses (112,169 of 25 subjects, "
    "30 fps, mirrored half the time)."
)


@dataclass(frozen=True)
class Variant:
    """One choice of training.

    Attributes:
        representation, normalisation, auxiliary: as the options of ``train``.
    """

    representation: str = "axis-angle"
    normalisation: str = "z-score"
    auxiliary: str = "none"

    def arguments(self, seed: int, iterations: int, data: Path, device: str = "auto") -> argparse.Namespace:
        """The options of ``train`` for this variant.

        Args:
            seed: of the weights and of everything drawn.
            iterations: how long.
            data: folder of the splits.
            device: auto, cpu, cuda or mps.
        """
        parser = argparse.ArgumentParser()
        train.add_arguments(parser)
        words: dict[str, object] = {
            "representation": self.representation,
            "normalisation": self.normalisation,
            "auxiliary": self.auxiliary,
            "auxiliary-batch": AUXILIARY_BATCH,
            "hidden": HIDDEN,
            "embed": EMBED,
            "batch": BATCH,
            "times-per-batch": TIMES_PER_BATCH,
            "iterations": iterations,
            "keep-every": KEEP_EVERY,
            "validate-every": VALIDATE_EVERY,
            "patience": iterations,
            "seed": seed,
            "device": device,
            "precision": "float32",
            "out": FOLDER / f"{self.representation}_{self.normalisation}_{self.auxiliary}_{seed}",
        }
        folders = [str(data / name) for name in TRAINING_FOLDERS]
        options = [f"--{name}={value}" for name, value in words.items()]
        return parser.parse_args(["--data", *folders, "--val", str(data / "val"), *options])


def trained(variant: Variant, seed: int, iterations: int, data: Path, device: str = "auto") -> PosePrior:
    """A variant's averaged weights after so many iterations, from disk where a run has kept them.

    A run that stopped earlier is taken up where it stopped. Kept under `FOLDER`, which is not in the repository.

    Args:
        variant: which.
        seed: of training.
        iterations: a multiple of `KEEP_EVERY`.
        data: folder of the splits.
        device: auto, cpu, cuda or mps.

    Raises:
        ValueError: iterations that are not kept. FileError: a split is not there.
    """
    if iterations % KEEP_EVERY:
        raise ValueError(f"Weights are kept every {KEEP_EVERY} iterations.")
    arguments = variant.arguments(seed, iterations, data, device)
    path = kept_weights(arguments.out, iterations)
    if not path.exists():
        train_dposer(arguments)
    return load_pose_prior(path)


def logged(
    variant: Variant, seed: int, iterations: int, data: Path, device: str = "auto"
) -> dict[str, float]:
    """What training logged at an iteration: seconds so far and validation figures, as `validate` names them.

    Trains where there is no log yet.

    Args:
        variant, seed, data, device: as for `trained`.
        iterations: a multiple of `VALIDATE_EVERY`.

    Raises:
        ValueError: iterations that are not logged. FileError: a split is not there.
    """
    if iterations % VALIDATE_EVERY:
        raise ValueError(f"Figures are logged every {VALIDATE_EVERY} iterations.")
    trained(variant, seed, iterations, data, device)
    lines = (variant.arguments(seed, iterations, data, device).out / "log.jsonl").read_text().splitlines()
    return next(line for line in map(json.loads, reversed(lines)) if line["iteration"] == iterations)
