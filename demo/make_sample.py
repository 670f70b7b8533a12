# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the demo's clip: ``sample.bvh``, a flawed capture, and ``sample_truth.bvh``, the motion behind it.

A figure with Mixamo's bone names stands, walks, stops and waves. The gait's joint angles are splines through
a few values after the curves in Winter, "The Biomechanics and Motor Control of Human Gait" (1991); the path
over the floor follows from the foot that stands. The capture adds what captures suffer from: jitter, a slow
sway, joints that flip for a few frames and an arm that is lost for most of a second. One seed decides all::

    python -m demo.make_sample
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter
from scipy.spatial.transform import Rotation

from engine.motion import bvh
from engine.motion.motion import Motion
from engine.motion.skeleton import Skeleton

FPS = 30.0
SECONDS = 6.4
SEED = 7

# Name, parent, offset from the parent in centimetres; facing +Z, Y up, T-pose.
BONES: tuple[tuple[str, str | None, tuple[float, float, float]], ...] = (
    ("Hips", None, (0.0, 95.0, 0.0)),
    ("Spine", "Hips", (0.0, 11.0, -2.6)),
    ("Spine1", "Spine", (0.0, 13.0, -0.6)),
    ("Spine2", "Spine1", (0.0, 6.0, 2.6)),
    ("Neck", "Spine2", (0.0, 16.5, -3.0)),
    ("Head", "Neck", (0.0, 15.0, 2.0)),
    ("LeftShoulder", "Spine2", (4.6, 8.4, -1.0)),
    ("LeftArm", "LeftShoulder", (11.2, 5.0, -1.4)),
    ("LeftForeArm", "LeftArm", (26.5, -3.0, -1.8)),
    ("LeftHand", "LeftForeArm", (25.0, 1.0, -0.8)),
    ("RightShoulder", "Spine2", (-4.6, 8.4, -1.0)),
    ("RightArm", "RightShoulder", (-11.2, 5.0, -1.4)),
    ("RightForeArm", "RightArm", (-26.5, -3.0, -1.8)),
    ("RightHand", "RightForeArm", (-25.0, 1.0, -0.8)),
    ("LeftUpLeg", "Hips", (6.0, -9.8, -2.3)),
    ("LeftLeg", "LeftUpLeg", (5.0, -37.0, -1.2)),
    ("LeftFoot", "LeftLeg", (-3.0, -40.6, -2.6)),
    ("LeftToeBase", "LeftFoot", (4.2, -5.8, 11.8)),
    ("RightUpLeg", "Hips", (-6.0, -9.8, -2.3)),
    ("RightLeg", "RightUpLeg", (-5.0, -37.0, -1.2)),
    ("RightFoot", "RightLeg", (3.0, -40.6, -2.6)),
    ("RightToeBase", "RightFoot", (-4.2, -5.8, 11.8)),
)
NAMES = tuple(name for name, _, _ in BONES)
PARENTS = tuple(-1 if parent is None else NAMES.index(parent) for _, parent, _ in BONES)
OFFSETS = np.array([offset for _, _, offset in BONES])

# Degrees over one stride from heel strike: (phase, angle). Flexion is positive; the ankle's is dorsiflexion.
HIP_FLEXION = ((0.0, 27.0), (0.15, 20.0), (0.35, 2.0), (0.52, -11.0), (0.65, 5.0), (0.85, 29.0), (1.0, 27.0))
KNEE_FLEXION = ((0.0, 5.0), (0.14, 18.0), (0.38, 6.0), (0.52, 22.0), (0.71, 59.0), (0.92, 6.0), (1.0, 5.0))
ANKLE_FLEXION = ((0.0, 0.0), (0.07, -4.0), (0.42, 9.0), (0.62, -16.0), (0.78, 2.0), (1.0, 0.0))

STRIDE = 1.12  # seconds
WALK = (0.7, 4.1)  # seconds: from the first step's start to the last one's end
WAVE = (3.9, 6.1)
LOST_ARM = (1.9, 2.8)


def _skeleton() -> Skeleton:
    heads = OFFSETS.copy()
    for j, parent in enumerate(PARENTS):
        if parent >= 0:
            heads[j] += heads[parent]
    rest = np.tile(np.eye(4), (len(NAMES), 1, 1))
    rest[:, :3, 3] = heads
    tails = heads + np.where(OFFSETS[:, 1:2] < 0, (0.0, -4.0, 4.0), (0.0, 12.0, 0.0))
    for j, parent in enumerate(PARENTS):
        if parent >= 0:
            tails[parent] = heads[j]
    for name, tip in (("LeftHand", (9.0, 0.0, 0.0)), ("RightHand", (-9.0, 0.0, 0.0))):
        tails[NAMES.index(name)] = heads[NAMES.index(name)] + tip
    return Skeleton(tuple(f"mixamorig:{name}" for name in NAMES), PARENTS, rest, tails, scale=0.01)


def _smoothstep(time: np.ndarray, start: float, end: float) -> np.ndarray:
    x = np.clip((time - start) / (end - start), 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def _window(time: np.ndarray, span: tuple[float, float], ease: float) -> np.ndarray:
    """(T,) 0 outside the span, 1 inside, eased in and out over `ease` seconds."""
    return _smoothstep(time, span[0], span[0] + ease) - _smoothstep(time, span[1] - ease, span[1])


def _curve(keys: tuple[tuple[float, float], ...], phase: np.ndarray) -> np.ndarray:
    at, degrees = np.array(keys).T
    return CubicSpline(at, degrees, bc_type="periodic")(phase % 1.0)


def _angles(time: np.ndarray) -> dict[str, Rotation]:
    """Rotations of the bones that move, relative to the T-pose."""
    walking = _window(time, WALK, 0.55)
    waving = _window(time, WAVE, 0.6)
    phase = (time - WALK[0]) / STRIDE
    breath = np.sin(2 * np.pi * 0.28 * time)
    sway = np.sin(2 * np.pi * 0.43 * time + 1.0)
    swing = np.cos(2 * np.pi * phase)  # +1: left leg in front
    lift = np.sin(2 * np.pi * phase)
    double = np.cos(4 * np.pi * phase)
    zero = np.zeros_like(time)

    def euler(order: str, *degrees: np.ndarray | float) -> Rotation:
        return Rotation.from_euler(
            order, np.stack(np.broadcast_arrays(zero, *degrees)[1:], axis=-1), degrees=True
        )

    pose = {
        "Hips": euler("YXZ", sway - 5.0 * swing * walking, 2.0 * walking, 0.6 * sway + 3.0 * lift * walking),
        "Spine": euler("YXZ", 3.0 * swing * walking, 1.5 + 0.6 * breath, zero),
        "Spine1": euler("YXZ", 4.0 * swing * walking, 1.0 + 0.8 * breath, -2.0 * waving),
        "Spine2": euler("YXZ", 4.0 * swing * walking, -0.8 * breath, -2.0 * waving),
        "Neck": euler(
            "YXZ", -3.0 * swing * walking - 6.0 * waving, 2.0 - 0.5 * double * walking, -0.6 * sway
        ),
        "Head": euler("YXZ", -2.0 * swing * walking - 8.0 * waving, -4.0 + 2.0 * breath, 4.0 * waving),
    }
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        own = phase if sign > 0 else phase + 0.5
        hip = walking * _curve(HIP_FLEXION, own)
        knee = walking * _curve(KNEE_FLEXION, own) + 2.0 * (1.0 - walking)
        ankle = walking * _curve(ANKLE_FLEXION, own)
        pose[f"{side}UpLeg"] = euler("XZ", -hip, -sign * 3.0)
        pose[f"{side}Leg"] = euler("X", knee)
        pose[f"{side}Foot"] = euler("XY", -ankle - 2.0 * (1.0 - walking), sign * 4.0)
        toes_off = np.exp(-(((own - 0.58 + 0.5) % 1.0 - 0.5) ** 2) / 0.004)
        pose[f"{side}ToeBase"] = euler("X", -24.0 * toes_off * walking)

        arm_swing = sign * 21.0 * swing * walking - 4.0 * walking
        elbow = 14.0 + walking * (10.0 - sign * 9.0 * swing)
        lowered = euler("XYZ", arm_swing + 1.2 * sway, zero, -sign * (68.0 + 1.5 * breath))
        pose[f"{side}Shoulder"] = euler("Z", -sign * (4.0 - 0.6 * breath))
        pose[f"{side}Arm"] = lowered
        pose[f"{side}ForeArm"] = euler("XY", 12.0 * np.ones_like(time), -sign * elbow)
        pose[f"{side}Hand"] = euler("Z", -sign * (4.0 + 2.0 * swing * walking))

    beat = np.sin(2 * np.pi * 1.9 * (time - WAVE[0]))
    raised = euler("ZX", -6.0 + 3.0 * beat, -88.0 + 14.0 * beat)
    pose["RightArm"] = _blend(pose["RightArm"], raised, waving)
    pose["RightForeArm"] = _blend(pose["RightForeArm"], euler("Y", 84.0 + 8.0 * beat), waving)
    pose["RightHand"] = _blend(pose["RightHand"], euler("YZ", zero, 10.0 * beat), waving)
    pose["RightShoulder"] = _blend(pose["RightShoulder"], euler("Z", -10.0 * np.ones_like(time)), waving)
    return pose


def _blend(first: Rotation, second: Rotation, weight: np.ndarray) -> Rotation:
    step = (first.inv() * second).as_rotvec()
    return first * Rotation.from_rotvec(weight[:, None] * step)


def joint_positions(rotations: np.ndarray) -> np.ndarray:
    """(T, J, 3) joint positions in centimetres with the hips at the origin, from (T, J, 4) WXYZ."""
    turned: list[Rotation] = []
    places: list[np.ndarray] = []
    for j, parent in enumerate(PARENTS):
        local = Rotation.from_quat(np.roll(rotations[:, j], -1, axis=-1))
        turned.append(local if parent < 0 else turned[parent] * local)
        places.append(
            np.zeros((len(rotations), 3)) if parent < 0 else places[parent] + turned[parent].apply(OFFSETS[j])
        )
    return np.stack(places, axis=1)


def _path(rotations: np.ndarray) -> np.ndarray:
    """(T, 3) displacement of the hips in centimetres that keeps the standing foot where it is."""
    at = joint_positions(rotations)
    feet = at[:, [NAMES.index(f"{side}{part}") for side in ("Left", "Right") for part in ("Foot", "ToeBase")]]
    feet = feet - np.array([[0.0, 5.8, 0.0], [0.0, 0.0, 0.0]] * 2)  # heel under the ankle
    lowest = feet[:, :, 1].argmin(axis=1)
    frames = np.arange(1, len(at))
    steps = feet[frames - 1, lowest[1:]] - feet[frames, lowest[1:]]
    path = np.vstack([np.zeros(3), np.cumsum(steps, axis=0)])
    path[:, 1] = -feet[:, :, 1].min(axis=1)
    path[:, 1] += -path[0, 1]
    return gaussian_filter1d(path, 1.5, axis=0, mode="nearest")


def truth() -> Motion:
    """The motion before it is captured."""
    skeleton = _skeleton()
    time = np.arange(round(SECONDS * FPS)) / FPS
    rotations = np.zeros((len(time), len(NAMES), 4))
    rotations[..., 0] = 1.0
    for name, rotation in _angles(time).items():
        rotations[:, NAMES.index(name)] = np.roll(rotation.as_quat(), 1, axis=-1)
    translations = np.zeros((len(time), len(NAMES), 3))
    translations[:, 0] = _path(rotations)
    return Motion(skeleton, rotations, translations, FPS)


def capture(motion: Motion, seed: int = SEED) -> Motion:
    """The motion as a poor capture system would deliver it.

    Args:
        motion: the truth.
        seed: decides all noise.
    """
    random = np.random.default_rng(seed)
    frames, bones = motion.rotations.shape[:2]
    memory = np.exp(-1.0 / (FPS * 0.17))
    sway = lfilter(
        [np.sqrt(1.0 - memory**2)], [1.0, -memory], random.normal(size=(frames + 60, bones, 3)), axis=0
    )
    noise = np.radians(2.2 * random.normal(size=(frames, bones, 3)) + 2.6 * sway[60:])
    noise[:, NAMES.index("Hips")] *= 0.6

    limbs = [
        NAMES.index(f"{side}{part}")
        for side in ("Left", "Right")
        for part in ("Arm", "ForeArm", "UpLeg", "Leg")
    ]
    for start in random.choice(np.arange(5, frames - 5), size=22, replace=False):
        axis = random.normal(size=3)
        angle = np.radians(random.uniform(35.0, 85.0))
        noise[start : start + random.integers(1, 4), random.choice(limbs)] += (
            angle * axis / np.linalg.norm(axis)
        )

    turned = Rotation.from_quat(np.roll(motion.rotations, -1, axis=-1).reshape(-1, 4))
    turned = turned * Rotation.from_rotvec(noise.reshape(-1, 3))
    rotations = np.roll(turned.as_quat(), 1, axis=-1).reshape(motion.rotations.shape)
    first, last = (round(second * FPS) for second in LOST_ARM)
    for bone in (NAMES.index(f"Left{part}") for part in ("Shoulder", "Arm", "ForeArm", "Hand")):
        rotations[first:last, bone] = rotations[first, bone]
    translations = motion.translations.copy()
    translations[:, 0] += 0.7 * random.normal(size=(frames, 3))
    return Motion(motion.skeleton, rotations, translations, motion.fps)


def main() -> None:
    """Write both clips beside this file."""
    folder = Path(__file__).resolve().parent
    original = truth()
    for name, motion in (("sample_truth.bvh", original), ("sample.bvh", capture(original))):
        clip = bvh.from_motion(motion)
        clip = dataclasses.replace(clip, values=clip.values.round(4))
        bvh.write(folder / name, clip)
        print(f"{folder.name}/{name}: {len(motion)} frames")


if __name__ == "__main__":
    main()
