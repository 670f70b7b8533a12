# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a script in Blender as a module, which may wait for ever in its exit handlers: for its timers, for Rigify,
or (4.5) where it destroys a condition variable that its own thread for closing files still waits for.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn


def leave_after(main: Callable[[], object]) -> NoReturn:
    """Carry out a script and end the process at once, with exit status 1 where it failed and its words on stderr."""
    status = 0
    try:
        main()
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        if isinstance(leaving.code, str):
            print(leaving.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
