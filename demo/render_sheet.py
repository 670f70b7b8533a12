# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders a sheet of poses, row by row; runs in a Blender process of its own::

    python -m demo.render_sheet SHEET.npz FOLDER

SHEET.npz holds ``bodies`` (R, C, V, 3) in metres, Z up, facing the camera at -Y, feet on the floor; ``faces``; and
``given`` (C,) or (R, C) bool, which of them show what was given rather than made. Row r becomes ``row_r.png``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from demo.leaving import leave_after
from demo.scene import AFTER, BEFORE, Studio

SLOT = 1.15  # metres between figures
SIZE = 200  # pixels per figure across
HEIGHT = 340  # pixels
SAMPLES = 8
EYE_LEVEL = 0.9  # metres
ELEVATION = 0.12  # radians


def main(source: Path, folder: Path) -> None:
    """Render every row."""
    with np.load(source, allow_pickle=False) as members:
        bodies, faces = members["bodies"], members["faces"]
        given = np.broadcast_to(members["given"], bodies.shape[:2])
    columns = bodies.shape[1]
    places = SLOT * (np.arange(columns) - (columns - 1) / 2)
    for number, row in enumerate(bodies):
        studio = Studio(SIZE * columns, HEIGHT, SAMPLES)
        for column, vertices in enumerate(row):
            colour = BEFORE if given[number, column] else AFTER
            studio.add_mannequin(
                f"{number} {column}", vertices + np.array([places[column], 0.0, 0.0]), faces, colour
            )
        studio.aim((0.0, 0.0, EYE_LEVEL), SLOT * columns, ELEVATION)
        studio.photograph(folder / f"row_{number}.png")
        print(f"frame {number + 1} of {len(bodies)}", flush=True)


if __name__ == "__main__":
    leave_after(lambda: main(Path(sys.argv[1]), Path(sys.argv[2])))
