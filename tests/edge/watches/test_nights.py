"""Nights from the store, in local time, and an alert that is told once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from edge.notices import Alert, AlertState, Severity
from edge.readings import Channel, Quality, Reading
from edge.settings.home import PersonSettings, WearableSettings
from edge.signals.night_baseline import Night, judge_nights
from edge.store.store import Batch, Store
from edge.watches.nights import (
    NIGHTS,
    RESTING_HEART_RATE,
    NightWatch,
    night_bounds,
    resting_alert,
    stored_nights,
    verdict_fields,
)
from tests.edge.store.samples import sample
from tests.fakes.clock import ManualClock

FIRST = date(2026, 5, 1)
ANNA = PersonSettings(id="anna", contacts=["mum"], wearables=[WearableSettings(address="C0:DE:00:00:00:01")])


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "hearthbeat.db") as opened:
        yield opened


@pytest.fixture
def central_europe(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine in Berlin, whose clocks change in the nights before 29 March and 25 October 2026."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
    time.tzset()


def sleep(store: Store, morning: date, bpm: float, zone: timezone | None = UTC, hours: float = 10.0) -> None:
    """Store the last `hours` of a night, a sample a minute, each five of which have the mean `bpm`."""
    _, end = night_bounds(morning, zone)
    minutes = round(hours * 60)
    rates = bpm + np.resize([-1.0, 0.0, 0.0, 0.0, 1.0], minutes)
    store.commit(
        Batch(
            readings=[
                sample(Channel.HEART_RATE, end - 60.0 * (minutes - number) + 30.0, rate)
                for number, rate in enumerate(rates.tolist())
            ]
        )
    )


def live(store: Store, rates: Sequence[float | None], zone: timezone | None = UTC) -> float:
    """Store a night for each rate, None for the strap on the table; the end of the last night."""
    for number, bpm in enumerate(rates):
        if bpm is not None:
            sleep(store, FIRST + timedelta(days=number), bpm, zone)
    return night_bounds(FIRST + timedelta(days=len(rates) - 1), zone)[1]


USUAL = [55.0, 56.0, 54.0, 55.0, 57.0, 53.0, 55.0, 56.0, 54.0, 55.0]


def test_the_night_is_that_of_the_local_clock_whatever_the_season(central_europe: None) -> None:
    def night(month: int, day: int) -> tuple[str, str, float]:
        start, end = night_bounds(date(2026, month, day))
        return f"{datetime.fromtimestamp(start, UTC):%H:%M}", f"{datetime.fromtimestamp(end, UTC):%H:%M}", end - start

    assert night(1, 15) == ("21:00", "07:00", 10 * 3600.0)
    assert night(7, 15) == ("20:00", "06:00", 10 * 3600.0)
    assert night(3, 29) == ("21:00", "06:00", 9 * 3600.0)
    assert night(10, 25) == ("20:00", "07:00", 11 * 3600.0)


def test_nights_come_from_the_stored_heart_rate(store: Store) -> None:
    until = live(store, [55.0, None, 57.0])
    nights = stored_nights(store, "anna", until, UTC)
    assert [night.resting_bpm for night in nights] == [55.0, None, 57.0]
    assert [night.reason for night in nights] == [None, "no heart rate was measured", None]
    assert stored_nights(store, "bert", until, UTC) == []


def test_a_night_that_is_not_over_is_not_looked_at(store: Store) -> None:
    until = live(store, [55.0, 57.0])
    assert [night.resting_bpm for night in stored_nights(store, "anna", until - 1.0, UTC)] == [55.0]


def test_the_nights_without_data_up_to_now_are_missing(store: Store) -> None:
    until = live(store, [55.0, 57.0])
    late = stored_nights(store, "anna", until + 3 * 86_400.0, UTC)
    assert [night.resting_bpm is None for night in late] == [False, False, True, True, True]
    assert stored_nights(store, "anna", until + (NIGHTS + 2) * 86_400.0, UTC) == []


def test_rr_intervals_tell_a_night_too(store: Store) -> None:
    start, end = night_bounds(FIRST, UTC)
    readings = [
        Reading("anna", "AA", Channel.RR_INTERVAL, "ms", begin, begin + 60.0, (1000.0,) * 30 + (1100.0 + shift,) * 27)
        for begin, shift in zip(
            np.arange(start, end, 60.0).tolist(), np.resize([0.0, 4.0, 8.0], 600).tolist(), strict=True
        )
    ]
    store.commit(Batch(readings=readings))
    (night,) = stored_nights(store, "anna", end, UTC)
    assert night.resting_bpm == pytest.approx(57.2, abs=0.3)


def test_pain_08_a_strap_off_the_body_makes_no_night(store: Store) -> None:
    start, end = night_bounds(FIRST, UTC)
    times = np.arange(start + 30.0, end, 60.0).tolist()
    store.commit(Batch(readings=[sample(Channel.HEART_RATE, at, 50.0, Quality.NO_CONTACT) for at in times]))
    assert stored_nights(store, "anna", end, UTC) == []


def verdicts_of(rates: Sequence[float | None]) -> list[Night]:
    bounds = [night_bounds(FIRST + timedelta(days=number), UTC) for number in range(len(rates))]
    return [
        Night(start, end, 9.0 if bpm else 0.0, bpm, None if bpm else "no heart rate was measured")
        for (start, end), bpm in zip(bounds, rates, strict=True)
    ]


def alert_of(rates: Sequence[float | None], open_alert: Alert | None = None) -> Alert | None:
    return resting_alert("anna", judge_nights(verdicts_of(rates)), open_alert)


def raised() -> Alert:
    alert = alert_of([*USUAL, 64.0, 65.0])
    assert alert is not None
    return alert


def test_two_elevated_nights_are_an_alert_with_plain_numbers() -> None:
    alert = raised()
    assert (alert.kind, alert.severity, alert.state) == (RESTING_HEART_RATE, Severity.INFO, AlertState.RAISED)
    assert alert.since == night_bounds(FIRST + timedelta(days=10), UTC)[0]
    assert alert.opened_at == night_bounds(FIRST + timedelta(days=11), UTC)[1]
    assert alert.explanation.sentence.startswith("Resting heart rate last night was 65, usually 55 (53 to 64")
    assert alert.explanation.numbers["resting_bpm"] == 65.0
    assert alert_of([*USUAL, 64.0]) is None
    assert alert_of([]) is None


def test_pain_14_an_episode_has_one_id_and_is_told_once() -> None:
    alert = raised()
    assert alert_of([*USUAL, 64.0, 65.0, 66.0], alert) is None
    later = alert_of([*USUAL, 64.0, 65.0, 66.0])
    assert later is not None
    assert later.id == alert.id
    other = alert_of([*USUAL, 55.0, 64.0, 65.0])
    assert other is not None
    assert other.id != alert.id


def test_a_usual_night_clears_and_says_how_it_was() -> None:
    cleared = alert_of([*USUAL, 64.0, 65.0, 55.0], raised())
    assert cleared is not None
    assert (cleared.id, cleared.state) == (raised().id, AlertState.CLEARED)
    assert cleared.cleared_at == night_bounds(FIRST + timedelta(days=12), UTC)[1]
    assert cleared.explanation.sentence.startswith("Resting heart rate last night was 55")


def test_pain_09_an_alert_of_which_nothing_is_known_any_more_ends_and_says_so() -> None:
    still = alert_of([*USUAL, 64.0, 65.0, None, None], raised())
    assert still is None
    cleared = alert_of([*USUAL, 64.0, 65.0, None, None, None], raised())
    assert cleared is not None
    assert cleared.state is AlertState.CLEARED
    assert "Nothing is known of the last nights" in cleared.explanation.sentence
    forgotten = alert_of([], raised())
    assert forgotten is not None
    assert forgotten.cleared_at == raised().opened_at


def test_a_verdict_in_json_has_null_for_what_is_not_known() -> None:
    first, *_, last = [
        verdict_fields(verdict, UTC) for verdict in judge_nights(verdicts_of([None, *USUAL, None, 64.0]))
    ]
    assert first["morning"] == "2026-05-01"
    assert first["resting_bpm"] is None
    assert first["usual_bpm"] is None
    assert first["z"] is None
    assert first["reason"] == "no heart rate was measured"
    assert last["morning"] == "2026-05-13"
    assert (last["resting_bpm"], last["usual_bpm"], last["nights_used"], last["nights_missing"]) == (64.0, 55.0, 10, 1)
    assert (last["elevated"], last["raised"], last["reason"]) == (True, False, None)
    assert first.keys() == last.keys()


class Told:
    """What the watch says."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    async def say(self, person: PersonSettings, alert: Alert) -> None:
        assert person is ANNA
        self.alerts.append(alert)


async def test_each_morning_says_only_what_has_changed(store: Store, tmp_path: Path) -> None:
    until = live(store, [*USUAL, 64.0, 65.0], None)
    clock, told = ManualClock(until + 3600.0), Told()
    watch = NightWatch(tmp_path / "hearthbeat.db", [ANNA], clock, told.say)
    await watch.run()
    (alert,) = told.alerts
    assert alert.state is AlertState.RAISED
    store.commit(Batch(alerts=[alert]))
    await watch.run()
    sleep(store, FIRST + timedelta(days=12), 55.0, None)
    clock.step_wall(86_400.0)
    await watch.run()
    assert [alert.state for alert in told.alerts] == [AlertState.RAISED, AlertState.CLEARED]
    assert watch.fault is None


async def test_pain_24_a_disk_that_refuses_is_a_fault_until_the_next_morning(tmp_path: Path) -> None:
    path = tmp_path / "hearthbeat.db"
    path.write_bytes(b"no database" * 1000)
    told = Told()
    watch = NightWatch(path, [ANNA], ManualClock(), told.say)
    await watch.run()
    assert watch.fault is not None
    assert str(path) in watch.fault
    path.unlink()
    await watch.run()
    mended: str | None = watch.fault
    assert mended is None
    assert told.alerts == []
