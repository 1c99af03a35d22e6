"""A link to a wearable that a test moves by hand, through bleak's own API."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import ClassVar

from edge.bluetooth.link import Characteristics, Link, LinkState
from edge.bluetooth.radio import Radio
from edge.bluetooth.scanner import Scanner
from edge.clock import Clock
from edge.wearables.procedure import Procedure
from edge.wearables.profile import Profile
from tests.fakes.clock import ManualClock, settle
from tests.fakes.connecting import HandClient
from tests.fakes.diary import Diary
from tests.fakes.scanning import HandScanner

ADDRESS = "C0:DE:00:00:00:01"
STREAM, OTHER_STREAM, EVENT, READ, CONTROL, SET = (f"0000{n:04x}-0000-1000-8000-00805f9b34fb" for n in range(6))


class Everything(Profile):
    """A profile with one characteristic of each kind; SET is only written to."""

    name: ClassVar[str] = "everything"
    service: ClassVar[str] = "ours"
    notify: ClassVar[tuple[str, ...]] = (STREAM, OTHER_STREAM, EVENT)
    streams: ClassVar[tuple[str, ...]] = (STREAM, OTHER_STREAM)
    read: ClassVar[tuple[str, ...]] = (READ,)
    control: ClassVar[tuple[str, ...]] = (CONTROL,)


class Wearable(HandClient):
    """Subclass it in a test."""

    wearable = {  # noqa: RUF012  a test's own
        "other": {CONTROL: ["write", "indicate"]},
        "ours": {
            STREAM: ["notify"],
            OTHER_STREAM: ["notify"],
            EVENT: ["indicate"],
            READ: ["read"],
            CONTROL: ["write", "indicate"],
            SET: ["write-without-response"],
        },
    }


class Held:
    """A radio, a scanner and one link, all by hand: let the wearable `advertise`."""

    def __init__(
        self,
        air: type[HandScanner],
        wearable: type[HandClient],
        clock: Clock,
        *,
        openings: Callable[[Collection[str]], Iterable[Procedure]] = lambda _: (),
        profiles: Sequence[Characteristics] = (Everything(),),
    ) -> None:
        self._clock = clock
        self.diary = Diary()
        self.air = air
        self.wearable = wearable
        self.radio = Radio(scanner_backend=air, client_backend=wearable, clock=clock)
        self.scanner = Scanner(self.radio, clock, random.Random(1))
        self.link = Link(
            ADDRESS,
            profiles,
            self.scanner,
            self.radio,
            clock,
            self.diary.on_packet,
            self.diary.on_state,
            chance=random.Random(2),
            openings=openings,
        )
        self.tasks = [asyncio.create_task(self.scanner.run()), asyncio.create_task(self.link.run())]

    async def streams(self) -> HandClient:
        """Let it be found, and stream; what the link must wait for takes its time."""
        while self.link.status.state is not LinkState.STREAMING:
            self.air.advertise(ADDRESS)
            await settle()
            if isinstance(self._clock, ManualClock) and self.link.status.state is LinkState.WAITING:
                await self._clock.advance(1.0)
        return self.wearable.up[-1]

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await settle()
        assert not self.wearable.up, "no connection may be left"
        assert asyncio.all_tasks() == {asyncio.current_task()}, "no task may be left"
