"""The daemon's eye on itself and on the wearables: what is wrong is looked for, told, and kept until it is over."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import structlog

from edge.alerts.faults import RULES, FaultEpisodes, Key, Transition, is_fault, keys_of
from edge.alerts.house_faults import BrokerSight, HouseFaults, HouseSight
from edge.alerts.limits import DEFAULTS, SHARED, Limits
from edge.alerts.sights import WearableSight
from edge.alerts.wearable_faults import LONGEST_LOOK_S, WearableFaults
from edge.bluetooth.link import LinkState
from edge.clock import Clock, SystemClock, network_time
from edge.errors import StoreError
from edge.household.household import Household
from edge.household.wearable import Wearable
from edge.notices import Alert, FaultKind, Severity
from edge.readings import NOBODY, Channel, Memory
from edge.recorder import Recorder
from edge.settings.home import FaultSettings, PersonSettings, Settings
from edge.store.store import Store
from edge.watches.fault_fields import fault_fields, fault_line

# The hours of the local day between which people are left to sleep: a battery or a strap can wait. Our choice.
NIGHT_BEGINS: Final = 22
NIGHT_ENDS: Final = 8
# Alerts that are read back at a start: more than a household has within the longest rest of a fault. Our choice.
REMEMBERED: Final = 1000
# How often it is asked whether the network sets the clock, in seconds: nothing hangs on it for hours.
ASK_CLOCK_S: Final = 1800.0
_APART: Final = frozenset({LinkState.SEARCHING, LinkState.LOST, LinkState.WAITING})
_OF_A_WEARABLE: Final = frozenset(
    {
        FaultKind.NO_DATA,
        FaultKind.NEVER_SEEN,
        FaultKind.BATTERY_LOW,
        FaultKind.NOT_WORN,
        FaultKind.FROZEN_VALUE,
        FaultKind.DEVICE_CLOCK,
    }
)
# While one of these lasts somebody is not watched: all who are told of that person's risks must know.
_BLINDING: Final = frozenset(
    {FaultKind.NO_DATA, FaultKind.NOT_WORN, FaultKind.FROZEN_VALUE, FaultKind.BLUETOOTH, FaultKind.MODEL}
)
# The name under which the absences of a wearable are kept beside what its profiles remember.
_MEMORY: Final = "absences"

# An address as BlueZ writes it, in its paths too.
_ADDRESS: Final = re.compile(r"[0-9A-Fa-f]{2}(?:[:_][0-9A-Fa-f]{2}){5}")

_log = structlog.get_logger("faults")


@dataclass(frozen=True, slots=True)
class Parts:
    """The state of what only the daemon knows; a text says what is wrong, None that nothing is.

    `models` by risk, `stores` by what is done with the store; what was never tried is not there. `buttons` is why a
    press of one is not heard, `channels` which of a contact's several ways have failed again and again.
    """

    models: Mapping[str, str | None] = field(default_factory=dict)
    critical_models: frozenset[str] = frozenset()
    stores: Mapping[str, str | None] = field(default_factory=dict)
    broker: BrokerSight | None = None
    commands: Mapping[str, str | None] = field(default_factory=dict)
    buttons: str | None = None
    channels: Mapping[str, str | None] = field(default_factory=dict)


class FaultsWatch:
    """Looks for faults whenever `look` is called, which is to be every half minute or so.

    `parts` tells the state of the daemon's parts, `outcomes` by contact why the last attempt to tell it something
    failed. `say` takes an alert of a fault in its new state. `zone` is the people's time zone, None the machine's.
    """

    def __init__(
        self,
        settings: Settings,
        household: Household,
        recorder: Recorder,
        store: Store,
        clock: Clock,
        *,
        parts: Callable[[], Parts],
        outcomes: Callable[[], Mapping[str, str | None]],
        say: Callable[[Transition], Awaitable[None]],
        zone: tzinfo | None = None,
    ) -> None:
        self._settings = settings
        self._household = household
        self._recorder = recorder
        self._store = store
        self._clock = clock
        self._parts = parts
        self._outcomes = outcomes
        self._say = say
        self._zone = zone
        self._wearable_faults = WearableFaults()
        self._house_faults = HouseFaults()
        self._episodes = FaultEpisodes()
        self._heard: dict[str, dict[Channel, float]] = {}
        self._absences: dict[str, dict[float, float]] = {}
        self._looked_at: float | None = None
        self._asked_at = float("-inf")
        self._synchronised: bool | None = None
        self._wrong: frozenset[Key] = frozenset()

    @property
    def open_alerts(self) -> list[Alert]:
        """What is wrong, as far as it was told."""
        return self._episodes.open_alerts

    def take_on(self, settings: Settings) -> None:
        """Go on with other settings."""
        self._settings = settings

    async def restore(self) -> None:
        """Go on where the daemon stopped before. Raises StoreError."""
        call, alerts = self._recorder.call, self._store.alerts
        stored = {alert.id: alert for alert in await call(alerts.alerts, REMEMBERED)}
        stored.update((alert.id, alert) for alert in await call(alerts.open_alerts))
        self._episodes = FaultEpisodes([alert for alert in stored.values() if is_fault(alert)])

    async def look(self) -> None:
        """Look at everything, and tell what has changed."""
        now, monotonic = self._clock.wall(), self._clock.monotonic()
        elapsed = 0.0 if self._looked_at is None else min(monotonic - self._looked_at, LONGEST_LOOK_S)
        self._looked_at = monotonic
        await self._ask_network_time(monotonic)
        await self._recall_wearables()
        sight = await self._house_sight(now, monotonic)
        wearables = {wearable.source.device: wearable for wearable in self._wearables()}
        is_night = self._is_night(now)
        found = self._wearable_faults.look(
            now,
            elapsed,
            [self._sight(wearable) for wearable in wearables.values()],
            {NOBODY: SHARED, **{person.id: limits_of(person.faults) for person in self._people}},
            radio_works=sight.radio is None,
            is_night=is_night,
            critical=self._critical_channels(),
        )
        self._recorder.keep((), (), [_memory(device, absences) for device, absences in found.absences.items()])
        house = self._house_faults.look(sight)
        wrong = house.wrong + found.wrong
        self._wrong = frozenset((fault.kind, fault.subject) for fault in wrong)
        for transition in self._episodes.forget(now, self._gone(wearables)):
            await self._tell(transition)
        transitions = self._episodes.look(now, elapsed, wrong, house.well + found.well, is_night=is_night)
        for transition in transitions:
            await self._tell(transition)

    def is_fresh(self, alert: Alert) -> bool:
        """Whether the last look has seen what a fault's alert tells, and people may be told of it at this hour."""
        waits = RULES[FaultKind(alert.kind)].waits_for_day and alert.severity is not Severity.CRITICAL
        return not self._wrong.isdisjoint(keys_of(alert)) and not (waits and self._is_night(self._clock.wall()))

    def snapshot(self) -> list[dict[str, Any]]:
        """For `hearthbeat status`: what is wrong, oldest first."""
        return [fault_fields(alert, self._settings) for alert in self.open_alerts]

    def lines(self) -> list[str]:
        """What is wrong, a line each, but for models and disk, of which the daemon knows more than was told."""
        now = self._clock.wall()
        alerts = [alert for alert in self.open_alerts if alert.kind not in {FaultKind.MODEL, FaultKind.STORE}]
        return [fault_line(alert, self._settings, now, self._zone) for alert in alerts]

    @property
    def _people(self) -> list[PersonSettings]:
        return [pipeline.person for pipeline in self._household.pipelines]

    def _wearables(self) -> list[Wearable]:
        worn = [wearable for pipeline in self._household.pipelines for wearable in pipeline.wearables.values()]
        return worn + [device.wearable for device in self._household.shared]

    def _is_night(self, now: float) -> bool:
        hour = datetime.fromtimestamp(now, UTC).astimezone(self._zone).hour
        return hour >= NIGHT_BEGINS or hour < NIGHT_ENDS

    async def _ask_network_time(self, monotonic: float) -> None:
        # A clock of a replay is set by nobody.
        if isinstance(self._clock, SystemClock) and monotonic - self._asked_at >= ASK_CLOCK_S:
            self._asked_at = monotonic
            self._synchronised = await network_time()

    async def _recall_wearables(self) -> None:
        """What the store knows of wearables that are looked at for the first time."""
        for wearable in self._wearables():
            source = wearable.source
            if source.device in self._heard:
                continue
            try:
                last = await self._recorder.call(self._store.signals.last_readings, source.person, source.device)
                memories = await self._recorder.call(self._store.memories.of, source.device)
            except StoreError as error:
                _log.warning("what was heard before is not known", error=str(error))
                continue
            self._heard[source.device] = {channel: reading.received_at for channel, reading in last.items()}
            self._absences[source.device] = {float(end): length for end, length in memories.get(_MEMORY, {}).items()}

    def _sight(self, wearable: Wearable) -> WearableSight:
        heard = self._heard.get(wearable.source.device, {}) | wearable.last_of
        heard.pop(Channel.BATTERY, None)
        return WearableSight(
            address=wearable.source.device,
            person=wearable.source.person,
            in_reach=wearable.link not in _APART,
            worn=wearable.worn,
            battery_percent=wearable.battery_percent,
            heard=heard,
            values=wearable.values,
            clock_ahead_s=wearable.clock.off_s,
            absences=self._absences.get(wearable.source.device, {}),
            trouble=None if wearable.link_why is None else _nameless(wearable.link_why),
        )

    def _critical_channels(self) -> dict[str, frozenset[Channel]]:
        """By person, the channels by which a critical risk is watched."""
        return {
            pipeline.person.id: frozenset(
                watch.model.channel for watch in pipeline.watches if watch.model.policy.severity is Severity.CRITICAL
            )
            for pipeline in self._household.pipelines
        }

    async def _house_sight(self, now: float, monotonic: float) -> HouseSight:
        parts, critical = self._parts(), self._critical_channels()
        return HouseSight(
            wall=now,
            monotonic=monotonic,
            radio=self._household.scanner.status.why,
            radio_mend=self._household.scanner.status.mend,
            some_stream=any(wearable.link is LinkState.STREAMING for wearable in self._wearables()),
            radio_is_critical=any(
                not critical.get(wearable.source.person, frozenset()).isdisjoint(self._sight(wearable).heard)
                for wearable in self._wearables()
            ),
            synchronised=self._synchronised,
            models=parts.models,
            critical_models=parts.critical_models,
            stores=parts.stores,
            free_bytes=await self._free_bytes(),
            contacts=self._outcomes(),
            commands=parts.commands,
            buttons=parts.buttons,
            channels=parts.channels,
            broker=None if parts.broker is None else await self._with_outbox(parts.broker),
        )

    async def _with_outbox(self, broker: BrokerSight) -> BrokerSight:
        try:
            kept = await self._recorder.call(self._store.outbox.figures)
        except StoreError:
            return broker  # the recorder says what the disk refuses
        return replace(
            broker, waiting=kept.waiting, parked=kept.parked, refusal=kept.last_refusal, dropped=kept.over_budget
        )

    async def _free_bytes(self) -> int | None:
        try:
            usage = await asyncio.to_thread(shutil.disk_usage, self._settings.home.state_directory)
        except OSError as error:
            _log.warning("the disk does not say how full it is", error=error.strerror)
            return None
        return usage.free

    def _gone(self, wearables: Mapping[str, Wearable]) -> list[tuple[FaultKind, str]]:
        """What is told to be wrong with things that are no longer in the settings."""
        contacts = {contact.id for contact in self._settings.contacts}
        keys = [key for alert in self.open_alerts for key in keys_of(alert)]
        return [
            (kind, subject)
            for kind, subject in keys
            if (kind in _OF_A_WEARABLE and subject not in wearables)
            or (kind in {FaultKind.CONTACT, FaultKind.CHANNEL} and subject not in contacts)
        ]

    async def _tell(self, transition: Transition) -> None:
        alert = transition.alert
        _log.warning("fault", kind=alert.kind, state=alert.state.value, severity=alert.severity.value, id=alert.id)
        await self._say(transition)

    def audience(self, alert: Alert) -> list[str]:
        """Who looks after the house and, where somebody is not watched, who is told of that person's risks."""
        affected = self._affected(alert)
        keepers = self._settings.home.contacts or _first_contacts(affected)
        told = dict.fromkeys(keepers)
        if FaultKind(alert.kind) in _BLINDING:
            told.update(dict.fromkeys(contact for person in affected for contact in person.contacts))
        if alert.kind == FaultKind.CONTACT:  # nobody wants to hear late that nothing could be heard
            deaf = {contact for contact, why in self._outcomes().items() if why is not None}
            deaf.update(alert.subject.split(","))
            return [contact for contact in told if contact not in deaf]
        return list(told)

    def _affected(self, alert: Alert) -> list[PersonSettings]:
        """The people whose wearables are at fault; everybody where it is no wearable."""
        if FaultKind(alert.kind) not in _OF_A_WEARABLE:
            return self._people
        subjects = alert.subject.split(",")
        users = {user for device in self._household.shared if device.address in subjects for user in device.people}
        return [
            person
            for person in self._people
            if person.id in users or any(wearable.address in subjects for wearable in person.wearables)
        ]


def _nameless(why: str) -> str:
    """A link's complaint without the address that it may name: a fault's sentence may leave the house."""
    return _ADDRESS.sub("it", why)


def _memory(device: str, absences: Mapping[float, float]) -> Memory:
    return Memory(device, _MEMORY, {repr(end): length for end, length in absences.items()})


def limits_of(settings: FaultSettings) -> Limits:
    """The limits that the settings say, and the defaults where they say nothing."""
    return Limits(
        no_data_s=_merged(DEFAULTS.no_data_s, settings.no_data_min, 60.0),
        away_s=_merged(DEFAULTS.away_s, settings.away_h, 3600.0),
        frozen_s=_merged(DEFAULTS.frozen_s, settings.frozen_min, 60.0),
        never_seen_s=settings.never_seen_h * 3600.0,
        not_worn_s=settings.not_worn_h * 3600.0,
        battery_low_percent=settings.battery_low_percent,
    )


def _merged(defaults: Mapping[Channel, float], given: Mapping[Channel, float], unit_s: float) -> dict[Channel, float]:
    return {**defaults, **{channel: value * unit_s for channel, value in given.items()}}


def _first_contacts(people: Iterable[PersonSettings]) -> list[str]:
    return [person.contacts[0] for person in people]
