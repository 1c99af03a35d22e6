"""Logits become probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.risks.manifest import Calibration
from training.calibration import platt, reliability, scores_of


def drawn(slope: float, offset: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    random = np.random.default_rng(5)
    logits = random.normal(0.0, 3.0, 40_000)
    return logits, random.random(len(logits)) < 1.0 / (1.0 + np.exp(-(slope * logits + offset)))


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (0.4, -2.0), (2.5, 1.0)])
def test_the_slope_and_offset_of_drawn_labels_are_found(slope: float, offset: float) -> None:
    found = platt(*drawn(slope, offset))
    assert found.slope == pytest.approx(slope, rel=0.05)
    assert found.offset == pytest.approx(offset, abs=0.1)


def test_labels_without_any_overlap_give_finite_numbers() -> None:
    logits = np.array([-8.0, -7.0, 7.0, 8.0])
    found = platt(logits, logits > 0.0)
    assert 0.0 < found.slope < 2.0


def test_a_network_that_says_the_opposite_is_refused() -> None:
    logits, labels = drawn(1.0, 0.0)
    with pytest.raises(ModelError, match="opposite"):
        platt(-logits, labels)


def test_it_is_the_score_that_the_daemon_gives() -> None:
    calibration = Calibration(slope=0.7, offset=-0.3)
    logits = np.linspace(-8.0, 8.0, 9)
    assert scores_of(calibration, logits) == pytest.approx([calibration.score(one) for one in logits])
    assert np.isnan(scores_of(calibration, np.array([np.nan]))).all()


def test_calibrated_scores_are_reliable_and_others_are_seen_not_to_be() -> None:
    logits, labels = drawn(0.5, -1.0)
    good = reliability(scores_of(platt(logits, labels), logits), labels)
    bad = reliability(scores_of(Calibration(), logits), labels)
    assert max(abs(one.score - one.share) for one in good) < 0.05
    assert max(abs(one.score - one.share) for one in bad) > 0.15
    assert sum(one.windows for one in good) == len(labels)
