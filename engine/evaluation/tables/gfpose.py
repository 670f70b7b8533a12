# SPDX-License-Identifier: GPL-3.0-or-later
"""GFPose's tables (Ci et al. 2023) on our data: lifting, completion of 2D and of 3D, denoising, and the ablations."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import torch
from torch import Tensor

from engine.evaluation.joint_metrics import procrustes_aligned
from engine.evaluation.lifting_variants import BATCH, ITERATIONS, SIZE_WORDS, LifterVariant, weights
from engine.evaluation.tables.lifting import in_3d, keypoints, least, protocol, some_people, without
from engine.evaluation.tables.table import Context, Table
from engine.motion.h36m import JOINTS, part_mask
from engine.priors.joint_prior import JointPrior, Seen, centre, from_event, told
from engine.priors.joint_weights import load_joint_prior, load_joint_regressor
from engine.tasks.lift.gfpose import (
    APPROACHES,
    SamplingSettings,
    denoise,
    hypotheses,
)
from engine.tasks.lift.representatives import representatives

SETTINGS = SamplingSettings(hypotheses=200, steps=10)
FEW = 50
"""People where many models or limbs are compared."""
FEWER = 20
"""People where samplers take many steps."""
DRAWS = 800
"""From which hypotheses that stand for them are made."""
LIMBS_2D: dict[str, tuple[str, ...]] = {
    "2 legs": ("left_leg", "right_leg"),
    "2 arms": ("left_arm", "right_arm"),
    "left leg + left arm": ("left_leg", "left_arm"),
    "right leg + right arm": ("right_leg", "right_arm"),
}
LIMBS_3D = ("right leg", "left leg", "left arm", "right arm")
LOSABLE = [
    JOINTS.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("knee", "ankle", "elbow", "wrist")
]
"""What loses single joints in the released code: elbows, wrists, knees and ankles."""
SAMPLER_WORDS = (
    f"Sampled by {SETTINGS.sampler} in {SETTINGS.steps} steps of shrinking length unless said otherwise; the paper "
    "takes 1,000 equal steps of Euler-Maruyama."
)


def _say(context: Context, table: str, what: str, seed: int) -> None:
    print(f"  {table}: {what}, seed {seed + 1} of {context.seeds}", file=sys.stderr, flush=True)


def _drawn(prior: JointPrior, seen: Seen, seed: int, **settings: object) -> Tensor:
    return hypotheses(seen, prior, replace(SETTINGS, seed=seed, **settings))  # type: ignore[arg-type]


def table_1(context: Context) -> Table:
    """2D to 3D with 1, 10 and 200 hypotheses."""
    prior, counts = load_joint_prior(), (1, 10, 200)
    columns = tuple(f"S = {count}, P{p} mm" for p in (1, 2) for count in counts)
    rows: dict[str, dict[str, list[float]]] = {}
    for seed in range(context.seeds):
        truth = some_people(context, seed)
        for detector in ("detected", "exact"):
            drawn = _drawn(prior, keypoints(truth, detector, seed), seed)
            row = rows.setdefault(detector, {column: [] for column in columns})
            for p, aligned in ((1, False), (2, True)):
                for count, value in least(drawn, truth, counts, aligned).items():
                    row[f"S = {count}, P{p} mm"].append(value)
            _say(context, "1", detector, seed)
    return Table(
        "gfpose_1",
        "GFPose, Tables 1 and 3: 2D to 3D, least error of S hypotheses",
        protocol(context),
        columns,
        rows,
        {
            "detected": dict(zip(columns, (51.0, 45.1, 35.6), strict=False)) | {"S = 200, P2 mm": 30.5},
            "exact": {"S = 200, P2 mm": 16.9},
        },
        f"{SAMPLER_WORDS} Combined approach.",
    )


def table_4(context: Context) -> Table:
    """The prior against its deterministic twin, on keypoints that they were trained on and on others."""
    tests = {"exact": ("exact", 0.0), "detected": ("detected", 0.0)} | {
        f"{name} + 25 mm": (name, 0.025) for name in ("exact", "detected")
    }
    variants = {
        f"{'twin' if twin else 'prior'} of {name} keypoints": LifterVariant((0, 0, 0), "2d", name, twin)
        for name in ("exact", "detected")
        for twin in (False, True)
    }
    columns = tuple(f"{name}{s} mm" for name in tests for s in ("", ", S = 200"))
    rows: dict[str, dict[str, list[float]]] = {name: {} for name in variants}
    for seed in range(context.seeds):
        truth = some_people(context, seed, FEW)
        noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(seed))
        for name, variant in variants.items():
            # Trained anew for every seed: this is the comparison that a prior stands by.
            path = weights(variant, seed, context.data, context.device)
            for test, (detector, std) in tests.items():
                seen = keypoints(truth, detector, seed)
                # Nobody is told of the noise that is added, as in the paper.
                seen = Seen(seen.joints + std * noise * seen.known, seen.doubt)
                if variant.deterministic:
                    centred = centre(seen)[0]
                    with torch.no_grad():
                        found = from_event(load_joint_regressor(path)(told(centred)))[:, None]
                    rows[name].setdefault(f"{test} mm", []).append(least(found, truth, (1,))[1])
                    continue
                drawn = _drawn(load_joint_prior(path), seen, seed, approach="conditional")
                figures = least(drawn, truth, (1, 200))
                rows[name].setdefault(f"{test} mm", []).append(figures[1])
                rows[name].setdefault(f"{test}, S = 200 mm", []).append(figures[200])
            _say(context, "4", name, seed)
    paper = {
        "prior of exact keypoints": (35.6, 55.7, 72.2, 81.2),
        "twin of exact keypoints": (41.9, 61.6, 77.9, 89.2),
        "prior of detected keypoints": (38.9, 51.0, 61.1, 69.0),
        "twin of detected keypoints": (46.9, 57.0, 64.4, 72.1),
    }
    return Table(
        "gfpose_4",
        "GFPose, Table 4: the prior against its deterministic twin",
        protocol(context, FEW),
        columns,
        rows,
        {name: dict(zip([f"{test} mm" for test in tests], row, strict=True)) for name, row in paper.items()},
        f"{SIZE_WORDS} Here they are trained anew for every seed. Masks HPJ-000, conditional approach, one hypothesis "
        f"unless said otherwise; the paper adds noise of 25 px^2. {SAMPLER_WORDS}",
    )


def table_5(context: Context) -> Table:
    """2D with missing joints and parts."""
    priors: dict[str, JointPrior] = {
        "U3D (bundled)": load_joint_prior(),
        "HPJ-001": _variant(context, LifterVariant((0, 0, 0.1), "2d")),
        "HPJ-020": _variant(context, LifterVariant((0, 0.2, 0), "2d")),
    }
    columns = ("1 joint", "2 joints", *LIMBS_2D)
    rows: dict[str, dict[str, list[float]]] = {name: {} for name in priors}
    for seed in range(context.seeds):
        truth = some_people(context, seed, FEW)
        seen = keypoints(truth, "detected", seed)
        lost = {column: torch.from_numpy(part_mask(*parts)) for column, parts in LIMBS_2D.items()}
        order = torch.rand(len(truth), len(LOSABLE), generator=torch.Generator().manual_seed(seed)).argsort(dim=1)
        for count in (1, 2):
            mask = torch.zeros(len(truth), len(JOINTS), dtype=torch.bool)
            mask.scatter_(1, torch.tensor(LOSABLE)[order[:, :count]], True)
            lost[columns[count - 1]] = mask
        for name, prior in priors.items():
            for column in columns:
                if (name == "HPJ-001" and column in LIMBS_2D) or (name == "HPJ-020" and column not in LIMBS_2D):
                    continue
                drawn = _drawn(prior, without(seen, lost[column]), seed)
                rows[name].setdefault(f"{column} mm", []).append(least(drawn, truth, (200,))[200])
                _say(context, "5", f"{name}, {column}", seed)
    names = tuple(f"{column} mm" for column in columns)
    return Table(
        "gfpose_5",
        "GFPose, Tables 5 and 11: 2D with missing joints to 3D, S = 200",
        protocol(context, FEW),
        names,
        rows,
        {
            "separate": dict(zip(names, (37.8, 39.6, 53.5, 60.0, 54.6, 53.1), strict=True)),
            "U3D": dict(zip(names, (37.6, 39.5, 53.8, 60.4, 55.2, 53.5), strict=True)),
            "Li et al.": {names[0]: 58.8, names[1]: 64.6},
        },
        f"Detected keypoints, protocol 1, combined approach. Separate models: {SIZE_WORDS} {SAMPLER_WORDS}",
    )


def _variant(context: Context, variant: LifterVariant) -> JointPrior:
    """Trained once, whatever the seed of the people."""
    return load_joint_prior(weights(variant, 0, context.data, context.device))


def table_6(context: Context) -> Table:
    """3D with a missing limb."""
    bundled, means = "U3D (bundled)", f"U3D (bundled), means of {DRAWS} draws"
    priors: dict[str, JointPrior] = {
        bundled: load_joint_prior(),
        "HPJ-020": _variant(context, LifterVariant((0, 0.2, 0), "3d")),
    }
    columns = tuple(f"{limb}, S = {count} mm" for limb in LIMBS_3D for count in (1, 200))
    rows: dict[str, dict[str, list[float]]] = {name: {} for name in priors}
    for seed in range(context.seeds):
        truth = some_people(context, seed, FEW)
        for name, prior in priors.items():
            for limb in LIMBS_3D:
                lost = torch.from_numpy(part_mask(limb.replace(" ", "_")))
                drawn = _drawn(prior, without(in_3d(truth), lost), seed)
                for count, value in least(drawn, truth, (1, 200)).items():
                    rows[name].setdefault(f"{limb}, S = {count} mm", []).append(value)
                if name == bundled:
                    many = _drawn(prior, without(in_3d(truth), lost), seed, hypotheses=DRAWS)
                    value = least(representatives(many, 200, seed), truth, (200,))[200]
                    rows.setdefault(means, {}).setdefault(f"{limb}, S = 200 mm", []).append(value)
                _say(context, "6", f"{name}, {limb}", seed)
    separate, unified = (13.0, 5.2, 14.3, 5.8, 25.5, 9.4, 22.4, 8.9), (5.6, 5.9, 9.7, 9.0)
    return Table(
        "gfpose_6",
        "GFPose, Tables 6 and 12: 3D with a missing limb",
        protocol(context, FEW),
        columns,
        rows,
        {
            "separate": dict(zip(columns, separate, strict=True)),
            "U3D": dict(zip(columns[1::2], unified, strict=True)),
        },
        "Errors over all 17 joints, those known among them. Combined approach. Means: k-means makes 200 groups of the "
        f"draws, and the mean of each is a hypothesis. HPJ-020: {SIZE_WORDS} {SAMPLER_WORDS}",
    )


def table_7(context: Context) -> Table:
    """Noisy 3D joints to clean ones, from a start time chosen by the noise, and as released."""
    noises = {f"Gaussian {1000 * std:g} mm": (std, False) for std in (0.0, 0.02, 0.04, 0.08)}
    noises |= {f"uniform {1000 * half:g} mm": (half, True) for half in (0.03, 0.06, 0.12)}
    prior = load_joint_prior()
    alone = _variant(context, LifterVariant((1.0, 0, 0), "2d"))
    rows: dict[str, dict[str, list[float]]] = {}

    def note(row: str, column: str, found: Tensor, truth: Tensor) -> None:
        error = procrustes_aligned(found.double().numpy(), truth.double().numpy()).mean()
        rows.setdefault(row, {}).setdefault(f"{column}", []).append(float(error))

    for seed in range(context.seeds):
        truth = some_people(context, seed)
        generator = torch.Generator().manual_seed(seed)
        for column, (size, flat) in noises.items():
            if flat:
                noisy, std = truth + size * (2.0 * torch.rand(truth.shape, generator=generator) - 1.0), size / 3**0.5
            else:
                noisy, std = truth + size * torch.randn(truth.shape, generator=generator), size
            note("noisy", column, noisy, truth)
            # The noise of clean poses is not known to be none: they are taken for as noisy as capture is, 5 mm.
            start = max(std, 0.005)
            note("U3D (bundled)", column, denoise(noisy, start, prior), truth)
            note("HPJ-T00", column, denoise(noisy, start, alone), truth)
            note("U3D (bundled), released steps", column, denoise(noisy, std, prior, released=True), truth)
            _say(context, "7", column, seed)
    paper = {
        "noisy": (0, 33.1, 65.5, 126.0, 49.1, 96.2, 178.2),
        "HPJ-T00": (14.7, 25.0, 42.8, 64.6, 32.8, 50.9, 89.4),
        "U3D (bundled)": (14.0, 24.8, 43.5, 65.2, 33.0, 51.0, 91.1),
    }
    return Table(
        "gfpose_7",
        "GFPose, Tables 7 and 13: noisy 3D joints to clean ones, protocol 2, mm",
        protocol(context),
        tuple(noises),
        rows,
        {name: dict(zip(noises, row, strict=True)) for name, row in paper.items()},
        "The paper's noise is in pixels of its image frame: its rows are under ours of about as much error before. "
        f"HPJ-T00: {SIZE_WORDS}",
    )


def table_9(context: Context) -> Table:
    """Steps, blocks and width, with the speed of each on this processor."""
    sizes = {
        f"{blocks} blocks, width {hidden}": {"blocks": blocks, "hidden": hidden} if (blocks, hidden) != (2, 512) else {}
        for blocks, hidden in ((2, 256), (2, 512), (3, 512), (4, 512), (2, 1024))
    }
    columns = ("minMPJPE S = 200 mm", "poses per second")
    rows: dict[str, dict[str, list[float]]] = {}

    def measure(name: str, prior: JointPrior, seed: int, **settings: object) -> None:
        truth = some_people(context, seed, FEWER)
        begin = time.perf_counter()
        drawn = _drawn(prior, keypoints(truth, "detected", seed), seed, **settings)
        seconds = time.perf_counter() - begin
        row = rows.setdefault(name, {column: [] for column in columns})
        row[columns[0]].append(least(drawn, truth, (200,))[200])
        row[columns[1]].append(drawn.shape[0] * drawn.shape[1] / seconds)
        _say(context, "9", name, seed)

    bundled = load_joint_prior()
    for seed in range(context.seeds):
        for steps in (10, 20, 50):
            measure(f"bundled, {steps} steps", bundled, seed, steps=steps)
        equal = {"sampler": "euler-maruyama", "bend": 1.0, "steps": 50}
        measure("bundled, 50 equal steps of Euler-Maruyama", bundled, seed, **equal)
        for name, size in sizes.items():
            measure(f"{name}, {SETTINGS.steps} steps", _variant(context, LifterVariant(sizes=size)), seed)
    paper = {
        "1,000 steps, 2 blocks, width 1024": (35.6, 240), "500 steps": (36.1, 594), "2,000 steps": (35.7, 107),
        "3 blocks": (37.2, 154), "4 blocks": (37.1, 123), "width 512": (44.3, 461), "width 2048": (37.6, 79),
    }  # fmt: skip
    return Table(
        "gfpose_9",
        "GFPose, Table 9: steps, blocks and width",
        protocol(context, FEWER),
        columns,
        rows,
        {name: dict(zip(columns, row, strict=True)) for name, row in paper.items()},
        "Detected keypoints, combined approach. Rows of a size: trained alike and once, for "
        f"{ITERATIONS} iterations of {BATCH}; the bundled prior was trained longer. Speed: one hypothesis is one pose, "
        f"on {torch.get_num_threads()} threads of a processor, other work beside; the paper's on one 2080 Ti.",
    )


def table_10(context: Context) -> Table:
    """Which masks to train lifting with."""
    masks = (
        (0, 0, 0), (0.1, 0, 0), (0, 0.1, 0), (0, 0, 0.1), (0.1, 0.1, 0), (0, 0.1, 0.1), (0.1, 0.1, 0.1),
        (0.1, 0.2, 0.1),
    )  # fmt: skip
    variants = [LifterVariant(chances, "2d") for chances in masks]
    variants += [LifterVariant(chances, "unified") for chances in masks[-2:]]
    printed = (
        (51.0, 35.6), (50.8, 35.8), (50.5, 35.1), (51.7, 36.4), (51.0, 36.0), (51.1, 35.5), (52.3, 36.7), (52.4, 36.5),
        (51.3, 35.9), (51.6, 36.4),
    )  # fmt: skip
    columns = ("S = 1 mm", "S = 200 mm")
    rows: dict[str, dict[str, list[float]]] = {}
    for seed in range(context.seeds):
        truth = some_people(context, seed, FEW)
        for variant in variants:
            prior = _variant(context, variant)
            drawn = _drawn(prior, keypoints(truth, "detected", seed), seed, approach="conditional")
            row = rows.setdefault(_masked(variant), {column: [] for column in columns})
            for count, value in least(drawn, truth, (1, 200)).items():
                row[f"S = {count} mm"].append(value)
            _say(context, "10", _masked(variant), seed)
    return Table(
        "gfpose_10",
        "GFPose, Table 10: condition masks",
        protocol(context, FEW),
        columns,
        rows,
        {
            _masked(variant): dict(zip(columns, row, strict=True))
            for variant, row in zip(variants, printed, strict=True)
        },
        f"Detected keypoints, protocol 1, conditional approach. {SIZE_WORDS} {SAMPLER_WORDS}",
    )


def _masked(variant: LifterVariant) -> str:
    human, part, joint = variant.masks
    return f"p_h {human:g}, p_p {part:g}, p_j {joint:g}, {'2D' if variant.conditions == '2d' else '2D and 3D'}"


def _approaches(
    context: Context, name: str, title: str, trained: dict[str, LifterVariant], paper: dict[str, tuple], kind: str
) -> Table:
    """Tables 15 to 17: conditional, imputation and combined, of several models."""
    columns = tuple(f"{approach} mm" for approach in APPROACHES)
    rows: dict[str, dict[str, list[float]]] = {}
    for seed in range(context.seeds):
        truth = some_people(context, seed, FEW)
        if kind == "3d":
            seen = without(in_3d(truth), torch.from_numpy(part_mask("right_leg")))
        else:
            seen = keypoints(truth, "detected", seed)
            if kind == "legs":
                seen = without(seen, torch.from_numpy(part_mask("left_leg", "right_leg")))
        for model, variant in [("U3D (bundled)", None), *trained.items()]:
            prior = load_joint_prior() if variant is None else _variant(context, variant)
            for approach in APPROACHES:
                if variant is not None and variant.masks[0] == 1.0 and approach != "imputation":
                    continue
                drawn = _drawn(prior, seen, seed, approach=approach)
                rows.setdefault(model, {}).setdefault(f"{approach} mm", []).append(
                    least(drawn, truth, (200,))[200]
                )
            _say(context, name, model, seed)
    return Table(
        name,
        title,
        protocol(context, FEW),
        columns,
        rows,
        {
            model: {column: value for column, value in zip(columns, row, strict=True) if value is not None}
            for model, row in paper.items()
        },
        f"Protocol 1, S = 200. Other models: {SIZE_WORDS} {SAMPLER_WORDS}",
    )


_NONE = LifterVariant((1.0, 0, 0), "2d")


def table_15(context: Context) -> Table:
    """Approaches to lifting."""
    return _approaches(
        context,
        "gfpose_15",
        "GFPose, Table 15: approaches to 2D to 3D",
        {"HPJ-010": LifterVariant((0, 0.1, 0), "2d"), "HPJ-T00": _NONE, "U2D": LifterVariant(conditions="2d")},
        {
            "HPJ-010": (35.1, 49.5, 36.8), "HPJ-T00": (None, 42.3, None), "U2D": (36.7, 43.0, 37.2),
            "U3D": (35.9, 43.0, 37.1),
        },
        "2d",
    )  # fmt: skip


def table_16(context: Context) -> Table:
    """Approaches to lifting without the legs."""
    return _approaches(
        context,
        "gfpose_16",
        "GFPose, Table 16: approaches to 2D without legs",
        {"HPJ-020": LifterVariant((0, 0.2, 0), "2d"), "HPJ-T00": _NONE, "U2D": LifterVariant(conditions="2d")},
        {
            "HPJ-020": (53.9, 72.8, 53.5), "HPJ-T00": (None, 64.9, None), "U2D": (55.8, 67.4, 54.9),
            "U3D": (54.6, 66.8, 53.8),
        },
        "legs",
    )  # fmt: skip


def table_17(context: Context) -> Table:
    """Approaches to completion of 3D."""
    return _approaches(
        context,
        "gfpose_17",
        "GFPose, Table 17: approaches to 3D without the right leg",
        {"HPJ-020": LifterVariant((0, 0.2, 0), "3d"), "HPJ-T00": _NONE},
        {
            "HPJ-020": (5.3, 8.3, 5.2), "HPJ-T00": (None, 6.0, None), "U2D": (None, 6.2, None),
            "U3D": (8.6, 6.1, 5.6),
        },
        "3d",
    )  # fmt: skip
