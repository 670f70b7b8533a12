# SPDX-License-Identifier: GPL-3.0-or-later
"""DiffPose's tables (Gong et al. 2023) on our data: frames and sequences, baselines, mixtures, contexts, K and N."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from engine.evaluation.joint_metrics import procrustes_aligned, root_aligned
from engine.evaluation.lifting_variants import GRAPH_WORDS, GraphVariant
from engine.evaluation.tables.lifting import DETECTORS, keypoints, protocol, some_people
from engine.evaluation.tables.table import Context, Table
from engine.priors.joint_prior import Seen, centre, from_event
from engine.priors.lifting_prior import LiftingPrior
from engine.priors.lifting_weights import load_lifting_prior
from engine.tasks.lift.diffpose import DiffPoseSettings, clip_context, hypotheses
from engine.training.people import detect
from engine.training.people_clips import PeopleClips

PEOPLE = 400
CLIPS, CLIP_FRAMES = 12, 81
COLUMNS = tuple(f"{name} {metric} mm" for name in ("detected", "exact") for metric in ("MPJPE", "P-MPJPE"))
SETTINGS = DiffPoseSettings()
CLIP_WORDS = (
    "{clips} clips a seed of {frames} frames at 30 fps: as the people of the other tables, walking before a still "
    "camera; half of the detector's noise changes over a third of a second."
)

Views = dict[str, tuple[Tensor, list[Seen]]]
"""By detector: joints (N, 17, 3), and what is seen of them, clip by clip."""
Rows = dict[str, tuple[GraphVariant, dict[str, float]]]
"""What is trained, and settings of the sampling, by row."""
Lift = Callable[[Seen], Tensor]
"""Joints (N, S, 17, 3) of the keypoints of one clip, of which the nearest count."""


def _frames(context: Context, seed: int) -> Views:
    truth = some_people(context, seed, PEOPLE)
    return {name: (truth, [keypoints(truth, name, seed)]) for name in DETECTORS}


def _clips(context: Context, seed: int) -> Views:
    clips = PeopleClips([context.data / "test"], CLIP_FRAMES, seed)
    truth = clips.draw(max(2, CLIPS // context.scale), torch.Generator().manual_seed(seed)).flatten(0, 1)
    views: Views = {}
    for name, detector in DETECTORS.items():
        seen = detect(truth, detector, torch.Generator().manual_seed(1000 + seed), CLIP_FRAMES)
        parts = zip(seen.joints.split(CLIP_FRAMES), seen.doubt.split(CLIP_FRAMES), strict=True)
        views[name] = (truth, [Seen(*part) for part in parts])
    return views


def _errors(lift: Lift, views: Views) -> dict[str, float]:
    """By `COLUMNS`."""
    figures = {}
    for name, (truth, seen) in views.items():
        found, aim = (a.double().numpy() for a in (torch.cat([lift(clip) for clip in seen]), truth))
        for metric, measure in (("MPJPE", root_aligned), ("P-MPJPE", procrustes_aligned)):
            errors = measure(found.swapaxes(0, 1), aim).mean(axis=-1)
            figures[f"{name} {metric} mm"] = float(np.mean(errors.min(axis=0)))
    return figures


def nearest(prior: LiftingPrior, seed: int, **settings: float) -> Lift:
    """All hypotheses."""
    chosen = replace(SETTINGS, seed=seed, **settings)  # type: ignore[arg-type]
    return lambda seen: hypotheses(seen, prior, chosen)


def diffused(prior: LiftingPrior, seed: int, **settings: float) -> Lift:
    """The mean of the hypotheses."""
    lift = nearest(prior, seed, **settings)
    return lambda seen: lift(seen).mean(dim=1, keepdim=True)


def encoded(prior: LiftingPrior) -> Lift:
    """What the context encoder takes for the pose."""

    def lift(seen: Seen) -> Tensor:
        with torch.no_grad():
            return from_event(clip_context(centre(seen)[0], prior).mean.flatten(1))[:, None]

    return lift


def _measured(
    context: Context,
    name: str,
    rows: dict[str, Callable[[int], Lift]],
    views: Callable[[Context, int], Views],
) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {row: {column: [] for column in COLUMNS} for row in rows}
    for seed in range(context.seeds):
        seen = views(context, seed)
        for row, make in rows.items():
            for column, value in _errors(make(seed), seen).items():
                found[row][column].append(value)
            print(f"  {name}: {row}, seed {seed + 1} of {context.seeds}", file=sys.stderr, flush=True)
    return found


def _bundled(kind: str) -> LiftingPrior:
    return load_lifting_prior(encoder=kind)


def table_1(context: Context) -> Table:
    """Sequences."""
    return _lifted(context, "1", "sequences", "clip", _clips, {"DiffPose": (36.9, 28.6)}, {"DiffPose": 18.9})


def table_3(context: Context) -> Table:
    """Single frames."""
    return _lifted(context, "3", "single frames", "frame", _frames, {"DiffPose": (49.7, 39.2)}, {"DiffPose": 29.1})


def _lifted(
    context: Context,
    number: str,
    what: str,
    kind: str,
    views: Callable[[Context, int], Views],
    detected: dict[str, tuple],
    exact: dict[str, float],
) -> Table:
    prior = _bundled(kind)
    rows = {
        "DiffPose": lambda seed: diffused(prior, seed),
        "one hypothesis": lambda seed: diffused(prior, seed, hypotheses=1),
        "best of 5 hypotheses": lambda seed: nearest(prior, seed),
        "the paper's temperature": lambda seed: diffused(prior, seed, temperature=1.0),
        "the paper's temperature, best of 5": lambda seed: nearest(prior, seed, temperature=1.0),
        "context encoder": lambda seed: encoded(prior),
    }
    if kind == "clip":
        single = _bundled("frame")
        rows |= {
            "DiffPose, frame by frame": lambda seed: diffused(single, seed),
            "context encoder, frame by frame": lambda seed: encoded(single),
        }
    clip_words = CLIP_WORDS.format(clips=max(2, CLIPS // context.scale), frames=CLIP_FRAMES)
    return Table(
        f"diffpose_{number}",
        f"DiffPose, Table {number}: {what}",
        protocol(context, PEOPLE) if kind == "frame" else f"{clip_words} {protocol(context, PEOPLE)}",
        COLUMNS,
        _measured(context, number, rows, views),
        {
            row: {column: value for column, value in zip(COLUMNS, (*values, exact.get(row)), strict=False) if value}
            for row, values in detected.items()
        },
        f"The mean of {SETTINGS.hypotheses} hypotheses after {SETTINGS.steps} steps of DDIM, from noise of "
        f"{SETTINGS.temperature:g} of the paper's, unless said otherwise.",
    )


def _variants(
    context: Context,
    table: str,
    title: str,
    rows: Rows,
    paper: dict[str, tuple[float, ...]],
) -> Table:
    def make(variant: GraphVariant, settings: dict[str, float]) -> Callable[[int], Lift]:
        return lambda seed: diffused(
            load_lifting_prior(variant.train(0, context.data, context.device)), seed, **settings
        )

    made = {name: make(variant, settings) for name, (variant, settings) in rows.items()}
    found = _measured(context, table, made, _frames)
    return Table(
        f"diffpose_{table.lower().replace(' ', '_')}",
        title,
        protocol(context, PEOPLE),
        COLUMNS,
        found,
        {name: dict(zip(COLUMNS, row, strict=False)) for name, row in paper.items()},
        f"Single frames; the paper's rows are of sequences. {GRAPH_WORDS} Trained once, with seed 0.",
    )


def table_4(context: Context) -> Table:
    """Against the one-step baselines."""
    once: dict[str, float] = {"hypotheses": 1, "steps": 1, "temperature": 1.0}
    return _variants(
        context,
        "4",
        "DiffPose, Table 4: against the same network in one step",
        {
            "Baseline A (one step)": (GraphVariant(("--single-step",)), once),
            "Baseline B (stacked, one step)": (GraphVariant(("--single-step", "--blocks=9")), once),
            "DiffPose": (GraphVariant(), {}),
        },
        {
            "Baseline A (one step)": (44.3, 33.7), "Baseline B (stacked, one step)": (41.1, 32.8),
            "DiffPose": (36.9, 28.6),
        },
    )  # fmt: skip


def table_5(context: Context) -> Table:
    """The start's mixture."""
    rows: Rows = {"Stand-Diff": (GraphVariant(("--standard",)), {})}
    for m in (1, 5, 9):
        rows[f"GMM-Diff (M = {m})"] = (GraphVariant(() if m == 5 else (f"--components={m}",)), {})
    return _variants(
        context,
        "5",
        "DiffPose, Table 5: standard diffusion and mixtures",
        rows,
        {
            "Stand-Diff": (40.1, 31.1), "GMM-Diff (M = 1)": (38.0, 29.7), "GMM-Diff (M = 5)": (36.9, 28.6),
            "GMM-Diff (M = 9)": (36.5, 28.5),
        },
    )  # fmt: skip


def table_6(context: Context) -> Table:
    """The context."""
    return _variants(
        context,
        "6",
        "DiffPose, Table 6: with and without context",
        {"no context": (GraphVariant(("--no-context",)), {}), "context of a frame": (GraphVariant(), {})},
        {},
    )


def figure_4(context: Context) -> Table:
    """Steps K of the diffusion and the number N of hypotheses."""
    rows: Rows = {f"K = {k}": (GraphVariant(() if k == 50 else (f"--steps={k}",)), {}) for k in (10, 25, 50, 100)}
    rows |= {f"N = {n}": (GraphVariant(), {"hypotheses": n}) for n in (1, 2, 5, 10, 20)}
    rows |= {f"temperature {t:g}": (GraphVariant(), {"temperature": t}) for t in (0.0, 1.0)}
    rows |= {f"{steps} steps of DDIM": (GraphVariant(), {"steps": steps}) for steps in (1, 2, 10, 50)}
    return _variants(context, "figure 4", "DiffPose, Fig. 4: steps and hypotheses", rows, {})
