# SPDX-License-Identifier: GPL-3.0-or-later
"""What `lift` makes of filmed clips, stage by stage: hypotheses, the body among them, and that cleaned."""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from engine.body.h36m_joints import h36m_joints
from engine.diffusion.samplers import OnIteration
from engine.evaluation.filmed import CAMERA, Filmed, film
from engine.evaluation.metrics import MILLIMETRES, acceleration_error, pa_mpjpe
from engine.evaluation.poses import FPS
from engine.evaluation.tables.table import Context, Table
from engine.motion.motion import BodyMotion
from engine.priors.joint_prior import Seen
from engine.tasks.clean import CleanSettings, clean_body
from engine.tasks.lift.animation import LiftSettings, lift
from engine.tasks.lift.camera_space import Sight
from engine.tasks.lift.lifters import STEPS, Lifter, load_lifter
from engine.tasks.lift.proportions import stature

CLIPS, FRAMES = 8, 120
HYPOTHESES = 20
PRIORS = ("GFPose", "DiffPose")
COLUMNS = ("MPJPE mm", "PA-MPJPE mm", "acceleration error m/s2", "pixels off", "distance off %", "frames per second")
ONE, MEAN, BODY, CLEANED = STAGES = ("one hypothesis", "mean of the hypotheses", "body", "body, cleaned")


class _Kept:
    """A lifter that keeps what it drew last."""

    def __init__(self, lifter: Lifter) -> None:
        self._lifter, self.drawn = lifter, torch.zeros(0)

    def __call__(self, seen: Seen, hypotheses: int, on_iteration: OnIteration | None = None) -> Tensor:
        self.drawn = self._lifter(seen, hypotheses, on_iteration)
        return self.drawn


def _figures(joints: np.ndarray, clip: Filmed) -> dict[str, float]:
    found, truth = (a - a[:, :1] for a in (joints, clip.joints))
    shown, exact = (CAMERA.project(torch.from_numpy(a)).numpy() for a in (joints, clip.joints))
    return {
        "MPJPE mm": float(MILLIMETRES * np.linalg.norm(found - truth, axis=-1).mean()),
        "PA-MPJPE mm": pa_mpjpe(joints, clip.joints),
        "acceleration error m/s2": acceleration_error(found, truth, FPS),
        "pixels off": float(np.linalg.norm(shown - exact, axis=-1).mean()),
    }


def _joints(motion: BodyMotion) -> np.ndarray:
    """(T, 17, 3) metres."""
    local = Rotation.from_rotvec(motion.poses.reshape(-1, 3)).as_matrix().reshape(-1, 22, 3, 3)
    joints = h36m_joints(torch.from_numpy(local), torch.tensor(motion.offsets))
    return joints.numpy() + motion.transl[:, None]


def _stages(clip: Filmed, lifter: _Kept, seed: int, device: str) -> dict[str, dict[str, float]]:
    """Figures of a clip by stage."""
    sure = np.ones(clip.pixels.shape[:2])
    settings = LiftSettings(hypotheses=HYPOTHESES, height=float(stature(clip.offsets)), seed=seed, device=device)
    begin = time.perf_counter()
    found = lift(clip.pixels, sure, clip.sigma, CAMERA, FPS, settings, lifter=lifter)
    seconds = time.perf_counter() - begin
    sight = Sight.of(clip.pixels, sure, clip.sigma, CAMERA, FPS)
    drawn = sight.back(sight.ahead(lifter.drawn.double(), found.distance))
    away = np.linalg.norm(clip.joints[:, 0], axis=-1)
    of_body = {
        "distance off %": float(100.0 * np.abs(found.distance / away - 1.0).mean()),
        "frames per second": FRAMES / seconds,
    }
    cleaned = clean_body(found.motions[0], CleanSettings(device=device)).motion
    return {
        ONE: _figures(drawn[:, 0], clip),
        MEAN: _figures(drawn.mean(axis=1), clip),
        BODY: _figures(_joints(found.motions[0]), clip) | of_body,
        CLEANED: _figures(_joints(cleaned), clip),
    }


def lift_table(context: Context) -> Table:
    """Clips of the test split, filmed."""
    rows: dict[str, dict[str, list[float]]] = {f"{prior}, {stage}": {} for prior in PRIORS for stage in STAGES}
    count = max(2, CLIPS // context.scale)
    for seed in range(context.seeds):
        lifters = {prior: _Kept(load_lifter(prior.lower(), None, seed, context.device)) for prior in PRIORS}
        gathered: dict[str, list[dict[str, float]]] = {row: [] for row in rows}
        for clip in film(context.data / "test", count, FRAMES, seed):
            for prior, lifter in lifters.items():
                for stage, figures in _stages(clip, lifter, seed, context.device).items():
                    gathered[f"{prior}, {stage}"].append(figures)
        for row, of_clips in gathered.items():
            for column in of_clips[0]:
                rows[row].setdefault(column, []).append(float(np.mean([one[column] for one in of_clips])))
        print(f"  lift, seed {seed + 1} of {context.seeds}", file=sys.stderr, flush=True)
    return Table(
        "lift",
        "Lift: keypoints of a filmed clip to an animation",
        f"{count} clips a seed of {FRAMES} frames at 30 fps, spread over the test split (subjects 5, 8, 9, 13, whom "
        "training never saw), on bundled mannequins of random SMPL-X shape, before a still camera of 1,400 px focal "
        "length (1920 x 1080) at 3 to 6 m and more, pitched by 10 degrees (standard deviation); a detector's noise as "
        "in the GFPose tables, half of it slow. The person's height is told, the distance is not. "
        f"{HYPOTHESES} hypotheses of {' and '.join(str(STEPS[prior.lower()]) for prior in PRIORS)} steps. Errors over "
        "17 joints; MPJPE with pelvises aligned. Pixels from where the joints really are. Spread over seeds: clips' "
        "cameras, shapes, noise and sampling.",
        COLUMNS,
        rows,
        notes=f"Speed: all of lift but cleaning, on {torch.get_num_threads()} threads of a processor.",
    )
