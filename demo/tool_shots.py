# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m demo.tool_shots``: the pictures of the tools' pages, in ``docs/tools``.

The sample file is made, each tool works on it in Blender by its operator (`demo.tool_session`), and what came of it is
photographed: in orange what was given, in blue what was made. The extension's zip is the first argument.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from demo import on_a_sample
from demo.__main__ import HERE, DemoError, blender, say
from demo.pictures import BLUE, ORANGE, font

DOCS = HERE.parent / "docs" / "tools"
QUALITY = 82
WIDTH, BAND = 1200, 44  # pixels
FILM_WIDTH, FILM_COLOURS = 300, 64
FILM_NOISE = 12  # of 255, by which a pixel's colour may change and still be called the same


def photograph(source: Path, folder: Path) -> Path:
    """Render the rows of a page's figures, and make its picture of them; returns its path.

    Args:
        source: as `demo.tool_session` leaves it.
        folder: for what comes between.
    """
    blender("demo.render_sheet", source, folder, log=folder / "log", counted=True)
    with np.load(source, allow_pickle=False) as members:
        titles, given, rate = members["titles"].tolist(), members["given"].all(axis=1), float(members["rate"])
    rows = [Image.open(folder / f"row_{number}.png").convert("RGB") for number in range(len(titles))]
    DOCS.mkdir(parents=True, exist_ok=True)
    if any(titles):
        return sheet(rows, titles, given, DOCS / f"{source.stem}.jpg")
    return film(rows, rate, DOCS / f"{source.stem}.gif")


def sheet(rows: list[Image.Image], titles: list[str], given: np.ndarray, target: Path) -> Path:
    """One row above the other, each below its title: in orange where all of it was given."""
    whole = Image.new("RGB", (rows[0].width, sum(row.height + BAND for row in rows)), "white")
    draw, top = ImageDraw.Draw(whole), 0
    for row, title, orange in zip(rows, titles, given, strict=True):
        place = (14, top + BAND // 2)
        draw.text(place, title, font=font(24, "bold"), fill=ORANGE if orange else BLUE, anchor="lm")
        whole.paste(row, (0, top + BAND))
        top += row.height + BAND
    whole = whole.resize((WIDTH, round(whole.height * WIDTH / whole.width)), Image.Resampling.LANCZOS)
    whole.save(target, quality=QUALITY, optimize=True)
    return target


def film(frames: list[Image.Image], rate: float, target: Path) -> Path:
    """The rows as an endless GIF of so many frames per second."""
    size = (FILM_WIDTH, round(frames[0].height * FILM_WIDTH / frames[0].width))
    small = [np.array(frame.resize(size, Image.Resampling.LANCZOS), np.int16) for frame in frames]
    for before, after in pairwise(small):
        same = np.abs(after - before).max(axis=-1) < FILM_NOISE
        after[same] = before[same]  # the renderer's noise would make the file twice as large
    shown = [Image.fromarray(frame.astype(np.uint8)) for frame in small]
    palette = shown[0].quantize(colors=FILM_COLOURS)
    indexed = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in shown]
    duration = round(1000 / rate)
    indexed[0].save(
        target, save_all=True, append_images=indexed[1:], duration=duration, loop=0, optimize=False, disposal=1
    )
    return target


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tool_shots", description="Photograph what the tools do.")
    parser.add_argument("extension", type=Path, help="the extension's zip")
    parser.add_argument("pages", nargs="*", help="default: all")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            say("Making the sample and using the tools on it")
            on_a_sample.run("demo.tool_session", options.extension, folder, *map(Path, options.pages))
            for source in sorted(folder.glob("*.npz")):
                target = photograph(source, folder)
                say(f"{target.relative_to(HERE.parent)} ({target.stat().st_size / 1e3:.0f} KB)")
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
