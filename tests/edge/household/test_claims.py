"""Whose measurement it was: the nearest in value and time comes first, and nobody is ruled out for ever."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.household.claims import RANKED, TOGETHER_S, Measurement, Past, asked, claimed, claims_of, ranked
from edge.readings import CHANNELS, NOBODY, Channel, Claim, Quality, Reading

NOW = 1_800_000_000.0
DAY = 86_400.0
CUFF = "C0:DE:00:00:00:09"


def reading(channel: Channel, value: float, at: float = NOW, quality: Quality = Quality.CONTACT_UNKNOWN) -> Reading:
    return Reading(NOBODY, CUFF, channel, CHANNELS[channel].unit, at, at + 1.0, (value,), quality)


def cuff(systolic: float, diastolic: float, at: float = NOW, user: int | None = None) -> Claim:
    found = (reading(Channel.SYSTOLIC, systolic, at), reading(Channel.DIASTOLIC, diastolic, at))
    (claim,) = claims_of(CUFF, [Measurement(found, user)])
    return claim


def every_day(systolic: float, diastolic: float, hour: float = 0.0, days: int = 10) -> dict[Channel, Past]:
    """A person who measures once a day, so many hours after the time of day of NOW."""
    times = [NOW + 3600.0 * hour - DAY * day for day in range(days, 0, -1)]
    wobble = [(-1.0) ** day * 3.0 for day in range(days)]
    return {
        Channel.SYSTOLIC: Past(times, [systolic + by for by in wobble]),
        Channel.DIASTOLIC: Past(times, [diastolic + by for by in wobble]),
    }


def test_the_nearest_in_value_comes_first() -> None:
    past = {"anna": every_day(118, 74), "bert": every_day(152, 95)}
    assert ranked(cuff(148, 92), ["anna", "bert"], past).candidates[0][0] == "bert"
    assert ranked(cuff(121, 76), ["anna", "bert"], past).candidates[0][0] == "anna"


def test_of_two_alike_the_one_who_measures_at_this_time_of_day_comes_first() -> None:
    past = {"anna": every_day(128, 82, hour=10.0), "bert": every_day(128, 82, hour=0.25)}
    claim = ranked(cuff(128, 82), ["anna", "bert"], past)
    assert claim.candidates[0][0] == "bert"
    assert claim.candidates[0][1] > 0.8


def test_the_user_number_of_earlier_answers_is_a_strong_hint() -> None:
    past = {"anna": every_day(125, 80), "bert": every_day(135, 86)}
    answers = [(1, "anna"), (2, "bert"), (1, "anna")]
    assert ranked(cuff(128, 82, user=2), ["anna", "bert"], past, answers).candidates[0][0] == "bert"
    assert ranked(cuff(128, 82, user=1), ["anna", "bert"], past, answers).candidates[0][0] == "anna"
    unknown = ranked(cuff(128, 82, user=3), ["anna", "bert"], past, answers)
    assert unknown.candidates == ranked(cuff(128, 82), ["anna", "bert"], past, answers).candidates


def test_a_guest_is_as_likely_as_one_who_has_never_measured() -> None:
    claim = ranked(cuff(128, 82), ["anna", "bert", "carla"], {})
    assert [share for _, share in claim.candidates] == pytest.approx([1 / 3] * 3)
    assert asked(claim) == ("anna", "bert", "carla")


def test_a_child_is_not_asked_whether_it_weighs_ninety_kilograms() -> None:
    scale = claims_of(CUFF, [Measurement((reading(Channel.WEIGHT, 90.4),))])[0]
    past = {
        person: {Channel.WEIGHT: Past([NOW - DAY * n for n in range(20, 0, -1)], [kg + 0.1 * n for n in range(20)])}
        for person, kg in (("anna", 61.0), ("bert", 89.0), ("child", 24.0))
    }
    claim = ranked(scale, ["anna", "bert", "child"], past)
    assert asked(claim) == ("bert",)
    assert dict(claim.candidates)["child"] > 0.0


def test_a_person_whose_weight_has_changed_over_years_is_still_asked() -> None:
    scale = claims_of(CUFF, [Measurement((reading(Channel.WEIGHT, 70.0),))])[0]
    once = {Channel.WEIGHT: Past([NOW - 900 * DAY], [62.0])}
    assert "anna" in asked(ranked(scale, ["anna", "bert"], {"anna": once}))


def test_the_packets_of_one_weighing_are_one_measurement() -> None:
    weight, fat = reading(Channel.WEIGHT, 71.4), reading(Channel.BODY_FAT, 24.0, NOW + 1.0)
    again = reading(Channel.WEIGHT, 71.4, NOW + 1.0)
    later, other = reading(Channel.WEIGHT, 71.4, NOW + 60.0), reading(Channel.WEIGHT, 83.0, NOW + 2.0)
    claims = claims_of(CUFF, [Measurement(packet) for packet in ((weight,), (fat, again), (other,), (later,))])
    assert [[one.channel for one in claim.readings] for claim in claims] == [
        [Channel.WEIGHT, Channel.BODY_FAT],
        [Channel.WEIGHT],
        [Channel.WEIGHT],
    ]
    assert len({claim.id for claim in claims}) == 3


def test_two_users_one_after_the_other_are_two_measurements() -> None:
    first, second = reading(Channel.WEIGHT, 71.4), reading(Channel.BODY_FAT, 24.0, NOW + 1.0)
    assert len(claims_of(CUFF, [Measurement((first,), 1), Measurement((second,), 2)])) == 2


def test_a_measurement_that_is_told_again_is_the_same() -> None:
    again = replace(cuff(128, 82), received_at=NOW + 900.0)
    assert cuff(128, 82).id == again.id
    assert cuff(128, 82).id != cuff(128, 82, at=NOW + 60.0).id
    assert cuff(128, 82).id != cuff(128, 83).id


def test_a_claimed_measurement_is_the_persons_and_lies_where_it_was_measured() -> None:
    claim = cuff(128, 82)
    assert {one.person for one in claim.readings} == {NOBODY}
    assert {(one.person, one.start) for one in claimed(claim, "anna")} == {("anna", NOW)}
    assert [one.values for one in claimed(claim, "anna")] == [(128,), (82,)]


PASTS = st.dictionaries(
    st.sampled_from(RANKED),
    st.lists(st.tuples(st.floats(NOW - 400 * DAY, NOW), st.floats(-1e4, 1e4)), max_size=60).map(
        lambda pairs: Past([at for at, _ in sorted(pairs)], [value for _, value in pairs])
    ),
)


@given(
    values=st.dictionaries(st.sampled_from(list(Channel)), st.floats(-1e4, 1e4), min_size=1),
    pasts=st.dictionaries(st.sampled_from(["anna", "bert", "carla"]), PASTS),
    user=st.none() | st.integers(0, 3),
    answers=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["anna", "bert", "dora"]))),
)
def test_whatever_was_measured_everybody_is_ranked_once_and_somebody_is_asked(
    values: dict[Channel, float],
    pasts: dict[str, dict[Channel, Past]],
    user: int | None,
    answers: list[tuple[int, str]],
) -> None:
    found = tuple(reading(channel, value) for channel, value in values.items())
    (claim,) = claims_of(CUFF, [Measurement(found, user)])
    claim = ranked(claim, ["anna", "bert", "carla"], pasts, answers)
    people, shares = zip(*claim.candidates, strict=True)
    assert sorted(people) == ["anna", "bert", "carla"]
    assert all(0.0 <= share <= 1.0 and math.isfinite(share) for share in shares)
    assert sum(shares) == pytest.approx(1.0)
    assert list(shares) == sorted(shares, reverse=True)
    assert asked(claim)[:1] == people[:1]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([Channel.WEIGHT, Channel.BODY_FAT]),
            st.integers(1, 5),
            st.integers(0, 9),
            st.none() | st.just(1),
        ),
        max_size=12,
    )
)
def test_every_value_is_in_one_measurement(packets: list[tuple[Channel, int, int, int | None]]) -> None:
    """Nothing that a device has told is lost, but what it tells twice; no measurement has two values of a channel."""
    told = [Measurement((reading(channel, value, NOW + at),), user) for channel, value, at, user in packets]
    claims = claims_of(CUFF, told)
    for claim in claims:
        assert len({one.channel for one in claim.readings}) == len(claim.readings)
        assert all(abs(one.start - claim.measured_at) <= TOGETHER_S for one in claim.readings)
    kept = {(one.channel, one.values) for claim in claims for one in claim.readings}
    assert kept == {(channel, (value,)) for channel, value, _, _ in packets}
