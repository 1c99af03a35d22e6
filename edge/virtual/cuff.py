"""A virtual blood pressure cuff."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Unpack

from edge.clock import Clock
from edge.virtual.radio import VirtualRadio
from edge.virtual.spot import SpotWearable
from edge.virtual.wearable import Options
from edge.wearables.blood_pressure import BloodPressure, Status, encode
from edge.wearables.ieee11073 import Number, Special


class VirtualCuff(SpotWearable[BloodPressure]):
    """A cuff within reach of a VirtualRadio: `start` it, then `measure`."""

    default_name: ClassVar[str] = "Cuff"
    default_address: ClassVar[str] = "C0:DE:00:00:01:10"
    model: ClassVar[str] = "Virtual cuff"

    def __init__(self, radio: VirtualRadio, clock: Clock, **options: Unpack[Options]) -> None:
        super().__init__(radio, clock, **options)
        self._measurement = self._tells("2A35", indicate=True)
        self._cuff_pressure = self._tells("2A36")
        self._offer("1810", self._measurement, self._cuff_pressure, self._reads("2A49", bytes(2)))

    async def measure(
        self,
        systolic: Number,
        diastolic: Number,
        *,
        pulse: Number | None = None,
        inflating: Sequence[float] = (),
        kilopascal: bool = False,
        user: int | None = None,
        status: Status | None = None,
        stamped: bool = True,
    ) -> None:
        """Measure pressures, after the cuff has been inflated to each of `inflating`, all in mmHg or in kPa."""
        for pressure in inflating:
            passing = BloodPressure(pressure, Special.NAN, Special.NAN, kilopascal)
            await self._say(self._cuff_pressure, encode(passing))
        upper, lower = self._measured("pressures", (systolic, diastolic))
        mean = _mean(upper, lower)
        stamp = self.clock.stamp() if stamped else None
        measured = BloodPressure(upper, lower, mean, kilopascal, stamp, pulse, user, status)
        await self._take(self._measurement, encode(measured), measured)


def _mean(systolic: Number, diastolic: Number) -> Number:
    """What a cuff might say; the diastolic pressure counts twice, as it lasts twice as long. Our choice."""
    if isinstance(systolic, Special) or isinstance(diastolic, Special):
        return Special.NAN
    return round((systolic + 2.0 * diastolic) / 3.0, 1)
