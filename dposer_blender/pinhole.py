# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Blender camera makes of directions, in pixels: the camera model of detectors and lifters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from bpy.types import Camera, Object, Scene

STRETCH = 0.01  # by which images and render may differ in their sides' proportion: sizes are whole pixels


@dataclass(frozen=True)
class Frame:
    """The picture that a scene renders.

    Attributes:
        width, height: in pixels.
        tall: height of a pixel, its width being 1.
    """

    width: int
    height: int
    tall: float

    @classmethod
    def of(cls, scene: Scene) -> Frame:
        """The scene's."""
        render = scene.render
        share = render.resolution_percentage / 100.0
        return cls(
            max(1, int(render.resolution_x * share)),
            max(1, int(render.resolution_y * share)),
            render.pixel_aspect_y / render.pixel_aspect_x,
        )

    def shows(self, size: tuple[int, int]) -> bool:
        """Whether images of (width, height) have its sides' proportion, with its pixels or with square ones."""
        wanted = size[0] / size[1]
        return any(abs(self.width / self.height / tall / wanted - 1.0) <= STRETCH for tall in (1.0, self.tall))

    def square(self, pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Pixels (..., 2) of images of (width, height) as those of the picture, were they square and as wide."""
        return pixels * [self.width / size[0], self.height * self.tall / size[1]]


@dataclass(frozen=True)
class Pinhole:
    """A pinhole camera, in square pixels as wide as the picture's.

    Attributes:
        focal: length in pixels.
        centre: (u, v) of the principal point, from the top left corner, v downwards.
    """

    focal: float
    centre: tuple[float, float]

    @classmethod
    def of(cls, camera: Camera, frame: Frame) -> Pinhole:
        """A camera's, for a picture; it is one without `refusal`."""
        height = frame.height * frame.tall
        across = camera.sensor_fit == "HORIZONTAL" or (camera.sensor_fit == "AUTO" and frame.width >= height)
        side = frame.width if across else height
        sensor = camera.sensor_height if camera.sensor_fit == "VERTICAL" else camera.sensor_width
        centre = frame.width / 2.0 - camera.shift_x * side, height / 2.0 + camera.shift_y * side
        return cls(camera.lens / sensor * side, centre)

    def as_seen_by(self, other: Pinhole, pixels: np.ndarray) -> np.ndarray:
        """Where another camera at the same place sees what this one sees at pixels (..., 2)."""
        return other.centre + (pixels - self.centre) * (other.focal / self.focal)


def refusal(camera: Object | None) -> str:
    """Why an object is no camera to see keypoints through, in a few words; empty where it is one."""
    if camera is None:
        return "The scene has no camera: add one, or choose one"
    if camera.type != "CAMERA":
        return f"{camera.name} is no camera: choose one"
    if camera.data.type != "PERSP":
        return f"{camera.name} is no perspective camera: set its lens to Perspective"
    return ""
