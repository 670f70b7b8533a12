# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python runs the engine: the search for it, without Blender, in the order of `search`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from .errors import EngineNotStarted

VARIABLE = "DPOSER_PYTHON"
CHOSEN, NAMED, OWN = "chosen", "named", "own"
"""Where an interpreter comes from: the preferences, the environment variable, Blender itself."""

_IN_ENVIRONMENTS = (
    ("Scripts/python.exe", "python.exe") if os.name == "nt" else ("bin/python", "bin/python3")
)
"""Where environments made by venv, and by conda, keep their interpreter."""


@dataclass(frozen=True)
class Interpreter:
    """A Python to run the engine with.

    Attributes:
        path: the program.
        source: `CHOSEN`, `NAMED` or `OWN`.
    """

    path: str
    source: str


def search(chosen: str, own: str) -> Interpreter:
    """The interpreter to use: what the user has chosen, else what ``DPOSER_PYTHON`` names, else Blender's own.

    What is named goes before Blender's own, though that needs no name: a studio that sets the variable means it.
    A folder stands for the environment, of venv or conda, that it holds.

    Args:
        chosen: an interpreter or a folder; empty where nothing was chosen.
        own: Blender's; empty where it is not known.

    Raises:
        EngineNotStarted: a folder is no environment, or there is no interpreter at all.
    """
    if chosen.strip():
        return Interpreter(_program(chosen), CHOSEN)
    if named := os.environ.get(VARIABLE, "").strip():
        return Interpreter(_program(named), NAMED)
    if own:
        return Interpreter(own, OWN)
    raise EngineNotStarted("Blender's own Python was not found; choose an interpreter in the preferences.")


def _program(named: str) -> str:
    """The interpreter that a path stands for; of a path that leads nowhere, the path."""
    path = Path(named.strip()).expanduser()
    if not path.is_dir():
        return str(path.absolute()) if path.exists() else str(path)
    for inside in _IN_ENVIRONMENTS:
        if (path / inside).is_file():
            return str((path / inside).absolute())  # not resolved: a link tells Python which environment it is in
    raise EngineNotStarted(
        f"The folder {path} holds no Python environment (there is no {_IN_ENVIRONMENTS[0]} in it); choose the folder "
        "of one, or an interpreter, in the preferences."
    )
