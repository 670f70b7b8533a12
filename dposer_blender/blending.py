# SPDX-License-Identifier: GPL-3.0-or-later
"""A result mixed with the original, without computing it anew.

Each bone's channels are mixed by themselves, rotations along the shorter arc. Where a run has switched a limb to other
controls, the switch is mixed in their place: half-way between the two sets of controls is half-way between the poses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from bpy.types import Action, FCurve, Object

from . import compat, curves, results, rig, rotations
from .errors import ArmatureError
from .results import DPoserResult

_ROTATIONS = ("rotation_quaternion", "rotation_axis_angle", "rotation_euler")


@dataclass(frozen=True)
class Blend:
    """How a result is mixed.

    Attributes:
        influence: of the result, 0 to 1.
        bones: names of the bones it is mixed on; None for all that the result changes.
        weights: (T,) of ``influence`` on the frames; where 0, what is there stays.
        frames: (T,) consecutive whole frames.
    """

    influence: float
    bones: Collection[str] | None
    weights: np.ndarray
    frames: np.ndarray


def blend(ob: Object, record: DPoserResult, how: Blend) -> int:
    """Mix an armature's result with its original; the number of bones that were mixed.

    Raises:
        ArmatureError: the original is gone, or the result differs on none of the bones.
    """
    if record.original is None and record.rest is None:
        raise ArmatureError("There is no original action to blend with: discard the result or undo.")
    full = _full(ob, record)
    had = compat.curves_of(record.original, record.original_slot) if record.original is not None else ()
    before = _Channels(ob, had, results.resting(record, ob))
    after = _Channels(ob, compat.curves_of(full, results.slot_of(full, ob)), {})
    paths = sorted({path for path, _ in after.curves})
    chosen = [path for path in paths if how.bones is None or rig.bone_of(path) in how.bones]
    thrown = _thrown(record, before, after, how.frames)
    if how.bones is not None:
        chosen += [path for path, bones in results.switches(record).items() if set(how.bones) & set(bones)]
    chosen = [path for path in dict.fromkeys(chosen) if path in paths]
    if not chosen:
        raise ArmatureError("The result differs from the original on none of these bones: choose others.")
    now = {(c.data_path, c.array_index): c for c in compat.curves_of(record.result, record.result_slot)}
    for path in chosen:
        share = np.full(len(how.frames), how.influence)
        share[thrown.get(rig.bone_of(path), np.zeros(len(share), bool)) & (not path.endswith('"]'))] = 1.0
        values = _mixed(ob, path, before.sample(path, how.frames), after.sample(path, how.frames), share)
        for index in range(values.shape[1]):
            if (path, index) in now:
                _write(now[path, index], before.curves.get((path, index)), values[:, index], how)
    ob.update_tag(refresh={"OBJECT", "DATA", "TIME"})
    return len({rig.bone_of(path) for path in chosen})


def extent(ob: Object, record: DPoserResult) -> tuple[int, int]:
    """First and last whole frame on which the result has keys that the original lacks or has otherwise.

    Raises:
        ArmatureError: there is none.
    """
    full = _full(ob, record)
    found = [curves.extent(c) for c in compat.curves_of(full, results.slot_of(full, ob)) if curves.has_values(c)]
    if not found:
        raise ArmatureError("The result does not differ from the original.")
    first, last = min(first for first, _ in found), max(last for _, last in found)
    return int(np.ceil(first - 1e-3)), int(np.floor(last + 1e-3))


def _full(ob: Object, record: DPoserResult) -> Action:
    """The action that holds what the result is without any mixing, made where nothing was mixed so far."""
    if record.variants and record.variants[record.index].action is not None:
        return record.variants[record.index].action
    if record.full is None:
        found = results.differences((record.original, record.original_slot), (record.result, record.result_slot))
        results.keep_full(ob, found)
    return record.full


class _Channels:
    """The values of an armature's channels, by an action and what rests beside it."""

    def __init__(self, ob: Object, found: Iterable[FCurve], resting: dict[tuple[str, int], float]) -> None:
        self._ob, self._resting = ob, resting
        self.curves = {(curve.data_path, curve.array_index): curve for curve in found}

    def sample(self, path: str, frames: np.ndarray) -> np.ndarray:
        """(T, C) values of every channel of a property."""
        value = self._ob.path_resolve(path)
        still = list(value) if hasattr(value, "__len__") else [value]
        columns = []
        for index, own in enumerate(still):
            curve = self.curves.get((path, index))
            if curve is not None and curves.has_values(curve):
                columns.append(curves.sample(curve, frames))
            else:
                columns.append(np.full(len(frames), self._resting.get((path, index), float(own))))
        return np.stack(columns, axis=1)


def _thrown(
    record: DPoserResult, before: _Channels, after: _Channels, frames: np.ndarray
) -> dict[str, np.ndarray]:
    """Bone -> (T,) where a switch that the result has thrown makes it obey."""
    found: dict[str, np.ndarray] = {}
    for path, bones in results.switches(record).items():
        if (path, 0) in after.curves:
            differs = np.abs(before.sample(path, frames) - after.sample(path, frames))[:, 0] > 1e-6
            for bone in bones:
                found[bone] = found.get(bone, np.zeros(len(frames), bool)) | differs
    return found


def _mixed(ob: Object, path: str, old: np.ndarray, new: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(T, C) values of a property from ``old`` to ``new``."""
    channel = path.rpartition(".")[2]
    if channel not in _ROTATIONS:
        return old + share[:, None] * (new - old)
    bone = rig.bone_of(path)
    mode = (ob.pose.bones[bone] if bone else ob).rotation_mode
    if rotations.channels(mode)[0] != channel:
        return new  # of a mode that is not in use
    turns = rotations.slerp(rotations.to_quaternions(old, mode), rotations.to_quaternions(new, mode), share)
    everywhere = np.ones((len(old), 1), bool)
    mixed = rotations.to_channels(turns[:, None], mode, new[:, None], everywhere)[:, 0]
    return np.where((share == 1.0)[:, None], new, np.where((share == 0.0)[:, None], old, mixed))


def _write(curve: FCurve, original: FCurve | None, values: np.ndarray, how: Blend) -> None:
    """Give a curve of the result values: on its own keys where the original has those, too, else on every frame."""
    now = curves.sample(curve, how.frames)
    changed = how.weights > 0
    new = np.where(changed, now + how.weights * (values - now), now)
    same = original is not None and np.array_equal(
        curves.keyed(curve, how.frames), curves.keyed(original, how.frames)
    )
    (curves.move if same else curves.rewrite)(curve, how.frames, now, new, changed)
