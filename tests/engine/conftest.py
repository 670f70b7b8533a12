# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real captures beside the checkout; tests that need it skip where it is absent."""
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real captures (shared/data) are not beside this checkout")
    return folder
