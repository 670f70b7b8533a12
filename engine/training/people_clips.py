# SPDX-License-Identifier: GPL-3.0-or-later
"""People in motion to train lifters of sequences on: as `engine.training.people`, a still camera looking on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import roma
import torch
from torch import Tensor

from engine.body.h36m_joints import h36m_joints
from engine.errors import FileError
from engine.priors.image_frame import image_frame, to_the_axis
from engine.training.dataset import SHARE_ALIKE
from engine.training.dynamics import TEMPLATE_LEG
from engine.training.people import SHAPES, mirrored, random_bodies, random_cameras

FPS = 30.0
SIDEWAYS = 0.35
"""Tangents of the angle off the camera's axis at which people start, a standard deviation."""
LEAST_DEPTH = 1.5  # metres


@dataclass(frozen=True)
class _Segment:
    """Rows of a stretch of motion without cuts, and its subject."""

    start: int
    length: int
    subject: int


class PeopleClips:
    """Captured motion, to draw clips from.

    Args:
        folders: of clip files with an index; what is not at 30 fps is left out.
        frames: of a clip.
        seed: of the shapes.
        share_alike: take clips under share-alike licences too.
        device: where they are made.

    Raises:
        FileError: no folder has a clip of so many frames.
    """

    def __init__(
        self,
        folders: list[Path],
        frames: int,
        seed: int,
        share_alike: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        self.frames, self.device = frames, torch.device(device)
        poses, paths, segments = [], [], []
        begin = 0
        for folder in folders:
            index = folder / "index.json"
            if not index.exists():
                raise FileError(f"{folder.name} has no index.json; name folders of clips.")
            files: dict[str, tuple[np.ndarray, ...]] = {}
            for entry in json.loads(index.read_text("utf-8")):
                late = entry["length"] < frames or abs(float(entry["fps"]) - FPS) > 1.0
                if late or (not share_alike and SHARE_ALIKE in entry.get("licence", "")):
                    continue
                if entry["file"] not in files:
                    with np.load(folder / entry["file"], allow_pickle=False) as data:
                        files[entry["file"]] = (data["poses"], data["trans"])
                rows = slice(entry["start"], entry["start"] + entry["length"])
                pose, path = (array[rows] for array in files[entry["file"]])
                poses.append(pose)
                paths.append(path * (TEMPLATE_LEG / float(entry.get("leg_len") or TEMPLATE_LEG)))
                segments.append(_Segment(begin, len(pose), int(entry["subject"])))
                begin += len(pose)
        if not segments:
            raise FileError(f"No clips of {frames} frames at {FPS:g} fps in {', '.join(f.name for f in folders)}.")
        self._turns = roma.rotvec_to_rotmat(torch.from_numpy(np.concatenate(poses)).to(self.device))
        self._path = torch.from_numpy(np.concatenate(paths)).float().to(self.device)
        self._segments = segments
        subjects = np.array([segment.subject for segment in segments])
        starts = np.array([segment.length - frames + 1 for segment in segments], np.float64)
        whole = {subject: starts[subjects == subject].sum() for subject in set(subjects)}
        # As single poses are weighed: a subject's share grows with the root of its frames.
        self._cumulative = torch.from_numpy(
            np.cumsum([count / np.sqrt(whole[subject]) for count, subject in zip(starts, subjects, strict=True)])
        )
        self._offsets = random_bodies(seed).to(self.device)

    def __len__(self) -> int:
        return sum(segment.length - self.frames + 1 for segment in self._segments)

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Joints (count, frames, 17, 3) in metres, every frame in the image frame of its own look at the pelvis."""
        at = torch.rand(count, generator=generator, dtype=torch.float64) * self._cumulative[-1]
        chosen = torch.searchsorted(self._cumulative, at).clamp(max=len(self._segments) - 1)
        place = torch.rand(count, generator=generator, dtype=torch.float64)
        first = torch.tensor([
            self._segments[k].start + int(u * (self._segments[k].length - self.frames + 1))
            for k, u in zip(chosen.tolist(), place.tolist(), strict=True)
        ])
        rows = (first[:, None] + torch.arange(self.frames)).to(self.device)
        shape = torch.randint(SHAPES, (count,), generator=generator)
        joints = h36m_joints(self._turns[rows], self._offsets[shape][:, None].to(self.device))
        path = self._path[rows] + joints[:, :, 0]
        joints = joints - joints[:, :, :1]
        swap = (torch.rand(count, generator=generator) < 0.5)[:, None, None].to(self.device)
        joints = torch.where(swap[..., None], mirrored(joints), joints)
        path = torch.where(swap, path * path.new_tensor([-1.0, 1.0, 1.0]), path)
        turns, distance = random_cameras(count, generator)
        aside = SIDEWAYS * torch.randn(count, 2, generator=generator)
        return looked_at(joints, path - path[:, :1], turns.to(path), distance.to(path), aside.to(path))


def looked_at(joints: Tensor, path: Tensor, turns: Tensor, distance: Tensor, aside: Tensor) -> Tensor:
    """What a still camera sees, each frame turned to have the pelvis on its axis, in the image frame.

    Args:
        joints: (B, T, 17, 3) upright, the pelvis at 0; path: (B, T, 3) of the pelvis from where it starts, metres.
        turns: (B, 3, 3) into the camera's axes.
        distance: (B,) metres at which the pelvis starts.
        aside: (B, 2) tangents at which it starts.
    """
    begin = torch.cat([aside, -torch.ones_like(aside[:, :1])], dim=1) * distance[:, None]
    pelvis = begin[:, None] + path @ turns.mT
    # Nobody walks through the camera: who would is moved back as a whole.
    nearest = (-pelvis[..., 2]).amin(dim=1)
    pelvis = pelvis - (LEAST_DEPTH - nearest).clamp_min(0.0)[:, None, None] * pelvis.new_tensor([0.0, 0.0, 1.0])
    away = pelvis.norm(dim=-1)
    look = to_the_axis(pelvis / away[..., None])
    seen = (joints @ turns[:, None].mT) @ look.mT
    return image_frame(seen.flatten(0, 1), away.flatten()).unflatten(0, joints.shape[:2])
