# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders the demo's pictures from skinned bodies; runs in a Blender process of its own::

    python -m demo.render BODIES.npz FOLDER

BODIES.npz holds ``before`` and ``after`` (F, V, 3) in metres, Z up, facing the camera at -Y; ``faces``;
``film``, the indices of the film's frames, and ``path`` (F, 2), where the camera looks; ``stills``, those
of the strip's, ``places``, metres from its middle at which they stand, and ``width``, the metres it shows; and
``samples`` (2,) of each pixel of the film and of the strip.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from demo.leaving import leave_after
from demo.scene import AFTER, BEFORE, Studio

FILM_SIZE = (560, 380)
FILM_WIDTH = 3.2  # metres across the picture
APART = 0.72  # metres from the middle to each figure
STRIP_SIZE = (1680, 580)
EYE_LEVEL = 1.0  # metres
ELEVATION = 0.12  # radians


def film(bodies: dict[str, np.ndarray], folder: Path) -> None:
    """Render both figures side by side, the camera going along, to ``film_000.png`` and on."""
    studio = Studio(*FILM_SIZE, int(bodies["samples"][0]))
    figures = [
        (studio.add_mannequin(name, bodies[name][0], bodies["faces"], colour), bodies[name], shift)
        for name, colour, shift in (("before", BEFORE, -APART), ("after", AFTER, APART))
    ]
    for number, frame in enumerate(bodies["film"]):
        for figure, vertices, shift in figures:
            studio.pose(figure, vertices[frame] + (shift, 0.0, 0.0))
        x, y = bodies["path"][frame]
        studio.aim((x, y, EYE_LEVEL), FILM_WIDTH, ELEVATION)
        studio.photograph(folder / f"film_{number:03d}.png")
        print(f"frame {number + 1} of {len(bodies['film'])}", flush=True)


def strip(bodies: dict[str, np.ndarray], folder: Path) -> None:
    """Render the still frames in a row, once as they were and once cleaned."""
    for name, colour in (("before", BEFORE), ("after", AFTER)):
        studio = Studio(*STRIP_SIZE, int(bodies["samples"][1]))
        for frame, place in zip(bodies["stills"], bodies["places"], strict=True):
            vertices = bodies[name][frame] - (*bodies["path"][frame], 0.0) + (place, 0.0, 0.0)
            studio.add_mannequin(f"{name} {frame}", vertices, bodies["faces"], colour)
        studio.aim((0.0, 0.0, EYE_LEVEL), float(bodies["width"]), ELEVATION)
        studio.photograph(folder / f"strip_{name}.png")


def main(source: Path, folder: Path) -> None:
    """Render everything the file asks for."""
    with np.load(source, allow_pickle=False) as members:
        bodies = {name: members[name] for name in members.files}
    strip(bodies, folder)
    film(bodies, folder)


if __name__ == "__main__":
    leave_after(lambda: main(Path(sys.argv[1]), Path(sys.argv[2])))
