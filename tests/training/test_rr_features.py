"""The peer without training, against its definition by loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.rr_features import FEATURE_NAMES, coefficient_of_sample_entropy, features, irregularity


def by_definition(rr_ms: list[float]) -> float:
    count = len(rr_ms)
    pairs = [(i, j) for i in range(count - 1) for j in range(i + 1, count - 1)]
    tolerance = 30.0
    while True:
        ones = [pair for pair in pairs if abs(rr_ms[pair[0]] - rr_ms[pair[1]]) <= tolerance]
        twos = sum(abs(rr_ms[i + 1] - rr_ms[j + 1]) <= tolerance for i, j in ones)
        if twos >= 5:
            return math.log(len(ones) / twos) + math.log(2.0 * tolerance) - math.log(sum(rr_ms) / count)
        tolerance += 1.0


def test_it_is_the_published_coefficient() -> None:
    windows = np.random.default_rng(1).normal(800.0, 200.0, (5, 30)).round()
    expected = [by_definition(window.tolist()) for window in windows]
    assert coefficient_of_sample_entropy(windows) == pytest.approx(expected)


def test_the_features_are_finite_and_named_whatever_the_rhythm() -> None:
    chance = np.random.default_rng(1)
    rr_ms = np.stack([np.full(60, 800.0), chance.normal(800.0, 160.0, 60).clip(300.0), np.tile([500.0, 1100.0], 30)])
    steady, irregular, bigeminy = features(rr_ms)
    assert len(steady) == len(FEATURE_NAMES)
    assert np.isfinite(features(rr_ms)).all()
    after_two = FEATURE_NAMES.index("correlation_after_2")
    assert bigeminy[after_two] > 0.9 > abs(irregular[after_two])
    assert irregularity(rr_ms)[0] == 0.0
    assert features(np.zeros((0, 60))).shape == (0, len(FEATURE_NAMES))
