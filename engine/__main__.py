# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m engine``. Runs on any Python far enough to say what is missing in one line, the last of the log."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the user may choose any interpreter
    sys.exit(f"The engine needs Python 3.11 or newer; {sys.executable} is older, so choose another interpreter.")
try:
    from engine.cli import main
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] == "engine":
        raise
    sys.exit(
        f"The engine's Python ({sys.executable}) lacks the module {error.name}; install it there or choose another "
        "interpreter."
    )

if __name__ == "__main__":
    sys.exit(main())
