"""Simulated hearts look like what they are called."""

from __future__ import annotations

import random

import numpy as np
import pytest

from edge.virtual.rhythm import atrial_fibrillation, sinus, story


@pytest.mark.parametrize("seed", range(5))
def test_fibrillation_is_irregular_and_sinus_rhythm_is_not(seed: int) -> None:
    chance = random.Random(seed)
    af = np.array(list(atrial_fibrillation(600.0, bpm=95.0, chance=chance)))
    calm = np.array(list(sinus(600.0, bpm=66.0, chance=chance)))
    assert 0.16 < af.std() / af.mean() < 0.22
    assert abs(np.corrcoef(af[1:], af[:-1])[0, 1]) < 0.15
    assert np.median(np.abs(np.diff(calm))) / calm.mean() < 0.03
    assert 60_000.0 / af.mean() == pytest.approx(95.0, rel=0.05)
    assert 60_000.0 / calm.mean() == pytest.approx(66.0, rel=0.05)


def test_all_intervals_are_such_as_people_have() -> None:
    intervals = np.array(list(story(random.Random(7))))
    assert intervals.min() >= 300.0
    assert intervals.max() < 2000.0


def test_story_lasts_as_long_as_it_says_and_a_seed_tells_it_again() -> None:
    first, second = list(story(random.Random(7))), list(story(random.Random(7)))
    assert first == second
    assert sum(first) / 1000.0 == pytest.approx(23 * 60.0, abs=10.0)
