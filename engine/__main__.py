# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine``; on an interpreter that is too old it says so, in words that end the engine's log."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - users choose the interpreter
    sys.exit(  # without an f-string, which a Python 2 would refuse before it reads the condition
        "The engine needs Python 3.11 or newer, which {} is not; choose another interpreter.".format(  # noqa: UP032
            sys.executable
        )
    )

import os
from pathlib import Path

from engine import bytecode

bytecode.keep()
# PyTorch's compiler, which roma loads and nobody uses, makes a folder among the temporary files unless it is given one.
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path(__file__).resolve().parent))

from engine.cli import main  # noqa: E402 - bytecode first

if __name__ == "__main__":
    sys.exit(main())
