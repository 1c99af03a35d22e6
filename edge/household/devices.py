"""What the commands `devices …` do with the radio: hear who is there, meet a wearable, forget its bond.

The daemon does it for them while it runs, with its own scanner and adapter, so that no two processes quarrel over them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing, suppress
from dataclasses import asdict
from typing import Any, Final, TypeVar

from bleak.backends.device import BLEDevice
from bleak.exc import BleakDeviceNotFoundError

from edge.bluetooth.link import Link, LinkState, LinkStatus, Packet
from edge.bluetooth.radio import Radio
from edge.bluetooth.scanner import Scanner, Sighting
from edge.bluetooth.trouble import RADIO_ERRORS, reason
from edge.clock import Clock
from edge.errors import HearthbeatError, WrongUseError
from edge.household.wearable import Wearable, wearable_of
from edge.readings import CHANNELS, NOBODY, Channel, Reading, Source
from edge.wearables import PROFILES
from edge.wearables.procedure import Procedure

# Seconds of the clock, our choice. A wearable that wants to be found advertises every few seconds, and tells its name
# when it is asked; connecting takes a few more, and some tries on a busy radio; a strap tells its first value within
# two, a cuff only when it has measured.
SEEK_S: Final = 30.0
NAME_S: Final = 5.0
CONNECT_S: Final = 60.0
FIRST_VALUE_S: Final = 10.0
# Our choice: so many connections that broke are no mishap any more.
MOST_FAILURES: Final = 3
LONGEST_SCAN_S: Final = 600.0
# Our choice: as much of a name as a line has room for.
LONGEST_NAME: Final = 40

# Profiles that say nothing of a person.
_ABOUT_ITSELF: Final = frozenset({"battery", "device_information", "current_time"})
_STEPS: Final[Mapping[LinkState, str]] = {
    LinkState.CONNECTING: "connecting",
    LinkState.QUEUED: "waiting for a free connection",
    LinkState.SUBSCRIBING: "connected; seeing what it measures, and pairing if it asks",
    LinkState.STREAMING: "waiting for the first value",
}

Words = Mapping[str, Any]
_T = TypeVar("_T")


def profiles_of(services: Collection[str]) -> list[str]:
    """The names of the profiles among advertised services, those of the wearable itself left out."""
    return [p.name for p in PROFILES if p.service in services and p.name not in _ABOUT_ITSELF]


def _fields(sighting: Sighting) -> dict[str, Any]:
    return {
        **asdict(sighting),
        "address": sighting.address.upper(),
        "name": _printable(sighting.name),
        "profiles": profiles_of(sighting.services),
    }


def _printable(name: str | None) -> str:
    """A name as it can be shown: whoever advertises chooses it."""
    return "".join(letter for letter in name or "" if letter.isprintable()).strip()[:LONGEST_NAME]


class Devices:
    """Answers what is asked of the radio; `scanner` must be running."""

    def __init__(self, scanner: Scanner, radio: Radio, clock: Clock, chance: random.Random) -> None:
        self._scanner = scanner
        self._radio = radio
        self._clock = clock
        self._chance = chance

    async def answer(self, request: Words) -> AsyncGenerator[Words, None]:
        """What comes of a request, as it comes; raises HearthbeatError where nothing can."""
        match request:
            case {"do": "scan", "seconds": int() | float() as seconds} if 0.0 < seconds <= LONGEST_SCAN_S:
                answers = self.scan(float(seconds))
            case {"do": "scan", "seconds": int() | float() as seconds}:
                mend = f"give up to {LONGEST_SCAN_S:.0f}"
                raise WrongUseError(f"nobody scans for {seconds:g} s", where="--seconds", mend=mend)
            case {"do": "meet", "address": str() as address}:
                answers = self.meet(address)
            case {"do": "forget", "address": str() as address}:
                answers = self.forget(address)
            case _:
                raise WrongUseError("that is no request", where="the daemon", mend="use the hearthbeat command")
        async with aclosing(answers) as telling:
            async for words in telling:
                yield words

    async def scan(self, seconds: float) -> AsyncGenerator[Words, None]:
        """{"sighting": …} for each device when it is first heard, when more is known of it, and at the end."""
        heard: asyncio.Queue[Sighting] = asyncio.Queue()
        known: dict[str, Sighting] = {}
        with self._scanner.hear(lambda _device, sighting: heard.put_nowait(sighting)):
            ends = asyncio.ensure_future(self._clock.sleep(seconds))
            try:
                async for sighting in _until(ends, heard):
                    before = known.get(sighting.address)
                    known[sighting.address] = sighting
                    if before is None or (before.name, before.services) != (sighting.name, sighting.services):
                        yield {"sighting": _fields(sighting)}
            finally:
                ends.cancel()
        for sighting in known.values():  # with the newest signal
            yield {"sighting": _fields(sighting)}
        if not known and self._scanner.fault is not None:
            raise HearthbeatError(self._scanner.fault, where="Bluetooth", mend=self._scanner.status.mend or "try again")

    async def meet(self, address: str) -> AsyncGenerator[Words, None]:
        """Find a wearable, connect, pair if it must be, and hear its first value.

        Tells each {"step": …}; at the end {"met": …} with its lasting address, name, profiles and first value.
        """
        yield {"step": "looking for it"}
        device, sighting = await self._seek(address)
        name = _printable(sighting.name)
        yield {"step": f"found {name or sighting.address}, signal {sighting.rssi} dBm"}
        if sighting.rotates:
            yield {"step": "pairing, since it changes its address"}
            address = await self._radio.pair(device)
        meeting = _Meeting(address, self._scanner, self._radio, self._clock, self._chance)
        async with aclosing(meeting.steps()) as steps:
            async for step in steps:
                yield {"step": step}
        yield {"met": {"address": address.upper(), "name": name, **meeting.found()}}

    async def forget(self, address: str) -> AsyncGenerator[Words, None]:
        """Remove a wearable's bond: {"forgotten": whether there was one, "why": why nobody knows}."""
        try:
            await self._radio.forget(address.upper())
        except BleakDeviceNotFoundError:
            yield {"forgotten": False, "why": None}
        except RADIO_ERRORS as error:
            yield {"forgotten": False, "why": reason(error)}
        else:
            yield {"forgotten": True, "why": None}

    async def _seek(self, address: str) -> tuple[BLEDevice, Sighting]:
        """Its next advertisement, one with a name if there is one; HearthbeatError where there is none in time."""
        heard: asyncio.Queue[tuple[BLEDevice, Sighting]] = asyncio.Queue()
        with self._scanner.hear(lambda device, sighting: heard.put_nowait((device, sighting))):
            found = await self._first(heard, SEEK_S, lambda sighting: sighting.address.upper() == address.upper())
            if found is not None and not found[1].name:
                address = found[1].address
                named = await self._first(heard, NAME_S, lambda s: bool(s.name) and s.address == address)
                found = named or found
        if found is not None:
            return found
        fault = self._scanner.fault
        raise HearthbeatError(
            fault or f"it has not advertised for {SEEK_S:.0f} s",
            where=address,
            mend=(self._scanner.status.mend if fault else None)
            or "put it on or wake it up, near the adapter, and disconnect it from other phones",
        )

    async def _first(
        self, heard: asyncio.Queue[tuple[BLEDevice, Sighting]], seconds: float, is_wanted: Callable[[Sighting], bool]
    ) -> tuple[BLEDevice, Sighting] | None:
        ends = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            async for device, sighting in _until(ends, heard):
                if is_wanted(sighting):
                    return device, sighting
        finally:
            ends.cancel()
        return None


class _Meeting:
    """A link that lasts until the first value."""

    def __init__(self, address: str, scanner: Scanner, radio: Radio, clock: Clock, chance: random.Random) -> None:
        self._address = address.upper()
        self._clock = clock
        self._wearable: Wearable = wearable_of(Source(NOBODY, self._address), "")
        self._present: frozenset[str] = frozenset()
        self._first: Reading | None = None
        self._events: asyncio.Queue[LinkStatus | Packet] = asyncio.Queue()
        self._link = Link(
            self._address,
            PROFILES,
            scanner,
            radio,
            clock,
            on_packet=self._events.put_nowait,
            on_state=self._events.put_nowait,
            chance=chance,
            openings=self._openings,
        )

    async def steps(self) -> AsyncGenerator[str, None]:
        """What happens, until a value has come or none seems to come; HearthbeatError where there is no connection."""
        running = asyncio.ensure_future(self._link.run())
        ends = asyncio.ensure_future(self._clock.sleep(CONNECT_S))
        why, failures = "it does not answer", 0
        try:
            async for event in _until(ends, self._events):
                if isinstance(event, Packet):
                    if self._hears(event):
                        return
                    continue
                if event.state in _STEPS:
                    yield _STEPS[event.state]
                if event.state is LinkState.STREAMING:
                    if event.why:
                        yield event.why
                    ends.cancel()
                    async with aclosing(self._until_first_value()) as rest:
                        async for late in rest:
                            yield late
                    return
                if event.state is LinkState.LOST:
                    why, failures = event.why or why, failures + 1
                    if failures == MOST_FAILURES:
                        break
        finally:
            ends.cancel()
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
        raise HearthbeatError(
            why, where=self._address, mend="bring it nearer, disconnect it from other phones, and try again"
        )

    async def _until_first_value(self) -> AsyncGenerator[str, None]:
        ends = asyncio.ensure_future(self._clock.sleep(FIRST_VALUE_S))
        try:
            async for event in _until(ends, self._events):
                if isinstance(event, Packet):
                    if self._hears(event):
                        return
                elif event.state is LinkState.LOST:
                    yield f"the connection was lost: {event.why}"
        finally:
            ends.cancel()

    def found(self) -> dict[str, Any]:
        """What is known of the wearable now."""
        measures = [
            profile.name
            for profile in PROFILES
            if profile.name not in _ABOUT_ITSELF and self._present.intersection(profile.notify)
        ]
        first = self._first
        return {
            "profiles": measures,
            "battery_percent": self._wearable.battery_percent,
            "worn": self._wearable.worn,
            "value": None
            if first is None
            else {
                "channel": first.channel.value,
                "value": round(first.values[-1], 1),
                "unit": CHANNELS[first.channel].unit,
            },
        }

    def _hears(self, packet: Packet) -> bool:
        """Take a packet; whether something of a person has been measured."""
        readings = self._wearable.hear(packet)
        self._wearable.remember(readings)
        told = [one for one in readings if one.values and one.channel is not Channel.BATTERY]
        if self._first is None and told:
            # Beside the heart rate, RR intervals say nothing to a reader.
            self._first = next((one for one in told if one.channel is Channel.HEART_RATE), told[0])
        return self._first is not None and bool(self._present)

    def _openings(self, present: Collection[str]) -> list[Procedure]:
        """What must be asked so that something streams; stored records are left for whom they belong to."""
        self._present = frozenset(present)
        sessions = ((profile, self._wearable.sessions[profile.name]) for profile in PROFILES if profile.turn > 1)
        opened = (session.opening(self._clock.wall(), present) for _, session in sessions)
        return [procedure for procedure in opened if procedure is not None]


async def _until(ends: asyncio.Future[None], queue: asyncio.Queue[_T]) -> AsyncGenerator[_T, None]:
    """What comes out of a queue until `ends` is done."""
    while True:
        waiting = asyncio.ensure_future(queue.get())
        await asyncio.wait((waiting, ends), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            return
        yield waiting.result()
