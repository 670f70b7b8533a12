# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m demo.keypoint_shots``: the picture of Animate from Keypoints, ``docs/tools/keypoints.jpg``.

Characters of the sample file are animated in Blender by the operator (`demo.keypoint_session`), rendered through the
camera, and the keypoints are drawn over them. The extension's zip is the first argument.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from demo import on_a_sample
from demo.__main__ import DemoError, say
from demo.pictures import side_by_side, stacked
from demo.tool_shots import DOCS, QUALITY, WIDTH
from engine.motion.h36m import JOINTS, PARENTS

Colour = tuple[int, int, int]
LEFT, RIGHT, MIDDLE = (86, 180, 233), (230, 159, 0), (242, 242, 242)
OTHER: tuple[Colour, Colour, Colour] = ((150, 150, 150),) * 3  # of somebody else in the picture
AROUND = 0.25  # of the person's height, beside and above it
FINE = 2  # pixels drawn for each that is shown


def draw(
    large: Image.Image, pixels: np.ndarray, confidence: np.ndarray, colours: tuple[Colour, Colour, Colour]
) -> None:
    """Draw the keypoints (17, 2) that were seen over a picture `FINE` times as large, left, right and middle."""
    pen = ImageDraw.Draw(large)
    left, right, middle = colours
    at = [(FINE * u, FINE * v) for u, v in pixels.tolist()]
    for joint, parent in enumerate(PARENTS):
        if parent == JOINTS.index("spine") and not confidence[parent] > 0:
            parent = PARENTS[parent]  # the trunk is one where the detector knows no middle of it
        name = JOINTS[joint]
        colour = left if name.startswith("left_") else right if name.startswith("right_") else middle
        if confidence[joint] > 0:
            if parent >= 0 and confidence[parent] > 0:
                pen.line([at[parent], at[joint]], fill=colour, width=3 * FINE)
            u, v = at[joint]
            pen.ellipse([u - 4 * FINE, v - 4 * FINE, u + 4 * FINE, v + 4 * FINE], fill=colour)


def row(name: str, folder: Path, beside: float, wide: int = WIDTH) -> Image.Image:
    """The frames of a character side by side, see `cuts`."""
    return side_by_side(cuts(name, folder, beside, wide))


def cuts(name: str, folder: Path, beside: float, wide: int = WIDTH) -> list[Image.Image]:
    """The frames of a character, each cut out around the keypoints.

    Args:
        name: the character.
        folder: with what `demo.keypoint_session` left, and perhaps the keypoints of somebody else,
            ``<character>_other.npz``.
        beside: how wide a cut is, its height being 1.
        wide: how wide all are together, pixels.
    """
    people = []
    for path in (folder / f"{name}.npz", folder / f"{name}_other.npz"):
        if path.is_file():
            with np.load(path, allow_pickle=False) as members:
                people.append((members["pixels"], members["confidence"]))
    pixels, confidence = people[0]
    width = round(wide / len(pixels))
    seen = np.where(confidence[..., None] > 0, pixels, np.nan)
    low, high = np.nanmin(seen, axis=1), np.nanmax(seen, axis=1)
    found = []
    for number in range(len(pixels)):
        picture = Image.open(folder / f"{name}_{number}.png").convert("RGB")
        whole = picture.resize((FINE * picture.width, FINE * picture.height), Image.Resampling.LANCZOS)
        for other, sure in people[1:]:
            draw(whole, other[number], sure[number], OTHER)
        draw(whole, pixels[number], confidence[number], (LEFT, RIGHT, MIDDLE))
        tall = min(FINE * (high - low)[number, 1] * (1.0 + 2.0 * AROUND), whole.height, whole.width / beside)
        size = np.array([tall * beside, tall])
        corner = np.clip(FINE * (low[number] + high[number]) / 2.0 - size / 2.0, 0.0, np.array(whole.size) - size)
        box = tuple(np.concatenate([corner, corner + size]).round().astype(int).tolist())
        found.append(whole.crop(box).resize((width, round(width / beside))))
    return found


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="keypoint_shots", description="Photograph what keypoints make of characters.")
    parser.add_argument("extension", type=Path, help="the extension's zip")
    parser.add_argument("keypoints", type=Path, nargs="?", help="default: those of the sample's walk")
    parser.add_argument("--out", type=Path, default=DOCS / "keypoints.jpg", help="default: docs/tools/keypoints.jpg")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            say("Making the sample and animating its characters")
            files = [] if options.keypoints is None else [options.keypoints.resolve()]
            log = on_a_sample.run("demo.keypoint_session", options.extension, folder, *files)
            for line in log.read_text(encoding="utf-8").splitlines():
                if "Animated" in line:
                    say(line.removeprefix("Info: "))
            rows = [row(path.stem, folder, 0.62) for path in sorted(folder.glob("*.npz"))]
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    stacked(rows).save(options.out, quality=QUALITY, optimize=True)
    say(f"{options.out.name} ({options.out.stat().st_size / 1e3:.0f} KB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
