# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying motion from any humanoid rig to the SMPL body and edits of the body back to the rig.

A rig's rest pose, bone axes, up axis and facing are its own. What is shared is the direction of the limbs, so each
body joint j gets a constant rotation ``A_j`` that carries its T-pose segment to the rig's segment in a reference pose
(the rest pose, or the first standing frame where the rest pose is none), and follows its bone from there::

    G_j(t) = C D_b(t) C^T A_j          D_b = bone's rotation since the reference pose, C = rig axes to Y up, +Z ahead

The way back never sets a pose: it turns each bone by what the body was turned by, so that whatever was not edited
stays as it was, bit for bit, and twist bones, offsets and scale survive.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from engine.errors import MappingError
from engine.motion.collars import ARM_OF, derived_collar
from engine.motion.joints import JOINTS, PARENTS, REQUIRED
from engine.motion.motion import BodyMotion, Motion
from engine.motion.rigs import RigMap, Source
from engine.motion.skeleton import Skeleton
from engine.motion.tpose import LIMBS, OFFSETS
from engine.motion.twist_bones import bending_share, follow, followers, limb_axis

CHUNK = 4096  # frames at a time, so that memory does not grow with the clip
SAME_TURN = 1e-5  # radians; what less an edit asks for is rounding
SAME_PLACE = 1e-6  # metres
STILL = np.radians(0.1)  # a collar that turns less over a clip is not animated

_SIDES = ("left", "right")


@dataclass(frozen=True)
class RigEdit:
    """A rig's motion after an edit of the body.

    Attributes:
        motion: same skeleton and frame count.
        rotations_changed: (T, J) bool; where False the rotation is bit-equal to the source's.
        translations_changed: (T, J) bool, alike.
    """

    motion: Motion
    rotations_changed: np.ndarray
    translations_changed: np.ndarray


def to_body(motion: Motion, rig_map: RigMap, alignment: Alignment | None = None) -> BodyMotion:
    """The rig's motion as the SMPL body.

    Joints that the rig lacks stay at zero, except that collars which are missing or not animated take a quarter of
    the arm's swing. The pelvis joint stands at the head of its bone.

    Args:
        motion: the rig's motion.
        rig_map: its mapping.
        alignment: ``Alignment(motion, rig_map)`` where it is known, since it takes longer than a frame.

    Raises:
        MappingError: neither the rest pose nor any frame is a standing pose, so bones cannot be aligned.
    """
    rig = alignment or Alignment(motion, rig_map)
    poses = np.empty((len(motion), len(JOINTS), 3))
    transl = np.empty((len(motion), 3))
    for rows in _chunks(len(motion)):
        rotations, heads = rig.globals(motion.rotations[rows], motion.translations[rows])
        body = rig.body_globals(rotations)
        local = body.copy()
        local[:, 1:] = np.swapaxes(body[:, PARENTS[1:]], -1, -2) @ body[:, 1:]
        local[:, rig.absent] = np.eye(3)
        poses[rows] = Rotation.from_matrix(local.reshape(-1, 3, 3)).as_rotvec().reshape(-1, len(JOINTS), 3)
        transl[rows] = heads[:, rig.column(rig_map.bones["pelvis"])] @ rig.axes.T * motion.skeleton.scale
    poses[:, rig.absent] = 0.0
    return BodyMotion(poses, transl, motion.fps, rig.offsets())


def told(body: BodyMotion, rig_map: RigMap) -> np.ndarray:
    """(22,) bool, the body's joints that a motion says something about: `body` as `to_body` gave it.

    They are those the rig has, and collars. Joints that a body can do without (spine, neck, hands, toes) tell nothing
    where they never turn: many animations leave them at rest.
    """
    known = np.array([joint in rig_map.sources or joint in ARM_OF for joint in JOINTS])
    optional = np.array([joint not in REQUIRED for joint in JOINTS])
    still = (np.ptp(body.poses, axis=0) < STILL).all(axis=-1)
    return known & ~(optional & still) if len(body) > 1 and not still[1:].all() else known


def to_rig(
    motion: Motion,
    rig_map: RigMap,
    before: BodyMotion,
    after: BodyMotion,
    collars: bool = False,
    alignment: Alignment | None = None,
) -> RigEdit:
    """Apply an edit of the body to the rig it came from.

    A bone turns only at frames where `before` and `after` differ, by more than rounding, in a joint between its own and
    that of the mapped bone it follows; twist bones keep their share of what their limb twists. Each joint with a bone
    of its own reaches its global rotation in `after`; changes of joints without one (`RigMap.bones`, collars that are
    not animated) add to the next joint below.

    Args:
        motion: the rig's motion from which `before` was made.
        rig_map: its mapping.
        before: ``to_body(motion, rig_map)``.
        after: the edited body, of as many frames.
        collars: whether collars turn that are not animated; where a clip is one pose held, none is.
        alignment: as in `to_body`, in place of ``collars``.

    Raises:
        MappingError: as `to_body`.
    """
    rig = alignment or Alignment(motion, rig_map, collars)
    turned = (np.abs(before.poses - after.poses) > SAME_TURN).any(axis=-1)
    moved = (np.abs(before.transl - after.transl) > SAME_PLACE).any(axis=-1)
    after = replace(after, poses=np.where(turned[..., None], after.poses, before.poses))
    rotations, translations = motion.rotations.copy(), motion.translations.copy()
    rotations_changed = np.zeros(rotations.shape[:2], dtype=bool)
    translations_changed = np.zeros(rotations.shape[:2], dtype=bool)
    for joint, path in rig.paths.items():
        for name in rig.bones[joint]:
            rotations_changed[:, motion.skeleton.index(name)] = turned[:, path].any(axis=-1)
    carrier = rig.root_carrier(motion)
    translations_changed[:, carrier] = moved

    for rows in _chunks(len(motion)):
        rows = rows.start + np.flatnonzero(turned[rows].any(axis=-1) | moved[rows])
        if not rows.size:
            continue
        old, _ = rig.globals(motion.rotations[rows], motion.translations[rows])
        change = rig.bone_globals(after.poses[rows]) @ np.swapaxes(rig.bone_globals(before.poses[rows]), -1, -2)
        change = rig.axes.T @ change @ rig.axes  # in the rig's axes
        for name, turn in rig.bone_turns(change, old).items():
            bone = motion.skeleton.index(name)
            at = np.flatnonzero(rotations_changed[rows, bone])
            frame = old[at, rig.column(name)]
            delta = Rotation.from_matrix(np.swapaxes(frame, -1, -2) @ turn[at] @ frame).as_quat()
            rotations[rows[at], bone] = _compose(rotations[rows[at], bone], np.roll(delta, 1, axis=-1))
        at = np.flatnonzero(moved[rows])
        shift = (after.transl[rows[at]] - before.transl[rows[at]]) @ rig.axes / motion.skeleton.scale
        translations[rows[at], carrier] += rig.into_basis(carrier, old[at], shift)
    for bone, twist in follow(motion.rotations, rotations, followers(motion, rig_map)).items():
        at = np.flatnonzero(turned.any(axis=-1) & (twist[:, 0] < 1.0))
        rotations[at, bone] = _compose(rotations[at, bone], twist[at])
        rotations_changed[at, bone] = True
    edited = Motion(motion.skeleton, rotations, translations, motion.fps)
    return RigEdit(edited, rotations_changed, translations_changed)


class Alignment:
    """How one motion's rig and the body correspond.

    Args:
        motion: the rig's.
        rig_map: its mapping.
        collars: whether collars that are not animated, and so are derived from the arms, turn in edits.
        own_collars: whether they are not derived, but read as they are.

    Attributes:
        axes: (3, 3) C, rig axes to body axes.
        bones: body joint -> bones that edits turn by equal parts, parents first.
        above: body joint -> nearest bone that edits turn above its own in the rig, or None.
        paths: body joint -> indices of the joints whose local rotations decide the bones'.
        absent: indices of the joints that the rig lacks.
    """

    def __init__(
        self, motion: Motion, rig_map: RigMap, collars: bool = False, own_collars: bool = False
    ) -> None:
        self._skeleton = motion.skeleton
        self._map = rig_map
        self._parents = rig_map.parents(motion.skeleton)
        used = [motion.skeleton.index(bone) for source in rig_map.sources.values() for bone in source.bones]
        self._needed = _with_ancestors(self._parents, used)
        self._column = {bone: n for n, bone in enumerate(self._needed)}
        # A bone that follows another by a constraint has no say of its own: what it shows is the other's.
        self._free = np.array([motion.skeleton.names[bone] not in rig_map.follows for bone in self._needed])
        self._relative = _relative_rest(motion.skeleton, self._parents)
        self._derived = {
            collar: arm
            for collar, arm in ARM_OF.items()
            if collar not in rig_map.sources
            or (not own_collars and _is_still(motion, rig_map.sources[collar]))
        }
        self.bones = {
            joint: source.turned
            for joint, source in rig_map.sources.items()
            if source.own and (collars or joint not in self._derived)
        }
        self.bones = dict(sorted(self.bones.items(), key=lambda entry: self.column(entry[1][0])))
        self._bending = {
            joint: (axis, bending_share(motion, rig_map, joint, rig_map.sources[joint]))
            for joint in self.bones
            if rig_map.sources[joint].twists
            and (axis := limb_axis(motion, rig_map, joint, self.bones[joint][0])) is not None
        }
        self.absent = [j for j, name in enumerate(JOINTS) if name not in rig_map.sources and name not in self._derived]
        self._walk_tree()
        self._set_reference(motion)

    def column(self, bone: str) -> int:
        """Index of a bone in the arrays of `globals`."""
        return self._column[self._skeleton.index(bone)]

    def globals(self, rotations: np.ndarray, translations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Global rotations (T, N, 3, 3) and heads (T, N, 3) of the needed bones, in the rig's space."""
        frames = len(rotations)
        turns = np.empty((frames, len(self._needed), 3, 3))
        heads = np.empty((frames, len(self._needed), 3))
        quats = np.roll(rotations[:, self._needed], -1, axis=-1).reshape(-1, 4)
        local = Rotation.from_quat(quats).as_matrix().reshape(frames, -1, 3, 3)
        local[:, ~self._free] = np.eye(3)
        for n, bone in enumerate(self._needed):
            rest, parent = self._relative[bone], self._parents[bone]
            turns[:, n] = rest[:3, :3] @ local[:, n]
            heads[:, n] = self._free[n] * translations[:, bone] @ rest[:3, :3].T + rest[:3, 3]
            if parent >= 0:
                above = self._column[parent]
                turns[:, n] = turns[:, above] @ turns[:, n]
                heads[:, n] = heads[:, above] + np.einsum("tab,tb->ta", turns[:, above], heads[:, n])
        return turns, heads

    def body_globals(self, rotations: np.ndarray) -> np.ndarray:
        """Global rotations (T, 22, 3, 3) of the body joints from those of the needed bones."""
        body = np.empty((len(rotations), len(JOINTS), 3, 3))
        for j, joint in enumerate(JOINTS):
            source = self._map.sources.get(joint)
            if joint in self._derived:
                continue
            if source is None:
                body[:, j] = body[:, PARENTS[j]]
            else:
                since = self._source_rotation(rotations, source) @ self._reference[j].T
                body[:, j] = self.axes @ since @ self.axes.T @ self._constant[j]
        self._derive_collars(body)
        for elbow, wrist, share in self._twists():
            forearm = body[:, elbow].copy()
            body[:, elbow] = forearm @ _power(_twist(forearm, body[:, wrist], self._along(elbow, wrist)), share)
        return body

    def bone_globals(self, poses: np.ndarray) -> np.ndarray:
        """Global rotations (T, 22, 3, 3) that joints of a body (T, 22, 3) ask of their bones.

        They are the joints' own, but for a forearm whose joint took part of the wrist's twist: with share s, the
        joint is forearm * twist^s, so the twist left between joint and wrist is twist^(1-s).
        """
        turns = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(-1, len(JOINTS), 3, 3)
        for j, parent in enumerate(PARENTS[1:], start=1):
            turns[:, j] = turns[:, parent] @ turns[:, j]
        for joint, child, share in self._twists():
            rest = _twist(turns[:, joint], turns[:, child], self._along(joint, child))
            turns[:, joint] = turns[:, joint] @ _power(rest, -share / (1.0 - share))
        return turns

    def bone_turns(self, change: np.ndarray, old: np.ndarray) -> dict[str, np.ndarray]:
        """What bones turn by, so that each joint changes globally as asked.

        Bones of one joint take equal parts, or the first the bend and the last the twist, and each makes up for what
        the bone that it follows has turned.

        Args:
            change: (T, 22, 3, 3), in the rig's axes.
            old: (T, N, 3, 3), rotations of `globals` before the edit.

        Returns:
            Bone -> (T, 3, 3), in the rig's axes.
        """
        turns: dict[str, np.ndarray] = {}
        reached: dict[str, np.ndarray] = {}
        for joint, bones in self.bones.items():
            wanted, above = change[:, JOINTS.index(joint)], self.above[joint]
            own = wanted if above is None else np.swapaxes(reached[above], -1, -2) @ wanted
            so_far = np.broadcast_to(np.eye(3), own.shape) if above is None else reached[above]
            for bone, part in zip(bones, self._parts(joint, own, old), strict=True):
                so_far = so_far @ part
                turns[bone], reached[bone] = part, so_far
            reached[bones[-1]] = wanted
        return turns

    def _parts(self, joint: str, own: np.ndarray, old: np.ndarray) -> list[np.ndarray]:
        """A joint's turn (T, 3, 3) as the product of its bones'."""
        bones = self.bones[joint]
        if joint not in self._bending:
            return [own if len(bones) == 1 else _power(own, 1.0 / len(bones))] * len(bones)
        axis, share = self._bending[joint]
        along = old[:, self.column(bones[0])] @ axis
        quats = Rotation.from_matrix(own).as_quat()
        angle = 2.0 * np.arctan2(np.einsum("ta,ta->t", quats[:, :3], along), quats[:, 3])
        angle = (angle + np.pi) % (2.0 * np.pi) - np.pi
        twist = Rotation.from_rotvec((1.0 - share) * angle[:, None] * along).as_matrix()
        return [own @ np.swapaxes(twist, -1, -2), twist]

    def offsets(self) -> np.ndarray:
        """(22, 3) rest offsets in metres, so that the body's joints are the rig's where those move rigidly."""
        scale = self._skeleton.scale
        size = scale * np.linalg.norm(self._heads["left_knee"] - self._heads["left_hip"])
        size /= np.linalg.norm(OFFSETS[JOINTS.index("left_knee")])
        heads = np.zeros((len(JOINTS), 3))
        result = np.zeros((len(JOINTS), 3))
        for j, joint in enumerate(JOINTS):
            if joint in self._heads:
                heads[j] = self._heads[joint] @ self.axes.T * scale
            else:
                heads[j] = heads[PARENTS[j]] + self._constant[PARENTS[j]] @ OFFSETS[j] * size
            if j:
                result[j] = self._constant[PARENTS[j]].T @ (heads[j] - heads[PARENTS[j]])
        return result

    def root_carrier(self, motion: Motion) -> int:
        """The bone whose translation moves the character: the pelvis bone, or an ancestor that moves in its place."""
        pelvis = bone = self._skeleton.index(self.bones["pelvis"][0])
        while bone >= 0:
            if np.ptp(motion.translations[:, bone], axis=0).any():
                return bone
            bone = self._parents[bone]
        return pelvis

    def into_basis(self, bone: int, rotations: np.ndarray, shift: np.ndarray) -> np.ndarray:
        """A displacement (T, 3) of the rig's space in the axes of a bone's translation."""
        rest, parent = self._relative[bone][:3, :3], self._parents[bone]
        frame = rest if parent < 0 else rotations[:, self._column[parent]] @ rest
        return np.einsum("...ba,...b->...a", frame, shift)

    def _along(self, joint: int, child: int) -> np.ndarray:
        """Unit direction (3,) of the rig's limb between two joints, in the upper joint's frame."""
        upper, lower = JOINTS[joint], JOINTS[child]
        limb = np.array(LIMBS[upper][1])
        if lower in self._ends:
            limb = self._constant[joint].T @ self.axes @ (self._ends[lower] - self._ends[upper])
        return limb / np.linalg.norm(limb)

    def _walk_tree(self) -> None:
        """Find what each bone follows in the rig's own tree: a Biped's thigh hangs from its spine, not its pelvis."""
        joint_of = {bone: joint for joint, bones in self.bones.items() for bone in bones}
        names, parents = self._skeleton.names, self._parents
        self.above: dict[str, str | None] = {}
        self.paths: dict[str, list[int]] = {}
        for joint, bones in self.bones.items():
            parent = parents[self._skeleton.index(bones[0])]
            while parent >= 0 and names[parent] not in joint_of:
                parent = parents[parent]
            above = names[parent] if parent >= 0 else None
            self.above[joint] = above
            self.paths[joint] = sorted(_to_root(joint) ^ (_to_root(joint_of[above]) if above is not None else set()))
        for j, child, _ in self._twists():
            self.paths[JOINTS[j]].append(child)

    def _twists(self) -> Iterator[tuple[int, int, float]]:
        for joint, (child, share) in self._map.twist.items():
            if joint in self.bones and child in self.bones:
                yield JOINTS.index(joint), JOINTS.index(child), share

    def _source_rotation(self, rotations: np.ndarray, source: Source) -> np.ndarray:
        first = rotations[:, self.column(source.bones[0])]
        if len(source.bones) == 1 or source.at == 0.0:
            return first
        second = rotations[:, self.column(source.bones[-1])]
        if source.at == 1.0:
            return second
        return first @ _power(np.swapaxes(first, -1, -2) @ second, source.at)

    def _set_reference(self, motion: Motion) -> None:
        """Find the reference pose, the axes and the constants A."""
        turns, heads, up = self._reference_pose(motion)
        self._joint_heads(turns, heads)
        side = self._heads["left_hip"] - self._heads["right_hip"]
        left = side - up * (side @ up)
        left /= np.linalg.norm(left)
        facing = np.stack([left, up, np.cross(left, up)], axis=1)
        nearest = np.zeros(3)
        nearest[np.abs(left).argmax()] = np.sign(left[np.abs(left).argmax()])
        self.axes = np.stack([nearest, up, np.cross(nearest, up)])
        self._reference = {
            JOINTS.index(joint): self._source_rotation(turns[None], source)[0]
            for joint, source in self._map.sources.items()
        }
        self._set_constants(facing)

    def _reference_pose(self, motion: Motion) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rotations (N, 3, 3) and heads (N, 3) of the needed bones in a standing pose, and its up axis (3,)."""
        identity = np.tile([1.0, 0.0, 0.0, 0.0], (1, len(motion.skeleton), 1))
        self._is_tpose = False
        for rotations in (identity, self._tpose(motion.skeleton)):
            turns, heads = self.globals(rotations, np.zeros((1, len(motion.skeleton), 3)))
            up, standing = self._standing(heads)
            if standing[0]:
                return turns[0], heads[0], up[0]
            self._is_tpose = bool(self._map.tpose)
        self._is_tpose = False
        for rows in _chunks(len(motion)):
            turns, heads = self.globals(motion.rotations[rows], motion.translations[rows])
            up, standing = self._standing(heads)
            if standing.any():
                frame = int(np.argmax(standing))
                return turns[frame], heads[frame], up[frame]
        raise MappingError(
            "Neither the rig's rest pose nor any frame is a standing pose, so its bones cannot be told apart by "
            "direction; add a T-pose as first frame."
        )

    def _tpose(self, skeleton: Skeleton) -> np.ndarray:
        """Bone rotations (1, J, 4) that put the rig into the T-pose of its table, which tells them globally."""
        turns = {
            skeleton.index(self._map.sources[joint].bones[0]): Rotation.from_euler("xyz", angles, degrees=True)
            for joint, angles in self._map.tpose.items()
            if joint in self._map.sources
        }
        rotations = np.tile([1.0, 0.0, 0.0, 0.0], (1, len(skeleton), 1))
        above = [Rotation.identity()] * len(skeleton)
        for bone in self._needed:
            parent = self._parents[bone]
            rest = Rotation.from_matrix(self._relative[bone][:3, :3])
            still = above[parent] * rest if parent >= 0 else rest
            above[bone] = turns.get(bone, still)
            rotations[0, bone] = np.roll((still.inv() * above[bone]).as_quat(), 1)
        return rotations

    def _standing(self, heads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Up axis (T, 3), one of the rig's six, and whether each pose of bone heads (T, N, 3) is upright."""

        def head(joint: str) -> np.ndarray:
            return heads[:, self.column(self._map.sources[joint].bones[0])]

        spine = head("head") - (head("left_hip") + head("right_hip")) / 2
        largest = np.abs(spine).argmax(axis=-1)
        up = np.zeros_like(spine)
        rows = np.arange(len(spine))
        up[rows, largest] = np.sign(spine[rows, largest])

        def along(vector: np.ndarray, axis: np.ndarray) -> np.ndarray:
            """Cosine of the angle to an axis; 0 for a vector without length."""
            length = np.linalg.norm(vector, axis=-1) * np.linalg.norm(axis, axis=-1)
            return np.einsum("ta,ta->t", vector, axis) / np.maximum(length, 1e-12)

        hips = head("left_hip") - head("right_hip")
        upright = (along(spine, up) > 0.8) & (np.abs(along(hips, up)) < 0.5)
        upright &= along(head("left_shoulder") - head("right_shoulder"), hips) > 0.5
        for side in _SIDES:
            hip, knee, ankle = (head(f"{side}_{joint}") for joint in ("hip", "knee", "ankle"))
            upright &= (along(hip - knee, up) > 0.7) & (along(knee - ankle, up) > 0.7)
        return up, upright

    def _joint_heads(self, turns: np.ndarray, heads: np.ndarray) -> None:
        """Positions of the joints in the reference pose and ends of the forearms where there is no wrist."""
        self._heads: dict[str, np.ndarray] = {}
        for joint, source in self._map.sources.items():
            points = [heads[self.column(bone)] for bone in source.bones]
            self._heads[joint] = points[0] if source.own else points[0] + source.at * (points[-1] - points[0])
        self._ends = dict(self._heads)
        for side in _SIDES:
            if f"{side}_wrist" not in self._ends:
                bone = self._skeleton.index(self._map.sources[f"{side}_elbow"].bones[0])
                column = self._column[bone]
                arm = self._skeleton.tails[bone] - self._skeleton.rest[bone, :3, 3]
                end = heads[column] + turns[column] @ self._skeleton.rest[bone, :3, :3].T @ arm
                if np.isfinite(end).all():
                    self._ends[f"{side}_wrist"] = end

    def _set_constants(self, facing: np.ndarray) -> None:
        """A = C B M turn: B the body's frame in the reference pose, M the alignment of the segments in it.

        A forearm is aligned from where its upper arm's alignment left it, a shin from its thigh's, so that an A-pose
        or a bent elbow gives no spurious twist.
        """
        upright = self.axes @ facing
        align = np.tile(np.eye(3), (len(JOINTS), 1, 1))
        for joint, (child, direction) in LIMBS.items():
            if joint not in self._heads or self._is_tpose:
                continue
            j = JOINTS.index(joint)
            if JOINTS[PARENTS[j]] in LIMBS:
                align[j] = align[PARENTS[j]]
            if joint in self._map.limbs:
                wanted = np.array(self._map.limbs[joint])
            elif child in self._ends:
                wanted = facing.T @ (self._ends[child] - self._heads[joint])
            else:
                continue
            align[j] = _least_rotation(align[j] @ np.array(direction), wanted) @ align[j]
            if joint.endswith("elbow"):
                # The hand of the T-pose lies along +X: it is where the rig's forearm points.
                along = np.array([1.0 if joint.startswith("left") else -1.0, 0.0, 0.0])
                align[JOINTS.index(child)] = _least_rotation(align[j] @ along, wanted) @ align[j]
        self._constant = np.empty_like(align)
        for j, joint in enumerate(JOINTS):
            turn = Rotation.from_euler("xyz", self._map.turn.get(joint, (0.0, 0.0, 0.0)), degrees=True).as_matrix()
            self._constant[j] = upright @ align[j] @ turn
            if joint not in self._map.sources and joint not in self._derived:
                self._constant[j] = self._constant[PARENTS[j]]

    def _derive_collars(self, body: np.ndarray) -> None:
        for collar, arm in self._derived.items():
            j = JOINTS.index(collar)
            chest = body[:, PARENTS[j]]
            body[:, j] = chest @ derived_collar(chest, body[:, JOINTS.index(arm)], arm)


def _to_root(joint: str) -> set[int]:
    """Indices of a joint and the joints above it."""
    indices, j = set(), JOINTS.index(joint)
    while j >= 0:
        indices.add(j)
        j = PARENTS[j]
    return indices


def _chunks(frames: int) -> Iterator[slice]:
    for start in range(0, frames, CHUNK):
        yield slice(start, min(start + CHUNK, frames))


def _with_ancestors(parents: Sequence[int], bones: list[int]) -> list[int]:
    """The bones and all above them, parents first."""
    needed: dict[int, None] = {}
    for bone in bones:
        path = []
        while bone >= 0 and bone not in needed:
            path.append(bone)
            bone = parents[bone]
        needed.update(dict.fromkeys(reversed(path)))
    return list(needed)


def _relative_rest(skeleton: Skeleton, parents: Sequence[int]) -> np.ndarray:
    """(J, 4, 4) rest transforms relative to the parent's, rotations made orthonormal."""
    rest = skeleton.rest.copy()
    rest[:, :3, :3] = Rotation.from_matrix(rest[:, :3, :3]).as_matrix()
    relative = rest.copy()
    for bone, parent in enumerate(parents):
        if parent >= 0:
            relative[bone] = np.linalg.inv(rest[parent]) @ rest[bone]
    return relative


def _is_still(motion: Motion, source: Source) -> bool:
    quats = motion.rotations[:, motion.skeleton.index(source.bones[0])]
    cosine = np.abs(quats @ quats[0]).min()
    return bool(cosine >= np.cos(STILL / 2))


def _least_rotation(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """The smallest rotation (3, 3) that carries one direction to another."""
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    axis = np.cross(start, end)
    sine = np.linalg.norm(axis)
    if sine < 1e-12:
        return np.eye(3)  # parallel; opposite limbs do not occur in a standing pose
    return Rotation.from_rotvec(axis / sine * np.arctan2(sine, start @ end)).as_matrix()


def _power(rotations: np.ndarray, exponent: float) -> np.ndarray:
    """Rotations (T, 3, 3) with their angles multiplied."""
    return Rotation.from_rotvec(Rotation.from_matrix(rotations).as_rotvec() * exponent).as_matrix()


def _twist(forearm: np.ndarray, hand: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Twist (T, 3, 3) about an axis of hand against forearm, both (T, 3, 3): forearm^T hand = twist swing."""
    quats = Rotation.from_matrix(np.swapaxes(forearm, -1, -2) @ hand).as_quat()
    along = quats[:, :3] @ axis
    angle = 2.0 * np.arctan2(along * np.sign(quats[:, 3] + 1e-300), np.abs(quats[:, 3]))
    return Rotation.from_rotvec(angle[:, None] * axis).as_matrix()


def _compose(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Product (T, 4) of WXYZ quaternions, on the same side of the sphere as the first."""
    product = Rotation.from_quat(np.roll(first, -1, axis=-1)) * Rotation.from_quat(np.roll(second, -1, axis=-1))
    quats = np.roll(product.as_quat(), 1, axis=-1)
    return quats * np.where(np.einsum("ta,ta->t", quats, first) < 0, -1.0, 1.0)[:, None]
