"""A virtual scale, which also makes something of the body's impedance."""

from __future__ import annotations

from typing import ClassVar, Unpack

from edge.clock import Clock
from edge.virtual.radio import VirtualRadio
from edge.virtual.spot import SpotWearable
from edge.virtual.wearable import Options
from edge.wearables import body_composition, weight_scale
from edge.wearables.body_composition import BodyComposition
from edge.wearables.scale_fields import KG_PER_IMPERIAL_STEP, KG_PER_STEP
from edge.wearables.weight_scale import WeightMeasurement


class VirtualScale(SpotWearable[WeightMeasurement | BodyComposition]):
    """A scale within reach of a VirtualRadio: `start` it, then `weigh` somebody."""

    default_name: ClassVar[str] = "Scale"
    default_address: ClassVar[str] = "C0:DE:00:00:01:1D"
    model: ClassVar[str] = "Virtual scale"

    def __init__(self, radio: VirtualRadio, clock: Clock, **options: Unpack[Options]) -> None:
        super().__init__(radio, clock, **options)
        self._weight = self._tells("2A9D", indicate=True)
        self._composition = self._tells("2A9C", indicate=True)
        self._offer("181D", self._weight, self._reads("2A9E", bytes(4)))
        self._offer("181B", self._composition, self._reads("2A9B", bytes(4)))

    async def weigh(
        self,
        kg: float | None,
        *,
        body_fat: float | None = None,
        imperial: bool = False,
        user: int | None = None,
        stamped: bool = True,
    ) -> None:
        """Weigh somebody, None if that failed; `body_fat` in percent is told where it was measured."""
        step = KG_PER_IMPERIAL_STEP if imperial else KG_PER_STEP
        steps = self._measured("weight", None if kg is None else round(kg / step))
        stamp = self.clock.stamp() if stamped else None
        weight = WeightMeasurement(steps, imperial, stamp, user)
        await self._take(self._weight, weight_scale.encode(weight), weight)
        if body_fat is not None:
            tenths = self._measured("body fat", round(body_fat * 10))
            composition = BodyComposition(tenths, imperial, stamp, user, impedance=5000)
            await self._take(self._composition, body_composition.encode(composition), composition)
