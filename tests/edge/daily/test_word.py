"""The daily word: what a whole day, a thin day and a week say, to whom, and only once."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from hypothesis import given
from hypothesis import strategies as st

from edge.alerts.limits import STEADY
from edge.cli import main
from edge.daemon import Daemon
from edge.daily.facts import Facts, Glucose, Spread, Trend
from edge.daily.round import GRACE_S, DailyRound, Due, due_words, word_of
from edge.daily.word import about, word_id, word_text
from edge.notices import Alert, AlertState, DueNotification, FaultKind, Notification, Severity
from edge.notify.bundles import bundles
from edge.notify.digest import composed
from edge.notify.languages import languages
from edge.notify.phone import Contact
from edge.notify.quiet import QuietHours
from edge.notify.texts import AlertText
from edge.phrases import phrase
from edge.readings import CHANNELS, Assessment, Channel, Explanation, Quality, Reading, Risk
from edge.recorder import Recorder
from edge.settings.home import Settings
from edge.signals.night_baseline import Night, judge_nights
from edge.store.store import Batch, Store
from tests.fakes.clock import ManualClock

STRAP = "C0:DE:00:00:00:01"
TODAY = date(2026, 11, 23)  # a Monday
MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
NOW = MIDNIGHT + 8.5 * 3600.0
DAY = 86_400.0
WHY = Explanation(phrase("It is out of reach, off or empty. Look where it is, charge it, and put it on."))


def home(folder: Path, *contacts: dict[str, Any], people: Sequence[dict[str, Any]] = ()) -> Settings:
    """Anna, who wears a strap, her phone and her daughter's, unless something else is said."""
    anna = {"id": "anna", "name": "Anna", "contacts": ["own", "daughter"], "wearables": [{"address": STRAP}]}
    anna["wearables"] = [{"address": STRAP, "name": "strap"}]
    own = {"id": "own", "url": "json://127.0.0.1:1"}
    daughter = {"id": "daughter", "url": "json://127.0.0.1:1", "language": "zh"}
    given = {contact["id"]: contact for contact in contacts}
    return Settings.model_validate(
        {
            "home": {"state_directory": str(folder)},
            "people": [anna, *people],
            "contacts": [{**own, **given.get("own", {})}, {**daughter, **given.get("daughter", {})}],
        }
    )


@pytest.fixture(name="store")
def fixture_store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "hearthbeat.db") as opened:
        yield opened


def keep(store: Store, channel: Channel, times: Sequence[float], values: Sequence[float], device: str = STRAP) -> None:
    unit = CHANNELS[channel].unit
    axes = CHANNELS[channel].axes
    store.commit(
        Batch(
            readings=[
                Reading("anna", device, channel, unit, at, at, tuple(values[axes * place : axes * (place + 1)]))
                for place, at in enumerate(times)
            ]
        )
    )


def keep_minutes(store: Store, begin: float, end: float, bpm: float) -> None:
    """A heart rate each minute, around `bpm`."""
    times = np.arange(begin + 30.0, end, 60.0)
    keep(store, Channel.HEART_RATE, times.tolist(), (bpm + np.resize([-1.0, 0.0, 0.0, 0.0, 1.0], times.size)).tolist())


def sleep(store: Store, nights: int, bpm: float = 55.0, last: float = 55.0) -> None:
    """So many nights until this morning, the last of them with its own resting heart rate."""
    for back in reversed(range(nights)):
        morning = MIDNIGHT - back * DAY + 8.0 * 3600.0
        keep_minutes(store, morning - 7 * 3600.0, morning, last if back == 0 else bpm + back % 3)


def glucose(store: Store, begin: float, end: float, values: Sequence[float]) -> None:
    times = np.arange(begin + 150.0, end, 300.0)
    keep(store, Channel.GLUCOSE, times.tolist(), np.resize(values, times.size).tolist(), "sensor")


def walk(store: Store, begin: float, minutes: int, mg: float) -> None:
    """Acceleration at 25 Hz whose length is above and below 1 g in turn, so that ENMO is `mg`."""
    times = begin + np.arange(minutes * 60 * 25) / 25.0
    up = 1000.0 + np.resize([2.0 * mg, -2.0 * mg], times.size)
    values = np.column_stack((np.zeros_like(up), np.zeros_like(up), up)).ravel()
    for piece in range(0, times.size, 750):
        part = tuple(values[3 * piece : 3 * (piece + 750)].tolist())
        at = float(times[piece])
        reading = Reading("anna", STRAP, Channel.ACCELERATION, "mg", at, at, part, interval_s=0.04)
        store.commit(Batch(readings=[reading]))


def alert(kind: str, opened: float, cleared: float | None = None, subject: str = "", person: str = "anna") -> Alert:
    state = AlertState.RAISED if cleared is None else AlertState.CLEARED
    return Alert(
        f"{kind}-{opened}", person, kind, Severity.WARNING, state, opened, opened, cleared, WHY, subject=subject
    )


def word(store: Store, settings: Settings, days: int = 1, language: str = "en") -> AlertText:
    contact = settings.contacts[0].model_copy(update={"language": language})
    found = word_of(store, settings, Due(settings.people[0], contact, TODAY, days), NOW, UTC)
    assert found is not None
    return found[1]


def a_whole_day(store: Store) -> None:
    sleep(store, 29, last=56.0)
    keep_minutes(store, MIDNIGHT - 16 * 3600.0, MIDNIGHT - 2 * 3600.0, 72.0)
    keep_minutes(store, MIDNIGHT - 1.9 * 3600.0, MIDNIGHT - 1.5 * 3600.0, 118.0)
    walk(store, MIDNIGHT - 10 * 3600.0, 3, 150.0)
    walk(store, MIDNIGHT - 9 * 3600.0, 2, 20.0)
    glucose(store, MIDNIGHT - 28 * DAY, MIDNIGHT, [100.0, 150.0, 60.0, 120.0, 130.0, 200.0, 110.0, 140.0, 160.0, 170.0])
    keep(store, Channel.SYSTOLIC, [MIDNIGHT - 50_000.0, MIDNIGHT - 20_000.0], [141.0, 128.0], "cuff")
    keep(store, Channel.DIASTOLIC, [MIDNIGHT - 50_000.0, MIDNIGHT - 20_000.0], [90.0, 82.0], "cuff")
    keep(store, Channel.WEIGHT, [MIDNIGHT - 40_000.0], [71.2], "scale")
    minutes = MIDNIGHT + np.arange(60 * 6) * 60.0
    scores = [0.9] * 12 + [0.1] * 228 + [None] * 120
    store.commit(
        Batch(
            assessments=[
                Assessment("anna", Risk.SLEEP_APNOEA, at - 600.0, float(at), score, None, "1", 1.0)
                for at, score in zip(minutes, scores, strict=True)
            ],
            alerts=[
                alert(Risk.ATRIAL_FIBRILLATION, MIDNIGHT - 9 * 3600.0, MIDNIGHT - 8 * 3600.0),
                alert("spo2_low", MIDNIGHT - 5 * DAY, MIDNIGHT - 4 * DAY),
                alert(FaultKind.NOT_WORN, MIDNIGHT - 3 * 3600.0, MIDNIGHT + 3600.0, STRAP),
                alert(FaultKind.NO_DATA, MIDNIGHT - 3 * 3600.0, None, "somebody else's"),
                alert("heart_rate_low", MIDNIGHT - 7 * 3600.0, None, person="ben"),
            ],
        )
    )


def test_a_whole_day_says_what_was_measured_and_what_was_not(store: Store, tmp_path: Path) -> None:
    a_whole_day(store)
    text = word(store, home(tmp_path))
    assert text.title == "Anna: 22 November in short"
    assert text.body.splitlines() == [
        "Resting heart rate last night was 56, usually 56 (55 to 57 over the last 28 nights).",
        "Signs of breathing pauses in sleep: 12 minutes of 4 hours that could be judged.",
        "Heart rate: 55 to 119, 72 in the middle.",
        "Activity: 3 brisk minutes.",
        "Glucose: 80 % of the readings from 70 to 180 mg/dL, 10 % below, 10 % above.",
        "Blood pressure: 128/82 mmHg, the last of 2 measurements.",
        "Weight: 71.2 kg.",
        "Trend of the resting heart rate: about as in the three weeks before.",
        "Trend of the time in range: about as in the three weeks before.",
        "Measured, of 24 hours: heart rate 21 h, movement 0 h and glucose 24 h.",
        "- Not worn: Anna's strap, 21:00 to 01:00 on 23 November",
        "1 alert:",
        "- Anna: irregular heartbeat, 15:00 to 16:00",
    ]


def test_the_same_day_in_chinese_has_no_english_but_names_and_units(store: Store, tmp_path: Path) -> None:
    a_whole_day(store)
    text = word(store, home(tmp_path), language="zh")
    assert text.title == "Anna：11月22日小结"
    assert text.body.splitlines()[4] == "血糖：80%的读数在3.9至10.0 mmol/L之间，10%低于，10%高于此范围。"
    assert text.body.splitlines()[-1] == "- Anna：心跳不齐，15:00至16:00"
    left = set(re.findall(r"[A-Za-z]+", text.body)) - {"Anna", "strap", "mmol", "L", "mmHg", "kg"}
    assert not left


def test_a_thin_day_claims_nothing_of_what_was_not_measured(store: Store, tmp_path: Path) -> None:
    sleep(store, 3)
    body = word(store, home(tmp_path)).body
    assert "Resting heart rate last night was 55; what is usual is not known yet: 2 earlier nights are known" in body
    assert "Trend of the resting heart rate: not known yet, 3 of at least 15 nights are there." in body
    assert "Why the rest is missing is not known" in body
    assert "Alerts: none, as far as was measured." in body
    for never_measured in ("Glucose", "Activity", "Blood pressure", "breathing", "Oxygen"):
        assert never_measured not in body


def test_a_day_without_anything_says_just_that(store: Store, tmp_path: Path) -> None:
    keep_minutes(store, MIDNIGHT - 6 * DAY, MIDNIGHT - 6 * DAY + 7200.0, 70.0)
    body = word(store, home(tmp_path)).body
    assert "Measured, of 24 hours: heart rate 0 h." in body
    assert "Resting heart rate last night is not known: no heart rate was measured." in body
    assert "Heart rate:" not in body


def test_who_wears_nothing_any_more_is_not_told_of_day_after_day(store: Store, tmp_path: Path) -> None:
    keep_minutes(store, MIDNIGHT - 30 * DAY, MIDNIGHT - 30 * DAY + 7200.0, 70.0)
    settings = home(tmp_path)
    assert word_of(store, settings, Due(settings.people[0], settings.contacts[0], TODAY, 1), NOW, UTC) is None


def test_a_home_that_began_today_has_nothing_to_say_of_yesterday(store: Store, tmp_path: Path) -> None:
    keep_minutes(store, MIDNIGHT + 8.0 * 3600.0, MIDNIGHT + 8.4 * 3600.0, 70.0)
    settings = home(tmp_path)
    assert word_of(store, settings, Due(settings.people[0], settings.contacts[0], TODAY, 1), NOW, UTC) is None


def test_samples_that_say_nothing_of_the_person_do_not_count(store: Store, tmp_path: Path) -> None:
    times = np.arange(MIDNIGHT - 10 * 3600.0, MIDNIGHT, 60.0)
    off = [Reading("anna", STRAP, Channel.HEART_RATE, "bpm", at, at, (190.0,), Quality.NO_CONTACT) for at in times]
    far = [Reading("anna", "s", Channel.GLUCOSE, "mg/dL", at, at, (20.0,), Quality.OUT_OF_RANGE) for at in times]
    store.commit(Batch(readings=[*off, *far]))
    body = word(store, home(tmp_path)).body
    assert "heart rate 0 h" in body
    assert "190" not in body
    assert "Glucose:" not in body


def test_a_week_is_told_of_seven_nights_and_days(store: Store, tmp_path: Path) -> None:
    sleep(store, 29, last=56.0)
    glucose(store, MIDNIGHT - 7 * DAY, MIDNIGHT, [100.0])
    glucose(store, MIDNIGHT - 28 * DAY, MIDNIGHT - 7 * DAY, [100.0, 100.0, 100.0, 200.0])
    text = word(store, home(tmp_path), days=7)
    assert text.title == "Anna: the week to 22 November in short"
    assert "Resting heart rate: 56 in 7 of 7 nights." in text.body
    assert "Glucose: 100 % of the readings from 70 to 180 mg/dL, 0 % below, 0 % above." in text.body
    assert "Trend of the time in range: 100 % this week, 75 % before." in text.body
    assert "Measured, of 168 hours: heart rate 49 h and glucose 168 h." in text.body


def test_a_trend_is_told_with_both_its_numbers(store: Store, tmp_path: Path) -> None:
    for back in reversed(range(28)):
        morning = MIDNIGHT - back * DAY + 8.0 * 3600.0
        keep_minutes(store, morning - 7 * 3600.0, morning, 61.0 if back < 7 else 55.0)
    assert "Trend of the resting heart rate: 61 this week, 55 before: higher." in word(store, home(tmp_path)).body


def days(settings: Settings, now: float) -> list[tuple[str, str, int]]:
    return [(one.contact.id, one.day.isoformat(), one.days) for one in due_words(settings, now, UTC)]


def test_by_default_the_person_is_told_daily_and_nobody_else(tmp_path: Path) -> None:
    settings = home(tmp_path)
    assert days(settings, NOW - 1.0) == []
    assert days(settings, NOW) == [("own", "2026-11-23", 1)]
    assert days(settings, NOW + GRACE_S) == [], "what is long past is not news any more"


def test_one_line_switches_it_off_or_makes_it_weekly(tmp_path: Path) -> None:
    changed = home(tmp_path, {"id": "own", "daily_word": "never"}, {"id": "daughter", "daily_word": "weekly"})
    assert days(changed, NOW) == [("daughter", "2026-11-23", 7)]
    assert days(changed, NOW + DAY) == [], "a Tuesday"


def test_each_contact_has_its_own_time_even_around_midnight(tmp_path: Path) -> None:
    late = home(tmp_path, {"id": "own", "daily_word_at": "23:50"})
    assert days(late, MIDNIGHT + 600.0) == [("own", "2026-11-22", 1)]


def test_nobody_is_told_of_somebody_whose_alerts_they_are_not_told(tmp_path: Path) -> None:
    ben = {"id": "ben", "contacts": ["daughter"], "care": {"own": []}}
    settings = home(
        tmp_path, {"id": "daughter", "daily_word": "daily"}, {"id": "own", "daily_word": "daily"}, people=[ben]
    )
    assert [(one.person.id, one.contact.id) for one in due_words(settings, NOW, UTC)] == [
        ("anna", "own"),
        ("anna", "daughter"),
        ("ben", "daughter"),
    ]


async def told(recorder: Recorder, clock: ManualClock) -> list[DueNotification]:
    return await recorder.due_notifications(clock.wall())


async def test_pain_23_a_word_is_told_once_a_day_over_restarts_and_clocks_that_are_set(
    store: Store, tmp_path: Path
) -> None:
    sleep(store, 3)
    clock = ManualClock(NOW)
    recorder = Recorder(store, clock=clock, interval_s=6.0)
    settings = home(tmp_path)

    async def a_round() -> list[str]:
        await DailyRound(store.path, recorder, clock, lambda: settings, UTC).run()
        return [due.notification.id for due in await told(recorder, clock)]

    expected = word_id("anna", "own", TODAY)
    assert await a_round() == [expected]
    assert await a_round() == [expected], "a daemon that starts anew"
    clock.step_wall(-3600.0)
    assert await a_round() == [expected]
    clock.step_wall(3600.0 + 1800.0)
    assert await a_round() == [expected]
    clock.step_wall(DAY)
    assert await a_round() == [expected, word_id("anna", "own", TODAY + timedelta(days=1))]
    clock.step_wall(-DAY)
    assert len(await a_round()) == 2
    await recorder.close()


async def test_a_word_is_calm_and_of_its_person(store: Store, tmp_path: Path) -> None:
    sleep(store, 3)
    clock = ManualClock(NOW)
    recorder = Recorder(store, clock=clock, interval_s=6.0)
    await DailyRound(store.path, recorder, clock, lambda: home(tmp_path), UTC).run()
    (due,) = await told(recorder, clock)
    assert due.notification.severity is Severity.INFO
    assert (due.notification.turn, due.notification.alert_id) == ("daily", about("anna"))
    assert due.notification.contact == "own"
    await recorder.close()
    store.erase("anna")
    assert store.notifications.due_notifications(NOW) == [], "it tells of the person's health"


async def test_a_store_that_cannot_be_read_is_tried_again(store: Store, tmp_path: Path) -> None:
    sleep(store, 3)
    clock = ManualClock(NOW)
    recorder = Recorder(store, clock=clock, interval_s=6.0)
    path = tmp_path / "elsewhere" / "hearthbeat.db"
    rounds = DailyRound(path, recorder, clock, lambda: home(tmp_path), UTC)
    await rounds.run()
    assert await told(recorder, clock) == []
    path.parent.mkdir()
    path.symlink_to(store.path)
    await rounds.run()
    assert len(await told(recorder, clock)) == 1
    await recorder.close()


def test_pain_23_a_missed_round_is_made_once_and_however_late(store: Store, tmp_path: Path) -> None:
    scheduler = AsyncIOScheduler()
    clock = ManualClock(NOW)
    recorder = Recorder(store, clock=clock, interval_s=6.0)
    DailyRound(store.path, recorder, clock, lambda: home(tmp_path), UTC).plan(scheduler)
    (job,) = scheduler.get_jobs()
    assert job.coalesce is True
    assert job.misfire_grace_time is None


def test_the_word_can_be_seen_before_it_is_told(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = np.arange(datetime.now(UTC).timestamp() - 3 * DAY, datetime.now(UTC).timestamp(), 60.0)
    keep(store, Channel.HEART_RATE, times.tolist(), np.resize([60.0, 61.0], times.size).tolist())
    config = tmp_path / "hearthbeat.toml"
    config.write_text(
        f'home = {{state_directory = "{tmp_path}"}}\n'
        '[[people]]\nid = "anna"\nname = "Anna"\ncontacts = ["own"]\n'
        '[[contacts]]\nid = "own"\nurl = "json://127.0.0.1:1"\n'
    )
    assert main(["notify", "daily", "anna", "--config", str(config)]) == 0
    assert "Heart rate: 60 to 61, 60 in the middle." in capsys.readouterr().out.replace("61 in", "60 in")
    assert main(["notify", "daily", "anna", "--weekly", "--language", "zh", "--json", "--config", str(config)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["title"].startswith("Anna：截至")
    assert shown["language"] == "zh"
    assert store.notifications.unsent_notifications() == 0, "it is shown, and sent to nobody"
    assert main(["notify", "daily", "nobody", "--config", str(config)]) == 2
    assert "nobody here is called 'nobody'" in capsys.readouterr().err


BPM = st.floats(30.0, 200.0)
SHARE = st.floats(0.0, 1.0)
MOMENT = st.floats(MIDNIGHT - 3 * DAY, NOW)
KINDS = st.sampled_from([*Risk, "spo2_low", "news2", "mine", *FaultKind])


@st.composite
def facts(draw: st.DrawFn) -> tuple[Facts, list[tuple[Alert, list[str]]]]:
    """Whatever may be known of a day or a week."""
    length = draw(st.sampled_from([DAY, 7 * DAY, DAY - 3600.0]))
    why = phrase("no heart rate was measured")
    night = Night(MIDNIGHT - 2 * 3600.0, MIDNIGHT + 8 * 3600.0, 8.0, draw(st.none() | BPM), why)
    share = draw(SHARE)
    below = draw(SHARE) * (1.0 - share)
    opened, lasted = draw(MOMENT), draw(st.none() | st.floats(0.0, DAY))
    cleared = None if lasted is None else opened + lasted
    trend = st.none() | st.builds(Trend, st.none() | BPM, st.none() | BPM, st.integers(0, 28), st.just(15))
    part = st.none() | st.builds(Trend, st.none() | SHARE, st.none() | SHARE, st.integers(0, 28), st.just(20))
    kinds = draw(st.lists(KINDS, max_size=9))
    alerts = [alert(kind, opened, cleared, "x" if kind in set(FaultKind) else "") for kind in kinds]
    known = Facts(
        person="anna",
        start=MIDNIGHT - length,
        end=MIDNIGHT,
        told_at=NOW,
        nights=tuple(judge_nights([night] * draw(st.integers(0, 8)))),
        heart_rate=draw(st.none() | st.builds(Spread, BPM, BPM, BPM)),
        brisk_minutes=draw(st.none() | st.integers(0, 1440)),
        glucose=draw(st.none() | st.just(Glucose(below, share, max(0.0, 1.0 - below - share), draw(SHARE)))),
        apnoea_minutes=draw(st.none() | st.tuples(st.integers(0, 600), st.integers(1, 600))),
        spots=draw(
            st.dictionaries(st.sampled_from(list(Channel)), st.tuples(BPM, st.integers(1, 30)), max_size=len(Channel))
        ),
        hours=draw(st.dictionaries(st.sampled_from(STEADY), st.floats(0.0, 24.0), max_size=4)),
        resting_trend=draw(trend),
        glucose_trend=draw(part),
        alerts=tuple(one for one in alerts if not one.subject),
        faults=tuple(one for one in alerts if one.subject),
    )
    return known, [(one, ["Anna's strap"]) for one in known.faults]


@hypothesis.settings(max_examples=60, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
@given(found=facts(), language=st.sampled_from(languages()))
def test_whatever_is_known_makes_whole_sentences(
    found: tuple[Facts, list[tuple[Alert, list[str]]]], language: str
) -> None:
    known, faults = found
    text = word_text(known, "Anna", faults, language, UTC)
    for line in (text.title, *text.body.splitlines()):
        assert line.strip()
        assert not re.search(r"[{}]|None|nan", line)
    assert text.title.startswith("Anna")
    percents = re.search(r"(\d+) % of the readings.*?(\d+) % below, (\d+) % above", text.body)
    if percents:
        assert sum(map(int, percents.groups())) == 100
    if language == "zh":
        names = {"Anna", "strap", "mmol", "mmHg", "Hearthbeat", "mine"}
        assert not set(re.findall(r"[A-Za-z]{3,}", text.body)) - names


def test_what_is_still_so_says_since_when(store: Store, tmp_path: Path) -> None:
    sleep(store, 3)
    store.commit(Batch(alerts=[alert("spo2_low", MIDNIGHT - 2 * DAY)]))
    body = word(store, home(tmp_path)).body
    assert "- Anna: low oxygen, since 00:00 on 21 November" in body
    assert replace(WHY).sentence not in body, "what to do was told with the alert"


def test_of_words_that_waited_the_newest_is_told_as_what_it_is() -> None:
    quiet = Contact("own", (), quiet_hours=QuietHours(time(22), time(9)))
    words = [
        DueNotification(
            Notification(f"n{day}", about("anna"), "own", f"Day {day}", "Body", Severity.INFO, at, turn="daily"),
            0,
            False,
        )
        for day, at in enumerate((NOW - DAY, NOW))
    ]
    assert bundles(words, quiet, [], NOW + 60.0, UTC) == [], "it wakes nobody"
    (bundle,) = bundles(words, quiet, [], NOW + 3600.0, UTC)
    message = composed(bundle, quiet, NOW + 3600.0, UTC)
    assert (message.title, message.body) == ("Day 1", "Body"), "nothing has happened at the time it was written"


async def test_a_daemon_makes_its_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[AsyncIOScheduler] = []
    start = AsyncIOScheduler.start

    def noted(self: AsyncIOScheduler) -> None:
        begun.append(self)
        start(self)

    monkeypatch.setattr(AsyncIOScheduler, "start", noted)
    clock = ManualClock()
    daemon = Daemon(home(tmp_path / "state"), clock=clock)
    running = asyncio.create_task(daemon.run())
    while not daemon.started.is_set():
        await clock.advance(0.0)
    assert {job.id for job in begun[0].get_jobs()} >= {"daily word", "nights", "maintenance"}
    daemon.stop()
    while not running.done():
        await clock.advance(1.0)
