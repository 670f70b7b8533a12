# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the demo: a clip is cleaned in Blender and photographed before and after."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from demo import figures, pictures
from engine import body
from engine.errors import EngineError
from engine.motion import bvh
from engine.motion.motion import BodyMotion
from engine.motion.retarget import to_body
from engine.motion.rigs import find_map

HERE = Path(__file__).resolve().parent
FILM_RATE = 10.0  # frames per second
FILM_FRAMES = 66
STILLS = 6
SLOT = 1.04  # metres between the strip's figures
MARGIN = 0.1  # slots beside the outer figures
SAMPLES, DRAFT = (4, 8), (1, 1)  # of each pixel of the film and of the strip
QUARTER_VIEW = np.radians(35.0)  # a figure shows its front and its stride


class DemoError(EngineError):
    """The demo cannot go on."""


def say(text: str) -> None:
    """One line of progress."""
    print(f"-- {text}", flush=True)


def blender(module: str, *arguments: Path, log: Path, counted: bool = False, **environment: str) -> None:
    """Run one of the demo's modules in a Blender of its own, its output kept in a log.

    Raises:
        DemoError: it failed; the sentence tells its last line and where the log is.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    last = ""
    with log.open("w", encoding="utf-8") as record:
        process = subprocess.Popen(
            command,
            cwd=HERE.parent,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        assert process.stdout is not None
        for line in process.stdout:
            record.write(line)
            last = line.strip() or last
            if counted and line.startswith("frame "):
                _show_count(*map(int, line.split()[1::2]))
    if process.wait() != 0:
        raise DemoError(f"{last} (Blender stopped in {module}; its messages are in {log}.)")


def _show_count(done: int, total: int) -> None:
    if sys.stdout.isatty():
        print(f"\r   frame {done} of {total}", end="\n" if done == total else "", flush=True)
    elif done % 16 == 0 or done == total:
        print(f"   frame {done} of {total}", flush=True)


def read_body(path: Path) -> BodyMotion:
    """A BVH file as a motion of the body."""
    motion = bvh.read(path).motion
    return to_body(motion, find_map(motion.skeleton))


def _facing(poses: np.ndarray) -> float:
    """Mean heading about the vertical in radians, 0 towards +Z (Y up)."""
    forward = Rotation.from_rotvec(poses[:, 0]).apply((0.0, 0.0, 1.0)).mean(axis=0)
    return float(np.arctan2(forward[0], forward[2]))


def _chosen_frames(before: np.ndarray, after: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Frames of the film, and those of the strip: where each sixth of the film's span was changed most."""
    step = max(1, round(fps / FILM_RATE))
    change = np.linalg.norm(before - after, axis=-1).mean(axis=-1)
    span = min(len(change), step * FILM_FRAMES)
    total = np.concatenate([[0.0], np.cumsum(change)])
    start = int(np.argmax(total[span:] - total[: len(total) - span]))
    parts = np.array_split(np.arange(start, start + span), min(STILLS, span))
    return np.arange(start, start + span, step), np.array([part[change[part].argmax()] for part in parts])


def _bodies(
    before: BodyMotion, after: BodyMotion, film: np.ndarray, stills: np.ndarray
) -> dict[str, np.ndarray]:
    """Skinned vertices for `demo.render`: Z up, walking towards the camera, on the floor."""
    mannequin = body.bundled()
    frames = np.union1d(film, stills)
    to_studio = Rotation.from_euler("xz", (np.pi / 2, QUARTER_VIEW - _facing(after.poses)))
    scale = np.linalg.norm(mannequin.offsets[4]) / np.linalg.norm(after.offsets[4])

    def skin(motion: BodyMotion) -> np.ndarray:
        vertices = np.asarray(mannequin.vertices(motion.poses[frames], scale * motion.transl[frames]))
        return to_studio.apply(vertices.reshape(-1, 3)).reshape(vertices.shape)

    first, second = skin(before), skin(after)
    floor = np.percentile(second[..., 2].min(axis=1), 20)
    path = to_studio.apply(gaussian_filter1d(scale * after.transl, 0.4 * after.fps, axis=0, mode="nearest"))
    return {
        "before": (first - (0.0, 0.0, floor)).astype(np.float32),
        "after": (second - (0.0, 0.0, floor)).astype(np.float32),
        "faces": np.asarray(mannequin.faces),
        "film": np.searchsorted(frames, film),
        "stills": np.searchsorted(frames, stills),
        "path": path[frames, :2],
        "places": _places(len(stills)) * SLOT * (len(stills) + 2 * MARGIN),
        "width": np.array(SLOT * (len(stills) + 2 * MARGIN)),
    }


def _places(count: int) -> np.ndarray:
    """(count,) where the strip's figures stand, as a share of the picture's width from its middle."""
    return (np.arange(count) - (count - 1) / 2) / (count + 2 * MARGIN)


def demo(extension: Path, source: Path, folder: Path, draft: bool = False) -> dict[str, object]:
    """Clean a clip in headless Blender and leave everything there is to see in the folder; a draft has coarse pictures.

    Returns:
        What ``figures.json`` holds.

    Raises:
        EngineError: the clip cannot be read or mapped, or a step failed.
    """
    before = read_body(source)
    truth_file = source.with_name(f"{source.stem}_truth.bvh")
    truth = read_body(truth_file) if truth_file.is_file() else None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        say(f"Cleaning {source.name} in Blender: {len(before)} frames at {before.fps:g} per second")
        log = folder / "blender.log"
        blender("demo.session", extension, source, folder, log=log, BLENDER_USER_RESOURCES=str(scratch))
        facts = json.loads((folder / "session.json").read_text(encoding="utf-8"))
        (folder / "session.json").unlink()
        after = read_body(folder / f"{source.stem}_clean.bvh")

        first, second = figures.joints(before), figures.joints(after)
        film, stills = _chosen_frames(first, second, before.fps)
        say(f"Rendering {len(film)} frames")
        samples = np.array(DRAFT if draft else SAMPLES)
        np.savez(scratch / "bodies.npz", samples=samples, **_bodies(before, after, film, stills))
        blender("demo.render", scratch / "bodies.npz", scratch, log=scratch / "render.log", counted=True)
        rows = (scratch / "strip_before.png", scratch / "strip_after.png")
        pictures.strip(*rows, 0.5 + _places(len(stills)), stills / before.fps, folder / "strip.png")
        shots = sorted(scratch.glob("film_*.png"))
        pictures.film(shots, film / before.fps, folder / "clean.gif")

    curves = {"before": first, "after": second}
    report: dict[str, object] = {
        "clip": source.name,
        "frames": len(before),
        "fps": before.fps,
        **facts,
        "before": figures.summary(before, truth),
        "after": figures.summary(after, truth),
    }
    if truth is not None:
        curves["truth"] = figures.joints(truth)
        report["truth"] = figures.summary(truth, None)
    lines = {name: figures.acceleration(places, before.fps) for name, places in curves.items()}
    pictures.plot(lines, before.fps, folder / "acceleration.png")
    (folder / "figures.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def main() -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="demo", description="Clean a clip in headless Blender.")
    parser.add_argument("--extension", type=Path, required=True, help="the extension's zip")
    parser.add_argument("clip", type=Path, nargs="?", default=HERE / "sample.bvh", help="a BVH file")
    parser.add_argument(
        "--out", type=Path, default=HERE / "out", help="folder for the results; emptied first"
    )
    parser.add_argument("--draft", action="store_true", help="coarse pictures, rendered sooner")
    options = parser.parse_args()
    started = time.monotonic()
    folder = options.out.resolve()
    try:
        report = demo(options.extension.resolve(), options.clip.resolve(), folder, options.draft)
    except EngineError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    before, after = report["before"], report["after"]
    assert isinstance(before, dict) and isinstance(after, dict)
    say(f"{'':<24}{'before':>10}{'after':>10}")
    for name, value in before.items():
        say(f"{name:<24}{value:>10.1f}{after[name]:>10.1f}")
    say(f"Done in {time.monotonic() - started:.0f} s. Look into {folder}:")
    for path in sorted(folder.iterdir()):
        say(f"  {path.name} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
