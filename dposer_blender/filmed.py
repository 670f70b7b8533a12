# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody before a Blender camera: keypoints in pixels of one lens, and where it is on each of their frames."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from bpy.types import Context, Object, Scene

from . import armature, pinhole, rotations, stage, targets
from .errors import ArmatureError
from .reading import SLICE

if TYPE_CHECKING:
    from .clip import Clip
    from .footage import Footage


class Filmed:
    """Keypoints on T frames of a camera, which `look` evaluates.

    Args:
        camera: what saw them.
        frame: the picture that it takes.
        size: (width, height) of the images in pixels, which the picture shows.
        pixels: (T, 17, 2) in the images, confidence: (T, 17), sigma: (T, 17) or None; see `footage.Footage`.

    Attributes:
        pixels: (T, 17, 2) through the lens that the camera has first, in square pixels of the picture; sigma likewise.
        image: (T, 2, 2) where two of the images' pixels, the corner and the next, are likewise.
        views: (T, 4, 4) the camera's axes and place in the space of the armature's clip.
    """

    def __init__(
        self,
        camera: Object,
        frame: pinhole.Frame,
        size: tuple[int, int],
        pixels: np.ndarray,
        confidence: np.ndarray,
        sigma: np.ndarray | None,
    ) -> None:
        self._uid, self.name = camera.session_uid, camera.name
        self._frame, self._size, self._seen = frame, size, pixels
        self.pixels, self.confidence = np.empty_like(pixels), confidence
        self.image = np.empty((len(pixels), 2, 2))
        self.sigma = None if sigma is None else sigma * (frame.width / size[0])
        self.views = np.tile(np.eye(4), (len(pixels), 1, 1))
        self._lens: pinhole.Pinhole | None = None

    def __len__(self) -> int:
        return len(self._seen)

    @property
    def lens(self) -> dict[str, float]:
        """The lens of ``pixels``, as the engine is told of it."""
        assert self._lens is not None
        return {"focal": self._lens.focal, "centre_u": self._lens.centre[0], "centre_v": self._lens.centre[1]}

    def in_images(self, distance: float) -> float:
        """A distance in ``pixels``, in those of the images."""
        return distance * self._size[0] / self._frame.width

    def camera(self) -> Object:
        """The camera.

        Raises:
            ArmatureError: it is gone, or cannot be it any more.
        """
        found = armature.of_uid(self._uid)
        if reason := pinhole.refusal(found) if found is not None else f"{self.name} was deleted":
            raise ArmatureError(f"{reason}; nothing was changed.")
        return found

    def take(self, row: int, clip: Clip, posed: Object, filming: Object) -> None:
        """What the evaluated camera sees on one frame of the evaluated armature.

        Raises:
            ArmatureError: the camera is nowhere.
        """
        place, turn = targets.in_clip(clip, posed, [filming])
        self.views[row, :3, :3], self.views[row, :3, 3] = rotations.to_matrices(turn[0]), place[0]
        if not np.isfinite(self.views[row]).all():
            raise ArmatureError(f"{self.name} has no finite place: move it back.")
        lens = pinhole.Pinhole.of(filming.data, self._frame)
        self._lens = self._lens or lens
        points = np.concatenate([self._seen[row], [(0.0, 0.0), (1.0, 1.0)]])
        seen = lens.as_seen_by(self._lens, self._frame.square(points, self._size))
        self.pixels[row], self.image[row] = seen[:-2], seen[-2:]


def look(
    films: Sequence[Filmed], clip: Clip, context: Context, when: Callable[[int], float], begin: int
) -> int:
    """Evaluate cameras on some frames.

    Args:
        films: of the armature's cameras, as many frames each.
        clip: of the armature.
        context: with its scene.
        when: frame of the scene that shows a row.
        begin: the first row to evaluate.

    Returns:
        The row to go on with.

    Raises:
        ArmatureError: a camera, or the armature, is not as it was.
    """
    ob, row = armature.resolve_object(clip), begin
    cameras = [film.camera() for film in films]
    deadline = time.monotonic() + SLICE
    with stage.evaluations([ob, *cameras], context) as evaluated:
        while row < len(films[0]) and time.monotonic() < deadline:
            posed, *filming = evaluated(when(row))
            for film, seen in zip(films, filming, strict=True):
                film.take(row, clip, posed, seen)
            row += 1
    return row


def size_of(scene: Scene, given: tuple[int, int], found: Footage) -> tuple[int, int]:
    """(width, height) of the images in pixels, which the render shows; the render's where nobody says.

    Raises:
        ArmatureError: the render's sides have another proportion.
    """
    frame = pinhole.Frame.of(scene)
    size = given if all(given) else found.size
    if not all(size):
        return frame.width, frame.height
    if not frame.shows(size):
        raise ArmatureError(
            f"The images have {size[0]} x {size[1]} pixels and the render {frame.width} x {frame.height}: press Match "
            "Camera, or set the resolution yourself."
        )
    return size


def told(films: Sequence[Filmed]) -> tuple[list[dict[str, float]], dict[str, Any]]:
    """Cameras as the engine's request ``refine`` is told of them: their lenses, and arrays."""
    if not films:
        return [], {}
    arrays = {
        "pixels": np.stack([film.pixels for film in films]),
        "confidence": np.stack([film.confidence for film in films]),
        "camera": np.stack([film.views for film in films]),
    }
    if any(film.sigma is not None for film in films):
        unknown = np.full(films[0].confidence.shape, np.nan)
        arrays["sigma"] = np.stack([unknown if film.sigma is None else film.sigma for film in films])
    return [film.lens for film in films], arrays
