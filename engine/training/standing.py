# SPDX-License-Identifier: GPL-3.0-or-later
"""Where people stand with both feet in place in folders of clips, and the spectra of how they sway there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.fft import dct
from scipy.spatial.transform import Rotation

from engine.body import posed
from engine.errors import FileError
from engine.motion.joints import JOINTS, MIRROR
from engine.motion.motion import BodyMotion
from engine.motion.tpose import OFFSETS
from engine.motion.windows import rotvec_to_quat, vectors
from engine.priors.dynamics import Dynamics
from engine.priors.motion_prior import FEET
from engine.priors.standing import SIZE, SWAYING
from engine.training.dynamics import clips

SPECTRUM_SECONDS = 3.0
PLANTED = 0.03  # metres; ankles and balls of the feet stay within of their middles, which captures slide by
LEVEL = 0.06  # metres; the balls of both feet are within of one height, so that both bear
UPRIGHT = 0.7  # metres; the pelvis of the template body is above, whose legs are 0.78 long
CALM = 0.12  # metres; hands that stray further from their middles do something, and do not just stand
HANDS = tuple(JOINTS.index(f"{side}_wrist") for side in ("left", "right"))
HIGHEST = 4.0  # hertz; beyond, much of the spectra of captures is noise
CALMER = 1.0 / 3.0  # share of the windows that count at a frequency
DIAGONAL = 0.2  # share of each covariance that is taken uncorrelated, against chance correlations
NEIGHBOURS = 0.2  # bins within this share of a frequency are averaged
FREQUENCIES = 14


@dataclass(frozen=True)
class Standing:
    """A window of a clip in which someone stands, on the template body.

    Attributes:
        motion: W frames.
        joints: (W, 22, 3) metres.
        clip: number of the clip in the folder.
    """

    motion: BodyMotion
    joints: np.ndarray
    clip: int


def standing_windows(
    folder: Path, seconds: float, calm: float = CALM, fps: float = 30.0, share_alike: bool = False
) -> Iterator[Standing]:
    """Windows of a folder's clips in which feet stay in place, the body is upright and hands are calm.

    They overlap by three quarters. Clips at another frame rate are left out, and share-alike ones unless asked for.

    Args:
        folder: a split.
        seconds: length of a window.
        calm: metres; see `CALM`.
        fps: frame rate.
        share_alike: whether clips under share-alike licences count.

    Raises:
        FileError: the folder has no index of clips.
    """
    length = round(seconds * fps)
    for number, (poses, path, rate) in enumerate(clips(folder, share_alike)):
        if abs(rate - fps) > 0.01 or len(poses) < length:
            continue
        joints = posed(BodyMotion(poses, path, rate, OFFSETS))[0]
        for begin in range(0, len(poses) - length + 1, max(1, length // 4)):
            rows = slice(begin, begin + length)
            if _stands(joints[rows], calm):
                yield Standing(BodyMotion(poses[rows], path[rows], rate, OFFSETS), joints[rows], number)


def _stands(joints: np.ndarray, calm: float) -> bool:
    feet = joints[:, FEET]
    middle = np.median(feet, axis=0)
    if np.linalg.norm(feet - middle, axis=-1).max() > PLANTED or abs(middle[2, 1] - middle[3, 1]) > LEVEL:
        return False
    if np.median(joints[:, 0, 1]) - middle[2:, 1].min() < UPRIGHT:
        return False
    hands = joints[:, HANDS]
    return bool(np.linalg.norm(hands - np.median(hands, axis=0), axis=-1).max() <= calm)


def coordinates(motion: BodyMotion) -> np.ndarray:
    """A window as (W, SIZE) numbers around its means, as `engine.priors.standing` has them."""
    turned, mean = vectors(rotvec_to_quat(motion.poses[:, SWAYING])[None])
    away = motion.transl - motion.transl.mean(axis=0)
    away = Rotation.from_quat(mean[0, 0, 0], scalar_first=True).apply(away, inverse=True)
    return np.concatenate([turned[0], away], axis=1)


def mirrored(motion: BodyMotion) -> BodyMotion:
    """The reflection in the YZ plane of a symmetric body."""
    poses = motion.poses[:, MIRROR] * np.array([1.0, -1.0, -1.0])
    return replace(motion, poses=poses, transl=motion.transl * np.array([-1.0, 1.0, 1.0]))


def learn(folders: list[Path], share_alike: bool = False, fps: float = 30.0) -> Dynamics:
    """Spectra of calm standing from folders of clips, each window also mirrored.

    Some windows are a hundred times as lively as others: people mime and gesture on planted feet too. So at each
    frequency only the calmest of the windows count, each alike for what moves with what, and with the geometric
    mean of their powers.

    Raises:
        FileError: nobody stands in these folders.
    """
    length = round(SPECTRUM_SECONDS * fps)
    powers, shapes = [], []
    for folder in folders:
        for window in standing_windows(folder, SPECTRUM_SECONDS, fps=fps, share_alike=share_alike):
            for motion in (window.motion, mirrored(window.motion)):
                found = dct(coordinates(motion), axis=0, norm="ortho")
                powers.append((found**2).sum(axis=1))
                shapes.append(found / np.sqrt(powers[-1])[:, None])
    if not powers:
        raise FileError("Nobody stands still for long enough in these folders to learn how people sway.")
    power, shape = np.stack(powers), np.stack(shapes)
    calmer = power <= np.quantile(power, CALMER, axis=0)
    together = np.einsum("wk,wka,wkb->kab", calmer, shape, shape) / calmer.sum(axis=0)[:, None, None]
    level = np.exp((calmer * np.log(power)).sum(axis=0) / calmer.sum(axis=0))
    raw = level[:, None, None] * together
    top = int(HIGHEST * 2.0 * length / fps)
    kept = np.unique(np.round(np.geomspace(1, top, FREQUENCIES)).astype(int))
    reach = [round(NEIGHBOURS * k) for k in kept]
    smooth = np.stack([raw[max(1, k - r) : k + r + 1].mean(axis=0) for k, r in zip(kept, reach, strict=True)])
    smooth = (1.0 - DIAGONAL) * smooth + DIAGONAL * smooth * np.eye(SIZE)
    return Dynamics(kept * fps / (2.0 * length), smooth / fps, np.zeros(SIZE))
