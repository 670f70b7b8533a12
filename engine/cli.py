# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line, ``python -m engine``: clean clips, measure, train, and serve Blender.

Exit codes: 0 done, 2 wrong usage or an error that one sentence on stderr explains, 130 interrupted by Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import engine
from engine.failures import explain

Run = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        args = _parser(argv).parse_args(argv)
        return args.run(args)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except Exception as error:  # the user gets a sentence, below the traceback of what nobody foresaw
        print(explain(error, "the lines above"), file=sys.stderr)
        return 2


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The parser; options of commands other than the one in ``argv`` are not looked up, to be quick."""
    parser = argparse.ArgumentParser("python -m engine", description=engine.__doc__)
    parser.add_argument("--version", action="version", version=f"DPoser engine {engine.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    asked = next((word for word in argv if word in _COMMANDS), None)
    for name, (summary, configure) in _COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if name == asked:
            command.set_defaults(run=configure(command))
    return parser


def _clean(parser: argparse.ArgumentParser) -> Run:
    from engine import clean_files

    clean_files.add_arguments(parser)
    return clean_files.run


def _evaluate(parser: argparse.ArgumentParser) -> Run:
    from engine.evaluation import clean

    parser.add_argument("--task", choices=["clean"], default="clean", help="what to measure (default: clean)")
    clean.add_arguments(parser)
    return clean.run


def _train(parser: argparse.ArgumentParser) -> Run:
    from engine.training import train

    train.add_arguments(parser)
    return train.run


def _serve(parser: argparse.ArgumentParser) -> Run:
    def run(args: argparse.Namespace) -> NoReturn:
        from engine import serve

        serve.main()

    return run


_COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], Run]]] = {
    "clean": ("clean a BVH or AMASS clip, or a folder of them", _clean),
    "evaluate": ("measure a task on clips whose truth is known", _evaluate),
    "train": ("train a pose prior on motion capture", _train),
    "serve": ("answer Blender over stdin and stdout", _serve),
}
