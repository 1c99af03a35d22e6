"""A wearable's running clock, mapped to ours whatever the radio does to the packets."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.wearables.device_clock import JUMP_S, LATE_FOR_S, MOST_DRIFT, SLEW, DeviceClock

BEGIN, EVERY_S = 1_780_000_000.0, 0.56


class Sent(NamedTuple):
    """What is stamped `ticks` happened at `true` and came at `received_at`."""

    ticks: float
    true: float
    received_at: float


def packets(
    seconds: float,
    *,
    drift: float = 0.0,
    jitter: float = 0.05,
    stalls: float = 0.0,
    begin: float = BEGIN,
    seed: int = 1,
) -> Iterator[Sent]:
    """A stream whose link now and then stalls for up to 10 s, and then brings what waited at once."""
    chance, free = random.Random(seed), 0.0
    for number in range(int(seconds / EVERY_S)):
        ticks = number * EVERY_S
        true = begin + ticks * (1.0 + drift)
        late = chance.random() * 10.0 if chance.random() < stalls else 0.0
        free = max(true + chance.random() * jitter + late, free + 0.001)
        yield Sent(8e8 + ticks, true, free)


@given(st.floats(-1e-4, 1e-4), st.floats(0.0, 0.1), st.floats(0.0, 0.01), st.integers(0, 1000))
@settings(max_examples=8, deadline=None)
def test_times_are_true_whatever_the_drift_and_the_delays(
    drift: float, jitter: float, stalls: float, seed: int
) -> None:
    clock, errors = DeviceClock(), []
    for sent in packets(1300, drift=drift, jitter=jitter, stalls=stalls, seed=seed):
        clock.hear(sent.ticks, sent.received_at)
        errors.append(abs(clock.at(sent.ticks) - sent.true))
    # Until the drift is known, its worst is 600 s of 100 ppm.
    assert max(errors[200:]) < 0.061 + jitter / 4
    assert max(errors[-100:]) < 0.002 + jitter / 4
    assert clock.drift == pytest.approx(drift, abs=1e-6 + jitter * 2e-4)


def test_late_and_bunched_packets_move_nothing() -> None:
    calm, stalled = DeviceClock(), DeviceClock()
    for plain, late in zip(packets(700, jitter=0.0), packets(700, jitter=0.0, stalls=0.02), strict=True):
        calm.hear(plain.ticks, plain.received_at)
        stalled.hear(late.ticks, late.received_at)
        assert stalled.at(late.ticks) == pytest.approx(calm.at(plain.ticks), abs=0.003)


def test_late_first_packet_is_mended_once_and_told() -> None:
    clock = DeviceClock()
    assert clock.hear(100.0, BEGIN + 100.9)
    assert clock.hear(100.5, BEGIN + 100.5)
    assert not clock.hear(101.0, BEGIN + 101.0)
    assert clock.at(101.0) == pytest.approx(BEGIN + 101.0)


@given(st.integers(0, 100), st.floats(0.0, 0.1))
@settings(max_examples=20, deadline=None)
def test_neighbouring_packets_stay_neighbours(seed: int, jitter: float) -> None:
    clock, told = DeviceClock(), 0.0
    for sent in packets(200, drift=5e-5, jitter=jitter, seed=seed):
        jumped, before = clock.hear(sent.ticks, sent.received_at), told
        told = clock.at(sent.ticks)
        assert jumped == (before == 0.0)
        if before:
            assert abs(told - before - EVERY_S) <= (SLEW + MOST_DRIFT) * EVERY_S + 1e-6


@pytest.mark.parametrize("step", [-3600.0, -5.0, 300.0, 86_400.0])
def test_clock_that_was_set_is_noticed_at_once(step: float) -> None:
    clock = DeviceClock()
    *before, last = packets(60)
    for sent in before:
        clock.hear(sent.ticks, sent.received_at)
    assert clock.hear(last.ticks, last.received_at + step)
    assert clock.at(last.ticks) == pytest.approx(last.received_at + step)


def test_step_is_no_drift() -> None:
    clock = DeviceClock()
    for sent in packets(1400):
        clock.hear(sent.ticks, sent.received_at - (5.0 if sent.ticks > 8e8 + 700 else 0.0))
    assert abs(clock.drift) < 1e-5


def test_small_step_is_believed_when_nothing_is_as_early_as_before() -> None:
    clock, noticed = DeviceClock(), []
    for sent in packets(200):
        step = 5.0 if sent.ticks > 8e8 + 100 else 0.0
        step += 2.0 if 8e8 + 100 < sent.ticks < 8e8 + 102 else 0.0
        if clock.hear(sent.ticks, sent.received_at + step):
            noticed.append(sent.ticks - 8e8)
    first, second = noticed
    assert first == 0.0
    assert 100.0 + LATE_FOR_S <= second <= 102.0 + LATE_FOR_S + 2 * EVERY_S
    assert clock.at(sent.ticks) == pytest.approx(sent.true + 5.0, abs=0.01)


def test_wearable_that_restarts_begins_anew() -> None:
    clock = DeviceClock()
    for sent in packets(100):
        clock.hear(sent.ticks, sent.received_at)
    assert clock.hear(3.0, BEGIN + 110.0)
    assert clock.at(3.5) == pytest.approx(BEGIN + 110.5, abs=0.001)


def test_drift_that_is_remembered_is_used_at_once() -> None:
    clock = DeviceClock(8e-5)
    clock.hear(0.0, BEGIN)
    assert clock.at(1000.0) == pytest.approx(BEGIN + 1000.08)
    assert DeviceClock(1.0).drift == MOST_DRIFT


@given(st.lists(st.tuples(st.floats(0, 2e10), st.floats(0, 2e9)), max_size=60))
def test_any_times_at_all_are_taken(times: list[tuple[float, float]]) -> None:
    clock = DeviceClock()
    for ticks, received_at in times:
        clock.hear(ticks, received_at)
        assert clock.at(ticks) == pytest.approx(received_at, abs=2e10)
    assert abs(clock.drift) <= MOST_DRIFT
    assert JUMP_S > 0
