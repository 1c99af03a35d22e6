"""Tells a story to the daemon itself, packet by packet, and writes down what people were told.

Time and chance are the story's own; threads do their work at once, where they are called, so that a story has one
timeline and no other. There is no radio: packets come to where links bring them. A phone takes everything, unless the
story switches it off.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Self

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from edge import daemon as daemon_module
from edge.bluetooth.link import LinkState, LinkStatus, Packet
from edge.bluetooth.radio import Radio
from edge.daemon import Daemon
from edge.notices import Alert
from edge.notify.phone import Delivery, Host, Message, PhoneChannel
from edge.readings import Reading
from edge.running.status import STORE_NAME
from edge.running.supervision import ServiceManager
from edge.settings.home import Settings
from edge.store.store import Store
from tests.fakes.clock import ManualClock

# A day in winter at half past nine, wherever this machine is: by day, and before the night's verdict is told.
START: Final = datetime(2026, 11, 25, 9, 30).timestamp()  # noqa: DTZ001  the machine's own zone is meant
_STEP_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that happens at a time of the story, in seconds since START, beside the packets."""

    at: float
    does: Callable[[Teller], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class Story:
    """Who lives in a home, what their wearables send, and what happens: packets by wearable, each in order of time.

    Times of packets are seconds since 1970. The story ends `lasts_s` after START.
    """

    settings: dict[str, Any]
    packets: tuple[Iterable[Packet | Reading], ...]
    deeds: tuple[Deed, ...] = ()
    lasts_s: float = 3600.0


_Happening = Packet | Reading | Deed


def _at_once(_: ThreadPoolExecutor, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
    """ThreadPoolExecutor.submit, in the thread that asks for it."""
    done: Future[Any] = Future()
    try:
        done.set_result(function(*arguments, **named))
    except Exception as error:  # noqa: BLE001 -- it belongs to whoever waits for the work
        done.set_exception(error)
    return done


class _NoRadio(Radio):
    """An adapter that works and hears nobody."""

    def scanner(self, *_: Any, **__: Any) -> Any:
        return self

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def release(self, address: str) -> None:
        pass

    async def reset(self) -> None:
        pass


class _Phones:
    """The phones of a story, in place of the process that speaks to channels."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def send(self, channel: PhoneChannel, message: Message) -> Delivery:
        """Take a message; the channel's URL ends with the id of whose phone it is."""
        return self._teller.phone_shows(channel.url.rpartition("/")[2], message)

    async def reaches(self, _: Host) -> bool:
        """Nothing is known of any host."""
        return False

    async def keep_ready(self) -> None:
        """There is nothing to start."""
        await asyncio.Event().wait()


@dataclass
class Teller:
    """Tells one story; `lines` is its timeline afterwards."""

    story: Story
    folder: Path
    clock: ManualClock = field(default_factory=lambda: ManualClock(wall=START))
    phones_off: set[str] = field(default_factory=set)
    lines: list[str] = field(default_factory=list)
    episodes: list[Alert] = field(default_factory=list)

    @property
    def store_path(self) -> Path:
        return self.folder / STORE_NAME

    async def tell(self) -> None:
        """From the beginning to the end."""
        await self.wakes()
        for at, happening in _in_order(self.story):
            await self._until(at)
            if isinstance(happening, Deed):
                done = happening.does(self)
                if done is not None:
                    await done
            else:
                self.brings(happening)
                await self.daemon.settled()
        await self._until(self.story.lasts_s)
        await self.sleeps()
        self.lines.sort()  # which of two phones is told first within a second is no matter
        self._write_episodes()

    async def wakes(self) -> None:
        """The daemon starts."""
        settings = Settings.model_validate({"home": {"state_directory": self.folder}, **self.story.settings})
        self.daemon = Daemon(
            settings, clock=self.clock, radio=_NoRadio(), manager=ServiceManager({}), chance=random.Random(1)
        )
        self._connected: set[str] = set()
        self._running = asyncio.create_task(self.daemon.run())
        while not self.daemon.started.is_set():
            await self.clock.advance(0.0)

    async def sleeps(self) -> None:
        """The daemon ends in order."""
        self.daemon.stop()
        while not self._running.done():
            await self.clock.advance(0.1)
        await self._running

    async def restarts(self) -> None:
        """The daemon ends, and half a minute later another one goes on."""
        await self.sleeps()
        await self.clock.advance(30.0)
        await self.wakes()

    def leaves(self, address: str) -> None:
        """A wearable goes out of reach."""
        self._connected.discard(address)
        self._owner(address).link_changed(address, LinkStatus(LinkState.SEARCHING, self.clock.wall()))

    async def answers(self, do: str, kind: str, **more: Any) -> None:
        """Somebody answers the open alert of a kind."""
        (alert,) = [one for one in self.daemon._attending.open_alerts if one.kind == kind]
        await self.daemon._attending.answer({"do": do, "alert": alert.id, **more})

    def phone_shows(self, contact: str, message: Message) -> Delivery:
        """A message on a phone, unless that is off."""
        if contact in self.phones_off:
            return Delivery(accepted=False, reason="it is off")
        self.lines.append(f"{self._now()}  {contact} is told: {message.title} [{message.severity}]")
        return Delivery(accepted=True)

    def brings(self, packet: Packet | Reading) -> None:
        """A link brings a packet, or what a stream's packets have held."""
        address = packet.address if isinstance(packet, Packet) else packet.device
        pipeline = self._owner(address)
        if address not in self._connected:
            self._connected.add(address)
            pipeline.link_changed(address, LinkStatus(LinkState.STREAMING, self.clock.wall()))
        if isinstance(packet, Packet):
            pipeline.receive(packet)
        else:
            pipeline._take(pipeline.wearables[address], [packet])

    def _owner(self, address: str) -> Any:
        return next(pipeline for pipeline in self.daemon.pipelines if address in pipeline.wearables)

    async def _until(self, at: float) -> None:
        while self.clock.monotonic() < at:
            await self.clock.advance(min(_STEP_S, at - self.clock.monotonic()))
            await self.daemon.settled()

    def _now(self) -> str:
        seconds = int(self.clock.monotonic())
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"

    def _write_episodes(self) -> None:
        with Store(self.store_path) as store:
            self.episodes = store.alerts.alerts(1000)[::-1]
            for alert in self.episodes:
                opened, cleared = alert.opened_at - START, (alert.cleared_at or 0.0) - START
                end = "open" if alert.cleared_at is None else f"over after {cleared - opened:.0f} s"
                whose = alert.person or "the house"
                self.lines.append(f"episode of {whose}: {alert.kind}, {alert.severity}, at {opened:.0f} s, {end}")


def _in_order(story: Story) -> Iterator[tuple[float, _Happening]]:
    def timed(some: Iterable[Packet | Reading]) -> Iterator[tuple[float, _Happening]]:
        return ((packet.received_at - START, packet) for packet in some)

    deeds: list[tuple[float, _Happening]] = [(deed.at, deed) for deed in sorted(story.deeds, key=attrgetter("at"))]
    return heapq.merge(deeds, *map(timed, story.packets), key=lambda one: one[0])


@asynccontextmanager
async def telling(story: Story, folder: Path) -> AsyncIterator[Teller]:
    """A Teller in whose process threads do their work at once, and phones take what the Courier brings."""
    with pytest.MonkeyPatch.context() as patch:
        teller = Teller(story, folder)
        patch.setattr(ThreadPoolExecutor, "submit", _at_once)
        # What has a time of day goes by the machine's clock, which is not the story's.
        patch.setattr(AsyncIOScheduler, "start", lambda _: None)
        patch.setattr(AsyncIOScheduler, "shutdown", lambda _, **__: None)
        patch.setattr(daemon_module, "SendingProcess", lambda: _Phones(teller))
        yield teller


async def timeline(story: Story, folder: Path) -> str:
    """What people were told in a story, a line each, and the episodes behind it."""
    async with telling(story, folder) as teller:
        await teller.tell()
    return "\n".join(teller.lines) + "\n"
