# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tools make of the sample file, for the pictures of their pages; runs in a Blender process of its own::

    python -m demo.tool_session EXTENSION.zip SAMPLE.blend FOLDER [PAGE ...]

With BLENDER_USER_RESOURCES set to an empty folder, as a user's first start. Each page becomes ``<page>.npz`` for
`demo.render_sheet`: rows of figures, in orange what was given and in blue what the tool made of it; rows without titles
are the frames of a film.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from demo.leaving import leave_after
from demo.sample_blend import KEYS, LOST_ARM, MANNEQUIN, MIXAMO, NOISY, POSED, RIGIFY, STAND
from demo.session import install

COLUMNS = 7
TURN = np.radians(30.0)  # a figure shows its front and its stride
WALKING = (60, 130)  # frames of the sample's walk
REACHES: tuple[tuple[dict[str, Any], dict[str, tuple[float, float, float]]], ...] = (
    ({}, {"right_wrist": (-0.35, -0.25, 1.72)}),
    ({}, {"left_wrist": (0.25, -0.55, 1.2)}),
    ({}, {"left_wrist": (0.14, -0.45, 1.3), "right_wrist": (-0.14, -0.45, 1.3)}),
    ({}, {"left_ankle": (0.1, -0.55, 0.5)}),
    ({"keep": 0.5, "free_root": True}, {"right_wrist": (-0.3, -0.45, 0.35)}),
    ({"keep": 0.0}, {"left_wrist": (0.25, -0.3, 0.85), "right_wrist": (-0.1, -0.35, 1.45)}),
)
"""Settings of a fit, and where joints are to be: metres, Blender's axes, the character at the origin facing -Y."""
BALLS, BALL_RADIUS = 2, 0.07  # of each figure; metres
IDLE = 6.0  # seconds
FILM_RATE = 6  # frames per second

Row = tuple[str, list[np.ndarray], Sequence[bool]]
"""What to write above it, the (V, 3) vertices of its figures, and which were given rather than made."""
GIVEN, MADE, FIRST = (True,) * COLUMNS, (False,) * COLUMNS, (True, *(False,) * (COLUMNS - 1))


def figure(frame: int, name: str = MANNEQUIN) -> np.ndarray:
    """(V, 3) where Blender shows a character's skin on a frame, moved to the middle and turned to the camera."""
    bpy.context.scene.frame_set(frame)
    return seen(name)


def seen(name: str = MANNEQUIN, centred: bool = True) -> np.ndarray:
    """The same on the current frame, or where the character stands."""
    bpy.context.view_layer.update()
    skin = bpy.data.objects[f"{name} Skin"].evaluated_get(bpy.context.evaluated_depsgraph_get())
    flat = np.empty(3 * len(skin.data.vertices), np.float32)
    skin.data.vertices.foreach_get("co", flat)
    matrix = np.array(skin.matrix_world)
    vertices = flat.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
    if centred:
        vertices[:, :2] -= vertices[:, :2].mean(axis=0)
    return (vertices @ _turn().T).astype(np.float32)


def _turn() -> np.ndarray:
    """(3, 3) what turns a figure to the camera."""
    return np.array([[np.cos(TURN), -np.sin(TURN), 0.0], [np.sin(TURN), np.cos(TURN), 0.0], [0.0, 0.0, 1.0]])


def assign(name: str, action: str) -> bpy.types.Object:
    """Let an action animate a character from a clear pose, and make it the only one selected."""
    armature = choose([name])
    for bone in armature.pose.bones:
        bone.matrix_basis = Matrix()
    armature.animation_data.action = bpy.data.actions[action]
    bpy.context.scene.frame_set(bpy.context.scene.frame_start)
    return armature


def choose(names: Sequence[str]) -> bpy.types.Object:
    """Select characters, the first as the active one."""
    if bpy.context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    for ob in bpy.context.view_layer.objects:
        ob.select_set(ob.name in names)
    bpy.context.view_layer.objects.active = bpy.data.objects[names[0]]
    return bpy.context.object


def strip(frames: Iterable[int], name: str = MANNEQUIN) -> list[np.ndarray]:
    """A character on several frames."""
    return [figure(frame, name) for frame in frames]


def spread(first: int, last: int, count: int = COLUMNS) -> list[int]:
    """Frames evenly apart."""
    return np.linspace(first, last, count).round().astype(int).tolist()


def changed_most(before: str, after: str, count: int = COLUMNS) -> list[int]:
    """Of each of so many stretches of the clip, the frame that the joints moved most on."""
    armature, scene = bpy.data.objects[MANNEQUIN], bpy.context.scene
    places = []
    for action in (before, after):
        armature.animation_data.action = bpy.data.actions[action]
        heads = []
        for frame in range(scene.frame_start, scene.frame_end + 1):
            scene.frame_set(frame)
            heads.append([bone.head[:] for bone in armature.pose.bones])
        places.append(np.array(heads))
    moved = np.linalg.norm(places[1] - places[0], axis=-1).max(axis=1)
    parts = np.array_split(np.arange(len(moved)), count)
    return [scene.frame_start + int(part[moved[part].argmax()]) for part in parts]


def clean() -> list[Row]:
    """A poor capture, and the same frames cleaned."""
    armature = assign(MANNEQUIN, NOISY)
    bpy.ops.dposer.clean_motion()
    result = armature.animation_data.action.name
    frames = changed_most(NOISY, result)
    armature.animation_data.action = bpy.data.actions[NOISY]
    before = strip(frames)
    armature.animation_data.action = bpy.data.actions[result]
    return [("Before", before, GIVEN), ("After", strip(frames), MADE)]


def complete() -> list[Row]:
    """An arm without keys, and two ways to move it."""
    assign(MANNEQUIN, LOST_ARM)
    frames = spread(*WALKING)
    before = strip(frames)
    bpy.ops.dposer.complete_limbs(bones="UNKEYED", frames="ACTION", variants=2)
    after = strip(frames)
    bpy.ops.dposer.show_variant()
    return [("Before", before, GIVEN), ("Variant 1", after, MADE), ("Variant 2", strip(frames), MADE)]


def generate() -> list[Row]:
    """Poses made up: of the whole body, and with the upper body kept."""
    assign(MANNEQUIN, STAND)
    given = seen()
    rows: list[Row] = []
    for title, settings in (
        ("Whole body", {"seed": 3}),
        ("Upper body kept", {"seed": 3, "bones": "PARTS", "parts": {"trunk", "left_arm", "right_arm", "head"}}),
    ):
        assign(MANNEQUIN, STAND)
        bpy.ops.dposer.generate_poses(count=COLUMNS - 1, **settings)
        poses = [given, seen()]
        for _ in range(COLUMNS - 2):
            bpy.ops.dposer.show_variant()
            poses.append(seen())
        bpy.ops.dposer.discard_result()
        rows.append((title, poses, FIRST))
    return rows


def idle() -> list[Row]:
    """The pose that was given, and two loops that set out from it; a row for each frame of the film."""
    armature = assign(MANNEQUIN, STAND)
    given = seen()
    scene = bpy.context.scene
    bpy.ops.dposer.generate_idle(seconds=IDLE, variants=2, seed=1)
    first, last = map(round, armature.animation_data.action.frame_range)
    frames = range(first, last, round(scene.render.fps / FILM_RATE))
    loops = []
    for _ in range(2):
        loops.append(strip(frames))
        bpy.ops.dposer.show_variant()
    return [("", [given, *figures], (True, False, False)) for figures in zip(*loops, strict=True)]


def inbetween() -> list[Row]:
    """Keys where the heels strike: what Blender makes of them, and what the tool does."""
    assign(MANNEQUIN, KEYS)
    frames = [*spread(POSED[3] + 1, POSED[4] + 1, 4), *spread(POSED[4] + 1, POSED[5] + 1, 4)[1:]]
    before = strip(frames)
    bpy.ops.dposer.inbetween()
    keys = [frame - 1 in POSED for frame in frames]
    return [("Keys, and Blender's curves between them", before, GIVEN), ("In-between", strip(frames), keys)]


def results() -> list[Row]:
    """From the original to the result."""
    armature = assign(MANNEQUIN, NOISY)
    bpy.ops.dposer.clean_motion()
    frame = changed_most(NOISY, armature.animation_data.action.name, 1)[0]
    armature.animation_data.action = bpy.data.actions[f"{NOISY}_clean"]
    poses = []
    for influence in np.linspace(0.0, 1.0, COLUMNS):
        bpy.ops.dposer.blend_result(influence=float(influence))
        poses.append(figure(frame))
    return [("Influence from 0 to 1", poses, FIRST)]


def fit_targets() -> list[Row]:
    """Balls to take hold of, and the body that reaches for them."""
    before, after = [], []
    for settings, goals in REACHES:
        armature = assign(MANNEQUIN, STAND)
        armature.animation_data.action = armature.animation_data.action.copy()  # it is keyed
        given = seen(centred=False)
        bpy.ops.dposer.add_targets(bones="JOINTS", joints=set(goals))
        for target in armature.dposer_targets:
            target.empty.location = goals[target.joint]
        balls = [_ball(goal) for goal in [*goals.values()] * 2][:BALLS]  # a single one twice in its place
        bpy.ops.dposer.follow_live(**settings)
        before.append(np.concatenate([given, *balls]))
        after.append(np.concatenate([seen(centred=False), *balls]))
        bpy.ops.dposer.remove_targets()
    return [("Targets", before, (True,) * len(before)), ("The body reaches them", after, (False,) * len(after))]


def _ball(place: tuple[float, float, float]) -> np.ndarray:
    """(B, 3) a ball's vertices, turned as the figures are."""
    return ((BALL_RADIUS * _sphere()[0] + place) @ _turn().T).astype(np.float32)


@cache
def _sphere() -> tuple[np.ndarray, np.ndarray]:
    """Vertices (B, 3) and faces (F, 3) of a ball of radius 1."""
    import bmesh  # on the path only once bpy is loaded

    mesh = bmesh.new()
    bmesh.ops.create_icosphere(mesh, subdivisions=3, radius=1.0)
    points = np.array([vertex.co[:] for vertex in mesh.verts])
    faces = np.array([[vertex.index for vertex in face.verts] for face in mesh.faces])
    mesh.free()
    return points, faces


def batch() -> list[Row]:
    """Three rigs cleaned in one run."""
    names = (MANNEQUIN, MIXAMO, RIGIFY)
    armature = assign(MANNEQUIN, NOISY)
    choose(names)
    frames = (66, 80)
    before = [figure(frame, name) for name in names for frame in frames]
    bpy.ops.dposer.clean_motion()
    assert armature.animation_data.action.name == f"{NOISY}_clean"
    after = [figure(frame, name) for name in names for frame in frames]
    return [
        ("Before: SMPL, Mixamo and Rigify", before, (True,) * len(before)),
        ("After one run", after, (False,) * len(after)),
    ]


def _faces(count: int) -> np.ndarray:
    """(F, 3) triangles of a figure of so many vertices: the character's skin, then balls."""
    mesh = bpy.data.meshes[f"{MANNEQUIN} Skin"]
    skin = np.empty(3 * len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("vertices", skin)
    points, ball = _sphere()
    starts = range(len(mesh.vertices), count, len(points))
    return np.concatenate([skin.reshape(-1, 3), *(ball + start for start in starts)])


PAGES: dict[str, Callable[[], list[Row]]] = {
    "clean": clean,
    "complete": complete,
    "generate": generate,
    "idle": idle,
    "inbetween": inbetween,
    "fit_targets": fit_targets,
    "results": results,
    "batch": batch,
}


def main(extension: Path, sample: Path, folder: Path, pages: Sequence[str]) -> None:
    """Make the figures of each page."""
    install(extension)
    for page in pages or PAGES:
        bpy.ops.wm.open_mainfile(filepath=str(sample))
        rows = PAGES[page]()
        bodies = np.stack([figures for _, figures, _ in rows])
        np.savez(
            folder / f"{page}.npz",
            bodies=bodies,
            faces=_faces(bodies.shape[2]),
            given=np.array([given for _, _, given in rows]),
            titles=np.array([title for title, _, _ in rows]),
            rate=FILM_RATE,
        )
        print(f"page {page}", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("DPOSER_PYTHON", sys.executable)
    leave_after(lambda: main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]))
