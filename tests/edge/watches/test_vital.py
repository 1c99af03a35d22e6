"""Rules about vital signs on their whole way: packets, pipeline, store, and a daemon that was killed between."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.bluetooth.link import LinkState, LinkStatus
from edge.bluetooth.radio import Radio
from edge.household.household import Household
from edge.notices import Alert, AlertState
from edge.readings import Channel, Reading
from edge.recorder import Recorder
from edge.settings.home import PersonSettings, Settings
from edge.store.store import Batch, Store
from tests.fakes.clock import ManualClock
from tests.fakes.packets import STRAP, strap_packets

START = 1_800_000_000.0
SLOW_MS = 60_000.0 / 35.0


@dataclass
class Told:
    alerts: list[Alert] = field(default_factory=list)


def home_of(rules: list[dict[str, Any]] | None = None) -> Settings:
    person = {"id": "anna", "contacts": ["phone"], "wearables": [{"address": STRAP}], "rules": rules or []}
    return Settings.model_validate({"people": [person], "contacts": [{"id": "phone", "url": "json://127.0.0.1:9"}]})


@asynccontextmanager
async def household(path: Path, clock: ManualClock, told: Told, settings: Settings) -> AsyncIterator[Household]:
    """A household without models and radio; what its rules say is stored, as the daemon does."""
    with Store(path) as store, ThreadPoolExecutor(max_workers=1) as inference:
        recorder = Recorder(store, clock=clock, interval_s=6.0)

        async def say(_: PersonSettings, alert: Alert) -> None:
            told.alerts.append(alert)
            await recorder.say(alert, (), ())

        home = Household(
            [],
            store,
            recorder,
            clock=clock,
            radio=Radio(clock=clock),
            chance=random.Random(1),
            inference=inference,
            say=say,
            silence_limit_s=30.0,
        )
        await home.move_in(settings)
        running = [asyncio.create_task(pipeline.run()) for pipeline in home.pipelines]
        try:
            yield home
        finally:
            await home.settled()
            for task in running:
                task.cancel()
            await recorder.close()


async def wear(home: Household, clock: ManualClock, minutes: int, rr_ms: float) -> None:
    """A strap on somebody whose heart beats evenly."""
    (pipeline,) = home.pipelines
    pipeline.link_changed(STRAP, LinkStatus(LinkState.STREAMING, clock.wall()))
    beats = [rr_ms] * round(minutes * 60_000.0 / rr_ms)
    for packet in strap_packets(beats, start=clock.wall()):
        await clock.advance(max(0.0, packet.received_at - clock.wall()))
        pipeline.receive(packet)
    await home.settled()


async def test_a_slow_heart_is_told_once_however_often_the_daemon_is_killed(tmp_path: Path) -> None:
    clock, told = ManualClock(START), Told()
    for _ in range(5):
        async with household(tmp_path / "hearthbeat.db", clock, told, home_of()) as home:
            await wear(home, clock, 4, SLOW_MS)
    (raised,) = told.alerts
    assert (raised.kind, raised.state, raised.person) == ("heart_rate_low", AlertState.RAISED, "anna")
    async with household(tmp_path / "hearthbeat.db", clock, told, home_of()) as home:
        assert home.pipelines[0].vitals.is_fresh("heart_rate_low", clock.wall())
        await wear(home, clock, 12, 800.0)
        assert not home.pipelines[0].vitals.is_fresh("heart_rate_low", clock.wall() + 600.0)
    assert [alert.state for alert in told.alerts] == [AlertState.RAISED, AlertState.CLEARED]


async def test_what_was_stored_before_a_kill_is_told_after_it(tmp_path: Path) -> None:
    clock, told = ManualClock(START), Told()
    warm = Reading("anna", STRAP, Channel.TEMPERATURE, "°C", START - 300.0, START - 300.0, (39.2,))
    with Store(tmp_path / "hearthbeat.db") as store:
        store.commit(Batch(readings=[warm]))
    for _ in range(2):
        async with household(tmp_path / "hearthbeat.db", clock, told, home_of()):
            pass
    assert [(alert.kind, alert.opened_at) for alert in told.alerts] == [("temperature_high", START - 300.0)]


async def test_a_rule_that_is_switched_off_ends_its_episode_by_reload_and_by_restart(tmp_path: Path) -> None:
    off = home_of([{"name": "temperature_high", "on": False}])
    for by_reload in (True, False):
        path = tmp_path / f"{by_reload}.db"
        clock, told = ManualClock(START), Told()
        with Store(path) as store:
            warm = Reading("anna", STRAP, Channel.TEMPERATURE, "°C", START - 60.0, START - 60.0, (39.2,))
            store.commit(Batch(readings=[warm]))
        async with household(path, clock, told, home_of()) as home:
            await home.settled()
            if by_reload:
                await home.take_on(off)
        if not by_reload:
            async with household(path, clock, told, off):
                pass
        assert [alert.state for alert in told.alerts] == [AlertState.RAISED, AlertState.CLEARED]
        with Store(path) as store:
            assert store.alerts.open_alerts() == []
