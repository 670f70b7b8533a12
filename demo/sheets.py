# SPDX-License-Identifier: GPL-3.0-or-later
"""``python build.py shots``: what the prior makes up, photographed on the mannequin into ``docs``.

Generated poses, completions of the sample's poses with their hypotheses, and the ways between two of its keys: in
orange what was given, in blue what was made.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.spatial.transform import Rotation

from demo.__main__ import HERE, DemoError, blender, read_body, say
from engine import body
from engine.errors import EngineError
from engine.motion.joints import JOINTS, PARTS
from engine.tasks.complete import CompleteSettings, complete_poses
from engine.tasks.generate import generate
from engine.tasks.inbetween import InbetweenSettings, inbetween
from engine.tasks.interpolate import interpolate

DOCS = HERE.parent / "docs"
ROWS, COLUMNS = 3, 7
HYPOTHESES = 6
TURN = np.radians(30.0)  # a figure shows its front and its stride
MISSING = (("left_leg", "right_leg"), ("left_arm", "right_arm"), ("right_arm",))
MOMENTS = (0.35, 0.55, 0.2)  # of the sample, one for each row
KEYS = (60, 90)  # frames of the sample, a second apart


def generated() -> tuple[np.ndarray, np.ndarray]:
    """Poses (R, C, 21, 3), and no column that was given."""
    poses = generate(ROWS * COLUMNS)
    return poses.reshape(ROWS, COLUMNS, 21, 3), np.zeros(COLUMNS, bool)


def completed() -> tuple[np.ndarray, np.ndarray]:
    """The sample's true pose and its hypotheses in each row (R, 1 + S, 21, 3)."""
    sample = read_body(HERE / "sample_truth.bvh")
    rows = []
    for parts, moment in zip(MISSING, MOMENTS, strict=True):
        truth = sample.poses[[round(moment * (len(sample) - 1))], 1:]
        lost = {joint for part in parts for joint in PARTS[part]}
        known = np.array([joint not in lost for joint in JOINTS[1:]])
        found = complete_poses(truth, known, CompleteSettings(HYPOTHESES)).poses
        rows.append(np.concatenate([truth, found[:, 0]]))
    return np.stack(rows), np.arange(1 + HYPOTHESES) == 0


def between() -> tuple[np.ndarray, np.ndarray]:
    """Rows (3, C, 21, 3) from one key of the sample to the next: by motion, with variation, and through the latents."""
    sample = read_body(HERE / "sample_truth.bvh")
    left, right = KEYS
    kept = [n for n in range(len(sample)) if not left < n < right]
    shown = np.linspace(left, right, COLUMNS).round().astype(int)
    moving, varied = (
        inbetween(sample, kept, InbetweenSettings(variation=amount)).poses[shown, 1:] for amount in (0.0, 0.5)
    )
    latent = interpolate(sample.poses[left, 1:], sample.poses[right, 1:], COLUMNS)
    return np.stack([moving, varied, latent]), np.isin(shown, KEYS)


def skin(poses: np.ndarray) -> np.ndarray:
    """Vertices (R, C, V, 3) of poses (R, C, 21, 3): Z up, turned a little, lowest point on the floor."""
    mannequin = body.bundled()
    whole = torch.zeros(*poses.shape[:2], len(JOINTS), 3)
    whole[:, :, 1:] = torch.from_numpy(poses)
    vertices = mannequin.vertices(whole, torch.zeros(3)).numpy()
    standing = Rotation.from_euler("xz", (np.pi / 2, TURN)).apply(vertices.reshape(-1, 3))
    standing = standing.reshape(vertices.shape)
    standing[..., 2] -= standing[..., 2].min(axis=-1, keepdims=True)
    return standing.astype(np.float32)


def shoot(name: str, poses: np.ndarray, given: np.ndarray) -> Path:
    """Photograph a sheet into ``docs/name.png``; returns its path."""
    target = DOCS / f"{name}.png"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        faces = np.asarray(body.bundled().faces)
        np.savez(folder / "sheet.npz", bodies=skin(poses), faces=faces, given=given)
        blender("demo.render_sheet", folder / "sheet.npz", folder, log=folder / "log", counted=True)
        rows = [Image.open(folder / f"row_{n}.png").convert("RGB") for n in range(len(poses))]
        sheet = Image.new("RGB", (rows[0].width, sum(row.height for row in rows)))
        for number, row in enumerate(rows):
            sheet.paste(row, (0, number * row.height))
        sheet.save(target, optimize=True)
    return target


SHEETS = {"generated": generated, "completed": completed, "between": between}


def main() -> int:
    """Photograph every sheet; returns the exit code."""
    try:
        for name, make in SHEETS.items():
            say(f"Photographing {name} poses")
            say(str(shoot(name, *make()).relative_to(HERE.parent)))
    except (EngineError, DemoError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
