# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine's tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine import cli


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real captures beside the checkout; tests that need it skip where it is absent."""
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real captures (shared/data) are not beside this checkout")
    return folder


@pytest.fixture
def clean_here(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs ``clean`` by this process, which is quicker to start; gives its exit code and what it said."""

    def clean_here(*words: object) -> tuple[int, str]:
        try:
            code = cli.main(["clean", *map(str, words)])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        captured = capsys.readouterr()
        assert captured.out == ""
        return code, captured.err

    return clean_here
