# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of a run over takes: a table for people, and the report for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import engine
from engine.motion.files import replacing
from engine.takes.record import State
from engine.takes.run import FAILED, Outcome
from engine.wording import printable

MOST_ROWS = 40
LONGEST_NAME = 48
_HEADER = ("take", "frames", "seconds", "frames/s", "noise, deg", "rejected", "jitter", "state")


def table(outcomes: Sequence[Outcome]) -> str:
    """The figures of takes, a line each; of many only those with most samples rejected, in the order they came.

    The jitter is that before and after cleaning, degrees per frame cubed.
    """
    rows = [outcome for outcome in outcomes if {"frames", "seconds", "report"} <= outcome.entry.keys()]
    if len(rows) > MOST_ROWS:
        worst = sorted(rows, key=lambda outcome: -outcome.entry["report"].get("rejected", 0.0))[:MOST_ROWS]
        chosen = {outcome.take for outcome in worst}
        left = len(rows) - MOST_ROWS
        rows = [outcome for outcome in rows if outcome.take in chosen]
        note = [f"and {left} more, with no more of their samples rejected; --report has them all"]
    else:
        note = []
    cells = [_HEADER, *(_row(outcome) for outcome in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:-1], widths[1:-1]), row[-1]]) for row in cells
    ]
    return "\n".join([*lines, *note]) if rows else ""


def _row(outcome: Outcome) -> tuple[str, ...]:
    entry, report = outcome.entry, outcome.entry["report"]
    label = outcome.take.shown
    return (
        label if len(label) <= LONGEST_NAME else f"...{label[3 - LONGEST_NAME :]}",
        str(entry["frames"]),
        f"{entry['seconds']:.1f}",
        f"{entry['frames'] / max(entry['seconds'], 1e-3):.0f}",
        f"{report['noise_deg_median']:.2f}" if "noise_deg_median" in report else "-",
        f"{report['rejected']:.2%}" if "rejected" in report else "-",
        f"{report['jitter_before']:.2f} > {report['jitter_after']:.2f}" if "jitter_before" in report else "-",
        outcome.state,
    )


def totals(outcomes: Sequence[Outcome], seconds: float | None) -> dict[str, Any]:
    """Counts of takes by state; the frames that were cleaned, and the seconds that the takes took each by itself.

    Args:
        outcomes: of all takes.
        seconds: that the run took; None where there was none.
    """
    states = Counter(outcome.state for outcome in outcomes)
    results = [outcome.entry for outcome in outcomes if outcome.well]
    figures: dict[str, Any] = {
        "takes": len(outcomes),
        **dict(states),
        "frames": sum(entry.get("frames", 0) for entry in results),
        "take_seconds": round(sum(entry.get("seconds", 0.0) for entry in results), 3),
    }
    return figures if seconds is None else figures | {"run_seconds": round(seconds, 3)}


def sentences(outcomes: Sequence[Outcome], seconds: float | None) -> str:
    """What came of it all, then each failure with its reason."""
    found = totals(outcomes, seconds)
    well = sum(outcome.well for outcome in outcomes)
    text = f"Cleaned {well} of {len(outcomes)} takes ({found['frames']} frames)"
    if seconds is not None:
        text += f" in {seconds:.1f} s"
    before = found.get(State.DONE.value, 0)
    lines = [f"{text}, {before} of them before this run." if before and seconds is not None else f"{text}."]
    kept = [outcome.take.shown for outcome in outcomes if outcome.state == State.KEPT.value]
    if kept:
        lines.append(
            f"Changed since they were cleaned, and left as they are: {', '.join(kept)}; --again cleans them anew."
        )
    lines += [f"Failed: {o.take.shown}: {printable(o.entry.get('error', ''))}" for o in outcomes if o.state == FAILED]
    if waiting := found.get(State.TODO.value):
        lines.append(f"Not done: {waiting}; run the same command again to go on.")
    return "\n".join(lines)


def write_report(path: Path, settings: dict[str, Any], entries: Sequence[dict[str, Any]], **more: Any) -> None:
    """Write a report; FileError where it cannot be written."""
    content = {"engine": engine.__version__, "settings": settings, "clips": list(entries), **more}
    with replacing(path) as stream:
        stream.write(json.dumps(content, indent=2, allow_nan=False).encode() + b"\n")


def entry(outcome: Outcome) -> dict[str, Any]:
    """A take's part of the report."""
    place = {"input": str(outcome.take.source), "output": str(outcome.take.target)}
    return place | {"state": outcome.state} | outcome.entry
