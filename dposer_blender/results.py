# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last run made of an armature, kept with it in the file: ``object.dposer_result``.

The original action, the result beside it, and the variants to choose from: small actions, hidden by the dot that their
names begin with, of the curves alone in which a variant differs from the original.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)
from bpy.types import Action, NlaTrack, Object, PropertyGroup

from . import compat, curves, rig, writing

Keys: TypeAlias = "dict[tuple[str, int], curves.Keys]"
"""Keys of curves by data path and index."""


_OVERRIDABLE = {"LIBRARY_OVERRIDABLE"}


class DPoserVariant(PropertyGroup):
    """One of several results.

    Attributes:
        action: the curves in which it differs from the original.
        seed: of its random numbers.
        share: how much of all that is likely it stands for, 0 to 1; 0 where that says nothing.
    """

    action: PointerProperty(
        type=Action, name="Action", description="Curves in which this variant differs from the original",
        override=_OVERRIDABLE,
    )  # fmt: skip
    seed: IntProperty(
        name="Seed", description="Start of the random numbers that this variant comes from", override=_OVERRIDABLE
    )
    share: FloatProperty(
        name="Share", description="How much of all that is likely this variant stands for", min=0.0, max=1.0,
        subtype="FACTOR", override=_OVERRIDABLE,
    )  # fmt: skip


class DPoserResult(PropertyGroup):
    """What a run made.

    Attributes:
        tool: what made it, in a word.
        original, original_slot: the action that was read, and the identifier of its slot; none where there was none.
        result, result_slot: the action that was written; none where there is no result.
        rest: keys at frame 0, with the values of channels that the result has keys for and the original has none.
        full: the curves in which the result differs, from before it was blended.
        switches: JSON, data path of a custom property that was switched -> bones that obey because of it.
        joints: JSON, body joint -> bones that its edits turn; empty where the tool needed none.
        variants: see `DPoserVariant`; none where there was one result.
        index: which of them the result shows.
        run: tells the run that made it from all others.
        bare: whether there was no action to make it from, but a pose or NLA strips.
        layer: whether the result was written as an NLA layer.
        extrapolation: what the animation did outside the keys of its action, before.
        seed: of a result without variants.
    """

    tool: StringProperty(name="Tool", description="What made the result, in a word", override=_OVERRIDABLE)
    original: PointerProperty(
        type=Action, name="Original", description="The action that the result was made from", override=_OVERRIDABLE
    )
    original_slot: StringProperty(
        name="Original Slot", description="The slot of the original action", override=_OVERRIDABLE
    )
    result: PointerProperty(
        type=Action, name="Result", description="The action that holds the result", override=_OVERRIDABLE
    )
    result_slot: StringProperty(
        name="Result Slot", description="The slot of the result's action", override=_OVERRIDABLE
    )
    rest: PointerProperty(
        type=Action, name="Rest", description="Values of channels that only the result has keys for",
        override=_OVERRIDABLE,
    )  # fmt: skip
    full: PointerProperty(
        type=Action, name="Full", description="The result's curves from before it was blended", override=_OVERRIDABLE
    )
    switches: StringProperty(
        name="Switches", description="Custom properties that the result switches, and their bones",
        override=_OVERRIDABLE,
    )  # fmt: skip
    joints: StringProperty(
        name="Joints", description="Which bones are which joints of the body", override=_OVERRIDABLE
    )
    variants: CollectionProperty(
        type=DPoserVariant, name="Variants", description="Several results to choose from",
        override=_OVERRIDABLE | {"USE_INSERTION"},
    )  # fmt: skip
    run: StringProperty(name="Run", description="Tells the run that made the result from others", override=_OVERRIDABLE)
    bare: BoolProperty(
        name="Without Action", description="The result was made from a pose or NLA strips", override=_OVERRIDABLE
    )
    extrapolation: StringProperty(
        name="Extrapolation", description="What the animation did outside the keys of its action",
        override=_OVERRIDABLE,
    )  # fmt: skip
    layer: BoolProperty(name="Layer", description="The result was written as an NLA layer", override=_OVERRIDABLE)
    index: IntProperty(name="Variant", description="Which variant the result shows", min=0, override=_OVERRIDABLE)
    seed: IntProperty(name="Seed", description="Start of the random numbers of the result", override=_OVERRIDABLE)


def of(ob: Object | None) -> DPoserResult | None:
    """What was made of an armature, where its result still is."""
    if ob is None or ob.type != "ARMATURE" or ob.dposer_result.result is None:
        return None
    return ob.dposer_result


def remember(
    ob: Object,
    tool: str,
    original: tuple[Action | None, str],
    result: tuple[Action, str],
    written: writing.Written,
    joints: Mapping[str, Sequence[str]],
    layer: bool = False,
) -> DPoserResult:
    """Keep a result that has just been written, in place of the one before.

    Args:
        ob: the armature.
        tool: what made the result, in a word.
        original, result: actions, and the identifiers of their slots.
        written: how it was written.
        joints: body joint -> bones that its edits turn.
        layer: whether it is an NLA layer.
    """
    forget(ob)
    record = ob.dposer_result
    record.tool, record.run = tool, os.urandom(16).hex()
    record.bare, record.layer, record.extrapolation = original[0] is None, layer, written.extrapolation
    record.original, record.original_slot = original
    record.result, record.result_slot = result
    record.switches, record.joints = json.dumps(written.switches), json.dumps(joints)
    _hold(ob, written)
    return record


def _hold(ob: Object, written: writing.Written) -> None:
    """Keep the values of channels that the result has keys for and the original has none."""
    record = ob.dposer_result
    known = resting(record, ob)
    for (path, index), value in written.resting.items():
        if (path, index) in known:
            continue
        if record.rest is None:
            record.rest = _stored(ob, f".{record.result.name} rest", {})
        curve = compat.new_curve_of(record.rest, slot_of(record.rest, ob), path, index, "Rest")
        curve.keyframe_points.insert(0.0, value)


def widen(ob: Object, written: writing.Written) -> None:
    """Make the record one of what more variants need, too; a result that has none becomes the first of them."""
    record = ob.dposer_result
    _hold(ob, written)
    both = [switches(record), written.switches]
    paths = dict.fromkeys(path for some in both for path in some)
    record.switches = json.dumps(
        {path: list(dict.fromkeys(bone for some in both for bone in some.get(path, ()))) for path in paths}
    )
    if not record.variants:
        original, result = (record.original, record.original_slot), (record.result, record.result_slot)
        full = record.full
        add_variant(ob, stored(full, ob) if full else differences(original, result), record.seed, 0.0)
        record.full = None
        _remove([full])


def add_variant(ob: Object, keys: Keys, seed: int, share: float) -> None:
    """Keep one of several results, see `differences`."""
    record = ob.dposer_result
    variant = record.variants.add()
    variant.action = _stored(ob, f".{record.tool} {len(record.variants)}", keys)
    variant.seed, variant.share = seed, share


def keep_full(ob: Object, keys: Keys) -> None:
    """Keep the curves in which the result differs, before it is blended; see `differences`."""
    ob.dposer_result.full = _stored(ob, f".{ob.dposer_result.result.name} full", keys)


def bones_of(record: DPoserResult, joints: Iterable[str]) -> set[str]:
    """The bones that edits of joints of the body turn."""
    turned: Mapping[str, Sequence[str]] = json.loads(record.joints) if record.joints else {}
    return {bone for joint in joints for bone in turned.get(joint, ())}


def forget(ob: Object) -> None:
    """Let go of the result, which stays as it is, and remove what only this record knows."""
    record = ob.dposer_result
    own = [record.rest, record.full, *(variant.action for variant in record.variants)]
    names = ("tool", "original", "original_slot", "result", "result_slot", "switches", "joints", "index", "seed")
    for name in (*names, "run", "bare", "layer", "extrapolation"):
        record.property_unset(name)
    record.rest = record.full = None
    record.variants.clear()
    _remove(own)


def _remove(own: Iterable[Action | None]) -> None:
    """Remove actions that no one else uses, such as a copy of the armature."""
    for action in own:
        if action is not None and not is_used(action):
            bpy.data.actions.remove(action)


def is_used(action: Action) -> bool:
    """Whether anything uses an action; a fake user is none."""
    return bool(action.users - action.use_fake_user)


def lost_slot(ob: Object) -> str:
    """Why the record of an armature cannot be followed, in a few words; empty where it can."""
    record = ob.dposer_result
    if record.original is None and not record.bare:
        return "The original action was deleted: undo that, or keep the result as it is"
    pairs = ((record.original, record.original_slot), (record.result, record.result_slot))
    for action, slot in pairs if compat.HAS_SLOTS else ():
        if action is not None and slot and slot not in [str(own.identifier) for own in action.slots]:
            return f"{action.name} no longer has the slot {slot[2:]}: undo what was done to it first"
    return ""


def differences(original: tuple[Action | None, str], result: tuple[Action, str]) -> Keys:
    """The keys of every curve of the result that the original lacks, or has other keys in."""
    had = {(c.data_path, c.array_index): c for c in compat.curves_of(*original)} if original[0] else {}
    return {
        (curve.data_path, curve.array_index): curves.saved(curve)
        for curve in compat.curves_of(*result)
        if (before := had.get((curve.data_path, curve.array_index))) is None or not curves.alike(before, curve)
    }


def stored(action: Action, ob: Object) -> Keys:
    """The keys that `add_variant` kept."""
    return {
        (c.data_path, c.array_index): curves.saved(c) for c in compat.curves_of(action, slot_of(action, ob))
    }


def show(ob: Object, keys: Keys) -> None:
    """Let the result be the original but for these keys."""
    record = ob.dposer_result
    original = (record.original, record.original_slot)
    had = {(c.data_path, c.array_index): c for c in compat.curves_of(*original)} if original[0] else {}
    result, slot = record.result, record.result_slot
    found = {(c.data_path, c.array_index): c for c in compat.curves_of(result, slot)}
    for key, curve in found.items():
        if key in keys:
            curves.restore(curve, keys[key])
        elif key not in had:
            compat.remove_curve_of(result, slot, curve)
        elif not curves.alike(had[key], curve):
            curves.restore(curve, curves.saved(had[key]))
    for key in keys.keys() - found.keys():
        curves.restore(compat.new_curve_of(result, slot, *key, group_of(key[0])), keys[key])
    ob.update_tag(refresh={"OBJECT", "DATA", "TIME"})


def show_variant(ob: Object, index: int) -> None:
    """Let the result be one of the variants, and the armature show it."""
    record = ob.dposer_result
    variant = record.variants[index]
    show(ob, stored(variant.action, ob))
    record.index = index
    if track_of(ob, record) is None:
        assign(ob, record, original=False)


def drop_variants(ob: Object) -> None:
    """Keep the result as it is, and of the variants the one that it shows."""
    record = ob.dposer_result
    record.full = record.variants[record.index].action
    own = [variant.action for variant in record.variants]
    record.variants.clear()
    record.index = 0
    _remove(own)


def track_of(ob: Object, record: DPoserResult) -> NlaTrack | None:
    """The NLA track whose one strip is the result; None where the result was not written as a layer."""
    animation = ob.animation_data
    tracks = animation.nla_tracks if animation is not None and record.layer else ()
    return next((t for t in tracks if len(t.strips) == 1 and t.strips[0].action == record.result), None)


def remove_layer(ob: Object, record: DPoserResult) -> None:
    """Take the result's track away; the original, on the track below, stays."""
    ob.animation_data.nla_tracks.remove(track_of(ob, record))
    ob.update_tag(refresh={"OBJECT", "DATA", "TIME"})


def resting(record: DPoserResult, ob: Object) -> dict[tuple[str, int], float]:
    """Channels that the result has keys for and the original has none, and their values without it."""
    if record.rest is None:
        return {}
    found = compat.curves_of(record.rest, slot_of(record.rest, ob))
    return {(c.data_path, c.array_index): c.evaluate(0.0) for c in found}


def switches(record: DPoserResult) -> Mapping[str, Sequence[str]]:
    """Data path of each custom property that was switched -> bones that obey because of it."""
    return json.loads(record.switches) if record.switches else {}


def assign(ob: Object, record: DPoserResult, original: bool) -> None:
    """Let the original, or else the result, animate the armature."""
    if original:
        writing.assign(ob, record.original, record.original_slot)
        rig.rest(ob, resting(record, ob))
        ob.animation_data.action_extrapolation = record.extrapolation or "HOLD"
    else:
        writing.assign(ob, record.result, record.result_slot)
        if record.bare:
            writing.let_strips_go_on(ob)
    ob.update_tag(refresh={"OBJECT", "DATA", "TIME"})


def slot_of(action: Action, ob: Object) -> str:
    """The identifier of the only slot of an action of ours; empty before slots."""
    return str(action.slots[0].identifier) if compat.HAS_SLOTS else ""


def group_of(path: str) -> str:
    """The group that a curve of this data path is shown under."""
    return rig.bone_of(path) or "Object Transforms"


def _stored(ob: Object, name: str, keys: Keys) -> Action:
    """A hidden action of some curves."""
    action = bpy.data.actions.new(name)
    slot = compat.new_slot(action, ob)
    for (path, index), own in keys.items():
        curves.restore(compat.new_curve_of(action, slot, path, index, group_of(path)), own)
    return action


def register() -> None:
    """Give each object its record."""
    Object.dposer_result = PointerProperty(
        type=DPoserResult,
        name="DPoser Result",
        description="What DPoser last made of this armature",
        override=_OVERRIDABLE,
    )


def unregister() -> None:
    """Take the records back."""
    del bpy.types.Object.dposer_result


CLASSES = (DPoserVariant, DPoserResult)
