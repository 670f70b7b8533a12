# SPDX-License-Identifier: GPL-3.0-or-later
"""A loop of someone who stands about: they breathe, shift their weight, and are never quite still.

What varies is drawn from the spectra of people who stand (`engine.priors.standing`), joint with joint, as harmonics of
the loop: it begins and ends in the given pose by construction. The pose prior pulls back what strays from poses it
knows. The feet that bear stay where they are, as exactly as legs can be solved for. Who does not stand (sits, kneels,
lies) keeps the pelvis and both feet, and breathes and varies above.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from engine.body import posed
from engine.device import pick_device
from engine.errors import MotionError
from engine.memory import at_once, within_memory
from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion
from engine.motion.windows import exp_around, quat_to_rotvec, rotvec_to_quat
from engine.priors.pose_prior import PosePrior
from engine.priors.standing import SWAYING
from engine.priors.standing import load as load_standing
from engine.priors.weights import load_pose_prior
from engine.tasks.breathing import breath, turns
from engine.tasks.periodic import phases, sample
from engine.tasks.stance import Stance, heading, lowering, planted
from engine.tasks.steps import OnStep, Stage
from engine.tasks.touching import free_arms
from engine.tasks.weight_shift import shift

SHORTEST, LONGEST = 1.0, 120.0  # seconds
SLOWEST, FASTEST = 10.0, 240.0  # frames per second
MOST = 2.0  # of amount, breathing and sway

REACH_SHARE, MOST_REACH = 0.3, 0.03  # of the way from one foot to the other, and metres, that weight shifts by
ROLL, YAW = 0.45, -1.75
"""Radians per metre of shift to the side that the pelvis turns by in standing windows of the training split (regression
over 526 of 3 s, whatever the hands do): it drops on the free side and turns towards it."""
COUNTER = 0.5  # share of that which the spine takes back: people's takes none, but then the gaze wanders with the hips
ONE_FOOT = 0.4  # share of the pelvis' variation left to who stands on one foot
MOST_LOWERED = 0.04  # metres on a human body; what would take the pelvis further down is made smaller
SMALLER = 0.8
SOFT_LOWERING = 0.002  # metres over which the pelvis passes from one leg's need to the other's
STIFF, SUPPLE = np.deg2rad(12.0), np.deg2rad(35.0)  # knees that keep as bent as they are, and that give freely
SETTLED = 0.15  # share of a loop in which that softness comes and goes, for there is none in the given pose
DENOISED_AT = 0.05  # diffusion time at which scoring finds poses odd, and the pull is measured
ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class IdleSettings:
    """What an idle is like; 1 is as people who stand do it, and 0 leaves it out.

    Attributes:
        amount: of the small variations of trunk, head and arms.
        breathing: how deep.
        sway: how far weight goes from one foot to the other.
        pull: how far the pose prior brings variations back to poses it knows, 0 to 1.
        seed: of all randomness.
        device: of the pose prior: auto, cpu, cuda or mps.
    """

    amount: float = 1.0
    breathing: float = 1.0
    sway: float = 1.0
    pull: float = 0.5
    seed: int = 0
    device: str = "auto"


def idle(
    start: BodyMotion,
    seconds: float,
    settings: IdleSettings | None = None,
    leg_offsets: np.ndarray | None = None,
    prior: PosePrior | None = None,
    on_step: OnStep | None = None,
) -> BodyMotion:
    """A looping idle from a pose.

    Args:
        start: one frame; its rate is that of the loop.
        seconds: length of the loop, rounded to whole frames.
        settings: see `IdleSettings`.
        leg_offsets: (22, 3) or (1, 22, 3) metres, where the joints of a rig's legs are: see
            `engine.motion.rig_joints.rig_offsets`.
        prior: the bundled one by default.
        on_step: told (done, total, stage); stops the work by raising.

    Returns:
        ``round(seconds * fps) + 1`` frames, of which first and last are bit-equal to ``start``.

    Raises:
        MotionError: more than one frame, or a length, rate or setting out of range.
        WeightsError, DeviceError: as named.
    """
    chosen = settings or IdleSettings()
    _check(start, seconds, chosen)
    frames = max(2, round(seconds * start.fps)) + 1
    tell = Stage(on_step, frames, 0.0, 1.0, "Making the idle")
    tell(0.0)
    stance = Stance.of(start, leg_offsets)
    turn, path = _moves(start, frames, stance, chosen)
    tell(0.3)
    if chosen.pull > 0.0 and chosen.amount > 0.0:
        turn = _pulled(start, turn, chosen, prior, tell)
    tell(0.8)
    loop = _on_its_feet(start, turn, path, stance, leg_offsets)
    poses, transl = loop.poses.copy(), loop.transl.copy()
    poses[[0, -1]], transl[[0, -1]] = start.poses[0], start.transl[0]  # not only up to rounding
    tell(1.0)
    return replace(loop, poses=poses, transl=transl)


def _check(start: BodyMotion, seconds: float, settings: IdleSettings) -> None:
    if len(start) != 1:
        raise MotionError(f"An idle sets out from one pose, not from {len(start)} frames; name one.")
    if not SHORTEST <= seconds <= LONGEST:
        raise MotionError(f"An idle lasts from {SHORTEST:g} to {LONGEST:g} seconds, not {seconds:g}.")
    if not SLOWEST <= start.fps <= FASTEST:
        raise MotionError(f"An idle needs {SLOWEST:g} to {FASTEST:g} frames per second, not {start.fps:g}.")
    for name in ("amount", "breathing", "sway"):
        if not 0.0 <= getattr(settings, name) <= MOST:
            raise MotionError(f"The {name} of an idle must be from 0 to {MOST:g}; 1 is as people stand.")
    if not 0.0 <= settings.pull <= 1.0:
        raise MotionError("The pull of the pose prior must be from 0 to 1.")


def _moves(
    start: BodyMotion, frames: int, stance: Stance, settings: IdleSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Log-rotations (T, 22, 3) from the start in the joints' own axes, and the pelvis' way (T, 3) in the world."""
    phase, seconds = phases(frames), (frames - 1) / start.fps
    # Streams of their own, so that one setting does not change what another one draws.
    varying, breathing, shifting = (np.random.default_rng([settings.seed, part]) for part in range(3))
    whole = posed(start)[1][0]
    turn, path = _variation(start, phase, seconds, stance, varying)
    turn, path = settings.amount * turn, settings.amount * path
    # The chest turns about its own axes; every joint takes its part in its own.
    full = whole[JOINTS.index("spine3")] @ turns()[..., None]
    full = (np.swapaxes(whole, 1, 2) @ full)[..., 0]
    turn += settings.breathing * breath(phase, seconds, breathing)[:, None, None] * full
    if stance.stands and len(stance.bearing) == 2:
        swayed, moved = _swayed(start, phase, seconds, stance, whole, shifting)
        turn, path = turn + settings.sway * swayed, path + settings.sway * moved
    return turn, path


def _variation(
    start: BodyMotion, phase: np.ndarray, seconds: float, stance: Stance, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """As `_moves`, of what people do who just stand."""
    dynamics = load_standing()
    resting = np.zeros(dynamics.size, bool)
    resting[:3] = resting[-3:] = True  # legs that are straight in the given pose cannot follow a pelvis that goes up
    drawn = sample(dynamics, seconds, start.fps, rng, resting).at(phase)
    turn = np.zeros((len(phase), len(JOINTS), 3))
    turn[:, SWAYING] = drawn[:, :-3].reshape(len(phase), -1, 3)
    turn *= free_arms(start)[:, None]
    path = stance.size * Rotation.from_rotvec(start.poses[0, 0]).apply(drawn[:, -3:])
    share = 0.0 if not stance.stands else 1.0 if len(stance.bearing) == 2 else ONE_FOOT
    turn[:, 0] *= share
    return turn, share * path


def _swayed(
    start: BodyMotion,
    phase: np.ndarray,
    seconds: float,
    stance: Stance,
    whole: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """As `_moves`, of weight that goes from foot to foot."""
    apart = (stance.feet[0] - stance.feet[1]) * np.array([1.0, 0.0, 1.0])
    width = float(np.linalg.norm(apart))
    reach = min(REACH_SHARE * width, MOST_REACH * stance.size)
    along = shift(phase, seconds, reach / stance.size, rng)[:, None] * stance.size
    path = along * apart / max(width, 1e-6)
    left, up, ahead = heading(start.poses[0, 0]).T
    aside = path @ left / stance.size
    spin = aside[:, None] * (ROLL * ahead + YAW * up)
    turn = np.zeros((len(phase), len(JOINTS), 3))
    turn[:, 0] = spin @ whole[0]
    for joint in ("spine1", "spine2", "spine3"):
        turn[:, JOINTS.index(joint)] = -COUNTER / 3.0 * spin @ whole[JOINTS.index(joint)]
    return turn, path


@within_memory
def _pulled(
    start: BodyMotion, turn: np.ndarray, settings: IdleSettings, prior: PosePrior | None, tell: Stage
) -> np.ndarray:
    """Turns (T, 22, 3) of which the part is taken back that the pose prior finds odd, beyond what the start is."""
    device = pick_device(settings.device)
    prior = (prior or load_pose_prior()).to(device)
    base = start.poses[0, 1:]
    upper = [joint for joint in SWAYING if joint > 0]
    poses = _unwrapped(quat_to_rotvec(exp_around(rotvec_to_quat(base), turn[:, 1:])), base)
    t = torch.full((1,), DENOISED_AT, device=device)
    alpha = prior.sde.marginal(t)[0]

    def odd(rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        event = prior.normalise(torch.from_numpy(rows).float().to(device))
        return event, prior.estimate(alpha * event, t).x0 - event

    with torch.inference_mode():
        usual = odd(base[None])[1]
        size = at_once(ROWS_AT_ONCE)
        for begin in range(0, len(poses), size):
            rows = slice(begin, begin + size)
            event, away = odd(poses[rows])
            back = prior.denormalise(event + settings.pull * (away - usual)) - prior.denormalise(event)
            poses[rows] += back.double().cpu().numpy()
            tell(0.3 + 0.5 * min(1.0, (begin + size) / len(poses)))
    pulled = turn.copy()
    away = Rotation.from_rotvec(base).inv()
    for joint in upper:
        pulled[:, joint] = (away[joint - 1] * Rotation.from_rotvec(poses[:, joint - 1])).as_rotvec()
    return pulled


def _unwrapped(poses: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Axis-angle (T, 21, 3) of the turns nearest to those of a pose (21, 3), which may then exceed pi."""
    angle = np.linalg.norm(poses, axis=-1, keepdims=True)
    over = poses * (1.0 - 2.0 * np.pi / np.maximum(angle, 1e-9))
    nearer = np.linalg.norm(over - base, axis=-1) < np.linalg.norm(poses - base, axis=-1)
    return np.where(nearer[..., None], over, poses)


def _on_its_feet(
    start: BodyMotion, turn: np.ndarray, path: np.ndarray, stance: Stance, offsets: np.ndarray | None
) -> BodyMotion:
    """The body in motion, with the pelvis as low as its legs need it."""
    base = rotvec_to_quat(start.poses[0])

    def moved(share: float) -> BodyMotion:
        """With the pelvis' way and turns made smaller."""
        scaled = turn.copy()
        scaled[:, 0] *= share
        poses = quat_to_rotvec(exp_around(base, scaled))
        return BodyMotion(poses, start.transl + share * path, start.fps, start.offsets)

    if not stance.stands:
        return moved(0.0)
    share = 1.0
    names = stance.bearing
    while (needed := lowering(moved(share), start, names, offsets)).max() > MOST_LOWERED * stance.size:
        share *= SMALLER
    body = moved(share)
    soft = SOFT_LOWERING * stance.size
    give = float(np.clip((stance.knees - STIFF) / (SUPPLE - STIFF), 0.0, 1.0))
    low = _softest(np.concatenate([np.zeros((len(needed), 1)), needed], axis=1), soft)
    # Over a straight leg the pelvis goes as a pendulum does upside down: a knee that gave way would jerk.
    swung = _softest(lowering(body, start, names, offsets, as_bent=True), soft)
    down = give * low + (1.0 - give) * swung
    transl = body.transl - down[:, None] * np.array([0.0, 1.0, 0.0])
    return planted(replace(body, transl=transl), start, names, offsets)


def _softest(needed: np.ndarray, soft: float) -> np.ndarray:
    """(T,) a smooth curve over all of ``needed`` (T, N), which touches them at either end of the loop."""
    edge = np.minimum(np.arange(len(needed)), np.arange(len(needed))[::-1]) / (SETTLED * len(needed))
    soft = min(soft, float(np.ptp(needed, axis=0).max()))  # what does not move needs no softness
    width = soft * np.sin(0.5 * np.pi * np.minimum(edge, 1.0)) ** 2 + 1e-9
    return width * np.logaddexp.reduce(needed / width[:, None], axis=1)
