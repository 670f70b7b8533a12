# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters and arrays of requests, each of the type and within the bounds that it must be, or refused in a sentence.

JSON has one type of number and any value may come under any name, so nothing below here has to ask again.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from engine.errors import MotionError, ProtocolError
from engine.protocol import Arrays, Header
from engine.wording import fit

MAX_WHOLE = 1 << 62  # of a number that counts or seeds


def required(values: Mapping[str, Any], key: str) -> Any:
    """A parameter or array; raises ProtocolError where it is missing."""
    try:
        return values[key]
    except KeyError as error:
        raise ProtocolError(f"A request to the engine lacks {key}; reinstall DPoser.") from error


def number(params: Header, key: str) -> float:
    """A finite number; raises ProtocolError where there is none."""
    value = required(params, key)
    if not _fits(value, float):
        raise _wrong(key, "number")
    return float(value)


def whole(params: Header, key: str, default: int | None = None) -> int:
    """A whole number of at most 62 bits; raises ProtocolError where there is none."""
    value = required(params, key) if default is None else params.get(key, default)
    if not _fits(value, int):
        raise _wrong(key, "whole number")
    return int(value)


def texts(params: Header, key: str) -> list[str]:
    """A list of texts; raises ProtocolError where there is none."""
    value = required(params, key)
    if not _fits(value, tuple[str, ...]):
        raise _wrong(key, "list of names")
    return list(value)


def names_of(params: Header, key: str) -> dict[str, str] | None:
    """An optional table from name to name; raises ProtocolError where it is something else."""
    value = params.get(key)
    if value is None:
        return None
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value.values()):
        raise _wrong(key, "table of names")
    return value


def rows_of(params: Header, key: str, count: int) -> slice:
    """The rows of a clip of so many that a request names, as a half-open range; all of them by default.

    Raises:
        ProtocolError: they are no range. MotionError: they are not in the clip.
    """
    value = params.get(key)
    if value is None:
        return slice(0, count)
    if not _fits(value, tuple[int, int]):
        raise _wrong(key, "range")
    begin, end = value
    if not 0 <= begin < end <= count:
        raise MotionError(f"The frames {begin}:{end} are not in the clip, whose frames are 0:{count}.")
    return slice(begin, end)


def floats(arrays: Arrays, key: str, dimensions: int) -> np.ndarray:
    """An array in float64.

    Raises:
        ProtocolError: there is none. MotionError: it has another number of dimensions.
    """
    array = required(arrays, key)
    if array.ndim != dimensions:
        raise MotionError("The animation's arrays do not fit its skeleton.")
    return np.asarray(array, np.float64)


def settings_of(kind: type[Any], values: Any) -> Any:
    """An instance of a settings' dataclass from JSON, whose lists become tuples.

    Raises:
        ProtocolError: it has no such field, or one of another type. EngineError: a value it refuses.
    """
    if not isinstance(values, dict):
        raise _wrong("settings", "table")
    hints = _hints(kind)  # type: ignore[arg-type]
    if unknown := values.keys() - hints.keys():
        raise ProtocolError(f"The engine knows no setting called {fit(min(unknown))}; reinstall DPoser.")
    for key, value in values.items():
        if not _fits(value, hints[key]) or (key == "seed" and value < 0):
            raise _wrong(key, "setting")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    """The types of a dataclass's fields."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value of JSON is of a type: of those that have no form in JSON none is."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            return False
        if parts[-1] is Ellipsis:
            return all(_fits(part, parts[0]) for part in value)
        return len(value) == len(parts) and all(map(_fits, value, parts))
    if hint is float:
        return type(value) is float or _fits(value, int)
    if hint is int:
        return type(value) is int and abs(value) < MAX_WHOLE
    if hint is types.NoneType:
        return value is None
    return hint in (bool, str) and type(value) is hint


def _wrong(key: str, kind: str) -> ProtocolError:
    return ProtocolError(f"A request to the engine has {fit(key)} that is no {kind}; reinstall DPoser.")
