# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m demo.refine_shots``: the picture of Refine to Keypoints, ``docs/tools/refine.jpg``.

A wrong motion and what becomes of it (`demo.refine_session`), in pairs of the same moment, with the keypoints over
them. The extension's zip is the first argument.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw

from demo import on_a_sample
from demo.__main__ import DemoError, say
from demo.keypoint_shots import cuts
from demo.pictures import BLUE, ORANGE, font, side_by_side, stacked
from demo.sample_blend import MANNEQUIN, RIGIFY
from demo.tool_shots import DOCS, QUALITY, WIDTH

BESIDE = 0.62  # width of a picture, its height being 1
BETWEEN = 8  # pixels between pairs


def pairs(name: str, folder: Path) -> Image.Image:
    """Every moment of a character before and after, side by side."""
    parts: list[Image.Image] = []
    rows = [cuts(name, folder / when, BESIDE, WIDTH // 2) for when in ("before", "after")]
    for before, after in zip(*rows, strict=True):
        if parts:
            parts.append(Image.new("RGB", (BETWEEN, before.height), "white"))
        parts += [_named(before, "Before", ORANGE), _named(after, "After", BLUE)]
    return side_by_side(parts)


def _named(picture: Image.Image, name: str, colour: str) -> Image.Image:
    pen = ImageDraw.Draw(picture)
    style = {"font": font(18, "bold"), "fill": colour, "stroke_width": 3, "stroke_fill": "white"}
    pen.text((10, 8), name, **style)  # type: ignore[arg-type]
    return picture


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="refine_shots", description="Photograph a wrong motion and its refinement.")
    parser.add_argument("extension", type=Path, help="the extension's zip")
    parser.add_argument("--out", type=Path, default=DOCS / "refine.jpg", help="default: docs/tools/refine.jpg")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            say("Making the sample, and refining wrong motions of its characters")
            on_a_sample.run("demo.refine_session", options.extension, folder)
            for told in json.loads((folder / "figures.json").read_text(encoding="utf-8")):
                numbers = [f"{key} {value:.1f}" for key, value in told.items() if isinstance(value, float)]
                say(", ".join([told["character"], told["when"], *numbers]))
            strips = [pairs(name, folder) for name in (MANNEQUIN, RIGIFY)]
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    gap = Image.new("RGB", (strips[0].width, BETWEEN), "white")
    stacked([strips[0], gap, strips[1]]).save(options.out, quality=QUALITY, optimize=True)
    say(f"{options.out.name} ({options.out.stat().st_size / 1e3:.0f} KB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
