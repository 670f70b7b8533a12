# SPDX-License-Identifier: GPL-3.0-or-later
"""One f-curve: its values on whole frames, and new ones for some of them that leave the rest alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from bpy.types import FCurve

CONSTANT, LINEAR, BEZIER = 0, 1, 2  # Keyframe.interpolation
GENERATED = 5  # Keyframe.type
FREE, AUTO, ALIGNED, AUTO_CLAMPED = 0, 1, 3, 4  # Keyframe.handle_left_type, handle_right_type

# Keys this near are one key, as in Blender itself.
_SAME_FRAME = 0.01

# Attributes of a key: NumPy type, numbers per key, and the value of a new key.
_ATTRIBUTES: dict[str, tuple[type[np.generic], int, float]] = {
    "co": (np.float32, 2, 0.0),
    "handle_left": (np.float32, 2, 0.0),
    "handle_right": (np.float32, 2, 0.0),
    "handle_left_type": (np.int32, 1, AUTO_CLAMPED),
    "handle_right_type": (np.int32, 1, AUTO_CLAMPED),
    "interpolation": (np.int32, 1, LINEAR),
    "easing": (np.int32, 1, 0),
    "back": (np.float32, 1, 1.70158),
    "amplitude": (np.float32, 1, 0.8),
    "period": (np.float32, 1, 4.1),
    "type": (np.int32, 1, GENERATED),
    "select_control_point": (np.bool_, 1, False),
    "select_left_handle": (np.bool_, 1, False),
    "select_right_handle": (np.bool_, 1, False),
}
_POINTS = ("co", "handle_left", "handle_right")
Keys = dict[str, np.ndarray]


@dataclass(frozen=True)
class Sparse:
    """Keys on some of the changed frames, joined by cubics.

    Attributes:
        keyed: (T,) bool, frames that get a key if they change.
        slopes: (T,) rise of the value per frame at those keys; None leaves it to automatic handles.
    """

    keyed: np.ndarray
    slopes: np.ndarray | None = None


def is_active(curve: FCurve) -> bool:
    """Whether the curve has a say in the animation: it and its group are not muted."""
    return not curve.mute and not (curve.group is not None and curve.group.mute)


def is_writable(curve: FCurve) -> bool:
    """Whether new keys may be set and have the effect they should: no lock, no modifier, no baked samples."""
    locked = curve.lock or (curve.group is not None and curve.group.lock)
    modified = any(not modifier.mute for modifier in curve.modifiers)
    return is_active(curve) and not locked and not modified and not len(curve.sampled_points)


def has_values(curve: FCurve) -> bool:
    """Whether the curve has keys or baked samples."""
    return bool(len(curve.keyframe_points) or len(curve.sampled_points))


def is_constant(curve: FCurve, value: float) -> bool:
    """Whether every key has this value, within what files round to; true for a curve without keys."""
    if len(curve.sampled_points) or len(curve.modifiers):
        return False
    return bool((np.abs(_get(curve.keyframe_points, "co")[:, 1] - value) < 1e-4).all())


def extent(curve: FCurve) -> tuple[float, float]:
    """The frames of its first and its last key; it has values."""
    first, last = curve.range()
    return first, last


def sample(curve: FCurve, frames: np.ndarray) -> np.ndarray:
    """Values (T,) float64 on whole frames (T,): straight from the keys where each frame has one."""
    points = curve.keyframe_points
    if len(points) >= len(frames) and not len(curve.modifiers):
        co = _get(points, "co")
        first = int(np.searchsorted(co[:, 0], frames[0]))
        if np.array_equal(co[first : first + len(frames), 0], frames):
            return co[first : first + len(frames), 1].astype(np.float64)
        index = np.searchsorted(co[:, 0], frames - 1e-4)
        if index[-1] < len(co) and np.abs(co[index, 0] - frames).max() < 1e-4:
            return co[index, 1].astype(np.float64)
    return np.fromiter(map(curve.evaluate, frames.tolist()), np.float64, len(frames))


def saved(curve: FCurve) -> Keys:
    """All that there is of a curve's keys."""
    return {name: _get(curve.keyframe_points, name) for name in _ATTRIBUTES}


def restore(curve: FCurve, keys: Keys) -> None:
    """Give a curve the keys that it had, see `saved`."""
    _set(curve, keys, saved(curve))


def alike(curve: FCurve, other: FCurve) -> bool:
    """Whether two curves have the same keys, handles and interpolation."""
    if len(curve.keyframe_points) != len(other.keyframe_points):
        return False
    return all(
        np.array_equal(_get(curve.keyframe_points, name), _get(other.keyframe_points, name))
        for name in (*_POINTS, "interpolation")
    )


def selected(curve: FCurve) -> np.ndarray:
    """(K,) float64 frames of the keys that are selected."""
    points = curve.keyframe_points
    return _get(points, "co")[_get(points, "select_control_point"), 0].astype(np.float64)


def keyed(curve: FCurve, frames: np.ndarray) -> np.ndarray:
    """(T,) which of the consecutive whole frames have a key, or one between frames that is nearest to them."""
    result = np.zeros(len(frames), bool)
    index = np.round(_get(curve.keyframe_points, "co")[:, 0]).astype(int) - int(frames[0])
    result[index[(index >= 0) & (index < len(frames))]] = True
    return result


def move(curve: FCurve, frames: np.ndarray, old: np.ndarray, new: np.ndarray, changed: np.ndarray) -> int:
    """Give the keys on changed frames new values, handles along with them, and add none.

    A key between two frames gets the value between theirs. What the curve does elsewhere between a key that
    moves and one that does not follows from both.

    Args:
        curve: writable.
        frames: (T,) consecutive whole frames.
        old, new: (T,) values on them.
        changed: (T,) where ``new`` counts.

    Returns:
        How many keys were set.
    """
    co = _get(curve.keyframe_points, "co")
    firsts, lasts = _runs(frames, changed)
    moved = np.flatnonzero(_within(co[:, 0], firsts, lasts)) if len(firsts) else np.zeros(0, int)
    if len(moved):
        values = np.interp(co[moved, 0], frames, np.where(changed, new, old))
        _move(curve, co, moved, values, firsts, lasts)
    return len(moved)


def rewrite(
    curve: FCurve,
    frames: np.ndarray,
    old: np.ndarray,
    new: np.ndarray,
    changed: np.ndarray,
    sparse: Sparse | None = None,
) -> int:
    """Give the curve new values on some frames, and the old ones on all others.

    Each changed frame gets a key, and so does each frame from there to the nearest keys around, as what lies
    between two keys depends on both. A key that is there keeps its type, its interpolation and its handles.
    With ``sparse``, only its frames among the changed ones get a key; the others are left to Bezier segments
    between those, and lose a key that they had. A key that is there then keeps its type alone where slopes are
    given, and its type and handles where not.

    Args:
        curve: writable; it may have no keys yet.
        frames: (T,) consecutive whole frames.
        old, new: (T,) values on them; ``old`` as `sample` gives them.
        changed: (T,) where ``new`` counts.
        sparse: which of the changed frames get a key; with slopes, the first and the last of each run do.

    Returns:
        How many keys were set, the new ones included.
    """
    if not changed.any():
        return 0
    firsts, lasts = _runs(frames, changed)
    co = _get(curve.keyframe_points, "co")
    first = _first_of_every(co[:, 0], frames, changed)
    if sparse is None and first is not None:
        _move(curve, co, first + np.flatnonzero(changed), new[changed], firsts, lasts)
        return int(changed.sum())

    keys = {name: _get(curve.keyframe_points, name) for name in _ATTRIBUTES}
    times = keys["co"][:, 0]
    inside = _within(times, firsts, lasts)
    whole = np.round(times)
    replaced = inside & (np.abs(times - whole) <= _SAME_FRAME)
    replaced[1:] &= ~(replaced[:-1] & (whole[1:] == whole[:-1]))
    wants = frames[changed if sparse is None else changed & sparse.keyed]
    if sparse is not None:
        replaced &= np.isin(whole, wants)
    held = _frames_to_hold(times[~inside], firsts, lasts, int(frames[0]), int(frames[-1]))
    added = np.setdiff1d(np.union1d(held, wants), whole[replaced]).astype(int)

    wanted = np.where(changed, new, old)
    targets = _values(curve, whole[replaced].astype(int), frames, wanted)
    fresh = _fresh(added, _values(curve, added, frames, wanted), keys)
    read = {name: array.copy() for name, array in keys.items()}
    _keep_slopes(keys, np.flatnonzero(~inside), firsts, lasts)
    rise = targets - keys["co"][replaced, 1]
    for name in _POINTS:
        keys[name][replaced, 1] += rise
    keys["co"][replaced, 1] = targets
    kept = ~inside | replaced
    merged = {name: np.concatenate([keys[name][kept], fresh[name]]) for name in _ATTRIBUTES}
    order = np.argsort(merged["co"][:, 0], kind="stable")
    merged = {name: array[order] for name, array in merged.items()}
    if sparse is not None:
        _join(merged, frames, changed, sparse)
    _set(curve, merged, read)
    return int(replaced.sum()) + len(added)


def _first_of_every(times: np.ndarray, frames: np.ndarray, changed: np.ndarray) -> int | None:
    """Position of the key on the first frame, where new values are all that changed frames need; else None.

    So it is where every frame has a key and nothing lies between, nor is one missing beyond a changed end.
    """
    first = int(np.searchsorted(times, frames[0] - _SAME_FRAME))
    after = first + len(frames)
    if after > len(times) or not np.array_equal(times[first:after], frames):
        return None
    if changed[0] and first > 0 and times[first - 1] < frames[0] - 1 - _SAME_FRAME:
        return None
    if changed[-1] and after < len(times) and not (
        frames[-1] + _SAME_FRAME < times[after] <= frames[-1] + 1 + _SAME_FRAME
    ):
        return None
    return first


def _move(
    curve: FCurve, co: np.ndarray, moved: np.ndarray, values: np.ndarray, firsts: np.ndarray, lasts: np.ndarray
) -> None:
    """Give keys new values and nothing else; ``co`` are all keys, ``moved`` positions of those in the runs."""
    points = curve.keyframe_points
    if len(moved) < len(co):
        types = ("handle_left_type", "handle_right_type")
        keys = {name: _get(points, name) for name in ("interpolation", *types)} | {"co": co}
        if _keep_slopes(keys, np.delete(np.arange(len(co)), moved), firsts, lasts):
            for name in types:
                points.foreach_set(name, keys[name])
    co[moved, 1] = values
    points.foreach_set("co_ui", co.ravel())  # takes the handles along, as an animator's drag does
    curve.update()


def _get(points: object, name: str) -> np.ndarray:
    kind, width, _ = _ATTRIBUTES[name]
    values = np.empty(len(points) * width, kind)  # type: ignore[arg-type]
    points.foreach_get(name, values)  # type: ignore[attr-defined]
    return values.reshape(-1, width) if width > 1 else values


def _set(curve: FCurve, keys: Keys, present: Keys) -> None:
    """Replace the curve's keys, which are ``present``, setting only what differs."""
    points, count = curve.keyframe_points, len(keys["co"])
    if len(points) != count:
        points.clear()
        points.add(1)
        present = {name: _get(points, name) for name in _ATTRIBUTES}  # every added key is like this one
        points.add(count - 1)
    for name, values in keys.items():
        if not np.array_equal(values, np.broadcast_to(present[name], values.shape)):
            points.foreach_set(name, np.ascontiguousarray(values).ravel())
    curve.update()


def _join(keys: Keys, frames: np.ndarray, changed: np.ndarray, sparse: Sparse) -> None:
    """Make Bezier segments between the keys on ``sparse`` frames; in place."""
    times = keys["co"][:, 0]
    index = np.round(times).astype(int) - int(frames[0])
    known = (index >= 0) & (index < len(frames)) & (np.abs(times - np.round(times)) <= _SAME_FRAME)
    at = np.flatnonzero(known)
    at = at[(changed & sparse.keyed)[index[at]]]
    inner = np.append(changed[1:], False)[index[at]]  # what follows a run is as it was
    keys["interpolation"][at[inner]] = BEZIER
    if sparse.slopes is None:
        return
    keys["handle_left_type"][at] = keys["handle_right_type"][at] = ALIGNED
    gaps = np.diff(times.astype(np.float64)) if len(times) > 1 else np.ones(1)
    slopes = sparse.slopes[index[at]]
    for name, third in (
        ("handle_left", -gaps[np.maximum(at - 1, 0)] / 3),
        ("handle_right", gaps[np.minimum(at, len(gaps) - 1)] / 3),
    ):
        keys[name][at, 0] = times[at] + third
        keys[name][at, 1] = keys["co"][at, 1] + slopes * third


def _runs(frames: np.ndarray, changed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last frame of each stretch of changed frames."""
    edges = np.diff(np.concatenate([[0], changed.astype(np.int8), [0]]))
    return frames[np.flatnonzero(edges == 1)], frames[np.flatnonzero(edges == -1) - 1]


def _within(times: np.ndarray, firsts: np.ndarray, lasts: np.ndarray) -> np.ndarray:
    """Which times lie in one of the runs."""
    run = np.searchsorted(firsts, times + _SAME_FRAME, side="right") - 1
    return (run >= 0) & (times <= lasts[np.maximum(run, 0)] + _SAME_FRAME)


def _values(curve: FCurve, at: np.ndarray, frames: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Values on whole frames: the wanted ones, and beyond them what the curve has there."""
    index = at - int(frames[0])
    known = (index >= 0) & (index < len(frames))
    values = np.empty(len(at), np.float32)
    values[known] = wanted[index[known]]
    values[~known] = [curve.evaluate(frame) for frame in at[~known].tolist()]
    return values


def _frames_to_hold(
    times: np.ndarray, firsts: np.ndarray, lasts: np.ndarray, begin: int, end: int
) -> np.ndarray:
    """Frames without a key whose value must not move although a run beside them changes.

    ``times`` are the keys outside the runs. Where none lies before or after a run the curve goes on as it
    will, but a frame between ``begin`` and ``end`` is held.
    """
    low = int(min(begin, np.floor(times.min(initial=begin))))
    high = int(max(end, np.ceil(times.max(initial=end))))
    hold = np.zeros(high - low + 1, bool)
    before = np.searchsorted(times, firsts - _SAME_FRAME) - 1
    after = np.searchsorted(times, lasts + _SAME_FRAME)
    for first, last, left, right in zip(
        firsts.tolist(), lasts.tolist(), before.tolist(), after.tolist(), strict=True
    ):
        if left >= 0:
            hold[int(np.floor(times[left] + _SAME_FRAME)) + 1 - low : first - low] = True
        elif first > begin:
            hold[first - 1 - low] = True
        if right < len(times):
            hold[last + 1 - low : int(np.ceil(times[right] - _SAME_FRAME)) - low] = True
        elif last < end:
            hold[last + 1 - low] = True
    held = low + np.flatnonzero(hold)
    return held[~_within(held, firsts, lasts)]


def _keep_slopes(keys: Keys, outside: np.ndarray, firsts: np.ndarray, lasts: np.ndarray) -> bool:
    """Whether there are any to free: free the automatic handles of the last key before each run and the first after it.

    Automatic handles follow both neighbours, so the untouched side of such a key would bend. ``outside`` are
    the positions of the keys that lie in no run.
    """
    times, count = keys["co"][outside, 0], len(keys["co"])
    before, after = np.searchsorted(times, firsts) - 1, np.searchsorted(times, lasts)
    before, after = outside[before[before >= 0]], outside[after[after < len(outside)]]
    curved = keys["interpolation"] == BEZIER
    before = before[(before > 0) & curved[before - 1]]
    after = after[(after < count - 1) & curved[after]]
    edges = np.union1d(before, after).astype(int)
    left, right = keys["handle_left_type"], keys["handle_right_type"]
    edges = edges[np.isin(left[edges], (AUTO, AUTO_CLAMPED)) | np.isin(right[edges], (AUTO, AUTO_CLAMPED))]
    left[edges] = right[edges] = FREE
    return bool(len(edges))


def _fresh(added: np.ndarray, values: np.ndarray, keys: Keys) -> Keys:
    """New keys; they interpolate as the key before them does, without its easing."""
    fresh: Keys = {}
    for name, (kind, width, default) in _ATTRIBUTES.items():
        fresh[name] = np.full((len(added), width) if width > 1 else len(added), default, kind)
    for name in _POINTS:
        fresh[name][:, 0], fresh[name][:, 1] = added, values
    if len(keys["co"]):
        before = np.maximum(np.searchsorted(keys["co"][:, 0], added, side="right") - 1, 0)
        interpolation = keys["interpolation"][before]
        fresh["interpolation"][:] = np.where(interpolation <= BEZIER, interpolation, LINEAR)
    return fresh
