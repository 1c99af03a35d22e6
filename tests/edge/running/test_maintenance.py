"""The nightly work, beside a daemon that goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.readings import Channel, Reading
from edge.recorder import Recorder
from edge.running.maintenance import BACKUP_NAME, SECONDS_PER_DAY, Maintenance
from edge.store.connection import PAGE_SIZE
from edge.store.store import Store
from tests.edge.store.samples import START, rr
from tests.fakes.clock import ManualClock

NOW = START + 30 * SECONDS_PER_DAY


@asynccontextmanager
async def home(folder: Path) -> AsyncIterator[tuple[Maintenance, Recorder, Store]]:
    """A store that a maintenance with 90 and 7 days looks after."""
    clock = ManualClock(NOW)
    with Store(folder / "hearthbeat.db") as store:
        recorder = Recorder(store, clock=clock, interval_s=6.0)
        yield Maintenance(store, recorder, clock, 90, 7), recorder, store
        await recorder.close()


def moved(at: float) -> list[Reading]:
    """Twenty minutes of acceleration that cannot be compressed much."""
    values = tuple(float((n * n * 7919) % 4001) for n in range(3 * 60_000))
    return [Reading("anna", "AA", Channel.ACCELERATION, "mg", at, at, values, interval_s=0.02)]


async def test_raw_channels_go_after_a_week_and_their_room_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.running.maintenance.PAGES_AT_A_TIME", 100)
    async with home(tmp_path) as (maintenance, recorder, store):
        for days in (20, 15, 10, 1):
            at = NOW - days * SECONDS_PER_DAY
            recorder.keep([*moved(at), rr(at, 900)], [])
            await recorder.commit()
        await recorder.call(store.maintain)
        before = store.path.stat().st_size
        await maintenance.run()
        assert maintenance.fault is None
        times = store.signals.series("anna", Channel.ACCELERATION, 0.0, NOW).times
        assert times[0] == NOW - SECONDS_PER_DAY
        assert store.signals.series("anna", Channel.RR_INTERVAL, 0.0, NOW).times.size == 4
        assert before > 1000 * PAGE_SIZE, "it took several times"
        assert store.path.stat().st_size < 0.4 * before
        with Store(tmp_path / BACKUP_NAME) as backup:
            assert backup.signals.series("anna", Channel.RR_INTERVAL, 0.0, NOW).times.size == 4


async def test_pain_24_a_backup_that_takes_long_keeps_no_commit_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_end, back_up = threading.Event(), threading.Event(), Store.backup

    def slowly(store: Store, path: Path) -> None:
        begun.set()
        may_end.wait()
        back_up(store, path)

    monkeypatch.setattr(Store, "backup", slowly)
    async with home(tmp_path) as (maintenance, recorder, store):
        running = asyncio.create_task(maintenance.run())
        await asyncio.to_thread(begun.wait)
        recorder.keep([rr(NOW, 900)], [])
        await recorder.commit()
        assert store.signals.series("anna", Channel.RR_INTERVAL, 0.0, NOW + 9.0).times.size == 1
        may_end.set()
        await running
        assert maintenance.fault is None
        assert (tmp_path / BACKUP_NAME).exists()


async def test_a_store_that_is_damaged_is_told_and_no_backup_replaces_a_whole_one(tmp_path: Path) -> None:
    async with home(tmp_path) as (maintenance, recorder, store):
        recorder.keep(moved(NOW - 60.0), [])
        await recorder.commit()
        await maintenance.run()
        whole = (tmp_path / BACKUP_NAME).read_bytes()
        await recorder.call(store.maintain)
        with store.path.open("r+b") as file:
            file.seek(40 * PAGE_SIZE)
            file.write(bytes(range(256)) * 80)
        await maintenance.run()
        assert "damaged" in str(maintenance.fault)
        assert maintenance.tried
        assert (tmp_path / BACKUP_NAME).read_bytes() == whole
