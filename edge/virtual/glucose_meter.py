"""A virtual blood glucose meter, which stores its measurements until it is asked for them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final, Unpack

from edge.clock import Clock
from edge.virtual.radio import VirtualRadio
from edge.virtual.record_keeper import RecordKeeper
from edge.virtual.wearable import Options
from edge.wearables.glucose_meter import (
    MG_PER_DL_OF_KG_PER_L,
    MG_PER_DL_OF_MOL_PER_L,
    Concentration,
    Context,
    GlucoseMeasurement,
    Status,
    encode,
    encode_context,
)

# Capillary whole blood from a finger: Glucose Service 1.0, 3.1.
_CAPILLARY: Final = 1
_FINGER: Final = 1
# Control solution, as a sample's type and site: Glucose Service 1.0, 3.1.
_CONTROL_SOLUTION: Final = (10, 4)
_NUMBERS: Final = 0x1_0000


@dataclass(frozen=True, slots=True)
class GlucoseRecord:
    """What was stored, and when it truly was measured, in seconds since 1970."""

    at: float
    mg_per_dl: float | None
    measurement: GlucoseMeasurement
    context: Context | None


class VirtualGlucoseMeter(RecordKeeper[GlucoseRecord]):
    """A meter within reach of a VirtualRadio: `start` it, then `measure`; nothing is told by itself.

    `sent` holds the last records that left it. `offset_minutes` is what its user has put its clock forward; the next
    record has the number `sequence`.
    """

    default_name: ClassVar[str] = "Glucose meter"
    default_address: ClassVar[str] = "C0:DE:00:00:01:08"
    model: ClassVar[str] = "Virtual glucose meter"

    def __init__(self, radio: VirtualRadio, clock: Clock, **options: Unpack[Options]) -> None:
        super().__init__(radio, clock, **options)
        self.sent: deque[GlucoseRecord] = deque(maxlen=self._remembered)
        self.offset_minutes: int | None = None
        self.sequence = 1
        self._measurement = self._tells("2A18")
        self._context = self._tells("2A34")
        self._offer("1808", self._measurement, self._context, self._reads("2A51", bytes(2)), self._access)

    def measure(
        self,
        mg_per_dl: float | None,
        *,
        meal: int | None = None,
        mol_per_l: bool = True,
        control: bool = False,
        status: Status | None = None,
    ) -> GlucoseRecord:
        """Store a measurement made now, None for a failed one; `meal` (GLS 1.0, 3.2) as its user has told it."""
        value = self._measured("glucose", mg_per_dl)
        kind, site = _CONTROL_SOLUTION if control else (_CAPILLARY, _FINGER)
        factor = MG_PER_DL_OF_MOL_PER_L if mol_per_l else MG_PER_DL_OF_KG_PER_L
        concentration = None if value is None else Concentration(_significant(value / factor), mol_per_l, kind, site)
        context = None if meal is None else Context(self.sequence, meal=meal)
        measurement = GlucoseMeasurement(
            self.sequence, self.clock.stamp(), self.offset_minutes, concentration, status, meal is not None
        )
        record = GlucoseRecord(self._time.wall(), value, measurement, context)
        self.records.append(record)
        self.sequence = (self.sequence + 1) % _NUMBERS
        return record

    def _number(self, record: GlucoseRecord) -> int:
        return record.measurement.sequence

    async def _tell(self, record: GlucoseRecord) -> None:
        await self._say(self._measurement, encode(record.measurement), partial(self.sent.append, record))
        if record.context is not None:
            await self._say(self._context, encode_context(record.context))


def _significant(number: float) -> float:
    """As an SFLOAT can hold it: three digits."""
    return float(f"{number:.3g}")
