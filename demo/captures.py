# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m demo.captures``: does cleaning lose detail? Real captures and what it makes of them, in ``docs``.

Of each capture the liveliest second, in orange as captured and below in blue as cleaned with the default settings,
seen by the same camera; under it the speed of the fastest hand or foot, over the whole clip and in that second. One
of them comes a second time, in grey, with faults put in and cleaned. Needs the captures in ``../shared/data``, of
people whom no prior has seen.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import roma
import torch
from matplotlib import pyplot
from matplotlib.axes import Axes
from PIL import Image
from scipy.spatial.transform import Rotation

from demo import captured_clip
from demo.__main__ import HERE, DemoError, blender, read_body, say
from demo.captured_clip import DATA, leg
from demo.pictures import BLUE, GREY, ORANGE
from engine import body
from engine.body import Body, forward_kinematics
from engine.errors import EngineError
from engine.evaluation.corruption import white
from engine.motion.joints import JOINTS
from engine.motion.motion import BodyMotion
from engine.motion.windows import multiply, quat_to_rotvec, rotvec_to_quat, smooth_path
from engine.tasks.clean import CleanSettings, clean_body

TARGET = HERE.parent / "docs" / "captures.jpg"
LEAD = 0.1  # seconds of a BVH file in which CMU's captures come out of a T-pose that nobody stood in
FRAMES, APART = 10, 0.1  # of a strip; seconds between them
WIDTH = 1600  # pixels
SLOT = 1.2  # metres between the figures of a strip
CAPTION, PLOT, DPI = 32, 165, 100  # pixels, pixels, pixels per inch
QUALITY = 68
STEADY = 0.3  # seconds over which the camera follows a figure
ENDS = ("left_wrist", "right_wrist", "left_foot", "right_foot")
NOISE = 3.0  # degrees per axis
SPIKES = (("right_elbow", 3, (0.0, 70.0, 0.0)), ("left_knee", 6, (60.0, 0.0, 0.0)))  # joint, figure, degrees
SEED = 0
LOOK = {"truth": (GREY, 3.6), "before": (ORANGE, 2.8), "after": (BLUE, 1.0)}
NAMES = {"truth": "as captured", "before": "captured", "after": "cleaned"}


@dataclass(frozen=True)
class Capture:
    """What to show.

    Attributes:
        title: heading.
        name: ``split/clip`` of an indexed split, or a BVH file's.
        side: degrees that the figure is turned from facing the camera.
        every: of its frames, every n-th only.
    """

    title: str
    name: str
    side: float
    every: int = 1

    def __str__(self) -> str:
        return f"{self.name}, every {self.every}th frame" if self.every > 1 else self.name


CAPTURES = (
    Capture("Boxing", "bvh_test/cmu_13_18.bvh", 60.0, every=4),
    Capture("Dance: small jetés, quick feet", "test/cmu_05_13_s2", 50.0),
    Capture("Jump", "test/cmu_13_40", 60.0),
    Capture("Hands: unscrew a bottle cap, drink", "bvh_test/cmu_13_07.bvh", 25.0),
    Capture("Run", "test/cmu_09_08", 75.0),
)
DAMAGED = CAPTURES[1]


@dataclass(frozen=True)
class Places:
    """Where a motion's body is: joints (T, 22, 3) in metres, their rotations (T, 22, 3, 3), and its fps."""

    joints: np.ndarray
    rotations: np.ndarray
    fps: float

    @classmethod
    def of(cls, motion: BodyMotion) -> Places:
        local = roma.rotvec_to_rotmat(torch.from_numpy(motion.poses))
        joints, rotations = forward_kinematics(
            local, torch.from_numpy(motion.offsets), torch.from_numpy(motion.transl)
        )
        return cls(joints.numpy(), rotations.numpy(), motion.fps)

    def speed(self, tips: np.ndarray) -> np.ndarray:
        """(T - 1,) metres per second of the fastest of the tips (4, 3) of `ENDS`, in those joints' axes."""
        ends = [JOINTS.index(name) for name in ENDS]
        at = self.joints[:, ends] + np.einsum("tjab,jb->tja", self.rotations[:, ends], tips)
        return self.fps * np.linalg.norm(np.diff(at, axis=0), axis=-1).max(axis=1)

    def liveliest(self) -> int:
        """First frame of the strip: where hands and feet turn fastest while it lasts."""
        ends = [JOINTS.index(name) for name in ("left_wrist", "right_wrist", "left_ankle", "right_ankle")]
        turned = Rotation.from_matrix(self.rotations[:, ends].reshape(-1, 3, 3)).as_quat().reshape(-1, 4, 4)
        turn = 2.0 * np.arccos(np.clip(np.abs((turned[1:] * turned[:-1]).sum(axis=-1)), 0.0, 1.0))
        total = np.cumsum(np.concatenate([np.zeros((1, 4)), turn]), axis=0)
        span = shown(self.fps)[-1]
        return int((total[span:] - total[:-span]).max(axis=1).argmax())

    def heading(self, frames: np.ndarray) -> float:
        """Radians about the vertical by which the hips are turned from facing +Z at these frames, on average."""
        hips = self.joints[frames, JOINTS.index("left_hip")] - self.joints[frames, JOINTS.index("right_hip")]
        x, _, z = hips.mean(axis=0)
        return float(np.arctan2(-z, x))


def shown(fps: float) -> np.ndarray:
    """(FRAMES,) frames of a strip, from its first."""
    return np.round(np.arange(FRAMES) * APART * fps).astype(int)


def read(capture: Capture, mannequin: Body) -> BodyMotion:
    """A capture on the mannequin's bones, its path as long as they are."""
    step = capture.every
    if not capture.name.endswith(".bvh"):
        motion = captured_clip.clip(capture.name, mannequin)
        return replace(motion, poses=motion.poses[::step], transl=motion.transl[::step], fps=motion.fps / step)
    motion = read_body(DATA / capture.name)
    first = round(LEAD * motion.fps)
    path = motion.transl[first::step] * leg(mannequin.offsets) / leg(motion.offsets)
    return BodyMotion(motion.poses[first::step], path, motion.fps / step, np.asarray(mannequin.offsets, float))


def damage(motion: BodyMotion, frames: np.ndarray) -> BodyMotion:
    """White noise on all joints, and spikes of one frame each in the strip's frames."""
    quat = white(NOISE)(rotvec_to_quat(motion.poses), motion.fps, np.random.default_rng(SEED))
    for joint, figure, degrees in SPIKES:
        at = frames[figure], JOINTS.index(joint)
        quat[at] = multiply(quat[at], rotvec_to_quat(np.deg2rad(degrees)))
    return replace(motion, poses=quat_to_rotvec(quat))


def rest_tips(mannequin: Body) -> np.ndarray:
    """(4, 3) finger and toe tips in the axes of the joints `ENDS`."""
    none = torch.zeros(len(JOINTS), 3, dtype=torch.float64)
    vertices = mannequin.vertices(none, none[0]).numpy()
    joints = mannequin.joints(none, none[0]).numpy()
    soles = vertices[vertices[:, 1] < joints[JOINTS.index("left_ankle"), 1]]
    fingers = [vertices[vertices[:, 0].argmax()], vertices[vertices[:, 0].argmin()]]
    toes = [side[side[:, 2].argmax()] for side in (soles[soles[:, 0] > 0], soles[soles[:, 0] < 0])]
    return np.stack([*fingers, *toes]) - joints[[JOINTS.index(name) for name in ENDS]]


@dataclass(frozen=True)
class Sheet:
    """One capture's part of the picture.

    Attributes:
        capture: which.
        motions: by the keys of `NAMES`, the reference first.
        places: of each.
        frames: those of the strip.
    """

    capture: Capture
    motions: dict[str, BodyMotion]
    places: dict[str, Places]
    frames: np.ndarray

    @classmethod
    def make(cls, capture: Capture, mannequin: Body, damaged: bool = False) -> Sheet:
        """Read, perhaps damage, and clean."""
        before = read(capture, mannequin)
        frames = Places.of(before).liveliest() + shown(before.fps)
        motions = {"before": before}
        if damaged:
            motions = {"truth": before, "before": damage(before, frames)}
        motions["after"] = clean_body(motions["before"], CleanSettings()).motion
        return cls(capture, motions, {kind: Places.of(m) for kind, m in motions.items()}, frames)

    @property
    def damaged(self) -> bool:
        """Whether faults were put in."""
        return "truth" in self.motions

    def title(self) -> str:
        """Heading."""
        return f"{self.capture.title}, damaged" if self.damaged else self.capture.title

    def name(self, kind: str) -> str:
        """What a row shows."""
        return "damaged" if kind == "before" and self.damaged else NAMES[kind]

    def caption(self) -> str:
        """What was done, and how far the joints are from where they were captured."""
        reference, *others = self.places.values()
        apart = [1000.0 * np.linalg.norm(other.joints - reference.joints, axis=-1) for other in others]
        words = f"{self.capture}, {reference.fps:g} fps"
        if self.damaged:
            words += f", {NOISE:g}° of noise and {len(SPIKES)} spikes put in"
        words += f"; joints moved by {apart[0].mean():.1f} mm, at most {apart[0].max():.0f} mm"
        if self.damaged:
            words += f"; cleaned {apart[1].mean():.1f} and {apart[1].max():.0f} mm"
        return words

    def bodies(self, mannequin: Body) -> np.ndarray:
        """(R, FRAMES, V, 3) skins: Z up, turned, standing where the reference is, its lowest point on the floor."""
        reference = next(iter(self.places.values()))
        view = np.radians(self.capture.side) - reference.heading(self.frames)
        studio = Rotation.from_euler("xz", (np.pi / 2, view))
        path = smooth_path(reference.joints[:, 0], reference.fps, STEADY)[self.frames]
        path[:, 1] = 0.0
        rows = []
        for motion in self.motions.values():
            skins = mannequin.vertices(motion.poses[self.frames], motion.transl[self.frames] - path).numpy()
            rows.append(studio.apply(skins.reshape(-1, 3)).reshape(skins.shape))
        stacked = np.stack(rows)
        stacked[..., 2] -= stacked[0, ..., 2].min()
        return stacked.astype(np.float32)

    def draw(self, rows: list[Image.Image], tips: np.ndarray) -> Image.Image:
        """The rendered rows with their names, the speeds below."""
        tall = [CAPTION, *(row.height for row in rows), PLOT]
        height = sum(tall)
        figure = pyplot.figure(figsize=(WIDTH / DPI, height / DPI), dpi=DPI)
        line = 1.0 - 0.5 * CAPTION / height
        figure.text(0.008, line, self.title(), size=15, weight="bold", va="center")
        figure.text(0.992, line, self.caption(), size=11, ha="right", va="center")
        for number, (kind, row) in enumerate(zip(self.motions, rows, strict=True)):
            below = height - sum(tall[: number + 2])
            figure.figimage(np.asarray(row), 0, below)
            place = (0.006, (below + row.height - 8) / height)
            figure.text(
                *place, self.name(kind), size=11, weight="bold", color=LOOK[kind][0], rotation=90, va="top"
            )
        fps = self.places["after"].fps
        low, high = self.frames[0] / fps, self.frames[-1] / fps
        for left, wide, span in ((0.042, 0.6, None), (0.675, 0.305, (low, high))):
            axes = figure.add_axes((left, 38 / height, wide, (PLOT - 48) / height))
            self._plot(axes, tips, span)
            if span is None:
                axes.axvspan(low, high, color="#e4e7ec", zorder=0)
                axes.set_ylabel("m/s")
            else:
                axes.set_xticks(self.frames / fps, [f"{seconds:.2f}" for seconds in self.frames / fps])
        with io.BytesIO() as png:
            figure.savefig(png, format="png", dpi=DPI)
            pyplot.close(figure)
            return Image.open(png).convert("RGB")

    def _plot(self, axes: Axes, tips: np.ndarray, span: tuple[float, float] | None) -> None:
        fps = self.places["after"].fps
        top = 0.0
        for kind, places in self.places.items():
            speed = places.speed(tips)
            at = (np.arange(len(speed)) + 0.5) / fps
            colour, line = LOOK[kind]
            axes.plot(at, speed, color=colour, linewidth=line)
            inside = speed if span is None else speed[(at >= span[0]) & (at <= span[1])]
            top = max(top, float(inside.max()))
        axes.set_xlim(span or (0.0, len(speed) / fps))
        axes.set_ylim(0.0, 1.05 * top)
        axes.set_xlabel("seconds", labelpad=1)
        axes.grid(color="#e4e6ea", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)


def photograph(sheet: Sheet, mannequin: Body) -> list[Image.Image]:
    """Render a sheet's rows in Blender."""
    bodies = sheet.bodies(mannequin)
    height = round((bodies[..., 2].max() + 0.22) * WIDTH / (SLOT * FRAMES))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        np.savez(
            folder / "rows.npz",
            bodies=bodies,
            faces=np.asarray(mannequin.faces),
            kinds=np.array(list(sheet.motions)),
            slot=SLOT,
            size=np.array([WIDTH, height]),
        )
        blender("demo.render_captures", folder / "rows.npz", folder, log=folder / "log", counted=True)
        return [Image.open(folder / f"row_{n}.png").convert("RGB") for n in range(len(bodies))]


def main() -> int:
    """Photograph every capture into `TARGET`; returns the exit code."""
    if not DATA.is_dir():
        say(f"The real captures ({DATA}) are not beside this checkout; {TARGET.name} stays as it is")
        return 0
    started = time.monotonic()
    mannequin = body.bundled()
    tips = rest_tips(mannequin)
    parts = []
    try:
        for capture, damaged in [*((capture, False) for capture in CAPTURES), (DAMAGED, True)]:
            say(f"Photographing {capture}{', damaged' if damaged else ''}")
            sheet = Sheet.make(capture, mannequin, damaged)
            say(f"  {sheet.caption()}; shown from {sheet.frames[0] / sheet.places['after'].fps:.2f} s")
            parts.append(sheet.draw(photograph(sheet, mannequin), tips))
    except (EngineError, DemoError) as error:
        print(error, file=sys.stderr)
        return 1
    whole = Image.new("RGB", (WIDTH, sum(part.height for part in parts)), "white")
    top = 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height
    whole.save(TARGET, quality=QUALITY, optimize=True)
    seconds = time.monotonic() - started
    say(f"{TARGET.relative_to(HERE.parent)} ({TARGET.stat().st_size / 1e3:.0f} KB) in {seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
