"""A wearable's wall clock: what it stamps lands where it belongs, and says so where nobody knows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.readings import Channel, Quality
from edge.wearables import blood_pressure, thermometer
from edge.wearables.blood_pressure import BloodPressure
from edge.wearables.fields import DateTime
from edge.wearables.thermometer import TemperatureMeasurement
from edge.wearables.wall_clock import CLOCK_TOLERANCE_S, KNOWN_PAST_S, PLAUSIBLE_PAST_S, WallClock
from tests.edge.wearables.strategies import DATE_TIMES, RECEIVED_AT, SOURCE, clock

DAY = 86_400.0


def age(ago: float, **known: float) -> tuple[float, Quality]:
    """How old a stamp of `ago` seconds ago is taken to be."""
    at, quality = WallClock(**known).place(clock(-ago), RECEIVED_AT)
    return RECEIVED_AT - at, quality


@pytest.mark.parametrize("ago", [0.0, 60.0, CLOCK_TOLERANCE_S])
def test_measurement_of_the_last_minutes_is_placed_where_it_was_made(ago: float) -> None:
    assert age(ago) == (ago, Quality.GOOD)


@pytest.mark.parametrize("ahead", [1.0, CLOCK_TOLERANCE_S])
def test_measurement_that_is_a_little_ahead_is_of_now(ahead: float) -> None:
    assert age(-ahead) == (0.0, Quality.GOOD)


@pytest.mark.parametrize("ago", [CLOCK_TOLERANCE_S + 1, DAY, PLAUSIBLE_PAST_S])
def test_stored_record_lands_in_the_past_though_its_clock_may_be_wrong(ago: float) -> None:
    assert age(ago) == (ago, Quality.TIME_UNSURE)


@pytest.mark.parametrize("ago", [-CLOCK_TOLERANCE_S - 1, -DAY, PLAUSIBLE_PAST_S + DAY, 20 * 365 * DAY])
def test_what_a_wrong_clock_has_stamped_is_kept_and_says_so(ago: float) -> None:
    assert age(ago) == (0.0, Quality.TIME_UNSURE)


@pytest.mark.parametrize("ahead", [-3600.0, 0.0, 7 * DAY])
@pytest.mark.parametrize("ago", [0.0, DAY, 300 * DAY])
def test_clock_that_was_read_is_corrected(ahead: float, ago: float) -> None:
    assert age(ago - ahead, ahead_s=ahead) == (ago, Quality.GOOD)


def test_clock_that_was_read_and_is_a_little_ahead_stamps_nothing_of_the_future() -> None:
    assert age(-30.0, ahead_s=0.0) == (0.0, Quality.GOOD)


def test_clock_that_was_read_and_contradicts_is_unsure() -> None:
    assert age(-DAY, ahead_s=0.0) == (0.0, Quality.TIME_UNSURE)
    assert age(KNOWN_PAST_S + DAY, ahead_s=0.0) == (0.0, Quality.TIME_UNSURE)


def test_clock_that_was_just_set_stamped_its_old_records_before() -> None:
    assert age(DAY - 3600.0, ahead_s=0.0, before_s=3600.0) == (DAY, Quality.GOOD)
    assert age(0.0, ahead_s=0.0, before_s=3600.0) == (0.0, Quality.GOOD)


def test_stamp_of_the_future_tells_that_the_clock_is_off() -> None:
    wall = WallClock()
    wall.place(clock(3600.0), RECEIVED_AT)
    assert wall.off_s == 3600.0
    wall.place(clock(-DAY), RECEIVED_AT)
    assert wall.off_s == 3600.0
    wall.place(clock(-10.0), RECEIVED_AT)
    assert wall.off_s == -10.0
    wall.ahead_s = 2.0
    assert wall.off_s == 2.0


@given(DATE_TIMES, st.none() | st.floats(-1e10, 1e10), st.none() | st.floats(-1e10, 1e10))
def test_nothing_lands_in_the_future_or_before_what_is_kept(
    stamp: DateTime, ahead: float | None, before: float | None
) -> None:
    at, _ = WallClock(ahead, before).place(stamp, RECEIVED_AT)
    assert RECEIVED_AT - KNOWN_PAST_S <= at <= RECEIVED_AT


def test_stamp_without_a_day_says_nothing() -> None:
    assert WallClock().place(DateTime(0, 0, 0, 12, 0, 0), RECEIVED_AT) == (RECEIVED_AT, Quality.GOOD)


def test_spot_devices_are_placed_by_their_clock() -> None:
    payload = thermometer.encode(TemperatureMeasurement(37.0, measured_at=clock(-DAY)))
    (reading,) = thermometer.PROFILE.session(SOURCE, {}).readings(thermometer.MEASUREMENT, payload, RECEIVED_AT)
    assert (reading.channel, reading.start) == (Channel.TEMPERATURE, RECEIVED_AT - DAY)
    assert reading.quality & Quality.TIME_UNSURE
    payload = blood_pressure.encode(BloodPressure(120.0, 80.0, 93.0, measured_at=clock(-DAY + 60.0), pulse=60.0))
    session = blood_pressure.PROFILE.session(SOURCE, {}, WallClock(ahead_s=60.0))
    readings = session.readings(blood_pressure.MEASUREMENT, payload, RECEIVED_AT)
    assert [r.start for r in readings] == [RECEIVED_AT - DAY] * 4
    assert not any(r.quality & Quality.TIME_UNSURE for r in readings)


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("slow_s", [0.0, 7200.0])
@pytest.mark.usefixtures("in_berlin")
def test_pain_23_records_from_before_the_end_of_summer_time_keep_their_hour(slow_s: float) -> None:
    """The cuff's clock knows nothing of summer time: on Sunday morning it is an hour ahead of the house."""
    measured = datetime(2026, 10, 24, 20, 0, tzinfo=BERLIN)
    read = datetime(2026, 10, 25, 9, 0, tzinfo=BERLIN).timestamp()
    shown = measured.replace(tzinfo=None) - timedelta(seconds=slow_s)
    stamp = DateTime(shown.year, shown.month, shown.day, shown.hour, shown.minute, shown.second)
    assert WallClock(ahead_s=3600.0 - slow_s).place(stamp, read) == (measured.timestamp(), Quality.GOOD)


@pytest.mark.usefixtures("in_berlin")
def test_pain_23_records_of_a_clock_that_was_set_meanwhile_keep_their_hour() -> None:
    measured = datetime(2026, 10, 24, 20, 0, tzinfo=BERLIN).timestamp()
    read = datetime(2026, 11, 25, 9, 0, tzinfo=BERLIN).timestamp()
    assert WallClock(ahead_s=0.0).place(DateTime(2026, 10, 24, 20, 0, 0), read) == (measured, Quality.GOOD)
