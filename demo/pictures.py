# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts rendered frames together: the labelled strip, the film as a GIF, and the plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

matplotlib.use("Agg")
from matplotlib import font_manager, pyplot

ORANGE, BLUE, GREY = "#d9521f", "#2a6fc9", "#8a8f98"
INK = (52, 58, 66)
LEGEND = 36  # pixels under the strip


def font(size: int, weight: str = "normal") -> ImageFont.FreeTypeFont:
    family = font_manager.FontProperties(family="DejaVu Sans", weight=weight)
    return ImageFont.truetype(font_manager.findfont(family), size)


def side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one height in a row."""
    joined = Image.new("RGB", (sum(one.width for one in pictures), pictures[0].height), "white")
    for number, one in enumerate(pictures):
        joined.paste(one, (sum(other.width for other in pictures[:number]), 0))
    return joined


def stacked(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one width, one above the other."""
    joined = Image.new("RGB", (pictures[0].width, sum(one.height for one in pictures)), "white")
    for number, one in enumerate(pictures):
        joined.paste(one, (0, sum(other.height for other in pictures[:number])))
    return joined


def strip(before: Path, after: Path, places: np.ndarray, times: np.ndarray, target: Path) -> None:
    """Lay the two rendered rows one above the other, named and with the time under each figure.

    Args:
        before: rendered row of the capture.
        after: rendered row of the cleaned clip.
        places: middle of each figure across the picture, 0 to 1.
        times: seconds of each figure.
        target: PNG to write.
    """
    rows = [Image.open(path).convert("RGB") for path in (before, after)]
    width, height = rows[0].size
    picture = Image.new("RGB", (width, 2 * height + LEGEND), "white")
    draw = ImageDraw.Draw(picture)
    for top, row, name, colour in ((0, rows[0], "Before", ORANGE), (height, rows[1], "After", BLUE)):
        picture.paste(row, (0, top))
        draw.text((20, top + 14), name, font=font(28, "bold"), fill=colour)
    for place, seconds in zip(places, times, strict=True):
        label = (width * place, 2 * height + LEGEND / 2)
        draw.text(label, f"{seconds:.1f} s", font=font(19), fill=INK, anchor="mm")
    picture.save(target, optimize=True)


def film(frames: Sequence[Path], times: np.ndarray, target: Path) -> None:
    """Join rendered frames into an endless GIF in real time.

    Args:
        frames: PNG files in order.
        times: seconds of each frame, evenly spaced.
        target: GIF to write.
    """
    pictures = []
    for path, seconds in zip(frames, times, strict=True):
        picture = Image.open(path).convert("RGB")
        draw = ImageDraw.Draw(picture)
        width, height = picture.size
        draw.text((width * 0.28, 14), "Before", font=font(19, "bold"), fill=ORANGE, anchor="mt")
        draw.text((width * 0.72, 14), "After", font=font(19, "bold"), fill=BLUE, anchor="mt")
        draw.text((width - 10, height - 8), f"{seconds:.1f} s", font=font(13), fill=INK, anchor="rb")
        pictures.append(picture)
    palette = _shared_palette(pictures)
    indexed = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    step = 1000.0 * (times[1] - times[0]) if len(times) > 1 else 100.0
    indexed[0].save(
        target, save_all=True, append_images=indexed[1:], duration=round(step), loop=0, optimize=True
    )


def _shared_palette(pictures: Sequence[Image.Image]) -> Image.Image:
    """One palette for all frames, so that still parts stay the same and compress."""
    few = pictures[:: max(1, len(pictures) // 8)]
    sample = [picture.resize((picture.width // 2, picture.height // 2)) for picture in few]
    sheet = Image.new("RGB", (sample[0].width, sample[0].height * len(sample)))
    for number, picture in enumerate(sample):
        sheet.paste(picture, (0, number * picture.height))
    return sheet.quantize(colors=256)


def plot(accelerations: dict[str, np.ndarray], fps: float, target: Path) -> None:
    """Draw how hard the joints are jerked about, over time.

    Args:
        accelerations: (T - 2,) root mean square over the joints in m/s^2 of "before", "after", maybe "truth".
        fps: frames per second.
        target: PNG to write.
    """
    figure, axes = pyplot.subplots(figsize=(9.0, 3.2), dpi=130)
    styles = {"before": (ORANGE, 1.0), "after": (BLUE, 1.6), "truth": (GREY, 1.2)}
    for name, values in accelerations.items():
        colour, line = styles[name]
        time = (np.arange(len(values)) + 1) / fps
        axes.plot(
            time, values, color=colour, linewidth=line, label=name, linestyle="--" if name == "truth" else "-"
        )
    axes.set_yscale("log")
    axes.set_xlabel("seconds")
    axes.set_ylabel("joint acceleration, m/s²")
    axes.set_xlim(0.0, (len(next(iter(accelerations.values()))) + 1) / fps)
    axes.grid(color="#e4e6ea", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper right", ncols=len(accelerations), frameon=False)
    figure.tight_layout()
    figure.savefig(target)
    pyplot.close(figure)
