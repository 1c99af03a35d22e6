"""What bumble lacks where links drop at bad moments: answers of its controller, and an end to what waits for one.

Its host and its controller put every packet into words for a log that nobody reads, which takes most of their time;
ours leave that out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from bumble import controller
from bumble.core import BaseBumbleError
from bumble.device import Connection
from bumble.hci import (
    Address,
    HCI_AclDataPacket,
    HCI_Command,
    HCI_Disconnect_Command,
    HCI_ErrorCode,
    HCI_Event,
    HCI_LE_Connection_Complete_Event,
    HCI_LE_Create_Connection_Cancel_Command,
    HCI_Packet,
    HCI_StatusReturnParameters,
    Role,
)
from bumble.host import Host

T = TypeVar("T")


class VirtualController(controller.Controller):
    """A controller that can give up a connection, and that refuses to end one which has gone."""

    def on_hci_le_create_connection_cancel_command(
        self, command: HCI_LE_Create_Connection_Cancel_Command
    ) -> HCI_StatusReturnParameters:
        """Bluetooth Core Specification 5.4, volume 4, part E, 7.8.13: the connection completes as an unknown one."""
        if (pending := self.pending_le_connection) is not None:
            self.pending_le_connection = None
            given_up = HCI_LE_Connection_Complete_Event(
                status=HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=Role.CENTRAL,
                peer_address_type=pending.peer_address.address_type,
                peer_address=pending.peer_address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            )
            asyncio.get_running_loop().call_soon(self.send_hci_packet, given_up)
        return super().on_hci_le_create_connection_cancel_command(command)

    def create_le_connection(self, peer_address: Address) -> None:
        """Whom the wearable does not answer, since it ceased to advertise meanwhile, has no connection (error 0x3E)."""
        super().create_le_connection(peer_address)
        asyncio.get_running_loop().call_soon(self._check_establishment, peer_address)

    def _check_establishment(self, peer_address: Address) -> None:
        connection = self.le_connections.get(peer_address)
        if connection is not None and not any(
            connection.self_address in other.le_connections for other in self.link.controllers
        ):
            self.on_le_disconnected(connection, HCI_ErrorCode.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR)

    def send_hci_packet(self, packet: HCI_Packet) -> None:
        """Give the host a packet, once what is under way is done."""
        if self.host is not None:
            asyncio.get_running_loop().call_soon(self.host.on_packet, bytes(packet))

    def on_hci_packet(self, packet: HCI_Packet) -> None:
        """Take a packet of the host."""
        if isinstance(packet, HCI_AclDataPacket):
            self.on_hci_acl_data_packet(packet)
        elif isinstance(packet, HCI_Command):
            self.on_hci_command_packet(packet)
        else:
            super().on_hci_packet(packet)

    def on_hci_disconnect_command(self, command: HCI_Disconnect_Command) -> None:
        """Bluetooth Core Specification 5.4, volume 4, part E, 7.1.6: a connection that is gone cannot be ended."""
        if self.find_le_connection_by_handle(command.connection_handle) is None:
            self._send_hci_command_status(HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, command.op_code)
        else:
            super().on_hci_disconnect_command(command)


class VirtualHost(Host):
    """A host that keeps its packets to itself, and waits for every command's answer, whoever stops waiting for it."""

    async def _send_command(self, command: Any, response_timeout: float | None = None) -> Any:  # noqa: ANN401  bumble's
        # An answer that nobody waits for any more would be taken for that of the next command, which then never ends.
        return await asyncio.shield(super()._send_command(command, response_timeout))

    def send_hci_packet(self, packet: HCI_Packet) -> None:
        """Give the controller a packet."""
        if self.hci_sink is not None:
            self.hci_sink.on_packet(bytes(packet))

    def on_hci_packet(self, packet: HCI_Packet) -> None:
        """Take a packet of the controller."""
        if isinstance(packet, HCI_AclDataPacket):
            self.on_hci_acl_data_packet(packet)
        elif isinstance(packet, HCI_Event):
            self.on_hci_event_packet(packet)
        else:
            super().on_hci_packet(packet)


async def hang_up(connection: Connection) -> None:
    """End a connection, if the other side has not done so in the same moment."""
    try:
        await connection.disconnect()
    except BaseBumbleError:
        if is_up(connection):
            raise


def is_up(connection: Connection) -> bool:
    """Whether neither side has ended it yet."""
    return connection in connection.device.connections.values()


async def while_connected(connection: Connection, procedure: Coroutine[Any, Any, T]) -> T:
    """Await a GATT procedure; raises ConnectionResetError as soon as the link is gone.

    Whoever stops waiting does not stop the procedure, since bumble stumbles over an answer that nobody expects; the end
    of the link does. Its cancellation may be lost in asyncio.wait_for (bpo-37658, before Python 3.12), so the link's
    end is awaited as well.
    """
    if not is_up(connection):
        procedure.close()
        raise ConnectionResetError("the link is gone")
    gone = asyncio.get_running_loop().create_future()
    running = asyncio.ensure_future(procedure)

    def on_gone(_reason: int) -> None:
        running.cancel()
        gone.set_result(None)

    connection.on("disconnection", on_gone)
    running.add_done_callback(lambda _: connection.remove_listener("disconnection", on_gone))
    await asyncio.wait({running, gone}, return_when=asyncio.FIRST_COMPLETED)
    if not running.done() or running.cancelled():
        running.cancel()
        raise ConnectionResetError("the link dropped")
    return running.result()
