# SPDX-License-Identifier: GPL-3.0-or-later
"""One rig measured in Blender: found, carried to the body, carried back without and with edits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import bpy
import numpy as np
from mathutils import Quaternion

from engine.motion.joints import JOINTS
from rigcheck.engine import Engine
from rigcheck.extension import part
from rigcheck.motions import LIMBS
from rigcheck.turns import angle_between, angle_of_directions
from rigcheck.verdict import Figures

_KEY = (
    "co",
    "handle_left",
    "handle_right",
    "interpolation",
    "handle_left_type",
    "handle_right_type",
    "type",
    "easing",
)
_WIDE = ("co", "handle_left", "handle_right")
State = dict[tuple[str, int], bytes]


def measure(
    rig: str,
    ob: Any,
    engine: Engine,
    *,
    frames: tuple[int, int] | None = None,
    bone_map: Mapping[str, str] | None = None,
    human_bones: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Figures:
    """Measure an animated armature; its action is the original again afterwards.

    Args:
        rig: what the rig is called.
        ob: the armature, in the present scene.
        engine: running.
        frames: first and last; those of the action where None.
        bone_map, human_bones: as for `find_map`.
        seed: of the edits.
    """
    armature, scene = part("armature"), bpy.context.scene
    names = {"bone_map": bone_map, "human_bones": human_bones}
    mapping = None
    if armature.needs_evaluation(ob):  # as the operator does
        asked, rest = part("skeleton").read(ob, scene)
        told, _ = engine.ask(asked | names | {"task": "map"}, rest)
        if "error" in told:
            return Figures(rig, told["error"], len(ob.data.bones))
        mapping = told["mapping"]
    extent = frames or armature.action_range(ob)
    assert extent is not None, "the rig has no motion"
    clip = armature.read(ob, scene, *extent, mapping)
    while not clip.complete:
        armature.evaluate(clip, bpy.context, 60.0)
    params, arrays = clip.request()
    info = {key: params[key] for key in ("names", "fps", "scale", "mapping")}
    told, found = engine.ask(info | names | {"task": "edit", "seed": seed}, arrays)
    if "error" in told:
        return Figures(rig, told["error"], len(ob.data.bones), len(clip))

    judge = _Judge(ob, clip, told, found)
    before, state = poses(ob, clip), keys(ob)
    pose, pose_at, forearm = judge.segments(before, found["segments"])

    unedited = _written(clip, found, "none") is None and keys(ob) == state
    others = False
    if _written(clip, found, "arm") is not None:
        others = _alike_but(ob, state, told["arm"])
        _restore(ob, clip)
    written = _written(clip, found, "all")
    after = poses(ob, clip)
    if written is not None:
        _restore(ob, clip)
    edited_pose, edited_pose_at, edited_forearm = judge.segments(after, found["edited_segments"])
    rotation, rotation_at, position, position_at = judge.edit(after)
    mapped = [bone for bones in told["turned"].values() for bone in bones]
    return Figures(
        rig=rig,
        bones=len(ob.data.bones),
        frames=len(clip),
        map=told["map"],
        confidence=told["confidence"],
        lacks=tuple(joint for joint in JOINTS if joint not in told["joints"]),
        pose=pose,
        pose_at=pose_at,
        forearm=forearm,
        edited_pose=edited_pose,
        edited_pose_at=edited_pose_at,
        edited_forearm=edited_forearm,
        unedited=unedited and keys(ob) == state,
        others=others,
        rotation=rotation,
        rotation_at=rotation_at,
        position=position,
        position_at=position_at,
        locked=tuple(bone for bone in mapped if clip.rotations_locked[clip.names.index(bone)]),
    )


def poses(ob: Any, clip: Any) -> np.ndarray:
    """(T, J, 4, 4) float64 where Blender shows the clip's bones, in the clip's space.

    A control is shown by the bone that follows it, and an object that carries the root by its own transform: the
    clip's space is then the world, turned and scaled so that the armature's axes and units are the object's at rest.
    """
    scene, carried = bpy.context.scene, bool(clip.object_name)
    names = clip.names[carried:]
    shown = names if clip.puppet is None else clip.puppet.shown[carried:]
    rest = {bone.name: np.array(bone.matrix_local) for bone in ob.data.bones}
    follow = np.array([np.linalg.inv(rest[a]) @ rest[b] for a, b in zip(shown, names, strict=True)])
    order = [ob.pose.bones.find(name) for name in shown]
    space = np.eye(4)
    if carried:
        w, x, y, z = clip.object_turn
        space[:3, :3] = np.array(Quaternion((w, x, y, z)).to_matrix()) * clip.object_scale
    values = np.empty((len(ob.pose.bones), 4, 4), np.float32)
    result = np.empty((len(clip), len(clip.names), 4, 4))
    for row, frame in zip(result, clip.frames.tolist(), strict=True):
        scene.frame_set(frame)
        posed = ob.evaluated_get(bpy.context.evaluated_depsgraph_get())
        posed.pose.bones.foreach_get("matrix", values.reshape(-1))
        row[carried:] = (
            values[order].transpose(0, 2, 1) @ follow
        )  # Blender hands matrices out column by column
        if carried:
            placed = np.linalg.inv(space) @ np.array(posed.matrix_world)
            row[0] = placed
            row[1:] = placed @ row[1:]
    return result


def keys(ob: Any) -> State:
    """Every attribute of every key of each curve that animates the object."""
    state = {}
    for curve in part("compat").curves(ob.animation_data):
        points, parts = curve.keyframe_points, []
        for name in _KEY:
            wide = name in _WIDE
            values = np.empty(len(points) * (2 if wide else 1), np.float32 if wide else np.int32)
            points.foreach_get(name, values)
            parts.append(values.tobytes())
        state[curve.data_path, curve.array_index] = b"".join(parts)
    return state


class _Judge:
    """Compares what the engine tells about one rig with poses that Blender evaluated."""

    def __init__(self, ob: Any, clip: Any, told: dict[str, Any], found: dict[str, np.ndarray]) -> None:
        self._clip, self._told, self._found = clip, told, found
        self._index = {name: j for j, name in enumerate(clip.names)}
        self._rigid = [self._is_rigid(ob, *pair) for pair in told["segments"]]

    def segments(self, shown: np.ndarray, directions: np.ndarray) -> tuple[float, str, float]:
        """Greatest angle in degrees of the body's segments (T, S, 3) to those of poses (T, J, 4, 4), and where.

        The last number is the greatest of the forearms, 0 where the rig has none; the others leave those out.
        """
        pairs = [pair for pair, rigid in zip(self._told["segments"], self._rigid, strict=True) if rigid]
        directions = directions[:, self._rigid]
        heads = {joint: shown[:, self._bone(joint), :3, 3] for pair in pairs for joint in pair}
        blenders = np.stack([heads[child] - heads[joint] for joint, child in pairs], axis=1)
        angles = np.degrees(angle_of_directions(directions, blenders))
        forearms = np.array([joint.endswith("elbow") for joint, _ in pairs])
        others = np.where(forearms, -1.0, angles)
        frame, segment = np.unravel_index(others.argmax(), angles.shape)
        joint, child = pairs[segment]
        where = f"{joint} to {child}, frame {self._clip.frames[frame]}"
        return float(others.max()), where, float(angles[:, forearms].max(initial=0.0))

    def edit(self, after: np.ndarray) -> tuple[float, str, float, str]:
        """Greatest rotation error (degrees) and position error (mm) after the edit of all joints, and where."""
        mapped = [self._index[bone] for bones in self._told["turned"].values() for bone in bones]
        wanted, shown = self._found["wanted"][:, mapped], after[:, mapped]
        angles = np.degrees(angle_between(wanted[..., :3, :3], _rotations(shown)))
        gaps = np.linalg.norm(wanted[..., :3, 3] - shown[..., :3, 3], axis=-1) * self._told["scale"] * 1000.0
        names = [self._clip.names[bone] for bone in mapped]
        worst, farthest = (names[np.argmax(values.max(axis=0))] for values in (angles, gaps))
        return float(angles.max()), worst, float(gaps.max()), farthest

    def _is_rigid(self, ob: Any, joint: str, child: str) -> bool:
        """Whether no bone between those of two joints bends; of a puppet the engine does not see those bones."""
        if self._clip.puppet is None or (joint, child) in LIMBS:
            return True
        above = ob.data.bones[self._told["heads"][child]].parent
        return above is not None and above.name == self._told["heads"][joint]

    def _bone(self, joint: str) -> int:
        return self._index[self._told["heads"][joint]]


def _rotations(poses: np.ndarray) -> np.ndarray:
    """Rotations (..., 3, 3) of poses (..., 4, 4) without their scale."""
    axes = poses[..., :3, :3]
    return axes / np.linalg.norm(axes, axis=-2, keepdims=True)


def _written(clip: Any, found: dict[str, np.ndarray], edit: str) -> Any:
    kinds = ("rotations", "translations", "turned", "moved")
    return part("writing").write(clip, *(found[f"{kind}_{edit}"] for kind in kinds))


def _restore(ob: Any, clip: Any) -> None:
    """Take the result away and give the armature its original action back."""
    result = ob.animation_data.action
    original = next(action for action in bpy.data.actions if action.session_uid == clip.action_uid)
    part("compat").assign(ob.animation_data, original, clip.slot)
    bpy.data.actions.remove(result)


def _alike_but(ob: Any, state: State, bones: Sequence[str]) -> bool:
    """Whether the present keys are those of a state but for some bones' rotations, and differ there."""
    paths = tuple(f"{ob.pose.bones[bone].path_from_id()}.rotation" for bone in bones)
    now = keys(ob)
    own = {curve for curve in state if curve[0].startswith(paths)}
    same = all(now.get(curve) == state[curve] for curve in state.keys() - own)
    fresh = all(curve[0].startswith(paths) for curve in now.keys() - state.keys())
    return (
        same and fresh and any(now[curve] != state.get(curve) for curve in now if curve[0].startswith(paths))
    )
