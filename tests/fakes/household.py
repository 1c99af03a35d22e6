"""A household with virtual wearables and the daemon itself, in one process and on one clock that may be hurried."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from edge.bluetooth.radio import Radio
from edge.daemon import Daemon
from edge.readings import Channel
from edge.running import status
from edge.settings.home import Settings
from edge.store.signals import Series
from edge.store.store import Store
from edge.virtual.phone import VirtualPhone
from edge.virtual.radio import VirtualRadio
from edge.virtual.time import VirtualClock
from edge.virtual.wearable import VirtualWearable

# While wearables are searched for and connected to, which takes as long as it takes; and while nothing happens but
# what is due.
PACE, HURRY = 20.0, 5_000.0
# Some day at ten, wherever this machine is: most faults are not told at night.
LATE_MORNING: Final = datetime(2026, 11, 25, 10).timestamp()  # noqa: DTZ001  the machine's own zone is meant


@dataclass
class VirtualHousehold:
    """Put wearables into `radio`, let the daemon `live` with them, and read afterwards what it has stored.

    Risks are watched only `with_models`, since these take their time. The daemon reaches the wearables by bumble, or
    `over_bluez`: through bleak's own backend and the emulated bluetoothd on what this process takes for the system bus.
    `faults` are everybody's settings of that name.
    """

    folder: Path
    radio: VirtualRadio
    clock: VirtualClock
    phone: str = "json://127.0.0.1:9"
    with_models: bool = False
    over_bluez: bool = False
    faults: Mapping[str, object] = field(default_factory=dict)

    @asynccontextmanager
    async def living(self, *worn: VirtualWearable, **people: Iterable[VirtualWearable]) -> AsyncIterator[Daemon]:
        """The daemon, from its start to its orderly end; all is worn by `anna`, unless more `people` are named."""
        settings = self._settings({"anna": worn, **people})
        scanner, client = (None, None) if self.over_bluez else (self.radio.scanner_backend, self.radio.client_backend)
        radio = Radio(scanner_backend=scanner, client_backend=client, clock=self.clock)
        daemon = Daemon(settings, clock=self.clock, radio=radio, chance=random.Random(1))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(daemon.run())
            await daemon.started.wait()
            try:
                yield daemon
            finally:
                daemon.stop()
                await running

    async def passes(self, seconds: float, speed: float = HURRY) -> None:
        """Let time pass quickly; nobody should have to connect meanwhile."""
        before, self.clock.speed = self.clock.speed, speed
        await self.clock.sleep(seconds)
        self.clock.speed = before

    async def until(self, so: Callable[[], bool]) -> None:
        """Let time pass until it is so."""
        while not so():
            await self.clock.sleep(0.5)

    def series(self, channel: Channel, person: str = "anna") -> Series:
        """All that is stored of a channel."""
        with Store(self.folder / "state" / status.STORE_NAME) as store:
            return store.signals.series(person, channel, 0.0, 1e11)

    def samples(self, channel: Channel, person: str = "anna") -> list[tuple[float, float]]:
        """The same as (time, value)."""
        found = self.series(channel, person)
        return list(zip(found.times.tolist(), found.values.tolist(), strict=True))

    def _settings(self, people: dict[str, Iterable[VirtualWearable]]) -> Settings:
        models = None if self.with_models else self.folder / "models"
        if models is not None:
            models.mkdir(exist_ok=True)
        return Settings.model_validate(
            {
                "home": {"state_directory": self.folder / "state", "models_directory": models},
                "people": [
                    {
                        "id": person,
                        "contacts": ["phone"],
                        "faults": self.faults,
                        "wearables": [{"address": twin.address, "name": twin.name} for twin in worn],
                    }
                    for person, worn in people.items()
                ],
                "contacts": [{"id": "phone", "url": self.phone, "daily_word": "never"}],
            }
        )


@asynccontextmanager
async def virtual_household(folder: Path) -> AsyncIterator[VirtualHousehold]:
    """A household whose time passes for as long as it is open, from a late morning on, and with a phone."""
    clock = VirtualClock(speed=PACE, start=LATE_MORNING)
    async with VirtualPhone() as phone, VirtualRadio() as radio:
        passing = asyncio.create_task(clock.run())
        try:
            yield VirtualHousehold(folder, radio, clock, phone.url)
        finally:
            passing.cancel()
            await asyncio.gather(passing, return_exceptions=True)
