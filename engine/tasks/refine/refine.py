# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses and clips refined until they agree with what was seen (ScoreHMR; Stathopoulos et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import roma
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from engine.device import pick_device
from engine.diffusion.guidance import Guidance, weighted
from engine.diffusion.holding import holding, not_pulling
from engine.diffusion.implicit_guidance import ImplicitGuidance
from engine.diffusion.refinement import RefinementSettings
from engine.diffusion.refinement import refine as refine_events
from engine.diffusion.samplers import Denoise
from engine.errors import MotionError
from engine.memory import within_memory
from engine.motion.h36m import JOINTS
from engine.priors.detector_width import own_width
from engine.priors.image_frame import to_the_axis
from engine.priors.rotation_prior import JOINT_COUNT, RotationPrior, crop, from_event, to_event
from engine.priors.rotation_weights import load_rotation_prior
from engine.tasks.fit.camera import NEAREST
from engine.tasks.fit.state import shape_basis
from engine.tasks.lift.camera_space import USUAL_CONFIDENCE, Sight
from engine.tasks.lift.smoothing_spline import smoothing_spline
from engine.tasks.refine.coherence import Coherence
from engine.tasks.refine.gaps import carried
from engine.tasks.refine.reprojection import Reprojection
from engine.tasks.refine.shaking import shaking
from engine.tasks.steps import OnStep

DEEPEST = 1000  # steps that the diffusion has
HEAVIEST = 1e6  # weight of a term
MOST_TRUSTED = 1.5
"""Times the weight of a keypoint that is as sure as its kind usually is."""
SHAPES = 10
PLACE_ROUGHNESS = 2.0  # m^2 / s^3, of the pelvis' path
PLACE_DEVIATION = 0.02  # metres, least, of a frame's own place
UNSEEN_PULL = 15.0
"""Weight by which poses that nobody saw go along with those around."""


@dataclass(frozen=True)
class RefineSettings:
    """How to refine.

    Attributes:
        loop: rounds, depth and stride of inversion and sampling.
        keypoints: weight of eq. 12, per square metre at the person; the released 0.003 per square pixel is 166.
        smooth: of eq. 14, per unit of a rotation matrix's numbers, squared, at 30 frames per second.
        order: of its differences: 1 for steps, as in the paper, 2 for accelerations, which leaves more of a motion.
        views: of eq. 13, likewise; the released 0.005 times 300^2 is 450.
        implicit: take smooth and views by implicit steps, which are stable at any weight, and not by their gradient;
            see `engine.diffusion.implicit_guidance`.
        shape: solve for the person's shape, too.
        device: auto, cpu, cuda or mps.
    """

    loop: RefinementSettings = field(default_factory=RefinementSettings)
    keypoints: float = 166.0
    smooth: float = 30.0
    order: int = 1
    views: float = 450.0
    implicit: bool = False
    shape: bool = False
    device: str = "auto"

    def __post_init__(self) -> None:
        if not (self.loop.rounds >= 1 and self.loop.stride >= 1 and 1 <= self.loop.depth <= DEEPEST):
            raise MotionError(f"Refine in at least one round, by steps of at least 1, from a step of 1 to {DEEPEST}.")
        if not all(0.0 <= weight <= HEAVIEST for weight in (self.keypoints, self.smooth, self.views)):
            raise MotionError(f"Weights of a refinement must be from 0 to {HEAVIEST:g}.")
        if self.order not in (1, 2):
            raise MotionError("Smoothness counts steps (1) or accelerations (2).")


PRESETS: dict[str, RefineSettings] = {
    "paper": RefineSettings(),
    "released": RefineSettings(RefinementSettings(through_network=False)),
    "views": RefineSettings(RefinementSettings(rounds=2, depth=100)),
    "best": RefineSettings(RefinementSettings(depth=100, stride=10), 250.0, smooth=100.0, order=2, implicit=True),
}
"""``paper``: the gradient through the network (eq. 8); ``released``: not, as in the code; ``views``: as released for
several views; ``best``: ours, deeper by longer steps, smooth in its accelerations."""


BEST_OF_VIEWS = replace(
    PRESETS["best"], loop=RefinementSettings(depth=50, stride=5), keypoints=400.0, views=1000.0
)
"""What several views saw leaves less to the prior."""


def preset(name: str, views: int = 1) -> RefineSettings:
    """Settings of `PRESETS` for so many views of one person, for which all have a loop of their own."""
    chosen, several = PRESETS[name], PRESETS["views"]
    if views == 1:
        return chosen
    if name == "best":
        return BEST_OF_VIEWS
    return replace(several, loop=replace(several.loop, through_network=chosen.loop.through_network))


@dataclass(frozen=True)
class View:
    """The person before one camera, in its axes: the camera at 0, Y up, looking along -Z.

    Attributes:
        poses: (T, 22, 3) axis-angle in radians to start from, the root's orientation first.
        transl: (T, 3) metres, the pelvis.
        sight: the keypoints seen; None where there are none.
        features: (T, F) of the pictures, for a prior that was trained on such; None for one that has keypoints.
        turn: (T, 3, 3) rotations of the camera's axes in those of a world in which motion is smooth; None for a
            camera that stands still, or poses that are no clip.
        place: (T, 3) metres, where the camera is in that world; None where it stays.
    """

    poses: np.ndarray
    transl: np.ndarray
    sight: Sight | None = None
    features: np.ndarray | None = None
    turn: np.ndarray | None = None
    place: np.ndarray | None = None


@dataclass(frozen=True)
class RefinedView:
    """What became of a view.

    Attributes:
        poses, transl: as in `View`.
        certainty: (T, 3, 3) per square metre, how surely the pelvis is placed along the camera's axes; zero where
            it stays, without keypoints and smoothness.
        before, after: (T,) mean distance from the keypoints, in metres at the person; NaN without any.
    """

    poses: np.ndarray
    transl: np.ndarray
    certainty: np.ndarray
    before: np.ndarray
    after: np.ndarray


@dataclass(frozen=True)
class RefinedPoses:
    """What came of it.

    Attributes:
        views: in the order given.
        betas: (10,) added to the shape of the offsets given, zero unless the settings asked for it.
        rounds, evaluations: (T,) of the loop that each moment took part in, and of the network for each view of it.
    """

    views: tuple[RefinedView, ...]
    betas: np.ndarray
    rounds: np.ndarray
    evaluations: np.ndarray


@within_memory
def refine(
    views: Sequence[View],
    offsets: np.ndarray,
    fps: float | None = None,
    settings: RefineSettings | None = None,
    prior: RotationPrior | None = None,
    extra: Guidance | None = None,
    on_step: OnStep | None = None,
    held: np.ndarray | None = None,
) -> RefinedPoses:
    """Refine poses by what was seen.

    Args:
        views: one, or several uncalibrated ones of the same moments.
        offsets: (22, 3) rest offsets of the body in metres; (T, 22, 3) where every pose is another's.
        fps: frames per second of a clip; None where poses have nothing to do with each other.
        settings: see `RefineSettings`.
        prior: of rotations; the bundled one by default.
        extra: a further loss (T * V,) of events (T * V, 144), views of a moment side by side, weights included;
            see `engine.priors.rotation_prior`. All poses then take part in as many rounds.
        on_step: told (done, total, stage); stops by raising.
        held: (22,) bool, joints that do not turn, but for rounding; with the root, the pelvis stays in its place.

    Raises:
        MotionError: shapes do not fit, a number is not finite, or nothing guides. WeightsError, DeviceError: as named.
    """
    chosen = settings or PRESETS["best"]
    _check(views, offsets)
    device = pick_device(chosen.device)
    problem = PoseProblem(views, offsets, fps, chosen, (prior or load_rotation_prior()).to(device), extra, held)
    frames, count = len(views[0].poses), len(views)
    moment = torch.arange(frames * count, device=device) // count
    group = torch.zeros_like(moment) if problem.linked else moment

    def told(done: int, total: int) -> None:
        if on_step:
            on_step(done * frames // total, frames, "Refining")

    start = problem.start()
    if extra is not None:
        _check_extra(extra, start)
    before = problem.miss(start)
    found = refine_events(problem, problem.prior.sde, start, chosen.loop, group, told)
    if not torch.isfinite(found.x).all():
        raise MotionError("The weights of the refinement are too large for steps along a gradient; lower them.")
    return problem.result(found.x, before, found.rounds, found.evaluations)


class PoseProblem:
    """All views' poses as one batch of events, views of a moment side by side (`engine.diffusion.refinement`)."""

    def __init__(
        self,
        views: Sequence[View],
        offsets: np.ndarray,
        fps: float | None,
        settings: RefineSettings,
        prior: RotationPrior,
        extra: Guidance | None,
        held: np.ndarray | None = None,
    ) -> None:
        self.prior, self._views, self._settings, self._fps, self._extra = prior, views, settings, fps, extra
        self._device = prior.mean.device
        self._turns = [_turns(view) for view in views]
        self._upright = self._gathered([_upright(*pair) for pair in zip(views, self._turns, strict=True)])
        self._keypoints = [view.sight is not None for view in views]
        self._held = None
        if held is not None:
            hands = np.zeros(JOINT_COUNT - len(held), bool)
            self._held = torch.from_numpy(np.repeat(np.append(held, hands), 6)).to(self._device)
        self._rooted = held is not None and bool(held[0])
        count = len(views)
        frames = len(views[0].poses)
        smooth = settings.smooth if fps is not None and frames > settings.order else 0.0
        # The same motion has steps twice as long at half the rate, and accelerations four times as large.
        self._smooth = smooth * (fps / 30.0) ** (2 * settings.order) if fps is not None else 0.0
        self._coherent = bool(self._smooth or (count > 1 and settings.views))
        # Whether losses hang together: of neighbours in time, by one shape, or in a way that only the caller knows.
        self.linked = bool(smooth or settings.shape or extra)
        place = self._gathered([view.transl for view in views])
        place = torch.einsum("bxy,by->bx", self._gathered(self._turns), place)
        tangents, weight, seen = zip(*(_told(view, prior) for view in views), strict=True)
        self.context = prior.context(self._gathered(seen)).detach()
        self.reprojection = Reprojection(
            self._gathered(tangents),
            settings.keypoints * self._gathered(weight),
            place,
            torch.tensor(offsets, dtype=torch.float32, device=self._device)
            if offsets.ndim == 2
            else self._gathered([offsets] * count),
            torch.tensor(shape_basis(), dtype=torch.float32, device=self._device) if settings.shape else None,
            moves=not self._rooted,
        )
        sights = [view.sight.confidence > 0 for view in views if view.sight is not None]
        seen = np.any(sights, axis=(0, 2)) if sights else np.ones(frames, bool)
        # Frames that nobody saw between others go along with them, in so far as frames have to do with each other.
        self._seen, self._gaps = seen, bool(self._smooth and seen.any() and not seen.all())
        if not (any(self._keypoints) or self._coherent or extra):
            raise MotionError("Nothing guides the refinement; give keypoints, several views, or a clip to smooth.")

    def _gathered(self, arrays: Sequence[np.ndarray]) -> Tensor:
        """(T * V, ...) float32 of V arrays (T, ...)."""
        stacked = np.stack(arrays, axis=1)
        return torch.from_numpy(stacked.reshape(-1, *stacked.shape[2:])).float().to(self._device)

    def start(self) -> Tensor:
        """Events to begin with; the camera's axes are turned such that the person is on the last."""
        turns = roma.rotvec_to_rotmat(self._gathered([view.poses for view in self._views]))
        root = self._gathered(self._turns) @ turns[:, 0]
        return to_event(torch.cat([root[:, None], turns[:, 1:]], dim=1))

    def denoise(self, rows: Tensor) -> Denoise:
        """See `engine.diffusion.refinement.Problem`."""
        free = self.prior.under(self.context[rows])
        return free if self._held is None else holding(free, self.prior.sde, self.start()[rows], self._held)

    def guidance(self, rows: Tensor, x: Tensor) -> Guidance | None:
        """Likewise."""
        terms: list[Guidance] = []
        if any(self._keypoints):
            self.reprojection.reshape(x, rows)
            terms.append(self.reprojection.at(rows))
        if not self._settings.implicit and self._coherent:
            terms.append(self._coherence(rows, x))
        if self._extra:
            terms.append(self._extra)
        if not terms:
            return None
        loss = weighted([(1.0, term) for term in terms])
        return loss if self._held is None else not_pulling(loss, self.start()[rows], self._held)

    def implicit_guidance(self, rows: Tensor, x: Tensor) -> ImplicitGuidance | None:
        """Likewise."""
        return self._coherence(rows, x) if self._settings.implicit and self._coherent else None

    def _coherence(self, rows: Tensor, x: Tensor) -> Coherence:
        return Coherence(
            len(self._views),
            self._smooth,
            self._settings.order,
            self._settings.views,
            self._upright[rows],
            UNSEEN_PULL * ~self._seen if self._gaps else np.zeros(len(rows) // len(self._views)),
            self._carried(x) if self._gaps else None,
            self._held,
        )

    def _carried(self, x: Tensor) -> Tensor:
        """Events as they were at the start, with the corrections of those that were seen; see `carried`."""
        assert self._fps is not None
        count, at_first = len(self._views), from_event(self.start())
        turned = roma.rotmat_to_rotvec(from_event(x) @ at_first.mT).flatten(1).cpu().double().numpy()
        change = self._gathered([carried(turned[n::count], self._seen, self._fps) for n in range(count)])
        return to_event(roma.rotvec_to_rotmat(change.unflatten(1, (-1, 3))) @ at_first)

    def miss(self, x: Tensor) -> Tensor:
        """(T * V,) metres at the person from the keypoints, a mean by weight; NaN where there are none."""
        loss_of = self.reprojection
        with torch.no_grad():
            loss_of.at(torch.arange(len(x), device=x.device))(x)
        return loss_of.miss(x)

    def result(self, x: Tensor, before: Tensor, rounds: Tensor, evaluations: Tensor) -> RefinedPoses:
        """Back before the cameras."""
        after = self.miss(x)
        turns = from_event(x)
        certainty = self.reprojection.certainty(x)
        count = len(self._views)
        made = []
        for number, view in enumerate(self._views):
            back = np.swapaxes(self._turns[number], 1, 2)
            local = turns[number::count].cpu().double().numpy()
            local[:, 0] = back @ local[:, 0]
            poses = Rotation.from_matrix(local.reshape(-1, 3, 3)).as_rotvec().reshape(view.poses.shape)
            place, sure = (
                a[number::count].cpu().double().numpy() for a in (self.reprojection.place, certainty)
            )
            own, doubt = np.einsum("txy,ty->tx", back, place), np.zeros((len(place), 3, 3))
            if self._keypoints[number]:
                doubt = back @ np.linalg.inv(sure) @ np.swapaxes(back, 1, 2)
            else:
                own, sure = view.transl, sure if self._smooth else np.zeros_like(sure)
                doubt = np.broadcast_to(np.diag(np.square(shaking(own))), doubt.shape)
            if self._rooted:
                own = view.transl
            elif self._fps is not None and (self._keypoints[number] or self._smooth):
                own = self._path(view, own, doubt, self._fps)
            made.append(
                RefinedView(
                    poses,
                    own,
                    back @ sure @ np.swapaxes(back, 1, 2),
                    *(a[number::count].cpu().double().numpy() for a in (before, after)),
                )
            )
        betas = self.reprojection.betas
        return RefinedPoses(
            tuple(made),
            np.pad(betas.cpu().double().numpy(), (0, SHAPES - len(betas))),
            rounds[::count].cpu().numpy(),
            evaluations[::count].cpu().numpy(),
        )

    def _path(self, view: View, place: np.ndarray, doubt: np.ndarray, fps: float) -> np.ndarray:
        """Places (T, 3) of covariances (T, 3, 3) in a camera's axes, smooth in the axes that it has on average."""
        turn, at = _standing(view)
        mean = Rotation.from_matrix(turn).mean().as_matrix()
        axes, shift = mean.T @ turn, (at - at.mean(axis=0)) @ mean
        path = np.einsum("txy,ty->tx", axes, place) + shift
        doubt = np.diagonal(axes @ doubt @ np.swapaxes(axes, 1, 2), axis1=1, axis2=2)
        deviation = np.hypot(np.sqrt(doubt), PLACE_DEVIATION)
        if self._gaps:
            before = np.einsum("txy,ty->tx", axes, view.transl) + shift
            path = np.where(self._seen[:, None], path, before + carried(path - before, self._seen, fps))
            deviation = np.where(self._seen[:, None], deviation, PLACE_DEVIATION)
        path = smoothing_spline(path, deviation, PLACE_ROUGHNESS, fps)
        return np.einsum("tyx,ty->tx", axes, path - shift)


def _turns(view: View) -> np.ndarray:
    """(T, 3, 3) rotations that bring the person onto the camera's axis."""
    if view.sight is not None:
        return view.sight.turns
    if (view.transl[:, 2] >= -1e-3).any():  # no camera: as if one stood level before them
        return np.broadcast_to(np.eye(3), (len(view.transl), 3, 3))
    rays = view.transl / np.linalg.norm(view.transl, axis=1, keepdims=True)
    return to_the_axis(torch.from_numpy(rays)).numpy()


def _standing(view: View) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (T, 3, 3) of the camera's axes in the world's, and places (T, 3)."""
    frames = len(view.poses)
    turn = np.broadcast_to(np.eye(3), (frames, 3, 3)) if view.turn is None else view.turn
    return turn, np.zeros((frames, 3)) if view.place is None else view.place


def _upright(view: View, turns: np.ndarray) -> np.ndarray:
    """(T, 3, 3) rotations from the axes that events are in to the world's."""
    return _standing(view)[0] @ np.swapaxes(turns, 1, 2)


def _told(view: View, prior: RotationPrior) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tangents (T, 17, 2), their weights (T, 17), and what the prior is told of them."""
    frames = len(view.poses)
    tangents, weight = np.zeros((frames, len(JOINTS), 2)), np.zeros((frames, len(JOINTS)))
    doubt = np.full(weight.shape, np.inf)
    if view.sight is not None:
        distance = np.linalg.norm(view.transl, axis=1).clip(NEAREST)
        tangents, doubt = view.sight.tangents, view.sight.doubt(distance) / distance[:, None]
        usual = own_width() / distance[:, None] / USUAL_CONFIDENCE
        weight = np.minimum(np.square(usual / doubt), MOST_TRUSTED)
    if prior.encoder is not None and view.features is not None:
        raise MotionError("The prior sees keypoints; give no features of pictures, or weights trained on such.")
    if prior.encoder is None:
        if view.features is None or view.features.shape != (frames, len(prior.mean)):
            raise MotionError(f"The prior was trained on {len(prior.mean)} features a picture; give a file of them.")
        return tangents, weight, view.features
    return tangents, weight, crop(torch.from_numpy(tangents), torch.from_numpy(doubt)).numpy()


def _check_extra(extra: Guidance, start: Tensor) -> None:
    with torch.enable_grad():
        loss = extra(start.clone().requires_grad_(True))
    if loss.shape != (len(start),) or not loss.requires_grad or not torch.isfinite(loss).all():
        raise MotionError(f"A further loss must be finite numbers ({len(start)},) that depend on the events.")


def _check(views: Sequence[View], offsets: np.ndarray) -> None:
    shape = views[0].poses.shape if views else (0,)
    if len(shape) != 3 or shape[1:] != (22, 3) or not shape[0] or offsets.shape not in ((22, 3), shape):
        raise MotionError("Poses must be (T, 22, 3) of a body whose rest offsets are (22, 3).")
    for view in views:
        if view.poses.shape != shape or view.transl.shape != (shape[0], 3):
            raise MotionError("All views must have as many poses and places as the first.")
        if not (np.isfinite(view.poses).all() and np.isfinite(view.transl).all()):
            raise MotionError("Poses and places must be finite numbers.")
        if view.sight is None:
            continue
        if len(view.sight) != shape[0]:
            raise MotionError(f"Keypoints of {len(view.sight)} frames do not belong to {shape[0]} poses.")
        shown = (view.sight.confidence > 0).any(axis=1)
        if (view.transl[shown, 2] > -NEAREST).mean() > 0.5:
            raise MotionError("The camera sees who stands behind it in the animation; tell where the camera is.")
