# SPDX-License-Identifier: GPL-3.0-or-later
"""Examples for the motion prior: real clips damaged, and what the tasks make of them before the prior is asked.

References come from the very code that Clean Motion, Complete and In-between run, so that in use the prior sees what
it was trained on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.motion.files import replacing
from engine.motion.joints import JOINTS, LIMBS, MIRROR, PARTS
from engine.motion.motion import BodyMotion
from engine.motion.tpose import OFFSETS
from engine.motion.windows import (
    between,
    between_rotations,
    continuous,
    exp_around,
    log_around,
    multiply,
    quat_to_rotvec,
    rotvec_to_quat,
)
from engine.priors.pose_gaussian import PoseGaussian
from engine.tasks.completion_reference import completion_reference
from engine.tasks.evidence import FPS, Evidence, gather
from engine.tasks.inbetween import InbetweenSettings, inbetween
from engine.tasks.wiener import smooth_again, smooth_body
from engine.training.damage import damage
from engine.training.dynamics import clips_of_subjects

FAMILIES = {"clean": 0.55, "between": 0.25, "missing": 0.2}
LONGEST = 600  # frames of one example
SHORTEST = 16
FRAMES_PER_FILE = 60_000
WARP = 0.25  # of the logarithm of the speed, at most
RECOMBINED = 0.5
UNPLACED = 0.4  # of the examples have root and path taken out, as evaluations and some files do
FOUND = 0.6  # of the damaged examples have been through the prior once: most of the damage is known
MISFIT_DEGREES = (1.0, 8.0)
ENDS = tuple(JOINTS.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("ankle", "foot", "wrist"))
END_MISFIT = 2.0
UPPER = tuple(
    JOINTS.index(j)
    for j in JOINTS
    if any(w in j for w in ("spine2", "spine3", "neck", "head", "collar", "shoulder", "elbow", "wrist"))
)
EXCHANGED = (UPPER, LIMBS[0], LIMBS[1], LIMBS[0] + LIMBS[1])
"""What clips take from each other: the upper body, an arm, or both."""


@dataclass(frozen=True)
class Clip:
    """A clip of the truth at 30 fps: (T, 22, 3) axis-angle, (T, 3) metres on the template body, and whose it is."""

    poses: np.ndarray
    path: np.ndarray
    subject: int


@dataclass(frozen=True)
class Example:
    """Evidence, and the truth relative to its reference.

    Attributes:
        evidence: what the prior is told.
        turn: (T, 22, 3) log-rotation in radians from the reference to the truth.
        shift: (T, 3) metres, the same of the path.
        damage: (T, 22) bool, joints whose measurement is none.
        subject: whose motion it is.
    """

    evidence: Evidence
    turn: np.ndarray
    shift: np.ndarray
    damage: np.ndarray
    subject: int


@dataclass(frozen=True)
class Augmentation:
    """What clips are varied by. Heading needs no variation: the prior does not see it."""

    mirror: bool = True
    warp: bool = True
    recombine: bool = True
    misfit: bool = True


def mirrored(clip: Clip) -> Clip:
    """The clip reflected in the YZ plane."""
    poses = clip.poses[:, np.asarray(MIRROR)] * np.array([1.0, -1.0, -1.0])
    return replace(clip, poses=poses, path=clip.path * np.array([-1.0, 1.0, 1.0]))


def warped(clip: Clip, speed: float) -> Clip:
    """The clip played at another speed; the path's size follows, as steps do not change."""
    frames = max(SHORTEST, round(len(clip.poses) / speed))
    at = np.linspace(0.0, len(clip.poses) - 1.0, frames)
    turned = between_rotations(continuous(rotvec_to_quat(clip.poses)), at)
    path = between(clip.path, at)
    return replace(clip, poses=quat_to_rotvec(turned), path=path)


def recombined(clip: Clip, other: Clip, joints: tuple[int, ...]) -> Clip:
    """The clip with some joints of another."""
    frames = min(len(clip.poses), len(other.poses))
    poses = clip.poses[:frames].copy()
    poses[:, joints] = other.poses[:frames][:, joints]
    return replace(clip, poses=poses, path=clip.path[:frames])


def misfitted(clip: Clip, rng: np.random.Generator) -> Clip:
    """The clip as another rig or another suit's calibration shows it: every joint off by a rotation of its own.

    Rest poses differ from rig to rig, most at hands and feet; what is learned must not hang on them.
    """
    degrees = np.exp(rng.uniform(np.log(MISFIT_DEGREES[0]), np.log(MISFIT_DEGREES[1])))
    size = np.deg2rad(degrees) * np.where(np.isin(np.arange(len(JOINTS)), ENDS), END_MISFIT, 1.0)
    size[0] = 0.0
    left, right = (rotvec_to_quat(size[:, None] * rng.normal(size=(len(JOINTS), 3))) for _ in range(2))
    quat = multiply(multiply(left, rotvec_to_quat(clip.poses)), right)
    return replace(clip, poses=quat_to_rotvec(quat))


def energy(clip: Clip) -> float:
    """How lively a clip is: mean rotation per frame of hips and shoulders, radians."""
    hips = [JOINTS.index(n) for n in ("left_hip", "right_hip", "left_shoulder", "right_shoulder")]
    quat = continuous(rotvec_to_quat(clip.poses[:, hips]))
    return float(np.linalg.norm(log_around(quat[:-1], quat[1:]), axis=-1).mean())


def examples(
    clips: list[Clip],
    gaussian: PoseGaussian,
    rng: np.random.Generator,
    augmentation: Augmentation,
) -> Iterator[tuple[int, Example]]:
    """Endless examples with the index of their family, clips drawn by the root of their subject's frames."""
    subjects = np.array([clip.subject for clip in clips])
    lengths = np.array([len(clip.poses) for clip in clips], float)
    frames = {s: lengths[subjects == s].sum() for s in np.unique(subjects)}
    weight = np.array([n / np.sqrt(frames[s]) for n, s in zip(lengths, subjects, strict=True)])
    # Long clips are cut into examples, so that they come as often as their frames say.
    weight /= np.minimum(lengths, LONGEST)
    weight /= weight.sum()
    lively = np.array([energy(clip) for clip in clips])
    names, chances = list(FAMILIES), np.array(list(FAMILIES.values()))
    while True:
        number = int(rng.choice(len(clips), p=weight))
        clip = clips[number]
        if len(clip.poses) > LONGEST:
            begin = int(rng.integers(len(clip.poses) - LONGEST + 1))
            clip = replace(
                clip, poses=clip.poses[begin : begin + LONGEST], path=clip.path[begin : begin + LONGEST]
            )
        if augmentation.recombine and rng.random() < RECOMBINED:
            alike = np.flatnonzero(np.abs(np.log(lively / lively[number])) < 0.4)
            other = clips[int(rng.choice(alike))]
            if len(other.poses) >= 60:
                begin = int(rng.integers(max(1, len(other.poses) - len(clip.poses) + 1)))
                clip = recombined(
                    clip,
                    replace(other, poses=other.poses[begin:]),
                    EXCHANGED[int(rng.integers(len(EXCHANGED)))],
                )
        if augmentation.warp and rng.random() < 0.5:
            clip = warped(clip, float(np.exp(rng.uniform(-WARP, WARP))))
        if augmentation.mirror and rng.random() < 0.5:
            clip = mirrored(clip)
        if augmentation.misfit and rng.random() < 0.5:
            clip = misfitted(clip, rng)
        if len(clip.poses) >= SHORTEST:
            family = int(rng.choice(len(names), p=chances))
            yield family, example(clip, names[family], gaussian, rng)


def example(clip: Clip, family: str, gaussian: PoseGaussian, rng: np.random.Generator) -> Example:
    """One example of a family: ``clean`` (noise and damage), ``between`` (keys), ``missing`` (limbs)."""
    quat = continuous(rotvec_to_quat(clip.poses))
    path = clip.path - np.array([1.0, 0.0, 1.0]) * clip.path.mean(axis=0)
    placed = bool(family == "between" or rng.random() >= UNPLACED)
    if not placed:
        quat[:, 0], path = np.array([1.0, 0.0, 0.0, 0.0]), np.zeros_like(path)
    wrong = np.zeros((len(quat), 22), bool)
    if family == "clean":
        faulty = damage(quat, path, FPS, rng)
        if not placed:
            faulty = replace(
                faulty, quat=np.concatenate([quat[:, :1], faulty.quat[:, 1:]], axis=1), path=path
            )
        start = continuous(faulty.quat)
        smooth = smooth_body(start, faulty.path, FPS)
        if rng.random() < FOUND:
            smooth = smooth_again(smooth, start, draw_found(faulty.damage[:, :22], rng), FPS)
        evidence = gather(
            smooth.quat,
            smooth.transl,
            start,
            faulty.path,
            smooth.known,
            smooth.noise,
            smooth.left,
            FPS,
            placed,
            np.ones_like(smooth.known),
        )
        wrong = faulty.damage[:, :22].copy()
        wrong[:, 0] &= placed
    elif family == "between":
        keys = draw_keys(len(quat), rng)
        poses = quat_to_rotvec(quat)
        filled = inbetween(BodyMotion(poses, path, FPS, OFFSETS), keys, InbetweenSettings("motion"))
        known = np.ones((len(quat), 23), bool)
        known[keys[0] : keys[-1]] = False
        known[keys] = True
        reference = continuous(rotvec_to_quat(filled.poses))
        reference = np.where(known[:, :22, None], quat, reference)
        none = np.zeros(23)
        evidence = gather(reference, filled.transl, quat, path, known, none, none, FPS)
    else:
        known = draw_known(len(quat), rng)
        noise = np.zeros(23)
        if rng.random() < 0.3:
            level = np.deg2rad(np.exp(rng.uniform(np.log(0.3), np.log(4.0))))
            noise[1:22] = level
        seen = quat.copy()
        seen[:, 1:] = exp_around(quat[:, 1:], noise[1:22, None] * rng.normal(size=(len(quat), 21, 3)))
        evidence = completion_reference(seen, path, known, FPS, gaussian, noise, placed)
    turn = log_around(evidence.quat, quat)
    return Example(evidence, turn, path - evidence.path, wrong, clip.subject)


def draw_found(damage: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(T, 22) bool, the damage as a good detector would find it: some missed, some frames too many."""
    found = damage & (rng.random(damage.shape) > rng.uniform(0.0, 0.15))
    if rng.random() < 0.5:
        found[1:] |= damage[:-1]
        found[:-1] |= damage[1:]
    found |= rng.random(damage.shape) < rng.choice([0.0, 0.003, 0.02])
    return found


def draw_keys(frames: int, rng: np.random.Generator) -> np.ndarray:
    """Keys with gaps of 2 to 60 frames between them, stretches of known frames among them."""
    keys: list[int] = []
    at = int(rng.integers(0, max(1, min(frames // 3, 12))))
    while at < frames:
        run = int(rng.choice([1, rng.integers(2, 8), 10, rng.integers(5, 20)]))
        keys.extend(range(at, min(frames, at + run)))
        at += run + int(np.exp(rng.uniform(np.log(2.0), np.log(60.0))))
    if len(keys) < 2 or keys[-1] - keys[0] + 1 == len(keys):
        keys = [0, frames - 1]
    return np.array(keys)


def draw_known(frames: int, rng: np.random.Generator) -> np.ndarray:
    """(T, 23) bool: limbs or joints missing for the clip or for spans: GFPose's hierarchical masks, in time."""
    known = np.ones((frames, 23), bool)
    for _ in range(int(rng.integers(1, 3))):
        kind = rng.random()
        if kind < 0.45:
            names = [("left_leg",), ("right_leg",), ("left_leg", "right_leg"), ("left_arm",), ("right_arm",),
                     ("left_arm", "right_arm"), ("trunk",), ("left_arm", "right_arm", "trunk")]  # fmt: skip
            chosen = names[int(rng.integers(len(names)))]
            joints = np.unique([JOINTS.index(j) for part in chosen for j in PARTS[part]])
        elif kind < 0.7:
            joints = np.array(LIMBS[int(rng.integers(4))])
        else:
            joints = 1 + np.flatnonzero(rng.random(21) < rng.uniform(0.05, 0.5))
        if not len(joints):
            joints = np.array([int(rng.integers(1, 22))])
        if rng.random() < 0.5:
            known[:, joints] = False
            continue
        length = int(np.exp(rng.uniform(np.log(4.0), np.log(max(5.0, frames * 0.9)))))
        begin = int(rng.integers(0, max(1, frames - length)))
        known[begin : begin + length, joints] = False
    return known


def load_clips(folders: list[Path], share_alike: bool, subjects: float = 1.0) -> list[Clip]:
    """Clips at 30 fps of folders with an index.json, those long enough to learn from.

    Args:
        folders: of this project's clip files.
        share_alike: take clips under share-alike licences too.
        subjects: share of the performers to take, every so many of them by their numbers.

    Raises:
        FileError: a folder has no index.
    """
    found = []
    for folder in folders:
        for poses, path, fps, subject in clips_of_subjects(folder, share_alike):
            if abs(fps - FPS) < 0.01 and len(poses) >= SHORTEST:
                found.append(Clip(poses, path, subject))
    people = sorted({clip.subject for clip in found})
    kept = {people[round(i)] for i in np.linspace(0, len(people) - 1, max(1, round(subjects * len(people))))}
    return [clip for clip in found if clip.subject in kept]


TOLD = ("quat", "path", "turn", "shift", "known", "deviation")
FIELDS = (*TOLD, "true_turn", "true_shift", "damage")
"""Arrays of a bank, per frame; `TOLD` are those of the evidence."""


@dataclass(frozen=True)
class Bank:
    """Many examples as arrays over all their frames, N in all.

    Attributes:
        arrays: of `FIELDS`, each (N, ...), float32 or bool.
        noise: (E, 23) of each example.
        placed: (E,) bool.
        family: (E,) index into `FAMILIES`.
        offsets: (E + 1,) first frame of each example.
        subject: (E,) whose motion it is.
    """

    arrays: dict[str, np.ndarray]
    noise: np.ndarray
    placed: np.ndarray
    family: np.ndarray
    offsets: np.ndarray
    subject: np.ndarray

    def __len__(self) -> int:
        return len(self.noise)

    @classmethod
    def gather(cls, made: list[tuple[int, Example]]) -> Bank:
        """From examples with the index of their family."""

        def stacked(parts: Iterable[np.ndarray]) -> np.ndarray:
            joined = np.concatenate(list(parts))
            return joined if joined.dtype == bool else joined.astype(np.float32)

        examples = [example for _, example in made]
        arrays = {name: stacked(getattr(e.evidence, name) for e in examples) for name in TOLD}
        arrays |= {
            "true_turn": stacked(e.turn for e in examples),
            "true_shift": stacked(e.shift for e in examples),
            "damage": stacked(e.damage for e in examples),
        }
        return cls(
            arrays,
            np.stack([e.evidence.noise for e in examples]).astype(np.float32),
            np.array([e.evidence.placed for e in examples]),
            np.array([family for family, _ in made]),
            np.cumsum([0, *(len(e.turn) for e in examples)]),
            np.array([e.subject for e in examples]),
        )

    def save(self, path: Path) -> None:
        """Write as npz, whole or not at all. Raises FileError."""
        rest = {k: getattr(self, k) for k in ("noise", "placed", "family", "offsets", "subject")}
        with replacing(path) as stream:
            np.savez(stream, **self.arrays, **rest)

    @classmethod
    def load(cls, paths: list[Path]) -> Bank:
        """One bank of several files."""
        parts = []
        for path in paths:
            with np.load(path, allow_pickle=False) as data:
                parts.append({key: data[key] for key in data.files})
        lengths = np.concatenate([np.diff(part["offsets"]) for part in parts])
        rest = {k: np.concatenate([p[k] for p in parts]) for k in ("noise", "placed", "family", "subject")}
        arrays = {name: np.concatenate([part[name] for part in parts]) for name in FIELDS}
        return cls(arrays, offsets=np.cumsum([0, *lengths]), **rest)


def build_all(
    folder: Path,
    clips: list[Clip],
    gaussian: PoseGaussian,
    frames: int,
    seed: int,
    augmentation: Augmentation,
) -> None:
    """Write banks ``train_000.npz`` and so on into a folder, so many frames in all; those that are there stay."""
    for number in range(-(-frames // FRAMES_PER_FILE)):
        path = folder / f"train_{number:03d}.npz"
        if not path.exists():
            build(path, clips, gaussian, FRAMES_PER_FILE, seed + number, augmentation)


def build(
    path: Path,
    clips: list[Clip],
    gaussian: PoseGaussian,
    frames: int,
    seed: int,
    augmentation: Augmentation,
) -> None:
    """Write a bank of at least so many frames, made from the seed."""
    made: list[tuple[int, Example]] = []
    total, source = 0, examples(clips, gaussian, np.random.default_rng(seed), augmentation)
    while total < frames:
        made.append(next(source))
        total += len(made[-1][1].turn)
    Bank.gather(made).save(path)
