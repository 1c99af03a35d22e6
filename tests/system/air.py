"""The air around the machine: virtual wearables, and the adapter that the machine's kernel drives through a socket."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bumble import hci, ll
from bumble.link import LocalLink
from bumble.transport.common import Transport
from bumble.transport.unix import open_unix_client_transport

from edge.virtual.connection import VirtualController
from edge.virtual.radio import VirtualRadio

_ADDRESS: Final = "F0:00:00:00:00:01"
# bumble 0.0.236 offers these, and lacks the events that Linux then waits for (LE Enhanced Connection Complete).
_NOT_IN_FULL: Final = hci.LeFeatureMask.LL_PRIVACY | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING


class Adapter(VirtualController):
    """The controller of the machine's adapter; its host is the kernel in the machine."""

    def __init__(self, link: LocalLink, transport: Transport) -> None:
        super().__init__(
            "machine",
            host_source=transport.source,
            host_sink=transport.sink,
            link=link,
            public_address=_ADDRESS,
        )
        self.le_features &= ~_NOT_IN_FULL

    @property
    def random_address(self) -> hci.Address:
        """The public one: BlueZ connects from it, and bumble's link signs all data with this one."""
        return self.public_address

    @random_address.setter
    def random_address(self, address: hci.Address | str) -> None:
        """Linux sets one for scans, which nobody here asks for."""

    def on_hci_reset_command(self, command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        """Bluetooth Core Specification 5.4, volume 4, part E, 7.3.2: nothing of what went on goes on."""
        self.let_go()
        return super().on_hci_reset_command(command)

    def let_go(self) -> None:
        """Say nothing more to anybody: each wearable finds out when its supervision time is over."""
        self.le_scan_enable = False
        self.pending_le_connection = None
        for connection in self.le_connections.values():
            connection.send_ll_control_pdu(ll.TerminateInd(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR))
        self.le_connections.clear()


class Air(VirtualRadio):
    """A VirtualRadio in which the machine's adapter can be plugged in and pulled out; its own central stays silent."""

    _plugged: tuple[Adapter, Transport] | None = None

    async def plug_in(self, socket: Path) -> None:
        """Give the machine its adapter: `socket` carries HCI packets to and from it, each after its type's octet."""
        transport = await open_unix_client_transport(str(socket))
        self._plugged = Adapter(self._link, transport), transport

    async def pull_out(self) -> None:
        """Take the adapter away in the midst of everything."""
        if self._plugged is None:
            return
        (adapter, transport), self._plugged = self._plugged, None
        adapter.let_go()
        self._link.remove_controller(adapter)
        await transport.close()
