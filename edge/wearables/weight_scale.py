"""Weight Scale Service 1.0 (Bluetooth SIG, WSS v10r00): weight, and what a scale knows beside it."""

from __future__ import annotations

from typing import ClassVar, Final, NamedTuple

from edge.readings import Channel, Quality, Reading, Source
from edge.wearables.fields import DateTime, Fields, sample
from edge.wearables.profile import StampedProfile, assigned_uuid

SERVICE: Final = assigned_uuid(0x181D)
MEASUREMENT: Final = assigned_uuid(0x2A9D)

_NAME: Final = "Weight Measurement (0x2A9D)"

# Bits of the flags octet: Weight Scale Service 1.0, 3.2. Bits 4 to 7 are reserved and ignored.
_IMPERIAL: Final = 0x01
_TIME: Final = 0x02
_USER: Final = 0x04
_BMI_AND_HEIGHT: Final = 0x08

# A weight that says that weighing failed, and a user whom the scale does not know: Weight Scale Service 1.0, 3.2.
_UNSUCCESSFUL: Final = 0xFFFF
UNKNOWN_USER: Final = 0xFF

# Steps of the fields: Weight Scale Service 1.0, 3.2. The pound is exactly so much by the international agreement of
# 1959 (NIST Special Publication 811 (2008), B.8).
KG_PER_STEP: Final = 0.005
KG_PER_IMPERIAL_STEP: Final = 0.01 * 0.45359237


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


def kilograms(steps: int | None, *, imperial: bool) -> float | None:
    """A weight as scales send it, in kg; whole grams where its steps are such."""
    if steps is None:
        return None
    return steps * KG_PER_IMPERIAL_STEP if imperial else round(steps * KG_PER_STEP, 3)


def decode(payload: bytes) -> WeightMeasurement:
    """Fields of one Weight Measurement (Weight Scale Service 1.0, 3.2).

    Raises DecodeError where the packet is shorter or longer than its flags say, or its time is in no calendar.
    """
    fields = Fields(payload, _NAME)
    flags = fields.uint(1, "flags")
    weight = fields.uint(2, "weight")
    found = WeightMeasurement(
        None if weight == _UNSUCCESSFUL else weight,
        bool(flags & _IMPERIAL),
        fields.date_time("time stamp") if flags & _TIME else None,
        fields.uint(1, "user ID") if flags & _USER else None,
        (fields.uint(2, "BMI"), fields.uint(2, "height")) if flags & _BMI_AND_HEIGHT else None,
    )
    fields.end()
    return found


def encode(measurement: WeightMeasurement) -> bytes:
    """The packet for `measurement`: decode(encode(m)) == m. Raises OverflowError for numbers that do not fit."""
    flags = _IMPERIAL if measurement.imperial else 0
    body = (_UNSUCCESSFUL if measurement.weight is None else measurement.weight).to_bytes(2, "little")
    if measurement.measured_at is not None:
        flags |= _TIME
        body += measurement.measured_at.encode()
    if measurement.user is not None:
        flags |= _USER
        body += measurement.user.to_bytes(1, "little")
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
        user = decode(payload).user
        return None if user == UNKNOWN_USER else user

    def stamp(self, _characteristic: str, payload: bytes, /) -> DateTime | None:
        """See StampedProfile."""
        return decode(payload).measured_at


PROFILE: Final = WeightScale()
