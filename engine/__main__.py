# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine``; on an interpreter that is too old it says so, in words that end the engine's log."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - users choose the interpreter
    sys.exit(
        f"The engine needs Python 3.11 or newer, which {sys.executable} is not; choose another interpreter."
    )

from engine.cli import main

if __name__ == "__main__":
    sys.exit(main())
