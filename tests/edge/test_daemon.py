"""What the daemon does before it can begin, and when it is asked to stop meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest
import structlog

from edge.clock import EARLIEST_TRUE_TIME
from edge.daemon import Daemon
from edge.errors import HearthbeatError
from edge.household.wearable import Memories
from edge.running.supervision import ServiceManager
from edge.settings.home import Settings, WearableSettings
from tests.fakes.clock import ManualClock


class Manager(ServiceManager):
    """A service manager that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__({})
        self.told: list[str] = []

    def _tell(self, line: str) -> None:
        self.told.append(line)


def settings(state: Path) -> Settings:
    return Settings.model_validate(
        {
            "home": {"state_directory": state},
            "people": [{"id": "anna", "contacts": ["phone"], "wearables": [{"address": "C0:DE:00:00:00:01"}]}],
            "contacts": [{"id": "phone", "url": "json://127.0.0.1:9"}],
        }
    )


async def test_pain_23_nothing_is_stamped_before_the_clock_is_set(tmp_path: Path) -> None:
    clock, manager = ManualClock(wall=0.0), Manager()
    daemon = Daemon(settings(tmp_path / "state"), clock=clock, manager=manager)
    running = asyncio.create_task(daemon.run())
    await clock.advance(3600.0)
    assert not (tmp_path / "state").exists()
    assert "READY=1" in manager.told, "a process that waits is no failed start"
    daemon.stop()
    await clock.advance(1.0)
    await running
    assert clock.wall() < EARLIEST_TRUE_TIME


async def test_a_disk_that_refuses_is_told_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    state.write_text("a file where the folder should be")
    clock, manager = ManualClock(), Manager()
    daemon = Daemon(settings(state), clock=clock, manager=manager)
    with structlog.testing.capture_logs() as logs:
        running = asyncio.create_task(daemon.run())
        while not any("state" in line for line in manager.told):
            await clock.advance(0.0)
        for _ in range(5):
            await clock.advance(10.0)
        daemon.stop()
        while not running.done():
            await clock.advance(10.0)
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["the store cannot be opened"]


async def test_status_tells_what_was_lost_and_what_the_night_could_not_do(tmp_path: Path) -> None:
    clock = ManualClock()
    daemon = Daemon(settings(tmp_path / "state"), clock=clock, manager=Manager())
    running = asyncio.create_task(daemon.run())
    while not daemon.started.is_set():
        await clock.advance(0.0)
    assert (await daemon.snapshot())["faults"] == []
    daemon._recorder.dropped_readings = 7
    daemon._maintenance.fault = "the disk is full"
    daemon.pipelines[0].dropped_windows = 3
    faults = (await daemon.snapshot())["faults"]
    assert [
        word for word in ("disk is full", "7 readings", "anna: 3 windows") if not any(word in f for f in faults)
    ] == []
    daemon.stop()
    while not running.done():
        await clock.advance(1.0)
    await running


async def test_a_reload_is_done_whole_whoever_goes_away_or_stops_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, goes_on = settings(tmp_path / "state"), asyncio.Event()
    person = before.people[0]
    after = before.model_copy(
        update={"people": [person.model_copy(update={"wearables": [WearableSettings(address="C0:DE:00:00:00:02")]})]}
    )
    clock = ManualClock()
    daemon = Daemon(before, clock=clock, manager=Manager(), read_settings=lambda: after)
    running = asyncio.create_task(daemon.run())
    while not daemon.started.is_set():
        await clock.advance(0.0)
    remembered = daemon._household._memories

    async def slowly(addresses: Iterable[str]) -> Memories:
        await goes_on.wait()
        return await remembered(addresses)

    monkeypatch.setattr(daemon._household, "_memories", slowly)

    async def ask() -> None:
        async for _ in daemon._answer({"do": "reload"}):
            pass

    asking = asyncio.create_task(ask())
    while "C0:DE:00:00:00:01" in daemon._household._links:
        await clock.advance(0.0)
    asking.cancel()
    daemon.stop()
    for _ in range(50):
        await clock.advance(0.0)
    goes_on.set()
    while not running.done():
        await clock.advance(1.0)
    await running
    assert list(daemon.pipelines[0].wearables) == ["C0:DE:00:00:00:02"]
    with pytest.raises(HearthbeatError):
        await daemon.reload()
