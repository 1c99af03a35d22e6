"""Homes whose Bluetooth can be harmed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from edge.clock import AcceleratedClock
from tests.fakes.broker import mosquitto, subscriber
from tests.fakes.home import VirtualHome, virtual_home

__all__ = ["clock", "home", "mosquitto", "subscriber"]


@pytest.fixture
def clock() -> AcceleratedClock:
    """Sixty times as fast as life: a silence of 30 s, or a pause of a minute, takes no longer than a second."""
    return AcceleratedClock(60.0)


@pytest.fixture
async def home(clock: AcceleratedClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[VirtualHome]:
    """Four straps behind an emulated bluetoothd, on what this process takes for the system's bus."""
    async with virtual_home(clock, straps=4) as found:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", found.bus.address)
        yield found
