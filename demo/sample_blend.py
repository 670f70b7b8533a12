# SPDX-License-Identifier: GPL-3.0-or-later
"""``python build.py sample``: makes the file to try the tools on, in a Blender process of its own::

    python -m demo.sample_blend TARGET.blend

Three characters with the mannequin's skin: SMPL's bone names in metres, Mixamo's in centimetres, and a Rigify rig. All
that moves them comes from `demo.make_sample`.
"""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
from mathutils import Euler, Vector

from demo import make_sample, mannequin, rig, sample_rigify
from demo.leaving import leave_after
from demo.scene import AFTER, Colour
from engine import body
from engine.body import Body
from engine.motion.joints import JOINTS, PARTS
from engine.motion.motion import BodyMotion, Motion
from engine.motion.retarget import to_body
from engine.motion.rigs import find_map
from engine.motion.windows import smooth_path

MANNEQUIN, MIXAMO, RIGIFY = "Mannequin", "Mixamo", "Rigify"
NOISY, LOST_ARM, KEYS, STAND = "noisy_walk", "lost_arm", "keys", "stand"
POSED = (0, 21, 38, 55, 71, 88, 105, 124)  # frames that the sparse action keys: where the heels strike
PREVIEW = (40, 120)
APART = 1.3  # metres between the characters
GREY: Colour = (0.33, 0.34, 0.36)
WOOD: Colour = (0.42, 0.24, 0.10)
MIDDLE, VIEWED_FROM = (0.0, -1.2, 0.9), (3.4, -8.9, 2.4)  # of all that happens; of camera and views
TILES = 12  # metres across the floor, one tile each
REACH = {
    "Reach Left Hand": (0.35, -0.45, 1.25),
    "Reach Right Hand": (-0.25, -0.30, 1.55),
    "Reach Left Foot": (0.12, -0.35, 0.20),
}
README = """DPoser: a file to try the tools on

1. Install DPoser (its README says how), then press N in the 3D view and open the tab DPoser.
2. Click the wooden Mannequin and press Clean Motion. Its action, noisy_walk, is a poor capture:
   jitter, joints that flip, a left arm that is lost from frame 58 to 84.
3. Complete Limbs: choose the action lost_arm in the Action Editor. The left arm has no keys; set
   Bones to Without Keys, Range to Action, press Complete Limbs, and step through the variants.
4. In-between: choose the action keys. Its eight keys are selected; press In-between.
5. Generate Poses, Generate Idle, Fit to Targets: choose the action stand. The empties named Reach
   are places to drag the targets of hands and feet to.

The blue character has Mixamo's bone names, in centimetres under a scale of 0.01; the grey one is a
Rigify rig. Select all three and press Clean Motion once.

Everything here was made by script (python build.py sample); the motion is synthetic.
"""


def main(target: Path) -> None:
    """Make the file."""
    bpy.ops.wm.read_factory_settings()
    bpy.data.batch_remove([*bpy.data.objects, *bpy.data.collections])
    dummy = body.bundled()
    original = make_sample.truth()
    truth, noisy = performed(original, dummy), performed(make_sample.capture(original), dummy)
    first = _mannequin(dummy, truth, noisy)
    second = _mixamo(dummy, noisy)
    third = _rigify(dummy, noisy)
    for number, character in enumerate((first, second, third)):
        character.location.x = (0.0, APART, -APART)[number]
    _places()
    _floor()
    _camera_and_light()
    _time(len(truth), truth.fps)
    _screens()
    for text in bpy.data.texts:
        text.use_module = False  # Blender asks before it runs Rigify's panel from a file, and nothing here needs it
    bpy.data.texts.new("Read me").from_string(README)
    _select(first)
    target.parent.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(target), compress=True)


def performed(motion: Motion, dummy: Body) -> BodyMotion:
    """The clip by the mannequin: its path as long as the legs are, its feet on the floor while it is calm."""
    found = to_body(motion, find_map(motion.skeleton))
    legs = [np.linalg.norm(offsets[JOINTS.index("left_knee")]) for offsets in (dummy.offsets, found.offsets)]
    return on_the_floor(replace(found, transl=found.transl * legs[0] / legs[1], offsets=dummy.offsets), dummy)


def on_the_floor(motion: BodyMotion, dummy: Body) -> BodyMotion:
    """A motion of the mannequin that begins over the middle, its feet on the floor while it is calm."""
    path, transl = smooth_path(motion.transl, motion.fps, 0.5), motion.transl.copy()
    calm = replace(motion, transl=path)
    lowest = dummy.vertices(calm.poses[::6], calm.transl[::6]).numpy()[..., 1].min(axis=1)
    transl[:, 1] -= np.percentile(lowest, 20)
    transl[:, (0, 2)] -= path[0, (0, 2)]
    return replace(motion, transl=transl)


def _mannequin(dummy: Body, truth: BodyMotion, noisy: BodyMotion) -> bpy.types.Object:
    """The character that most pages are about, with its actions."""
    bones = mannequin.skeleton(dummy, {joint: joint for joint in JOINTS})
    armature = rig.add(MANNEQUIN, bones)
    armature.show_in_front = True
    _skin(armature, dummy, 1.0, {joint: (joint,) for joint in JOINTS}, WOOD)
    whole = mannequin.perform(truth, bones)
    still = Motion(bones, whole.rotations[:1], whole.translations[:1], whole.fps)
    rig.key(armature, still, STAND)
    keys = rig.key(armature, whole, KEYS, frames=POSED)
    for curve in keys.layers[0].strips[0].channelbags[0].fcurves:
        curve.keyframe_points.foreach_set("select_control_point", np.ones(len(POSED), bool))
    rig.key(armature, whole, LOST_ARM, without=PARTS["left_arm"])
    rig.key(armature, mannequin.perform(noisy, bones), NOISY)
    for name in (STAND, KEYS, LOST_ARM, NOISY):
        bpy.data.actions[name].use_fake_user = True
    return armature


def _mixamo(dummy: Body, noisy: BodyMotion) -> bpy.types.Object:
    """The same body with Mixamo's names, in the centimetres that its files come in."""
    spine = {"spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2"}
    table = find_map(make_sample.truth().skeleton)
    names = {joint: f"mixamorig:{spine[joint]}" for joint in spine}
    names |= {joint: source.bones[0] for joint, source in table.sources.items() if joint not in names}
    bones = mannequin.skeleton(dummy, names, 0.01)
    armature = rig.add(MIXAMO, bones, scale=0.01)
    armature.show_in_front = True
    _skin(armature, dummy, 100.0, {joint: (names[joint],) for joint in JOINTS}, AFTER)
    rig.key(armature, mannequin.perform(noisy, bones), f"{NOISY}_mixamo").use_fake_user = True
    return armature


def _rigify(dummy: Body, noisy: BodyMotion) -> bpy.types.Object:
    """The same body on a control rig."""
    bones = mannequin.skeleton(dummy, {joint: joint for joint in JOINTS})
    armature = sample_rigify.add(RIGIFY, rig.TO_BLENDER.apply(bones.rest[:, :3, 3]))
    _skin(armature, dummy, 1.0, sample_rigify.DEFORM, GREY)
    sample_rigify.key(armature, noisy, f"{NOISY}_rigify")
    return armature


def _skin(
    armature: bpy.types.Object,
    dummy: Body,
    scale: float,
    bones: dict[str, tuple[str, ...]],
    colour: Colour,
) -> None:
    """Bind the mannequin's mesh to an armature in rest pose.

    Args:
        armature: with the mannequin's joints.
        dummy: the mannequin.
        scale: units of the armature per metre.
        bones: joint -> the bones that take its weights, each a stretch of the limb.
        colour: linear RGB.
    """
    vertices = mannequin.rest(dummy)
    vertices = rig.TO_BLENDER.apply(vertices - (0.0, vertices[:, 1].min(), 0.0))
    mesh = bpy.data.meshes.new(f"{armature.name} Skin")
    mesh.from_pydata((scale * vertices).tolist(), [], dummy.faces.tolist())
    mesh.shade_smooth()
    mesh.materials.append(_material(armature.name, colour))
    skin = bpy.data.objects.new(mesh.name, mesh)
    skin.parent = armature
    bpy.context.scene.collection.objects.link(skin)
    skin.modifiers.new("Armature", "ARMATURE").object = armature
    shares = mannequin.weights(dummy)
    for joint, names in bones.items():
        share = shares[:, JOINTS.index(joint)]
        for bone, part in zip(names, _stretches(armature, names, scale * vertices), strict=True):
            group, own = skin.vertex_groups.new(name=bone), share * part
            group.add(np.flatnonzero(own == 1.0).tolist(), 1.0, "REPLACE")
            for vertex in np.flatnonzero((own > 0.0) & (own < 1.0)).tolist():
                group.add([vertex], own[vertex], "REPLACE")


def _stretches(armature: bpy.types.Object, names: tuple[str, ...], vertices: np.ndarray) -> np.ndarray:
    """(B, V) 1 where vertices belong to each of the bones that share a limb lengthwise, 0 elsewhere."""
    if len(names) == 1:
        return np.ones((1, len(vertices)))
    first, last = (armature.data.bones[name] for name in (names[0], names[-1]))
    start, end = np.array(first.head_local), np.array(last.tail_local)
    along = (vertices - start) @ (end - start) / ((end - start) ** 2).sum()
    at = np.clip((along * len(names)).astype(int), 0, len(names) - 1)
    return (at == np.arange(len(names))[:, None]).astype(float)


def _material(name: str, colour: Colour) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    surface = material.node_tree.nodes["Principled BSDF"]
    surface.inputs["Base Color"].default_value = (*colour, 1.0)
    surface.inputs["Roughness"].default_value = 0.5
    material.diffuse_color = (*colour, 1.0)
    return material


def _places() -> None:
    """Empties for hands and feet to reach."""
    collection = bpy.data.collections.new("Reach")
    bpy.context.scene.collection.children.link(collection)
    for name, place in REACH.items():
        empty = bpy.data.objects.new(name, None)
        empty.empty_display_type, empty.empty_display_size, empty.location = "SPHERE", 0.05, place
        collection.objects.link(empty)


def _floor() -> None:
    """Tiles of a metre, to see feet slide in any view."""
    edge = np.arange(TILES + 1) - TILES / 2
    x, y = np.meshgrid(edge, edge)
    points = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)
    corner = (np.arange(TILES)[:, None] * (TILES + 1) + np.arange(TILES)).ravel()
    mesh = bpy.data.meshes.new("Floor")
    mesh.from_pydata(
        points.tolist(), [], np.stack([corner, corner + 1, corner + TILES + 2, corner + TILES + 1], 1).tolist()
    )
    for name, shade in (("Floor Dark", 0.28), ("Floor Light", 0.36)):
        mesh.materials.append(_material(name, (shade, shade, shade)))
    mesh.polygons.foreach_set("material_index", np.indices((TILES, TILES)).sum(axis=0).ravel() % 2)
    floor = bpy.data.objects.new("Floor", mesh)
    floor.location.y = -1.5
    floor.hide_select = True
    bpy.context.scene.collection.objects.link(floor)


def _camera_and_light() -> None:
    scene = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens = 50.0
    camera.location = VIEWED_FROM
    camera.rotation_euler = (Vector(MIDDLE) - camera.location).to_track_quat("-Z", "Y").to_euler()
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.data.energy = 3.0
    sun.rotation_euler = Euler((math.radians(42), math.radians(8), math.radians(-38)))
    for ob in (camera, sun):
        scene.collection.objects.link(ob)
    scene.camera = camera
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.display.shading.light = "MATCAP"
    scene.display.shading.color_type = "MATERIAL"


def _time(frames: int, fps: float) -> None:
    scene = bpy.context.scene
    scene.render.fps = round(fps)
    scene.frame_start, scene.frame_end = rig.FIRST_FRAME, rig.FIRST_FRAME + frames - 1
    scene.frame_preview_start, scene.frame_preview_end = PREVIEW
    scene.use_preview_range = False
    scene.frame_set(rig.FIRST_FRAME)


def _screens() -> None:
    """Every 3D view looks at the characters, its sidebar open; keys of bones that are not selected are shown, too."""
    bpy.context.scene.show_keys_from_selected_only = False
    for screen in bpy.data.screens:
        for area in screen.areas:
            if area.type == "DOPESHEET_EDITOR":
                area.spaces[0].dopesheet.show_only_selected = False
            if area.type == "VIEW_3D":
                space = area.spaces[0]
                space.shading.type = "SOLID"
                space.shading.light = "MATCAP"
                space.shading.color_type = "MATERIAL"
                space.show_region_ui = True
                space.region_3d.view_perspective = "PERSP"
                space.region_3d.view_location = MIDDLE
                space.region_3d.view_rotation = (Vector(VIEWED_FROM) - Vector(MIDDLE)).to_track_quat("Z", "Y")
                space.region_3d.view_distance = 5.0
                space.overlay.show_floor = space.overlay.show_cursor = False


def _select(armature: bpy.types.Object) -> None:
    for ob in bpy.context.view_layer.objects:
        ob.select_set(False)
    bpy.context.view_layer.objects.active = armature
    armature.select_set(True)
    bpy.ops.object.mode_set(mode="POSE")


if __name__ == "__main__":
    leave_after(lambda: main(Path(sys.argv[1]).resolve()))
