# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures to train ScoreHMR on: features that a regression network made of them, and the poses in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import roma
import torch
from torch import Tensor

from engine.errors import FileError
from engine.motion.features import read_features, read_image_poses
from engine.priors.rotation_prior import to_event

HELD_OUT = 10
"""One in so many pictures validates: the last of each file, whose neighbours in a video are then not trained on."""
LEAST_STD = 1e-6


@dataclass(frozen=True)
class Pictures:
    """Features and poses of N pictures.

    Attributes:
        features: (N, F) float32.
        events: (N, 144) float32, see `engine.priors.rotation_prior`.
        late: (N,) bool, pictures at the end of their file.
    """

    features: Tensor
    events: Tensor
    late: Tensor

    def __len__(self) -> int:
        return len(self.features)

    @classmethod
    def load(cls, features: Sequence[Path], poses: Sequence[Path] = ()) -> Pictures:
        """Pictures of some files, those whose pose is known.

        Args:
            features: see `engine.motion.features.read_features`.
            poses: of each; by default they are in the same files.

        Raises:
            FileError: a file is damaged, or files do not fit each other.
        """
        if poses and len(poses) != len(features):
            raise FileError(f"{len(features)} files of features need as many of poses, not {len(poses)}.")
        parts: list[tuple[Tensor, Tensor, Tensor]] = []
        for file, of_poses in zip(features, poses or features, strict=True):
            rows = torch.from_numpy(read_features(file).copy())
            turns, known = read_image_poses(of_poses)
            if len(turns) != len(rows):
                raise FileError(
                    f"{file.name} has features of {len(rows)} pictures, and {of_poses.name} poses in {len(turns)}; "
                    "name files of the same pictures."
                )
            if parts and rows.shape[1] != parts[0][0].shape[1]:
                raise FileError(
                    f"{file.name} has {rows.shape[1]} features a picture, and {features[0].name} has "
                    f"{parts[0][0].shape[1]}; name files of one network."
                )
            event = to_event(roma.rotvec_to_rotmat(torch.from_numpy(turns[known]))).float()
            late = torch.arange(len(event)) >= len(event) - max(1, len(event) // HELD_OUT)
            parts.append((rows[torch.from_numpy(known)], event, late))
        pictures = cls(*(torch.cat(some) for some in zip(*parts, strict=True)))
        if pictures.late.all():
            raise FileError(f"Of {len(pictures)} pictures with poses none can be trained on; name larger files.")
        return pictures

    def divided(self) -> tuple[Pictures, Pictures]:
        """Those to train on, and those that validate."""
        return self._some(~self.late), self._some(self.late)

    def statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (F,) of the features; 1 where one is the same everywhere."""
        std = self.features.std(dim=0, correction=0)
        return self.features.mean(dim=0), torch.where(std > LEAST_STD, std, 1.0)

    def _some(self, rows: Tensor) -> Pictures:
        return Pictures(self.features[rows], self.events[rows], self.late[rows])
