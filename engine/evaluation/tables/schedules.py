# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables 5 and S-1: how diffusion times are scheduled, and in how many steps a pose is denoised."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from engine.diffusion.inverse import Variational
from engine.diffusion.schedule import SCHEDULES, TABLE_5_RANGES
from engine.evaluation.metrics import mpjpe
from engine.evaluation.tables.completion import best_of, errors, missing, some_poses
from engine.evaluation.tables.denoising import joints_of, noisy, rooted, windows
from engine.evaluation.tables.fitting import FIT_COLUMNS, fit_errors, staged
from engine.evaluation.tables.table import Context, Table
from engine.priors.weights import load_pose_prior
from engine.tasks.complete import RELEASED, CompleteSettings, complete_poses
from engine.tasks.denoise_joints import DenoiseSettings, denoise_joints, released
from engine.tasks.fit.keypoints import PRESETS as FIT_PRESETS
from engine.tasks.fit.staged import Staged

POSES, WINDOWS, FITS = 32, 8, 40
HYPOTHESES = 10
NOISE = 0.04  # metres
COLUMNS = (*FIT_COLUMNS, "completion MPVPE mm", "completion MPJPE mm", "denoising MPJPE mm")
DENOISE_STEPS = {"1 step": 1, "5 steps": 5, "10 steps": 10}

PROTOCOL = (
    "Completion: left leg of {poses} poses spread over the test split, best of S = 10. Denoising: 40 mm on {windows} "
    "windows of 60 frames at 30 fps. Fit: {fits} poses to 2D keypoints as in Table 2, none occluded. Solvers and "
    "weights of the preset released; bundled mannequin, root at rest. Spread over seeds. Paper: AMASS test split, and "
    "EHF for the fit."
)


def _row(
    context: Context, seed: int, solver: Variational, denoising: DenoiseSettings, fitting: Staged
) -> dict[str, float]:
    truth, clips = some_poses(context, POSES), windows(context, "test", WINDOWS)
    settings = CompleteSettings(HYPOTHESES, solver, seed, context.device)
    completed = complete_poses(truth, ~missing("left leg"), settings).poses
    figures = {
        column.replace("left leg", "completion"): best_of(error, HYPOTHESES)
        for column, error in errors(completed, truth, "left leg").items()
    }
    joints = joints_of(clips)
    chosen = replace(denoising, seed=seed, device=context.device)
    prior = load_pose_prior()
    found = denoise_joints(rooted(noisy(joints, NOISE, seed)), chosen, prior)
    figures["denoising MPJPE mm"] = mpjpe(joints_of(found), joints)
    return figures | fit_errors(context, fitting, seed, FITS, prior)


def _table(
    context: Context,
    name: str,
    title: str,
    methods: dict[str, tuple[Variational, DenoiseSettings, Staged]],
    paper: Mapping[str, tuple[float, ...]],
) -> Table:
    rows: dict[str, dict[str, list[float]]] = {}
    for seed in range(context.seeds):
        for method, settings in methods.items():
            for column, value in _row(context, seed, *settings).items():
                rows.setdefault(method, {}).setdefault(column, []).append(value)
            print(f"  {name}: {method}, seed {seed + 1} of {context.seeds}", file=sys.stderr)
    return Table(
        name,
        title,
        PROTOCOL.format(
            poses=len(some_poses(context, POSES)),
            windows=len(windows(context, "test", WINDOWS)),
            fits=len(some_poses(context, FITS)),
        ),
        COLUMNS,
        rows,
        {method: dict(zip(COLUMNS, values, strict=True)) for method, values in paper.items()},
    )


def _times(strategy: str, own: np.ndarray) -> np.ndarray:
    """Times of a strategy, as many as a task's own; truncated keeps the task's own range."""
    t_max, t_min = TABLE_5_RANGES.get(strategy, (own[0], own[-1]))
    return SCHEDULES[strategy](len(own), t_max, t_min)


def table_5(context: Context) -> Table:
    """Random, fixed, full annealed and truncated annealed times."""
    denoising, fit = released(NOISE), staged(FIT_PRESETS["released"])
    methods = {
        name: (
            replace(RELEASED, times=_times(name, RELEASED.times)),
            replace(denoising, times=_times(name, denoising.times)),
            fit.scheduled(name, *TABLE_5_RANGES.get(name, (fit.t_max, fit.t_min))),
        )
        for name in SCHEDULES
    }
    paper = {
        "random": (68.21, 98.57, 109.53, 102.37, 23.87),
        "fixed": (57.72, 85.11, 40.44, 36.70, 22.54),
        "full": (61.15, 85.27, 42.97, 39.42, 20.80),
        "truncated": (57.28, 84.79, 39.77, 36.15, 19.87),
    }
    return _table(context, "table_5", "Table 5: timestep scheduling", methods, paper)


def table_s1(context: Context) -> Table:
    """One-step and multi-step denoising of the target."""
    denoising, fit = released(NOISE), staged(FIT_PRESETS["released"])
    methods = {
        name: (
            replace(RELEASED, denoise_steps=steps),
            replace(denoising, denoise_steps=steps),
            replace(fit, denoise_steps=steps),
        )
        for name, steps in DENOISE_STEPS.items()
    }
    paper = {
        "1 step": (57.28, 84.79, 39.77, 36.15, 19.87),
        "5 steps": (57.61, 85.14, 41.30, 37.58, 21.21),
        "10 steps": (57.66, 85.07, 41.28, 37.39, 21.34),
    }
    return _table(context, "table_s1", "Table S-1: denoising steps", methods, paper)
