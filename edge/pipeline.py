"""One person's way of a heartbeat: packet, Readings, Windows, Assessments, Alerts.

Everything up to the Window happens in the callback that brings the packet and takes microseconds; the model runs in a
worker thread, so that inference never holds up the radio.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import structlog
from numpy.typing import NDArray

from edge.alerts.episodes import Episodes, PersistenceRule
from edge.bluetooth.link import LinkState, LinkStatus, Packet
from edge.clock import Clock
from edge.errors import DecodeError
from edge.readings import Alert, Assessment, Channel, Quality, Reading, Severity, Source, Window
from edge.risks.model import RiskModel
from edge.settings import PersonSettings
from edge.signals.rr_series import readings_of
from edge.signals.rr_timeline import RrTimeline
from edge.signals.windows import RrWindows
from edge.wearables import BY_CHARACTERISTIC

# Windows wait here while the model is busy; one comes every 15 s or so, and a model takes a millisecond.
WAITING_WINDOWS: Final = 256
# A wearable listed earlier is preferred as a person's source of RR intervals while it has sent any within this time: a
# strap sends one packet a second, so this is many lost ones in a row. Our choice.
SOURCE_PATIENCE_S: Final = 30.0
# Without a Window for this long there is not enough data to judge, and that is said. Our choice: twice what 60 beats
# take at 60 bpm.
SILENCE_S: Final = 120.0

_log = structlog.get_logger("pipeline")


@dataclass(slots=True)
class Wearable:
    """What is known of one wearable right now; `last_reading` is on the wall clock, in seconds."""

    source: Source
    name: str
    timeline: RrTimeline = field(default_factory=RrTimeline)
    link: LinkState = LinkState.SEARCHING
    last_reading: float | None = None
    last_rr: float | None = None
    worn: bool | None = None
    battery_percent: float | None = None
    facts: dict[str, str] = field(default_factory=dict)
    values: dict[Channel, float] = field(default_factory=dict)
    malformed_packets: int = 0

    def remember(self, readings: Iterable[Reading]) -> None:
        """Take what Readings, in the order of time, tell of the wearable's present state."""
        for reading in readings:
            if not reading.values:
                continue
            if reading.channel is Channel.BATTERY:
                self.battery_percent = reading.values[-1]
                continue
            self.values[reading.channel] = reading.values[-1]
            self.last_reading = max(self.last_reading or reading.received_at, reading.received_at)
            if not reading.quality & Quality.CONTACT_UNKNOWN:
                self.worn = not reading.quality & Quality.NO_CONTACT

    def snapshot(self, now: float) -> dict[str, Any]:
        """For `hearthbeat status`; what is not known is None."""
        return {
            "address": self.source.device,
            "name": self.name,
            "link": self.link.value,
            "reading_age_s": None if self.last_reading is None else max(0.0, round(now - self.last_reading, 1)),
            "worn": self.worn,
            "battery_percent": self.battery_percent,
            "values": {channel.value: round(value, 1) for channel, value in self.values.items()},
            "malformed_packets": self.malformed_packets,
            "facts": dict(self.facts),
        }


class RiskWatch:
    """One risk of one person: its windows, its model, its episodes."""

    def __init__(self, model: RiskModel, windows: RrWindows, episodes: Episodes) -> None:
        self.model = model
        self.windows = windows
        self.episodes = episodes
        self.last: Assessment | None = None


class Pipeline:
    """What happens to the packets of one person's wearables.

    `keep` takes every Reading and Assessment for the store; `say` takes an Alert in its new state, and returns once it
    is stored with all that was kept before.
    """

    def __init__(
        self,
        person: PersonSettings,
        watches: Sequence[RiskWatch],
        *,
        clock: Clock,
        inference: Executor,
        keep: Callable[[Iterable[Reading], Iterable[Assessment]], None],
        say: Callable[[Alert], Awaitable[None]],
    ) -> None:
        self.person = person
        self.watches = watches
        self.wearables = wearables_of(person)
        self._clock = clock
        self._inference = inference
        self._keep = keep
        self._say = say
        self._waiting: deque[tuple[RiskWatch, Window]] = deque()
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
        profile = BY_CHARACTERISTIC[packet.characteristic]
        try:
            readings = profile.readings(packet.characteristic, packet.payload, wearable.source, packet.received_at)
            wearable.facts.update(profile.facts(packet.characteristic, packet.payload))
        except DecodeError as error:
            wearable.malformed_packets += 1
            log = _log.warning if wearable.malformed_packets == 1 else _log.debug
            log("malformed packet", person=self.person.id, device=packet.address, error=str(error))
            return
        wearable.remember(readings)
        rr = [reading for reading in readings if reading.channel is Channel.RR_INTERVAL]
        self._keep([reading for reading in readings if reading.channel is not Channel.RR_INTERVAL], ())
        if rr:
            wearable.last_rr = packet.received_at
            self._judge(wearable, wearable.timeline.place(rr))

    def resume(self, watch: RiskWatch, windows: Iterable[Window]) -> None:
        """Take the Windows of stored beats that a daemon which stopped has left unassessed."""
        for window in windows:
            self._queue(watch, window)

    def link_changed(self, address: str, link: LinkStatus) -> None:
        """Take a link's new state; when it is lost, the RR intervals that were held back come out."""
        wearable = self.wearables[address]
        if wearable.link is LinkState.STREAMING and link.state is not LinkState.STREAMING:
            self._judge(wearable, wearable.timeline.interrupt())
        wearable.link = link.state

    def links_ended(self) -> None:
        """Take that every link was closed: what was held back comes out."""
        for address in self.wearables:
            self.link_changed(address, LinkStatus(LinkState.LOST, self._clock.wall()))

    async def run(self) -> None:
        """Assess Windows as they come, until cancelled."""
        while True:
            while self._waiting:
                await self._assess(*self._waiting.popleft())
            self._idle.set()
            self._arrived.clear()
            await self._arrived.wait()

    def notice_silence(self) -> None:
        """Say, once per silence, that there is not enough data to judge; to be called every minute or so."""
        now = self._clock.wall()
        for watch in self.watches:
            last = watch.last
            if last is None or last.reason is not None or now - last.end < SILENCE_S:
                continue
            watch.last = Assessment(
                person=self.person.id,
                risk=watch.model.manifest.risk,
                start=last.end,
                end=now,
                score=None,
                reason=self._why_silent(),
                model=watch.model.version,
                coverage=0.0,
            )
            self._keep((), [watch.last])

    def snapshot(self, now: float, latest: Assessment | None, alerts: Iterable[Alert]) -> dict[str, Any]:
        """For `hearthbeat status`: this person, with the latest stored Assessment and the open Alerts."""
        known = [watch.last for watch in self.watches if watch.last is not None]
        newest = max([*known, *([latest] if latest else [])], key=lambda assessment: assessment.end, default=None)
        return person_fields(self.person, self.wearables.values(), newest, alerts, now)

    def _judge(self, wearable: Wearable, placed: Sequence[Reading]) -> None:
        self._keep(placed, ())
        if not self._is_source(wearable):
            return
        for reading in placed:
            for watch in self.watches:
                for window in watch.windows.push(reading):
                    self._queue(watch, window)

    def _is_source(self, wearable: Wearable) -> bool:
        """Whether this wearable's RR intervals are the person's: none that is listed before it sends any."""
        for other in self.wearables.values():
            if other is wearable:
                return True
            if other.last_rr is not None and self._clock.wall() - other.last_rr < SOURCE_PATIENCE_S:
                return False
        return True

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
        assessment = await loop.run_in_executor(self._inference, watch.model.assess, window)
        watch.last = assessment
        self._keep((), [assessment])
        alert = watch.episodes.weigh(assessment)
        if alert is not None:
            _log.info("alert", person=alert.person, kind=alert.kind, state=alert.state.value, id=alert.id)
            await self._say(alert)

    def _why_silent(self) -> str:
        states = [wearable.link for wearable in self.wearables.values()]
        if LinkState.STREAMING not in states:
            return "no wearable is connected"
        if all(wearable.worn is False for wearable in self.wearables.values()):
            return "the wearable is not worn"
        return "no RR intervals arrive"


def watch_risk(
    person: str, model: RiskModel, *, past: Sequence[Assessment] = (), open_alert: Alert | None = None
) -> RiskWatch:
    """A risk of one person; `past` are the newest stored Assessments, oldest first, `open_alert` the open episode."""
    policy = model.policy
    rule = PersistenceRule(
        threshold=policy.threshold,
        clear_threshold=policy.clear_threshold,
        k=policy.k,
        n=policy.n,
        clear_k=policy.clear_k,
        minimum_coverage=policy.minimum_coverage,
        minimum_span_s=policy.minimum_span_s,
        maximum_span_s=policy.maximum_span_s,
    )
    windows = RrWindows(
        person, model.manifest.risk, beats=model.beats, step=model.step, last_end=past[-1].end if past else None
    )
    watch = RiskWatch(model, windows, Episodes(rule, Severity.WARNING, past=past, open_alert=open_alert))
    watch.last = past[-1] if past else None
    return watch


def wearables_of(person: PersonSettings) -> dict[str, Wearable]:
    """A person's wearables by address, in the order of preference."""
    return {w.address: Wearable(Source(person.id, w.address), w.name) for w in person.wearables}


def person_fields(
    person: PersonSettings,
    wearables: Iterable[Wearable],
    newest: Assessment | None,
    alerts: Iterable[Alert],
    now: float,
) -> dict[str, Any]:
    """A person for JSON: wearables, newest Assessment and open Alerts."""
    assessment = None if newest is None else {**assessment_fields(newest), "age_s": round(now - newest.end, 1)}
    return {
        "id": person.id,
        "name": person.name,
        "wearables": [wearable.snapshot(now) for wearable in wearables],
        "last_assessment": assessment,
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
        "explanation": alert.explanation.sentence,
    }


def stored_windows(
    watch: RiskWatch, times: NDArray[np.float64], rr_ms: NDArray[np.float64], quality: NDArray[np.uint8]
) -> list[Window]:
    """Take in the stored RR intervals since the last stored Window began; the Windows that nobody has assessed yet."""
    source = Source(watch.windows.person, "store")
    return [window for reading in readings_of(source, times, rr_ms, quality) for window in watch.windows.push(reading)]
