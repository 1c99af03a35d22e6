"""One person's way of a heartbeat: packet, Readings, Windows, Assessments, Alerts.

Everything up to the Window happens in the callback that brings the packet and takes microseconds; the model runs in a
worker thread, so that inference never holds up the radio.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, Final, Protocol

import structlog

from edge.alerts.thresholds import Thresholds
from edge.bluetooth.link import LinkState, LinkStatus, Packet
from edge.clock import Clock
from edge.household.sources import Sources
from edge.household.wearable import NO_MEMORIES, Memories, Wearable, wearables_of
from edge.notices import Alert
from edge.readings import Assessment, Channel, Memory, Reading, Window
from edge.settings.home import PersonSettings
from edge.settings.rules import rules_of
from edge.watches.risk import RiskWatch, is_past
from edge.wearables.procedure import Procedure

# Windows wait here while the model is busy; one comes every 15 s or so, and a model takes a millisecond.
WAITING_WINDOWS: Final = 256

_log = structlog.get_logger("pipeline")


class Keep(Protocol):
    """Takes what is to be stored: memories in one transaction with the Readings that they stand for."""

    def __call__(
        self, readings: Iterable[Reading], assessments: Iterable[Assessment], memories: Iterable[Memory] = (), /
    ) -> None:
        """Take Readings, Assessments and Memories."""


class Pipeline:
    """What happens to the packets of one person's wearables.

    `keep` takes every Reading and Assessment for the store; `say` takes an Alert in its new state, and returns once it
    is stored with all that was kept before. `memories` are those that an earlier daemon has kept; `vitals` are the
    rules about the person's vital signs.
    """

    def __init__(
        self,
        person: PersonSettings,
        watches: Sequence[RiskWatch],
        *,
        clock: Clock,
        inference: Executor,
        keep: Keep,
        say: Callable[[Alert], Awaitable[None]],
        memories: Memories = NO_MEMORIES,
        vitals: Thresholds | None = None,
    ) -> None:
        self.person = person
        self.vitals = vitals or Thresholds(person.id)
        self._ruled = self.vitals.channels
        self.watches = watches
        self.wearables = wearables_of(person, memories)
        self.sources = Sources(list(self.wearables), person.sources)
        self._clock = clock
        self._inference = inference
        self._keep = keep
        self._say = say
        self._waiting: deque[tuple[RiskWatch, Window]] = deque()
        self._told: deque[Alert] = deque()
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.dropped_windows = 0

    async def settled(self) -> None:
        """Wait until every Window so far has been assessed."""
        await self._idle.wait()

    def receive(self, packet: Packet) -> None:
        """Take a packet straight from the radio's callback; a malformed one is counted and left out."""
        wearable = self.wearables[packet.address]
        self._take(wearable, wearable.hear(packet))
        if wearable.learnt:
            self._keep_memories(wearable)

    def openings(self, address: str, present: Collection[str]) -> list[Procedure]:
        """What is to be done with a wearable that has just been connected and subscribed to, one after the other."""
        return self.wearables[address].openings(self._clock.wall(), present)

    def take_on(self, person: PersonSettings, memories: Memories) -> None:
        """Go on with other settings of the same person; a wearable that stays goes on as it was."""
        fresh = wearables_of(person, memories)
        for address, wearable in fresh.items():
            self.wearables.setdefault(address, wearable).name = wearable.name
        self.wearables = {address: self.wearables[address] for address in fresh}
        self.sources.prefer(list(fresh), person.sources)
        self.person = person
        self.tell(self.vitals.take_on(rules_of(person.rules), self._clock.wall()))
        self._ruled = self.vitals.channels

    def resume(self, watch: RiskWatch, windows: Iterable[Window]) -> None:
        """Take the Windows of stored beats that a daemon which stopped has left unassessed."""
        if watch.device is not None:
            self.sources.begin(watch.model.channel, watch.device, self._clock.monotonic())
        for window in windows:
            self._queue(watch, window)

    def tell(self, alerts: Iterable[Alert]) -> None:
        """Take Alerts of rules about vital signs, which are said as soon as may be."""
        self._told.extend(alerts)
        if self._told:
            self._idle.clear()
            self._arrived.set()

    def link_changed(self, address: str, link: LinkStatus) -> None:
        """Take a link's new state; when it is lost, the RR intervals that were held back come out."""
        wearable = self.wearables[address]
        if wearable.link is LinkState.STREAMING and link.state is not LinkState.STREAMING:
            wearable.losses += 1
            self._take(wearable, wearable.lost())
            self._judge(wearable, wearable.timeline.interrupt())
            self._keep_memories(wearable)
        wearable.link, wearable.link_why = link.state, link.why

    async def run(self) -> None:
        """Assess Windows as they come, until cancelled."""
        while True:
            while self._waiting or self._told:
                while self._told:
                    await self._tell(self._told.popleft())
                if self._waiting:
                    await self._assess(*self._waiting.popleft())
            self._idle.set()
            self._arrived.clear()
            await self._arrived.wait()

    def notice_silence(self) -> None:
        """Say, once per silence, that there is not enough data to judge; to be called every minute or so."""
        now = self._clock.wall()
        for watch in self.watches:
            last = watch.last
            if last is None or last.reason is not None or now - last.end < watch.silence_s:
                continue
            reason = self._why_silent(watch.model.channel)
            self._keep((), [watch.nothing(last.end, now, reason)])

    def snapshot(self, now: float, latest: Iterable[Assessment], alerts: Iterable[Alert]) -> dict[str, Any]:
        """For `hearthbeat status`: this person, with each risk's latest stored Assessment and the open Alerts."""
        known = {assessment.risk: assessment for assessment in latest}
        known.update((watch.risk, watch.last) for watch in self.watches if watch.last is not None)
        return person_fields(self.person, self.wearables.values(), known.values(), alerts, now)

    def _take(self, wearable: Wearable, readings: Sequence[Reading]) -> None:
        """Take what a wearable has measured; RR intervals are placed first, and may be held back for it.

        What comes from its memory has its time already, and says nothing of its present state.
        """
        if not readings:
            return
        present = [reading for reading in readings if not is_past(reading)]
        if len(present) < len(readings):
            self._judge(wearable, [reading for reading in readings if is_past(reading)])
        wearable.remember(present)
        wearable.last_of.update((reading.channel, reading.received_at) for reading in present if reading.values)
        rr = [reading for reading in present if reading.channel is Channel.RR_INTERVAL]
        self._judge(wearable, [reading for reading in present if reading.channel is not Channel.RR_INTERVAL])
        if rr:
            self._judge(wearable, wearable.timeline.place(rr))
        elif any(reading.channel is Channel.HEART_RATE for reading in present):
            wearable.timeline.hear(present[0].received_at)

    def _keep_memories(self, wearable: Wearable) -> None:
        changed = wearable.changed_memories()
        if changed:
            self._keep((), (), changed)

    def _judge(self, wearable: Wearable, placed: Sequence[Reading]) -> None:
        self._keep(placed, ())
        for reading in placed:
            watching = [watch for watch in self.watches if watch.model.channel is reading.channel]
            past = is_past(reading)
            ruled = reading.channel in self._ruled
            if not (watching or ruled) or not reading.values or not (past or self._counts(wearable, reading)):
                continue
            if ruled:
                self.tell(self.vitals.push(reading, self._clock.wall(), self._risks_open()))
            for watch in watching:
                if not past:
                    self._tell_hand_over(watch, reading)
                for window in watch.push(reading):
                    self._queue(watch, window)

    def _risks_open(self) -> list[Alert]:
        """The person's open alerts of risks."""
        alerts = (watch.episodes.open_alert for watch in self.watches)
        return [alert for alert in alerts if alert is not None]

    def _counts(self, wearable: Wearable, reading: Reading) -> bool:
        """Whether this wearable is the person's source of the Reading's channel."""
        device, now = wearable.source.device, self._clock.monotonic()
        before = self.sources.current(reading.channel)
        counts = self.sources.takes(reading.channel, device, now, reading.quality)
        if counts and before not in (None, device):
            _log.info("hand-over", person=self.person.id, channel=reading.channel.value, of=before, to=device)
        return counts

    def _tell_hand_over(self, watch: RiskWatch, reading: Reading) -> None:
        """Say that the time since the last Window cannot be judged where another wearable takes over."""
        told = watch.told_until
        if watch.device in (None, reading.device) or told is None or not told < reading.start:
            return
        reason = "another wearable has taken over"
        self._keep((), [watch.nothing(told, reading.start, reason)])

    def _queue(self, watch: RiskWatch, window: Window) -> None:
        if len(self._waiting) >= WAITING_WINDOWS:
            self._waiting.popleft()
            self.dropped_windows += 1
            _log.error("window dropped, the model cannot keep up", person=self.person.id, dropped=self.dropped_windows)
        self._waiting.append((watch, window))
        self._idle.clear()
        self._arrived.set()

    async def _assess(self, watch: RiskWatch, window: Window) -> None:
        loop = asyncio.get_running_loop()
        judging = partial(watch.judge, window, self.vitals.open_alerts)
        assessment, alert = await loop.run_in_executor(self._inference, judging)
        self._keep((), [assessment])
        alert = alert or watch.anew(assessment)
        if alert is not None:
            await self._tell(alert)

    async def _tell(self, alert: Alert) -> None:
        _log.info("alert", person=alert.person, kind=alert.kind, state=alert.state.value, id=alert.id)
        await self._say(alert)

    def _why_silent(self, channel: Channel) -> str:
        states = [wearable.link for wearable in self.wearables.values()]
        if LinkState.STREAMING not in states:
            return "no wearable is connected"
        if all(wearable.worn is False for wearable in self.wearables.values()):
            return "the wearable is not worn"
        return f"nothing arrives of {channel.value.replace('_', ' ')}"


def person_fields(
    person: PersonSettings,
    wearables: Iterable[Wearable],
    latest: Iterable[Assessment],
    alerts: Iterable[Alert],
    now: float,
) -> dict[str, Any]:
    """A person for JSON: wearables, each risk's latest Assessment, the newest of these, and open Alerts."""
    newest_first = sorted(latest, key=lambda assessment: assessment.end, reverse=True)
    assessments = [{**assessment_fields(one), "age_s": round(now - one.end, 1)} for one in newest_first]
    return {
        "id": person.id,
        "name": person.name,
        "wearables": [wearable.snapshot(now) for wearable in wearables],
        "last_assessment": next(iter(assessments), None),
        "assessments": assessments,
        "open_alerts": [alert_fields(alert) for alert in alerts],
    }


def assessment_fields(assessment: Assessment) -> dict[str, Any]:
    """An Assessment for JSON."""
    return {
        "risk": assessment.risk.value,
        "start": assessment.start,
        "end": assessment.end,
        "score": assessment.score,
        "reason": assessment.reason,
        "model": assessment.model,
        "coverage": round(assessment.coverage, 4),
        "explanation": None if assessment.explanation is None else assessment.explanation.sentence,
        "forecast": [list(point) for point in assessment.forecast],
    }


def alert_fields(alert: Alert) -> dict[str, Any]:
    """An Alert for JSON."""
    return {
        "id": alert.id,
        "person": alert.person,
        "kind": alert.kind,
        "severity": alert.severity.value,
        "state": alert.state.value,
        "since": alert.since,
        "opened_at": alert.opened_at,
        "cleared_at": alert.cleared_at,
        "told_at": alert.told_at,
        "acknowledged_at": alert.acknowledged_at,
        "acknowledged_by": alert.acknowledged_by,
        "snoozed_until": alert.snoozed_until,
        "asked_until": alert.asked_until,
        "help_at": alert.help_at,
        "explanation": alert.explanation.sentence,
        "part": alert.explanation.part,
    }
