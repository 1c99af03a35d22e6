"""A virtual thermometer: temperatures, and how they rise until they are measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Unpack

from edge.clock import Clock
from edge.virtual.radio import VirtualRadio
from edge.virtual.spot import SpotWearable
from edge.virtual.wearable import Options
from edge.wearables.ieee11073 import Number
from edge.wearables.thermometer import Site, TemperatureMeasurement, encode


class VirtualThermometer(SpotWearable[TemperatureMeasurement]):
    """A thermometer within reach of a VirtualRadio: `start` it, then `measure`."""

    default_name: ClassVar[str] = "Thermometer"
    default_address: ClassVar[str] = "C0:DE:00:00:01:09"
    model: ClassVar[str] = "Virtual thermometer"

    def __init__(self, radio: VirtualRadio, clock: Clock, **options: Unpack[Options]) -> None:
        super().__init__(radio, clock, **options)
        self._measurement = self._tells("2A1C", indicate=True)
        self._intermediate = self._tells("2A1E")
        self._offer("1809", self._measurement, self._reads("2A1D", bytes((Site.EAR,))), self._intermediate)

    async def measure(
        self,
        temperature: Number,
        *,
        rising: Sequence[float] = (),
        fahrenheit: bool = False,
        site: Site | None = Site.EAR,
        stamped: bool = True,
    ) -> None:
        """Measure a temperature, after the display has shown those `rising`, all in degrees of the same scale."""
        for shown in rising:
            passing = TemperatureMeasurement(shown, fahrenheit, None, site)
            await self._say(self._intermediate, encode(passing))
        measured = TemperatureMeasurement(
            self._measured("temperature", temperature), fahrenheit, self.clock.stamp() if stamped else None, site
        )
        await self._take(self._measurement, encode(measured), measured)
