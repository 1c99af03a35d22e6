"""A home in which all but the wearable is real: what the strap has sent, what is stored, and whether data flow."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge.clock import SystemClock
from edge.virtual.rhythm import sinus
from edge.virtual.strap import VirtualStrap
from tests.system.air import Air
from tests.system.disk import Disk
from tests.system.machine import Machine

PERSON: Final = "parent"
TICKS_PER_SECOND: Final = 1024
# Far above what reconnecting takes, the watchdog's 30 s and a start of Python under emulation included.
PATIENCE_S: Final = 600.0
# A strap sends every second; a status that is a few seconds on its way shows them as the age of what was read last.
_FRESH_S: Final = 15.0
# The machine takes the time from its emulated clock when it boots, which tells whole seconds.
_CLOCKS_DIFFER_S: Final = 2.0

# Prints every stored RR interval as [time, ms, quality], after a look through the whole file. As the daemon's own user:
# root would make files that the daemon cannot write.
_READ_STORE: Final = f"""
import json
from pathlib import Path
from edge.readings import Channel
from edge.store.store import Store
with Store(Path("/var/lib/hearthbeat/hearthbeat.db")) as store:
    store.check()
    series = store.signals.series({PERSON!r}, Channel.RR_INTERVAL, 0.0, 4e9)
print(json.dumps([series.times.tolist(), series.values.tolist(), series.quality.tolist()]))
"""

Beat = tuple[float, float, int]


@dataclass(slots=True)
class Home:
    """A strap whose heart beats, the air, and the machine."""

    machine: Machine
    air: Air
    strap: VirtualStrap

    async def stored(self) -> list[Beat]:
        """Every RR interval that the machine's store has committed: the beat's time, ms and quality."""
        user = ("runuser", "--user", "hearthbeat", "--")
        columns = json.loads(await self.machine.run(*user, "/opt/hearthbeat/bin/python", "-c", _READ_STORE))
        return list(zip(*columns, strict=True))

    async def flows_again(self, before: list[Beat]) -> dict[str, Any]:
        """Wait until beats from now on are stored again; all that was committed `before` must still be there.

        Returns the status in which the strap is heard.
        """
        began = time.time() + _CLOCKS_DIFFER_S
        async with asyncio.timeout(PATIENCE_S):
            await self.strap.subscribed.wait()
            while not is_heard(status := await self.machine.status()):
                pass
            while not (now := await self.stored()) or now[-1][0] < began:
                pass
        assert now[: len(before)] == before
        return status

    async def unheard(self) -> None:
        """Wait until nobody listens to the strap."""
        async with asyncio.timeout(PATIENCE_S):
            while self.strap.subscribed.is_set():  # noqa: ASYNC110 -- the strap has an event for the opposite only
                await asyncio.sleep(0.1)

    def sent(self, since: float, until: float) -> list[int]:
        """The ticks (1/1024 s) of every RR interval that has left the strap in packets between two wall-clock times."""
        packets = (packet for packet in self.strap.sent if since <= packet.at <= until)
        return [ticks for packet in packets for ticks in packet.measurement.rr_ticks]


def is_heard(status: dict[str, Any]) -> bool:
    """Whether a status says that the strap is connected and that a reading has just arrived."""
    (strap,) = status["people"][0]["wearables"]
    age = strap["reading_age_s"]
    return strap["link"] == "streaming" and age is not None and age < _FRESH_S


def ticks_of(beats: list[Beat]) -> list[int]:
    """Stored RR intervals in the unit in which a strap sends them."""
    return [round(ms * TICKS_PER_SECOND / 1000.0) for _, ms, _ in beats]


def holds(whole: list[int], part: list[int]) -> bool:
    """Whether `part` stands in `whole`, in one piece."""
    return any(whole[at : at + len(part)] == part for at in range(len(whole) - len(part) + 1))


@asynccontextmanager
async def living_in(folder: Path, factory: Disk) -> AsyncIterator[Home]:
    """A Home in `folder`, its machine booted."""
    machine = Machine(factory, folder)
    async with Air() as air:
        strap = VirtualStrap(air, SystemClock())
        await strap.start()
        heart = asyncio.create_task(strap.play(sinus(1e6, bpm=62.0, chance=random.Random(1))))
        try:
            await machine.switch_on()
            await air.plug_in(machine.radio)
            await machine.booted()
            yield Home(machine, air, strap)
        finally:
            heart.cancel()
            with suppress(asyncio.CancelledError):
                await heart
            await air.pull_out()
            await machine.scrap()
