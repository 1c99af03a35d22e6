"""Quiet hours are one stretch a night, by the clocks of the home, whatever is done to those."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge.notify.quiet import QuietHours

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"])
TIMES = st.builds(time, hour=st.integers(0, 23), minute=st.integers(0, 59))
# 2026 and 2027, with every change of the clocks in them.
MOMENTS = st.integers(1_767_225_600, 1_830_297_600)
NIGHT = QuietHours(time(22), time(7))


def moment(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-25 21:59", None),
        ("2026-11-25 22:00", "2026-11-26 07:00"),
        ("2026-11-25 23:59", "2026-11-26 07:00"),
        ("2026-11-26 06:59", "2026-11-26 07:00"),
        ("2026-11-26 07:00", None),
        ("2026-03-28 23:00", "2026-03-29 07:00"),  # the night in which an hour is missing
        ("2026-10-24 23:00", "2026-10-25 07:00"),  # and the one in which an hour comes twice
    ],
)
def test_pain_20_a_night_is_quiet_over_midnight_and_over_changes_of_the_clock(now: str, until: str | None) -> None:
    assert NIGHT.until(moment(now), BERLIN) == (None if until is None else moment(until))


def test_quiet_hours_by_day_end_on_the_same_day() -> None:
    nap = QuietHours(time(13), time(15))
    assert nap.until(moment("2026-11-25 13:30"), BERLIN) == moment("2026-11-25 15:00")
    assert nap.until(moment("2026-11-25 16:00"), BERLIN) is None
    assert nap.until(moment("2026-11-25 12:59"), BERLIN) is None


def test_an_end_that_comes_twice_in_a_night_ends_the_quiet_once() -> None:
    hours = QuietHours(time(22), time(2, 30))
    first = moment("2026-10-25 02:30")  # summer time; an hour later the clock shows it again
    assert hours.until(first - 60.0, BERLIN) == first
    assert hours.until(first + 3600.0 - 60.0, BERLIN) is None


@given(begin=TIMES, end=TIMES, now=MOMENTS, zone=ZONES)
def test_quiet_ends_when_it_says_and_lasts_until_then(begin: time, end: time, now: int, zone: str) -> None:
    assume(begin != end)
    hours, home = QuietHours(begin, end), ZoneInfo(zone)
    until = hours.until(now, home)
    if until is None:
        return
    assert now < until <= now + 25 * 3600.0
    assert hours.until((now + until) / 2.0, home) == until
    assert hours.until(until - 1.0, home) == until
    nominal = (end.hour - begin.hour) * 60 + end.minute - begin.minute
    longest = (nominal % (24 * 60)) * 60.0 + 3600.0  # the hour that comes twice
    assert until - now <= longest


@given(begin=TIMES, end=TIMES, now=MOMENTS, zone=ZONES)
def test_an_hour_from_any_change_of_the_clock_the_clock_itself_says_whether_it_is_quiet(
    begin: time, end: time, now: int, zone: str
) -> None:
    assume(begin != end)
    home = ZoneInfo(zone)
    offsets = {
        datetime.fromtimestamp(now + hours * 3600.0, UTC).astimezone(home).utcoffset() for hours in range(-25, 26)
    }
    assume(len(offsets) == 1)
    shown = datetime.fromtimestamp(now, UTC).astimezone(home).time()
    within = begin <= shown < end if begin < end else shown >= begin or shown < end
    assert (QuietHours(begin, end).until(now, home) is not None) == within
