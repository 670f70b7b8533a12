# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine evaluate --task clean``: every method of Clean Motion on faults put into real clips.

Filters are strong baselines: each is tuned for each fault on the validation split, knowing the fault. The prior is
told nothing. Root orientation and position are removed first, so that errors are of poses. A split may also be a
folder of BVH files, read onto the body as Clean Motion does and at any frame rate.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.commands.arguments import positive
from engine.errors import FileError, MotionError

FILTER_GRIDS = {
    "butterworth": (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0),
    "gaussian": (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2),
    "savgol": (0.17, 0.23, 0.3, 0.4, 0.5, 0.7, 0.9, 1.2, 1.6),
    "median": (0.1, 0.17, 0.23, 0.3, 0.37, 0.43, 0.5, 0.7),
}
SHORTEST = 60  # frames
WINDOW = 60  # frames, of the paper's protocol for joint positions
METRICS = ("mpjpe_mm", "pa_mpjpe_mm", "rotation_deg", "acceleration_error", "jitter_ratio")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``evaluate --task clean``; imports nothing heavy."""
    parser.add_argument(
        "--data", type=Path, required=True, help="folder holding the splits, each with an index.json"
    )
    parser.add_argument("--split", default="test", help="folder to measure on (default: test)")
    parser.add_argument("--tune-split", default="val", help="folder the filters are tuned on (default: val)")
    parser.add_argument("--seeds", type=positive, default=3, help="repetitions with other noise (default: 3)")
    parser.add_argument("--every", type=positive, default=1, help="take every n-th clip only")
    parser.add_argument(
        "--fps", type=float, metavar="F", help="measure on a folder of BVH files at this frame rate"
    )
    parser.add_argument("--kinds", nargs="+", help="faults to measure (default: all)")
    parser.add_argument(
        "--ablation", action="store_true", help="also measure the prior without its pose network"
    )
    parser.add_argument("--output", type=Path, help="write the figures as JSON")


def run(args: argparse.Namespace) -> int:
    """Measure and print one table per fault.

    Raises:
        FileError: a split is not there. WeightsError: the prior cannot be loaded.
    """
    from engine.evaluation.corruption import KINDS, POSITION_KINDS

    wanted = args.kinds or [*POSITION_KINDS, *KINDS]
    if unknown := set(wanted) - {*POSITION_KINDS, *KINDS}:
        raise MotionError(
            f"There is no fault called {min(unknown)!r}; there are {', '.join([*POSITION_KINDS, *KINDS])}."
        )
    folder = args.data / args.split
    if args.fps is None:
        test = list(_clips(folder, args.every))
    else:
        test = list(_bvh_clips(folder, args.every, args.fps))
        if set(wanted) & set(POSITION_KINDS):
            raise MotionError("Joint positions are measured at 30 fps; leave --fps out or name other --kinds.")
    tuning = list(_clips(args.data / args.tune_split, 4))
    results: dict[str, dict[str, dict[str, list[float]]]] = {}
    for kind in wanted:
        rows = _position_row if kind in POSITION_KINDS else _rotation_row
        results[kind] = rows(kind, test, tuning, args.seeds, args.ablation)
        print(_table(kind, results[kind]), flush=True)
    if args.output:
        args.output.write_text(json.dumps(results, indent=1))
    return 0


@dataclass(frozen=True)
class _Case:
    """One clip of the truth: sign-continuous unit quaternions (T, 22, 4), root identity, and its joints (T, 22, 3)."""

    quat: np.ndarray
    joints: np.ndarray
    fps: float


def _clips(folder: Path, every: int) -> Iterator[_Case]:
    from engine.motion.windows import continuous, rotvec_to_quat
    from engine.training.dynamics import clips

    found = [(poses, fps) for poses, _, fps in clips(folder, share_alike=True) if len(poses) >= SHORTEST]
    for poses, fps in found[::every]:
        quat = continuous(rotvec_to_quat(poses))
        yield _case(quat, fps)


def _bvh_clips(folder: Path, every: int, fps: float) -> Iterator[_Case]:
    """Clips of BVH files at another rate, rotations between frames on arcs; the T-pose that some begin with dropped."""
    from engine.commands.clip_file import ClipFile
    from engine.motion.windows import between_rotations, continuous, rotvec_to_quat

    files = sorted(folder.glob("*.bvh"))[::every]
    if not files:
        raise FileError(f"There are no BVH files in {folder}; name a folder that has some.")
    for file in files:
        body = ClipFile(file).body
        quat = continuous(rotvec_to_quat(body.poses[1:]))
        frames = int((len(quat) - 1) * fps / body.fps) + 1
        if frames < SHORTEST:
            continue
        at = np.arange(frames) * body.fps / fps
        yield _case(continuous(between_rotations(quat, at)), fps)


def _case(quat: np.ndarray, fps: float) -> _Case:
    """A clip (T, 22, 4) with its root taken out."""
    quat = quat.copy()
    quat[:, 0] = np.array([1.0, 0.0, 0.0, 0.0])
    return _Case(quat, _joints(quat), fps)


def _joints(quat: np.ndarray) -> np.ndarray:
    """Joints (T, 22, 3) of the bundled body, pelvis at the origin."""
    import roma
    import torch

    from engine.body import bundled, forward_kinematics

    rotations = roma.unitquat_to_rotmat(torch.from_numpy(np.roll(quat, -1, axis=-1)))
    offsets = torch.as_tensor(bundled().offsets, dtype=torch.float64)
    return forward_kinematics(rotations, offsets, torch.zeros(len(quat), 3, dtype=torch.float64))[0].numpy()


def _figures(case: _Case, quat: np.ndarray) -> list[float]:
    """`METRICS` of cleaned rotations (T, 22, 4)."""
    from engine.evaluation.metrics import rotation_error

    figures = _position_figures(case, _joints(quat))
    figures[METRICS.index("rotation_deg")] = rotation_error(quat[:, 1:], case.quat[:, 1:])
    return figures


def _position_figures(case: _Case, joints: np.ndarray) -> list[float]:
    """`METRICS` of cleaned joints (T, 22, 3); there is no rotation error."""
    from engine.evaluation.metrics import acceleration_error, jitter_ratio, mpjpe, pa_mpjpe

    return [
        mpjpe(joints, case.joints),
        pa_mpjpe(joints, case.joints),
        float("nan"),
        acceleration_error(joints, case.joints, case.fps),
        jitter_ratio(joints, case.joints),
    ]


def _mean(cases: list[_Case], figures: list[list[float]]) -> list[float]:
    """Means weighted by frames."""
    return np.average(figures, axis=0, weights=[len(case.quat) for case in cases]).tolist()


def _tuned(cost: Callable[[str, float], float]) -> dict[str, float]:
    """The best parameter of each filter."""
    return {method: min(grid, key=lambda p: cost(method, p)) for method, grid in FILTER_GRIDS.items()}


def _rotation_row(
    kind: str, test: list[_Case], tuning: list[_Case], seeds: int, ablation: bool
) -> dict[str, dict[str, list[float]]]:
    from engine.evaluation.corruption import KINDS
    from engine.motion.filters import Filter, smooth_rotations
    from engine.tasks.clean_body import clean_poses

    corrupt = KINDS[kind]

    def noisy(cases: list[_Case], seed: int) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        return [corrupt(case.quat, case.fps, rng) for case in cases]

    def filtered(method: str, parameter: float) -> Callable[[np.ndarray, float], np.ndarray]:
        return lambda quat, fps: smooth_rotations(quat, fps, Filter(method, parameter))

    def learned(prior: str, guided: bool = True) -> Callable[[np.ndarray, float], np.ndarray]:
        return lambda quat, fps: (
            clean_poses(quat, np.zeros((len(quat), 3)), fps, 1.0, 0, "auto", None, prior, guided).quat
        )

    held_out = noisy(tuning, 1000)

    def cost(method: str, parameter: float) -> float:
        work = filtered(method, parameter)
        joints = [_joints(work(quat, case.fps)) for case, quat in zip(tuning, held_out, strict=True)]
        return _mean(tuning, [_position_figures(c, j) for c, j in zip(tuning, joints, strict=True)])[0]

    methods = {
        "input": lambda quat, fps: quat,
        "motion prior": learned("motion"),
        "pose prior": learned("pose"),
        "wiener": learned("none"),
    }
    if ablation:
        methods["motion prior, no pose network"] = learned("motion", False)
    for method, parameter in _tuned(cost).items():
        methods[f"{method} {parameter:g}"] = filtered(method, parameter)
    row: dict[str, dict[str, list[float]]] = {name: {m: [] for m in METRICS} for name in methods}
    for seed in range(seeds):
        for name, work in methods.items():
            quats = noisy(test, seed)
            figures = [_figures(case, work(quat, case.fps)) for case, quat in zip(test, quats, strict=True)]
            for metric, value in zip(METRICS, _mean(test, figures), strict=True):
                row[name][metric].append(value)
        print(f"  {kind}: seed {seed + 1} of {seeds}", file=sys.stderr)
    return row


def _position_row(
    kind: str, test: list[_Case], tuning: list[_Case], seeds: int, ablation: bool
) -> dict[str, dict[str, list[float]]]:
    """Row (a): windows of 60 frames, Gaussian noise on 22 positions, rotations unknown."""
    from engine.body import bundled
    from engine.evaluation.corruption import POSITION_KINDS
    from engine.motion.filters import Filter, smooth_positions
    from engine.motion.windows import rotvec_to_quat
    from engine.priors.spectra_file import load as load_spectra
    from engine.priors.weights import load_pose_prior
    from engine.tasks.fit_joints import FitSettings, fit_joints, smooth_joints

    deviation, offsets = POSITION_KINDS[kind], np.asarray(bundled().offsets, np.float64)
    spectra, network = load_spectra()["joints"], load_pose_prior()

    def windows(cases: list[_Case]) -> list[_Case]:
        return [
            _Case(case.quat[i : i + WINDOW], case.joints[i : i + WINDOW], case.fps)
            for case in cases
            for i in range(0, len(case.quat) - WINDOW + 1, WINDOW)
        ]

    def noisy(cases: list[_Case], seed: int) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        return [case.joints + deviation * rng.normal(size=case.joints.shape) for case in cases]

    def each(
        work: Callable[[np.ndarray, float], np.ndarray],
    ) -> Callable[[list[np.ndarray]], list[np.ndarray]]:
        return lambda clips: [work(joints, 30.0) for joints in clips]

    def filtered(method: str, parameter: float) -> Callable[[np.ndarray, float], np.ndarray]:
        return lambda joints, fps: _pelvis_known(smooth_positions(joints, fps, Filter(method, parameter)))

    def smoothed(joints: np.ndarray, fps: float) -> np.ndarray:
        return np.concatenate(
            [np.zeros((len(joints), 1, 3)), smooth_joints(joints[:, 1:], spectra, fps)[0]], axis=1
        )

    def fitted(weight: float) -> Callable[[list[np.ndarray]], list[np.ndarray]]:
        def work(clips: list[np.ndarray]) -> list[np.ndarray]:
            target = np.concatenate([smoothed(joints, 30.0) for joints in clips])
            poses = fit_joints(target, offsets, 30.0, network, FitSettings(prior_weight=weight)).poses
            return np.split(_joints(rotvec_to_quat(poses)), np.cumsum([len(j) for j in clips])[:-1])

        return work

    tune_cases = windows(tuning)
    held_out = noisy(tune_cases, 1000)

    def cost(method: str, parameter: float) -> float:
        joints = each(filtered(method, parameter))(held_out)
        return _mean(tune_cases, [_position_figures(c, j) for c, j in zip(tune_cases, joints, strict=True)])[
            0
        ]

    methods: dict[str, Callable[[list[np.ndarray]], list[np.ndarray]]] = {
        "input": lambda clips: clips,
        "prior": fitted(FitSettings().prior_weight),
    }
    if ablation:
        methods["prior, no pose network"] = fitted(0.0)
    for method, parameter in _tuned(cost).items():
        methods[f"{method} {parameter:g}"] = each(filtered(method, parameter))
    cases = windows(test)
    row: dict[str, dict[str, list[float]]] = {name: {m: [] for m in METRICS} for name in methods}
    for seed in range(seeds):
        clips = noisy(cases, seed)
        for name, solve in methods.items():
            figures = [_position_figures(c, j) for c, j in zip(cases, solve(clips), strict=True)]
            for metric, value in zip(METRICS, _mean(cases, figures), strict=True):
                row[name][metric].append(value)
        print(f"  {kind}: seed {seed + 1} of {seeds}", file=sys.stderr)
    return row


def _pelvis_known(joints: np.ndarray) -> np.ndarray:
    """The protocol fixes the root, so every method is given the pelvis."""
    joints = joints.copy()
    joints[:, 0] = 0.0
    return joints


def _table(kind: str, row: dict[str, dict[str, list[float]]]) -> str:
    """A Markdown table of means and standard deviations over the seeds, best filter marked by its place: sorted."""
    lines = [f"\n### {kind}\n", "| method | " + " | ".join(METRICS) + " |", "|---" * (len(METRICS) + 1) + "|"]
    for name, figures in sorted(row.items(), key=lambda item: np.mean(item[1]["mpjpe_mm"])):
        cells = [
            f"{np.mean(v):.2f} ± {np.std(v):.2f}" if np.isfinite(v).all() else "" for v in figures.values()
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
