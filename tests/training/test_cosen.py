"""The peer without training, against its definition by loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.cosen import coefficient_of_sample_entropy


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
