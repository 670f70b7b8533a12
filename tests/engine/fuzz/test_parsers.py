# SPDX-License-Identifier: GPL-3.0-or-later
"""Every parser of what others may have made takes intact inputs, and refuses changed ones by its own errors alone."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="weights and SMPL models need PyTorch")

from fuzzing import parsers, seeds

HUNG = 30  # seconds that no input needs on a slow, busy machine
EXAMPLES = 25  # of each parser; `python build.py fuzz` makes many more
CUT_SHORT = {"prior": 1, "arrays": 1}
"""Inputs that are refused as they are: of bundled files the headers alone."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "input.json"


def outcome(name: str, data: bytes, path: Path) -> bool:
    """Whether an input is accepted; whatever else than a refusal comes of it passes through."""
    parser = parsers.PARSERS[name]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parser.reader(data, path)
    except parsers.refusals() as error:
        sentence = str(error)
        assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 4000, sentence
        return False
    return True


@pytest.mark.parametrize("name", parsers.PARSERS)
def test_intact_inputs_are_accepted(name: str, place: Path) -> None:
    taken = [outcome(name, data, place) for data in seeds.seeds(name)]
    # An error that concerns the pipe itself is an answer that the client refuses as it should.
    refused = CUT_SHORT.get(name, 1 if name == "client" else 0)
    assert taken.count(False) == refused and taken.count(True) > 0, taken


@st.composite
def changed(draw: st.DrawFn, name: str) -> bytes:
    """An intact input with parts put in, taken out, doubled, or of other bits."""
    intact = seeds.seeds(name)
    data = bytearray(draw(st.sampled_from(intact)))
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, max(0, len(data) - 1)))
        end = begin + draw(st.integers(0, 40))
        other = draw(st.sampled_from(intact))
        start = draw(st.integers(0, max(0, len(other) - 1)))
        piece = draw(
            st.binary(max_size=8)
            | st.sampled_from([b"", b"-1", b"1e999", b"NaN", b"[" * 2000, b"9" * 5000, b"\xff" * 8, bytes(8), b"null"])
            | st.just(other[start : start + 60])
            | st.just(bytes(data[begin:end]) * 2)
        )
        data[begin:end] = piece
    return bytes(data)


@pytest.mark.parametrize("name", parsers.PARSERS)
def test_changed_inputs_are_refused_or_read(name: str, place: Path) -> None:
    @settings(
        max_examples=EXAMPLES, deadline=1000 * HUNG, database=None, suppress_health_check=list(HealthCheck),
        derandomize=True,
    )  # fmt: skip
    @given(changed(name))
    def check(data: bytes) -> None:
        outcome(name, data, place)

    check()
