"""Intervals that come by chance are told from those that the breath sways."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.readings import Risk, Window
from edge.signals.atrial_fibrillation import BY_CHANCE, EVIDENCE, LEAST_EVIDENCE, doubtful
from edge.signals.foretelling import foretold

BEATS = 60


def by_chance(bpm: float, seed: int = 1, beats: int = EVIDENCE) -> NDArray[np.float64]:
    """Fibrillation: each interval by itself, ms."""
    return np.asarray(60_000.0 / bpm * np.random.default_rng(seed).uniform(0.6, 1.5, beats))


def swayed(bpm: float, seed: int = 1, beats: int = EVIDENCE) -> NDArray[np.float64]:
    """As wide, but by a breath of about four and a half beats, of no even depth or pace."""
    random = np.random.default_rng(seed)
    phase = np.cumsum(2.0 * np.pi / 4.5 * random.uniform(0.85, 1.15, beats))
    return np.asarray(60_000.0 / bpm * (1.0 + 0.25 * np.sin(phase) * random.uniform(0.7, 1.0, beats)))


def window(rr_ms: NDArray[np.float64]) -> Window:
    own = rr_ms[-BEATS:]
    end = float(own.sum()) / 1000.0
    marks = np.zeros(len(own), dtype=np.bool_)
    return Window("ann", Risk.ATRIAL_FIBRILLATION, 0.0, end, own, marks, 1.0, rr_ms[:-BEATS])


def test_the_limit_is_passed_by_chance_once_in_hundreds() -> None:
    found = [foretold(by_chance(60.0, seed)) for seed in range(200)]
    assert sum(one > BY_CHANCE for one in found) <= 1
    assert abs(float(np.median(found))) < 0.02


def test_the_breath_foretells_intervals_whatever_their_unit_and_spread() -> None:
    rr_ms = swayed(60.0)
    assert foretold(rr_ms) > 3 * BY_CHANCE
    assert foretold(np.exp(rr_ms / 500.0)) == pytest.approx(foretold(rr_ms))


def test_an_order_is_found_that_the_spread_does_not_show() -> None:
    rr_ms = swayed(60.0)
    assert foretold(rr_ms) > BY_CHANCE > foretold(np.random.default_rng(2).permutation(rr_ms))


def test_only_the_sway_of_a_slow_heart_is_doubted() -> None:
    assert doubtful(window(swayed(60.0)))
    assert not doubtful(window(by_chance(60.0)))
    assert not doubtful(window(swayed(100.0)))


def test_too_few_beats_of_a_slow_heart_are_waited_for() -> None:
    assert doubtful(window(by_chance(60.0, beats=LEAST_EVIDENCE - 1)))
    assert not doubtful(window(by_chance(60.0, beats=LEAST_EVIDENCE)))
    assert not doubtful(window(by_chance(100.0, beats=LEAST_EVIDENCE - 1)))


def test_equal_intervals_say_all_and_too_few_nothing() -> None:
    assert foretold(np.full(60, 800.0)) == pytest.approx(0.0)
    with pytest.raises(ValueError, match="say nothing"):
        foretold(np.full(3, 800.0))
