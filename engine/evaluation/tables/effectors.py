# SPDX-License-Identifier: GPL-3.0-or-later
"""Posing by five targets: how far the rest of the body is from the true pose, and how long one solve takes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import roma
import torch

from engine.body import forward_kinematics, mean_offsets, pose_joints
from engine.evaluation.baselines.mixture import Mixture, fit_mixture
from engine.evaluation.baselines.trained import TRAINING_FOLDERS
from engine.evaluation.metrics import MILLIMETRES
from engine.evaluation.tables.completion import some_poses
from engine.evaluation.tables.table import Context, Table
from engine.motion.joints import JOINTS
from engine.priors.pose_prior import PosePrior
from engine.priors.weights import load_pose_prior
from engine.tasks.fit.aim import Aim, Targets
from engine.tasks.fit.effectors import STIFF, EffectorSettings, Posed, fit_effectors
from engine.tasks.fit.levenberg import minimise
from engine.tasks.fit.pull import PullSettings
from engine.tasks.fit.state import BODY, Space, to_body
from engine.training.dataset import load

TARGETS = ("left_wrist", "right_wrist", "left_ankle", "right_ankle", "head")
POSES = 60
START_MOVE, START_TURN = 0.15, 0.3
"""Standard deviation of the starting pelvis from the true one where it is free: metres and radians, per axis."""
PELVIS_GIVEN, PELVIS_FREE = "other joints mm, pelvis given", "other joints mm, pelvis free"
REACHED, DURATION = "farthest target mm", "median ms per solve"

MILLISECONDS = 1000.0

PROTOCOL = (
    "{poses} poses spread over the test split on the bundled mannequin (SMPL-X mean shape, root at rest); targets are "
    "the true positions of wrists, ankles and head. Error: mean distance over the other 17 joints but a given pelvis. "
    "Every solve begins at the prior's mean pose; a free pelvis begins {move:.0f} cm and {turn:.0f} degrees off (one "
    "standard deviation per axis). Median time of the {poses} solves with the pelvis given on one of {cores} "
    "CPU cores. Spread over seeds: diffusion noise, and where a free pelvis begins. No figure in the paper."
)

Solve = Callable[[dict[str, np.ndarray], np.ndarray, np.ndarray, bool, int], Posed]


def _ours(prior: PosePrior, pull: PullSettings | None = None) -> Solve:
    settings = EffectorSettings() if pull is None else EffectorSettings(pull=pull)

    def solve(
        targets: dict[str, np.ndarray], pose: np.ndarray, transl: np.ndarray, free: bool, seed: int
    ) -> Posed:
        chosen = replace(settings, free_root=free, seed=seed)
        return fit_effectors(targets, prior, pose, transl, settings=chosen)

    return solve


def _of_mixture(prior: PosePrior, mixture: Mixture) -> Solve:
    """Maximum a posteriori under every component, all at once; the likeliest is taken (SMPLify's min)."""
    space = Space.of(prior, mean_offsets())
    settings = EffectorSettings()
    std = space.std.numpy()
    means = torch.as_tensor((mixture.means - space.mean.numpy()) / std)
    inverses = torch.linalg.inv(torch.as_tensor(mixture.covariances / np.outer(std, std)))
    inverses = (inverses + inverses.mT) / 2.0
    constants = -2.0 * torch.as_tensor(np.log(mixture.shares)) - torch.linalg.slogdet(inverses)[1]
    count = len(means)

    def solve(
        targets: dict[str, np.ndarray], pose: np.ndarray, transl: np.ndarray, free: bool, seed: int
    ) -> Posed:
        places = np.stack(list(targets.values()))[None]
        aim = Aim(space, Targets(tuple(targets), places), settings.radians_per_metre)
        start = space.rows(torch.as_tensor(pose)[None], torch.as_tensor(transl)[None]).repeat(count, 1)
        centre, precision = start.clone(), torch.zeros(count, space.size, space.size, dtype=start.dtype)
        centre[:, BODY] = means
        precision[:, BODY, BODY] = inverses
        stds = np.repeat([settings.turn_std, settings.move_std], 3)
        rigid = torch.as_tensor(stds**-2.0 if free else np.full(6, STIFF))
        precision[:, range(6), range(6)] = rigid
        x = centre.clone()
        for tolerance in (*settings.tolerances, settings.reach):
            x = minimise(aim.at(tolerance), x, centre, precision, 6).x
        away = x - centre
        # Every component meets the targets, so that what is left to compare is the mixture's energy.
        energy = (away * (precision @ away[..., None])[..., 0]).sum(dim=1) + constants
        best = x[energy.argmin()][None]
        poses, places, _ = to_body(space, best)
        return Posed(poses[0], places[0], dict(zip(targets, aim.missed(best)[0].tolist(), strict=True)))

    return solve


def effectors(context: Context) -> Table:
    """Five targets from true poses: ours, its parts, the mixture, and no pose prior."""
    prior = load_pose_prior()
    truth = pose_joints(torch.from_numpy(some_poses(context, POSES)).double()).numpy()
    training = load([context.data / name for name in TRAINING_FOLDERS])
    mixture = fit_mixture(training.poses, training.subject_weights())
    methods = {
        "ours": _ours(prior),
        "the prior's Gaussian alone": _ours(prior, PullSettings(denoised=0.0)),
        "mixture": _of_mixture(prior, mixture),
        "no prior: nearest to the mean pose": _ours(
            prior, PullSettings(gaussian=0.0, coordinates=1.0, denoised=0.0)
        ),
    }
    rows: dict[str, dict[str, list[float]]] = {}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # one row has no work for more
    try:
        for name, solve in methods.items():
            rows[name] = {PELVIS_GIVEN: [], PELVIS_FREE: [], REACHED: [], DURATION: []}
            for seed in range(context.seeds):
                for column, value in _measure(solve, truth, prior, seed).items():
                    rows[name][column].append(value)
                print(f"  effectors: {name}, seed {seed + 1} of {context.seeds}", file=sys.stderr)
    finally:
        torch.set_num_threads(threads)
    return Table(
        "effectors",
        "Posing by five targets",
        PROTOCOL.format(
            poses=len(truth),
            move=100 * START_MOVE,
            turn=np.rad2deg(START_TURN),
            cores=os.cpu_count(),
        ),
        (PELVIS_GIVEN, PELVIS_FREE, REACHED, DURATION),
        rows,
    )


def _measure(solve: Solve, truth: np.ndarray, prior: PosePrior, seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    mean = prior.mean.double().numpy().reshape(-1, 3)
    others = np.array([j for j in range(1, len(JOINTS)) if JOINTS[j] not in TARGETS])
    given: list[float] = []
    free: list[float] = []
    missed: list[float] = []
    seconds: list[float] = []
    for number, joints in enumerate(truth):
        targets = {name: joints[JOINTS.index(name)] for name in TARGETS}
        for loose in (False, True):
            turn, move = (std * loose * rng.normal(size=3) for std in (START_TURN, START_MOVE))
            pose, begin = np.concatenate([turn[None], mean]), time.perf_counter()
            posed = solve(targets, pose, joints[0] + move, loose, seed * len(truth) + number)
            if not loose:
                seconds.append(time.perf_counter() - begin)
            found = _joints(posed)
            missed.append(max(posed.missed.values()))
            error = np.linalg.norm(found - joints, axis=1)
            (free if loose else given).append(
                error[np.append(others, 0)].mean() if loose else error[others].mean()
            )
    return {
        PELVIS_GIVEN: MILLIMETRES * float(np.mean(given)),
        PELVIS_FREE: MILLIMETRES * float(np.mean(free)),
        REACHED: MILLIMETRES * float(np.max(missed)),
        DURATION: MILLISECONDS * float(np.median(seconds)),
    }


def _joints(posed: Posed) -> np.ndarray:
    """(22, 3) metres."""
    turns = roma.rotvec_to_rotmat(torch.from_numpy(posed.pose))
    return forward_kinematics(turns, torch.from_numpy(mean_offsets()), torch.from_numpy(posed.transl))[
        0
    ].numpy()
