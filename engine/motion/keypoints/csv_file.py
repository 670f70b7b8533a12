# SPDX-License-Identifier: GPL-3.0-or-later
"""People in CSV, one row for a frame (wide) or for a point (long); the header tells which.

* wide: ``frame, person, nose_x, nose_y, nose_confidence, nose_sigma, ...``; without a frame's column each row is a
  frame; points may have numbers in place of names (``landmark_0_x``, ``x0``), of which the count tells the layout;
* long: ``frame, person, joint, x, y, confidence, sigma``, the joint by name or number.

Columns that are none of these are left out. Cells that are empty or NaN are points that are not seen.
"""

from __future__ import annotations

import csv
import io
import math
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine.errors import FileError
from engine.motion.files import read_bytes
from engine.motion.keypoints.layouts import BY_COUNT, LAYOUTS, POINTS, plain, point
from engine.motion.keypoints.sightings import MAX_SIGHTINGS, Sighting, Sightings, Stamp, rows_of
from engine.wording import fit

MAX_BYTES = 256_000_000
MAX_COLUMNS = 5000
MAX_ROWS = 10_000_000
CSV_ENDINGS = (".csv", ".tsv", ".txt")

_FRAME = ("frame", "frame_id", "frame_idx", "frame_index", "frame_number", "frame_no")
_IMAGE = ("image", "image_id", "image_name", "file", "file_name", "filename")
_PERSON = ("person", "person_id", "track", "track_id", "idx")
_JOINT = ("joint", "joint_name", "keypoint", "keypoint_name", "landmark", "landmark_name", "bodypart", "name")
_JOINT_NUMBER = ("joint_id", "keypoint_id", "landmark_id", "joint_index", "landmark_index")
_FIELDS = {
    "x": 0, "y": 1, "z": None, "confidence": 2, "visibility": 2, "score": 2, "likelihood": 2, "conf": 2, "vis": 2,
    "c": 2, "v": 2, "presence": None, "sigma": 3, "std": 3,
}  # fmt: skip
"""Which of u, v, confidence and deviation a column is by its name; z and presence are none."""
_HEAD = re.compile(rb"^(?!#)[^\r\n]*[^\s,;|][^\r\n]*", re.M)
_SHORT = re.compile(r"([a-z]+?)_?([0-9]{1,4})")
_NUMBERED = re.compile(r"(?:[a-z_]*?_)?([0-9]{1,4})")
_ASKED = "name its columns frame, nose_x, nose_y, nose_confidence and so on, or frame, person, joint, x, y, confidence"


@dataclass
class _Columns:
    """Which column is what.

    Attributes:
        stamp: of the frame's number or its image's name, and which of the two; None where there is none.
        person: None where there is none.
        joint: of the point's name or number, in a long file; None in a wide one.
        cells: (column, point, which of u, v, confidence and deviation); the point is a place in `POINTS`, 0 in a long
            file.
    """

    stamp: tuple[str, int] | None = None
    person: int | None = None
    joint: int | None = None
    cells: list[tuple[int, int, int]] = field(default_factory=list)


def read(path: Path, layout: str | None = None) -> Sightings:
    """Read a CSV file.

    Args:
        path: the file.
        layout: one of `LAYOUTS`, of points by number; None for what their count tells.

    Raises:
        FileError: it has no header that is known, too many frames or people, or numbers out of bounds.
    """
    content = read_bytes(path, MAX_BYTES, "cut it into shorter clips")
    found = Sightings(path.name)
    head = first[0] if (first := _HEAD.search(content.removeprefix(b"\xef\xbb\xbf"))) else b""
    mark = max(",;\t|", key=lambda mark: head.count(mark.encode()))
    rows = _rows(path.name, content, mark)
    header = [plain(cell) for cell in next(rows, [])[: MAX_COLUMNS + 1]]
    if len(header) > MAX_COLUMNS:
        raise FileError(f"{path.name} has more than {MAX_COLUMNS} columns; keep those of the points.")
    columns = _columns(path.name, header, layout)
    # A comma that does not divide columns may be a decimal one.
    decimal = mark != ","
    if columns.joint is None:
        _read_wide(found, rows, columns, decimal)
    else:
        _read_long(found, rows, columns, decimal, layout)
    return found


def _rows(name: str, content: bytes, mark: str) -> Iterator[list[str]]:
    """Rows that are neither empty nor comments."""
    lines = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    try:
        for count, row in enumerate(csv.reader(lines, delimiter=mark)):
            if count > MAX_ROWS:
                raise FileError(f"{name} has more than {MAX_ROWS} rows; cut it into shorter clips.")
            if any(cell.strip() for cell in row) and not row[0].startswith("#"):
                yield row
    except (csv.Error, UnicodeDecodeError) as error:
        raise FileError(f"{name} is no CSV file in UTF-8; export it again.") from error


def _columns(name: str, header: list[str], layout: str | None) -> _Columns:
    columns = _Columns()
    for kind, known in (("frame", _FRAME), ("image", _IMAGE)):
        places = [header.index(key) for key in known if key in header]
        if places and columns.stamp is None:
            columns.stamp = (kind, places[0])
    who = [header.index(key) for key in (*_PERSON, "id") if key in header]
    columns.person = who[0] if who else None
    joint = [header.index(key) for key in (*_JOINT, *_JOINT_NUMBER) if key in header]
    if joint and {"x", "y"} <= set(header):
        if columns.stamp is None:
            raise FileError(f"{name} has a row for each point but no column frame; add it.")
        columns.joint = joint[0]
        # Of two columns of confidence the first counts.
        fields: dict[int, int] = {}
        for place, cell in enumerate(header):
            if (part := _FIELDS.get(cell)) is not None:
                fields.setdefault(part, place)
        columns.cells = [(place, 0, part) for part, place in fields.items()]
        return columns
    columns.cells = _wide(name, header, layout)
    return columns


def _wide(name: str, header: list[str], layout: str | None) -> list[tuple[int, int, int]]:
    """The cells of a wide header."""
    named: dict[tuple[int, int], int] = {}
    numbered: dict[tuple[int, int], int] = {}
    for place, cell in enumerate(header):
        found = _cell(cell)
        if found is None:
            continue
        who, part = found
        table = numbered if isinstance(who, int) else named
        key = (who if isinstance(who, int) else POINTS.index(who), part)
        if key in table and part != 2:
            raise FileError(f"{name} has two columns that are {fit(cell)}; remove one of the two.")
        table.setdefault(key, place)
    if not named and numbered:
        named = _by_layout(name, numbered, layout)
    whole = {who for who, part in named if part == 0} & {who for who, part in named if part == 1}
    if not whole:
        raise FileError(f"{name} has no columns of points; {_ASKED}.")
    return [(place, who, part) for (who, part), place in named.items() if who in whole]


def _by_layout(
    name: str, numbered: dict[tuple[int, int], int], layout: str | None
) -> dict[tuple[int, int], int]:
    """Columns of points by number, from 0 or from 1, as those of `POINTS`."""
    numbers = sorted({who for who, _ in numbered})
    order = LAYOUTS[layout] if layout else BY_COUNT.get(len(numbers))
    if order is None or numbers != list(range(numbers[0], numbers[0] + len(order))) or numbers[0] > 1:
        raise FileError(f"{name} numbers {len(numbers)} points, which is no layout that is known; {_ASKED}.")
    return {
        (POINTS.index(known), part): place
        for (who, part), place in numbered.items()
        if (known := order[who - numbers[0]]) in POINTS
    }


def _cell(cell: str) -> tuple[str | int, int] | None:
    """Which point, by name or number, and which part of it a column of a wide file is."""
    if (short := _SHORT.fullmatch(cell)) and (part := _FIELDS.get(short[1])) is not None:
        return int(short[2]), part
    before, _, end = cell.rpartition("_")
    begin, _, after = cell.partition("_")
    for who, what in ((before, end), (after, begin)):
        part = _FIELDS.get(what)
        if part is None or not who:
            continue
        if (known := point(who)) in POINTS:
            return str(known), part
        if numbered := _NUMBERED.fullmatch(who):
            return int(numbered[1]), part
    return None


def _read_wide(found: Sightings, rows: Iterator[list[str]], columns: _Columns, decimal: bool) -> None:
    points = sorted({who for _, who, _ in columns.cells})
    target = np.array(points)
    cells = [(column, points.index(who), part) for column, who, part in columns.cells]
    for place, row in enumerate(rows):
        values = np.full((len(points), 4), np.nan)
        certain = any(part == 2 for _, _, part in cells)
        for column, at, part in cells:
            values[at, part] = _number(found.name, row, column, decimal)
        _add(found, _stamp(found.name, row, columns, place, decimal), _person(row, columns), target, values, certain)


def _read_long(
    found: Sightings, rows: Iterator[list[str]], columns: _Columns, decimal: bool, layout: str | None
) -> None:
    certain = any(part == 2 for _, _, part in columns.cells)
    people: dict[tuple[Stamp, str | None], int] = {}
    joints: dict[str, int] = {}
    which, numbers = array("l"), array("d")  # compact, because there may be millions of rows
    for place, row in enumerate(rows):
        stamp = _stamp(found.name, row, columns, place, decimal)
        found.frame(stamp)
        if len(people) > MAX_SIGHTINGS or len(joints) > MAX_COLUMNS:
            raise FileError(f"{found.name} comes to too many people or points; cut it into shorter clips.")
        who = people.setdefault((stamp, _person(row, columns)), len(people))
        which.extend((who, joints.setdefault(_text(row, columns.joint), len(joints))))
        values = [math.nan] * 4
        for column, _, part in columns.cells:
            values[part] = _number(found.name, row, column, decimal)
        numbers.extend(values)
    names = _joints(found.name, list(joints), layout)
    pairs, table = np.array(which).reshape(-1, 2), np.array(numbers).reshape(-1, 4)
    order = np.lexsort(pairs.T[::-1])
    pairs, table = pairs[order], table[order]
    twice = np.flatnonzero((np.diff(pairs, axis=0) == 0).all(axis=1))
    if len(twice):
        joint = list(joints)[pairs[twice[0], 1]]
        raise FileError(f"{found.name} has {fit(joint)} of a person in a frame twice; add a column person.")
    points = np.array([POINTS.index(known) if known in POINTS else -1 for known in names], dtype=np.intp)
    ends = np.searchsorted(pairs[:, 0], np.arange(len(people) + 1))
    for (stamp, person), begin, end in zip(people, ends, ends[1:], strict=False):
        target = points[pairs[begin:end, 1]]
        _add(found, stamp, person, target[target >= 0], table[begin:end][target >= 0], certain)


def _joints(name: str, joints: list[str], layout: str | None) -> list[str | None]:
    """The points that a long file's joints are, by name or, where all are numbers, by their place in a layout."""
    if joints and all(joint.isascii() and joint.isdigit() and len(joint) < 5 for joint in joints):
        last = max(map(int, joints))
        order = LAYOUTS[layout] if layout else BY_COUNT.get(last + 1)
        if order is None or last >= len(order):
            raise FileError(f"{name} numbers points up to {last}, which is no layout that is known; {_ASKED}.")
        return [order[int(joint)] for joint in joints]
    known = [point(joint) for joint in joints]
    if None in known:
        unknown = joints[known.index(None)]
        raise FileError(f"{name} names a keypoint {fit(unknown)}; name only {', '.join(POINTS)}.")
    if len(set(known)) < len(known):
        raise FileError(f"{name} names a keypoint in two ways; remove one of the two.")
    return known


def _add(
    found: Sightings, stamp: Stamp, person: str | None, target: np.ndarray, values: np.ndarray, certain: bool
) -> None:
    """Note a person of (P, 4) values, NaN where a cell is empty."""
    seen = np.isfinite(values[:, :2]).all(axis=1)
    values[:, 2] = np.where(seen, values[:, 2] if certain else 1.0, 0.0)
    values[np.isnan(values[:, 2]), 2] = 0.0
    values[~seen, :2] = 0.0
    found.add(Sighting(stamp, rows_of(found.name, target, values), person))


def _stamp(name: str, row: list[str], columns: _Columns, place: int, decimal: bool) -> Stamp:
    if columns.stamp is None:
        return Stamp("place", place)
    kind, column = columns.stamp
    if kind == "image":
        return Stamp("image", _text(row, column))
    number = _number(name, row, column, decimal)
    if not (0 <= number <= 1e9 and number == int(number)):
        raise FileError(f"{name} has a frame that is no whole number from 0; correct the column frame.")
    return Stamp("frame", int(number))


def _person(row: list[str], columns: _Columns) -> str | None:
    if columns.person is None:
        return None
    who = _text(row, columns.person)
    return who.removesuffix(".0") if who not in ("", "-1", "-1.0") else None


def _text(row: list[str], column: int | None) -> str:
    return row[column].strip() if column is not None and column < len(row) else ""


def _number(name: str, row: list[str], column: int, decimal: bool) -> float:
    """A cell's number; NaN of an empty one."""
    text = _text(row, column)
    if not text:
        return math.nan
    try:
        return float(text.replace(",", ".") if decimal else text)
    except ValueError as error:
        raise FileError(f"{name} has {fit(text)} where a number belongs; correct it.") from error
