# SPDX-License-Identifier: GPL-3.0-or-later
"""The request ``score``: the tasks' own figures, over the pipe, for any length of clip and any rig."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from engine import protocol, requests
from engine.errors import Cancelled, MappingError, MotionError, ProtocolError
from engine.motion.joints import JOINTS, PARENTS
from engine.motion.motion import Motion
from engine.motion.retarget import to_body
from engine.motion.rigs import find_map
from engine.motion.skeleton import Skeleton
from engine.motion.tpose import OFFSETS
from engine.motion.windows import rotvec_to_quat
from engine.tasks.generate import GenerateSettings, generate
from engine.tasks.quality import quality
from engine.tasks.score import ScoreSettings, score

FRAMES = 40
BROKEN = 23
SETTINGS = {"samples": 64, "sample_steps": 10, "seed": 3, "device": "cpu"}

score_request = requests.TASKS["score"]


@pytest.fixture(scope="module")
def poses() -> np.ndarray:
    """(T, 22, 3) a natural pose that sways, whose left knee is bent forwards by a radian on one frame."""
    found = np.zeros((FRAMES, 22, 3))
    here, there = generate(2, GenerateSettings(steps=20, seed=1, device="cpu"))
    found[:, 1:] = here + 0.1 * np.sin(np.arange(FRAMES)[:, None, None] / 5.0) * (there - here)
    found[BROKEN, JOINTS.index("left_knee"), 0] = -1.0
    return found


def asked(poses: np.ndarray, without: tuple[str, ...] = ()) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A request about a rig that is the body itself, but for joints it lacks."""
    kept = [j for j, name in enumerate(JOINTS) if name not in without]
    heads = np.array(OFFSETS, float)
    for j, parent in enumerate(PARENTS[1:], start=1):
        heads[j] += heads[parent]
    above = [PARENTS[j] for j in kept]
    while any(parent >= 0 and parent not in kept for parent in above):
        above = [PARENTS[p] if p >= 0 and p not in kept else p for p in above]
    rest = np.tile(np.eye(4), (len(kept), 1, 1))
    rest[:, :3, 3] = heads[kept]
    params = {
        "fps": 30.0,
        "names": [JOINTS[j] for j in kept],
        "scale": 1.0,
        "bone_map": None,
        "settings": dict(SETTINGS),
    }
    return params, {
        "parents": np.array([kept.index(p) if p >= 0 else -1 for p in above], "int32"),
        "rest": rest,
        "tails": np.full((len(kept), 3), np.nan),
        "rotations": rotvec_to_quat(poses[:, kept]),
        "translations": np.zeros((len(poses), len(kept), 3)),
    }


def silent(done: int, total: int, stage: str) -> None:
    assert 0 <= done <= total and stage


def over_the_pipe(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
    stream = io.BytesIO()
    protocol.write_frame(stream, header, arrays)
    stream.seek(0)
    return protocol.read_frame(stream)


def test_the_request_gives_what_the_tasks_give(poses: np.ndarray) -> None:
    params, arrays = asked(poses)
    result, found = over_the_pipe(*score_request(*over_the_pipe(params, arrays), silent))
    rig = Skeleton(tuple(JOINTS), PARENTS, arrays["rest"], arrays["tails"], 1.0)
    body = to_body(Motion(rig, arrays["rotations"], arrays["translations"], 30.0), find_map(rig))
    expected, capture = score(body, ScoreSettings(**SETTINGS)), quality(body, "cpu")
    np.testing.assert_allclose(found["pose"], expected.pose, rtol=1e-6)
    np.testing.assert_allclose(found["joints"], expected.joints, rtol=1e-6, atol=1e-30)
    np.testing.assert_allclose(found["damage"], capture.damage, rtol=1e-6)
    np.testing.assert_allclose(found["noise"], capture.noise, rtol=1e-6)
    assert result["names"] == list(JOINTS) and result["joints"] == 22
    assert result["bones"] == result["shown"] == {joint: [joint] for joint in JOINTS}
    frame, plausibility, joint = result["worst"][0]
    assert (frame, joint) == (BROKEN, "left_knee") and plausibility == pytest.approx(found["pose"].min())
    frames = sorted(frame for frame, *_ in result["worst"])
    assert min(np.diff(frames)) >= 15, "moments are half a second apart"


def test_a_range_scores_as_the_whole(poses: np.ndarray) -> None:
    params, arrays = asked(poses)
    _, whole = score_request(params, arrays, silent)
    result, part = score_request(params | {"frames": [20, 30]}, arrays, silent)
    for name in ("pose", "joints", "damage"):
        np.testing.assert_allclose(part[name], whole[name][20:30], rtol=1e-3, atol=1e-5)
    assert result["worst"][0][0] == BROKEN - 20


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_lone_pose_and_a_short_clip_have_scores(poses: np.ndarray, count: int) -> None:
    begin = BROKEN - count // 2
    result, found = score_request(*asked(poses[begin : begin + count]), silent)
    assert found["pose"].shape == (count,) and found["joints"].shape == (count, 21)
    assert found["damage"].shape == (count, 22) and found["noise"].shape == (22,)
    assert all(np.isfinite(array).all() for array in found.values())
    frame, plausibility, joint = result["worst"][0]
    assert (frame, joint) == (count // 2, "left_knee") and plausibility == pytest.approx(found["pose"].min())


def test_joints_that_a_rig_lacks_are_no_fault_of_its_motion(poses: np.ndarray) -> None:
    """Without hands and toes, and with two bones for the spine, the body scores as it does with them."""
    lacking = ("left_wrist", "right_wrist", "left_foot", "right_foot", "spine2", "neck")
    _, whole = score_request(*asked(poses), silent)
    result, found = score_request(*asked(poses, lacking), silent)
    assert not set(result["bones"]) & set(lacking) and result["joints"] < 22
    absent = [JOINTS.index(joint) - 1 for joint in lacking if joint not in result["bones"]]
    assert (found["joints"][:, absent] == 1.0).all(), "nobody is told of a joint that is not there"
    ordinary = np.arange(FRAMES) != BROKEN
    assert np.median(found["pose"][ordinary]) > 0.3 * np.median(whole["pose"][ordinary])
    assert result["worst"][0][0] == BROKEN and result["worst"][0][2] == "left_knee"


def test_joints_that_an_animation_leaves_at_rest_are_none_either(poses: np.ndarray) -> None:
    """A spine without a bend in it, hands and toes that never turn; but a leg that never bends is odd."""
    stiff = poses.copy()
    stiff[:, [JOINTS.index(joint) for joint in ("spine1", "spine2", "spine3", "left_wrist", "left_foot")]] = 0.0
    _, whole = score_request(*asked(poses), silent)
    _, found = score_request(*asked(stiff), silent)
    ordinary = np.arange(FRAMES) != BROKEN
    assert np.median(found["pose"][ordinary]) > 0.3 * np.median(whole["pose"][ordinary])
    stiff[:, JOINTS.index("right_hip")] = [-1.5, 0.0, 0.0]
    stiff[:, JOINTS.index("right_knee")] = [-1.0, 0.0, 0.0]
    _, broken = score_request(*asked(stiff), silent)
    assert np.median(broken["pose"]) < 0.2 * np.median(found["pose"])


def test_progress_never_goes_back_and_may_stop_it(poses: np.ndarray) -> None:
    told: list[float] = []
    stages: list[str] = []

    def on_step(done: int, total: int, stage: str) -> None:
        told.append(done / total)
        stages.append(stage)

    score_request(*asked(poses, ("left_wrist", "right_wrist")), on_step)
    assert told == sorted(told) and told[0] < 0.2 and told[-1] > 0.7
    assert {"Filling in missing joints", "Denoising poses", "Looking for damage"} <= set(stages)

    def stop(done: int, total: int, stage: str) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        score_request(*asked(poses), stop)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"frames": [5, 5]}, MotionError),
        ({"frames": [0, FRAMES + 1]}, MotionError),
        ({"frames": "all"}, ProtocolError),
        ({"settings": {"magic": 1}}, ProtocolError),
        ({"names": [f"{number}" for number in range(22)], "bone_map": {"left_knee": "gone"}}, MappingError),
    ],
)
def test_what_cannot_be_scored_is_one_sentence(poses: np.ndarray, wrong: dict[str, Any], error: type) -> None:
    params, arrays = asked(poses)
    with pytest.raises(error) as caught:
        score_request(params | wrong, arrays, silent)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
