# SPDX-License-Identifier: GPL-3.0-or-later
"""How many poses a second the lifters make, beside the papers' samplers on the same machine in the same run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from engine.device import pick_device
from engine.evaluation.tables.lifting import keypoints, some_people
from engine.evaluation.tables.table import Context, Table
from engine.priors.joint_weights import load_joint_prior
from engine.priors.lifting_weights import load_lifting_prior
from engine.tasks.lift import diffpose, gfpose
from engine.tasks.lift.lifters import STEPS

FRAMES, HYPOTHESES = 128, 4
PAPER_FRAMES = 32
"""Of GFPose's 1,000 steps: at an equal batch they take as long as all else together."""
BASELINE = "GFPose, the paper's sampler (1,000 steps)"
FAST = "GFPose, as lift takes it"
THREADS = (1, 2)

Work = Callable[[], Tensor]
"""Makes poses, (..., 17, 3)."""


def _works(context: Context, device: torch.device) -> dict[str, Work]:
    prior = load_joint_prior().to(device)
    frame, clip = (load_lifting_prior(encoder=kind).to(device) for kind in ("frame", "clip"))
    shown = keypoints(some_people(context, 0, FRAMES), "detected", 0)
    seen = shown.to(device)
    few = seen.rows(slice(max(1, PAPER_FRAMES // context.scale)))
    ours = gfpose.SamplingSettings(HYPOTHESES, steps=STEPS["gfpose"])
    one = diffpose.DiffPoseSettings(hypotheses=1)
    all_steps = replace(one, steps=frame.sde.steps)
    return {
        BASELINE: lambda: gfpose.hypotheses(few, prior, replace(gfpose.PAPER, hypotheses=HYPOTHESES)),
        "GFPose, 50 steps": lambda: gfpose.hypotheses(seen, prior, replace(ours, steps=50)),
        f"{FAST} ({ours.steps} steps)": lambda: gfpose.hypotheses(seen, prior, ours),
        f"DiffPose, all {all_steps.steps} steps": lambda: diffpose.hypotheses(seen, frame, all_steps),
        f"DiffPose, frames, {one.steps} steps of DDIM": lambda: diffpose.hypotheses(seen, frame, one),
        f"DiffPose, clip, {one.steps} steps of DDIM": lambda: diffpose.hypotheses(seen, clip, one),
        "DiffPose, clip, mean of 5": lambda: diffpose.hypotheses(seen, clip, replace(one, hypotheses=5)).mean(1),
    }


def lifting_speed(context: Context) -> Table:
    """Poses per second: a hypothesis of a frame is a pose, the mean of several is one."""
    device = pick_device(context.device)
    threads = THREADS if device.type == "cpu" else THREADS[:1]
    kept = torch.get_num_threads()
    rows: dict[str, dict[str, list[float]]] = {}
    columns: list[str] = []
    works = _works(context, device)
    try:
        for count in threads:
            torch.set_num_threads(count)
            where = f"{count} thread{'s' * (count > 1)}" if device.type == "cpu" else device.type
            speed, ratio = f"poses per second, {where}", f"times the paper's sampler, {where}"
            columns += [speed, ratio]
            works[f"{FAST} ({STEPS['gfpose']} steps)"]()  # what is made once
            for _ in range(context.seeds):
                paper = 0.0
                for name, work in works.items():
                    begin = time.perf_counter()
                    made = work().cpu()
                    rate = made.numel() / (17 * 3) / (time.perf_counter() - begin)
                    paper = paper or rate
                    row = rows.setdefault(name, {})
                    row.setdefault(speed, []).append(rate)
                    row.setdefault(ratio, []).append(rate / paper)
                    print(f"  {name}, {where}: {rate:.0f}", file=sys.stderr, flush=True)
    finally:
        torch.set_num_threads(kept)
    return Table(
        "lifting_speed",
        "Lifting: poses per second",
        f"{FRAMES} frames of keypoints at once, {HYPOTHESES} hypotheses of each with GFPose ({PAPER_FRAMES} frames for "
        "the 1,000 steps). A hypothesis is a pose, the mean of several is one pose. The baseline is GFPose's network "
        "and sampler as the paper has them, in the same run and precision; spread over repetitions.",
        tuple(columns),
        rows,
        {
            "GFPose, 1,000 steps, one 2080 Ti": {columns[0]: 240.0},
            "DiffPose, all 50 steps, one GPU": {columns[0]: 170.0},
        },
        "The papers' figures are of a graphics card and stand under the first column for comparison only.",
    )
