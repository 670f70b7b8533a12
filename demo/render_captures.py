# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders rows of figures, all from one camera; runs in a Blender process of its own::

    python -m demo.render_captures ROWS.npz FOLDER

ROWS.npz holds ``bodies`` (R, C, V, 3) in metres, Z up, facing the camera at -Y, the floor at 0; ``faces``;
``kinds`` (R,), keys of `COLOURS`; ``slot``, metres between figures; and ``size``, pixels of a row across and down.
Row r becomes ``row_r.png``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from demo.leaving import leave_after
from demo.scene import AFTER, BEFORE, Colour, Studio

COLOURS: dict[str, Colour] = {"truth": (0.30, 0.32, 0.35), "before": BEFORE, "after": AFTER}
SAMPLES = 4
ELEVATION = 0.1  # radians
UNDER = 0.12  # metres shown below the floor's line


def main(source: Path, folder: Path) -> None:
    """Render every row."""
    with np.load(source, allow_pickle=False) as members:
        bodies, faces, kinds = members["bodies"], members["faces"], members["kinds"].tolist()
        slot = float(members["slot"])
        width_pixels, height_pixels = members["size"].tolist()
    columns = bodies.shape[1]
    width = slot * columns
    places = slot * (np.arange(columns) - (columns - 1) / 2)
    middle = width * height_pixels / width_pixels / 2 - UNDER
    for number, (row, kind) in enumerate(zip(bodies, kinds, strict=True)):
        studio = Studio(width_pixels, height_pixels, SAMPLES)
        for column, vertices in enumerate(row):
            placed = vertices + np.array([places[column], 0.0, 0.0])
            studio.add_mannequin(f"{number} {column}", placed, faces, COLOURS[kind])
        studio.aim((0.0, 0.0, middle), width, ELEVATION)
        studio.photograph(folder / f"row_{number}.png")
        print(f"frame {number + 1} of {len(bodies)}", flush=True)


if __name__ == "__main__":
    leave_after(lambda: main(Path(sys.argv[1]), Path(sys.argv[2])))
