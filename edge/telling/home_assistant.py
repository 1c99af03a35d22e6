"""Home Assistant's view of the house: what is known of people and wearables now, told to the local broker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import structlog

from cloud_sync import home_assistant as ha
from cloud_sync.broker import Broker
from cloud_sync.local_broker import Heard, LocalBroker
from edge.bluetooth.link import LinkState
from edge.clock import Clock
from edge.errors import HearthbeatError
from edge.household.household import Household
from edge.household.wearable import Wearable
from edge.notices import Alert, FaultKind, Severity
from edge.pipeline import Pipeline
from edge.readings import CHANNELS, NOBODY, Channel
from edge.settings.home import HomeAssistantSettings, Settings
from edge.telling.pseudonyms import Pseudonyms

# How often values are told, s. Our choice: people look at a dashboard, and no machine decides by it.
TELL_S: Final = 5.0
# How often what has not changed is told again, so that it does not expire, s: a third of the shortest such time.
AGAIN_S: Final = 60.0
# Of what a wearable says it is no more than this is shown, in characters. Our choice.
_LONGEST_MODEL: Final = 64
_VALUES: Final[Mapping[Channel, ha.Entity]] = MappingProxyType(
    {Channel.HEART_RATE: ha.HEART_RATE, Channel.SPO2: ha.SPO2}
)
_BLINDING: Final = frozenset({FaultKind.BLUETOOTH, FaultKind.MODEL})
_GRAVITY: Final = {severity: rank for rank, severity in enumerate(Severity)}

_log = structlog.get_logger("home_assistant")


@dataclass(slots=True)
class _Told:
    """What was told since Home Assistant was born: announcements by device, and values with when, by topic."""

    configs: dict[str, bytes] = field(default_factory=dict)
    values: dict[str, tuple[bytes, float]] = field(default_factory=dict)


class HomeAssistant:
    """Keeps Home Assistant up to date; to be made in the daemon's event loop.

    `alerts` are the open ones; `answer` takes what a pressed button asks. `connect` is the way to the local broker.
    """

    def __init__(
        self,
        settings: Settings,
        table: HomeAssistantSettings,
        clock: Clock,
        household: Household,
        pseudonyms: Pseudonyms,
        *,
        alerts: Callable[[], Iterable[Alert]],
        answer: Callable[[Mapping[str, Any]], Awaitable[object]],
        progress: Callable[[], None],
    ) -> None:
        self._table = table
        self._clock = clock
        self._household = household
        self._pseudonyms = pseudonyms
        self._alerts = alerts
        self._answer = answer
        self._progress = progress
        self._home = settings.home.id
        self._topics = ha.Topics(settings.home.id, table.discovery_prefix)
        self._told = _Told()
        self._is_born = False
        self._answering: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._local: LocalBroker | None = None
        self.fault: str | None = None

    async def run(self) -> None:
        """Tell what changes, until cancelled."""
        heard = Heard(self._born, self._announced, self._pressed)
        try:
            while True:
                try:
                    if self._local is not None and not self._local.is_alive():
                        _log.error("the connection to the local broker died and is made anew")
                        await asyncio.to_thread(self._local.stop)
                        self._local = None
                    if self._local is None:
                        broker = Broker(**self._table.connection)
                        self._local = LocalBroker(broker, self._home, self._topics, heard)
                        self._local.start()
                    self.tell()
                    self.fault = self._local.error
                except HearthbeatError as error:  # a file of the settings: it may be there later
                    self.fault = str(error).replace("[broker]", "[home_assistant]")
                self._progress()
                await self._wait()
        finally:
            if self._local is not None:
                await asyncio.shield(asyncio.to_thread(self._local.stop))

    def tell(self) -> None:
        """Announce what is new, take back what is gone, and tell the values that are due."""
        if not self._is_born:
            return
        devices = self._devices()
        for device in devices:
            config = ha.config(device, self._topics)
            if self._told.configs.get(device.id) != config and self._publish(
                self._topics.config(device.id), config, retain=True
            ):
                self._told.configs[device.id] = config
        for gone in set(self._told.configs) - {device.id for device in devices}:
            if self._publish(self._topics.config(gone), b"", retain=True):
                del self._told.configs[gone]
        for wearable in self._wearables():
            self._tell_wearable(wearable)
        for pipeline in self._household.pipelines:
            self._tell_person(pipeline)

    async def _wait(self) -> None:
        sleeping = asyncio.ensure_future(self._clock.sleep(TELL_S))
        changing = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({sleeping, changing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            changing.cancel()
        self._changed.clear()

    def _devices(self) -> list[ha.Device]:
        found = []
        for pipeline in self._household.pipelines:
            person = pipeline.person
            found.append(ha.Device(self._of(person.id), person.name or person.id, "person", ha.OF_A_PERSON))
        for wearable in self._wearables():
            source = wearable.source
            model = wearable.facts.get("model", "")[:_LONGEST_MODEL] or "wearable"
            of = None if source.person == NOBODY else self._of(source.person)
            name = wearable.name or model
            found.append(ha.Device(self._pseudonyms.device(source.device), name, model, ha.OF_A_WEARABLE, of))
        return found

    def _of(self, person: str) -> str:
        return self._pseudonyms.person(person)

    def _wearables(self) -> list[Wearable]:
        return [wearable for worn in self._household.wearables().values() for wearable in worn]

    def _tell_wearable(self, wearable: Wearable) -> None:
        device = self._pseudonyms.device(wearable.source.device)
        for channel, entity in _VALUES.items():
            self._tell_measured(device, wearable, channel, entity)
        is_heard = wearable.link is LinkState.STREAMING
        self._tell_value(device, ha.LINK, b"ON" if is_heard else b"OFF")
        battery, facts = wearable.battery_percent, CHANNELS[Channel.BATTERY]
        if is_heard and battery is not None and facts.low <= battery <= facts.high:
            self._tell_value(device, ha.BATTERY, f"{battery:.0f}".encode())

    def _tell_person(self, pipeline: Pipeline) -> None:
        device = self._of(pipeline.person.id)
        for channel, entity in _VALUES.items():
            source = pipeline.sources.current(channel)
            wearable = None if source is None else pipeline.wearables.get(source)
            if wearable is not None:
                self._tell_measured(device, wearable, channel, entity)
        opened = self._shown(pipeline.person.id)
        gravest = max((alert.severity for alert in opened), key=_GRAVITY.__getitem__, default=None)
        fields = [
            {
                "kind": alert.kind,
                "severity": alert.severity.value,
                "since": alert.since,
                "acknowledged": alert.acknowledged_at is not None,
                "sentence": str(alert.explanation.sentence),
            }
            for alert in opened
        ]
        attributes = json.dumps({"alerts": fields}, ensure_ascii=False).encode()
        self._tell_value(device, ha.ALERT, (ha.NO_ALERT if gravest is None else gravest.value).encode())
        self._tell_topic(f"{self._topics.value(device, ha.ALERT.key)}/attributes", attributes)

    def _open(self, person: str) -> list[Alert]:
        """The person's open alerts, of faults of the watching too."""
        return [alert for alert in self._alerts() if alert.person == person]

    def _shown(self, person: str) -> list[Alert]:
        """And the house's faults that keep everybody from being watched: nobody may look well then."""
        house = [alert for alert in self._alerts() if not alert.person]
        grave = [alert for alert in house if alert.kind in _BLINDING or alert.severity is Severity.CRITICAL]
        return self._open(person) + grave

    def _tell_measured(self, device: str, wearable: Wearable, channel: Channel, entity: ha.Entity) -> None:
        """Tell a value that is worn, can be true, and is new: the same one again would never expire."""
        at, value, facts = wearable.last_of.get(channel), wearable.values.get(channel), CHANNELS[channel]
        if at is None or value is None or wearable.worn is False or not facts.low <= value <= facts.high:
            return
        topic = self._topics.value(device, entity.key)
        before = self._told.values.get(topic)
        age = self._clock.wall() - at
        if (before is None or at > before[1]) and abs(age) <= (entity.expires_s or 0):
            payload = f"{value:.0f}".encode()
            if self._publish(topic, payload):
                self._told.values[topic] = payload, at

    def _tell_value(self, device: str, entity: ha.Entity, payload: bytes) -> None:
        self._tell_topic(self._topics.value(device, entity.key), payload)

    def _tell_topic(self, topic: str, payload: bytes) -> None:
        """Tell what is so now when it has changed, and now and then, lest it expires."""
        now = self._clock.monotonic()
        before = self._told.values.get(topic)
        due = before is None or before[0] != payload or now - before[1] >= AGAIN_S
        if due and self._publish(topic, payload):
            self._told.values[topic] = payload, now

    def _publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        return self._local is not None and self._local.publish(topic, payload, retain=retain)

    def _born(self) -> None:
        """Home Assistant, or the broker, has come up: all is told anew."""
        self._told = _Told()
        self._is_born = True
        self._changed.set()

    def _announced(self, device: str) -> None:
        """Take back what an earlier process has announced, where it is gone since."""
        if device not in {one.id for one in self._devices()}:
            _log.info("taken back at home assistant", device=device)
            self._publish(self._topics.config(device), b"", retain=True)

    def _pressed(self, device: str) -> None:
        """Take up all that is open of a person and nobody has taken up."""
        for pipeline in self._household.pipelines:
            if self._of(pipeline.person.id) != device:
                continue
            for alert in self._open(pipeline.person.id):
                if alert.acknowledged_at is None:
                    task = asyncio.create_task(self._acknowledge(alert))
                    self._answering.add(task)
                    task.add_done_callback(self._answering.discard)

    async def _acknowledge(self, alert: Alert) -> None:
        try:
            await self._answer({"do": "acknowledge", "alert": alert.id, "by": self._table.answers_as})
        except HearthbeatError as error:
            _log.warning("a button of home assistant was not obeyed", alert=alert.id, error=str(error))
        self._changed.set()
