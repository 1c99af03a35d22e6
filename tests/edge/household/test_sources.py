"""Which wearable counts: one at any moment, the best that is worn, and none that comes and goes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.household.sources import SLOW, USUAL, Sources
from edge.readings import Channel, Quality

STRAP, WATCH, RING = "strap", "watch", "ring"
HEART = Channel.RR_INTERVAL


def fed(sources: Sources, device: str, start: int, end: int, quality: Quality = Quality.GOOD) -> list[bool]:
    """Whether each of the samples counts that a wearable sends once a second."""
    return [sources.takes(HEART, device, float(at), quality) for at in range(start, end)]


def both(sources: Sources, start: int, end: int, strap: Quality = Quality.GOOD) -> list[str]:
    """Who counts in each second in which both send."""
    counted = []
    for at in range(start, end):
        taken = [d for d, q in ((STRAP, strap), (WATCH, Quality.GOOD)) if sources.takes(HEART, d, float(at), q)]
        counted += taken[-1:]
    return counted


def test_the_watch_takes_over_from_a_silent_strap_and_gives_back() -> None:
    sources = Sources([STRAP, WATCH])
    assert set(both(sources, 0, 100)) == {STRAP}
    alone = fed(sources, WATCH, 100, 200)
    assert alone.index(True) == USUAL.silence_s - 1
    assert all(alone[29:])
    back = both(sources, 200, 300)
    assert back == [WATCH] * 30 + [STRAP] * 70


def test_the_watch_takes_over_from_a_strap_that_says_that_it_is_not_worn() -> None:
    sources = Sources([STRAP, WATCH])
    both(sources, 0, 10)
    off = both(sources, 10, 100, strap=Quality.NO_CONTACT)
    assert off[0] == STRAP
    assert off[-1] == WATCH
    assert both(sources, 100, 200)[-1] == STRAP


def test_a_strap_that_is_put_on_later_counts_at_once() -> None:
    sources = Sources([STRAP, WATCH])
    fed(sources, WATCH, 0, 1000)
    assert both(sources, 1000, 1010) == [STRAP] * 10


def test_a_strap_on_the_table_counts_only_while_nobody_else_does() -> None:
    sources = Sources([STRAP, WATCH])
    assert all(fed(sources, STRAP, 0, 100, Quality.NO_CONTACT)), "so that it is told that nobody wears it"
    assert all(fed(sources, WATCH, 100, 110))
    assert not any(fed(sources, STRAP, 110, 200, Quality.NO_CONTACT))


def test_a_slow_channel_has_more_patience() -> None:
    sources = Sources([STRAP, WATCH])
    assert sources.takes(Channel.GLUCOSE, STRAP, 0.0)
    assert not sources.takes(Channel.GLUCOSE, WATCH, SLOW[Channel.GLUCOSE].silence_s - 1.0)
    assert sources.takes(Channel.GLUCOSE, WATCH, SLOW[Channel.GLUCOSE].silence_s)


def test_each_channel_has_its_own_source_and_order() -> None:
    sources = Sources([STRAP, WATCH, RING], {Channel.SPO2: [RING]})
    assert sources.order(HEART) == (STRAP, WATCH, RING)
    assert sources.order(Channel.SPO2) == (RING, STRAP, WATCH)
    for channel in (HEART, Channel.SPO2):
        for device in (STRAP, RING):
            sources.takes(channel, device, 0.0)
    assert (sources.current(HEART), sources.current(Channel.SPO2)) == (STRAP, RING)
    assert sources.current(Channel.ACCELERATION) is None


def test_after_a_restart_the_same_wearable_counts() -> None:
    sources = Sources([STRAP, WATCH])
    sources.begin(HEART, STRAP, 0.0)
    assert not sources.takes(HEART, WATCH, 0.1)
    assert sources.takes(HEART, WATCH, USUAL.silence_s)


QUALITIES = st.sampled_from([Quality.GOOD, Quality.GOOD, Quality.NO_CONTACT, Quality.OUT_OF_RANGE])
STEPS = st.lists(
    st.tuples(st.sampled_from([STRAP, WATCH, RING]), st.integers(0, 360).map(lambda eighths: eighths / 8.0), QUALITIES),
    max_size=300,
)


def play(steps: list[tuple[str, float, Quality]]) -> tuple[Sources, list[tuple[float, str]], float]:
    """Sources that have heard it all, who counted when, and the last time."""
    sources, at, counted = Sources([STRAP, WATCH, RING]), 0.0, []
    for device, pause, quality in steps:
        at += pause
        if sources.takes(HEART, device, at, quality):
            counted.append((at, device))
    return sources, counted, at


@given(STEPS)
def test_nobody_flaps(steps: list[tuple[str, float, Quality]]) -> None:
    """A wearable that has lost its place does not get it again within the patience that it takes to be believed."""
    _, counted, _ = play(steps)
    lost: dict[str, float] = {}
    for (_, before), (at, now) in pairwise(counted):
        if now != before:
            if now in lost:
                assert at - lost[now] >= min(USUAL.steady_s, USUAL.silence_s)
            lost[before] = at


@given(STEPS, st.sampled_from([STRAP, WATCH, RING]))
def test_whoever_alone_goes_on_counts_before_long(steps: list[tuple[str, float, Quality]], device: str) -> None:
    sources, _, at = play(steps)
    taken = [sources.takes(HEART, device, at + second) for second in range(40)]
    assert taken[30:] == [True] * 10


@given(STEPS)
def test_the_best_that_stays_counts_in_the_end(steps: list[tuple[str, float, Quality]]) -> None:
    sources, _, at = play(steps)
    for second in range(62):
        for device in (RING, WATCH, STRAP):
            sources.takes(HEART, device, at + second)
    assert sources.current(HEART) == STRAP


@pytest.mark.parametrize("quality", [Quality.NO_CONTACT, Quality.OUT_OF_RANGE])
@given(steps=STEPS)
def test_a_bad_sample_takes_no_place(quality: Quality, steps: list[tuple[str, float, Quality]]) -> None:
    sources, _, at = play([(RING, 0.0, Quality.GOOD), *steps])
    before = sources.current(HEART)
    sources.takes(HEART, STRAP, at + 1000.0, quality)
    assert sources.current(HEART) == before
