"""bleak's ordinary API on a bumble central: a scanner and a client, as bleak's own backends are built."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, TypeVar

from bleak.args import SizedBuffer
from bleak.assigned_numbers import CharacteristicPropertyName
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError, BleakGATTProtocolErrorCode
from bleak.uuids import normalize_uuid_str
from bumble.att import ATT_Error
from bumble.core import UUID, AdvertisingData, BaseBumbleError
from bumble.device import Advertisement, Connection, Device, Peer
from bumble.gatt import Characteristic
from bumble.gatt_client import CharacteristicProxy, Client, ServiceProxy
from bumble.hci import Address, HCI_LE_Create_Connection_Cancel_Command
from bumble.keys import PairingKeys

from edge.virtual.connection import hang_up, is_up, while_connected

T = TypeVar("T")

# Names that bleak gives to the property bits: Bluetooth Core Specification 5.4, volume 3, part G, 3.3.1.1.
_PROPERTIES: Final[dict[Characteristic.Properties, CharacteristicPropertyName]] = {
    Characteristic.Properties.BROADCAST: "broadcast",
    Characteristic.Properties.READ: "read",
    Characteristic.Properties.WRITE_WITHOUT_RESPONSE: "write-without-response",
    Characteristic.Properties.WRITE: "write",
    Characteristic.Properties.NOTIFY: "notify",
    Characteristic.Properties.INDICATE: "indicate",
}

# How many octets one service UUID takes in each kind of advertised list: Core Specification Supplement 11, part A, 1.1.
_UUID_SIZES: Final = {
    AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    AdvertisingData.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
    AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
}
_NAMES: Final = (AdvertisingData.COMPLETE_LOCAL_NAME, AdvertisingData.SHORTENED_LOCAL_NAME)

# 517 holds the longest attribute, 512 octets, and its header: Core Specification 5.4, volume 3, part F, 3.2.9.
_LARGEST_MTU: Final = 517


def scanner_backend(central: Device) -> type[BaseBleakScanner]:
    """A scanner class for BleakScanner(backend=…) that listens with `central`."""
    return type("BumbleScannerOnCentral", (BumbleScanner,), {"central": central})


def client_backend(central: Device) -> type[BaseBleakClient]:
    """A client class for BleakClient(…, backend=…) that connects from `central`."""
    return type("BumbleClientOnCentral", (BumbleClient,), {"central": central})


async def subscribe(client: Client, proxy: CharacteristicProxy[bytes], subscriber: Callable[[bytes], None]) -> None:
    """Subscribe; who is refused is not told all the same, as bumble's client would do after a later subscription."""
    try:
        await client.subscribe(proxy, subscriber)
    except ATT_Error:
        for subscribers in (client.notification_subscribers, client.indication_subscribers):
            subscribers.get(proxy.handle, set()).discard(subscriber)
        raise


def uuid_string(uuid: UUID) -> str:
    """The 128-bit form in lower case that bleak uses."""
    return normalize_uuid_str(uuid.to_hex_str("-"))


@dataclass(slots=True)
class Advertised:
    """What an advertisement says; bumble's wearables put all of it into one packet."""

    name: str | None = None
    service_uuids: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, data: AdvertisingData) -> Advertised:
        """Read the name and the services, which is all that a chest strap advertises."""
        found = cls()
        for kind, value in data.ad_structures:
            if kind in _NAMES:
                found.name = value.decode("utf-8", "replace")
            elif size := _UUID_SIZES.get(kind):
                chunks = (value[at : at + size] for at in range(0, len(value), size))
                found.service_uuids += [uuid_string(UUID.from_bytes(chunk)) for chunk in chunks]
        return found


class BumbleScanner(BaseBleakScanner):
    """BleakScanner's backend; several may listen at once."""

    central: ClassVar[Device]
    _listening: ClassVar[set[BumbleScanner]] = set()

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        _scanning_mode: str = "active",
        **_options: object,
    ) -> None:
        super().__init__(detection_callback, service_uuids)

    async def start(self) -> None:
        """See BaseBleakScanner."""
        self.seen_devices = {}
        self.central.on("advertisement", self._heard)
        self._listening.add(self)
        if not self.central.scanning:
            await self.central.start_scanning(filter_duplicates=False)

    async def stop(self) -> None:
        """See BaseBleakScanner."""
        if self not in self._listening:
            return
        self._listening.discard(self)
        self.central.remove_listener("advertisement", self._heard)
        others = any(scanner.central is self.central for scanner in self._listening)
        if self.central.scanning and not others:
            await self.central.stop_scanning()

    def _heard(self, advertisement: Advertisement) -> None:
        said = Advertised.of(advertisement.data)
        if not self.is_allowed_uuid(said.service_uuids):
            return
        address = advertisement.address.to_string(with_type_qualifier=False)
        data = AdvertisementData(
            local_name=said.name,
            manufacturer_data={},
            service_data={},
            service_uuids=said.service_uuids,
            tx_power=None,
            rssi=advertisement.rssi,
            platform_data=(advertisement,),
        )
        details = {
            "address": advertisement.address,
            "props": {"AddressType": "public" if advertisement.address.is_public else "random"},  # as BlueZ has it
        }
        device = self.create_or_update_device(address, address, said.name, details, data)
        self.call_detection_callbacks(device, data)


class BumbleClient(BaseBleakClient):
    """BleakClient's backend; it wants a BLEDevice, since an address alone would need a scan of its own."""

    central: ClassVar[Device]

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        *,
        disconnected_callback: Callable[[], None] | None,
        timeout: float,
        **_options: object,
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout)
        self._device = address_or_ble_device if isinstance(address_or_ble_device, BLEDevice) else None
        self._connection: Connection | None = None
        self._peer: Peer | None = None
        self._subscribers: dict[int, Callable[[bytes], None]] = {}

    @property
    def name(self) -> str:
        """See BaseBleakClient."""
        return (self._device and self._device.name) or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        """See BaseBleakClient. 23 is what every link starts with: Core Specification 5.4, volume 3, part G, 5.2.1."""
        return self._connection.att_mtu if self._connection else 23

    @property
    def is_connected(self) -> bool:
        """See BaseBleakClient."""
        return self._connection is not None

    async def connect(self, pair: bool, **options: float) -> None:  # noqa: FBT001 bleak's own signature
        """See BaseBleakClient."""
        if self._device is None:
            raise BleakDeviceNotFoundError(self.address, f"{self.address} must be given as a BLEDevice")
        if self._connection is not None:
            raise BleakError("the client is connected already")
        async with asyncio.timeout(options.get("timeout", self._timeout)):
            connection = await self._link(self._device)
            connection.on("disconnection", self._on_disconnection)
            if not is_up(connection):
                raise BleakError("the wearable disconnected at once")
            self._connection, self._peer = connection, Peer(connection)
            try:
                await self._resume_bond(connection)
                await self._answer(self._discover(self._peer))
                if pair:
                    await self.pair()
            except BaseException:
                await hang_up(connection)
                raise

    async def _resume_bond(self, connection: Connection) -> None:
        """Encrypt with a bonded wearable; one that has lost the bond refuses, and goes on without."""
        if await self._bond() is not None:
            with suppress(BaseBumbleError):
                await while_connected(connection, connection.encrypt())

    async def _bond(self) -> PairingKeys | None:
        address, store = self._address(), self.central.keystore
        return None if store is None else await store.get(str(address))

    def _address(self) -> Address:
        if self._device is None:
            return Address(self.address)
        address: Address = self._device.details["address"]
        return address

    async def _link(self, device: BLEDevice) -> Connection:
        connecting = asyncio.ensure_future(self.central.connect(device.details["address"], timeout=None))
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            # It may succeed in the very moment in which it is given up; nobody must be left connected.
            await self.central.send_sync_command(HCI_LE_Create_Connection_Cancel_Command())
            with suppress(BaseBumbleError):
                await hang_up(await connecting)
            raise
        except BaseBumbleError as error:
            raise BleakError(f"connecting to {self.address} failed: {error}") from error

    async def _discover(self, peer: Peer) -> None:
        await peer.request_mtu(_LARGEST_MTU)
        collection = BleakGATTServiceCollection()
        for service in await peer.discover_services():
            described = BleakGATTService(service, service.handle, uuid_string(service.uuid))
            collection.add_service(described)
            await self._discover_characteristics(service, described, collection)
        self.services = collection

    async def _discover_characteristics(
        self, service: ServiceProxy, described: BleakGATTService, collection: BleakGATTServiceCollection
    ) -> None:
        for proxy in await service.discover_characteristics():
            properties = [name for bit, name in _PROPERTIES.items() if proxy.properties & bit]
            characteristic = BleakGATTCharacteristic(
                proxy, proxy.handle, uuid_string(proxy.uuid), properties, lambda: self.mtu_size - 3, described
            )
            collection.add_characteristic(characteristic)
            for found in await proxy.discover_descriptors():
                collection.add_descriptor(
                    BleakGATTDescriptor(found, found.handle, uuid_string(found.type), characteristic)
                )

    def _on_disconnection(self, _reason: int) -> None:
        self._connection = self._peer = self.services = None
        self._subscribers.clear()
        if self._disconnected_callback:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        """See BaseBleakClient."""
        if self._connection is not None:
            await hang_up(self._connection)

    async def pair(self, *_arguments: object, **_options: object) -> None:
        """See BaseBleakClient. Like BlueZ's backend, it does nothing where there is a bond already."""
        connection = self._connected().connection
        if await self._bond() is None:
            try:
                await self._answer(connection.pair())
            except BaseBumbleError as error:
                raise BleakError(f"pairing with {self.address} failed: {error}") from error

    async def unpair(self) -> None:
        """See BaseBleakClient."""
        if self._connection is not None:
            await hang_up(self._connection)
        if await self._bond() is None or self.central.keystore is None:
            raise BleakDeviceNotFoundError(self.address, f"there is no bond with {self.address}")
        await self.central.keystore.delete(str(self._address()))

    async def read_gatt_char(self, characteristic: BleakGATTCharacteristic, **_options: object) -> bytearray:
        """See BaseBleakClient."""
        return await self._read(characteristic.handle)

    async def read_gatt_descriptor(self, descriptor: BleakGATTDescriptor, **_options: object) -> bytearray:
        """See BaseBleakClient."""
        return await self._read(descriptor.handle)

    async def write_gatt_char(
        self,
        characteristic: BleakGATTCharacteristic,
        data: SizedBuffer,
        response: bool,  # noqa: FBT001 bleak's own signature
    ) -> None:
        """See BaseBleakClient."""
        await self._write(characteristic.handle, data, response=response)

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        """See BaseBleakClient."""
        await self._write(descriptor.handle, data, response=True)

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **_options: object
    ) -> None:
        """See BaseBleakClient."""

        def subscriber(value: bytes) -> None:
            # bumble keeps a subscriber whose subscription was refused, beside the one that comes after.
            if self._subscribers.get(characteristic.handle) is subscriber:
                callback(bytearray(value))

        self._subscribers[characteristic.handle] = subscriber
        proxy: CharacteristicProxy[bytes] = characteristic.obj
        await self._answer(subscribe(self._connected().gatt_client, proxy, subscriber))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """See BaseBleakClient."""
        subscriber = self._subscribers.pop(characteristic.handle, None)
        await self._answer(self._connected().gatt_client.unsubscribe(characteristic.obj, subscriber))

    async def _read(self, handle: int) -> bytearray:
        return bytearray(await self._answer(self._connected().gatt_client.read_value(handle)))

    async def _write(self, handle: int, data: SizedBuffer, *, response: bool) -> None:
        await self._answer(self._connected().gatt_client.write_value(handle, bytes(data), response))

    def _connected(self) -> Peer:
        if self._peer is None:
            raise BleakError("not connected")
        return self._peer

    async def _answer(self, procedure: Coroutine[Any, Any, T]) -> T:
        """Await one ATT procedure; a link that drops meanwhile, and an error response, become bleak's errors."""
        try:
            return await while_connected(self._connected().connection, procedure)
        except ConnectionResetError as error:
            raise BleakError("the wearable disconnected") from error
        except ATT_Error as error:
            raise BleakGATTProtocolError(BleakGATTProtocolErrorCode(error.error_code)) from error
