"""Body Composition Service 1.0 (Bluetooth SIG, BCS v10r00): what a scale makes of the body's impedance."""

from __future__ import annotations

from typing import ClassVar, Final, NamedTuple

from edge.readings import Channel, Quality, Reading, Source
from edge.wearables.fields import DateTime, Fields, sample
from edge.wearables.profile import StampedProfile, assigned_uuid
from edge.wearables.scale_fields import Begin, decode_begin, encode_begin, kilograms, known_user

SERVICE: Final = assigned_uuid(0x181B)
MEASUREMENT: Final = assigned_uuid(0x2A9C)

_NAME: Final = "Body Composition Measurement (0x2A9C)"

# The flags of this service alone: Body Composition Service 1.0, 3.2. Bits 13 to 15 are reserved and ignored.
_SEVERAL_PACKETS: Final = 1 << 12
# The optional fields of 16 bits, in the order in which they are sent, with the bit that announces each.
_OPTIONAL: Final = (
    (1 << 3, "basal metabolism"),
    (1 << 4, "muscle percentage"),
    (1 << 5, "muscle mass"),
    (1 << 6, "fat free mass"),
    (1 << 7, "soft lean mass"),
    (1 << 8, "body water mass"),
    (1 << 9, "impedance"),
    (1 << 10, "weight"),
    (1 << 11, "height"),
)

# Steps of body fat: Body Composition Service 1.0, 3.2.
_STEPS_PER_PERCENT: Final = 10


class BodyComposition(NamedTuple):
    """The characteristic's fields as sent; None is what the packet does not hold.

    Body fat and muscle percentage in 0.1 %, body fat None where the measurement failed; basal metabolism in kJ; masses
    and weight in steps of 5 g, or 0.01 lb where `imperial`; impedance in 0.1 ohm; height in mm, or 0.1 inches.
    `several_packets` says that one measurement is told in more than one packet.
    """

    body_fat: int | None
    imperial: bool = False
    measured_at: DateTime | None = None
    user: int | None = None
    several_packets: bool = False
    basal_metabolism: int | None = None
    muscle_percentage: int | None = None
    muscle_mass: int | None = None
    fat_free_mass: int | None = None
    soft_lean_mass: int | None = None
    body_water_mass: int | None = None
    impedance: int | None = None
    weight: int | None = None
    height: int | None = None

    @property
    def body_fat_percent(self) -> float | None:
        """Body fat in percent of the weight, None where the measurement failed."""
        return None if self.body_fat is None else self.body_fat / _STEPS_PER_PERCENT


def decode(payload: bytes) -> BodyComposition:
    """Fields of one Body Composition Measurement (Body Composition Service 1.0, 3.2).

    Raises DecodeError where the packet is shorter or longer than its flags say, or its time is in no calendar.
    """
    fields = Fields(payload, _NAME)
    flags, begin = decode_begin(fields, 2, "body fat percentage")
    found = BodyComposition(
        *begin,
        bool(flags & _SEVERAL_PACKETS),
        *(fields.uint(2, what) if flags & bit else None for bit, what in _OPTIONAL),
    )
    fields.end()
    return found


def encode(measurement: BodyComposition) -> bytes:
    """The packet for `measurement`: decode(encode(m)) == m. Raises OverflowError for numbers that do not fit."""
    flags, body = encode_begin(Begin(*measurement[:4]))
    flags |= _SEVERAL_PACKETS if measurement.several_packets else 0
    for (bit, _), number in zip(_OPTIONAL, measurement[5:], strict=True):
        if number is not None:
            flags |= bit
            body += number.to_bytes(2, "little")
    return flags.to_bytes(2, "little") + body


class BodyCompositionScale(StampedProfile):
    """Body Composition Service 1.0: Readings of body_fat (%) and weight (kg)."""

    name: ClassVar[str] = "body_composition"
    service: ClassVar[str] = SERVICE
    notify: ClassVar[tuple[str, ...]] = (MEASUREMENT,)

    def readings(
        self, _characteristic: str, payload: bytes, source: Source, received_at: float, /
    ) -> tuple[Reading, ...]:
        """See Profile."""
        measurement = decode(payload)
        weight = kilograms(measurement.weight, imperial=measurement.imperial)
        unknown = Quality.CONTACT_UNKNOWN
        return (
            *sample(Channel.BODY_FAT, measurement.body_fat_percent, source, received_at, received_at, unknown),
            *sample(Channel.WEIGHT, weight, source, received_at, received_at, unknown),
        )

    def user(self, _characteristic: str, payload: bytes, /) -> int | None:
        """See Profile."""
        return known_user(decode(payload).user)

    def stamp(self, _characteristic: str, payload: bytes, /) -> DateTime | None:
        """See StampedProfile."""
        return decode(payload).measured_at


PROFILE: Final = BodyCompositionScale()
