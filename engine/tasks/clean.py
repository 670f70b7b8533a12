# SPDX-License-Identifier: GPL-3.0-or-later
"""Clean Motion: a noisy clip in, a clean one out, on any rig.

The methods ``prior`` and ``wiener`` work on the SMPL body: samples that are no measurements (spikes, drop-outs) are
found and filled, the noise of every joint is measured, and the most probable motion is computed from what is known of
human motion: by its spectra alone (`engine.tasks.wiener`, no torch), and by the learned priors of motion and of poses
(`engine.tasks.clean_body`). The other methods are classical filters on each bone's own rotation; they need no
humanoid, no weights and no torch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from engine.errors import MotionError
from engine.motion.contacts import resting
from engine.motion.filters import from_strength, smooth_positions, smooth_rotations
from engine.motion.joints import JOINTS, PARTS
from engine.motion.motion import BodyMotion, Motion
from engine.motion.retarget import to_body, to_rig
from engine.motion.rig_joints import rig_offsets
from engine.motion.rigs import RigMap, find_map
from engine.motion.skeleton import Skeleton
from engine.motion.windows import conjugate, continuous, multiply, quat_to_rotvec, rotvec_to_quat
from engine.tasks.clean_body import BodyEstimate, clean_poses
from engine.tasks.foot_lock import lock_feet
from engine.tasks.leg import LEGS, feet_places
from engine.tasks.locks import meet
from engine.tasks.steps import OnStep, Stage

METHODS = ("prior", "wiener", "butterworth", "gaussian", "savgol", "median")
LEARNED = ("motion", "pose")
"""Priors of the method ``prior``."""
ON_THE_BODY = ("prior", "wiener")
FEET = ("auto", "always", "never")
MAX_STRENGTH = 2.0
RESTING = 0.6  # probability of a contact
STILL_QUATERNION = 5e-6  # half of radians
STILL_PLACE = 2e-6  # metres
SLIDING = 0.1  # metres per second, mean over contacts; real captures have 0.07

LegOffsets = Callable[[], np.ndarray]
"""Gives the offsets of `rig_offsets`, which cost a walk over all frames and are not always needed."""


@dataclass(frozen=True)
class CleanSettings:
    """What to clean, and how.

    Attributes:
        method: one of `METHODS`.
        strength: 0 returns the input bit-equal, 1 takes out the noise that was measured, 2 is the most.
        frames: half-open range of frame indices to clean; None for all.
        lock_frames: frame indices that stay bit-equal; the result meets them smoothly.
        bones: names of bones, body joints or body parts (`PARTS`) to clean; None for all.
        seed: of the diffusion noise.
        device: auto, cpu, cuda or mps.
        prior: of the method ``prior``: ``motion``, or ``pose`` for the prior of single poses alone.
        feet: ``auto`` holds feet still where the motion prior says they rest, if they slide more than a good capture's;
            ``always`` holds them in any case, and also where they are near the floor and slow once cleaned, with every
            method on the body; ``never`` leaves them.
    """

    method: str = "prior"
    strength: float = 1.0
    frames: tuple[int, int] | None = None
    lock_frames: tuple[int, ...] = ()
    bones: tuple[str, ...] | None = None
    seed: int = 0
    device: str = "auto"
    prior: str = "motion"
    feet: str = "auto"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise MotionError(f"There is no method {self.method!r}; choose one of {', '.join(METHODS)}.")
        if self.prior not in LEARNED:
            raise MotionError(f"There is no prior {self.prior!r}; choose {' or '.join(LEARNED)}.")
        if self.feet not in FEET:
            raise MotionError(f"Feet cannot be held {self.feet!r}; choose one of {', '.join(FEET)}.")
        if not 0.0 <= self.strength <= MAX_STRENGTH:
            raise MotionError(f"The strength must be between 0 and {MAX_STRENGTH:g}, not {self.strength}.")


@dataclass(frozen=True)
class CleanResult:
    """A cleaned rig.

    Attributes:
        motion: same skeleton and frames as the input.
        rotations_changed, translations_changed: (T, J) bool; where False, bit-equal to the input.
        report: JSON-able figures.
    """

    motion: Motion
    rotations_changed: np.ndarray
    translations_changed: np.ndarray
    report: dict


@dataclass(frozen=True)
class CleanBodyResult:
    """A cleaned body: `motion` as the input, and JSON-able figures in `report`."""

    motion: BodyMotion
    report: dict


def clean(
    motion: Motion,
    settings: CleanSettings,
    bone_map: RigMap | dict[str, str] | None = None,
    on_step: OnStep | None = None,
    human_bones: dict[str, str] | None = None,
    confidence: np.ndarray | None = None,
) -> CleanResult:
    """Clean a rig's animation.

    Args:
        motion: any skeleton for the filters, a humanoid one for the prior.
        settings: see `CleanSettings`.
        bone_map: body joint to bone, where the user chose; else found. Or the whole mapping, found before.
        on_step: told (done, total, stage); stops the work by raising.
        human_bones: VRM human bone to bone, as `engine.motion.rigs.find_map` takes them.
        confidence: (T, 22) from 0 to 1, how far joints' rotations are known; for the methods on the body.

    Raises:
        MappingError: the prior was asked for and the rig's bones cannot be matched.
        MotionError: settings that do not fit the clip. WeightsError, DeviceError: as named.
    """
    begin = time.monotonic()
    cleaned = _cleaned_frames(len(motion), settings)
    _check_confidence(confidence, len(motion), settings)
    if settings.strength == 0.0 or not cleaned.any():
        none = np.zeros(motion.rotations.shape[:2], bool)
        return CleanResult(motion, none, none.copy(), _report(motion.fps, len(motion), settings, begin))
    if settings.method not in ON_THE_BODY:
        chosen = _chosen_bones(settings, motion.skeleton, bone_map, human_bones)
        return _filter_rig(motion, settings, chosen, cleaned, begin)

    rig_map = _mapped(motion.skeleton, bone_map, human_bones)
    before = to_body(motion, rig_map)
    joints = _chosen_joints(settings, motion.skeleton, rig_map)
    Stage(on_step, len(motion), 0.0, 0.0, "Reading the motion")(0.0)
    after, estimate = _clean_body_arrays(
        before, settings, cleaned, joints, on_step, lambda: rig_offsets(motion, rig_map, before), confidence
    )
    edit = to_rig(motion, rig_map, before, after)
    report = _report(motion.fps, len(motion), settings, begin, estimate, before, after)
    report["rig"] = rig_map.name
    return CleanResult(edit.motion, edit.rotations_changed, edit.translations_changed, report)


def clean_body(
    motion: BodyMotion,
    settings: CleanSettings,
    on_step: OnStep | None = None,
    confidence: np.ndarray | None = None,
) -> CleanBodyResult:
    """Clean an animation of the SMPL body, as AMASS files hold it; raises as `clean`."""
    begin = time.monotonic()
    cleaned = _cleaned_frames(len(motion), settings)
    _check_confidence(confidence, len(motion), settings)
    joints = _chosen_joints(settings, None, None)
    if settings.strength == 0.0 or not cleaned.any():
        return CleanBodyResult(motion, _report(motion.fps, len(motion), settings, begin))
    if settings.method in ON_THE_BODY:
        after, estimate = _clean_body_arrays(motion, settings, cleaned, joints, on_step, confidence=confidence)
        return CleanBodyResult(
            after, _report(motion.fps, len(motion), settings, begin, estimate, motion, after)
        )
    quat = rotvec_to_quat(motion.poses)
    rotations, path = _filtered(quat, motion.transl[:, None], motion.fps, settings, cleaned)
    after = _keep(motion, rotations, path[:, 0], cleaned, joints, bool(joints[0]))
    after = _hold_feet(after, None, settings, cleaned, joints)
    return CleanBodyResult(after, _report(motion.fps, len(motion), settings, begin, None, motion, after))


def _clean_body_arrays(
    before: BodyMotion,
    settings: CleanSettings,
    cleaned: np.ndarray,
    joints: np.ndarray,
    on_step: OnStep | None,
    leg_offsets: LegOffsets | None = None,
    confidence: np.ndarray | None = None,
) -> tuple[BodyMotion, BodyEstimate]:
    quat = continuous(rotvec_to_quat(before.poses))
    estimate = clean_poses(
        quat,
        before.transl,
        before.fps,
        settings.strength,
        settings.seed,
        settings.device,
        on_step,
        settings.prior if settings.method == "prior" else "none",
        confidence=confidence,
    )
    rotations = meet(estimate.quat, quat, ~cleaned, before.fps)
    path = meet(estimate.transl[:, None], before.transl[:, None], ~cleaned, before.fps)[:, 0]
    # A joint that was not turned keeps its very numbers, which a trip through quaternions would round.
    turned = joints & (estimate.quat != quat).any(axis=(0, 2))
    after = _keep(before, rotations, path, cleaned, turned, bool(joints[0]))
    return _hold_feet(after, estimate.contact, settings, cleaned, joints, leg_offsets), estimate


def _hold_feet(
    after: BodyMotion,
    contact: np.ndarray | None,
    settings: CleanSettings,
    cleaned: np.ndarray,
    joints: np.ndarray,
    leg_offsets: LegOffsets | None = None,
) -> BodyMotion:
    """Feet held where they rest; a body without a path has no ground to rest on."""
    legs = tuple(name for name, leg in LEGS.items() if joints[list(leg[:3])].all())
    told = contact is not None or settings.feet == "always"
    if settings.feet == "never" or not (legs and told) or not np.ptp(after.transl, axis=0).any():
        return after
    offsets = leg_offsets() if leg_offsets else None
    if settings.feet == "auto" and not _slides(after, contact, offsets):
        return after
    rests = [] if contact is None else [contact]
    if settings.feet == "always":
        rests.append(resting(feet_places(after, offsets), after.fps).astype(float))
    return lock_feet(after, np.max(rests, axis=0), offsets=offsets, free=cleaned, legs=legs)


def _slides(motion: BodyMotion, contact: np.ndarray | None, offsets: np.ndarray | None) -> bool:
    """Whether feet move more than a good capture's where they rest: holding those would only cost the legs detail."""
    if contact is None or len(motion) < 2:
        return False
    speed = np.linalg.norm(np.diff(feet_places(motion, offsets), axis=0), axis=-1) * motion.fps
    rests = (contact[1:] > RESTING) & (contact[:-1] > RESTING)
    return bool(rests.any() and speed[rests].mean() > SLIDING)


def _keep(
    before: BodyMotion,
    quat: np.ndarray,
    transl: np.ndarray,
    cleaned: np.ndarray,
    turned: np.ndarray,
    moved: bool,
) -> BodyMotion:
    """The new rotations of joints ``turned`` (22,) and, if ``moved``, the new path, at frames ``cleaned`` (T,)."""
    poses = np.where((cleaned[:, None] & turned)[..., None], quat_to_rotvec(quat), before.poses)
    path = np.where((cleaned & moved)[:, None], transl, before.transl)
    return replace(before, poses=poses, transl=path)


def _filter_rig(
    motion: Motion, settings: CleanSettings, chosen: np.ndarray, cleaned: np.ndarray, begin: float
) -> CleanResult:
    """Filter each bone's own rotation and translation; constant channels and bones not chosen stay as they are.

    What Blender evaluates is in single precision, so what differs by less is constant, and not changed.
    """
    least = STILL_PLACE / motion.skeleton.scale
    turning = chosen & (np.ptp(motion.rotations, axis=0) > STILL_QUATERNION).any(axis=-1)
    moving = chosen & (np.ptp(motion.translations, axis=0) > least).any(axis=-1)
    rotations, translations = motion.rotations.copy(), motion.translations.copy()
    new_rotations, new_translations = _filtered(
        motion.rotations[:, turning], motion.translations[:, moving], motion.fps, settings, cleaned
    )
    rotations[:, turning], translations[:, moving] = new_rotations, new_translations
    turned = (np.abs(rotations - motion.rotations) > STILL_QUATERNION).any(axis=-1)
    moved = (np.abs(translations - motion.translations) > least).any(axis=-1)
    result = replace(
        motion,
        rotations=np.where(turned[..., None], rotations, motion.rotations),
        translations=np.where(moved[..., None], translations, motion.translations),
    )
    return CleanResult(
        result,
        turned,
        moved,
        _report(motion.fps, len(motion), settings, begin),
    )


def _filtered(
    quat: np.ndarray, path: np.ndarray, fps: float, settings: CleanSettings, cleaned: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (T, J, 4) and positions (T, K, 3) through the chosen filter, meeting what is locked."""
    chosen = from_strength(settings.method, settings.strength)
    rotations = smooth_rotations(quat, fps, chosen) if quat.shape[1] else quat
    positions = smooth_positions(path, fps, chosen) if path.shape[1] else path
    rotations = meet(rotations, quat, ~cleaned, fps) if quat.shape[1] else quat
    positions = meet(positions, path, ~cleaned, fps) if path.shape[1] else path
    return rotations, positions


def _cleaned_frames(frames: int, settings: CleanSettings) -> np.ndarray:
    """(T,) bool, the frames to change."""
    begin, end = settings.frames or (0, frames)
    if not 0 <= begin < end <= frames:
        raise MotionError(f"The frames {begin}:{end} are not in the clip, whose frames are 0:{frames}.")
    wrong = [f for f in settings.lock_frames if not 0 <= f < frames]
    if wrong:
        raise MotionError(f"Frame {wrong[0]} cannot be locked; the clip's frames are 0:{frames}.")
    chosen = np.zeros(frames, bool)
    chosen[begin:end] = True
    chosen[list(settings.lock_frames)] = False
    return chosen


def _check_confidence(confidence: np.ndarray | None, frames: int, settings: CleanSettings) -> None:
    if confidence is None:
        return
    if confidence.shape != (frames, len(JOINTS)):
        raise MotionError(f"Confidences of {len(confidence)} frames do not fit a clip of {frames}; give the clip's.")
    if settings.method not in ON_THE_BODY:
        raise MotionError(f"The method {settings.method} takes no confidences; choose {' or '.join(ON_THE_BODY)}.")


def _chosen_joints(settings: CleanSettings, rig: Skeleton | None, rig_map: RigMap | None) -> np.ndarray:
    """(22,) bool, the body joints that the settings name; bones of the rig that no joint follows are ignored."""
    if settings.bones is None:
        return np.ones(len(JOINTS), bool)
    chosen: set[str] = set()
    for name in settings.bones:
        _check_name(name, rig)
        followers = rig_map.joints_of(name) if rig_map else set()
        chosen |= followers | set(PARTS.get(name, ())) | ({name} & set(JOINTS))
    if not chosen:
        raise MotionError(
            f"None of the chosen bones ({', '.join(settings.bones[:5])}) belongs to the body; choose others."
        )
    return np.array([joint in chosen for joint in JOINTS])


def _chosen_bones(
    settings: CleanSettings,
    rig: Skeleton,
    bone_map: RigMap | dict[str, str] | None,
    human_bones: dict[str, str] | None,
) -> np.ndarray:
    """(J,) bool, the rig's bones that the settings name; body joints and parts need a rig that can be mapped."""
    if settings.bones is None:
        return np.ones(len(rig), bool)
    for name in settings.bones:
        _check_name(name, rig)
    chosen = {name for name in settings.bones if name in rig}
    wanted = {joint for name in settings.bones if name not in rig for joint in PARTS.get(name, (name,))}
    if wanted:
        bones = _mapped(rig, bone_map, human_bones).bones
        chosen |= {bones[joint] for joint in wanted if joint in bones}
    return np.array([name in chosen for name in rig.names])


def _mapped(
    rig: Skeleton, bone_map: RigMap | dict[str, str] | None, human_bones: dict[str, str] | None
) -> RigMap:
    return bone_map if isinstance(bone_map, RigMap) else find_map(rig, bone_map, human_bones)


def _check_name(name: str, rig: Skeleton | None) -> None:
    if name not in JOINTS and name not in PARTS and (rig is None or name not in rig):
        raise MotionError(f"There is no bone, joint or body part called {name!r}; correct its name.")


def _report(
    fps: float,
    frames: int,
    settings: CleanSettings,
    begin: float,
    estimate: BodyEstimate | None = None,
    before: BodyMotion | None = None,
    after: BodyMotion | None = None,
) -> dict:
    """Figures for the user and for scripts."""
    report: dict = {
        "method": settings.method,
        **({"prior": settings.prior} if settings.method == "prior" else {}),
        "strength": settings.strength,
        "frames": frames,
        "fps": fps,
        "seed": settings.seed,
        "seconds": round(time.monotonic() - begin, 3),
    }
    if estimate is not None:
        report |= estimate.figures()
    if before is not None and after is not None:
        report["jitter_before"] = round(jitter(before), 4)
        report["jitter_after"] = round(jitter(after), 4)
    return report


def jitter(motion: BodyMotion) -> float:
    """Mean size of the third difference of all joints' rotations, in degrees per frame cubed; 0 under 4 frames."""
    if len(motion) < 4:
        return 0.0
    quat = continuous(rotvec_to_quat(motion.poses))
    turn = quat_to_rotvec(multiply(conjugate(quat[:-1]), quat[1:]))
    return float(np.rad2deg(np.linalg.norm(np.diff(turn, n=2, axis=0), axis=-1)).mean())
