"""One scanner that never gives up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakError,
)
from structlog.testing import capture_logs

from edge.bluetooth.radio import Radio
from edge.bluetooth.scanner import CALM_S, LONGEST_SILENCE_S, PASSIVE_S, PROOF_S, SILENCE_S, Scanner
from edge.bluetooth.trouble import RadioState
from tests.fakes.clock import ManualClock, settle
from tests.fakes.scanning import HandScanner

STRAP = "C0:DE:00:00:00:01"
IN_PROGRESS = BleakDBusError("org.bluez.Error.InProgress", ["Operation already in progress"])
OFF = BleakBluetoothNotAvailableError("no powered adapter", BleakBluetoothNotAvailableReason.POWERED_OFF)


@asynccontextmanager
async def scanning(backend: type[HandScanner], clock: ManualClock) -> AsyncIterator[Scanner]:
    scanner = Scanner(Radio(scanner_backend=backend), clock, random.Random(1))
    running = asyncio.create_task(scanner.run())
    await settle()
    yield scanner
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not backend.running, "the scan must be stopped when the daemon ends"


async def test_advertisement_wakes_who_waits_for_it_and_nobody_else() -> None:
    class Air(HandScanner): ...

    async with scanning(Air, ManualClock()) as scanner:
        waiting = asyncio.create_task(scanner.seen(STRAP.lower()))
        other = asyncio.create_task(scanner.seen("C0:DE:00:00:00:02"))
        await settle()
        Air.advertise(STRAP)
        assert (await waiting).address == STRAP
        assert not other.done()
        other.cancel()


async def test_device_that_is_returned_is_fresh() -> None:
    class Air(HandScanner): ...

    async with scanning(Air, ManualClock()) as scanner:
        Air.advertise(STRAP)
        waiting = asyncio.create_task(scanner.seen(STRAP))
        await settle()
        assert not waiting.done(), "an advertisement of the past is no sign of life"
        Air.advertise(STRAP)
        await waiting


async def test_wearable_that_was_there_all_the_time_has_not_come_back() -> None:
    class Air(HandScanner): ...

    clock = ManualClock()
    async with scanning(Air, clock) as scanner:
        first = asyncio.create_task(scanner.seen(STRAP, absent_for=10.0))
        await settle()
        Air.advertise(STRAP)
        await first
        back = asyncio.create_task(scanner.seen(STRAP, absent_for=10.0))
        for _ in range(5):
            await clock.advance(4.0)
            Air.advertise(STRAP)
            await settle()
        assert not back.done()
        await clock.advance(11.0)
        Air.advertise(STRAP)
        await back


@pytest.mark.parametrize("fault", [IN_PROGRESS, OFF, EOFError(), FileNotFoundError("no bus"), TimeoutError()])
async def test_pain_03_scan_that_cannot_start_is_tried_until_it_can_and_warned_of_once(fault: Exception) -> None:
    class Air(HandScanner): ...

    Air.failures += [fault] * 6
    clock = ManualClock()
    with capture_logs() as logs:
        async with scanning(Air, clock) as scanner:
            assert type(fault).__name__ in (scanner.fault or "")
            await clock.advance(5.0)
            assert len(Air.starts) < 6, "not in a tight loop"
            await clock.advance(60.0)
            waiting = asyncio.create_task(scanner.seen(STRAP))
            await settle()
            Air.advertise(STRAP)
            await waiting
            assert not scanner.fault
    assert [entry["event"] for entry in logs].count("scan_failed") > 1
    assert [entry["log_level"] for entry in logs if entry["event"] == "scan_failed"].count("warning") == 1


async def test_pain_05_scan_that_died_without_a_word_is_started_anew_for_who_waits() -> None:
    class Air(HandScanner): ...

    clock = ManualClock()
    async with scanning(Air, clock) as scanner:
        Air.advertise("C0:DE:00:00:00:02")
        waiting = asyncio.create_task(scanner.seen(STRAP))
        await clock.advance(SILENCE_S - 1.0)
        assert Air.starts == ["passive"]
        await clock.advance(2.0)
        assert Air.starts == ["passive", "active"]
        Air.advertise(STRAP)
        await waiting


async def test_silence_in_an_empty_room_starts_ever_fewer_scans() -> None:
    class Air(HandScanner): ...

    clock = ManualClock()
    async with scanning(Air, clock) as scanner:
        waiting = asyncio.create_task(scanner.seen(STRAP))
        await clock.advance(3600.0)
        assert 3600.0 / LONGEST_SILENCE_S < len(Air.starts) < 3600.0 / LONGEST_SILENCE_S + 5
        waiting.cancel()


async def test_one_long_scan_serves_while_somebody_advertises() -> None:
    class Air(HandScanner): ...

    clock = ManualClock()
    async with scanning(Air, clock) as scanner:
        waiting = asyncio.create_task(scanner.seen(STRAP))
        for _ in range(100):
            await clock.advance(SILENCE_S - 1.0)
            Air.advertise("C0:DE:00:00:00:02")
        assert Air.starts == ["passive", "active"]
        waiting.cancel()


async def test_silence_harms_nobody_while_nobody_waits() -> None:
    class Air(HandScanner): ...

    clock = ManualClock()
    async with scanning(Air, clock):
        await clock.advance(3600.0)
        assert len(Air.starts) == 1


async def test_passive_scan_that_never_told_of_anybody_is_not_tried_again() -> None:
    class Air(HandScanner): ...

    clock = ManualClock()
    async with scanning(Air, clock) as scanner:
        waiting = asyncio.create_task(scanner.seen(STRAP))
        await clock.advance(PROOF_S + 1.0)
        assert Air.starts == ["passive", "active"]
        Air.advertise(STRAP)
        await waiting
        await clock.advance(2 * CALM_S)
        assert Air.starts == ["passive", "active"]


async def test_wearable_that_is_heard_only_when_asked_is_asked_at_once_from_then_on() -> None:
    class Air(HandScanner): ...

    clock = ManualClock()
    async with scanning(Air, clock) as scanner:
        first = asyncio.create_task(scanner.seen(STRAP))
        while Air.starts[-1] == "passive":
            Air.advertise("C0:DE:00:00:00:02")
            await clock.advance(1.0)
        Air.advertise(STRAP)
        await first
        assert Air.starts == ["passive", "active"]
        await clock.advance(CALM_S + 1.0)
        assert Air.starts[2:] == ["passive"]
        again = asyncio.create_task(scanner.seen(STRAP))
        await clock.advance(PASSIVE_S / 2.0)
        assert Air.starts[3] == "active"
        again.cancel()


async def test_scan_that_cannot_be_passive_is_active_without_being_a_fault() -> None:
    class Air(HandScanner): ...

    Air.failures.append(BleakError("passive scanning on Linux requires BlueZ >= 5.56 with --experimental enabled"))
    async with scanning(Air, ManualClock()) as scanner:
        assert Air.starts == ["passive", "active"]
        assert scanner.status.state is RadioState.WORKS


async def test_status_keeps_since_when_while_the_reason_changes() -> None:
    class Air(HandScanner): ...

    Air.failures += [EOFError(), FileNotFoundError("no bus"), FileNotFoundError("no bus"), OFF, OFF]
    clock = ManualClock()
    async with scanning(Air, clock) as scanner:
        states = [scanner.status]
        for _ in range(120):
            await clock.advance(0.5)
            if scanner.status != states[-1]:
                states.append(scanner.status)
        assert [status.state for status in states] == [
            RadioState.UNREACHABLE,
            RadioState.UNREACHABLE,  # with another reason
            RadioState.OFF,
            RadioState.WORKS,
        ]
        assert states[0].since == states[1].since < states[2].since < states[3].since
        assert "no bus" in (states[1].why or "")
        assert scanner.fault is None
