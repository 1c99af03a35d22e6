"""What an emulated bluetoothd does with its adapter: power, and scans of both kinds."""

from __future__ import annotations

import asyncio
from typing import Final

from bumble.device import Advertisement, Device
from dbus_fast import Message, MessageType, Variant

from tests.fakes.bluez_gatt import Reply
from tests.fakes.bluez_objects import ADAPTER, MONITOR, MONITOR_MANAGER, PROPERTIES, BluezError, Interfaces, ObjectTree

ADAPTER_PATH: Final = "/org/bluez/hci0"
_NOTHING: Final[Reply] = ("", [], [])

# bleak shows its monitor on the bus a moment after it has registered it.
_LOOKS_FOR_MONITOR: Final = 50

Pattern = tuple[int, int, bytes]  # where in which kind of advertised data stands what


class AdapterOfBluez:
    """hci0. `monitors` says whether this BlueZ can scan passively, `may_switch` whether who asks may switch it."""

    def __init__(self, tree: ObjectTree, central: Device) -> None:
        self.monitors = True
        self.may_switch = True
        self._tree = tree
        self._central = central
        self._discovering: set[str] = set()
        self._monitoring: dict[tuple[str, str], list[Pattern]] = {}

    def plug(self) -> None:
        managers: Interfaces = {MONITOR_MANAGER: {}} if self.monitors else {}
        self._tree.add(ADAPTER_PATH, {ADAPTER: _properties(), **managers})

    async def forget_scans(self) -> None:
        """End every scan without a word."""
        self._discovering.clear()
        self._monitoring.clear()
        if self._central.scanning:
            await self._central.stop_scanning()

    def show_power(self, *, on: bool) -> None:
        self._tree.change(ADAPTER_PATH, ADAPTER, Powered=Variant("b", on), Discovering=Variant("b", False))

    def hears(self, advertisement: Advertisement) -> bool:
        """Whether a scan tells of it."""
        if ADAPTER_PATH not in self._tree.objects:
            return False
        return bool(self._discovering) or any(
            value[start : start + len(content)] == content
            for patterns in self._monitoring.values()
            for start, kind, content in patterns
            for sent, value in advertisement.data.ad_structures
            if sent == kind
        )

    @property
    def scans(self) -> list[str]:
        """Which kinds of scan run."""
        return ["active"] * len(self._discovering) + ["passive"] * len(self._monitoring)

    async def set_discovery_filter(self, _path: str, _message: Message) -> Reply:
        return _NOTHING

    async def start_discovery(self, path: str, message: Message) -> Reply:
        self._check_power()
        if message.sender in self._discovering:
            raise BluezError("InProgress", "Operation already in progress")
        self._discovering.add(message.sender or "")
        await self._scan()
        self._tree.change(path, ADAPTER, Discovering=Variant("b", True))
        return _NOTHING

    async def stop_discovery(self, path: str, message: Message) -> Reply:
        if message.sender not in self._discovering:
            raise BluezError("Failed", "No discovery started")
        self._discovering.discard(message.sender)
        if not self._discovering:
            await self._rest()
            self._tree.change(path, ADAPTER, Discovering=Variant("b", False))
        return _NOTHING

    async def register_monitor(self, _path: str, message: Message) -> Reply:
        self._check_power()
        looking = asyncio.get_running_loop().create_task(self._look_for_monitor(message.sender or "", message.body[0]))
        self._tree.keep(looking)
        return _NOTHING

    async def unregister_monitor(self, _path: str, message: Message) -> Reply:
        if self._monitoring.pop((message.sender or "", message.body[0]), None) is None:
            raise BluezError("DoesNotExist", "Does Not Exist")
        if not self.scans:
            await self._rest()
        return _NOTHING

    async def _look_for_monitor(self, sender: str, path: str) -> None:
        for _ in range(_LOOKS_FOR_MONITOR):
            if self._tree.bus is None:
                return
            asked = Message(sender, path, PROPERTIES, "GetAll", signature="s", body=[MONITOR])
            reply = await self._tree.bus.call(asked)
            if reply.message_type is MessageType.METHOD_RETURN:
                patterns = reply.body[0]["Patterns"].value
                self._monitoring[sender, path] = [(start, kind, bytes(content)) for start, kind, content in patterns]
                await self._scan()
                return
            await asyncio.sleep(0.01)

    def _check_power(self) -> None:
        if not self._tree.objects[ADAPTER_PATH][ADAPTER]["Powered"].value:
            raise BluezError("NotReady", "Resource Not Ready")

    async def _scan(self) -> None:
        if not self._central.scanning:
            await self._central.start_scanning(filter_duplicates=False)

    async def _rest(self) -> None:
        if not self.scans and self._central.scanning:
            await self._central.stop_scanning()


def _properties() -> dict[str, Variant]:
    return {
        "Address": Variant("s", "00:11:22:33:44:55"),
        "AddressType": Variant("s", "public"),
        "Name": Variant("s", "emulated"),
        "Alias": Variant("s", "emulated"),
        "Powered": Variant("b", True),
        "Discovering": Variant("b", False),
        "Roles": Variant("as", ["central", "peripheral"]),
    }
