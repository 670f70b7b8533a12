# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine evaluate``: the tables of the paper on our data, or Clean Motion against filters."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from engine.commands.arguments import add_device
from engine.evaluation import clean, tables


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``evaluate``; imports nothing heavy."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--task", choices=["clean"], default="clean", help="what to measure (default: clean)")
    what.add_argument(
        "--table", choices=[*tables.MODULES, "all"], metavar="NAME",
        help=f"a table: {', '.join(tables.MODULES)}; or all up to {list(tables.POSES)[-1]}",
    )  # fmt: skip
    clean.add_arguments(parser)
    group = parser.add_argument_group("tables only")
    add_device(group)
    group.add_argument(
        "--results", type=Path, default=Path("docs/results"),
        help="folder for the tables as Markdown and JSON (default: docs/results)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Measure what was asked for; tables are printed and written one by one, as they are ready.

    Raises:
        FileError: a split is not there, or a table cannot be written. WeightsError: the prior cannot be loaded.
    """
    if not args.table:
        return clean.run(args)
    from engine.evaluation.tables.table import Context

    context = Context(args.data, args.seeds, args.every, args.device)
    for name in tables.POSES if args.table == "all" else [args.table]:
        begin = time.monotonic()
        table = tables.measure(name, context)
        print(table.markdown(), flush=True)
        table.write(args.results)
        print(f"{name}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
    return 0
