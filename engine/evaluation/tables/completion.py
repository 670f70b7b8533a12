# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables 3 and S-5: pose completion under four occlusions."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from math import comb

import numpy as np
import torch

from engine.body import pose_joints
from engine.diffusion.inverse import Guided, InverseSolver, Repaint, Replacement
from engine.diffusion.samplers import ddim
from engine.evaluation.baselines import load_baselines
from engine.evaluation.poses import split_poses
from engine.evaluation.tables.table import Context, Table
from engine.evaluation.vertices import owners, vertices
from engine.motion.joints import JOINTS, PARTS
from engine.tasks.complete import (
    PRESETS,
    CompleteSettings,
    Conditional,
    complete_poses,
    conditional_hypotheses,
)

OCCLUSIONS: dict[str, tuple[str, ...]] = {
    "left leg": ("left_leg",),
    "legs": ("left_leg", "right_leg"),
    "arms": ("left_arm", "right_arm"),
    "trunk": ("trunk",),
}
COLUMNS = tuple(f"{name} {metric}" for name in OCCLUSIONS for metric in ("MPVPE mm", "MPJPE mm"))
POSES_TABLE_3, POSES_TABLE_S5 = 64, 16
HYPOTHESES = (1, 5, 10)
SAMPLER_STEPS = 200

BODY_WORDS = (
    "22 SMPL joints and every tenth vertex of the bundled mannequin (SMPL-X mean shape), root at rest; errors over "
    "the masked joints only and over the vertices that follow them, best of S hypotheses per pose, for joints and "
    "vertices apart, as in the released code."
)


def missing(name: str) -> np.ndarray:
    """(21,) bool, the joints of an occlusion of `OCCLUSIONS`."""
    lost = {joint for part in OCCLUSIONS[name] for joint in PARTS[part]}
    return np.array([joint in lost for joint in JOINTS[1:]])


def some_poses(context: Context, count: int) -> np.ndarray:
    """``count`` poses spread evenly over the test split (fewer where the context's scale asks for it)."""
    poses = split_poses(context.data / "test", 10)
    return poses[np.linspace(0, len(poses) - 1, max(2, count // context.scale)).round().astype(int)]


def errors(completed: np.ndarray, truth: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """Errors (S, N) in mm of completed poses (S, N, 21, 3), by column of `COLUMNS`."""
    joints = np.flatnonzero(missing(name)) + 1
    skin = torch.from_numpy(np.isin(owners(), joints))
    aim, aim_skin = pose_joints(torch.from_numpy(truth).float())[:, joints], vertices(torch.from_numpy(truth))
    by_joint, by_vertex = [], []
    for hypothesis in torch.from_numpy(completed).float():
        by_joint.append((pose_joints(hypothesis)[:, joints] - aim).norm(dim=-1).mean(dim=-1))
        by_vertex.append((vertices(hypothesis) - aim_skin)[:, skin].norm(dim=-1).mean(dim=-1))
    return {
        f"{name} MPJPE mm": 1000.0 * torch.stack(by_joint).numpy(),
        f"{name} MPVPE mm": 1000.0 * torch.stack(by_vertex).numpy(),
    }


def best_of(error: np.ndarray, count: int) -> float:
    """Mean over poses of the expected least error among ``count`` hypotheses drawn from the S of error (S, N).

    Over all subsets: the i-th smallest of S is the least of a subset in C(S - i, count - 1) of C(S, count) cases.
    """
    total = len(error)
    chance = np.array([comb(total - i, count - 1) for i in range(1, total + 1)]) / comb(total, count)
    return float((np.sort(error, axis=0) * chance[:, None]).sum(axis=0).mean())


def _row(rows: dict[str, dict[str, list[float]]], name: str, figures: dict[str, float]) -> None:
    for column, value in figures.items():
        rows.setdefault(name, {}).setdefault(column, []).append(value)


def table_3(context: Context) -> Table:
    """Pose completion: our solvers and the baselines, S = 1, 5, 10."""
    truth = some_poses(context, POSES_TABLE_3)
    rows: dict[str, dict[str, list[float]]] = {}
    for seed in range(context.seeds):
        for name, found, counts in _methods(context, truth, seed):
            for occlusion, completed in found:
                for column, error in errors(completed, truth, occlusion).items():
                    for count in counts:
                        _row(rows, f"{name} (S = {count})", {column: best_of(error, count)})
            print(f"  table 3: {name}, seed {seed + 1} of {context.seeds}", file=sys.stderr)
    return Table(
        "table_3",
        "Table 3: pose completion",
        f"{len(truth)} poses spread evenly over the test split (subjects 5, 8, 9, 13; 30 fps, single frames). "
        + BODY_WORDS
        + " Spread over seeds. Paper: AMASS test split (Transitions, SSM).",
        COLUMNS,
        dict(sorted(rows.items(), key=lambda item: (item[0].rsplit("= ", 1)[1].zfill(4), item[0]))),
        PAPER_3,
        NOTES_3,
    )


Found = Iterator[tuple[str, np.ndarray]]


def _methods(context: Context, truth: np.ndarray, seed: int) -> Iterator[tuple[str, Found, tuple[int, ...]]]:
    """Methods as (name, completions by occlusion, numbers of hypotheses they can be asked for at once)."""
    most = max(HYPOTHESES)

    def ours(preset: str) -> Found:
        settings = PRESETS[preset]
        for occlusion in OCCLUSIONS:
            asked = CompleteSettings(most, settings.solver, seed, context.device)
            yield occlusion, complete_poses(truth, ~missing(occlusion), asked).poses

    yield "DPoser, preset paper", ours("paper"), HYPOTHESES
    yield "DPoser, preset released", ours("released"), HYPOTHESES
    drawn = {
        occlusion: conditional_hypotheses(
            truth, ~missing(occlusion), HYPOTHESES, Conditional(), seed, context.device
        )
        for occlusion in OCCLUSIONS
    }
    for count in HYPOTHESES:
        yield "DPoser, preset best", iter([(name, poses[count]) for name, poses in drawn.items()]), (count,)

    for name, baseline in load_baselines(context.data, seed).items():
        rng = np.random.default_rng(seed)
        yield (
            name,
            iter([(o, baseline.complete(truth, ~missing(o), most, rng)) for o in OCCLUSIONS]),
            HYPOTHESES,
        )


PAPER_3: dict[str, dict[str, float]] = {
    name: dict(zip(COLUMNS, values, strict=True))
    for name, values in {
        "Pose-NDF (S = 1)": (499.35, 467.26, 503.66, 470.82, 378.61, 312.16, 319.65, 208.35),
        "VPoser, optimised (S = 1)": (194.44, 177.01, 199.78, 183.34, 205.17, 160.60, 75.42, 48.30),
        "VPoser (S = 10)": (455.44, 427.79, 450.88, 423.04, 371.26, 281.62, 286.55, 186.28),
        "DPoser (S = 5)": (48.61, 44.79, 74.67, 69.64, 75.92, 59.90, 26.59, 16.68),
        "DPoser (S = 10)": (39.77, 36.15, 65.24, 60.54, 66.77, 52.75, 21.58, 13.41),
    }.items()
} | {
    "DPoser (S = 1)": {
        f"{name} MPJPE mm": value
        for name, value in zip(OCCLUSIONS, (80.66, 100.97, 84.37, 29.99), strict=True)
    }
}

NOTES_3 = (
    "S = 1 and S = 5 of methods that draw independent samples are expectations over all subsets of the ten. The "
    "preset best draws 96 candidates whatever S is and answers with the middles of S clusters."
)

SOLVERS: dict[str, Conditional | InverseSolver] = {
    "ScoreSDE": Replacement(SAMPLER_STEPS),
    "MCG": Guided(SAMPLER_STEPS, replace=True),
    "DPS": Guided(SAMPLER_STEPS),
    "RePaint": Repaint(SAMPLER_STEPS // 5, 5, ddim(1.0)),
    "DPoser (released)": PRESETS["released"].solver,
    "ours, conditional": Conditional(),
}


def table_s5(context: Context) -> Table:
    """The diffusion solvers on the same prior, S = 10."""
    truth = some_poses(context, POSES_TABLE_S5)
    most = max(HYPOTHESES)
    rows: dict[str, dict[str, list[float]]] = {}
    for seed in range(context.seeds):
        for name, solver in SOLVERS.items():
            for occlusion in OCCLUSIONS:
                settings = CompleteSettings(most, solver, seed, context.device)
                completed = complete_poses(truth, ~missing(occlusion), settings).poses
                for column, error in errors(completed, truth, occlusion).items():
                    _row(rows, name, {column: best_of(error, most)})
            print(f"  table S-5: {name}, seed {seed + 1} of {context.seeds}", file=sys.stderr)
    return Table(
        "table_s5",
        "Table S-5: diffusion solvers of pose completion",
        f"{len(truth)} poses spread evenly over the test split (30 fps, single frames), S = {most}. "
        + BODY_WORDS,
        COLUMNS,
        rows,
        PAPER_S5,
        f"ScoreSDE, MCG and DPS take {SAMPLER_STEPS} Euler-Maruyama steps (the paper does not say how many; 1,000 is "
        f"usual, and five times as slow), RePaint {SAMPLER_STEPS // 5} ancestral steps five times each; all on the one "
        "unconditional prior, except the last row.",
    )


PAPER_S5: dict[str, dict[str, float]] = {
    name: dict(zip(COLUMNS, values, strict=True))
    for name, values in {
        "ScoreSDE": (52.86, 48.27, 80.68, 74.74, 82.38, 65.81, 27.97, 17.27),
        "DPS": (41.99, 38.08, 66.16, 61.28, 64.75, 51.75, 25.68, 15.90),
        "MCG": (51.97, 47.46, 80.07, 74.14, 82.22, 65.58, 27.93, 17.27),
        "DPoser": (39.77, 36.15, 65.24, 60.54, 66.77, 52.75, 21.58, 13.41),
    }.items()
}
