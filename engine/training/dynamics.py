# SPDX-License-Identifier: GPL-3.0-or-later
"""Learn the motion spectra of `engine.priors.dynamics` from folders of clips, in seconds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.fft import dct

from engine.errors import FileError
from engine.motion.windows import conjugate, multiply, rotvec_to_quat, smooth_path, smooth_reference, vectors
from engine.priors.dynamics import Dynamics
from engine.priors.spectra_file import NAMES
from engine.tasks.temporal import POSITION_LEVELS, ROTATION_LEVELS, measure_noise
from engine.training.dataset import SHARE_ALIKE, mirror

WINDOW_SECONDS = 4.0
REFERENCE_SECONDS = 0.5
NEIGHBOURS = 0.15  # bins within this share of a frequency are averaged: spectra are smooth, data are few
DIAGONAL = 0.2  # share of each covariance that is taken uncorrelated, against chance correlations
TEMPLATE_LEG = 0.7836  # metres; leg length that clips are scaled to (README of the data)


def clips(folder: Path, share_alike: bool = False) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """Poses (T, 22, 3), pelvis positions (T, 3) in metres on a template body, and fps of each clip with timing."""
    for poses, path, fps, _ in clips_of_subjects(folder, share_alike):
        yield poses, path, fps


def clips_of_subjects(
    folder: Path, share_alike: bool = False
) -> Iterator[tuple[np.ndarray, np.ndarray, float, int]]:
    """As `clips`, with the number of the performer, 0 where the index does not say."""
    files: dict[str, dict[str, np.ndarray]] = {}
    index = folder / "index.json"
    if not index.exists():
        raise FileError(
            f"There is no index.json in {folder}; name the folder of clip files that has one (AMASS folders have none)."
        )
    for entry in json.loads(index.read_text()):
        if entry["fps"] <= 0 or (not share_alike and SHARE_ALIKE in entry.get("licence", "")):
            continue
        if entry["file"] not in files:
            with np.load(folder / entry["file"], allow_pickle=False) as data:
                files[entry["file"]] = {"poses": data["poses"], "trans": data["trans"]}
        own = slice(entry["start"], entry["start"] + entry["length"])
        arrays = files[entry["file"]]
        scale = TEMPLATE_LEG / entry["leg_len"]
        yield (
            arrays["poses"][own].astype(np.float64),
            scale * arrays["trans"][own].astype(np.float64),
            entry["fps"],
            int(entry.get("subject", 0)),
        )


class _Spectrum:
    """Accumulates DCT coefficient products of windows."""

    def __init__(self, window: int, size: int) -> None:
        self.total = np.zeros((window, size, size))
        self.count = 0

    def add(self, x: np.ndarray) -> None:
        """Take windows x (B, window, size)."""
        coefficients = dct(x, axis=1, norm="ortho")
        self.total += np.einsum("bka,bkc->kac", coefficients, coefficients)
        self.count += len(x)

    def dynamics(self, fps: float) -> Dynamics:
        """Averaged over neighbouring bins, part of the correlation taken out, on half as many frequencies."""
        raw = self.total / self.count
        window, size = raw.shape[:2]
        smooth = np.empty_like(raw)
        for k in range(window):
            reach = round(NEIGHBOURS * k)
            smooth[k] = raw[max(1, k - reach) : k + reach + 1].mean(axis=0) if k else raw[0]
        smooth = (1.0 - DIAGONAL) * smooth + DIAGONAL * smooth * np.eye(size)
        kept = np.unique(
            np.concatenate([np.arange(12), np.round(np.geomspace(12, window - 1, 28)).astype(int)])
        )
        return Dynamics(kept * fps / (2.0 * window), smooth[kept] / fps, np.zeros(size))


def learn(folders: list[Path], share_alike: bool = False, fps: float = 30.0) -> dict[str, Dynamics]:
    """Spectra of the body's rotations (63), the root's rotation (3), the pelvis' position (3, metres), and of the
    positions of the 21 other joints of the bundled body in the root's frame (63, metres).

    Clips at another frame rate than ``fps``, or shorter than a window, are left out. Each clip is also mirrored.
    """
    window = round(WINDOW_SECONDS * fps)
    spectra = {name: _Spectrum(window, size) for name, size in NAMES.items()}
    kept: dict[str, list[np.ndarray]] = {name: [] for name in spectra}
    for folder in folders:
        for poses, trans, rate in clips(folder, share_alike):
            if abs(rate - fps) > 0.01 or len(poses) < window:
                continue
            rows = np.arange(0, len(poses) - window + 1, window // 4)[:, None] + np.arange(window)
            quat = rotvec_to_quat(poses)
            series = {
                "body": quat[:, 1:],
                "root": multiply(
                    conjugate(smooth_reference(quat[:, :1], fps, REFERENCE_SECONDS)), quat[:, :1]
                ),
                "pelvis": (trans - smooth_path(trans, fps, REFERENCE_SECONDS))[:, None],
                "joints": joint_positions(poses[:, 1:]),
            }
            for name, clip in series.items():
                kept[name].append(clip)
                spectra[name].add(vectors(clip[rows])[0])
            reflected = mirror(poses[:, 1:])
            spectra["body"].add(vectors(rotvec_to_quat(reflected)[rows])[0])
            spectra["joints"].add(vectors(joint_positions(reflected)[rows])[0])
    if not kept["body"]:
        raise FileError("No clip is long enough to learn motion spectra from; at least 4 seconds are needed.")
    learned = {name: spectrum.dynamics(fps) for name, spectrum in spectra.items()}
    return {name: replace(d, floor=capture_noise(kept[name], d, fps)) for name, d in learned.items()}


def joint_positions(body_pose: np.ndarray) -> np.ndarray:
    """Joints (T, 21, 3) of the bundled body for poses (T, 21, 3): metres from the pelvis, in the root's frame."""
    import roma
    import torch

    from engine.body import bundled, forward_kinematics

    pose = torch.from_numpy(np.concatenate([np.zeros((len(body_pose), 1, 3)), body_pose], axis=1))
    offsets = torch.as_tensor(bundled().offsets, dtype=torch.float64)
    origin = torch.zeros(len(pose), 3, dtype=torch.float64)
    return forward_kinematics(roma.rotvec_to_rotmat(pose), offsets, origin)[0][:, 1:].numpy()


def capture_noise(series: list[np.ndarray], dynamics: Dynamics, fps: float) -> np.ndarray:
    """(D,) white noise variance that 99 % of clean captures stay under, per coordinate."""
    levels = ROTATION_LEVELS if series[0].shape[-1] == 4 else POSITION_LEVELS
    return np.quantile([measure_noise(clip, dynamics, fps, levels)[0].white for clip in series], 0.99, axis=0)
