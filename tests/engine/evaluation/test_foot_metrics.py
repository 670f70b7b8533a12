# SPDX-License-Identifier: GPL-3.0-or-later
"""Skate and contact scores against closed forms and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from engine.evaluation.foot_metrics import contact_scores, skate


@given(speed=st.floats(0.0, 3.0), fps=st.sampled_from([24.0, 30.0, 59.94, 120.0]), angle=st.floats(0.0, 6.28))
def test_a_foot_that_slides_evenly_skates_its_speed_at_any_rate(
    speed: float, fps: float, angle: float
) -> None:
    """Metres per second are 1000 / 30 mm per frame at 30 fps; what goes up and down does not count."""
    time = np.arange(40) / fps
    feet = np.zeros((40, 4, 3))
    feet[..., 0] = (speed * np.cos(angle) * time)[:, None]
    feet[..., 1] = np.sin(time)[:, None]
    feet[..., 2] = (speed * np.sin(angle) * time)[:, None]
    assert skate(feet, np.ones((40, 4), bool), fps) == pytest.approx(1000.0 * speed / 30.0, abs=1e-6)


def test_only_steps_between_two_contacts_count() -> None:
    feet = np.zeros((6, 4, 3))
    feet[:, 2, 0] = np.array([0.0, 1.0, 1.002, 1.006, 9.0, 9.0])
    contact = np.zeros((6, 4), bool)
    contact[1:4, 2] = True
    contact[5, 2] = True  # alone, it has no step
    assert skate(feet, contact, 30.0) == pytest.approx((2.0 + 4.0) / 2.0)


def test_no_contact_has_no_skate() -> None:
    contact = np.zeros((5, 4), bool)
    contact[::2] = True
    assert np.isnan(skate(np.ones((5, 4, 3)), contact, 30.0))
    assert np.isnan(skate(np.ones((1, 4, 3)), np.ones((1, 4), bool), 30.0))


@given(seed=st.integers(0, 2**32 - 1), found=st.floats(0.0, 1.0), there=st.floats(0.0, 1.0))
def test_scores_are_those_of_scikit_learn(seed: int, found: float, there: float) -> None:
    rng = np.random.default_rng(seed)
    predicted, truth = rng.random((7, 4)) < found, rng.random((7, 4)) < there
    scores = contact_scores(predicted, truth)
    nothing = not predicted.any() and not truth.any()
    wanted = precision_recall_fscore_support(
        truth.ravel(), predicted.ravel(), average="binary", zero_division=1.0 if nothing else 0.0
    )
    assert (scores.precision, scores.recall, scores.f1) == pytest.approx(wanted[:3])
