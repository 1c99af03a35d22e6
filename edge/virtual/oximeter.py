"""A virtual pulse oximeter: a stream while it is worn, and spot checks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from functools import partial
from typing import ClassVar, Unpack

from edge.clock import Clock
from edge.virtual.radio import VirtualRadio
from edge.virtual.spot import Measured, SpotWearable
from edge.virtual.wearable import Options
from edge.wearables.ieee11073 import Number
from edge.wearables.pulse_oximeter import (
    Continuous,
    Oximetry,
    SensorStatus,
    SpotCheck,
    Status,
    encode_continuous,
    encode_spot_check,
)


class VirtualOximeter(SpotWearable[SpotCheck]):
    """An oximeter within reach of a VirtualRadio: `start` it, then `play` a night, or `check` once.

    `sent` holds the last spot checks that were confirmed, `streamed` the last packets of the stream that left it.
    Assign `status` and `sensor_status` for what it does not vouch for; whether it is worn, `vices.contact` says.
    """

    default_name: ClassVar[str] = "Oximeter"
    default_address: ClassVar[str] = "C0:DE:00:00:01:22"
    model: ClassVar[str] = "Virtual oximeter"

    def __init__(self, radio: VirtualRadio, clock: Clock, **options: Unpack[Options]) -> None:
        super().__init__(radio, clock, **options)
        self.streamed: deque[Measured[Continuous]] = deque(maxlen=self._remembered)
        self.status: Status | None = None
        self.sensor_status = SensorStatus(0)
        self._continuous = self._tells("2A5F")
        self._spot_check = self._tells("2A5E", indicate=True)
        self._offer("1822", self._continuous, self._spot_check, self._reads("2A60", bytes(2)))

    async def play(self, values: Iterable[tuple[Number, Number]]) -> None:
        """Tell SpO2 (percent) and pulse (bpm) every second from now on."""
        began = self._time.monotonic()
        for second, (spo2, pulse) in enumerate(values, 1):
            await self._time.sleep(max(0.0, began + second - self._time.monotonic()))
            value = self._measured("stream", Oximetry(spo2, pulse))
            measured = Continuous(value, status=self.status, sensor_status=self._sensor())
            noted = Measured(self._time.wall(), measured)
            await self._say(self._continuous, encode_continuous(measured), partial(self.streamed.append, noted))

    async def check(self, spo2: Number, pulse: Number, *, stamped: bool = True) -> None:
        """Measure once."""
        value = self._measured("spot", Oximetry(spo2, pulse))
        stamp = self.clock.stamp() if stamped else None
        measured = SpotCheck(value, stamp, self.status, self._sensor())
        await self._take(self._spot_check, encode_spot_check(measured), measured)

    def _sensor(self) -> SensorStatus | None:
        if self.vices.contact is None:
            return None
        return self.sensor_status | (SensorStatus(0) if self.vices.contact else SensorStatus.UNCONNECTED_TO_USER)
