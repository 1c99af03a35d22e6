"""The people of a home, the devices that they share, and all their links, as the settings say; they come and go."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final

import structlog

from edge.afar.model_trial import Trial
from edge.alerts.episodes import look_back
from edge.bluetooth.link import Link, LinkState, LinkStatus
from edge.bluetooth.radio import Radio
from edge.bluetooth.scanner import Scanner
from edge.clock import Clock
from edge.errors import StoreError
from edge.household.shared import Questions, SharedDevice
from edge.household.wearable import Memories, Wearable, wearable_of
from edge.notices import Alert
from edge.notify.languages import ENGLISH
from edge.pipeline import Pipeline
from edge.readings import NOBODY, Channel, Risk, Source, Window
from edge.recorder import Recorder
from edge.risks.model import RiskModel
from edge.settings.home import PersonSettings, Settings, SharedSettings, WearableSettings
from edge.store.store import Store
from edge.watches.risk import SERIES, RiskWatch, series_span, stored_windows, watch_risk
from edge.watches.vital import newly_stored, watch_vitals
from edge.wearables import PROFILES

# A stored Assessment this far ahead of now, in seconds, was stamped by a clock that has been set back. Our choice.
AHEAD_S: Final = 120.0

_Member = Pipeline | SharedDevice

_log = structlog.get_logger("household")


def residents(settings: Settings) -> list[PersonSettings]:
    """The people of a home; a shared device that only one of them uses is one more wearable of theirs."""
    alone: dict[str, list[WearableSettings]] = {}
    for device in settings.shared:
        users = _users(device, settings)
        if len(users) == 1:
            alone.setdefault(users[0], []).append(WearableSettings(address=device.address, name=device.name))
    return [
        person.model_copy(update={"wearables": [*person.wearables, *alone.get(person.id, [])]})
        for person in settings.people
    ]


def communal(settings: Settings) -> list[SharedSettings]:
    """The devices that more than one person uses, each with its users' ids."""
    devices = (device.model_copy(update={"people": _users(device, settings)}) for device in settings.shared)
    return [device for device in devices if len(device.people) > 1]


def _users(device: SharedSettings, settings: Settings) -> list[str]:
    return list(dict.fromkeys(device.people)) or [person.id for person in settings.people]


class Household:
    """Everybody's pipeline, every shared device, and every link.

    `say` tells an Alert of a person; `silence_limit_s` is each Link's.
    """

    def __init__(
        self,
        models: Sequence[RiskModel],
        store: Store,
        recorder: Recorder,
        *,
        clock: Clock,
        radio: Radio,
        chance: random.Random,
        inference: Executor,
        say: Callable[[PersonSettings, Alert], Awaitable[None]],
        silence_limit_s: float,
        trials: Mapping[Risk, Trial] | None = None,
    ) -> None:
        self._models = list(models)
        self._trials = dict(trials or {})
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._radio = radio
        self._chance = chance
        self._inference = inference
        self._say = say
        self._silence_limit_s = silence_limit_s
        self._languages: dict[str, str] = {}
        self._questions = Questions(
            store,
            recorder,
            lambda: [pipeline.person for pipeline in self.pipelines],
            lambda contact: self._languages.get(contact, ENGLISH),
        )
        self._group: asyncio.TaskGroup | None = None
        self._links: dict[str, asyncio.Task[None]] = {}
        self._working: dict[_Member, asyncio.Task[None]] = {}
        self.scanner = Scanner(radio, clock, chance)
        self.pipelines: list[Pipeline] = []
        self.shared: list[SharedDevice] = []

    async def take_model(self, model: RiskModel, trial: Trial | None) -> None:
        """Let another model of its risk count from now on, for everybody, and be tried or not; all else goes on."""
        risk = model.manifest.risk
        self._models = [model if one.manifest.risk is risk else one for one in self._models]
        if trial is None:
            self._trials.pop(risk, None)
        else:
            self._trials[risk] = trial
        loop = asyncio.get_running_loop()
        for pipeline in self.pipelines:
            for watch in pipeline.watches:
                if watch.risk is risk:
                    await loop.run_in_executor(self._inference, watch.take_on, model, trial)

    async def move_in(self, settings: Settings) -> None:
        """Make everybody's pipeline, going on where the daemon stopped before. Raises StoreError."""
        self._languages = {contact.id: contact.language for contact in settings.contacts}
        self.pipelines = [await self._pipeline(person) for person in residents(settings)]
        self.shared = [await self._shared(device) for device in communal(settings)]

    def start(self, group: asyncio.TaskGroup) -> None:
        """Start all that listens and works, as tasks of `group`."""
        self._group = group
        self._scanning = group.create_task(self.scanner.run(), name="scanner")
        self._start_new(group)

    async def stop(self) -> None:
        """Close every link, and end when all that the links have brought is assessed, or asked about."""
        await _end([self._scanning, *self._links.values()])
        self._links.clear()
        for address, owner in self._owners().items():
            owner.link_changed(address, LinkStatus(LinkState.LOST, self._clock.wall()))
        for one in self._members():
            await self._finish(one)

    async def settled(self) -> None:
        """Wait until every Window that the links have brought is assessed."""
        for pipeline in self.pipelines:
            await pipeline.settled()

    async def catch_up(self) -> None:
        """Look at what has become somebody's since the last look: what a shared device measured, and they claimed."""
        for pipeline in self.pipelines if self.shared else ():
            try:
                alerts = await newly_stored(pipeline.vitals, self._store, self._recorder, self._clock.wall())
            except StoreError as error:
                _log.warning("what was claimed is not looked at yet", person=pipeline.person.id, error=str(error))
            else:
                pipeline.tell(alerts)

    def order(self, person: str, channel: Channel) -> tuple[str, ...]:
        """A person's wearables in the order of preference for a channel; none where nobody is so called."""
        found = (pipeline.sources.order(channel) for pipeline in self.pipelines if pipeline.person.id == person)
        return next(found, ())

    def wearables(self) -> dict[str, list[Wearable]]:
        """Everybody's wearables by the person's id, and those that several people use under NOBODY."""
        worn = {pipeline.person.id: list(pipeline.wearables.values()) for pipeline in self.pipelines}
        return worn | {NOBODY: [device.wearable for device in self.shared]}

    async def take_on(self, settings: Settings) -> None:
        """Take other settings while all goes on; who and what stays notices nothing.

        Raises StoreError, and goes on with those who were there before.
        """
        try:
            await self._change(settings)
        finally:
            if self._group is not None:
                self._start_new(self._group)

    async def _change(self, settings: Settings) -> None:
        self._languages = {contact.id: contact.language for contact in settings.contacts}
        people = {person.id: person for person in residents(settings)}
        devices = {device.address: device for device in communal(settings)}
        wanted: dict[str, str] = {w.address: person.id for person in people.values() for w in person.wearables}
        wanted.update(dict.fromkeys(devices, NOBODY))
        for address, owner in self._owners().items():
            if wanted.get(address) != (owner.person.id if isinstance(owner, Pipeline) else NOBODY):
                await self._close(address, owner)
        pipelines = [await self._changed(person) for person in people.values()]
        shared = [await self._same_or_new(device) for device in devices.values()]
        gone = [one for one in self._members() if one not in pipelines and one not in shared]
        self.pipelines, self.shared = pipelines, shared
        for one in gone:
            await self._finish(one)

    async def _changed(self, person: PersonSettings) -> Pipeline:
        for pipeline in self.pipelines:
            if pipeline.person.id == person.id:
                if pipeline.person != person:
                    pipeline.take_on(person, await self._memories(w.address for w in person.wearables))
                return pipeline
        return await self._pipeline(person)

    async def _same_or_new(self, settings: SharedSettings) -> SharedDevice:
        for device in self.shared:
            if device.address == settings.address:
                device.people, device.wearable.name = tuple(settings.people), settings.name
                return device
        return await self._shared(settings)

    def _start_new(self, group: asyncio.TaskGroup) -> None:
        for one in self._members():
            if one not in self._working:
                self._working[one] = group.create_task(one.run(), name=type(one).__name__.lower())
        for address, owner in self._owners().items():
            if address not in self._links:
                self._links[address] = group.create_task(self._link(address, owner).run(), name="link")

    async def _close(self, address: str, owner: _Member) -> None:
        """End a link; what was held back comes out, and what is known of the wearable goes to whoever has it next."""
        link = self._links.pop(address, None)
        if link is not None:
            await _end([link])
        owner.link_changed(address, LinkStatus(LinkState.LOST, self._clock.wall()))
        if isinstance(owner, SharedDevice):
            await owner.settled()
        await self._recorder.commit()

    async def _finish(self, one: _Member) -> None:
        await one.settled()
        working = self._working.pop(one, None)
        if working is not None:
            await _end([working])

    def _members(self) -> list[_Member]:
        return [*self.pipelines, *self.shared]

    def _owners(self) -> Mapping[str, _Member]:
        """By address, who gets what a wearable tells."""
        owners: dict[str, _Member] = {
            address: pipeline for pipeline in self.pipelines for address in pipeline.wearables
        }
        owners.update((device.address, device) for device in self.shared)
        return owners

    async def _pipeline(self, person: PersonSettings) -> Pipeline:
        watches = [await self._watch(person.id, model) for model in self._models]
        for watch in watches:
            watch.trial = self._trials.get(watch.risk)
        vitals, overdue = await watch_vitals(person, self._store, self._recorder, self._clock.wall())

        async def say(alert: Alert) -> None:
            await self._say(pipeline.person, alert)

        pipeline = Pipeline(
            person,
            watches,
            clock=self._clock,
            inference=self._inference,
            keep=self._recorder.keep,
            say=say,
            memories=await self._memories(wearable.address for wearable in person.wearables),
            vitals=vitals,
        )
        pipeline.tell(overdue)
        for watch in watches:
            pipeline.resume(watch, await self._stored_windows(watch, person))
        call, last_readings = self._recorder.call, self._store.signals.last_readings
        for wearable in pipeline.wearables.values():
            wearable.remember((await call(last_readings, person.id, wearable.source.device)).values())
        return pipeline

    async def _shared(self, device: SharedSettings) -> SharedDevice:
        wearable = wearable_of(Source(NOBODY, device.address), device.name, await self._memories([device.address]))
        return SharedDevice(wearable, device.people, clock=self._clock, ask=self._questions.ask)

    async def _memories(self, addresses: Iterable[str]) -> Memories:
        return {address: await self._recorder.call(self._store.memories.of, address) for address in addresses}

    async def _watch(self, person: str, model: RiskModel) -> RiskWatch:
        """One risk of one person, going on where the daemon stopped before."""
        call, store = self._recorder.call, self._store
        risk = model.manifest.risk
        newest_first = await call(store.assessments.recent_assessments, person, risk, look_back(model.policy.n))
        newest = await call(store.alerts.newest_alert, person, risk)
        # What lies ahead was stamped before the clock was set back, and would keep all that comes now from counting.
        ahead = self._clock.wall() + AHEAD_S
        past = [assessment for assessment in reversed(newest_first) if assessment.end <= ahead]
        return watch_risk(person, model, past=past, newest_alert=newest)

    async def _stored_windows(self, watch: RiskWatch, person: PersonSettings) -> list[Window]:
        """What was stored since the last stored Assessment's Window began, or lately where there is none."""
        channel = watch.model.channel
        if channel not in SERIES:
            return []
        since, until = series_span(watch, self._clock.wall())
        call, signals, stored = self._recorder.call, self._store.signals, {}
        for device in await call(signals.devices, person.id, channel, since):
            series = await call(signals.series, person.id, channel, since, until, device)
            stored[device] = (series.times, series.values, series.quality)
        return stored_windows(watch, person, stored)

    def _link(self, address: str, owner: _Member) -> Link:
        return Link(
            address,
            PROFILES,
            self.scanner,
            self._radio,
            self._clock,
            on_packet=owner.receive,
            on_state=partial(owner.link_changed, address),
            openings=partial(owner.openings, address),
            chance=self._chance,
            silence_limit_s=self._silence_limit_s,
        )


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
