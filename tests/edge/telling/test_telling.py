"""What the broker is told of minutes, hours and days: once it is over, whole, and again when something comes late."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_sync.messages import Kind, Received, parse, sealing
from cloud_sync.messages.bodies import AssessmentsMessage, DayMessage, HourMessage, MinutesMessage
from edge.readings import CHANNELS, Assessment, Channel, Reading, Risk
from edge.recorder import Recorder
from edge.settings.home import Settings
from edge.signals.summary import Summary
from edge.store.store import Batch, Store
from edge.telling.telling import GRACE_S, Telling, day_of, home_of
from tests.fakes.clock import ManualClock

HOUR = 3600.0
START = 1_800_000_000.0 // 86_400.0 * 86_400.0  # a midnight in UTC
BERLIN = ZoneInfo("Europe/Berlin")
SETTINGS = Settings.model_validate(
    {
        "people": [{"id": "anna", "contacts": ["phone"]}, {"id": "bert", "contacts": ["phone"]}],
        "contacts": [{"id": "phone", "url": "json://localhost"}],
        "broker": {"host": "localhost"},
    }
)


class Told:
    """A store that tells, and what it has told so far."""

    def __init__(self, store: Store, clock: ManualClock, settings: Settings, zone: ZoneInfo) -> None:
        self.store = store
        self.clock = clock
        self.recorder = Recorder(store, clock=clock, interval_s=6.0)
        self._settings = settings
        self._zone = zone
        self.restart()

    def restart(self) -> None:
        """Forget all that is not in the store."""
        home = home_of(self._settings, self.store)
        assert home is not None
        self.telling = Telling(
            self._settings,
            self.store,
            self.recorder,
            self.clock,
            home,
            lambda _person, _channel: (),
            lambda: None,
            lambda: None,
            zone=self._zone,
        )

    async def at(self, time: float) -> list[Received]:
        """What is newly told when it is looked at `time`."""
        self.clock.step_wall(time - self.clock.wall())
        await self.telling.look()
        waiting = self.store.outbox.next_messages(100_000)
        self.store.outbox.delete_messages([message.id for message in waiting])
        return [parse(message.topic, message.payload) for message in waiting]


@asynccontextmanager
async def telling(folder: Path, settings: Settings = SETTINGS, zone: ZoneInfo = BERLIN) -> AsyncIterator[Told]:
    with Store(folder / "hearthbeat.db") as store:
        told = Told(store, ManualClock(START), settings, zone)
        yield told
        await told.recorder.close()


def sample(at: float, value: float, channel: Channel = Channel.HEART_RATE, person: str = "anna") -> Reading:
    return Reading(person, "strap", channel, CHANNELS[channel].unit, at, at, (value,))


def minutes_of(told: Sequence[Received]) -> list[tuple[int, int]]:
    """Minutes after START, and their revisions."""
    return [
        (row.minute - int(START) // 60, row.revision)
        for one in told
        if isinstance(one.message, MinutesMessage)
        for row in one.message.rows()
    ]


async def test_an_hour_of_minutes_is_one_message_once_it_is_over(tmp_path: Path) -> None:
    async with telling(tmp_path) as told:
        told.store.commit(Batch(readings=[sample(START + 60.0 * minute + 1.0, 60.0) for minute in range(90)]))
        assert await told.at(START + HOUR + GRACE_S - 1.0) == []
        minutes, hour = await told.at(START + HOUR + GRACE_S)
        assert [minutes.kind, hour.kind] == [Kind.MINUTES, Kind.HOUR]
        assert minutes_of([minutes]) == [(minute, 1) for minute in range(60)]
        assert await told.at(START + 2 * HOUR - 1.0) == []
        assert minutes_of(await told.at(START + 2 * HOUR + GRACE_S)) == [(minute, 1) for minute in range(60, 90)]


async def test_a_restart_forgets_nothing_and_tells_nothing_twice(tmp_path: Path) -> None:
    async with telling(tmp_path) as told:
        told.store.commit(Batch(readings=[sample(START + 1.0, 60.0)]))
        assert len(await told.at(START + HOUR + GRACE_S)) == 2
        told.restart()
        assert await told.at(START + HOUR + 2 * GRACE_S) == []
        told.store.commit(Batch(readings=[sample(START + HOUR + 1.0, 60.0)]))
        told.restart()
        assert len(await told.at(START + 5 * HOUR)) == 2


async def test_late_records_are_told_in_a_further_revision_with_all_that_the_minute_holds(tmp_path: Path) -> None:
    live = sample(START + 605.0, 60.0)
    late = [
        replace(sample(START + at, value, Channel.GLUCOSE), received_at=START + 2 * HOUR)
        for at, value in ((606.0, 100.0), (306.0, 110.0))
    ]
    async with telling(tmp_path) as told:
        told.store.commit(Batch(readings=[live]))
        first = await told.at(START + HOUR + GRACE_S)
        told.store.commit(Batch(readings=late))
        second = await told.at(START + 2 * HOUR + GRACE_S)
        told.store.commit(Batch(readings=late))
        third = await told.at(START + 3 * HOUR + GRACE_S)
    assert minutes_of(first) == [(10, 1)]
    assert sorted(minutes_of(second)) == [(5, 1), (10, 2), (10, 2)]
    assert third == [], "what is stored already is not told again"
    hours = [one.message for one in (*first, *second) if isinstance(one.message, HourMessage)]
    assert [(hour.revision, sorted(hour.channels)) for hour in hours] == [
        (1, ["heart_rate"]),
        (2, ["glucose", "heart_rate"]),
    ]
    assert len({one.id for one in (*first, *second)}) == 4


async def test_an_hour_is_summed_up_from_its_samples_and_not_from_its_minutes(tmp_path: Path) -> None:
    values = [60.0] * 3000 + [150.0] * 600  # fifty calm minutes, ten of effort
    async with telling(tmp_path) as told:
        told.store.commit(Batch(readings=[sample(START + 1.0 + at, value) for at, value in enumerate(values)]))
        _, hour = await told.at(START + HOUR + GRACE_S)
    assert isinstance(hour.message, HourMessage)
    figures = hour.message.channels[Channel.HEART_RATE]
    assert (figures.n, figures.coverage, figures.min, figures.p50, figures.p95) == (3600, 1.0, 60.0, 60.0, 150.0)
    assert figures.mean == 75.0
    assert figures.sd == pytest.approx(np.std(values, ddof=1), abs=0.05)
    assert (hour.message.start, hour.message.end) == (START, START + HOUR)


@pytest.mark.parametrize(
    ("day", "hours"), [("2027-03-28", 23), ("2027-10-31", 25), ("2027-07-01", 24)], ids=["spring", "autumn", "summer"]
)
async def test_a_day_is_that_of_the_home_with_23_or_25_hours_where_clocks_change(
    tmp_path: Path, day: str, hours: int
) -> None:
    start = datetime.fromisoformat(day).replace(tzinfo=BERLIN).timestamp()
    end = start + hours * HOUR
    inside = [sample(start + 0.5, 60.0), sample(end, 80.0)]
    outside = [sample(start, 200.0), sample(end + 0.5, 200.0)]
    async with telling(tmp_path) as told:
        told.store.commit(Batch(readings=sorted((*inside, *outside), key=lambda reading: reading.start)))
        early = await told.at(end + GRACE_S - 1.0)
        late = await told.at(end + HOUR + GRACE_S)
    days = [one.message for one in (*early, *late) if isinstance(one.message, DayMessage)]
    before, of_interest = days
    assert before.end == start, "what was measured at midnight belongs to the day before"
    assert (of_interest.date, of_interest.zone, of_interest.start, of_interest.end) == (
        day,
        "Europe/Berlin",
        start,
        end,
    )
    figures = of_interest.channels[Channel.HEART_RATE]
    assert (figures.n, figures.min, figures.max) == (2, 60.0, 80.0)


async def test_a_day_is_told_again_with_what_a_sensor_sends_days_later(tmp_path: Path) -> None:
    async with telling(tmp_path, zone=ZoneInfo("UTC")) as told:
        told.store.commit(Batch(readings=[sample(START + 1.0, 60.0)]))
        await told.at(START + 25 * HOUR)
        told.store.commit(Batch(readings=[sample(START + 7000.0, 100.0, Channel.GLUCOSE)]))
        late = await told.at(START + 72 * HOUR)
    (day,) = [one.message for one in late if isinstance(one.message, DayMessage)]
    assert (day.revision, sorted(day.channels)) == (2, ["glucose", "heart_rate"])


async def test_what_is_kept_no_more_does_not_change_what_was_told(tmp_path: Path) -> None:
    moved = Reading("anna", "strap", Channel.ACCELERATION, "mg", START + 5.0, START + 5.0, (0.0, 0.0, 1200.0) * 50)
    moved = replace(moved, interval_s=0.02)
    async with telling(tmp_path, zone=ZoneInfo("UTC")) as told:
        told.store.commit(Batch(readings=[moved, sample(START + 1.0, 60.0)]))
        first = await told.at(START + 25 * HOUR)
        told.store.commit(Batch(readings=[sample(START + 7000.0, 100.0, Channel.GLUCOSE)]))
        week_later = await told.at(START + 24 * HOUR * 8.5)
        told.store.commit(Batch(readings=[sample(START + 7300.0, 100.0, Channel.GLUCOSE)]))
        months_later = await told.at(START + 24 * HOUR * 90.5)
    days = [one.message for one in (*first, *week_later) if isinstance(one.message, DayMessage)]
    assert [sorted(day.channels) for day in days] == [["acceleration", "heart_rate"], ["glucose", "heart_rate"]]
    assert sorted(days[1].gone or []) == ["acceleration", "ecg", "ppg"]
    assert [one.kind for one in months_later] == [Kind.MINUTES]


async def test_a_day_of_acceleration_is_summed_up_in_pieces_as_if_it_were_whole(tmp_path: Path) -> None:
    chance = np.random.default_rng(3)
    async with telling(tmp_path, zone=ZoneInfo("UTC")) as told:
        every, readings = [], []
        for second in range(0, 3600, 9):  # at the ends of pieces and minutes too
            vectors = np.round(chance.normal((0.0, 0.0, 1000.0), 200.0, (90, 3)))
            every.append(vectors)
            at = START + second + 0.05
            values = tuple(vectors.ravel().tolist())
            channel = Channel.ACCELERATION
            readings.append(Reading("anna", "strap", channel, "mg", at, at, values, interval_s=0.1))
        told.store.commit(Batch(readings))
        _, hour = await told.at(START + HOUR + GRACE_S)
    length = np.sqrt(np.square(np.concatenate(every)).sum(axis=1))
    assert isinstance(hour.message, HourMessage)
    figures = hour.message.channels[Channel.ACCELERATION]
    assert figures.n == len(length)
    assert figures.coverage == pytest.approx(1.0, abs=0.01)
    assert figures.mean == pytest.approx(np.maximum(length - 1000.0, 0.0).mean(), abs=0.06)
    assert figures.sd == pytest.approx(length.std(ddof=1), abs=0.06)


async def test_assessments_are_told_by_the_hour_with_the_reasons_where_there_were_none(tmp_path: Path) -> None:
    def assessed(end: float, score: float | None, reason: str | None = None) -> Assessment:
        return Assessment("anna", Risk.FALL, end - 15.0, end, score, reason, "1.2", 0.5)

    thought = [assessed(START + 10.0 * n, 0.01 * n) for n in range(1, 101)]
    thought += [assessed(START + 2000.0, None, "only 43 % covered"), assessed(START + HOUR, None, "only 7 % covered")]
    async with telling(tmp_path) as told:
        told.store.commit(Batch(assessments=[*thought, assessed(START + HOUR + 1.0, 0.5)]))
        (hour,) = await told.at(START + HOUR + GRACE_S)
        told.store.commit(Batch(assessments=[assessed(START + 2500.0, 1.0)]))
        again = await told.at(START + 2 * HOUR + GRACE_S)
    assert isinstance(hour.message, AssessmentsMessage)
    fall = hour.message.risks["fall"]
    assert (fall.windows, fall.assessed, fall.without, fall.models) == (102, 100, {"only # % covered": 2}, ["1.2"])
    assert (fall.p50, fall.max, fall.coverage) == (0.505, 1.0, 0.5)
    told_again = [one.message for one in again if isinstance(one.message, AssessmentsMessage)]
    assert [(one.start - START, one.revision, one.risks["fall"].windows) for one in told_again] == [
        (0.0, 2, 103),
        (HOUR, 1, 1),
    ]


async def test_a_backfill_of_days_of_two_people_is_told_in_whole_messages(tmp_path: Path) -> None:
    async with telling(tmp_path) as told:
        for person in ("anna", "bert"):
            told.store.commit(
                Batch([sample(START + 300.0 * n + 1.0, 100.0, Channel.GLUCOSE, person) for n in range(288)])
            )
        everything = await told.at(START + 72 * HOUR)
    batches = [one for one in everything if one.kind is Kind.MINUTES]
    assert len(batches) == 2 * 5
    assert len(minutes_of(batches)) == 2 * 288
    assert {one.kind for one in everything} == {Kind.MINUTES, Kind.HOUR, Kind.DAY}
    assert len({one.id for one in everything}) == len(everything)


async def test_what_cannot_be_read_now_is_told_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with telling(tmp_path) as told:
        told.store.commit(Batch(readings=[sample(START + 1.0, 60.0)]))
        path = told.store.path
        monkeypatch.setattr(told.store, "path", tmp_path / "gone" / "hearthbeat.db")
        assert await told.at(START + HOUR + GRACE_S) == []
        monkeypatch.setattr(told.store, "path", path)
        assert len(await told.at(START + HOUR + 2 * GRACE_S)) == 2


async def test_minutes_that_somebody_asks_for_are_told_at_once(tmp_path: Path) -> None:
    async with telling(tmp_path) as told:
        told.store.commit(Batch(readings=[sample(START + 60.0 * minute + 1.0, 60.0) for minute in range(30)]))
        first = await told.at(START + HOUR + GRACE_S)
        assert told.store.minutes.mark_told("anna", START + 300.0, START + 600.0) == 5
        again = await told.at(START + HOUR + 2 * GRACE_S)
        assert minutes_of(again) == [(minute, 2) for minute in range(5, 10)]
        assert len(first) == 2
        assert await told.at(START + HOUR + 3 * GRACE_S) == []


async def test_all_is_sealed_where_the_household_has_a_key(tmp_path: Path) -> None:
    key = sealing.new_key()
    assert SETTINGS.broker is not None
    broker = SETTINGS.broker.model_copy(update={"encrypt_to": sealing.public_half(key)})
    async with telling(tmp_path, SETTINGS.model_copy(update={"broker": broker})) as told:
        told.store.commit(Batch(readings=[sample(START + 1.0, 60.0)]))
        told.clock.step_wall(HOUR + GRACE_S)
        await told.telling.look()
        sealed = told.store.outbox.next_messages(9)
    assert [parse(one.topic, one.payload).message for one in sealed] == [None, None]
    opened = [parse(one.topic, one.payload, key) for one in sealed]
    assert [one.kind for one in opened] == [Kind.MINUTES, Kind.HOUR]
    assert [str(one.id) for one in opened] == [one.id for one in sealed]


async def test_what_the_format_cannot_tell_ends_nothing_and_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with telling(tmp_path) as told:
        told.store.commit(Batch(readings=[sample(START + 1.0, 60.0)]))
        impossible = {Channel.HEART_RATE: Summary(n=-1, coverage=7.0, artefacts=None)}
        with monkeypatch.context() as broken:
            broken.setattr("edge.telling.telling.summaries_of", lambda *_: impossible)
            assert await told.at(START + HOUR + GRACE_S) == []
        assert "report this" in str(told.telling.fault)
        assert len(await told.at(START + HOUR + 2 * GRACE_S)) == 2
        assert told.telling.fault is None


def test_a_home_without_a_broker_tells_nobody(tmp_path: Path) -> None:
    with Store(tmp_path / "hearthbeat.db") as store:
        assert home_of(SETTINGS.model_copy(update={"broker": None}), store) is None


def test_a_day_that_has_no_midnight_begins_where_clocks_are_put_forward() -> None:
    beirut = ZoneInfo("Asia/Beirut")
    change = datetime(2027, 3, 28, 12, tzinfo=beirut).timestamp()
    day = day_of(change, beirut)
    assert (day.end - day.start) / HOUR == 23
    assert day.label == "2027-03-28 Asia/Beirut"
    assert day_of(day.start - 60.0, beirut).end == day.start


Counts = Counter[tuple[str, int]]


async def told_of(events: list[tuple[int, str, str]], folder: Path) -> tuple[list[Received], Counts]:
    """What is told while samples come, looks are taken and processes end; and how many samples each hour has."""
    stored: Counts = Counter()
    received: list[Received] = []
    async with telling(folder, zone=ZoneInfo("UTC")) as told:
        for number, (minute, what, person) in enumerate(events):
            now = START + 60.0 + 900.0 * number
            if what == "sample":
                at = START + 60.0 * minute + 0.5 + number  # a time of its own, so that none is a repeat of another
                told.store.commit(Batch([replace(sample(at, 60.0, person=person), received_at=max(now, at))]))
                stored[told.store.pseudonyms.person(person), (int(at) - int(START)) // 3600] += 1
            elif what == "restart":
                told.restart()
            else:
                received += await told.at(now)
        received += await told.at(START + 30 * HOUR)
    return received, stored


def newest(told: dict[tuple[str, int], list[tuple[int, int]]]) -> dict[tuple[str, int], int]:
    """The n of each highest revision; revisions must count from 1."""
    for revisions in told.values():
        assert [revision for revision, _ in revisions] == list(range(1, len(revisions) + 1))
    return {key: revisions[-1][1] for key, revisions in told.items()}


@settings(deadline=None, max_examples=10)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 240), st.sampled_from(["sample", "look", "restart"]), st.sampled_from(["anna", "bert"])
        ),
        min_size=3,
        max_size=25,
    )
)
def test_whatever_comes_when_the_last_told_holds_all_there_is(events: list[tuple[int, str, str]]) -> None:
    with TemporaryDirectory() as folder:
        received, stored = asyncio.run(told_of(events, Path(folder)))
    assert len({one.id for one in received}) == len(received)
    hours, minutes = defaultdict(list), defaultdict(list)
    for one in received:
        if isinstance(one.message, HourMessage):
            hour = round(one.message.start - START) // 3600
            hours[str(one.person), hour].append((one.message.revision, one.message.channels[Channel.HEART_RATE].n))
        if isinstance(one.message, MinutesMessage):
            for row in one.message.rows():
                minutes[str(one.person), row.minute].append((row.revision, row.figures.n))
    assert newest(hours) == dict(stored)
    by_hour: Counts = Counter()
    for (person, minute), n in newest(minutes).items():
        by_hour[person, (minute - int(START) // 60) // 60] += n
    assert by_hour == stored
