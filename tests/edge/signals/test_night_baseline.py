"""Resting heart rate over nights: against the person's own nights before, and nothing claimed of nights unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.readings import Quality
from edge.signals.night_baseline import (
    BASELINE_NIGHTS,
    LEAST_NIGHTS,
    MinuteRates,
    Night,
    Verdict,
    joined,
    judge_nights,
    rates_of_heart_rate,
    rates_of_rr,
    resting_night,
)

START = 1_780_002_000.0  # a whole minute
NIGHT_S = 36_000.0
DAY_S = 86_400.0
MINUTES = 600
FIRST = int(START // 60)


def night(number: int, bpm: float | None) -> Night:
    start = START + DAY_S * number
    return Night(start, start + NIGHT_S, 8.0 if bpm else 0.0, bpm, None if bpm else "no heart rate was measured")


def judged(rates: Sequence[float | None]) -> list[Verdict]:
    return judge_nights([night(number, bpm) for number, bpm in enumerate(rates)])


def sleeping(random: np.random.Generator, minutes: int = MINUTES) -> NDArray[np.float64]:
    """Heart rate by the minute: awake for an hour, then falling towards the morning."""
    bpm = 58.0 - 3.0 * np.arange(minutes) / MINUTES + random.normal(0.0, 1.5, minutes)
    bpm[:60] += 14.0
    return bpm


def rates(bpm: NDArray[np.float64], first: int = FIRST) -> MinuteRates:
    return MinuteRates(first + np.arange(len(bpm)), bpm)


USUAL = [55.0, 56.0, 54.0, 55.0, 57.0, 53.0, 55.0, 56.0, 54.0, 55.0]


class TestOneNight:
    def test_the_resting_rate_is_what_the_sleeping_heart_keeps(self) -> None:
        found = resting_night(START, START + NIGHT_S, rates(sleeping(np.random.default_rng(1))))
        assert found.resting_bpm == pytest.approx(55.0, abs=1.0)
        assert (found.reason, found.hours) == (None, 10.0)

    def test_an_hour_awake_or_without_the_strap_hardly_moves_it(self) -> None:
        bpm = sleeping(np.random.default_rng(1))
        whole = resting_night(START, START + NIGHT_S, rates(bpm)).resting_bpm
        restless = bpm.copy()
        restless[300:360] += 25.0
        without = MinuteRates(np.delete(FIRST + np.arange(MINUTES), np.s_[420:480]), np.delete(bpm, np.s_[420:480]))
        for changed in (rates(restless), without):
            assert resting_night(START, START + NIGHT_S, changed).resting_bpm == pytest.approx(whole, abs=1.0)

    def test_pain_09_too_little_of_a_night_is_a_missing_night(self) -> None:
        bpm = sleeping(np.random.default_rng(1))
        late = rates(bpm[363:], FIRST + 363)
        short = resting_night(START, START + NIGHT_S, late)
        assert short.resting_bpm is None
        assert short.reason == (
            "heart rate was measured for 3.9 hours of the night and 3.9 of its second half, 4 and 2 are needed"
        )
        assert resting_night(START, START + NIGHT_S, rates(bpm[360:], FIRST + 360)).resting_bpm is not None
        nothing = resting_night(START, START + NIGHT_S, rates(bpm[:0]))
        assert (nothing.resting_bpm, nothing.reason, nothing.hours) == (None, "no heart rate was measured", 0.0)

    def test_an_evening_alone_is_no_night_because_the_heart_still_slows_down(self) -> None:
        bpm = sleeping(np.random.default_rng(1))
        evening = resting_night(START, START + NIGHT_S, rates(bpm[:417]))
        assert evening.resting_bpm is None
        assert evening.reason is not None
        assert "6.9 hours of the night and 1.9 of its second half" in evening.reason
        assert resting_night(START, START + NIGHT_S, rates(bpm[:420])).resting_bpm is not None

    def test_a_minute_here_and_there_is_no_coverage(self) -> None:
        bpm = sleeping(np.random.default_rng(1))
        scattered = MinuteRates(FIRST + np.arange(0, MINUTES, 3), bpm[::3])
        assert resting_night(START, START + NIGHT_S, scattered).resting_bpm is None

    def test_minutes_outside_the_night_are_not_looked_at(self) -> None:
        bpm = sleeping(np.random.default_rng(1))
        around = np.concatenate([np.full(90, 30.0), bpm, np.full(90, 30.0)])
        alone = resting_night(START, START + NIGHT_S, rates(bpm))
        assert resting_night(START, START + NIGHT_S, rates(around, FIRST - 90)) == alone

    def test_pain_09_a_frozen_rate_is_no_resting_rate(self) -> None:
        frozen = resting_night(START, START + NIGHT_S, rates(np.full(MINUTES, 48.0)))
        assert frozen.resting_bpm is None
        assert frozen.reason == "the heart rate stood still at 48, as no heart's own does"
        bpm = sleeping(np.random.default_rng(1))
        whole = resting_night(START, START + NIGHT_S, rates(bpm)).resting_bpm
        bpm[200:320] = 40.0
        partly = resting_night(START, START + NIGHT_S, rates(bpm))
        assert partly.resting_bpm == pytest.approx(whole, abs=1.0)
        assert partly.hours == pytest.approx(8.0, abs=0.1)
        bpm[200:] = 40.0
        assert resting_night(START, START + NIGHT_S, rates(bpm)).resting_bpm is None


class TestMinuteRates:
    def test_a_minute_ends_with_its_last_second_as_in_the_store(self) -> None:
        times = START + np.array([0.0, 0.125, 60.0, 60.125])
        found = rates_of_heart_rate(times, np.array([50.0, 60.0, 70.0, 80.0]), np.zeros(4, np.uint8))
        assert found.minutes.tolist() == [FIRST - 1, FIRST, FIRST + 1]
        assert found.bpm.tolist() == [50.0, 65.0, 80.0]

    @pytest.mark.parametrize("bad", [Quality.NO_CONTACT, Quality.OUT_OF_RANGE])
    def test_pain_08_samples_of_a_strap_off_the_body_do_not_count(self, bad: Quality) -> None:
        times = START + np.array([1.0, 2.0, 61.0])
        found = rates_of_heart_rate(times, np.array([50.0, 180.0, 180.0]), np.array([0, bad, bad], np.uint8))
        assert (found.minutes.tolist(), found.bpm.tolist()) == ([FIRST], [50.0])

    def test_rr_intervals_tell_the_same_rate_as_the_heart_rate(self) -> None:
        rr_ms = np.full(200, 1000.0)
        rr_ms[50] = 2000.0  # a beat that the detector missed
        times = START + np.cumsum(rr_ms) / 1000.0
        found = rates_of_rr(times, rr_ms, np.zeros(200, np.uint8))
        assert found.minutes.tolist() == [FIRST, FIRST + 1, FIRST + 2]  # the fourth has 21 s only
        np.testing.assert_allclose(found.bpm, 60.0)

    def test_heart_rate_is_preferred_and_rr_intervals_fill_in(self) -> None:
        heart_rate = MinuteRates(np.array([3, 5]), np.array([60.0, 62.0]))
        rr = MinuteRates(np.array([2, 3, 4]), np.array([70.0, 71.0, 72.0]))
        both = joined(heart_rate, rr)
        assert (both.minutes.tolist(), both.bpm.tolist()) == ([2, 3, 4, 5], [70.0, 60.0, 72.0, 62.0])

    def test_nothing_gives_nothing(self) -> None:
        nothing, quality = np.empty(0), np.empty(0, np.uint8)
        assert rates_of_heart_rate(nothing, nothing, quality).minutes.size == 0
        assert rates_of_rr(nothing, nothing, quality).minutes.size == 0


class TestBaseline:
    def test_today_is_not_part_of_what_is_usual(self) -> None:
        ordinary, ill = judged([*USUAL, 55.0])[-1], judged([*USUAL, 95.0])[-1]
        assert ordinary.baseline == ill.baseline
        assert ill.z == pytest.approx((95.0 - 55.0) / 1.4826)

    def test_the_spread_is_the_scaled_median_absolute_deviation(self) -> None:
        verdict = judged([50.0, 52.0, 54.0, 56.0, 58.0, 60.0, 90.0, 60.0])[-1]
        assert verdict.baseline is not None
        assert verdict.baseline.usual_bpm == 56.0
        assert verdict.baseline.spread_bpm == pytest.approx(1.4826 * 4.0)
        assert (verdict.baseline.lowest_bpm, verdict.baseline.highest_bpm) == (50.0, 90.0)
        assert verdict.z == pytest.approx(4.0 / (1.4826 * 4.0))

    def test_only_the_last_28_nights_are_usual(self) -> None:
        verdict = judged([80.0] * 30 + [55.0] * BASELINE_NIGHTS + [56.0])[-1]
        assert verdict.baseline is not None
        assert (verdict.baseline.highest_bpm, verdict.baseline.used) == (55.0, BASELINE_NIGHTS)

    def test_too_few_nights_are_said_and_not_judged(self) -> None:
        verdicts = judged([*USUAL[: LEAST_NIGHTS - 1], 95.0, 95.0])
        too_few, enough = verdicts[-2], verdicts[-1]
        assert (too_few.elevated, too_few.z, too_few.raised) == (None, None, False)
        assert too_few.reason == "6 earlier nights are known, 7 are needed"
        assert too_few.sentence.endswith("what is usual is not known yet: 6 earlier nights are known, 7 are needed.")
        assert enough.elevated

    def test_pain_09_missing_nights_are_counted_and_said(self) -> None:
        verdict = judged([None, None, *USUAL[:5], None, *USUAL[5:], None, 64.0])[-1]
        assert verdict.baseline is not None
        assert (verdict.baseline.used, verdict.baseline.missing) == (10, 2)
        assert verdict.sentence == (
            "Resting heart rate last night was 64, usually 55 (53 to 57 over the last 10 nights; 2 nights missing)."
        )
        assert "; 1 night missing)" in judged([*USUAL, None, 64.0])[-1].sentence
        assert "missing" not in judged([*USUAL, 64.0])[-1].sentence

    def test_pain_09_a_missing_night_says_why(self) -> None:
        verdict = judged([*USUAL, None])[-1]
        assert (verdict.z, verdict.elevated) == (None, None)
        assert verdict.sentence == "Resting heart rate last night is not known: no heart rate was measured."


class TestRaised:
    @pytest.mark.parametrize(
        ("nights", "raised"),
        [
            ([64.0], [False]),  # one night after a party
            ([64.0, 55.0, 64.0], [False, False, False]),
            ([64.0, 64.0], [False, True]),
            ([64.0, None, 64.0], [False, False, True]),
            ([64.0, None, None, 64.0], [False, False, False, False]),
            ([64.0, 64.0, 55.0], [False, True, False]),
            ([64.0, 64.0, 58.5, 55.0], [False, True, True, False]),  # better, but not as usual
            ([64.0, 64.0, None, None, 64.0], [False, True, True, True, True]),
            ([64.0, 64.0, None, None, None], [False, True, True, True, False]),
            ([64.0, 64.0, 55.0, 64.0], [False, True, False, False]),
            ([45.0, 45.0, 45.0], [False, False, False]),
        ],
    )
    def test_two_nights_in_a_row_raise_and_a_usual_one_ends(
        self, nights: list[float | None], raised: list[bool]
    ) -> None:
        assert [verdict.raised for verdict in judged([*USUAL, *nights])[len(USUAL) :]] == raised

    def test_the_episode_began_with_its_first_night(self) -> None:
        verdicts = judged([*USUAL, 64.0, None, 64.0, 64.0, 55.0])
        first = START + DAY_S * len(USUAL)
        assert [verdict.since for verdict in verdicts[len(USUAL) :]] == [first, first, first, first, None]

    def test_pain_18_a_very_regular_person_is_not_cried_wolf_at(self) -> None:
        assert not any(verdict.elevated for verdict in judged([55.0] * 20 + [58.9] * 2))
        assert judged([55.0] * 20 + [59.0] * 2)[-1].raised

    def test_pain_18_a_restless_person_is_judged_by_the_own_spread(self) -> None:
        restless = [50.0, 60.0, 52.0, 58.0, 55.0, 49.0, 61.0, 55.0, 53.0, 57.0]
        assert not any(verdict.elevated for verdict in judged([*restless, 62.0, 62.0]))

    def test_a_new_rate_that_stays_becomes_the_usual_one(self) -> None:
        verdicts = judged([*USUAL, *([64.0, 65.0, 63.0] * 12)])
        assert verdicts[len(USUAL) + 1].raised
        assert not verdicts[-1].raised


RATES = st.lists(st.none() | st.floats(40.0, 90.0), max_size=60)


@given(RATES, st.lists(st.none() | st.floats(40.0, 90.0), max_size=10))
def test_a_verdict_never_depends_on_a_later_night(past: list[float | None], later: list[float | None]) -> None:
    assert judged([*past, *later])[: len(past)] == judged(past)


@given(RATES)
def test_what_is_not_known_is_said_and_never_counts(nights: list[float | None]) -> None:
    before = False
    for verdict, bpm in zip(judged(nights), nights, strict=True):
        assert (verdict.elevated is None) == (verdict.z is None) == (verdict.reason is not None)
        assert bpm is not None or verdict.elevated is None
        assert before or not verdict.raised or verdict.elevated  # only an elevated night raises
        assert not verdict.raised or verdict.since is not None
        before = verdict.raised


@given(RATES, st.floats(-10.0, 10.0))
def test_only_the_distance_to_the_own_nights_matters(nights: list[float | None], shift: float) -> None:
    moved = judged([None if bpm is None else bpm + shift for bpm in nights])
    for one, other in zip(judged(nights), moved, strict=True):
        assert (one.z is None) == (other.z is None)
        if one.z is not None:
            assert other.z == pytest.approx(one.z, abs=1e-6)


def simulated(random: np.random.Generator, nights: int, sd: float) -> NDArray[np.float64]:
    """Ordinary nights: each takes something after the one before, and one in twenty comes after a drink."""
    noise = random.normal(0.0, sd, nights)
    bpm = noise.copy()
    for number in range(1, nights):
        bpm[number] = 0.3 * bpm[number - 1] + np.sqrt(1.0 - 0.3**2) * noise[number]
    bpm += np.where(random.random(nights) < 0.05, random.uniform(3.0, 9.0, nights), 0.0)
    return bpm + 55.0


@pytest.mark.parametrize(("sd", "a_year", "found"), [(1.5, 0.8, 0.93), (2.0, 1.0, 0.74), (3.0, 1.1, 0.35)])
def test_false_alarms_are_rare_and_a_fever_is_told_within_two_nights(sd: float, a_year: float, found: float) -> None:
    random = np.random.default_rng(2026)
    alarms, judged_nights, told = 0, 0, 0
    for _ in range(people := 500):
        verdicts = judged([*simulated(random, 42, sd), *(8.0 + simulated(random, 2, sd))])
        ordinary = verdicts[:42]
        alarms += sum(now.raised and not before.raised for before, now in pairwise(ordinary))
        judged_nights += sum(verdict.elevated is not None for verdict in ordinary)
        told += verdicts[-1].raised
    assert 365.0 * alarms / judged_nights <= a_year
    assert told / people >= found


def test_a_whole_month_comes_through_from_samples_to_the_sentence() -> None:
    random = np.random.default_rng(7)
    nights = []
    for number in range(30):
        start = START + DAY_S * number
        bpm = np.repeat(sleeping(random) + random.normal(0.0, 1.0) + (9.0 if number >= 28 else 0.0), 6)
        times = start + 10.0 * np.arange(1, len(bpm) + 1, dtype=np.float64)
        quality = np.zeros(len(bpm), np.uint8)
        nights.append(resting_night(start, start + NIGHT_S, rates_of_heart_rate(times, np.rint(bpm), quality)))
    verdicts = judge_nights([*nights[:10], replace(nights[10], resting_bpm=None, reason="not worn"), *nights[11:]])
    assert [verdict.raised for verdict in verdicts] == [False] * 29 + [True]
    assert "over the last 27 nights; 1 night missing" in verdicts[-1].sentence
