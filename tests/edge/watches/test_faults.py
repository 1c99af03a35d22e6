"""Who is told of which fault, and what a restart remembers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from edge.alerts.limits import DEFAULTS
from edge.daemon import Daemon
from edge.notices import Alert, AlertState, FaultKind, Severity
from edge.readings import Channel, Explanation, Reading
from edge.running.status import STORE_NAME
from edge.running.supervision import ServiceManager
from edge.settings.home import FaultSettings, Settings
from edge.store.store import Batch, Store
from edge.watches.faults import FaultsWatch, _nameless, limits_of
from tests.fakes.clock import ManualClock

# By day, wherever this runs.
LATE_MORNING = datetime(2027, 1, 15, 10, 0).astimezone().timestamp()
ANNAS, BERTS = "C0:DE:00:00:00:01", "C0:DE:00:00:00:02"

CUFF = "C0:DE:00:00:00:03"


def settings(folder: Path, **home: Any) -> Settings:
    contacts = ["annas-phone", "daughter", "berts-phone", "keeper"]
    return Settings.model_validate(
        {
            "home": {"state_directory": folder, **home},
            "people": [
                {
                    "id": "anna",
                    "name": "Anna",
                    "contacts": ["annas-phone", "daughter"],
                    "wearables": [{"address": ANNAS, "name": "strap"}],
                },
                {"id": "bert", "contacts": ["berts-phone"], "wearables": [{"address": BERTS}]},
            ],
            "shared": [{"address": CUFF, "name": "the cuff", "people": ["bert", "anna"]}],
            "contacts": [{"id": contact, "url": "json://127.0.0.1:9"} for contact in contacts],
        }
    )


def fault(kind: FaultKind, subject: str, now: float = 1_800_000_000.0) -> Alert:
    return Alert("f1", "", kind, Severity.WARNING, AlertState.RAISED, now, now, None, Explanation("It fails."), subject)


@asynccontextmanager
async def watching(settings: Settings, clock: ManualClock) -> AsyncIterator[FaultsWatch]:
    daemon = Daemon(settings, clock=clock, manager=ServiceManager({}))
    running = asyncio.create_task(daemon.run())
    while not daemon.started.is_set():
        await clock.advance(0.0)
    yield daemon._faults
    daemon.stop()
    while not running.done():
        await clock.advance(1.0)
    await running


@pytest.mark.parametrize(
    ("kind", "subject", "told"),
    [
        (FaultKind.NO_DATA, ANNAS, ["annas-phone", "daughter"]),
        (FaultKind.NO_DATA, f"{ANNAS},{BERTS}", ["annas-phone", "berts-phone", "daughter"]),
        (FaultKind.BATTERY_LOW, ANNAS, ["annas-phone"]),
        (FaultKind.BLUETOOTH, "bluetooth", ["annas-phone", "berts-phone", "daughter"]),
        (FaultKind.DISK_FULL, "disk", ["annas-phone", "berts-phone"]),
    ],
)
async def test_without_a_keeper_the_first_contacts_look_after_the_house(
    tmp_path: Path, kind: FaultKind, subject: str, told: list[str]
) -> None:
    async with watching(settings(tmp_path), ManualClock()) as faults:
        assert faults.audience(fault(kind, subject)) == told


async def test_a_keeper_is_told_of_everything_and_others_of_what_blinds(tmp_path: Path) -> None:
    async with watching(settings(tmp_path, contacts=["keeper"]), ManualClock()) as faults:
        assert faults.audience(fault(FaultKind.BATTERY_LOW, ANNAS)) == ["keeper"]
        assert faults.audience(fault(FaultKind.NO_DATA, BERTS)) == ["keeper", "berts-phone"]


async def test_a_shared_cuff_with_a_low_battery_is_told_to_those_who_use_it(tmp_path: Path) -> None:
    clock = ManualClock(wall=LATE_MORNING)
    async with watching(settings(tmp_path), clock) as faults:
        faults._household.shared[0].wearable.battery_percent = 4.0
        while not (low := [one for one in faults.open_alerts if one.kind == FaultKind.BATTERY_LOW]):
            await clock.advance(30.0)
        (told,) = [one for one in faults.snapshot() if one["kind"] == "battery_low"]
        assert (told["what"], told["person"]) == ("the cuff", None)
        assert sorted(faults.audience(low[0])) == ["annas-phone", "berts-phone"]


async def test_a_missing_adapter_is_critical_where_falls_go_unseen(tmp_path: Path) -> None:
    clock = ManualClock(wall=LATE_MORNING)
    async with watching(settings(tmp_path), clock) as faults:
        bert, at = faults._household.pipelines[1], clock.wall()
        resting = Reading("bert", BERTS, Channel.ACCELERATION, "mg", at, at, (0.0, 0.0, 1000.0), interval_s=0.02)
        bert._take(bert.wearables[BERTS], [resting])
        while not (deaf := [one for one in faults.open_alerts if one.kind == FaultKind.BLUETOOTH]):
            await clock.advance(30.0)
        assert deaf[0].severity is Severity.CRITICAL


async def test_whoever_cannot_be_told_is_not_told_so(tmp_path: Path) -> None:
    async with watching(settings(tmp_path), ManualClock()) as faults:
        faults._outcomes = lambda: {"annas-phone": "no network", "daughter": None}
        assert faults.audience(fault(FaultKind.CONTACT, "annas-phone")) == ["berts-phone"]


async def test_pain_14_a_stored_fault_is_open_after_a_start_and_told_by_its_familys_names(tmp_path: Path) -> None:
    clock = ManualClock()
    stored = fault(FaultKind.NO_DATA, f"{ANNAS},{BERTS}", clock.wall())
    with Store(tmp_path / STORE_NAME) as store:
        store.commit(Batch(alerts=[stored]))
    async with watching(settings(tmp_path), clock) as faults:
        assert faults.open_alerts == [stored]
        (told,) = faults.snapshot()
        assert told["what"] == f"Anna's strap and bert's wearable {BERTS}"
        assert told["subjects"] == [ANNAS, BERTS]


async def test_a_fault_of_what_is_no_longer_in_the_settings_is_closed_untold(tmp_path: Path) -> None:
    clock = ManualClock()
    gone = fault(FaultKind.NO_DATA, "C0:DE:00:00:00:99", clock.wall())
    with Store(tmp_path / STORE_NAME) as store:
        store.commit(Batch(alerts=[gone, replace(fault(FaultKind.CONTACT, "aunt", clock.wall()), id="f2")]))
    async with watching(settings(tmp_path), clock) as faults:
        with Store(tmp_path / STORE_NAME) as store:
            while faults.open_alerts or store.alerts.open_alerts():
                await clock.advance(30.0)
    with Store(tmp_path / STORE_NAME) as store:
        assert [alert.state for alert in store.alerts.alerts(10)] == [AlertState.CLEARED] * 2
        assert store.notifications.unsent_notifications() == 0


@pytest.mark.parametrize("address", ["C0:DE:00:00:00:01", "dev_C0_DE_00_00_00_01"])
def test_no_address_leaves_the_house_with_a_links_complaint(address: str) -> None:
    assert "00_01" not in _nameless(f"BleakError: {address} failed").replace(":", "_")


def test_settings_change_what_they_name_and_leave_the_rest() -> None:
    assert limits_of(FaultSettings()) == DEFAULTS
    changed = limits_of(FaultSettings(no_data_min={Channel.GLUCOSE: 15.0, Channel.HEART_RATE: 0.0}, not_worn_h=0.0))
    assert changed.no_data_s[Channel.GLUCOSE] == 900.0
    assert changed.no_data_s[Channel.HEART_RATE] == 0.0
    assert changed.no_data_s[Channel.RR_INTERVAL] == DEFAULTS.no_data_s[Channel.RR_INTERVAL]
    assert changed.not_worn_s == 0.0
