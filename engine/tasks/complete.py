# SPDX-License-Identifier: GPL-3.0-or-later
"""Missing joints of poses, several hypotheses each (DPoser sec. 5.4 and C.1, pose completion)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from engine.body import pose_joints
from engine.device import pick_device, prefers_bfloat16
from engine.diffusion.inverse import Guided, InverseSolver, Repaint, Replacement, Variational
from engine.diffusion.noise import Noise
from engine.diffusion.observation import Mask
from engine.diffusion.samplers import ddim, integrate
from engine.diffusion.schedule import bent, truncated
from engine.errors import MotionError
from engine.memory import at_once, within_memory
from engine.motion.joints import PARENTS
from engine.motion.windows import quat_to_rotvec, rotvec_to_quat
from engine.priors.conditional_prior import ConditionalPrior
from engine.priors.conditional_weights import load_conditional_prior
from engine.priors.pose_prior import BODY_JOINTS, PosePrior
from engine.priors.weights import load_pose_prior
from engine.tasks.hypotheses import cluster, summarise
from engine.tasks.steps import OnStep

ROWS_AT_ONCE = 8192
"""Candidates in one pass of the network: some 200 MB, whatever the clip's length."""
MOST_HYPOTHESES = 200
TIP = 0.05
"""Metres beyond a missing joint at which its turn counts when poses are compared: little beside where joints are, but
all there is for a hand."""


@dataclass(frozen=True)
class Conditional:
    """Ours: many candidates from the conditional prior, and the centres of their clusters as hypotheses.

    Attributes:
        candidates: drawn per pose.
        steps: of DDIM.
        bend: exponent of the time grid; above 1 puts more of the steps near t = 0.
        doubt: in standard deviations, how little exact coincidence counts; see `ConditionalPrior`.
    """

    candidates: int = 96
    steps: int = 12
    bend: float = 1.5
    doubt: float = 0.3


@dataclass(frozen=True)
class CompleteSettings:
    """How to complete.

    Attributes:
        hypotheses: how many, S.
        solver: `Conditional`, or any solver of `engine.diffusion.inverse` on the unconditional prior.
        seed: of all randomness; hypothesis s of item n is the same in any batch.
        device: auto, cpu, cuda or mps.
    """

    hypotheses: int = 10
    solver: Conditional | InverseSolver = field(default_factory=Conditional)
    seed: int = 0
    device: str = "auto"


def _released_weight(ratio: float) -> float:
    """0.5 sqrt(1 + SNR): a flag passed in the wrong place switches it on in the authors' completion."""
    return 0.5 * float(np.sqrt(1.0 + ratio))


PAPER = Variational(
    times=truncated(200, 0.2, 0.001),
    stages=1,
    data_weight=lambda stage: 1.0,
    prior_weight=lambda stage: 1.0,
    signal_weight=lambda ratio: 1.0,
    learning_rate=0.1,
)
"""Algorithm 1 with eq. 13 and eq. 18 as printed, [t_max, t_min] = [0.2, 0.001]; the text gives neither w_t, which is
1 here, nor Adam's rate and iterations, which are the code's."""

RELEASED = Variational(
    times=truncated(200, 0.201, 0.002),
    stages=2,
    data_weight=lambda stage: 100.0 / (1.0 + stage),
    prior_weight=lambda stage: 0.1 * (1.0 + stage),
    signal_weight=_released_weight,
    learning_rate=0.1,
)
"""``run/completion.py`` of the authors: 2 stages of 100 iterations, weights 100 / (1 + it) and 0.1 (1 + it)."""

PRESETS: dict[str, CompleteSettings] = {
    "paper": CompleteSettings(solver=PAPER),
    "released": CompleteSettings(solver=RELEASED),
    "best": CompleteSettings(),
}

SOLVERS: dict[str, Conditional | InverseSolver] = {
    "conditional": Conditional(),
    "dposer": RELEASED,
    "scoresde": Replacement(),
    "mcg": Guided(replace=True),
    "dps": Guided(),
    "repaint": Repaint(),
}
"""Solvers by name: ours, and those of DPoser's Table S-5."""


@dataclass(frozen=True)
class Completion:
    """Completed poses.

    Attributes:
        poses: (S, N, 21, 3) axis-angle in radians; known joints are bit-equal to the input.
        share: (S, N) part of the posterior that a hypothesis stands for, falling with s; where the solver draws
            single samples, its plausibility relative to the others of the item. Sums to 1 over s.
    """

    poses: np.ndarray
    share: np.ndarray


@within_memory
def complete_poses(
    poses: np.ndarray,
    known: np.ndarray,
    settings: CompleteSettings | None = None,
    prior: PosePrior | None = None,
    conditional: ConditionalPrior | None = None,
    on_step: OnStep | None = None,
) -> Completion:
    """Complete single poses.

    Args:
        poses: (N, 21, 3) axis-angle in radians; what is in unknown joints does not matter.
        known: (21,) or (N, 21) bool.
        settings: see `CompleteSettings`; the default is the preset "best".
        prior: for the unconditional solvers and for ranking their samples; the bundled one by default.
        conditional: for `Conditional`; the bundled one by default.
        on_step: told (done, total, stage); stops the work by raising.

    Raises:
        MotionError: a known joint holds NaN, shapes do not fit, or no hypothesis is asked for.
        WeightsError, DeviceError: as named.
    """
    chosen = settings or PRESETS["best"]
    known = np.broadcast_to(known, poses.shape[:2])
    _check(poses, known, chosen)
    device = pick_device(chosen.device)
    given = np.where(known[..., None], poses, 0.0)
    if isinstance(chosen.solver, Conditional):
        network = (conditional or load_conditional_prior()).to(device)
        solved, share = _by_clusters(given, known, chosen, chosen.solver, network, on_step)
    else:
        unconditional = (prior or load_pose_prior()).to(device)
        solved, share = _by_samples(given, known, chosen, chosen.solver, unconditional, on_step)
    solved = quat_to_rotvec(rotvec_to_quat(solved))  # solved angles may exceed pi
    poses = poses.astype(np.result_type(poses.dtype, np.float32))
    return Completion(np.where(known[None, ..., None], poses[None], solved.astype(poses.dtype)), share)


def _check(poses: np.ndarray, known: np.ndarray, settings: CompleteSettings) -> None:
    if poses.ndim != 3 or poses.shape[1:] != (BODY_JOINTS, 3) or not len(poses):
        raise MotionError(f"Poses to complete must be (N, {BODY_JOINTS}, 3) rotations, not {poses.shape}.")
    if not np.isfinite(poses[known]).all():
        raise MotionError("A joint that is said to be known holds NaN or infinite values; call it missing.")
    if not 1 <= settings.hypotheses <= MOST_HYPOTHESES:
        raise MotionError(f"Ask for at least one hypothesis and at most {MOST_HYPOTHESES}.")


def _seeds(seed: int, first: int, count: int, hypotheses: int) -> np.ndarray:
    """(hypotheses * count,) seeds of items first, first + 1, ..., hypothesis by hypothesis."""
    sequence = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
    items = np.arange(first, first + count, dtype=np.uint64)
    with np.errstate(over="ignore"):
        per_item = sequence + items * np.uint64(2**32)
        return (np.arange(hypotheses, dtype=np.uint64)[:, None] + per_item[None]).reshape(-1)


def _chunks(count: int, rows_each: int) -> list[slice]:
    size = max(1, at_once(ROWS_AT_ONCE) // rows_each)
    return [slice(begin, min(begin + size, count)) for begin in range(0, count, size)]


def _by_clusters(
    poses: np.ndarray,
    known: np.ndarray,
    settings: CompleteSettings,
    solver: Conditional,
    prior: ConditionalPrior,
    on_step: OnStep | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Hypotheses (S, N, 21, 3) and shares (S, N): clusters of candidates by where their joints are."""
    count = settings.hypotheses
    solved = np.empty((count, *poses.shape))
    share = np.empty((count, len(poses)))
    candidates = max(solver.candidates, count)
    for rows in _chunks(len(poses), candidates):
        tell = _teller(on_step, rows, len(poses))
        seeds = _seeds(settings.seed, rows.start, rows.stop - rows.start, candidates)
        event = draw_candidates(poses[rows], known[rows], seeds, solver, prior, tell)
        solved[:, rows], share[:, rows] = hypothesise(event, known[rows], count, prior, settings.seed)
    return solved, share


@within_memory
def conditional_hypotheses(
    poses: np.ndarray,
    known: np.ndarray,
    counts: tuple[int, ...],
    solver: Conditional,
    seed: int = 0,
    device: str = "auto",
    conditional: ConditionalPrior | None = None,
) -> dict[int, np.ndarray]:
    """`complete_poses` by `Conditional` for several numbers of hypotheses from the same candidates.

    Args:
        poses, known, conditional: as for `complete_poses`.
        counts: numbers of hypotheses.
        solver, seed, device: as in `CompleteSettings`.

    Returns:
        count -> (count, N, 21, 3).
    """
    prior = (conditional or load_conditional_prior()).to(pick_device(device))
    known = np.broadcast_to(known, poses.shape[:2])
    found = {count: np.empty((count, *poses.shape)) for count in counts}
    for rows in _chunks(len(poses), solver.candidates):
        seeds = _seeds(seed, rows.start, rows.stop - rows.start, solver.candidates)
        event = draw_candidates(poses[rows], known[rows], seeds, solver, prior)
        for count in counts:
            solved, _ = hypothesise(event, known[rows], count, prior, seed)
            found[count][:, rows] = np.where(known[None, rows, :, None], poses[None, rows], solved)
    return found


def hypothesise(
    candidates: Tensor, known: np.ndarray, count: int, prior: ConditionalPrior, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The middle of each cluster of candidates (C, N, 63) that lack joints not ``known`` (N, 21), largest first.

    Returns:
        poses (count, N, 21, 3) in radians, and the clusters' shares (count, N).
    """
    features = differences(prior.denormalise(candidates), known).movedim(0, 1)
    labels = cluster(features, count, torch.Generator().manual_seed(seed))
    means, share = summarise(candidates, labels, count)
    return prior.denormalise(means).cpu().numpy(), share.cpu().numpy()


def differences(poses: Tensor, known: np.ndarray) -> Tensor:
    """Features (..., N, F) in metres of poses (..., N, 21, 3) by which ways to fill joints not ``known`` differ.

    Where the joints are that the missing ones turn, and, as hands, feet and head turn no joint, how they are turned.
    """
    missing = np.pad(~known, ((0, 0), (1, 0)))
    moves = missing | missing[:, list(PARENTS)]  # the root's parent, -1, stands for a leaf
    moves[:, 0] = False
    placed = pose_joints(poses) * torch.from_numpy(moves).to(poses)[..., None]
    turned = TIP * poses * torch.from_numpy(~known).to(poses)[..., None]
    return torch.cat([placed.flatten(-2), turned.flatten(-2)], dim=-1)


def draw_candidates(
    poses: np.ndarray,
    known: np.ndarray,
    seeds: np.ndarray,
    solver: Conditional,
    prior: ConditionalPrior,
    on_iteration: Callable[[int, int], None] | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """Candidates (C, N, 63) as events for poses (N, 21, 3) with joints ``known`` (N, 21), by deterministic DDIM.

    ``seeds`` (C * N,) decide the latents; items that share a seed share a latent, so that neighbours in time with one
    latent have neighbouring candidates. Known joints keep their values. The temperature is the
    standard deviation of the latents.
    """
    device = prior.mean.device
    copies = len(seeds) // len(poses)
    event = prior.normalise(torch.from_numpy(poses).float().to(device)).repeat(copies, 1)
    mask = torch.from_numpy(known.copy()).to(device).repeat(copies, 1)
    denoise = prior.under(prior.condition(event, mask, solver.doubt))
    noise = Noise(seeds, temperature)
    grid = bent(solver.steps, prior.sde.t_max, prior.sde.t_min, solver.bend)
    with torch.autocast(device.type, torch.bfloat16, enabled=prefers_bfloat16(device)):
        start = noise.draw(event.shape[1:], device)
        x = integrate(denoise, prior.sde, start, grid, ddim(), on_iteration=on_iteration).x
    x = torch.where(mask.repeat_interleave(3, dim=1), event, x)
    return x.unflatten(0, (copies, len(poses)))


def _by_samples(
    poses: np.ndarray,
    known: np.ndarray,
    settings: CompleteSettings,
    solver: InverseSolver,
    prior: PosePrior,
    on_step: OnStep | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Hypotheses (S, N, 21, 3), the most plausible first, and their weights (S, N): independent runs of a solver."""
    count, device = settings.hypotheses, prior.mean.device
    solved = np.empty((count, *poses.shape))
    share = np.empty((count, len(poses)))
    for rows in _chunks(len(poses), count):
        size = rows.stop - rows.start
        noise = Noise(_seeds(settings.seed, rows.start, size, count))
        event = prior.normalise(torch.from_numpy(poses[rows]).float().to(device)).repeat(count, 1)
        joints = torch.from_numpy(known[rows].copy()).to(device).repeat(count, 1)
        mask = prior.coordinates_of(joints)
        # Missing coordinates set out from N(0, 1) in the normalised space, as the authors' do.
        start = torch.where(mask, event, noise.draw(event.shape[1:], device))
        tell = _teller(on_step, rows, len(poses))
        with torch.autocast(device.type, torch.bfloat16, enabled=prefers_bfloat16(device)):
            x = solver(prior.estimate, prior.sde, Mask.of(event, mask), start, noise, tell)
        x = torch.where(mask, event, x.float())
        surprise = implausibility(x, prior).reshape(count, size)
        order = surprise.argsort(dim=0)
        ranked = prior.denormalise(x).unflatten(0, (count, size))
        places = order[..., None, None].expand_as(ranked)
        solved[:, rows] = ranked.gather(0, places).cpu().numpy()
        share[:, rows] = torch.softmax(-surprise.gather(0, order), dim=0).cpu().numpy()
    return solved, share


@torch.no_grad()
def implausibility(event: Tensor, prior: PosePrior, times: tuple[float, ...] = (0.05, 0.1, 0.2)) -> Tensor:
    """(B,) excess of the squared error of predicted noise over what it is expected to be for events (B, dim).

    The integrand of the likelihood bound (Song et al. 2021b), at a few times with the same noise for all.
    """
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros(len(event), device=event.device)
    for t in times:
        alpha, sigma = (float(c) for c in prior.sde.marginal(torch.tensor(t)))
        z = torch.randn(event.shape[1:], generator=generator).to(event.device)
        time = torch.full((1,), t, device=event.device)
        noise = prior.estimate(alpha * event + sigma * z, time).noise
        total += (noise - z).square().sum(dim=1)
    return total / len(times)


def _teller(on_step: OnStep | None, rows: slice, total: int) -> Callable[[int, int], None] | None:
    if on_step is None:
        return None

    def tell(done: int, steps: int) -> None:
        on_step(int(rows.start + (rows.stop - rows.start) * done / steps), total, "Completing poses")

    return tell
