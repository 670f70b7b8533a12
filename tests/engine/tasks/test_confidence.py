# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples that are no measurements: all that were planted are found, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from engine.commands.clip_file import ClipFile
from engine.evaluation.corruption import KINDS
from engine.motion.joints import JOINTS, PARTS
from engine.motion.windows import between_rotations, continuous, exp_around, multiply, rotvec_to_quat
from engine.priors.dynamics import Dynamics
from engine.priors.spectra_file import load
from engine.tasks.confidence import angle, bridge, bridge_rotations, dropouts, flips, running_median, runs
from engine.tasks.temporal import find_gaps

LEFT_ARM = [JOINTS.index(joint) - 1 for joint in PARTS["left_arm"]]
LEFT_KNEE = JOINTS.index("left_knee") - 1


@pytest.fixture(scope="module")
def spectra() -> Dynamics:
    return load()["body"]


def moving(
    seconds: float, fps: float, seed: int = 0, degrees: float = 25.0, noise: float = 0.0
) -> np.ndarray:
    """Rotations (T, 21, 4) of joints that swing at up to 1.5 Hz, with white noise in degrees per axis."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * fps))[:, None, None] / fps
    rate, phase = rng.uniform(0.3, 1.5, (1, 21, 3)), rng.uniform(0, 2 * np.pi, (1, 21, 3))
    swing = np.deg2rad(degrees) * np.sin(2 * np.pi * rate * t + phase) / np.sqrt(3.0)
    shake = np.deg2rad(noise) * rng.normal(size=swing.shape)
    return continuous(multiply(rotvec_to_quat(swing), rotvec_to_quat(shake)))


@pytest.mark.parametrize("fps", [30.0, 60.0, 120.0])
@pytest.mark.parametrize("noise", [0.0, 1.0, 3.0])
def test_planted_spikes_are_found_and_nothing_else(spectra: Dynamics, fps: float, noise: float) -> None:
    quat = moving(6.0, fps, noise=noise)
    rng = np.random.default_rng(3)
    planted = np.zeros(quat.shape[:2], bool)
    faulty = quat.copy()
    for joint in range(21):
        begin = int(rng.uniform(0.5, 5.0) * fps)
        length = max(1, int(rng.uniform(0.03, 0.1) * fps))
        axis = rng.normal(size=3)
        flip = rotvec_to_quat(axis / np.linalg.norm(axis) * np.deg2rad(rng.uniform(60, 90)))
        rows = slice(begin, begin + length)
        faulty[rows, joint] = multiply(quat[rows, joint], flip)
        planted[rows, joint] = True
    found = find_gaps(continuous(faulty), spectra, fps)
    np.testing.assert_array_equal(found.spikes, planted)
    assert not found.dropouts.any()
    np.testing.assert_array_equal(found.known, ~planted)
    assert np.rad2deg(angle(found.quat, quat))[planted].max() < 12.0 + 4.0 * noise


@pytest.mark.parametrize("fps", [30.0, 120.0])
@pytest.mark.parametrize("degrees", [10.0, 40.0, 70.0])
def test_a_motion_without_faults_is_all_known(spectra: Dynamics, fps: float, degrees: float) -> None:
    found = find_gaps(moving(5.0, fps, degrees=degrees, noise=0.3), spectra, fps)
    assert found.known.all()


@pytest.mark.parametrize("fps", [30.0, 60.0, 120.0])
@pytest.mark.parametrize("rate", [0.0, 20.0], ids=["frozen", "drifting"])
def test_a_lost_limb_is_a_dropout(fps: float, rate: float) -> None:
    quat = moving(6.0, fps, noise=0.2)
    begin, end = round(2.0 * fps), round(3.0 * fps)
    faulty = quat.copy()
    drift = np.deg2rad(rate) * np.arange(end - begin)[:, None, None] / fps * np.array([0.0, 0.0, 1.0])
    faulty[begin:end, LEFT_ARM] = multiply(quat[begin - 1, LEFT_ARM], rotvec_to_quat(drift))
    lost = dropouts(faulty, fps)
    planted = np.zeros_like(lost)
    planted[begin:end, LEFT_ARM] = True
    slack = round(0.07 * fps)  # the pop itself may count as lost
    core, halo = planted.copy(), planted.copy()
    core[begin : begin + slack] = core[end - slack : end] = False
    halo[begin - slack : end + slack, LEFT_ARM] = True
    assert (lost >= core).all() and (lost <= halo).all()


def test_joints_at_rest_are_measured() -> None:
    """A straight knee for a while, a joint that never moves, and a whole body standing still are no faults."""
    quat = moving(6.0, 30.0, noise=0.2)
    quat[60:90, LEFT_KNEE] = quat[60, LEFT_KNEE]
    quat[:, 0] = quat[0, 0]
    assert not dropouts(quat, 30.0).any()
    assert not dropouts(np.repeat(quat[:1], 120, axis=0), 30.0).any()


def test_a_hold_that_is_eased_into_is_no_dropout() -> None:
    """An animator's moving hold has no pop at either end."""
    t = np.arange(180) / 30.0
    ease = np.clip(np.minimum(t - 1.0, 5.0 - t), 0.0, 1.0)
    ease = 3 * ease**2 - 2 * ease**3  # 1 from 2 s to 4 s
    swing = np.deg2rad(30.0) * ease[:, None, None] * np.ones((1, 21, 3)) / np.sqrt(3.0)
    assert not dropouts(rotvec_to_quat(swing), 30.0).any()


@pytest.mark.parametrize("frames", range(1, 7))
def test_few_frames_say_nothing(frames: int) -> None:
    assert not dropouts(moving(1.0, 30.0)[:frames], 30.0).any()
    np.testing.assert_allclose(np.linalg.norm(running_median(moving(1.0, 30.0)[:frames], 30.0), axis=-1), 1.0)


def test_a_sudden_start_and_a_fast_swing_are_no_flips() -> None:
    threshold = np.deg2rad([20.0])
    offset = np.zeros((30, 1, 3))
    offset[5:25, 0, 0] = np.deg2rad(90.0) * np.sin(np.linspace(0, np.pi, 20))  # gradual
    assert not flips(offset, threshold).any()
    offset[:] = 0.0
    offset[10:13, 0, 0] = np.deg2rad(60.0)  # at once, both ways
    assert flips(offset, threshold)[:, 0].nonzero()[0].tolist() == [10, 11, 12]
    offset[13:25, 0, 0] = np.deg2rad(60.0) * np.linspace(1, 0, 12)  # there at once, back gradually
    assert not flips(offset, threshold).any()


def test_the_median_ignores_outliers_that_a_mean_would_not() -> None:
    quat = moving(4.0, 30.0, degrees=10.0)
    faulty = quat.copy()
    faulty[60:63] = multiply(quat[60:63], rotvec_to_quat(np.array([1.5, 0.0, 0.0])))
    calm = np.rad2deg(angle(running_median(quat, 30.0), quat))
    shaken = np.rad2deg(angle(running_median(continuous(faulty), 30.0), quat))
    assert shaken.max() < calm.max() + 6.0


@given(flags=st.lists(st.booleans(), min_size=1, max_size=40))
def test_runs_are_those_a_loop_finds(flags: list[bool]) -> None:
    expected, begin = [], None
    for i, flag in enumerate([*flags, False]):
        if flag and begin is None:
            begin = i
        elif not flag and begin is not None:
            expected.append((begin, i - 1))
            begin = None
    assert runs(np.array(flags)) == expected


@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_bridges_are_straight_lines(seed: int, frames: int) -> None:
    rng = np.random.default_rng(seed)
    values, known = rng.normal(size=(frames, 3, 2)), rng.random((frames, 3)) < 0.5
    result = bridge(values, known)
    for joint in range(3):
        at = np.flatnonzero(known[:, joint])
        for d in range(2):
            own = values[:, joint, d]
            expected = np.interp(np.arange(frames), at, own[at]) if at.size else own
            np.testing.assert_allclose(result[:, joint, d], expected, atol=1e-12)
    assert (result[known] == values[known]).all()


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_bridged_rotations_lie_on_the_shortest_arc(seed: int) -> None:
    """As SciPy's slerp, to the order in which a normalised line differs from it."""
    rng = np.random.default_rng(seed)
    quat = rotvec_to_quat(rng.normal(size=(11, 1, 3)))
    quat[10] = exp_around(quat[0], rng.normal(size=(1, 3)) * 0.3)
    quat[10] *= rng.choice([-1.0, 1.0])
    known = np.isin(np.arange(11), [0, 10])[:, None]
    result = bridge_rotations(quat, known)
    assert (result[known] == quat[known]).all()
    ends = Rotation.from_quat(quat[[0, 10], 0][:, [1, 2, 3, 0]])
    expected = Slerp([0, 10], ends)(np.arange(11)).as_quat()[:, [3, 0, 1, 2]]
    assert np.rad2deg(angle(result[:, 0], expected)).max() < 1.5


def test_a_clip_brought_to_a_higher_rate_by_straight_lines_is_not_lost(spectra: Dynamics, shared_data: Path) -> None:
    """Between its own frames nothing accelerates; with spikes in it, all of it was once taken for a drop-out."""
    body = ClipFile(shared_data / "bvh_test" / "cmu_05_10_CC_Base.bvh").body
    quat = continuous(rotvec_to_quat(body.poses[1:]))
    at = np.arange(int((len(quat) - 1) * 120.0 / body.fps) + 1) * body.fps / 120.0
    faulty = KINDS["spikes"](continuous(between_rotations(quat, at)), 120.0, np.random.default_rng(0))
    found = find_gaps(continuous(faulty)[:, 1:], spectra, 120.0)
    assert not found.dropouts.any() and 0.0 < found.spikes.mean() < 0.1
