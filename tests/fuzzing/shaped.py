# SPDX-License-Identifier: GPL-3.0-or-later
"""Inputs for containers with checksums and lengths, which blind changes would only ever break.

The first byte tells how the others are meant: even, they are the container itself; odd, they are its content, which is
packed as it should be before it is read.
"""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

RAW, PACKED = b"\0", b"\1"

_MEMBER = re.compile(rb".\x93NUMPY", re.S)


def npy(array: np.ndarray) -> bytes:
    """An array as the content of a ``.npy`` file."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=False)
    return stream.getvalue()


def parts(members: Mapping[str, bytes], names: Sequence[str]) -> bytes:
    """An input whose parts become the members of an archive: the number of the name, and the member itself."""
    return PACKED + b"".join(bytes([names.index(name)]) + content for name, content in members.items())


def archive(data: bytes, names: Sequence[str]) -> bytes:
    """The ``.npz`` archive that an input stands for; its members have names out of ``names``."""
    if not data or data[0] % 2 == 0:
        return data[1:]
    stream = io.BytesIO()
    edges = [*(match.start() for match in _MEMBER.finditer(data, 1)), len(data)]
    with zipfile.ZipFile(stream, "w") as target:
        for begin, end in pairwise(edges):
            name = zipfile.ZipInfo(f"{names[data[begin] % len(names)]}.npy")
            target.writestr(name, data[begin + 1 : end])
    return stream.getvalue()


def safetensors(data: bytes) -> bytes:
    """The safetensors file that an input stands for: a line with the header, and tensors."""
    if not data or data[0] % 2 == 0:
        return data[1:]
    header, _, content = data[1:].partition(b"\n")
    return struct.pack("<Q", len(header)) + header + content


def from_safetensors(content: bytes) -> bytes:
    """An input that stands for a safetensors file."""
    (size,) = struct.unpack_from("<Q", content)
    return PACKED + content[8 : 8 + size] + b"\n" + content[8 + size :]


def frame(data: bytes) -> bytes:
    """The protocol frame that an input stands for: a line with the header, and arrays."""
    if not data or data[0] % 2 == 0:
        return data[1:]
    text, _, payload = data[1:].partition(b"\n")
    return struct.pack("<4sIIQ", b"DPSR", 1, len(text), len(payload)) + text + payload


def from_frame(content: bytes) -> bytes:
    """An input that stands for a protocol frame."""
    (size,) = struct.unpack_from("<I", content, 8)
    return PACKED + content[20 : 20 + size] + b"\n" + content[20 + size :]


def request(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """An input for `requested`."""
    told = {name: [array.dtype.name, list(array.shape)] for name, array in arrays.items()}
    text = json.dumps({"header": header, "arrays": told}, separators=(",", ":")).encode()
    return text + b"\n" + b"".join(np.ascontiguousarray(array).tobytes() for array in arrays.values())


def requested(data: bytes, most: int = 1 << 20) -> bytes | None:
    """The frame of a request: a line of JSON that names the arrays, and their bytes, over again where they run out.

    None where the line tells no request, or arrays of more than ``most`` bytes.
    """
    line, _, content = data.partition(b"\n")
    try:
        told = json.loads(line)
        named = {
            str(name): np.zeros([min(max(int(n), 0), most) for n in shape], str(dtype))
            for name, (dtype, shape) in told["arrays"].items()
            if dtype in ("uint8", "int32", "int64", "float32", "float64")
            and np.prod([max(int(n), 1) for n in shape], dtype=float) * 8 <= most
        }
        header = told["header"]
        position = 0
        for array in named.values():
            if content and array.nbytes:
                start = position % len(content)
                cycle = content[start:] + content[:start]
                repeats = array.nbytes // len(cycle) + 1
                array.reshape(-1).view(np.uint8)[:] = np.frombuffer(cycle * repeats, np.uint8, array.nbytes)
                position += array.nbytes
        stream = io.BytesIO()
        from engine import protocol

        protocol.write_frame(stream, header, named)
    except Exception:  # whatever is no request is of no interest here
        return None
    return stream.getvalue()
