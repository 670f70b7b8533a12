# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigs whose bones are moved by others: Rigify's generated human, in FK and IK, judged by Blender's evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from engine.motion.rigs import find_map  # noqa: E402
from engine.motion.skeleton import Skeleton  # noqa: E402
from rigcheck.extension import part  # noqa: E402
from rigcheck.rigify import FRAMES, LIMBS, SPINE, SWITCHES, animate  # noqa: E402

CHAINS = tuple(
    tuple(f"{part}_fk.{side}" for part in parts)
    for parts in (("thigh", "shin", "foot"), ("upper_arm", "forearm", "hand"))
    for side in "LR"
)
LIMB_NAMES = {"left leg", "right leg", "left arm", "right arm"}
TIGHT, LENGTH = 0.02, 1e-4  # degrees, metres


@pytest.fixture
def rig(rigify: Any) -> Any:
    return rigify


def curves_of(ob: Any) -> list[Any]:
    return list(part("compat").curves(ob.animation_data))


def read(armature: Any, ob: Any, extension: Callable[[str], Any]) -> Any:
    told, arrays = extension("skeleton").read(ob, bpy.context.scene)
    parents = tuple(arrays["parents"].tolist())
    skeleton = Skeleton(tuple(told["names"]), parents, arrays["rest"], arrays["tails"], told["scale"])
    found = find_map(skeleton)
    assert (found.name, len(found.sources), found.confidence) == ("rigify_controls", 22, 1.0)
    assert armature.needs_evaluation(ob)
    clip = armature.read(ob, bpy.context.scene, FRAMES[0], FRAMES[-1], found.described())
    while not clip.complete:
        armature.evaluate(clip, bpy.context, 10.0)
    return clip


def waving(clip: Any, bones: tuple[str, ...] | None = None, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """The clip's rotations, those of some bones turned in slow waves, and where they are."""
    from mathutils import Euler, Quaternion

    random, turned = np.random.default_rng(seed), np.zeros(clip.rotations.shape[:2], bool)
    rotations = clip.rotations.copy()
    for j, name in enumerate(clip.names):
        if not clip.puppet.turned[j] or (bones is not None and name not in bones):
            continue
        turned[:, j], phase = True, random.uniform(0, 6, 3)
        for t in range(len(clip)):
            turn = Euler(0.25 * np.sin(phase + t / 9.0)).to_quaternion()
            rotations[t, j] = Quaternion(clip.rotations[t, j]) @ turn
    return rotations, turned


def shown(ob: Any, clip: Any) -> np.ndarray:
    """(T, J, 4, 4) where Blender shows the clip's part of the body, by the bones that follow the controls."""
    found = []
    rest = ob.data.bones
    for frame in FRAMES:
        bpy.context.scene.frame_set(frame)
        posed = ob.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones
        pairs = zip(clip.puppet.shown, clip.names, strict=True)
        found.append(
            [
                np.array(posed[bone].matrix @ rest[bone].matrix_local.inverted() @ rest[name].matrix_local)
                for bone, name in pairs
            ]
        )
    return np.array(found)


def reachable(clip: Any, poses: np.ndarray) -> np.ndarray:
    """(T, 4) whether a limb of the built length reaches to where poses have its end."""
    found = []
    for limb in CHAINS:
        start, middle, end = (clip.names.index(name) for name in limb)
        heads = clip.rest[[start, middle, end], :3, 3]
        length = np.linalg.norm(np.diff(heads, axis=0), axis=-1).sum()
        found.append(np.linalg.norm(poses[:, end, :3, 3] - poses[:, start, :3, 3], axis=-1) < 0.998 * length)
    return np.stack(found, axis=1)


def errors(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Degrees and metres (T, J) between poses."""
    turn = np.swapaxes(a[..., :3, :3], -1, -2) @ b[..., :3, :3]
    skew = turn - np.swapaxes(turn, -1, -2)
    sine = np.linalg.norm(np.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], -1), axis=-1) / 2
    angle = np.degrees(np.arctan2(sine, (np.trace(turn, axis1=-2, axis2=-1) - 1) / 2))
    return angle, np.linalg.norm(a[..., :3, 3] - b[..., :3, 3], axis=-1)


@pytest.mark.parametrize("kinematics", ["FK", "IK"])
def test_every_joint_reaches_its_pose(
    armature: Any, writing: Any, extension: Callable[[str], Any], rig: Any, kinematics: str
) -> None:
    animate(rig, kinematics)
    clip = read(armature, rig, extension)
    before = shown(rig, clip)
    idle = errors(before, clip.puppet.seen.own)[0].max(axis=0) > 1.0
    np.testing.assert_allclose(clip.poses[:, ~idle], before[:, ~idle], atol=1e-5)
    # Rigify's IK stretches limbs; as its FK controls cannot, the ends stay in their places, and little else turns.
    turn, gap = errors(clip.poses, before)
    near = reachable(clip, before)
    assert near.any(axis=0).all() and turn.max() < 15.0
    assert gap[:, [clip.names.index(limb[-1]) for limb in CHAINS]][near].max() < 1e-5
    limbs = {name for name, still in zip(clip.names, idle, strict=True) if still}
    assert (limbs >= {"shin_fk.L", "shin_fk.R", "forearm_fk.L", "upper_arm_fk.R"}) == (kinematics == "IK")
    rotations, turned = waving(clip)
    moved = np.zeros_like(turned)
    moved[:, 0] = True
    places = clip.translations.copy()
    places[:, 0] += [0.05, 0.02, -0.04]
    wanted = clip.posed(rotations, places)
    written = writing.write(clip, rotations, places, turned, moved)
    assert set(written.switched) == (LIMB_NAMES if kinematics == "IK" else set())
    angle, distance = errors(wanted, shown(rig, clip))
    assert angle.max() < TIGHT and written.missed < TIGHT
    assert distance.max() < LENGTH


def test_an_arm_alone_is_switched_and_nothing_else(
    armature: Any, writing: Any, extension: Callable[[str], Any], rig: Any
) -> None:
    action = animate(rig, "IK")
    clip = read(armature, rig, extension)
    before = shown(rig, clip)
    keys = {(c.data_path, c.array_index): len(c.keyframe_points) for c in curves_of(rig)}
    rotations, turned = waving(clip, ("forearm_fk.L",))
    turned[:10] = False  # the arm stays in IK there
    rotations = np.where(turned[..., None], rotations, clip.rotations)
    wanted = clip.posed(rotations, clip.translations)
    written = writing.write(clip, rotations, clip.translations, turned, np.zeros_like(turned))
    assert written.switched == ("left arm",)
    new = {c.data_path.split('"')[1] for c in curves_of(rig) if (c.data_path, c.array_index) not in keys}
    assert new <= {"upper_arm_parent.L", "upper_arm_fk.L", "forearm_fk.L", "hand_fk.L"}
    after = shown(rig, clip)
    arm = [clip.names.index(name) for name in ("upper_arm_fk.L", "forearm_fk.L", "hand_fk.L")]
    others = [j for j in range(len(clip.names)) if j not in arm]
    np.testing.assert_allclose(after[:, others], before[:, others], atol=1e-5)
    assert errors(wanted, after)[0][10:, arm].max() < TIGHT
    np.testing.assert_allclose(after[:10], before[:10], atol=1e-5)
    assert rig.animation_data.action != action


def test_what_hangs_from_a_bone_that_goes_its_own_way_is_put_right(
    armature: Any, writing: Any, extension: Callable[[str], Any], rig: Any
) -> None:
    """The forearm copies a rotation, so the hand's keys must make up for what the forearm does not do."""
    animate(rig, "FK")
    target = bpy.data.objects.new("Target", None)
    bpy.context.scene.collection.objects.link(target)
    target.rotation_euler = (0.5, 0.2, 0.1)
    copy = rig.pose.bones["forearm_fk.L"].constraints.new("COPY_ROTATION")
    copy.target, copy.influence = target, 0.5
    clip = read(armature, rig, extension)
    assert clip.rotations_locked[clip.names.index("forearm_fk.L")]
    rotations, turned = waving(clip)
    free = turned & ~clip.rotations_locked
    wanted = clip.posed(np.where(free[..., None], rotations, clip.rotations), clip.translations)
    written = writing.write(clip, rotations, clip.translations, turned, np.zeros_like(turned))
    others = [j for j, name in enumerate(clip.names) if name != "forearm_fk.L"]
    assert errors(wanted, shown(rig, clip))[0][:, others].max() < TIGHT and written.missed < TIGHT


def test_a_neck_that_follows_half_is_made_up_for(
    armature: Any, writing: Any, extension: Callable[[str], Any], rig: Any
) -> None:
    """Rigify's neck takes part of the torso's turn, so it needs new keys although its joint does not change."""
    animate(rig, "FK")
    rig.pose.bones["torso"]["neck_follow"] = 0.3
    rig.pose.bones["torso"]["head_follow"] = 0.6
    clip = read(armature, rig, extension)
    rotations, turned = waving(clip, ("spine_fk.003",))
    wanted = clip.posed(rotations, clip.translations)
    written = writing.write(clip, rotations, clip.translations, turned, np.zeros_like(turned))
    assert len(written.names) == 3
    assert errors(wanted, shown(rig, clip))[0].max() < TIGHT


@pytest.mark.parametrize("kinematics", ["FK", "IK"])
def test_few_keys_keep_the_body_near(
    armature: Any, writing: Any, extension: Callable[[str], Any], rig: Any, kinematics: str
) -> None:
    """Reduced keys are chosen for the controls as if nothing but they moved; Blender says how far off the body is."""
    animate(rig, kinematics)
    clip = read(armature, rig, extension)
    rotations, turned = waving(clip)
    arguments = clip, rotations, clip.translations, turned, np.zeros_like(turned)
    action, slot = rig.animation_data.action, clip.slot
    dense = writing.write(*arguments)
    full = shown(rig, clip)
    extension("compat").assign(rig.animation_data, action, slot)
    for name in SWITCHES:
        rig.pose.bones[name]["IK_FK"] = 1.0 if kinematics == "FK" else 0.0
    few = writing.write(*arguments, keys="REDUCED", tolerance=5.0)
    assert few.keys < 0.5 * dense.keys and few.switched == dense.switched
    assert errors(full, shown(rig, clip))[1].max() < 0.01


def test_nothing_is_left_of_a_writing_that_is_abandoned(
    armature: Any, writing: Any, extension: Callable[[str], Any], rig: Any
) -> None:
    action = animate(rig, "IK")
    clip = read(armature, rig, extension)
    before = shown(rig, clip)
    rotations, turned = waving(clip)
    change = writing.Change(rotations, clip.translations, turned, np.zeros_like(turned))
    work = writing.Writing(clip, change, writing.Settings())
    assert not work.advance(bpy.context, 0.0) and rig.animation_data.action != action
    work.abandon()
    assert rig.animation_data.action == action and len(bpy.data.actions) == 1
    assert [rig.pose.bones[name]["IK_FK"] for name in SWITCHES] == [0.0] * 4
    for name in LIMBS:
        rig.pose.bones[name].rotation_quaternion = (1, 0, 0, 0)
    np.testing.assert_allclose(shown(rig, clip), before, atol=1e-5)


@pytest.mark.parametrize("kinematics", ["FK", "IK"])
def test_muting_the_layer_brings_the_original_back(
    armature: Any, writing: Any, extension: Callable[[str], Any], rig: Any, kinematics: str
) -> None:
    """With the switches and the controls that the original has no keys for."""
    animate(rig, kinematics)
    clip = read(armature, rig, extension)
    before = shown(rig, clip)
    rotations, turned = waving(clip)
    wanted = clip.posed(rotations, clip.translations)
    writing.write(clip, rotations, clip.translations, turned, np.zeros_like(turned), target="NLA")
    tracks = rig.animation_data.nla_tracks
    assert [track.strips[0].action.name for track in tracks][1:] == ["RigifyAction", "RigifyAction_clean"]
    assert errors(wanted, shown(rig, clip))[0].max() < TIGHT
    tracks[2].mute = True
    np.testing.assert_allclose(shown(rig, clip), before, atol=1e-5)


def test_frames_outside_the_change_stay_in_ik(
    armature: Any, writing: Any, extension: Callable[[str], Any], rig: Any
) -> None:
    animate(rig, "IK")
    clip = read(armature, rig, extension)
    before = shown(rig, clip)
    rotations, turned = waving(clip)
    turned[:8], turned[16:] = False, False
    rotations = np.where(turned[..., None], rotations, clip.rotations)
    written = writing.write(clip, rotations, clip.translations, turned, np.zeros_like(turned))
    assert set(written.switched) == LIMB_NAMES
    after = shown(rig, clip)
    np.testing.assert_allclose(after[:8], before[:8], atol=1e-5)
    np.testing.assert_allclose(after[16:], before[16:], atol=1e-5)
    wanted = clip.posed(rotations, clip.translations)
    assert errors(wanted, after)[0][8:16].max() < TIGHT


def test_a_driven_switch_is_refused_in_words(
    armature: Any, writing: Any, extension: Callable[[str], Any], rig: Any
) -> None:
    action = animate(rig, "IK")
    rig.pose.bones["thigh_parent.L"].driver_add('["IK_FK"]').driver.expression = "0.0"
    clip = read(armature, rig, extension)
    rotations, turned = waving(clip)
    with pytest.raises(armature.ArmatureError, match=r"thigh_parent.L has a driver on its IK_FK"):
        writing.write(clip, rotations, clip.translations, turned, np.zeros_like(turned))
    assert rig.animation_data.action == action and len(bpy.data.actions) == 1


def test_clean_motion_on_a_control_rig(rig: Any, extension: Callable[[str], Any], armature: Any) -> None:
    """The operator asks for the map, evaluates and cleans; what it writes shakes less."""
    animate(rig, "FK")
    random = np.random.default_rng(3)
    for curve in curves_of(rig):
        if "_fk" in curve.data_path and "rotation" in curve.data_path:
            for key in curve.keyframe_points:
                key.co_ui[1] += random.normal(scale=0.03)
            curve.update()
    clip = read(armature, rig, extension)
    noisy = shown(rig, clip)
    assert bpy.ops.dposer.clean_motion(method="wiener") == {"FINISHED"}
    assert rig.animation_data.action.name.endswith("_clean")
    clean = shown(rig, clip)
    hand = clip.names.index("hand_fk.L")
    shake = [np.abs(np.diff(poses[:, hand, :3, 3], n=3, axis=0)).mean() for poses in (noisy, clean)]
    assert shake[1] < 0.7 * shake[0]


def test_selected_bones_that_move_nothing_of_the_body(rig: Any, extension: Callable[[str], Any]) -> None:
    """On a control rig only the controls that are written count; the sentence names one."""
    animate(rig, "IK")
    select = extension("compat").select
    for bone in rig.pose.bones:
        select(bone, bone.name == "hand_ik.L")
    with pytest.raises(RuntimeError, match=r"None of the selected bones moves the body: .*hand_fk"):
        bpy.ops.dposer.clean_motion(bones="SELECTED")
    action, random = rig.animation_data.action, np.random.default_rng(3)
    for curve in curves_of(rig):
        if "hand_ik.L" in curve.data_path:
            for key in curve.keyframe_points:
                key.co_ui[1] += random.normal(scale=0.01)
            curve.update()
    select(rig.pose.bones["upper_arm_fk.L"], True)
    assert bpy.ops.dposer.clean_motion(bones="SELECTED", method="wiener") == {"FINISHED"}
    changed = {c.data_path.split('"')[1] for c in curves_of(rig) if "_fk" in c.data_path and len(c.keyframe_points)}
    assert rig.animation_data.action != action
    assert changed - set(SPINE) <= {"upper_arm_fk.L", "forearm_fk.L", "hand_fk.L"}


def test_the_metarig_is_mapped(rig: Any, extension: Callable[[str], Any]) -> None:
    told, arrays = extension("skeleton").read(bpy.data.objects["Metarig"], bpy.context.scene)
    parents = tuple(arrays["parents"].tolist())
    found = find_map(Skeleton(tuple(told["names"]), parents, arrays["rest"], arrays["tails"], told["scale"]))
    assert (found.name, len(found.sources), found.confidence) == ("rigify_metarig", 22, 1.0)
