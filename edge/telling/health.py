"""Telling the broker how wearables and machine are: every hour, and sooner when something of weight has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
import structlog

from cloud_sync import messages
from cloud_sync.messages.health import DevicePart, DevicesMessage, HealthMessage, OutboxPart
from edge.bluetooth.link import LinkState
from edge.clock import Clock
from edge.errors import StoreError
from edge.household.wearable import Wearable
from edge.notices import Alert, OutboxMessage, Priority
from edge.readings import CHANNELS, NOBODY, RAW_CHANNELS, Channel
from edge.recorder import Recorder
from edge.running import machine
from edge.running.maintenance import SECONDS_PER_DAY
from edge.store.signals import SECONDS_PER_MINUTE
from edge.store.store import Batch, Store

# How often it is told although nothing has changed, s, so that silence is news. Our choice.
EVERY_S: Final = 3600.0
# How often it is looked whether something has changed, and how long nothing more is told of the same things then: links
# come and go, and each telling costs a message. Our choice.
LOOK_S: Final = 30.0
REST_S: Final = 300.0
# A battery is told anew when it has lost so much, %. Our choice.
_BATTERY_STEP: Final = 10.0
# Of a version no more than the format takes, in characters.
_LONGEST: Final = 64

_log = structlog.get_logger("health")


@dataclass(frozen=True, slots=True)
class HealthSight:
    """What only the daemon knows: wearables by their people's ids (NOBODY: shared), models and open faults.

    `models` has the version of each risk's model, None where it cannot be used.
    """

    wearables: Mapping[str, Iterable[Wearable]]
    models: Mapping[str, str | None]
    faults: Iterable[Alert]


class HealthTelling:
    """Looks after what is told of health; `told` is called when something was put into the outbox."""

    def __init__(
        self,
        home: messages.Home,
        store: Store,
        recorder: Recorder,
        clock: Clock,
        sight: Callable[[], HealthSight],
        told: Callable[[], None],
        progress: Callable[[], None],
    ) -> None:
        self._home = home
        self._store = store
        self._recorder = recorder
        self._clock = clock
        self._sight = sight
        self._told = told
        self._progress = progress
        self._began = clock.monotonic()
        self._last: dict[str, tuple[float, object]] = {}  # when and what was told last, by what it is about

    async def run(self) -> None:
        """Look whether something is to be told, until cancelled."""
        while True:
            await self.look()
            self._progress()
            await self._clock.sleep(LOOK_S)

    async def look(self) -> None:
        """Tell what is due: all of it at a start, then each thing hourly and when it has changed."""
        try:
            sight = self._sight()
            found = [await self._health(sight), *[await self._devices(*pair) for pair in sight.wearables.items()]]
            due = [message for message in found if message is not None]
            if due:
                await self._recorder.call(self._store.commit, Batch(messages=due))
                self._told()
        except StoreError as error:
            _log.debug("health cannot be told now", error=str(error))

    def _is_due(self, about: str, state: object) -> bool:
        """Whether it is time to tell of something, which then counts as told."""
        now = self._clock.monotonic()
        at, before = self._last.get(about, (-np.inf, None))
        if now - at < (EVERY_S if state == before else REST_S):
            return False
        self._last[about] = now, state
        return True

    async def _health(self, sight: HealthSight) -> OutboxMessage | None:
        outbox = await self._recorder.call(_outbox, self._store, self._clock.wall())
        models = {risk: told and told[:_LONGEST] for risk, told in sight.models.items()}
        faults = sorted({alert.kind for alert in sight.faults})
        if not self._is_due("", (models, faults, outbox.parked > 0, outbox.lost > 0)):
            return None
        at = round(self._clock.wall(), 3)
        seen = await asyncio.to_thread(machine.look, Path(self._store.path).parent)
        identifier = self._home.pseudonyms.message("health", self._home.id, f"{at:.3f}")
        message = HealthMessage(
            id=identifier,
            at=at,
            version=version("hearthbeat")[:_LONGEST],
            uptime_s=seen.uptime_s,
            running_s=round(self._clock.monotonic() - self._began, 1),
            disk_free_mb=seen.disk_free_mb,
            disk_total_mb=seen.disk_total_mb,
            memory_available_mb=seen.memory_available_mb,
            memory_total_mb=seen.memory_total_mb,
            memory_daemon_mb=seen.memory_daemon_mb,
            temperature_c=seen.temperature_c,
            outbox=outbox,
            models=models,
            faults=faults,
        )
        topic = messages.Topic(self._home.id, messages.Kind.HEALTH)
        return self._home.tell(topic, message, identifier, Priority.SUMMARY, at)

    async def _devices(self, person: str, wearables: Iterable[Wearable]) -> OutboxMessage | None:
        worn = list(wearables)
        if not worn or not self._is_due(f"devices of {person}", [_state(wearable) for wearable in worn]):
            return None
        at = round(self._clock.wall(), 3)
        parts = [self._part(one, await self._recorder.call(_coverage, self._store, one, at)) for one in worn]
        identifier = self._home.pseudonyms.message("devices", self._home.id, person, f"{at:.3f}")
        message = DevicesMessage(id=identifier, at=at, devices=parts)
        topic = messages.Topic(
            self._home.id, messages.Kind.DEVICES, None if person == NOBODY else self._home.person(person)
        )
        return self._home.tell(topic, message, identifier, Priority.SUMMARY, at)

    def _part(self, wearable: Wearable, coverage: float | None) -> DevicePart:
        return DevicePart(
            device=self._home.pseudonyms.device(wearable.source.device),
            link=wearable.link.value,
            worn=wearable.worn,
            battery_percent=_percent(wearable.battery_percent),
            last_heard_at=wearable.last_reading,
            link_losses=wearable.losses,
            malformed_packets=wearable.malformed_packets,
            coverage=coverage,
        )


def _outbox(store: Store, now: float) -> OutboxPart:
    figures, today = store.outbox.figures(), int(now // SECONDS_PER_DAY)
    made = {}
    for day in (today - 2, today - 1):
        counts = store.outbox.made(day)
        if counts:
            date = datetime.fromtimestamp(day * SECONDS_PER_DAY, UTC).date().isoformat()
            made[date] = {priority.value: count for priority, count in counts.items()}
    lost = sum(loss.messages for loss in store.outbox.losses())
    return OutboxPart(waiting=figures.waiting, parked=figures.parked, lost=lost, made=made or None)


def _percent(level: float | None) -> float | None:
    """A battery's level, None where what the wearable has sent can be none."""
    low, high = CHANNELS[Channel.BATTERY].low, CHANNELS[Channel.BATTERY].high
    return level if level is not None and low <= level <= high else None


def _state(wearable: Wearable) -> object:
    """What is worth a telling of its own when it changes."""
    battery = wearable.battery_percent
    charge = None if battery is None else battery // _BATTERY_STEP
    return wearable.source.device, wearable.link is LinkState.STREAMING, wearable.worn, charge


def _coverage(store: Store, wearable: Wearable, now: float) -> float | None:
    """Share of the last hour's minutes that have samples of a wearable; None where it belongs to nobody.

    Raw channels are looked at only where there is no other: a wearable that sends them sends others in each minute too.
    """
    person, device = wearable.source.person, wearable.source.device
    if person == NOBODY:
        return None
    start = now - EVERY_S
    minutes: set[int] = set()
    for channel in sorted(set(Channel) - {Channel.BATTERY}, key=lambda one: one in RAW_CHANNELS):
        if channel in RAW_CHANNELS and minutes:
            break
        times = store.signals.series(person, channel, start, now, device).times
        minutes.update(np.unique((times - start) // SECONDS_PER_MINUTE).astype(int).tolist())
    return round(min(1.0, len(minutes) / (EVERY_S / SECONDS_PER_MINUTE)), 2)
