# SPDX-License-Identifier: GPL-3.0-or-later
"""A hand that is dragged: how near the rest of the body comes to what people do when their hand goes there."""

from __future__ import annotations

import os
import sys
import time

import numpy as np
import torch

from engine.body import mean_offsets, pose_joints
from engine.evaluation.metrics import MILLIMETRES
from engine.evaluation.tables.table import Context, Table
from engine.motion.joints import JOINTS
from engine.priors.weights import load_pose_prior
from engine.tasks.fit.effectors import EffectorSettings, fit_effectors
from engine.tasks.fit.pull import PullSettings
from engine.training.dynamics import clips

SECONDS, PAIRS, EVERY_SECONDS = 0.4, 100, 1.0
LEAST, MOST = 0.1, 0.8  # metres that the hand moves
ARM = tuple(JOINTS.index(name) for name in ("right_collar", "right_shoulder", "right_elbow"))
LEGS = tuple(JOINTS.index(f"{side}_{part}") for side in ("left", "right") for part in ("hip", "knee", "ankle"))
ARM_OFF, BODY_OFF, LEGS_MOVED = "arm mm", "all joints mm", "legs moved mm, at most"
REACHED, DURATION = "farthest target mm", "median CPU ms per solve"
MILLISECONDS = 1000.0

PROTOCOL = (
    "{pairs} pairs of poses {seconds} s apart from the test split, between which the right wrist moves {least:.0f} "
    "to {most:.0f} cm from the pelvis, on the bundled mannequin, pelvis at rest. The earlier pose is the current one, "
    "the later wrist the target. Error: mean distance to the later pose, of collar, shoulder and elbow and of all "
    "joints but the pelvis. Time of one thread on one of {cores} CPU cores; diffusion noise of seed 0 where there is "
    "any. No figure in the paper."
)


def dragging(context: Context) -> Table:
    """One target from a real pose: how much of the pose is kept, and what tells which joints give way."""
    before, after = _pairs(context)
    prior = load_pose_prior()
    uneven = PullSettings(gaussian=0.0, coordinates=1.0, denoised=0.0)
    methods: dict[str, EffectorSettings | None] = {
        "the current pose": None,
        "keep 1 (Follow Live)": EffectorSettings(keep=1.0),
        "keep 0.8": EffectorSettings(keep=0.8),
        "keep 0.5": EffectorSettings(keep=0.5),
        "keep 0 (the prior's pose)": EffectorSettings(),
        "keep 1, each joint for itself": EffectorSettings(keep=1.0, pull=uneven),
    }
    start, truth = (pose_joints(torch.from_numpy(poses)).numpy() for poses in (before, after))
    rows: dict[str, dict[str, list[float]]] = {}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name, settings in methods.items():
            found, missed, seconds = start.copy(), [0.0], [0.0]
            for n, pose in enumerate(before if settings is not None else ()):
                current, begin = np.concatenate([np.zeros((1, 3)), pose]), time.process_time()
                target = {"right_wrist": truth[n, JOINTS.index("right_wrist")]}
                posed = fit_effectors(target, prior, current, offsets=mean_offsets(), settings=settings)
                seconds.append(time.process_time() - begin)
                missed.append(max(posed.missed.values()))
                found[n] = pose_joints(torch.from_numpy(posed.pose[None, 1:])).numpy()[0]
            off = np.linalg.norm(found - truth, axis=-1)
            legs = np.linalg.norm((found - start)[:, LEGS], axis=-1)
            rows[name] = {
                ARM_OFF: [MILLIMETRES * float(off[:, ARM].mean())],
                BODY_OFF: [MILLIMETRES * float(off[:, 1:].mean())],
                LEGS_MOVED: [MILLIMETRES * float(legs.max())],
                REACHED: [MILLIMETRES * max(missed)] if settings is not None else [],
                DURATION: [MILLISECONDS * float(np.median(seconds[1:]))] if settings is not None else [],
            }
            print(f"  dragging: {name}", file=sys.stderr)
    finally:
        torch.set_num_threads(threads)
    told = PROTOCOL.format(
        pairs=len(before), seconds=SECONDS, least=100 * LEAST, most=100 * MOST, cores=os.cpu_count()
    )
    columns = (ARM_OFF, BODY_OFF, LEGS_MOVED, REACHED, DURATION)
    return Table("dragging", "Posing by dragging one hand", told, columns, rows)


def _pairs(context: Context) -> tuple[np.ndarray, np.ndarray]:
    """Poses (N, 21, 3), earlier and later."""
    earlier, later = [], []
    for poses, _, fps in clips(context.data / "test", share_alike=True):
        body, ahead = np.asarray(poses, np.float64)[:, 1:], round(SECONDS * fps)
        starts = range(0, len(body) - ahead, max(1, round(EVERY_SECONDS * fps)))
        earlier += [body[t] for t in starts]
        later += [body[t + ahead] for t in starts]
    before, after = np.array(earlier), np.array(later)
    start, end = (pose_joints(torch.from_numpy(poses)).numpy() for poses in (before, after))
    moved = np.linalg.norm((end - start)[:, JOINTS.index("right_wrist")], axis=-1)
    usable = np.flatnonzero((moved > LEAST) & (moved < MOST))
    chosen = usable[np.linspace(0, len(usable) - 1, min(PAIRS, len(usable))).astype(int)][:: context.scale]
    return before[chosen], after[chosen]
