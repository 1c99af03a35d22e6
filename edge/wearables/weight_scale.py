"""Weight Scale Service 1.0 (Bluetooth SIG, WSS v10r00): weight, and what a scale knows beside it."""

from __future__ import annotations

from typing import ClassVar, Final, NamedTuple

from edge.readings import Channel, Quality, Reading, Source
from edge.wearables.fields import DateTime, Fields, sample
from edge.wearables.profile import StampedProfile, assigned_uuid
from edge.wearables.scale_fields import Begin, decode_begin, encode_begin, kilograms, known_user

SERVICE: Final = assigned_uuid(0x181D)
MEASUREMENT: Final = assigned_uuid(0x2A9D)

_NAME: Final = "Weight Measurement (0x2A9D)"

# The flag of this service alone: Weight Scale Service 1.0, 3.2. Bits 4 to 7 are reserved and ignored.
_BMI_AND_HEIGHT: Final = 0x08


class WeightMeasurement(NamedTuple):
    """The characteristic's fields as sent.

    `weight` in steps of 5 g, or of 0.01 lb where `imperial`, None where weighing failed; BMI in 0.1 kg/m²; height in
    mm, or in 0.1 inches where `imperial`.
    """

    weight: int | None
    imperial: bool = False
    measured_at: DateTime | None = None
    user: int | None = None
    bmi_and_height: tuple[int, int] | None = None

    @property
    def kg(self) -> float | None:
        """The weight in kg, None where weighing failed."""
        return kilograms(self.weight, imperial=self.imperial)


def decode(payload: bytes) -> WeightMeasurement:
    """Fields of one Weight Measurement (Weight Scale Service 1.0, 3.2).

    Raises DecodeError where the packet is shorter or longer than its flags say, or its time is in no calendar.
    """
    fields = Fields(payload, _NAME)
    flags, begin = decode_begin(fields, 1, "weight")
    bmi_and_height = (fields.uint(2, "BMI"), fields.uint(2, "height")) if flags & _BMI_AND_HEIGHT else None
    fields.end()
    return WeightMeasurement(*begin, bmi_and_height)


def encode(measurement: WeightMeasurement) -> bytes:
    """The packet for `measurement`: decode(encode(m)) == m. Raises OverflowError for numbers that do not fit."""
    flags, body = encode_begin(Begin(*measurement[:4]))
    if measurement.bmi_and_height is not None:
        flags |= _BMI_AND_HEIGHT
        body += b"".join(number.to_bytes(2, "little") for number in measurement.bmi_and_height)
    return bytes((flags,)) + body


class WeightScale(StampedProfile):
    """Weight Scale Service 1.0: Readings of weight (kg)."""

    name: ClassVar[str] = "weight_scale"
    service: ClassVar[str] = SERVICE
    notify: ClassVar[tuple[str, ...]] = (MEASUREMENT,)

    def readings(
        self, _characteristic: str, payload: bytes, source: Source, received_at: float, /
    ) -> tuple[Reading, ...]:
        """See Profile. A scale cannot tell who stands on it, and whether anybody does: contact is unknown."""
        measurement = decode(payload)
        return sample(Channel.WEIGHT, measurement.kg, source, received_at, received_at, Quality.CONTACT_UNKNOWN)

    def user(self, _characteristic: str, payload: bytes, /) -> int | None:
        """See Profile."""
        return known_user(decode(payload).user)

    def stamp(self, _characteristic: str, payload: bytes, /) -> DateTime | None:
        """See StampedProfile."""
        return decode(payload).measured_at


PROFILE: Final = WeightScale()
