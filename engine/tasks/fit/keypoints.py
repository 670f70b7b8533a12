# SPDX-License-Identifier: GPL-3.0-or-later
"""The body in an image from its 2D keypoints (DPoser eq. 11 and 12), every image by itself and many at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from engine.body import mean_offsets
from engine.device import pick_device
from engine.errors import MotionError
from engine.memory import within_memory
from engine.motion.keypoints import MARKS
from engine.priors.pose_prior import PosePrior
from engine.tasks.fit.camera import Camera
from engine.tasks.fit.direct import Direct, solve_directly
from engine.tasks.fit.evidence import Evidence
from engine.tasks.fit.marks import marks
from engine.tasks.fit.staged import Staged, solve_in_stages
from engine.tasks.fit.state import Space, shape_basis, to_body
from engine.tasks.pose_prior_term import PosePriorTerm
from engine.tasks.steps import OnStep

FEWEST = 4
"""Keypoints an image needs: root and position alone have six unknowns, and one point may be wrong."""


@dataclass(frozen=True)
class KeypointSettings:
    """How to fit 2D keypoints.

    Attributes:
        solver: `Staged`, SMPLify's stages by Adam, or `Direct`, ours.
        seed: of the diffusion noise.
        device: auto, cpu, cuda or mps.
    """

    solver: Staged | Direct = field(default_factory=Direct)
    seed: int = 0
    device: str = "auto"


PRESETS: dict[str, KeypointSettings] = {
    "paper": KeypointSettings(Staged()),
    "released": KeypointSettings(Staged(t_max=0.0571, t_min=0.009, signal=True, squared_bending=True)),
    "best": KeypointSettings(),
}
"""``paper``: eq. 11 and 12 as printed, times [0.2, 0.001]; the text gives no weights, which are the code's.
``released``: ``run/smplify.py``'s times, its weight 0.5 sqrt(1 + SNR) and exp(theta)^2."""


@dataclass(frozen=True)
class KeypointFit:
    """Fitted bodies in the camera's frame: Y up, the camera at the origin looking along -Z.

    Attributes:
        poses: (N, 22, 3) axis-angle in radians, the root's orientation first.
        transl: (N, 3) position of the pelvis in metres.
        betas: (N, 10) shape coefficients.
        joints: (N, 22, 3) metres, of the fitted shapes.
        error: (N,) mean distance in pixels of the keypoints, weighted by confidence.
    """

    poses: np.ndarray
    transl: np.ndarray
    betas: np.ndarray
    joints: np.ndarray
    error: np.ndarray


@within_memory
def fit_keypoints(
    pixels: np.ndarray,
    confidence: np.ndarray,
    camera: Camera,
    prior: PosePrior,
    settings: KeypointSettings | None = None,
    term: PosePriorTerm | None = None,
    on_step: OnStep | None = None,
) -> KeypointFit:
    """Fit the bundled body to 2D keypoints.

    Args:
        pixels: (N, K, 2) in the order of `engine.motion.keypoints.MARKS`; K may end after the 22 joints.
        confidence: (N, K) from 0, not seen, to 1.
        camera: its focal length and centre.
        prior: the pose prior; its mean is where every fit begins.
        settings: see `KeypointSettings`; the preset "best" by default.
        term: another pose prior in place of L_DPoser, for `Staged`.
        on_step: told (done, total, stage); stops by raising.

    Raises:
        MotionError: shapes do not fit, a number is not finite, or an image has fewer than 4 keypoints.
    """
    chosen = settings or PRESETS["best"]
    _check(pixels, confidence)
    prior = prior.to(pick_device(chosen.device))
    space = Space.of(prior, mean_offsets(), shape_basis())
    everything = marks().to(space.mean)
    count = pixels.shape[1]
    carried = type(everything)(everything.joints[:count], everything.places[:count])
    seen = np.where(confidence[..., None] > 0, pixels, 0.0)
    evidence = Evidence(
        space,
        carried,
        camera,
        torch.as_tensor(seen).to(space.mean),
        torch.as_tensor(confidence).to(space.mean),
    )
    if isinstance(chosen.solver, Staged):
        x = solve_in_stages(evidence, prior, chosen.solver, chosen.seed, term, on_step)
    else:
        x = solve_directly(evidence, prior, chosen.solver, chosen.seed, on_step)
    return _result(space, evidence, x)


def _result(space: Space, evidence: Evidence, x: Tensor) -> KeypointFit:
    with torch.no_grad():
        joints = evidence.joints(x).cpu().double().numpy()
        error = evidence.error(x).cpu().double().numpy()
    poses, transl, betas = to_body(space, x)
    return KeypointFit(poses, transl, betas, joints, error)


def _check(pixels: np.ndarray, confidence: np.ndarray) -> None:
    if pixels.ndim != 3 or pixels.shape[2] != 2 or confidence.shape != pixels.shape[:2] or not len(pixels):
        raise MotionError("Keypoints must be (N, K, 2) pixels with (N, K) confidences.")
    if not 22 <= pixels.shape[1] <= len(MARKS):
        raise MotionError(f"Keypoints must be the {len(MARKS)} marks in order, or the 22 joints alone.")
    if (
        not np.isfinite(confidence).all()
        or (confidence < 0).any()
        or not np.isfinite(pixels[confidence > 0]).all()
    ):
        raise MotionError(
            "Keypoints must be finite and their confidences not negative; mark unseen ones with 0."
        )
    few = (confidence > 0).sum(axis=1) < FEWEST
    if few.any():
        raise MotionError(f"Image {int(few.argmax())} has fewer than {FEWEST} keypoints; leave it out.")
    first = pixels[np.arange(len(pixels)), (confidence > 0).argmax(axis=1)]
    same = np.isclose(pixels, first[:, None]).all(axis=2)
    if (same | (confidence <= 0)).all(axis=1).any():
        raise MotionError("All keypoints of an image lie in one place; run the detector again.")
