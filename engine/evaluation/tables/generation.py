# SPDX-License-Identifier: GPL-3.0-or-later
"""DPoser's Table 1: how diverse and how plausible generated poses are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from engine.body import bundled
from engine.evaluation.baselines import TRAINING_FOLDERS, load_baselines
from engine.evaluation.generation_metrics import Novelty, average_pairwise_distance, frechet_distance
from engine.evaluation.poses import split_poses
from engine.evaluation.self_intersection import SelfIntersection
from engine.evaluation.tables.table import Context, Table
from engine.tasks.generate import PRESETS, GenerateSettings, generate
from engine.training.dataset import load, mirror

POSES = 500  # per seed, as in the paper
POSES_SLOW = 200  # per seed, of samplers with 1,000 steps and more
POSES_CUT = 200  # per seed, whose self-intersection is measured
REFERENCE_EVERY = 5  # test frames between those that FID refers to
KNOWN_EVERY = 10  # training frames between those that novelty is measured from
COLUMNS = ("APD cm", "SI %", "FID rad²", "dNN mm")

PAPER: dict[str, dict[str, float]] = {
    "real poses (AMASS)": {"APD cm": 15.44, "SI %": 0.79},
    "GMM": {"APD cm": 16.28, "SI %": 1.54},
    "VPoser": {"APD cm": 10.75, "SI %": 1.51},
    "Pose-NDF": {"APD cm": 18.75, "SI %": 1.97},
    "DPoser": {"APD cm": 14.28, "SI %": 1.21},
    "DPoser, 10 steps": {"APD cm": 19.03, "SI %": 1.13},
}

NOTES = """APD: mean over all pairs of poses of the mean distance over 22 joints, roots aligned. SI: per cent of the
mannequin's faces that cut a wooden piece which is no neighbour on the skeleton and is not cut at rest; the paper's is
of SMPL's skin, whose folds count, so the two are alike in meaning and not in size: compare with our own row of real
poses. FID: Frechet distance of Gaussians over the raw 63 axis-angle numbers to the test poses. dNN: root mean square
joint distance to the nearest training pose or its reflection, where 0 is a copy (only every tenth training frame is
looked at). Training poses are drawn by the weights that training draws them by. Pose-NDF is not among our baselines."""

Draw = Callable[[int, int], np.ndarray]
"""``(count, seed) -> poses (count, 21, 3)``."""


def table_1(context: Context) -> Table:
    """Generated poses against real ones and the baselines'.

    Raises:
        FileError: a split is not there. WeightsError, DeviceError: as `generate`.
    """
    figures = _Figures(context)
    rows: dict[str, dict[str, list[float]]] = {}
    for name, (count, draw) in _methods(context, figures.test).items():
        measured = [figures.of(draw(max(2, count // context.scale), seed)) for seed in range(context.seeds)]
        rows[name] = {column: [one[column] for one in measured] for column in COLUMNS}
    return Table(
        "table_1",
        "Table 1: pose generation",
        f"{POSES} poses per seed ({POSES_SLOW} of samplers with 1,000 steps), {context.seeds} seeds; "
        f"SI over the first {POSES_CUT} of them. Single poses, so no frame rate or window; 21 rotations, "
        "22 joints with the root at the origin; the bundled mannequin on the SMPL-X neutral mean shape. Real poses: "
        f"the test split (CMU subjects 5, 8, 9, 13; 30 fps), {len(figures.test)} frames. Everything is trained on "
        f"the same folders ({', '.join(TRAINING_FOLDERS)}). Scale 1/{context.scale}.",
        COLUMNS,
        rows,
        PAPER,
        NOTES,
    )


class _Figures:
    """The four columns, with what they compare to."""

    def __init__(self, context: Context) -> None:
        self.test = split_poses(context.data / "test", 1)
        known = load([context.data / name for name in TRAINING_FOLDERS]).poses[::KNOWN_EVERY]
        self._body = bundled()
        self._cut = SelfIntersection(self._body)
        self._novelty = Novelty(self._body, np.concatenate([known, mirror(known)]))
        self._measured = max(1, POSES_CUT // context.scale)

    def of(self, poses: np.ndarray) -> dict[str, float]:
        """Figures of poses (N, 21, 3), by column."""
        values = (
            average_pairwise_distance(self._body, poses),
            float(self._cut.share(poses[: self._measured]).mean()),
            frechet_distance(poses, self.test[::REFERENCE_EVERY]),
            float(self._novelty.nearest(poses).mean()),
        )
        return dict(zip(COLUMNS, values, strict=True))


def _methods(context: Context, test: np.ndarray) -> dict[str, tuple[int, Draw]]:
    """Row -> how many poses, and how to draw them."""
    baselines = load_baselines(context.data)
    ten = GenerateSettings("ddim", steps=10, bend=1.0, t_min=PRESETS["paper"].t_min)

    def real(count: int, seed: int) -> np.ndarray:
        return test[np.random.default_rng(seed).choice(len(test), count, replace=False)]

    def baseline(name: str) -> Draw:
        return lambda count, seed: baselines[name].sample(count, np.random.default_rng(seed))

    def ours(settings: GenerateSettings) -> Draw:
        return lambda count, seed: generate(count, replace(settings, seed=seed, device=context.device))

    return {
        "real poses (test)": (POSES, real),
        "real poses (training)": (POSES, baseline("nearest")),
        "Gaussian mixture": (POSES, baseline("mixture")),
        "VAE": (POSES, baseline("VAE")),
        "DPoser, preset paper": (POSES_SLOW, ours(PRESETS["paper"])),
        "DPoser, preset released": (POSES_SLOW, ours(PRESETS["released"])),
        "DPoser, 10 steps": (POSES, ours(ten)),
        "DPoser, preset best": (POSES, ours(PRESETS["best"])),
    }
