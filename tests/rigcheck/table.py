# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of rigs by Blender version, in Markdown: ``python -m rigcheck.table LANE.json... --output rigs.md``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from rigcheck.verdict import POSE_LIMIT, POSITION_LIMIT, ROTATION_LIMIT, Figures

Row = Mapping[str, Any]
Lanes = Mapping[str, Sequence[Row]]  # Blender version -> rigs

HEAD = f"""# Rigs by Blender version

Written by `python build.py rigs --all`. Each rig is animated in real Blender, read, carried to the body, edited there,
carried back and written; Blender's own evaluation of its pose is the judge.

* **Mapped**: joints of the body's 22 that were found without help, the map's name and its confidence; the joints that
  the rig lacks.
* **Pose**: greatest angle between a segment of the body (joint to child joint, directly mapped bones) and Blender's
  evaluated pose, limit {POSE_LIMIT:g} degrees; after the semicolon the forearms, whose joint takes half of the wrist's
  twist.
* **Unedited**: whether every key is bit-equal after a round trip without an edit, and whether the keys of all other
  bones are after an edit of one arm.
* **Edited**: every joint and the root edited; greatest difference between the mapped bones as the engine asked for
  them (float64) and as Blender shows them, limits {ROTATION_LIMIT:g} degrees and {POSITION_LIMIT:g} mm. On Rigify's
  generated rig the bones that show where its controls' parts of the body are stand for them.

A row of several files shows the worst of them. Figures beyond a limit are bold.
"""


def markdown(lanes: Lanes) -> str:
    """The whole page."""
    kinds = list(dict.fromkeys(row["kind"] for rows in lanes.values() for row in rows))
    parts = [HEAD]
    for kind in kinds:
        groups = [_grouped([row for row in rows if row["kind"] == kind]) for rows in lanes.values()]
        names = list(dict.fromkeys(name for group in groups for name in group))
        parts.append(f"## Rigs: {kind}\n\n### Mapped automatically\n")
        mapped = [_mapped(name, [group[name] for group in groups if name in group]) for name in names]
        parts.append(_table(["Rig", "Bones", "Joints", "Map", "Confidence", "The rig lacks"], mapped))
        for title, cell in (("Pose transferred (degrees)", _pose), ("Unedited round trip", _unedited),
                            ("Edited round trip", _edited)):  # fmt: skip
            parts.append(f"### {title}\n")
            rows = [
                [name, *(cell(group[name]) if name in group else "-" for group in groups)] for name in names
            ]
            parts.append(_table(["Rig", *lanes], rows))
    return "\n".join(parts)


def _grouped(rows: Sequence[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["rig"], []).append(row)
    return groups


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _mapped(name: str, groups: Sequence[Sequence[Row]]) -> list[str]:
    """One row for all versions, which must agree, as the engine is one."""
    rows = [row for group in groups for row in group]
    files = len(groups[0])
    label = f"{name} ({files} files)" if files > 1 else name
    cells = [
        _joined(str(row["bones"]) for row in rows),
        _joined(
            f"{22 - len(row['lacks'])} of 22" if not row["error"] else f"**{row['error']}**" for row in rows
        ),
        _joined(row["map"] for row in rows),
        _joined(f"{row['confidence']:.2f}" for row in rows),
        _joined(", ".join(row["lacks"]) or "-" for row in rows),
    ]
    return [label, *cells]


def _joined(texts: Any) -> str:
    return " / ".join(sorted(set(texts)))


def _pose(rows: Sequence[Row]) -> str:
    pose, forearm = (max(row[key] for row in rows) for key in ("pose", "forearm"))
    return f"{_bold(pose, POSE_LIMIT, '.4f')}; {_bold(forearm, POSE_LIMIT, '.4f')}"


def _unedited(rows: Sequence[Row]) -> str:
    answers = ("unedited", "others")
    return "; ".join("bit-equal" if all(row[key] for row in rows) else "**differs**" for key in answers)


def _edited(rows: Sequence[Row]) -> str:
    rotation, position = (max(row[key] for row in rows) for key in ("rotation", "position"))
    return f"{_bold(rotation, ROTATION_LIMIT, '.5f')} deg, {_bold(position, POSITION_LIMIT, '.5f')} mm"


def _bold(value: float, limit: float, form: str) -> str:
    return f"{value:{form}}" if value < limit else f"**{value:{form}}**"


def failures(lanes: Lanes) -> list[str]:
    """A line for each rig that falls short, with the Blender version."""
    known = {field.name for field in fields(Figures)}
    found = []
    for blender, rows in lanes.items():
        for row in rows:
            figures = Figures(**{key: value for key, value in row.items() if key in known})
            found += [f"Blender {blender}, {figures.rig}: {text}" for text in figures.failures()]
    return found


def main(arguments: Sequence[str]) -> int:
    """Write the page and the figures beside it; 1 where a rig falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lanes", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    documents = [json.loads(path.read_text("utf-8")) for path in options.lanes]
    lanes = {document["blender"]: document["rigs"] for document in documents}
    options.output.write_text(markdown(lanes), "utf-8")
    print(options.output.read_text("utf-8"))
    short = failures(lanes)
    for line in short:
        print(line, file=sys.stderr)
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
