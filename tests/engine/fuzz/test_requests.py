# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that ask for what no Blender does are refused in a sentence before anything is computed."""

from __future__ import annotations

import copy
import io
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the learned tools need PyTorch")

from engine import protocol
from engine.errors import EngineError, MotionError, ProtocolError
from engine.requests import TASKS
from engine.requests.rig import check_answer, motion_of
from engine.serve import MAX_MESSAGE
from fuzzing import parsers, seeds

SECONDS = 5.0  # of the processor
NUMBERS = [10**9, 10**30, -1, 1.5, "3", None, [], {}, True]


class Begun(Exception):
    """The solver was reached, or would have been."""


@pytest.fixture(autouse=True)
def _no_solvers() -> Iterator[None]:
    with parsers.without_solvers():
        yield


def asked(op: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The last intact request of a kind, to be changed."""
    found = [(params, arrays) for name, params, arrays in seeds.asked() if name == op]
    return copy.deepcopy(found[-1])


def refused(op: str, params: dict[str, Any], arrays: dict[str, np.ndarray], says: str = "") -> None:
    begin = time.process_time()
    with pytest.raises(EngineError, match=says) as caught:
        TASKS[op](params, arrays, lambda done, total, stage: None)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < MAX_MESSAGE
    assert time.process_time() - begin < SECONDS


@pytest.mark.parametrize("op", [op for op in TASKS if op not in ("map", "check", "clean", "keypoints")])
def test_intact_requests_reach_the_solver(op: str) -> None:
    params, arrays = asked(op)
    with pytest.raises(RuntimeError, match=parsers.STOPPED):
        TASKS[op](params, arrays, lambda done, total, stage: None)


@pytest.mark.parametrize("value", NUMBERS)
@pytest.mark.parametrize(
    ("op", "key"), [("inbetween", "variants"), ("idle", "variants"), ("idle", "seconds"), ("generate", "count")]
)
def test_counts(op: str, key: str, value: Any) -> None:
    if (key == "seconds" and type(value) in (int, float)) or (key, value) == ("count", -1):
        pytest.skip("this is for the task to judge, and nothing stands in its place here")
    params, arrays = asked(op)
    refused(op, params | {key: value}, arrays)


def test_a_task_judges_its_own_counts() -> None:
    """What a request hands on, the task itself bounds."""
    from engine.tasks.generate_like import MOST
    from engine.tasks.idle import LONGEST

    assert MOST <= 500 and LONGEST <= 120.0


@pytest.mark.parametrize("hypotheses", [10**9, 0, "x", 2.5])
@pytest.mark.parametrize("frames", [1, 8])
def test_hypotheses(hypotheses: Any, frames: int) -> None:
    params, arrays = asked("complete")
    params |= {"settings": {"hypotheses": hypotheses}, "frames": [0, frames]}
    arrays |= {name: arrays[name][:frames] for name in ("rotations", "translations")}
    if isinstance(hypotheses, int) and hypotheses == 0:
        pytest.skip("refused by the task itself")
    refused("complete", params, arrays)


def test_answers_that_the_pipe_cannot_carry() -> None:
    motion = motion_of(*asked("inbetween"))
    check_answer(motion, 1000, 64)
    with pytest.raises(MotionError, match="fewer"):
        check_answer(motion, 1_000_000, 64)


@pytest.mark.parametrize("frames", [[0, 10**9], [-1, 5], [5, 5], [0.0, 5.0], [0], "08", [True, 5], {"a": 1}, [None, 3]])
@pytest.mark.parametrize("op", ["complete", "score", "targets"])
def test_ranges(op: str, frames: Any) -> None:
    params, arrays = asked(op)
    refused(op, params | {"frames": frames}, arrays)


@pytest.mark.parametrize("keys", [3, "ab", [0, "7"], [0.5, 7], {"head": 3}, {"head": ["a"]}, [[0], [7]], None])
def test_keys(keys: Any) -> None:
    params, arrays = asked("inbetween")
    refused("inbetween", params | {"keys": keys}, arrays)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fps", "30"), ("fps", None), ("fps", 1e300), ("fps", True), ("scale", "1"), ("scale", []),
        ("names", "abc"), ("names", 5), ("names", [1] * 22), ("names", ["a"] * 22), ("names", ["x" * 2000] * 22),
        ("settings", []), ("settings", {"seed": -1}), ("settings", {"seed": 2**63}), ("settings", {"seed": "1"}),
        ("settings", {"device": 3}), ("settings", {"likelihood": {}}), ("settings", {"pull": 1, "solver": 2}),
        ("mapping", 3), ("mapping", {}), ("bone_map", {"head": 1}), ("human_bones", "x"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("op", ["score", "targets"])
def test_parameters_of_a_rig(op: str, key: str, value: Any) -> None:
    params, arrays = asked(op)
    refused(op, params | {key: value}, arrays)


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("parents", lambda a: a.astype("float64") - 0.5),
        ("parents", lambda a: a + 5),
        ("parents", lambda a: a[:5]),
        ("rest", lambda a: a * np.nan),
        ("rest", lambda a: a * 0.0),
        ("rest", lambda a: a * 1e300),
        ("rest", lambda a: -a),
        ("rest", lambda a: a.reshape(-1)),
        ("tails", lambda a: np.full_like(a, np.inf)),
        ("tails", lambda a: a[..., :2]),
        ("rotations", lambda a: a * 0.0),
        ("rotations", lambda a: a * 1e300),
        ("rotations", lambda a: a.astype("uint8")[..., :3]),
        ("translations", lambda a: a + 1e300),
        ("translations", lambda a: a[:, :3]),
    ],
)
def test_arrays_of_a_rig(key: str, change: Any) -> None:
    params, arrays = asked("score")
    refused("score", params, arrays | {key: change(arrays[key])})


def mapping() -> dict[str, Any]:
    params, arrays = asked("map")
    found = TASKS["map"](params, arrays, lambda done, total, stage: None)[0]["found"]
    assert isinstance(found, dict)
    return found


def with_source(**changes: Any) -> Any:
    def change(found: dict[str, Any]) -> None:
        found["sources"]["head"] |= changes

    return change


@pytest.mark.parametrize(
    "change",
    [
        with_source(bones=["gone"]),
        with_source(bones=[]),
        with_source(bones="head"),
        with_source(bones=[["head"]]),
        with_source(bones=["head", "head"], shared=True),
        with_source(bones=["left_foot"]),
        with_source(at="x"),
        with_source(at=1e300),
        with_source(own=3),
        with_source(more=3),
        lambda found: found["sources"].update(tail=found["sources"]["head"]),
        lambda found: found["sources"].pop("left_knee"),
        lambda found: found.update(sources=[]),
        lambda found: found.update(name=3),
        lambda found: found.update(confidence="x"),
        lambda found: found.update(twist={"left_elbow": ["left_wrist", "x"]}),
        lambda found: found.update(twist={"left_elbow": "ab"}),
        lambda found: found.update(limbs={"left_elbow": [0, 0, 0]}),
        lambda found: found.update(turn={"left_elbow": [0, 0]}),
        lambda found: found.update(tpose={"left_elbow": [0, 0, [1]]}),
        lambda found: found.update(switches=[{"bone": ["head"], "property": "p", "value": 1, "joints": []}]),
        lambda found: found.update(follows={"head": "gone"}),
        lambda found: found.update(follows={"head": ["neck"]}),
        lambda found: found.update(follows={"spine1": "head"}),  # round and round
        lambda found: found.update(follows={"pelvis": "pelvis"}),
        lambda found: found.update(shown=[["head", "neck"]]),
    ],
)
@pytest.mark.parametrize("op", ["score", "clean"])
def test_mappings_that_a_file_may_have_kept(op: str, change: Any) -> None:
    params, arrays = asked(op)
    found = mapping()
    refused_before = copy.deepcopy(found)
    change(found)
    assert found != refused_before
    refused(op, params | {"mapping": found}, arrays, "bones|two joints|not below")


def served(*requests: tuple[dict[str, Any], dict[str, np.ndarray]]) -> list[dict[str, Any]]:
    """The answers of the engine's server, without its threads."""
    source = io.BytesIO()
    for header, arrays in requests:
        protocol.write_frame(source, header, arrays)
    source.seek(0)
    return parsers.served(source)


def test_answers_stay_short_whatever_they_name() -> None:
    long = "é" * 20_000
    params, arrays = asked("score")
    names = [f"{long[:900]}{n}" for n in range(22)]
    answers = served(
        ({"op": long, "id": 1, "params": {}}, {}),
        ({"op": "score", "id": 2, "params": params | {"settings": {long: 1}}}, arrays),
        ({"op": "score", "id": 3, "params": params | {"names": names}}, arrays),
        ({"op": "map", "id": 4, "params": params | {"bone_map": {"head": long, "neck": long}}}, arrays),
        ({"op": "clean", "id": 5, "params": params | {"bone_map": dict.fromkeys(("head", "neck"), long)}}, arrays),
    )
    assert [answer["id"] for answer in answers if answer["type"] != "progress"] == [1, 2, 3, 4, 5]
    for answer in answers:
        assert len(str(answer.get("message", ""))) <= MAX_MESSAGE + 3
        assert len(str(answer.get("result", ""))) < 10_000


def test_a_name_in_a_damaged_message_is_cut() -> None:
    text = b'{"header":{},"arrays":[{"name":"' + b"\\u00e9" * 100_000 + b'","dtype":"x","shape":[],"begin":0,"end":0}]}'
    stream = io.BytesIO(b"DPSR\1\0\0\0" + len(text).to_bytes(4, "little") + bytes(8) + text)
    with pytest.raises(ProtocolError, match=r"unknown dtype") as caught:
        protocol.read_frame(stream)
    assert len(str(caught.value)) < 300


def test_a_message_that_no_reader_takes_is_not_written() -> None:
    stream = io.BytesIO()
    whole = np.broadcast_to(np.zeros(1), (protocol.MAX_PAYLOAD // 8 + 1,))
    with pytest.raises(ProtocolError, match="choose a shorter range"):
        protocol.write_frame(stream, {}, {"a": whole})
    assert not stream.getvalue()
