# SPDX-License-Identifier: GPL-3.0-or-later
"""The request ``inbetween``: which keys of a rig are keys of its body."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.errors import MotionError
from engine.motion.units import in_human_size
from engine.motion.windows import rotvec_to_quat
from engine.requests import TASKS
from rigcheck.conventions import CONVENTIONS
from rigcheck.people import person

FRAMES = 30
HAND, HIPS, SPINE = "mixamorig:LeftHand", "mixamorig:Hips", "mixamorig:Spine"
FINGER, PROP, ROOT = "finger", "prop", "root"


@pytest.fixture(scope="module")
def asked() -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A person with a finger, something in its hand, and a bone that carries it all."""
    skeleton = in_human_size(person("mixamo", CONVENTIONS["mixamo"]).skeleton)
    hand = skeleton.index(HAND)
    skeleton = replace(
        skeleton,
        names=(ROOT, *skeleton.names, FINGER, PROP),
        parents=(-1, *(parent + 1 for parent in skeleton.parents), hand + 1, hand + 1),
        rest=np.concatenate([np.eye(4)[None], skeleton.rest, skeleton.rest[[hand, hand]]]),
        tails=np.concatenate([np.array([[0.0, 0.0, 0.2]]), skeleton.tails, skeleton.tails[[hand, hand]] + 0.1]),
    )
    turns = np.cumsum(0.02 * np.random.default_rng(0).normal(size=(FRAMES, len(skeleton), 3)), axis=0)
    params = {"fps": 30.0, "names": list(skeleton.names), "scale": skeleton.scale, "bone_map": None}
    return params | {"settings": {"method": "linear"}}, {
        "parents": np.array(skeleton.parents, "int32"),
        "rest": skeleton.rest,
        "tails": skeleton.tails,
        "rotations": rotvec_to_quat(turns),
        "translations": np.zeros((FRAMES, len(skeleton), 3)),
    }


def silent(done: int, total: int, stage: str) -> None:
    assert 0 <= done <= total and stage


@pytest.mark.parametrize("carrier", [HIPS, SPINE, HAND, ROOT, ""])
def test_keys_of_the_body_and_of_what_carries_it_count(asked: Any, carrier: str) -> None:
    params, arrays = asked
    keys = {HIPS: [3, 25], FINGER: [9], PROP: [0, 14, 29], carrier: [3, 20, 25], "gone": [11]}
    answer, out = TASKS["inbetween"](params | {"keys": keys}, arrays, silent)
    assert answer["keys"] == [3, 20, 25]
    _, same = TASKS["inbetween"](params | {"keys": [25, 3, 20]}, arrays, silent)
    np.testing.assert_array_equal(out["rotations"], same["rotations"])
    changed = out["rotations_changed"][0].any(axis=1)
    assert set(np.flatnonzero(changed)) == {row for row in range(4, 25) if row != 20}


@pytest.mark.parametrize(
    ("keys", "match"),
    [
        ({PROP: [3, 25], FINGER: [9]}, "No frame has a selected key of the body"),
        ({PROP: [3, 25], HAND: [9]}, "Only one frame has a selected key of the body"),
        ({PROP: [3, 25], HAND: [9, 10], HIPS: [8]}, "No frame lies between the selected keys of the body"),
    ],
)
def test_too_few_keys_of_the_body_are_one_sentence(asked: Any, keys: dict[str, list[int]], match: str) -> None:
    params, arrays = asked
    with pytest.raises(MotionError, match=match) as caught:
        TASKS["inbetween"](params | {"keys": keys}, arrays, silent)
    assert str(caught.value).endswith(".")
