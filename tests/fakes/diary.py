"""What a link tells, for a test to wait for."""

from __future__ import annotations

import asyncio

from edge.bluetooth.link import LinkState, LinkStatus, Packet
from edge.wearables.heart_rate import MEASUREMENT, HeartRateMeasurement, decode


class Diary:
    """Give `on_packet` and `on_state` to a Link."""

    def __init__(self) -> None:
        self.packets: list[Packet] = []
        self.states: list[LinkStatus] = []
        self._news = asyncio.Event()

    @property
    def measurements(self) -> list[HeartRateMeasurement]:
        return [decode(packet.payload) for packet in self.packets if packet.characteristic == MEASUREMENT]

    def on_packet(self, packet: Packet) -> None:
        self.packets.append(packet)
        self._news.set()

    def on_state(self, status: LinkStatus) -> None:
        self.states.append(status)
        self._news.set()

    async def state(self, wanted: LinkState) -> LinkStatus:
        """Wait for the next time that the link enters this state."""
        at = len(self.states)
        while True:
            for status in self.states[at:]:
                if status.state is wanted:
                    return status
            at = len(self.states)
            await self._more()

    async def heart_rates(self, more: int) -> None:
        """Wait for as many more heart rate packets."""
        wanted = len(self.measurements) + more
        while len(self.measurements) < wanted:
            await self._more()

    async def _more(self) -> None:
        self._news.clear()
        await self._news.wait()
