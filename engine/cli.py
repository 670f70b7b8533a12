# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line, ``python -m engine``: clean clips, measure, train, and serve Blender.

Exit codes: 0 done, 2 wrong usage or an error that one sentence on stderr explains, 130 interrupted by Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NoReturn

import engine
from engine.failures import explain
from engine.packages import need_torch
from engine.wording import printable

Run = Callable[[argparse.Namespace], int]
Configure = Callable[[argparse.ArgumentParser], Run]


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
        sentence = explain(error, "the lines above")
        with contextlib.suppress(OSError):  # standard error may go to a full disk
            print(printable(str(sentence)), file=sys.stderr)
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


def _command(module: str, learned: bool = False) -> Configure:
    """A command that lives in ``engine.commands`` (or ``engine.training``), imported only when it is asked for.

    Args:
        module: where it is.
        learned: whether it needs PyTorch whatever its options.
    """

    def configure(parser: argparse.ArgumentParser) -> Run:
        command = import_module(module)
        command.add_arguments(parser)

        def run(args: argparse.Namespace) -> int:
            if learned:
                need_torch(f"The command {parser.prog.rpartition(' ')[2]}")
            return command.run(args)

        return run

    return configure


def _serve(parser: argparse.ArgumentParser) -> Run:
    def run(args: argparse.Namespace) -> NoReturn:
        from engine import process

        process.lower_priority()  # before NumPy, whose threads stay as they are made
        from engine import serve

        serve.main()

    return run


_COMMANDS: dict[str, tuple[str, Configure]] = {
    "clean": ("clean a BVH or AMASS clip, or a folder of them", _command("engine.commands.clean")),
    "complete": ("fill in missing joints or limbs of a clip", _command("engine.commands.complete", learned=True)),
    "generate": ("generate natural poses", _command("engine.commands.generate", learned=True)),
    "idle": ("make a looping idle from a pose", _command("engine.commands.idle", learned=True)),
    "inbetween": ("fill the frames between the keys of a clip", _command("engine.commands.inbetween")),
    "fit": ("fit poses to 2D keypoints, 3D joints or effector targets", _command("engine.commands.fit", learned=True)),
    "lift": ("animate the body from 2D keypoints", _command("engine.commands.lift", learned=True)),
    "refine": ("refine a clip by what was seen of it", _command("engine.commands.refine", learned=True)),
    "score": ("tell how plausible the poses of a clip are", _command("engine.commands.score", learned=True)),
    "evaluate": ("measure tasks on data whose truth is known", _command("engine.commands.evaluate", learned=True)),
    "train": ("train a prior on motion capture", _command("engine.training.train", learned=True)),
    "serve": ("answer Blender over stdin and stdout", _serve),
}
