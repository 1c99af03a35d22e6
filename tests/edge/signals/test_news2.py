"""NEWS2 as the Royal College of Physicians has published it, and no more certain than what is known."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.signals.news2 import Consciousness, News2, Response, Spo2Scale, Vital, Vitals, news2

WELL = Vitals(
    respiration_rate=16.0,
    spo2=97.0,
    supplemental_oxygen=False,
    systolic=120.0,
    pulse=70.0,
    consciousness=Consciousness.ALERT,
    temperature=37.0,
)

# Chart 1 of "NEWS2", RCP 2017, band by band: first value, last value, points.
CHART: dict[Vital, list[tuple[float, float, int]]] = {
    Vital.RESPIRATION_RATE: [(2, 8, 3), (9, 11, 1), (12, 20, 0), (21, 24, 2), (25, 60, 3)],
    Vital.SPO2: [(50, 91, 3), (92, 93, 2), (94, 95, 1), (96, 100, 0)],
    Vital.SYSTOLIC: [(50, 90, 3), (91, 100, 2), (101, 110, 1), (111, 219, 0), (220, 280, 3)],
    Vital.PULSE: [(25, 40, 3), (41, 50, 1), (51, 90, 0), (91, 110, 1), (111, 130, 2), (131, 220, 3)],
    Vital.TEMPERATURE: [(30.0, 35.0, 3), (35.1, 36.0, 1), (36.1, 38.0, 0), (38.1, 39.0, 1), (39.1, 42.0, 2)],
}
EDGES = [
    (vital, value, points) for vital, bands in CHART.items() for low, high, points in bands for value in (low, high)
]


def with_(vital: Vital, value: Any) -> Vitals:
    return replace(WELL, **{vital.value: value})


@pytest.mark.parametrize(("vital", "value", "points"), EDGES)
def test_the_published_table(vital: Vital, value: float, points: int) -> None:
    scored = news2(with_(vital, value))
    assert scored.parts[vital] == points
    assert scored.score == points
    assert not scored.is_partial


@pytest.mark.parametrize(
    ("spo2", "on_air", "on_oxygen"),
    [
        (50, 3, 3),
        (83, 3, 3),
        (84, 2, 2),
        (85, 2, 2),
        (86, 1, 1),
        (87, 1, 1),
        (88, 0, 0),
        (92, 0, 0),
        (93, 0, 1),
        (94, 0, 1),
        (95, 0, 2),
        (96, 0, 2),
        (97, 0, 3),
        (100, 0, 3),
    ],
)
def test_the_published_table_of_scale_2(spo2: float, on_air: int, on_oxygen: int) -> None:
    vitals = replace(WELL, spo2=spo2)
    assert news2(vitals, Spo2Scale.TWO).score == on_air
    assert news2(replace(vitals, supplemental_oxygen=True), Spo2Scale.TWO).score == on_oxygen + 2
    unknown = news2(replace(vitals, supplemental_oxygen=None), Spo2Scale.TWO)
    if on_air == on_oxygen:
        assert unknown.parts[Vital.SPO2] == on_air
    else:
        assert Vital.SPO2 not in unknown.parts
        assert "breathes oxygen" in unknown.missing[Vital.SPO2]


@pytest.mark.parametrize(("consciousness", "points"), [(c, 0 if c == "alert" else 3) for c in Consciousness])
def test_all_but_alert_score_three(consciousness: Consciousness, points: int) -> None:
    assert news2(replace(WELL, consciousness=consciousness)).score == points


def test_oxygen_scores_two_and_air_nothing() -> None:
    assert news2(WELL).parts[Vital.SUPPLEMENTAL_OXYGEN] == 0
    assert news2(replace(WELL, supplemental_oxygen=True)).score == 2


def test_the_worst_is_twenty() -> None:
    worst = Vitals(30.0, 80.0, True, 80.0, 140.0, Consciousness.UNRESPONSIVE, 34.0)
    scored = news2(worst)
    assert (scored.score, scored.at_most, scored.response) == (20, 20, Response.HIGH)
    assert news2(Vitals()).at_most == 20


@pytest.mark.parametrize(
    ("changes", "score", "response"),
    [
        ({}, 0, Response.LOW),
        ({"pulse": 100.0, "temperature": 38.5, "respiration_rate": 22.0}, 4, Response.LOW),
        ({"pulse": 140.0}, 3, Response.LOW_MEDIUM),
        ({"pulse": 140.0, "temperature": 38.5}, 4, Response.LOW_MEDIUM),
        ({"pulse": 120.0, "temperature": 38.5, "respiration_rate": 22.0}, 5, Response.MEDIUM),
        ({"pulse": 140.0, "respiration_rate": 30.0}, 6, Response.MEDIUM),
        ({"pulse": 140.0, "respiration_rate": 30.0, "temperature": 38.5}, 7, Response.HIGH),
    ],
)
def test_the_published_responses(changes: dict[str, float], score: int, response: Response) -> None:
    scored = news2(replace(WELL, **changes))  # type: ignore[arg-type]
    assert (scored.score, scored.response) == (score, response)


@pytest.mark.parametrize(
    ("vital", "value", "points"),
    [
        (Vital.PULSE, 90.4, 0),
        (Vital.PULSE, 90.5, 1),
        (Vital.TEMPERATURE, 38.04, 0),
        (Vital.TEMPERATURE, 38.06, 1),
        (Vital.SPO2, 95.49, 1),
    ],
)
def test_a_value_between_two_bands_is_rounded_to_the_charts_step(vital: Vital, value: float, points: int) -> None:
    assert news2(with_(vital, value)).parts[vital] == points


@pytest.mark.parametrize(
    ("vital", "value"),
    [
        (Vital.SPO2, 120.0),
        (Vital.SPO2, 0.0),
        (Vital.PULSE, 0.0),
        (Vital.PULSE, 400.0),
        (Vital.RESPIRATION_RATE, 0.0),
        (Vital.RESPIRATION_RATE, -3.0),
        (Vital.SYSTOLIC, 0.0),
        (Vital.TEMPERATURE, 98.6),
        (Vital.TEMPERATURE, math.nan),
        (Vital.PULSE, math.inf),
    ],
)
def test_pain_09_a_value_that_cannot_be_is_missing_and_says_why(vital: Vital, value: float) -> None:
    scored = news2(with_(vital, value))
    assert vital not in scored.parts
    assert "cannot be" in scored.missing[vital]
    assert scored.is_partial


def test_pain_09_nothing_known_is_no_score() -> None:
    scored = news2(Vitals())
    assert (scored.score, scored.response, scored.is_partial) == (None, None, True)
    assert scored.sentence == "NEWS2 cannot be told: no vital sign is known."


def test_a_partial_score_is_a_lower_bound_in_words_too() -> None:
    scored = news2(Vitals(pulse=72.0))
    assert (scored.score, scored.at_most, scored.response) == (0, 17, None)
    assert "at least 0, from pulse alone" in scored.sentence
    assert "up to 17" in scored.sentence
    assert "low" not in scored.sentence
    fever = news2(Vitals(pulse=135.0, temperature=39.5))
    assert (fever.score, fever.response) == (5, Response.MEDIUM)
    assert "at least 5, from pulse and temperature alone: at least medium risk" in fever.sentence


def test_a_whole_score_says_what_it_asks_for() -> None:
    assert news2(WELL).sentence == "NEWS2 is 0 of 20: low risk."
    assert "emergency" in news2(replace(WELL, pulse=140.0, respiration_rate=30.0, spo2=90.0)).sentence


def anything() -> st.SearchStrategy[Vitals]:
    """Vitals with any of them missing, wrong or true."""
    number = st.none() | st.floats(allow_nan=True, allow_infinity=True) | st.floats(0.0, 250.0)
    return st.builds(
        Vitals,
        respiration_rate=number,
        spo2=number,
        supplemental_oxygen=st.none() | st.booleans(),
        systolic=number,
        pulse=number,
        consciousness=st.none() | st.sampled_from(Consciousness),
        temperature=number,
    )


SCALES = st.sampled_from(Spo2Scale)


@given(anything(), SCALES)
def test_every_vital_sign_is_either_scored_or_missing_with_a_reason(vitals: Vitals, scale: Spo2Scale) -> None:
    scored = news2(vitals, scale)
    assert set(scored.parts) | set(scored.missing) == set(Vital)
    assert not set(scored.parts) & set(scored.missing)
    assert all(scored.missing.values())
    assert scored.is_partial == bool(scored.missing)
    assert (scored.score or 0) <= scored.at_most <= 20
    assert scored.sentence


@given(anything(), SCALES, st.sampled_from([field.name for field in fields(Vitals)]))
def test_to_know_less_never_raises_the_score_nor_narrows_the_bounds(
    vitals: Vitals, scale: Spo2Scale, name: str
) -> None:
    more = news2(vitals, scale)
    less = news2(replace(vitals, **{name: None}), scale)
    assert less.is_partial
    assert (less.score or 0) <= (more.score or 0)
    assert less.at_most >= more.at_most
    order: list[Response | None] = [None, Response.LOW, Response.LOW_MEDIUM, Response.MEDIUM, Response.HIGH]
    assert order.index(less.response) <= order.index(more.response)


def points_of(scored: News2, vital: Vital) -> int:
    return scored.parts[vital]


@given(st.sampled_from(list(CHART)), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_points_never_fall_further_away_from_the_normal_band(vital: Vital, one: float, other: float) -> None:
    bands = CHART[vital]
    normal = next((low, high) for low, high, points in bands if points == 0)
    for beyond, edge in ((bands[0][0], normal[0]), (bands[-1][1], normal[1])):
        near, far = sorted((edge + (beyond - edge) * share for share in (one, other)), key=lambda v: abs(v - edge))
        assert points_of(news2(with_(vital, near)), vital) <= points_of(news2(with_(vital, far)), vital)
