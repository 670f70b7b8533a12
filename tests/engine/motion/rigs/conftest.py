# SPDX-License-Identifier: GPL-3.0-or-later
"""Every test that asks for a `someone` runs for one person of each naming convention."""

from __future__ import annotations

import pytest

from rigcheck.people import PEOPLE, Person


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test that asks for a `someone` runs for every convention."""
    if "someone" in metafunc.fixturenames:
        metafunc.parametrize("someone", PEOPLE.values(), ids=PEOPLE.keys())


@pytest.fixture(scope="session")
def people() -> dict[str, Person]:
    """Name of each convention's table -> a person."""
    return PEOPLE
