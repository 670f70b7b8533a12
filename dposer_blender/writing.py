# SPDX-License-Identifier: GPL-3.0-or-later
"""A changed clip to keys: into a new action, into the action itself, or into an NLA layer above it.

Where the rig is a puppet, whose bones other bones move, the keys that give a pose are not known beforehand: they
are predicted, Blender evaluates them, and what is off is put right, until the body's bones are where they should be.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import bpy
import numpy as np
from bpy.types import Action, AnimData, Context, FCurve, Object
from mathutils import Matrix

from . import armature, compat, curves, keying, rig, rotations, stage
from .armature import Camera
from .clip import Clip, Seen
from .errors import ArmatureError
from .settling import PASSES, Change, Settling

TARGETS = ("NEW", "OVERWRITE", "NLA")

_BLOCK = 4  # bones whose channels are computed together: few enough for the processor's cache
_BLOCK_KEYS = 10_000  # bones times frames, alike: some hundredths of a second


@dataclass(frozen=True)
class Settings:
    """How a result is written.

    Attributes:
        target: "NEW" action or slot, "OVERWRITE" the action, or "NLA" layer above it.
        keys: which frames get a key, of `keying.MODES`.
        tolerance: in millimetres, how far joints may be from a key on every frame, for `keying.REDUCED`.
        suffix: what the name of a new action ends in.
        poses: indices of the clip's frames that get a key where the clip becomes a row of poses, in place of ``keys``;
            those between them lose theirs.
        held: whether everything else that moves the armature holds still on the clip's frames, as on their first.

    Raises:
        ArmatureError: the tolerance is not above zero.
    """

    target: str = "NEW"
    keys: str = keying.EVERY
    tolerance: float = keying.TOLERANCE
    suffix: str = "_clean"
    poses: np.ndarray | None = None
    held: bool = False

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise ArmatureError("The tolerance must be above zero: give it in millimetres.")


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        result: the action that holds the result, and the identifier of its slot. It is Blender's data: not to be kept.
        names: the bones that have new values.
        keys: how many keys have new values, the new ones included.
        switched: the limbs that were switched to the controls that were written, such as "left leg".
        missed: degrees by which the worst bone of a puppet misses what was asked for; 0 where none does.
        worst: the name of that bone.
        resting: data path and index of each channel that the result has keys for and the original has none -> its
            value before; empty where the action itself was written over.
        switches: data path of each custom property that was switched -> the bones that obey because of it.
        extrapolation: what the armature's animation did outside the keys of its action, before.
    """

    result: tuple[Action, str]
    names: tuple[str, ...]
    keys: int
    switched: tuple[str, ...] = ()
    missed: float = 0.0
    worst: str = ""
    resting: Mapping[tuple[str, int], float] = field(default_factory=dict)
    switches: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    extrapolation: str = "HOLD"

    @property
    def action(self) -> str:
        """Name of the action that holds the result."""
        return str(self.result[0].name)


def write(
    clip: Clip,
    new_rotations: np.ndarray,
    new_translations: np.ndarray,
    rotations_changed: np.ndarray,
    translations_changed: np.ndarray,
    keys: str = keying.EVERY,
    tolerance: float = keying.TOLERANCE,
    target: str = TARGETS[0],
) -> Written | None:
    """Give the armature a changed clip, all at once.

    Args:
        clip: complete, as `armature.read` and `armature.evaluate` made it.
        new_rotations, new_translations, rotations_changed, translations_changed: see `Change`.
        keys, tolerance, target: see `Settings`.

    Returns:
        What was written; None, and nothing is done, where no bone that may be written changes.

    Raises:
        ArmatureError: as `Writing.advance` and `Settings`.
    """
    change = Change(new_rotations, new_translations, rotations_changed, translations_changed)
    writing = Writing(clip, change, Settings(target, keys, tolerance))
    while not writing.advance(bpy.context, 10.0):
        pass
    return writing.written


class Writing:
    """The writing of a changed clip, done in short pieces; between two of them nothing of Blender's is held.

    Args:
        clip: complete, as `armature.read` and `armature.evaluate` made it.
        change: as the engine returns it; bones that are locked are passed over.
        settings: where it goes.

    Attributes:
        written: what was written, once `advance` has returned True; None where no bone that may be written changes,
            and then nothing is done.
    """

    def __init__(self, clip: Clip, change: Change, settings: Settings) -> None:
        self.written: Written | None = None
        self.fraction = 0.0
        self._clip, self._settings = clip, settings
        self._change = Change(
            change.rotations,
            change.translations,
            change.turned.astype(bool) & ~clip.rotations_locked,
            change.moved.astype(bool) & ~clip.translations_locked,
        )
        self._steps = self._run()
        self._result: _Result | None = None

    def advance(self, context: Context, seconds: float) -> bool:
        """Write for about so long; whether it is done.

        Raises:
            ArmatureError: the armature or the action is gone, or was edited since it was read; nothing is changed.
        """
        self._context, self._deadline = context, time.monotonic() + seconds
        return all(time.monotonic() < self._deadline for _ in self._steps)

    def abandon(self) -> None:
        """Leave the armature as it was before, if the writing is not over."""
        self._steps.close()

    def take_back(self) -> None:
        """Leave the armature as it was before, after the writing."""
        if self._result is not None:
            self._result.take_back()

    def _run(self) -> Generator[None, None, None]:
        clip = self._clip
        ob = armature.resolve(clip)
        if reason := armature.refusal_to_write(ob, self._settings.target):
            raise ArmatureError(f"{reason}; nothing was changed.")
        check_unedited(ob, clip)
        if self._settings.held:
            self._clip = clip = clip.held()
        change = self._change
        if not clip.action_uid and rig.strips(ob):
            # An action above NLA strips hides them on all frames, so a bone that it turns it must turn throughout.
            change = change.throughout(clip)
        if not (change.turned.any() or change.moved.any()):
            return
        self._result = result = _Result(ob, clip, self._settings)
        try:
            missed, worst = 0.0, ""
            switched: tuple[str, ...] = ()
            if clip.puppet is None:
                change = local(ob, clip, change)
                yield
            else:
                settling = Settling(ob, clip, change)
                switched = result.throw(settling)
                yield from self._settle(result, settling)
                change, missed, worst = settling.change, settling.missed, settling.worst
                if self._settings.keys != keying.EVERY or self._settings.poses is not None:
                    result.start_again()
                    result.throw(settling)
            keys = yield from self._told(result.put(change, self._settings))
            resting = result.resting(armature.resolve(result.clip))
            action = result.finish(change)
        except BaseException:
            result.take_back()
            raise
        touched = change.turned.any(axis=0) | change.moved.any(axis=0)
        self.written = Written(
            (action, result.clip.slot),
            tuple(name for name, own in zip(clip.names, touched.tolist(), strict=True) if own),
            keys,
            switched,
            float(np.degrees(missed)),
            worst,
            resting,
            result.switches,
            result.extrapolation,
        )

    def _told(self, steps: Generator[float, None, int]) -> Generator[None, None, int]:
        """Do the steps, each of which gives what share is done."""
        while True:
            try:
                self.fraction = next(steps)
            except StopIteration as ended:
                return int(ended.value)
            yield

    def _settle(self, result: _Result, settling: Settling) -> Generator[None, None, None]:
        """Let Blender evaluate the puppet's keys, and put right what is off."""
        clip, rows = self._clip, settling.rows
        for number in range(PASSES):
            for _ in result.put(settling.change):
                yield
            poses = np.empty((len(rows), len(clip.names), 4, 4), np.float32)
            seen = Seen.room(len(rows), len(clip.names))
            done = 0
            while done < len(rows):
                ob = armature.resolve(result.clip)
                camera = Camera(ob, clip)
                with stage.evaluation(ob, self._context) as evaluated:
                    while done < len(rows):  # at least one, however long it took to begin
                        poses[done], bones = camera.take(evaluated(clip.scene_frames[rows[done]]))
                        assert bones is not None  # of a puppet
                        seen.put(done, bones)
                        done += 1
                        if time.monotonic() > self._deadline:
                            break
                self.fraction = 1.0 - 0.5**number * (1.0 - 0.5 * done / len(rows))
                yield
            if settling.correct(poses, seen):
                return


class _Result:
    """The action that a result is written to.

    Attributes:
        clip: as given, but animated by that action.
        switches: see `Written`.
    """

    def __init__(self, ob: Object, clip: Clip, settings: Settings) -> None:
        self._settings, self._read = settings, clip
        self._saved: dict[tuple[str, int], curves.Keys] = {}
        self._properties: list[tuple[str, str, float]] = []
        self._bare = ob.animation_data is None
        self.extrapolation = "HOLD" if self._bare else str(ob.animation_data.action_extrapolation)
        self._names = [bone.name for bone in ob.data.bones]
        self.switches: dict[str, tuple[str, ...]] = {}
        self.clip = clip
        if settings.target != "OVERWRITE":
            self._begin(ob)
        self._hold(ob)

    def _hold(self, ob: Object) -> None:
        """Let every curve that moves the armature stay at its value on the first frame, where that is asked for."""
        clip, animation = self.clip, ob.animation_data
        for curve in list(compat.curves(animation)) if self._settings.held else ():
            path = curve.data_path
            moves = rig.is_motion_path(path) or (rig.bone_of(path) and path.endswith('"]'))
            if moves and curves.has_values(curve) and curves.is_writable(curve):
                values = curves.sample(curve, clip.frames)
                varies = np.abs(values - values[0]) > 0
                own = self._curve(animation, curve, path, curve.array_index, rig.bone_of(path))
                curves.rewrite(own, clip.frames, values, np.full(len(values), values[0]), varies)

    def _begin(self, ob: Object) -> None:
        clip = self._read
        original = (ob.animation_data or ob.animation_data_create()).action
        if original is not None:
            action, slot = original.copy(), clip.slot
        else:
            action = bpy.data.actions.new(clip.armature)
            slot = compat.new_slot(action, ob)
            let_strips_go_on(ob)
        try:
            action.name = _named(clip.action or clip.armature, self._settings.suffix)
            assign(ob, action, slot)
        except BaseException:
            bpy.data.actions.remove(action)
            raise
        self.clip = replace(clip, action=action.name, action_uid=action.session_uid, slot=slot)

    def put(self, change: Change, settings: Settings | None = None) -> Generator[float, None, int]:
        """Set the keys of changed channels, on every frame if not told else, in short pieces; may be called again.

        Gives what share is done after each piece, and returns the number of keys.
        """
        clip, keys, done = self.clip, 0, 0
        rewrite = yield from self._rewrite(change, settings or Settings())
        for bones, channel, count in _blocks(clip):
            ob = armature.resolve(clip)
            if channel == "location":
                raw, changed = clip.raw_locations[:, bones], change.moved[:, bones]
                values = np.where(changed[..., None], change.translations[:, bones], raw)
            else:
                raw, changed = clip.raw_rotations[:, bones, :count], change.turned[:, bones]
                mode = clip.modes[bones[0]]
                values = rotations.to_channels(change.rotations[:, bones], mode, raw, changed)
            keys += self._put_channel(ob, bones, channel, raw, values, changed, rewrite)
            done += len(bones)
            yield 0.5 * done / len(clip.names)
        return keys

    def _rewrite(self, change: Change, settings: Settings) -> Generator[float, None, keying.Rewrite]:
        """Find out how keys are set, in short pieces."""
        every = keying.every(self.clip)
        if settings.poses is not None:
            return keying.poses(self.clip, settings.poses)
        if settings.keys == keying.EVERY:
            return every
        if settings.keys == keying.ORIGINAL:
            ob = armature.resolve(self.clip)
            return keying.original(self.clip, _present(ob, self.clip, change))
        steps = keying.reduced(
            self.clip, change.rotations, change.translations, change.turned, change.moved, settings.tolerance
        )
        while True:
            try:
                next(steps)
            except StopIteration as ended:
                few = ended.value
                break
            yield 0.0

        def rewrite(curve: FCurve, bone: int, *rest: Any) -> int:
            # The object's location is in other units than those of its bones.
            chosen = every if self.clip.names[bone] == self.clip.object_name else few
            return int(chosen(curve, bone, *rest))

        return rewrite

    def _put_channel(
        self,
        ob: Object,
        bones: np.ndarray,
        channel: str,
        old: np.ndarray,
        new: np.ndarray,
        changed: np.ndarray,
        rewrite: keying.Rewrite,
    ) -> int:
        """Write a property of B bones, (T, B, C) and changed (T, B); counts the keys."""
        clip, animation = self.clip, ob.animation_data
        found = armature.motion_curves(animation)
        keys = 0
        for b in np.flatnonzero(changed.any(axis=0)).tolist():
            name = clip.names[bones[b]]
            path = rig.path(armature.owner(ob, clip, name), channel)
            for i in range(new.shape[-1]):
                curve = self._curve(animation, found.get((path, i)), path, i, name)
                keys += rewrite(curve, int(bones[b]), channel, i, old[:, b, i], new[:, b, i], changed[:, b])
        return keys

    def _curve(
        self, animation: AnimData, found: FCurve | None, path: str, index: int, name: str
    ) -> FCurve:
        """A curve to write to, remembered as it was where it is the user's own."""
        if self._settings.target == "OVERWRITE" and (path, index) not in self._saved:
            self._saved[path, index] = curves.saved(found) if found is not None else {}
        if found is not None:
            return found
        group = "Object Transforms" if name == self.clip.object_name else name
        return compat.new_curve(animation, path, index, group)

    def throw(self, settling: Settling) -> tuple[str, ...]:
        """Key custom properties so that a control rig obeys while it changes; names the limbs."""
        ob, frames = armature.resolve(self.clip), self.clip.frames
        animation, driven = ob.animation_data, rig.driven_paths(ob)
        for switch, rows in zip(settling.switches, settling.frames, strict=True):
            bone, name, value = ob.pose.bones[switch["bone"]], switch["property"], float(switch["value"])
            path = rig.property_path(bone, name)
            bones = (settling.bones_of(switch), self.switches.get(path, ()))
            self.switches[path] = tuple(dict.fromkeys(bone for some in bones for bone in some))
            if path in driven:
                raise ArmatureError(
                    f"{switch['bone']} has a driver on its {name}: set it to {value:g} yourself, then clean again."
                )
            self._properties.append((switch["bone"], name, bone[name]))
            curve = next((c for c in compat.curves(animation) if c.data_path == path), None)
            before = curves.sample(curve, frames) if curve is not None else np.full(len(frames), float(bone[name]))
            curve = self._curve(animation, curve, path, 0, switch["bone"])
            wanted, thrown = np.full(len(frames), value), np.zeros(len(frames), bool)
            thrown[rows] = True
            curves.rewrite(curve, frames, before, wanted, thrown & (np.abs(before - wanted) > 1e-6))
        return tuple(dict.fromkeys(limb(switch["joints"][0]) for switch in settling.switches))

    def finish(self, change: Change) -> Action:
        """Leave the result where it belongs; its action."""
        ob = armature.resolve(self.clip)
        action, original = ob.animation_data.action, action_of_uid(self._read.action_uid)
        if self._settings.target == "NLA":
            _keep_changed(ob, self.clip, change)
            resting = self.resting(ob) if not rig.strips(ob) else {}
            if resting:
                _rest(ob, resting)
            _push(ob, original, self._read.slot, action, self.clip.slot, self.extrapolation)
        if original is not None and original.is_editable:
            original.use_fake_user = True
        action.use_fake_user = True  # a result that is compared and put aside for a while is not lost on saving
        ob.update_tag(refresh={"OBJECT", "DATA", "TIME"})
        return action

    def start_again(self) -> None:
        """Throw away what was put."""
        ob = armature.resolve(self.clip)
        self.take_back()
        self._saved, self._properties, self.clip = {}, [], self._read
        if self._settings.target != "OVERWRITE":
            self._begin(ob)
        self._hold(ob)

    def resting(self, ob: Object) -> dict[tuple[str, int], float]:
        """Values of the channels that the result has keys for and the original has none."""
        clip, values, original = self._read, {}, action_of_uid(self._read.action_uid)
        if self._settings.target == "OVERWRITE":
            return {}
        for _, bone, channel, raw, keyed in armature.channels(ob, clip):
            for i in np.flatnonzero(~keyed).tolist():
                values[rig.path(bone, channel), i] = float(raw[0, i])
        for bone_name, name, value in self._properties:
            values[rig.property_path(ob.pose.bones[bone_name], name), 0] = float(value)
        written = {(curve.data_path, curve.array_index) for curve in compat.curves(ob.animation_data)}
        had = compat.curves_of(original, clip.slot) if original is not None else ()
        for curve in had:
            values.pop((curve.data_path, curve.array_index), None)
        return {key: value for key, value in values.items() if key in written}

    def take_back(self) -> None:
        """Leave the armature as it was, as far as it is still there."""
        action, original = action_of_uid(self.clip.action_uid), action_of_uid(self._read.action_uid)
        ob = armature.of_uid(self.clip.armature_uid)
        resting: dict[tuple[str, int], float] = {}
        if ob is not None:
            with contextlib.suppress(ArmatureError):  # another action was assigned meanwhile
                resting = self.resting(armature.resolve(self.clip))
            for bone, name, value in self._properties:
                if bone in ob.pose.bones:
                    ob.pose.bones[bone][name] = value
        if self._settings.target != "OVERWRITE":
            if ob is not None and ob.animation_data is not None and ob.animation_data.action == action:
                assign(ob, original, self._read.slot)
                rig.rest(ob, resting)
                ob.animation_data.action_extrapolation = self.extrapolation
            if action is not None:
                _follow_names(original, self._read.slot, self._renamed(ob))
                bpy.data.actions.remove(action)
            if ob is not None and self._bare and _is_bare(ob.animation_data):
                ob.animation_data_clear()
        elif ob is not None and ob.animation_data is not None and ob.animation_data.action == original:
            found = {(c.data_path, c.array_index): c for c in compat.curves(ob.animation_data)}
            for key, keys in self._saved.items():
                if key in found and keys:
                    curves.restore(found[key], keys)
                elif key in found:
                    compat.remove_curve(ob.animation_data, found[key])

    def _renamed(self, ob: Object | None) -> dict[str, str]:
        """Old name -> new name of bones renamed since the writing began; none where some were added or removed."""
        names = [bone.name for bone in ob.data.bones] if ob is not None else []
        if len(names) != len(self._names):
            return {}
        return {old: new for old, new in zip(self._names, names, strict=True) if old != new}


def _follow_names(original: Action | None, slot: str, renamed: Mapping[str, str]) -> None:
    """Give an action's curves the new names of bones that were renamed while a copy of it was in use.

    Blender renames in actions that are in use alone.
    """
    for curve in compat.curves_of(original, slot) if original is not None and renamed else ():
        bone = rig.bone_of(curve.data_path)
        if bone in renamed:
            group = curve.group
            curve.data_path = rig.renamed(curve.data_path, renamed[bone])
            if group is not None and group.name == bone:
                group.name = renamed[bone]


def _is_bare(animation: AnimData | None) -> bool:
    """Whether there is nothing in it."""
    return animation is not None and not (animation.action or len(animation.drivers) or len(animation.nla_tracks))


def _blocks(clip: Clip) -> Iterator[tuple[np.ndarray, str, int]]:
    """Few bones at a time, of one rotation mode, and a channel of theirs with its size; each bone comes twice."""
    size = max(1, min(_BLOCK, _BLOCK_KEYS // len(clip)))
    for mode in dict.fromkeys(clip.modes):
        alike = np.array([j for j, other in enumerate(clip.modes) if other == mode])
        for start in range(0, len(alike), size):
            yield alike[start : start + size], *rotations.channels(mode)
    everything = np.arange(len(clip.names))
    for start in range(0, len(everything), size):
        yield everything[start : start + size], "location", 3


def limb(joint: str) -> str:
    """ "left leg" for ``left_hip``."""
    side, _, part = joint.partition("_")
    return f"{side} {'leg' if part in ('hip', 'knee', 'ankle', 'foot') else 'arm'}"


def action_of_uid(uid: int) -> Action | None:
    """The action of this ``session_uid``, where it still is."""
    return next((action for action in bpy.data.actions if action.session_uid == uid), None)


def check_unedited(ob: Object, clip: Clip) -> None:
    """Raise ArmatureError where a keyed channel, or a bone's rotation mode, is no longer what was read."""
    modes = tuple(armature.owner(ob, clip, name).rotation_mode for name in clip.names)
    found = armature.motion_curves(ob.animation_data)
    same = modes == clip.modes and all(
        (curve := found.get((rig.path(bone, channel), i))) is not None
        and (curves.sample(curve, clip.frames) == raw[:, i]).all()
        for _, bone, channel, raw, keyed in armature.channels(ob, clip)
        for i in np.flatnonzero(keyed).tolist()
    )
    if not same:
        raise ArmatureError(
            f"{clip.action} was edited since it was read; nothing was changed: run the tool again."
        )


def _present(ob: Object, clip: Clip, change: Change) -> Iterator[tuple[int, str, FCurve]]:
    """Bone, property and curve of every channel that has one and is about to change."""
    found = armature.motion_curves(ob.animation_data)
    for j, bone, channel, _, keyed in armature.channels(ob, clip):
        changed = change.moved[:, j] if channel == "location" else change.turned[:, j]
        for i in range(len(keyed)) if changed.any() else ():
            if (curve := found.get((rig.path(bone, channel), i))) is not None:
                yield j, channel, curve


def local(ob: Object, clip: Clip, change: Change) -> Change:
    """The channel values of a clip that is no puppet, where it changes."""
    turns = np.where(change.turned[..., None], change.rotations, clip.rotations)
    places = np.where(change.moved[..., None], change.translations, clip.translations)
    if clip.poses is not None:
        _undo_inheritance(ob, clip, turns, places, change.turned | change.moved)
    if clip.object_name:
        clip.to_object(turns[:, 0], places[:, 0])
    return replace(change, rotations=turns, translations=places)


def _undo_inheritance(
    ob: Object, clip: Clip, new_rotations: np.ndarray, new_translations: np.ndarray, changed: np.ndarray
) -> None:
    """Turn local transforms into the channel values of bones that inherit in an unusual way; in place."""
    bones = [(j, name) for j, name in enumerate(clip.names) if name != clip.object_name]
    unusual = [j for j, name in bones if not rig.inherits_by_default(ob.pose.bones[name]) and changed[:, j].any()]
    if not unusual:
        return
    poses = clip.posed(new_rotations, new_translations)
    for j in unusual:
        bone, parent = ob.data.bones[clip.names[j]], int(clip.parents[j])
        within = bone.parent is not None
        for t in np.flatnonzero(changed[:, j]).tolist():
            pose = poses[t, j]
            if parent >= 0 and not within:
                pose = np.linalg.inv(poses[t, parent]) @ pose  # of the object, which carries the root
            above = {}
            if within:
                above = {
                    "parent_matrix": Matrix(poses[t, parent]),
                    "parent_matrix_local": bone.parent.matrix_local,
                }
            channels = bone.convert_local_to_pose(Matrix(pose), bone.matrix_local, **above, invert=True)
            location, quaternion, _ = channels.decompose()
            new_rotations[t, j], new_translations[t, j] = quaternion, location


def _named(name: str, suffix: str) -> str:
    """``walk`` becomes ``walk_clean``; a second cleaning of it ``walk_clean.001``, as Blender counts."""
    room = bpy.types.ID.bl_rna.properties["name"].length_max - 1 - len(suffix)
    stem = name.rpartition(suffix)[0] or name
    if name[len(stem) + len(suffix) :].strip(".0123456789"):
        stem = name
    return stem.encode()[:room].decode(errors="ignore") + suffix


def let_strips_go_on(ob: Object) -> None:
    """Let NLA strips be seen outside the keys of an action above them."""
    if rig.strips(ob):
        ob.animation_data.action_extrapolation = "NOTHING"


def assign(ob: Object, action: Action | None, slot: str) -> None:
    """Let an action animate the object, through the tweaked NLA strip where there is one."""
    animation, strip = ob.animation_data or ob.animation_data_create(), rig.tweaked_strip(ob)
    if strip is None:
        compat.assign(animation, action, slot)
        return
    animation.use_tweak_mode = False
    try:
        compat.assign_to_strip(strip, action, slot)
    finally:
        animation.use_tweak_mode = True


def _keep_changed(ob: Object, clip: Clip, change: Change) -> None:
    """Take every curve that shows no change out of the assigned action."""
    kept = {
        rig.path(bone, channel)
        for j, bone, channel, _, _ in armature.channels(ob, clip)
        if (change.moved if channel == "location" else change.turned)[:, j].any()
    }
    for curve in list(compat.curves(ob.animation_data)):
        if curve.data_path not in kept and not curve.data_path.endswith('"]'):
            compat.remove_curve(ob.animation_data, curve)


def _rest(ob: Object, values: Mapping[tuple[str, int], float]) -> None:
    """Hold channels at values by an NLA strip of its own, so that muting those to come above it brings them back."""
    animation = ob.animation_data
    action = bpy.data.actions.new(f"{ob.name}_rest")
    slot = compat.new_slot(action, ob)
    compat.assign(animation, action, slot)
    for (path, index), value in values.items():
        curve = compat.new_curve(animation, path, index, "Rest")
        curve.keyframe_points.insert(0.0, value)
    animation.action = None
    track = animation.nla_tracks.new()
    track.name = action.name
    strip = track.strips.new(action.name, 0, action)
    compat.assign_to_strip(strip, action, slot)
    strip.influence, strip.extrapolation = 1.0, "HOLD"


def _push(
    ob: Object, original: Action | None, slot: str, action: Action, new_slot: str, extrapolation: str
) -> None:
    """Put the result on an NLA track of its own, above a track with the original."""
    animation = ob.animation_data
    blend, influence = animation.action_blend_type, animation.action_influence
    beyond = "NOTHING" if original is None and rig.strips(ob) else "HOLD"
    animation.action, animation.action_extrapolation = None, extrapolation
    layers = [(action, new_slot, "REPLACE", 1.0)]
    if original is not None:
        layers.insert(0, (original, slot, blend, influence))
    for layer, identifier, mixed, share in layers:
        track = animation.nla_tracks.new()
        track.name = layer.name
        begin = layer.frame_range[0]
        strip = track.strips.new(layer.name, math.floor(begin), layer)
        compat.assign_to_strip(strip, layer, identifier)
        strip.frame_start = begin
        strip.influence = 1.0  # new ones are shown with none, and begin with that once it is animated
        strip.blend_type, strip.extrapolation = mixed, beyond
        if share < 1.0:
            strip.use_animated_influence = True
            strip.influence = share
            strip.fcurves.find("influence").keyframe_points.insert(begin, share)
    animation.use_nla = True
