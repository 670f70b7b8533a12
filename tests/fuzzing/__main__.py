# SPDX-License-Identifier: GPL-3.0-or-later
"""``python build.py fuzz [--seconds N] [--output FILE.json] [PARSER ...]``: executions, time and findings of each.

Exit status 1 where there are findings; the inputs that show them stay in ``build/fuzz``, whose corpus the next run
goes on from.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from fuzzing.parsers import PARSERS, ROOT

FOLDER = ROOT / "build" / "fuzz"
SECONDS = 60
GRACE = 120.0  # seconds to load the engine, and to end


@dataclass(frozen=True)
class Outcome:
    """What the fuzzing of one parser came to."""

    parser: str
    executions: int
    accepted: int
    seconds: float
    slowest: float
    findings: dict[str, str]


def fuzz(name: str, seconds: int, folder: Path) -> Outcome:
    """Fuzz one parser in a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "record.json").unlink(missing_ok=True)
    left = {path.name for path in folder.iterdir()}
    command = [sys.executable, "-m", "fuzzing.run", name, str(seconds), str(folder)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with (folder / "log.txt").open("wb") as log:
        try:
            ended = subprocess.run(
                command, stdout=log, stderr=log, cwd=folder, env=environment, timeout=seconds + GRACE
            ).returncode
        except subprocess.TimeoutExpired:
            ended = 124
    path = folder / "record.json"
    record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"findings": {}}
    findings = dict(record["findings"])
    for artefact in sorted(folder.glob("*-*")):  # libFuzzer's: crash-, timeout-, oom- and a hash
        if artefact.name not in left:
            findings[artefact.name.partition("-")[0]] = artefact.name
    if ended and not findings:
        findings[f"ended with status {ended}"] = "log.txt"
    return Outcome(
        name, record.get("executions", 0), record.get("accepted", 0), record.get("seconds", 0.0),
        record.get("slowest", 0.0), findings,
    )  # fmt: skip


def main(arguments: list[str]) -> int:
    """Fuzz the parsers asked for, print a table; 1 where there are findings."""
    parser = argparse.ArgumentParser("build.py fuzz", description=__doc__)
    parser.add_argument("parsers", nargs="*", metavar="PARSER", help=f"default: all of {', '.join(PARSERS)}")
    parser.add_argument("--seconds", type=int, default=SECONDS, metavar="N", help=f"for each (default: {SECONDS})")
    parser.add_argument("--output", type=Path, metavar="FILE.json", help="write the figures, too")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.parsers if name not in PARSERS]:
        parser.error(f"there is no parser {unknown[0]}; choose of {', '.join(PARSERS)}")
    print(f"{'parser':20}{'executions':>12}{'accepted':>10}{'seconds':>9}{'slowest':>9}  findings", flush=True)
    outcomes = []
    for name in options.parsers or PARSERS:
        found = fuzz(name, options.seconds, FOLDER / name)
        outcomes.append(found)
        figures = f"{found.executions:12}{found.accepted:10}{found.seconds:9.0f}{found.slowest:8.2f}s"
        print(f"{name:20}{figures}  {len(found.findings)}", flush=True)
        for kind, where in found.findings.items():
            print(f"    {kind}: {FOLDER / name / where}", flush=True)
    if options.output:
        rows = [vars(found) for found in outcomes]
        options.output.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 1 if any(found.findings for found in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
