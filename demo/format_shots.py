# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m demo.format_shots``: one sequence in the file of every detector, through Blender to characters.

``docs/tools/keypoint_formats.jpg`` shows what *Animate from Keypoints* makes of each (`demo.format_session`), and
``docs/results/keypoint_formats.md`` and ``.json`` tell how far off it is. The extension's zip is the first argument.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from demo import on_a_sample
from demo.__main__ import DemoError, say
from demo.keypoint_files import FORMATS
from demo.keypoint_shots import row
from demo.pictures import font, side_by_side, stacked
from demo.tool_shots import DOCS, WIDTH

RESULTS = DOCS.parent / "results"
BESIDE = 0.72  # width of a picture, its height being 1
QUALITY = 74
COLUMNS = {
    "noise px": "noise px",
    "noise rms px": "noise RMS px",
    "off keypoints px": "off keypoints px",
    "off truth px": "off truth px",
    "mpjpe mm": "MPJPE mm",
    "pa-mpjpe mm": "PA-MPJPE mm",
}
"""Figures of `demo.format_session`, and what the table calls them."""
ABOUT = """# One sequence in every keypoint file, through Blender

Motion: {motion}, {frames} frames at {fps:g} fps, on the mannequin before the sample's camera ({width} x {height}).
A second person passes behind, hidden for a while, whom only AlphaPose's file and the table name. Noise as of the
detector of [lift](lift.md), half of it slow, with outliers; confidences are inverse to its width, as DPoser takes
them to be; 1.5 % of points are missed, a hand on {hand} frames, a foot on {foot}, the person on {person}. Each file
is written as its tool writes it, and read by *Animate from Keypoints* with its default settings. COCO's has no
pelvis, neck, spine and crown; MediaPipe's neither, and it places what it does not see; OpenPose's has no spine and
crown, and for a neck the middle of the shoulders; Halpe's has no spine. Only the table tells how wide heatmaps are.

Noise: distance of the file's keypoints from where the joints really are seen; a character that followed the truth would
be off the keypoints by its mean. Off: mean distance of the character's joints, by Blender's own projection, from the
keypoints, and from where the truth is seen, gaps included. MPJPE: over 17 joints, pelvises aligned; PA-MPJPE: after the
best similarity of each frame.
"""


def strip(label: str, characters: list[str], folder: Path) -> Image.Image:
    """What became of one file: the characters side by side, and its name."""
    parts = [row(name, folder, BESIDE, WIDTH // len(characters)) for name in characters]
    joined = side_by_side(parts)
    pen = ImageDraw.Draw(joined)
    pen.text((10, 8), label, font=font(20, "bold"), fill="white", stroke_width=2, stroke_fill="black")
    return joined


def page(content: dict[str, Any]) -> str:
    """The figures as a page."""
    width, height = content["size"]
    about = ABOUT.format(
        motion=content["motion"], fps=content["fps"], width=width, height=height, **content["missed"],
        frames=content["rows"][0]["frames"],
    )  # fmt: skip
    lines = [
        about,
        "| " + " | ".join(["file", "character", "frames", *COLUMNS.values()]) + " |",
        "|" + "---|" * (3 + len(COLUMNS)),
    ]
    for one in content["rows"]:
        cells = [one["format"], one["character"], str(one["frames"]), *(f"{one[key]:.1f}" for key in COLUMNS)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="format_shots", description="Animate characters from every keypoint file.")
    parser.add_argument("extension", type=Path, help="the extension's zip")
    parser.add_argument("--both", action="store_true", help="every file on both characters, not on one in turn")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as temporary:
            say("Making the sample, and animating its characters from every keypoint file")
            more = [Path("both")] if options.both else []
            on_a_sample.run("demo.format_session", options.extension, Path(temporary), *more)
            publish(Path(temporary))
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def publish(folder: Path) -> None:
    """The picture and the page of what `demo.format_session` left."""
    content = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    strips = []
    for label, (name, _) in FORMATS.items():
        characters = [one["character"] for one in content["rows"] if one["format"] == label]
        strips.append(strip(label, characters, folder / name.partition(".")[0]))
    target = DOCS / "keypoint_formats.jpg"
    stacked(strips).save(target, quality=QUALITY, optimize=True)
    say(f"{target.name} ({target.stat().st_size / 1e3:.0f} KB)")
    text = page(content)
    (RESULTS / "keypoint_formats.md").write_text(text, encoding="utf-8")
    (RESULTS / "keypoint_formats.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(text[text.index("| file") :], end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
