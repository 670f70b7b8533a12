# SPDX-License-Identifier: GPL-3.0-or-later
"""How long computations report and are cancelled."""

from __future__ import annotations

from collections.abc import Callable

OnStep = Callable[[int, int, str], None]
"""Called between solver steps with (done, total, stage in words); may raise `Cancelled`."""
