"""A home in a process of its own that floods whoever listens: flooding_home STRAPS PACKETS.

It prints its bus's address, and sends PACKETS heart rate packets from every strap for each line that it reads.
"""

from __future__ import annotations

import asyncio
import sys

from edge.clock import SystemClock
from edge.wearables.heart_rate import MEASUREMENT, HeartRateMeasurement, encode
from tests.fakes.home import virtual_home

PACKET = encode(HeartRateMeasurement(72, contact=True, rr_ticks=(850,)))


async def main(straps: int, packets: int) -> None:
    async with virtual_home(SystemClock(), straps) as home:
        sys.stdout.write(f"{home.bus.address}\n")
        sys.stdout.flush()
        while await asyncio.to_thread(sys.stdin.readline):
            await home.bluez.flood(MEASUREMENT, PACKET, packets)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
