"""Group commits, and what a full disk may and may not do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from edge.notices import Alert, AlertState, Notification, OutboxMessage, Priority, Severity
from edge.readings import Assessment, Channel, Explanation, Memory, Quality, Reading, Risk
from edge.recorder import MOST_RAW_WAITING, MOST_WAITING, Recorder
from edge.store.store import Store
from tests.fakes.clock import ManualClock

START = 1_800_000_000.0


def rr(at: float, *values: float) -> Reading:
    return Reading("anna", "strap", Channel.RR_INTERVAL, "ms", at, at, values, Quality.GOOD)


def alert() -> Alert:
    return Alert(
        id="episode",
        person="anna",
        kind="atrial_fibrillation",
        severity=Severity.WARNING,
        state=AlertState.RAISED,
        since=START - 300,
        opened_at=START,
        cleared_at=None,
        explanation=Explanation("irregular"),
    )


def notification() -> Notification:
    return Notification("told-anna", "episode", "phone", "title", "body", Severity.WARNING, START)


def message(identifier: str = "message") -> OutboxMessage:
    return OutboxMessage(identifier, "hearthbeat/v1/home/anna/alert", b"{}", Priority.ALERT, START)


@asynccontextmanager
async def recording(path: Path) -> AsyncIterator[tuple[Recorder, Store, ManualClock]]:
    clock = ManualClock(START)
    with Store(path / "hearthbeat.db") as store:
        recorder = Recorder(store, clock=clock, interval_s=6.0)
        try:
            yield recorder, store, clock
        finally:
            await recorder.close()


def stored(store: Store) -> int:
    return len(store.signals.series("anna", Channel.RR_INTERVAL, 0, START + 100).values)


def fill_disk(store: Store) -> None:
    (pages,) = store._connection.rows("PRAGMA page_count")[0]
    store._connection.rows(f"PRAGMA max_page_count = {pages}")


def free_disk(store: Store) -> None:
    store._connection.rows("PRAGMA max_page_count = 1073741823")


async def test_signals_are_committed_every_interval(tmp_path: Path) -> None:
    async with recording(tmp_path) as (recorder, store, clock):
        running = asyncio.create_task(recorder.run())
        recorder.keep([rr(START, 800.0)], [])
        await clock.advance(0.0)
        await recorder.call(lambda: None)
        assert stored(store) == 1, "the first sample is stored at once"
        recorder.keep([rr(START + 1, 810.0)], [])
        await clock.advance(5.9)
        assert stored(store) == 1
        await clock.advance(0.2)
        await recorder.call(lambda: None)
        assert stored(store) == 2
        running.cancel()


async def test_commit_that_is_cancelled_before_its_turn_loses_nothing(tmp_path: Path) -> None:
    async with recording(tmp_path) as (recorder, store, _):
        free = threading.Event()
        busy = asyncio.create_task(recorder.call(free.wait))
        recorder.keep([rr(START, 800.0)], [])
        committing = asyncio.create_task(recorder.commit())
        await asyncio.sleep(0)
        committing.cancel()
        await asyncio.gather(committing, return_exceptions=True)
        free.set()
        await busy
        await recorder.call(lambda: None)
        assert stored(store) == 1


async def test_a_full_disk_loses_nothing_and_leaves_nobody_untold(tmp_path: Path) -> None:
    async with recording(tmp_path) as (recorder, store, clock):
        fill_disk(store)
        for second in range(2000):
            recorder.keep([rr(START + second, 800.0)], [])
        await recorder.say(alert(), [notification()], [message()])
        assert "disk is full" in str(recorder.fault)
        (due,) = await recorder.due_notifications(clock.wall())
        assert due.notification == notification()
        await recorder.mark_sending(due.notification.id, clock.wall())
        await recorder.mark_sent([due.notification.id], clock.wall())
        assert await recorder.due_notifications(clock.wall()) == []
        free_disk(store)
        await recorder.commit()
        assert recorder.fault is None, "it is mended"
        assert [a.id for a in store.alerts.open_alerts()] == ["episode"]
        assert store.outbox.outbox_depth() == 1
        assert await recorder.due_notifications(clock.wall()) == []
        assert len(store.signals.series("anna", Channel.RR_INTERVAL, 0, START + 9999).values) == 2000


async def test_a_phone_that_fails_while_the_disk_is_full_is_tried_again_later(tmp_path: Path) -> None:
    async with recording(tmp_path) as (recorder, store, clock):
        fill_disk(store)
        recorder.keep([rr(START + second, 800.0) for second in range(2000)], [])
        await recorder.say(alert(), [notification()], [])
        await recorder.mark_failed(["told-anna"], clock.wall() + 60, "no network")

        async def due_at(moment: float) -> list[bool]:
            return [one.is_due for one in await recorder.due_notifications(moment)]

        assert await due_at(clock.wall()) == [False]
        assert await due_at(clock.wall() + 61) == [True]
        assert await due_at(clock.wall() - 3600) == [True], "the clock was set back"
        await recorder.make_due(["phone"], clock.wall())
        assert await due_at(clock.wall()) == [True], "the network is back"
        free_disk(store)


async def test_what_a_wearable_has_sent_is_remembered_with_its_readings_and_never_before(tmp_path: Path) -> None:
    async with recording(tmp_path) as (recorder, store, _clock):
        fill_disk(store)
        readings = [rr(START + second, 800.0) for second in range(2000)]
        recorder.keep(readings, [], [Memory("meter", "glucose_meter", {"record": 7.0})])
        await recorder.commit()
        assert store.memories.of("meter") == {}
        committing = asyncio.create_task(recorder.commit())
        await asyncio.sleep(0)
        recorder.keep([], [], [Memory("meter", "glucose_meter", {"record": 8.0})])
        await committing
        free_disk(store)
        await recorder.commit()
        assert store.memories.of("meter") == {"glucose_meter": {"record": 8.0}}
        assert stored(store) > 0


async def test_memories_are_kept_apart_and_replaced_whole(tmp_path: Path) -> None:
    async with recording(tmp_path) as (recorder, store, _clock):
        recorder.keep([], [], [Memory("a", "p", {"x": 1.0, "y": 2.0}), Memory("b", "p", {"x": 3.0})])
        await recorder.commit()
        recorder.keep([], [], [Memory("a", "p", {"x": 4.0}), Memory("a", "q", {})])
        await recorder.commit()
        assert store.memories.of("a") == {"p": {"x": 4.0}, "q": {}}
        assert store.memories.of("b") == {"p": {"x": 3.0}}


async def test_a_reading_that_cannot_be_stored_holds_nothing_else_up(tmp_path: Path) -> None:
    async with recording(tmp_path) as (recorder, store, _clock):
        recorder.keep([rr(START, 800.0), rr(START + 1, float("nan")), rr(START + 2, 810.0)], [])
        await recorder.commit()
        assert (recorder.fault, recorder.dropped_readings, recorder.unstorable_readings) == (None, 0, 1)
        assert stored(store) == 2


async def test_pain_22_while_the_disk_is_full_acceleration_goes_before_beats(tmp_path: Path) -> None:
    async with recording(tmp_path) as (recorder, store, _clock):
        recorder.keep([rr(START, 800.0)], [])
        values = tuple(float(n) for n in range(3000))
        for number in range(MOST_RAW_WAITING // 3000 + 50):
            at = START + 20.0 * number
            recorder.keep([Reading("anna", "strap", Channel.ACCELERATION, "mg", at, at, values, interval_s=0.02)], [])
        assert recorder.dropped_readings in (51, 52)
        await recorder.commit()
        assert stored(store) == 1
        times = store.signals.series("anna", Channel.ACCELERATION, 0.0, START + 1e6).times
        assert times[0] == START + 20.0 * recorder.dropped_readings
        assert len(times) == (MOST_RAW_WAITING // 3000 + 50 - recorder.dropped_readings) * 1000


async def test_pain_22_weeks_of_a_full_disk_take_no_more_memory(tmp_path: Path) -> None:
    async with recording(tmp_path) as (recorder, store, _clock):
        times = [START + 15.0 * number for number in range(MOST_WAITING + 10)]
        recorder.keep([], [Assessment("anna", Risk.FALL, at, at + 15.0, 0.1, None, "1.0", 1.0) for at in times])
        await recorder.commit()
        kept = store.assessments.recent_assessments("anna", Risk.FALL, 2 * MOST_WAITING)
        assert len(kept) == MOST_WAITING
        assert kept[-1].start == START + 150.0, "the oldest go first"
