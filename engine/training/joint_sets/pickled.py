# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays of numbers in dictionaries and lists, as NumPy pickles them into an ``.npz``, read as data.

Public files of joints are such pickles. Nothing is unpickled here: Python's pickle calls what a file names, and this
reader has nothing to call. It follows the few instructions by which containers, texts, numbers and arrays are described
(pickle protocols 2 to 4, documented in Python's pickletools) and refuses the others. Arrays that it gives are views of
the file's bytes. It keeps no more than the file does: what is repeated is shared, and nesting takes no stack.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import FileError
from engine.motion import npz
from engine.wording import fit

MAX_STEPS = 1_000_000
"""Instructions of a file; each takes some two hundred bytes of memory at most. Human3.6M in 2D has some 22,000."""

_ADVICE = "download it again, from the authors"
_DTYPE = re.compile(r"[fiu][1248]|b1|O[48]?")
_TEXT = {"\x8c": "<B", "X": "<I", "\x8d": "<Q"}  # instruction -> how its length is written
_BYTES = {"C": "<B", "B": "<I", "\x8e": "<Q", "U": "<B", "T": "<i"}  # the last two are texts of Python 2
_NUMBERS = {"K": "<B", "M": "<H", "J": "<i", "G": ">d"}
_TUPLES = {")": 0, "\x85": 1, "\x86": 2, "\x87": 3}
_CONSTANTS = {"N": None, "\x88": True, "\x89": False}
_TO_MEMO = {"q": "<B", "r": "<I"}
_FROM_MEMO = {"h": "<B", "j": "<I"}

_LONGEST_NAME = 64

_KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): "reconstruct",
    ("numpy._core.multiarray", "_reconstruct"): "reconstruct",
    ("numpy.core.multiarray", "scalar"): "scalar",
    ("numpy._core.multiarray", "scalar"): "scalar",
    ("numpy", "ndarray"): "array",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "encode",
}
"""All that a file may name, and what is done in its stead."""


class _Damaged(Exception):
    """The pickle is cut, or not what NumPy writes; the text says what it names that no array needs, if it does."""


@dataclass
class _Name:
    """What a file names of `_KNOWN`."""

    what: str


@dataclass
class _Made:
    """An array or a type of numbers: nothing until its state is told."""

    what: str
    code: str = ""
    value: Any = None


@dataclass
class _Object:
    """What an array without sides holds, where that is no number."""

    value: Any


def read(name: str, members: Mapping[str, bytes], key: str) -> Any:
    """What an object array of an archive holds.

    Args:
        name: of the file, for errors.
        members: as `engine.motion.npz.read` gives them.
        key: the array's name.

    Returns:
        Dictionaries, lists, tuples, str, bytes, numbers, bool, None, and NumPy arrays of numbers that must not be
        written to; containers may hold themselves. Object arrays are their object where they have no sides, or lists.

    Raises:
        FileError: there is no such array, it is damaged, or describes anything else.
    """
    content = npz.pickled(name, members, key, _ADVICE)
    try:
        return _Reader(content).value()
    except _Damaged as error:
        if str(error):
            raise FileError(
                f"{name} names {fit(str(error))} in {key}, which no array of numbers needs and which could run code; "
                f"{_ADVICE}."
            ) from error
        raise FileError(f"{name} holds a damaged array {key!r}; {_ADVICE}.") from error
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError, struct.error) as error:
        raise FileError(f"{name} holds a damaged array {key!r}; {_ADVICE}.") from error


class _Reader:
    """A stack and a memo, as pickle's machine has them, and no calls."""

    def __init__(self, content: bytes | memoryview) -> None:
        self._content = memoryview(content)
        self._place = 0
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._encoded = 0

    def value(self) -> Any:
        for _ in range(MAX_STEPS):
            step = chr(self._take(1)[0])
            if step == ".":
                return _plain(_finished(self._pop()))
            self._do(step)
        raise _Damaged

    def _do(self, step: str) -> None:
        if step in _TEXT:
            length = self._unpack(_TEXT[step])
            self._stack.append(str(self._take(length), "utf-8", "surrogatepass"))
        elif step in _BYTES:
            self._stack.append(self._take(self._unpack(_BYTES[step])))
        elif step in _NUMBERS:
            self._stack.append(self._unpack(_NUMBERS[step]))
        elif step in _CONSTANTS:
            self._stack.append(_CONSTANTS[step])
        elif step in _TUPLES:
            items = [self._pop() for _ in range(_TUPLES[step])]
            self._stack.append(tuple(map(_finished, reversed(items))))
        elif step in _TO_MEMO:
            self._memo[self._unpack(_TO_MEMO[step])] = self._stack[-1]
        elif step in _FROM_MEMO:
            self._stack.append(self._memo[self._unpack(_FROM_MEMO[step])])
        else:
            self._do_more(step)

    def _do_more(self, step: str) -> None:
        match step:
            case "\x80":  # the protocol
                self._take(1)
            case "\x95":  # the length of what follows, which is read as it comes
                self._take(8)
            case "(":
                self._marks.append(len(self._stack))
            case "}":
                self._stack.append({})
            case "]":
                self._stack.append([])
            case "t":
                self._stack.append(tuple(self._since_mark()))
            case "a":
                self._append([_finished(self._pop())])
            case "e":
                self._append(self._since_mark())
            case "s":
                value, key = _finished(self._pop()), self._pop()
                self._set([key, value])
            case "u":
                self._set(self._since_mark())
            case "\x8a":  # a whole number of up to 255 bytes
                self._stack.append(int.from_bytes(self._take(self._unpack("<B")), "little", signed=True))
            case "c":
                self._name(self._line(), self._line())
            case "\x93":
                name, module = self._pop(), self._pop()
                self._name(module, name)
            case "R":
                given, called = self._pop(), self._pop()
                self._stack.append(self._called(called, given))
            case "b":
                state = self._pop()
                self._tell(self._stack[-1], state)
            case "\x94":
                self._memo[len(self._memo)] = self._stack[-1]
            case _:
                raise _Damaged

    def _take(self, length: int) -> memoryview:
        end = self._place + length
        if length < 0 or end > len(self._content):
            raise _Damaged
        found = self._content[self._place : end]
        self._place = end
        return found

    def _unpack(self, layout: str) -> Any:
        return struct.unpack(layout, self._take(struct.calcsize(layout)))[0]

    def _line(self) -> str:
        """Up to the next end of a line, within the length of a name."""
        found = bytes(self._content[self._place : self._place + _LONGEST_NAME]).partition(b"\n")
        if not found[1]:
            raise _Damaged
        return str(self._take(len(found[0]) + 1)[:-1], "utf-8")

    def _pop(self) -> Any:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise _Damaged
        return self._stack.pop()

    def _since_mark(self) -> list[Any]:
        begin = self._marks.pop()
        items = [_finished(item) for item in self._stack[begin:]]
        del self._stack[begin:]
        return items

    def _append(self, items: list[Any]) -> None:
        if type(self._stack[-1]) is not list:
            raise _Damaged
        self._stack[-1].extend(items)

    def _set(self, items: list[Any]) -> None:
        if type(self._stack[-1]) is not dict or len(items) % 2:
            raise _Damaged
        for key, value in zip(items[::2], items[1::2], strict=True):
            plain = _plain(key)
            if not isinstance(plain, str | int):
                raise _Damaged
            self._stack[-1][plain] = value

    def _name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise _Damaged
        if (module, name) not in _KNOWN:
            raise _Damaged(f"{module}.{name}")
        self._stack.append(_Name(_KNOWN[module, name]))

    def _called(self, called: Any, given: Any) -> Any:
        """What a call of something that is known stands for."""
        if not isinstance(called, _Name) or not isinstance(given, tuple):
            raise _Damaged
        match called.what:
            case "reconstruct":
                return _Made("array")  # its sides are told with its state
            case "dtype":
                code = _plain(given[0])
                if not isinstance(code, str) or not _DTYPE.fullmatch(code):
                    raise _Damaged
                return _Made("dtype", "O" if code[0] == "O" else code)
            case "scalar":
                dtype, content = given
                if dtype.kind == "O" or len(content) != dtype.itemsize:
                    raise _Damaged
                return np.frombuffer(content, dtype)[0].item()
            case "encode":  # how protocol 2 writes bytes; what is repeated would grow without end
                text, coding = given
                self._encoded += len(text)
                if coding != "latin1" or self._encoded > len(self._content):
                    raise _Damaged
                return memoryview(text.encode("latin-1"))
            case _:
                raise _Damaged

    def _tell(self, made: Any, state: Any) -> None:
        """Give an array or a type its state."""
        if not isinstance(made, _Made) or made.value is not None or not isinstance(state, tuple):
            raise _Damaged
        if made.what == "dtype":
            order = _plain(state[1])
            if order not in ("<", ">", "|", "="):
                raise _Damaged
            made.value = np.dtype(object) if made.code == "O" else np.dtype(made.code).newbyteorder(order)
            return
        _, shape, dtype, fortran, content = state
        if not isinstance(shape, tuple) or len(shape) > npz.MAX_DIMENSIONS or not isinstance(dtype, np.dtype):
            raise _Damaged
        if any(type(side) is not int or side < 0 for side in shape) or len(content) != (
            math.prod(shape) * (1 if dtype.kind == "O" else dtype.itemsize)
        ):
            raise _Damaged
        if dtype.kind != "O":
            flat = np.frombuffer(content, dtype) if len(content) else np.zeros(0, dtype)
            made.value = flat.reshape(shape, order="F" if fortran else "C")
        elif type(content) is list and len(shape) < 2:
            made.value = content if shape else _Object(content[0])
        else:
            raise _Damaged


def _finished(item: Any) -> Any:
    """What a container gets: of an array or a type, itself, whose state must have been told."""
    if isinstance(item, _Made):
        item = item.value
        if item is None:
            raise _Damaged
    return item.value if isinstance(item, _Object) else item


def _plain(item: Any) -> Any:
    """A short text of Python 2 as text."""
    return str(item, "latin-1") if isinstance(item, memoryview) else item
