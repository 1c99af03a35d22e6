"""The people of a home and their links, made from the settings."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final

from edge.alerts.episodes import look_back
from edge.bluetooth.link import Link
from edge.bluetooth.radio import Radio
from edge.bluetooth.scanner import Scanner
from edge.clock import Clock
from edge.pipeline import SERIES, Pipeline, RiskWatch, stored_windows, watch_risk
from edge.readings import Alert, Window
from edge.recorder import Recorder
from edge.risks.model import RiskModel
from edge.settings import PersonSettings
from edge.store.store import Store
from edge.wearables import PROFILES

# A stored Assessment this far ahead of now, in seconds, was stamped by a clock that has been set back. Our choice.
AHEAD_S: Final = 120.0


class Household:
    """Everybody's pipeline and every wearable's link.

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
    ) -> None:
        self._models = models
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._radio = radio
        self._chance = chance
        self._inference = inference
        self._say = say
        self._silence_limit_s = silence_limit_s
        self.scanner = Scanner(radio, clock, chance)
        self.pipelines: list[Pipeline] = []

    async def move_in(self, people: Sequence[PersonSettings]) -> None:
        """Make everybody's pipeline, going on where the daemon stopped before. Raises StoreError."""
        self.pipelines = [await self._pipeline(person) for person in people]

    async def _pipeline(self, person: PersonSettings) -> Pipeline:
        watches = [await self._watch(person.id, model) for model in self._models]

        async def say(alert: Alert) -> None:
            await self._say(person, alert)

        call, store = self._recorder.call, self._store
        pipeline = Pipeline(
            person,
            watches,
            clock=self._clock,
            inference=self._inference,
            keep=self._recorder.keep,
            say=say,
            memories={
                wearable.address: await call(store.memories.of, wearable.address) for wearable in person.wearables
            },
        )
        for watch in watches:
            pipeline.resume(watch, await self._stored_windows(watch, person))
        for wearable in pipeline.wearables.values():
            last = await call(store.signals.last_readings, person.id, wearable.source.device)
            wearable.remember(last.values())
        return pipeline

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
        if channel not in SERIES or not person.wearables:
            return []
        now = self._clock.wall()
        since = now - watch.model.policy.maximum_span_s if watch.last is None else watch.last.start
        series = await self._recorder.call(self._store.signals.series, watch.person, channel, since, now)
        stored = {person.wearables[0].address: (series.times, series.values, series.quality)}
        return stored_windows(watch, person, stored)

    def listen(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Start the scanner and every link."""
        links = [self._link(pipeline, address) for pipeline in self.pipelines for address in pipeline.wearables]
        listening = [group.create_task(self.scanner.run(), name="scanner")]
        return listening + [group.create_task(link.run(), name="link") for link in links]

    def _link(self, pipeline: Pipeline, address: str) -> Link:
        return Link(
            address,
            PROFILES,
            self.scanner,
            self._radio,
            self._clock,
            on_packet=pipeline.receive,
            on_state=partial(pipeline.link_changed, address),
            openings=partial(pipeline.openings, address),
            chance=self._chance,
            silence_limit_s=self._silence_limit_s,
        )
