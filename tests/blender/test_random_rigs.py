# SPDX-License-Identifier: GPL-3.0-or-later
"""Humanoid rigs that nobody has named: whatever their bones, they survive the round trip through the body."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

bpy = pytest.importorskip("bpy")

from rigcheck.designs import INHERITANCE, TURNS, Design, bone_map  # noqa: E402
from rigcheck.engine import Engine  # noqa: E402
from rigcheck.figures import MODES  # noqa: E402
from rigcheck.measure import measure  # noqa: E402
from rigcheck.verdict import Figures  # noqa: E402

EXAMPLES = int(os.environ.get("DPOSER_RIG_EXAMPLES", "25"))
FRAMES = 12


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as child:
        yield child


designs = st.builds(
    Design,
    spine=st.integers(1, 6),
    neck=st.integers(0, 3),
    above=st.integers(0, 2),
    below=st.integers(0, 2),
    fingers=st.integers(0, 3),
    toes=st.booleans(),
    collars=st.booleans(),
    wrists=st.booleans(),
    twists=st.booleans(),
    split=st.booleans(),
    arms=st.sampled_from([0.0, 30.0, 45.0, 60.0]),
    turn=st.integers(0, len(TURNS) - 1),
    unit=st.sampled_from([1.0, 0.01, 0.0254, 0.1]),
    mode=st.integers(0, len(MODES) - 1),
    step=st.integers(1, 4),
    carrier=st.booleans(),
    still_collars=st.booleans(),
    crooked=st.booleans(),
    seed=st.integers(0, 999),
)
bent = st.lists(st.tuples(st.integers(0, 200), st.sampled_from(INHERITANCE)), min_size=1, max_size=4).map(
    tuple
)


def examples(share: float = 1.0) -> settings:
    return settings(
        max_examples=max(1, round(EXAMPLES * share)),
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),  # a rig takes a second: what fails is told, not made small
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


def check(design: Design, engine: Engine, by_hand: bool) -> Figures:
    """Build the rig, carry its motion there and back, and hold what Blender shows to the limits."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    ob, someone = design.build(FRAMES)
    figures = measure("design", ob, engine, bone_map=bone_map(someone) if by_hand else None, seed=design.seed)
    assert figures.failures() == []
    return figures


@examples()
@given(design=designs)
def test_any_rig_by_the_user_s_map(design: Design, engine: Engine) -> None:
    check(design, engine, by_hand=True)


@examples()
@given(design=designs)
def test_any_rig_by_its_structure(design: Design, engine: Engine) -> None:
    # Without toes, and without feet that point ahead, nothing tells what is left.
    design = replace(design, toes=design.toes or design.crooked)
    if not design.wrists:  # then what hangs from a forearm hides where it ends
        design = replace(design, fingers=0, twists=False)
    figures = check(design, engine, by_hand=False)
    assert figures.map == "structure"
    lacking = {"foot": not design.toes, "collar": not design.collars, "neck": not design.neck}
    lacking["wrist"] = not design.wrists
    kinds = {joint.split("_")[-1] for joint in figures.lacks}
    assert kinds == {kind for kind, lacks in lacking.items() if lacks}


@examples(0.5)
@given(design=designs, inheritance=bent)
def test_bones_that_inherit_otherwise(
    design: Design, inheritance: tuple[tuple[int, str], ...], engine: Engine
) -> None:
    check(replace(design, inheritance=inheritance), engine, by_hand=True)


@pytest.mark.parametrize(
    ("above", "flag"),
    [(0, "use_local_location"), (1, "use_local_location"), (1, "use_inherit_rotation")],
)
def test_a_pelvis_that_inherits_otherwise(engine: Engine, above: int, flag: str) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    ob, someone = Design(above=above).build(FRAMES)
    setattr(ob.data.bones[someone.bones["pelvis"][0]], flag, False)
    assert measure("design", ob, engine, bone_map=bone_map(someone)).failures() == []
