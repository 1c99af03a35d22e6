"""Which stream has been silent for too long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bluetooth.silence import SILENCE_LIMIT_S, Silence, silence_limits

PULSE, GLUCOSE = "00002a37-0000-1000-8000-00805f9b34fb", "00002aa7-0000-1000-8000-00805f9b34fb"


def test_each_stream_has_its_own_limit_and_all_stretch_with_a_replay() -> None:
    streams = {PULSE: {}, GLUCOSE: {GLUCOSE: 900.0}}
    assert silence_limits(streams, SILENCE_LIMIT_S) == {PULSE: 30.0, GLUCOSE: 900.0}
    assert silence_limits(streams, 4 * SILENCE_LIMIT_S) == {PULSE: 120.0, GLUCOSE: 3600.0}


def test_stream_that_fell_silent_is_named_although_another_flows() -> None:
    heard = {PULSE: 100.0, GLUCOSE: 100.0}
    silence = Silence({PULSE: 30.0, GLUCOSE: 900.0}, heard, 90.0)
    heard[GLUCOSE] = 129.0
    assert silence.overdue(129.9) is None
    assert silence.overdue(130.0) == "connected, but 0x2A37 is silent for 30 s"


def test_stream_that_never_spoke_is_no_fault_while_another_flows() -> None:
    heard = {PULSE: 100.0}
    silence = Silence({PULSE: 30.0, GLUCOSE: 20.0}, heard, 90.0)
    assert silence.overdue(129.0) is None


def test_link_on_which_nothing_ever_came_is_given_time_from_its_beginning() -> None:
    silence = Silence({PULSE: 30.0}, {}, 100.0)
    assert silence.until_due(110.0) == pytest.approx(20.0)
    assert silence.overdue(130.0) == "connected, but silent for 30 s"


def test_wearable_of_which_nothing_streams_is_never_silent() -> None:
    silence = Silence({}, {}, 100.0)
    assert not silence.streams
    assert silence.overdue(1e9) is None


@given(
    st.dictionaries(st.sampled_from("abcd"), st.floats(1.0, 1000.0), min_size=1),
    st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0.0, 100.0)), max_size=30),
)
def test_whoever_sleeps_until_it_is_due_misses_no_silence(
    limits: dict[str, float], spoken: list[tuple[str, float]]
) -> None:
    heard: dict[str, float] = {}
    silence, now = Silence(limits, heard, 0.0), 0.0
    for stream, pause in spoken:
        now += pause
        if stream in limits:
            heard[stream] = now
    due = now + silence.until_due(now)
    assert silence.overdue(due + 1e-6) is not None
    if due - 1e-3 > now:
        assert silence.overdue(due - 1e-3) is None
