# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the rigs in this Blender: ``python -m rigcheck.lane FILE.json`` writes what `rigcheck.table` shows."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import bpy

from demo.leaving import leave_after
from rigcheck.cases import Case, cases
from rigcheck.engine import Engine
from rigcheck.measure import measure
from rigcheck.verdict import Figures


def run(chosen: Sequence[Case]) -> list[tuple[Case, Figures]]:
    """Measure some rigs one after the other; a line is printed for each."""
    results = []
    with Engine() as engine:
        for case in chosen:
            figures = measure(case.name, case.make(), engine, **case.options)
            results.append((case, figures))
            print(f"{case.name}: {'; '.join(figures.failures()) or 'within the limits'}", flush=True)
    return results


def main(arguments: Sequence[str]) -> None:
    """Measure and write the figures of all rigs, or of those whose names hold the words given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument(
        "--only", action="append", default=[], help="part of a rig's name; may be given again"
    )
    parser.add_argument("--brief", action="store_true", help="of many files of one kind the first alone")
    options = parser.parse_args(arguments)
    chosen = [
        case
        for case in cases()
        if (not options.only or any(part in case.name for part in options.only))
        and not (options.brief and case.slow)
    ]
    # Blender may hang once Rigify has generated a rig, so that goes last.
    results = run(sorted(chosen, key=lambda case: case.isolated))
    rows = [{"kind": case.kind, **asdict(figures)} for case, figures in results]
    document = {"blender": bpy.app.version_string.split()[0], "rigs": rows}
    options.output.write_text(json.dumps(document, indent=1), "utf-8")


if __name__ == "__main__":
    leave_after(lambda: main(sys.argv[1:]))
