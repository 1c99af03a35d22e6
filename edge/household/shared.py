"""A device that several people use: what it measures waits until somebody says whose it is."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

import numpy as np
import structlog

from edge.bluetooth.link import LinkState, LinkStatus, Packet
from edge.clock import Clock
from edge.errors import StoreError
from edge.household.claims import (
    LOOK_BACK_S,
    MOST_VALUES,
    PATIENCE_S,
    RANKED,
    TOGETHER_S,
    Measurement,
    Past,
    asked,
    claims_of,
    ranked,
)
from edge.household.wearable import Wearable
from edge.notices import Notification, Severity
from edge.notify.languages import ENGLISH
from edge.notify.questions import question_text
from edge.readings import Channel, Claim, Memory, Quality
from edge.recorder import Recorder
from edge.settings.home import PersonSettings
from edge.store.store import Store
from edge.wearables import BY_CHARACTERISTIC
from edge.wearables.procedure import Procedure

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:hearthbeat:question")
_BAD: Final = Quality.OUT_OF_RANGE | Quality.NO_CONTACT

_log = structlog.get_logger("shared")


class SharedDevice:
    """What happens to the packets of one such device.

    Only what is measured once at a time can be claimed: what a worn device streams belongs to nobody, is not kept, and
    is logged once. `ask` takes the measurements, with what must be known after a restart, for the store and the phones,
    and returns once they are stored.
    """

    def __init__(
        self,
        wearable: Wearable,
        people: Sequence[str],
        *,
        clock: Clock,
        ask: Callable[[SharedDevice, Sequence[Claim], Sequence[Memory]], Awaitable[None]],
    ) -> None:
        self.wearable = wearable
        self.people = tuple(people)
        self._clock = clock
        self._ask = ask
        self._measured: list[Measurement] = []
        self._arrived = asyncio.Event()
        self._asking = asyncio.Lock()
        self._streams = False

    @property
    def address(self) -> str:
        """The device's Bluetooth address."""
        return self.wearable.source.device

    def receive(self, packet: Packet) -> None:
        """Take a packet straight from the radio's callback; a malformed one is counted and left out."""
        readings = self.wearable.hear(packet)
        self.wearable.remember(readings)
        profile = BY_CHARACTERISTIC[packet.characteristic]
        measured = tuple(one for one in readings if one.channel is not Channel.BATTERY and one.values)
        if measured and packet.characteristic in profile.streams:
            if not self._streams:
                _log.warning("a shared device streams, which nobody can claim", device=self.address)
            self._streams = True
        elif measured:
            self._measured.append(Measurement(measured, profile.user(packet.characteristic, packet.payload)))
        if self._measured or self.wearable.learnt:
            self._arrived.set()

    def openings(self, _address: str, present: Collection[str]) -> list[Procedure]:
        """What is to be done with the device once it has been connected and subscribed to, one after the other."""
        return self.wearable.openings(self._clock.wall(), present)

    def link_changed(self, _address: str, link: LinkStatus) -> None:
        """Take the link's new state; when it is lost, what was held back comes out."""
        if self.wearable.link is LinkState.STREAMING and link.state is not LinkState.STREAMING:
            self.wearable.losses += 1
            held = tuple(one for one in self.wearable.lost() if one.channel is not Channel.BATTERY and one.values)
            if held:
                self._measured.append(Measurement(held))
                self._arrived.set()
        self.wearable.link = link.state

    async def run(self) -> None:
        """Ask about measurements as they come, until cancelled."""
        while True:
            await self._arrived.wait()
            await self._clock.sleep(TOGETHER_S)
            await self.settled()

    async def settled(self) -> None:
        """Ask about all that has come, and return once it is stored."""
        async with self._asking:
            self._arrived.clear()
            measured, self._measured = self._measured, []
            claims, memories = claims_of(self.address, measured), self.wearable.changed_memories()
            if claims or memories:
                await self._ask(self, claims, memories)


class Questions:
    """Asks the people of a home whose a measurement was; `people` are those who live there now.

    `language` is that of a contact.
    """

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        people: Callable[[], Sequence[PersonSettings]],
        language: Callable[[str], str] = lambda _contact: ENGLISH,
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._people = people
        self._language = language

    async def ask(self, device: SharedDevice, claims: Sequence[Claim], memories: Sequence[Memory]) -> None:
        """Store measurements as nobody's, and ask those who are likely to have measured, each on the own phone."""
        new: list[Claim] = []
        for claim in claims:
            try:
                if await self._recorder.call(self._store.claims.found, claim.id):
                    continue
                past = await self._recorder.call(_past_of, self._store, claim, device.people)
                answers = await self._recorder.call(self._store.claims.answers, claim.device)
            except StoreError as error:
                _log.warning("a measurement is asked about without what was measured before", error=str(error))
                past, answers = {}, []
            new.append(ranked(claim, device.people, past, answers))
            _log.info("whose measurement?", device=claim.device, claim=claim.id, asked=len(asked(new[-1])))
        questions = [question for claim in new for question in self._questions(claim, device.wearable.name)]
        await self._recorder.ask(new, questions, memories)

    def _questions(self, claim: Claim, device_name: str) -> list[Notification]:
        """One for each phone: the person's own, or the first contact where there is none."""
        people = {person.id: person for person in self._people()}
        phones: dict[str, list[tuple[str, str]]] = {}
        for person in (people[candidate] for candidate in asked(claim) if candidate in people):
            phones.setdefault((person.cared_for.own or person.contacts)[0], []).append(
                (person.id, person.name or person.id)
            )
        questions = []
        for contact, candidates in phones.items():
            days = round(PATIENCE_S / 86_400.0)
            text = question_text(claim, device_name, candidates, days, self._language(contact))
            identifier = str(uuid.uuid5(_NAMESPACE, f"{claim.id}/{contact}"))
            questions.append(
                Notification(identifier, claim.id, contact, text.title, text.body, Severity.INFO, claim.received_at)
            )
        return questions


def _past_of(store: Store, claim: Claim, people: Sequence[str]) -> Mapping[str, Mapping[Channel, Past]]:
    """What each has measured before, of the channels by which people can be told apart. Raises StoreError."""
    channels = [reading.channel for reading in claim.readings if reading.channel in RANKED]
    return {person: {channel: _past(store, claim, person, channel) for channel in channels} for person in people}


def _past(store: Store, claim: Claim, person: str, channel: Channel) -> Past:
    series = store.signals.series(person, channel, claim.measured_at - LOOK_BACK_S, claim.measured_at)
    good = np.flatnonzero((series.quality & np.uint8(_BAD)) == 0)[-MOST_VALUES:]
    return Past(series.times[good].tolist(), series.values[good].tolist())
