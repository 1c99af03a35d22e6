"""What every virtual wearable has in common: who hears it, what its radio does, and the vices of real ones."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple, TypedDict, TypeVar, Unpack, cast

from bumble.att import ATT_Error, AttributeValue
from bumble.core import UUID, AdvertisingData
from bumble.device import Connection
from bumble.gatt import GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR, Characteristic, Descriptor, Service
from bumble.hci import Address, HCI_LE_Set_Random_Address_Command

from edge.clock import Clock
from edge.errors import DecodeError
from edge.virtual.connection import hang_up, while_connected
from edge.virtual.device_clock import DeviceClock
from edge.virtual.radio import VirtualRadio
from edge.wearables import current_time

# bumble's controllers never send scan responses, so that all must fit into one advertising packet of 31 octets
# (Bluetooth Core Specification 5.4, volume 6, part B, 2.3.1): 3 for the flags, 6 for two services, 2 before the name.
_LONGEST_NAME: Final = 20
_SERVICES_ADVERTISED: Final = 2
_ADVERTISING_INTERVAL_MS: Final = 100

# ATT errors that services give: Core Specification Supplement 11, part B, 1.2, and 5.4, volume 3, part F, 3.4.1.1.
CCCD_IMPROPERLY_CONFIGURED: Final = 0xFD
PROCEDURE_ALREADY_IN_PROGRESS: Final = 0xFE
VALUE_NOT_ALLOWED: Final = 0x13

_HOUR_S: Final = 3600.0

_PROPERTY = Characteristic.Properties
_PERMISSION = Characteristic.Permissions

T = TypeVar("T")


class Options(TypedDict, total=False):
    """What may be chosen for any wearable; see VirtualWearable."""

    name: str
    address: str
    battery: int
    pairing: bool
    clock_service: bool
    chance: random.Random
    remembered: int


@dataclass(frozen=True, slots=True)
class Vices:
    """How a wearable misbehaves.

    `contact` is what it claims about being worn, None where it cannot tell. `dropped` and `malformed` are the shares
    0..1 of packets that never leave it, and that leave it cut off. `bunched` packets are held back and then sent at
    once; each leaves no sooner than `late_s` seconds after it was made. A `silent` wearable stays connected and says
    nothing; one with `mute` characteristics ("2A37", or a maker's own UUID in lower case) says the rest. A
    `frozen` one tells for ever what it measured last. It drops the link after `hangs_up_after` stored records.
    """

    contact: bool | None = True
    dropped: float = 0.0
    malformed: float = 0.0
    bunched: int = 1
    late_s: float = 0.0
    silent: bool = False
    mute: frozenset[str] = frozenset()
    frozen: bool = False
    hangs_up_after: int | None = None


def _nothing() -> None:
    """Nothing is noted."""


class _Packet(NamedTuple):
    made_at: float
    characteristic: Characteristic[bytes]
    payload: bytes
    note: Callable[[], object]


class VirtualWearable:
    """One wearable within reach of a VirtualRadio: `start` it, then let it measure.

    Assign `vices` at any time; `clock` is the wearable's own. A wearable with `pairing` refuses everything until the
    two are paired, one with a `clock_service` lets its clock be set. `subscribed` is set while somebody listens to what
    it tells first of all; `connections` counts how often it was connected to, `damaged` the packets that left it
    malformed; what truly left it, each twin remembers in its `sent`, as many as `remembered`. What happens while nobody
    listens is gone, as with a real one.
    """

    default_name: ClassVar[str]
    default_address: ClassVar[str]
    model: ClassVar[str]

    def __init__(self, radio: VirtualRadio, clock: Clock, **options: Unpack[Options]) -> None:
        self.name = options.get("name", self.default_name)
        self.address = options.get("address", self.default_address)
        if len(self.name.encode()) > _LONGEST_NAME:
            raise ValueError(f"the name {self.name!r} does not fit into an advertising packet")
        self.vices = Vices()
        self.clock = DeviceClock(clock)
        self.subscribed = asyncio.Event()
        self.connections = 0
        self.damaged = 0
        self._time = clock
        self._chance = options.get("chance") or random.Random()  # noqa: S311 vices need no cryptography
        self._remembered = options.get("remembered", 100_000)
        self._pairing = options.get("pairing", False)
        self._held: list[_Packet] = []
        self._measured_last: dict[str, object] = {}
        self._listeners: dict[Characteristic[bytes], Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._device = radio.add(self.name, self.address)
        self._device.on("connection", self._on_connection)
        self._first: Characteristic[bytes] | None = None
        self._services: list[str] = []
        self._battery = self._tells("2A19", value=bytes((options.get("battery", 87),)), read=True)
        self._clock_service = options.get("clock_service", False)

    @property
    def battery(self) -> int:
        """How full its battery is, in percent."""
        return cast("bytes", self._battery.value)[0]

    async def start(self) -> None:
        """Switch it on and advertise, now and after every lost connection."""
        self._offer("180F", self._battery)
        texts = {"2A29": "Hearthbeat", "2A24": self.model, "2A25": self.address[-5:], "2A26": "1.0"}
        self._offer("180A", *(self._reads(uuid, text.encode()) for uuid, text in texts.items()))
        if self._clock_service:
            self._offer("1805", self._answers("2A2B", self._read_clock, self._write_clock))
        await self._device.power_on()
        await self._advertise()

    async def set_battery(self, percent: int) -> None:
        """Let the battery have this level, 0..100 %, and say so to who listens."""
        self._battery.value = bytes((percent,))
        await self._device.notify_subscribers(self._battery, self._battery.value)

    async def drain(self, percent_per_hour: float) -> None:
        """Let the battery run down, and at its end the wearable be gone; to be cancelled at will."""
        while self.battery > 0:
            await self._time.sleep(_HOUR_S / percent_per_hour)
            await self.set_battery(self.battery - 1)
        await self.leave()

    async def drop_link(self) -> None:
        """Break every connection from the wearable's side, once all that it said is gone; it advertises again."""
        self._listeners.clear()  # what is said from now on is said to nobody
        for connection in list(self._device.connections.values()):
            await connection.drain()
            await hang_up(connection)

    async def leave(self) -> None:
        """Go out of range: no connection and no advertisement until `come_back`."""
        await self.drop_link()
        await self._device.stop_advertising()

    async def come_back(self) -> None:
        """Come into range again."""
        await self._advertise()

    async def rotate(self, address: str) -> None:
        """Drop the link and go on under another random address, as wearables do that guard their privacy."""
        await self.leave()
        self.address = address
        self._device.random_address = Address(address)
        await self._device.send_sync_command(HCI_LE_Set_Random_Address_Command(random_address=Address(address)))
        await self._advertise()

    # What twins are made of.

    def _tells(
        self,
        uuid: str,
        *,
        indicate: bool = False,
        value: bytes = b"",
        read: bool = False,
        write: Callable[[bytes], Awaitable[None]] | None = None,
    ) -> Characteristic[bytes]:
        """A characteristic that notifies or indicates, and may be read or written as well."""
        properties = _PROPERTY.INDICATE if indicate else _PROPERTY.NOTIFY
        permissions = _PERMISSION(0)
        if read:
            properties |= _PROPERTY.READ
            permissions |= _PERMISSION.READABLE
        if write is not None:
            properties |= _PROPERTY.WRITE
            permissions |= _PERMISSION.WRITEABLE
        held: Any = value if write is None else AttributeValue(lambda _: value, lambda _, written: write(written))
        found: Characteristic[bytes] = Characteristic(uuid, properties, self._guarded(permissions), held)
        found.on("subscription", lambda *news: self._on_subscription(found, *news))
        if self._pairing:
            subscription = Descriptor(
                GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR,
                self._guarded(_PERMISSION.READABLE | _PERMISSION.WRITEABLE),
                self._device.gatt_server.make_descriptor_value(found),
            )
            found.descriptors = (subscription,)
        return found

    def _reads(self, uuid: str, value: bytes) -> Characteristic[bytes]:
        """A characteristic that can only be read."""
        return Characteristic(uuid, _PROPERTY.READ, self._guarded(_PERMISSION.READABLE), value)

    def _answers(
        self, uuid: str, read: Callable[[], bytes], write: Callable[[bytes], None] | None = None
    ) -> Characteristic[bytes]:
        """A characteristic whose value is made when it is read, and that may be written."""
        properties, permissions = _PROPERTY.READ, _PERMISSION.READABLE
        if write is not None:
            properties, permissions = properties | _PROPERTY.WRITE, permissions | _PERMISSION.WRITEABLE
        held: Any = AttributeValue(lambda _: read(), lambda _, written: write and write(written))
        return Characteristic(uuid, properties, self._guarded(permissions), held)

    def _takes(self, uuid: str, write: Callable[[bytes], None]) -> Characteristic[bytes]:
        """A characteristic that can only be written, with a confirmation or without."""
        held: Any = AttributeValue(None, lambda _, written: write(written))
        properties = _PROPERTY.WRITE | _PROPERTY.WRITE_WITHOUT_RESPONSE
        return Characteristic(uuid, properties, self._guarded(_PERMISSION.WRITEABLE), held)

    def _offer(self, service: str, *characteristics: Characteristic[bytes]) -> None:
        """Have a service; what tells first of all is what `subscribed` is about."""
        self._services.append(service)
        telling = (one for one in characteristics if one.properties & (_PROPERTY.NOTIFY | _PROPERTY.INDICATE))
        self._first = self._first or next(telling, None)
        self._device.add_service(Service(service, list(characteristics)))

    def _heard(self, characteristic: Characteristic[bytes]) -> bool:
        """Whether somebody listens."""
        return characteristic in self._listeners

    def _measured(self, what: str, value: T) -> T:
        """The value, or what was measured before while the wearable is frozen."""
        if not self.vices.frozen:
            self._measured_last[what] = value
        return cast("T", self._measured_last.setdefault(what, value))

    async def _say(
        self, characteristic: Characteristic[bytes], payload: bytes, note: Callable[[], object] = _nothing
    ) -> None:
        """Tell who listens, as the vices allow; `note` is called when the packet leaves."""
        vices, now = self.vices, self._time.monotonic()
        if vices.silent or self._chance.random() < vices.dropped or _number(characteristic) in vices.mute:
            return
        self._held.append(_Packet(now, characteristic, payload, note))
        if len(self._held) < vices.bunched:
            return
        due = [packet for packet in self._held if packet.made_at <= now - vices.late_s]
        del self._held[: len(due)]
        for packet in due:
            await self._send(packet)

    async def _indicate(self, characteristic: Characteristic[bytes], payload: bytes) -> bool:
        """Indicate to who listens; whether it was confirmed."""
        connection = self._listeners.get(characteristic)
        if connection is None or self.vices.silent or _number(characteristic) in self.vices.mute:
            return False
        try:
            await while_connected(connection, self._device.indicate_subscriber(connection, characteristic, payload))
        except ConnectionResetError:
            return False
        return True

    def _damaged(self, payload: bytes) -> bytes:
        """The payload, cut off where the vices have it so."""
        if not self.vices.malformed or self._chance.random() >= self.vices.malformed:
            return payload
        self.damaged += 1
        return payload[: self._chance.randrange(len(payload))]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside what goes on; it ends with the connection."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _on_heard(self, characteristic: Characteristic[bytes]) -> None:
        """Somebody has begun to listen; for a twin that has something to say then."""

    def _on_gone(self) -> None:
        """The link is gone; for a twin that must begin anew."""

    async def _send(self, packet: _Packet) -> None:
        connection = self._listeners.get(packet.characteristic)
        if connection is None:
            return
        payload = self._damaged(packet.payload)
        if payload == packet.payload:
            packet.note()
        await self._device.notify_subscriber(connection, packet.characteristic, payload)

    async def _advertise(self) -> None:
        numbers = [UUID(service) for service in self._services if len(service) == 4][:_SERVICES_ADVERTISED]
        data = AdvertisingData(
            [
                (AdvertisingData.FLAGS, bytes((0x06,))),
                (
                    AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
                    b"".join(number.to_pdu_bytes() for number in numbers),
                ),
                (AdvertisingData.COMPLETE_LOCAL_NAME, self.name.encode()),
            ]
        )
        await self._device.start_advertising(
            advertising_data=bytes(data),
            auto_restart=True,
            advertising_interval_min=_ADVERTISING_INTERVAL_MS,
            advertising_interval_max=_ADVERTISING_INTERVAL_MS,
        )

    def _guarded(self, permissions: Characteristic.Permissions) -> Characteristic.Permissions:
        """The same, and only for who is paired, where pairing is required."""
        if self._pairing and permissions & _PERMISSION.READABLE:
            permissions |= _PERMISSION.READ_REQUIRES_AUTHENTICATION
        if self._pairing and permissions & _PERMISSION.WRITEABLE:
            permissions |= _PERMISSION.WRITE_REQUIRES_AUTHENTICATION
        return permissions

    def _on_connection(self, connection: Connection) -> None:
        self.connections += 1
        connection.on("disconnection", self._on_disconnection)

    def _on_disconnection(self, _reason: int) -> None:
        self._listeners.clear()
        self.subscribed.clear()
        for task in self._tasks:
            task.cancel()
        self._on_gone()

    def _on_subscription(
        self,
        characteristic: Characteristic[bytes],
        connection: Connection,
        notify: bool,  # noqa: FBT001 bumble's call
        indicate: bool,  # noqa: FBT001 bumble's call
    ) -> None:
        listens = notify or indicate
        if listens:
            self._listeners[characteristic] = connection
            self._on_heard(characteristic)
        else:
            self._listeners.pop(characteristic, None)
        if characteristic is self._first:
            (self.subscribed.set if listens else self.subscribed.clear)()

    def _read_clock(self) -> bytes:
        return current_time.encode(current_time.clock_at(self.clock.local(), current_time.Adjusted(0)))

    def _write_clock(self, written: bytes) -> None:
        try:
            local = current_time.decode(written).time.as_datetime()
        except DecodeError as error:
            raise ATT_Error(VALUE_NOT_ALLOWED) from error
        if local is None:
            raise ATT_Error(VALUE_NOT_ALLOWED)
        self.clock.set(local.astimezone().timestamp())


def _number(characteristic: Characteristic[bytes]) -> str:
    """How a service numbers it, such as 2A37; of a maker's own the whole UUID in lower case."""
    number: str = characteristic.uuid.to_hex_str("-")
    return number if len(number) == 4 else number.lower()
