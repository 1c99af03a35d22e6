"""Health Thermometer Service 1.0 (Bluetooth SIG, HTS v10r00): the temperature of a body."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar, Final, NamedTuple

from edge.readings import Channel, Quality, Reading, Source
from edge.wearables.fields import DateTime, Fields, float_bytes, sample, scaled
from edge.wearables.ieee11073 import Number
from edge.wearables.profile import StampedProfile, assigned_uuid

SERVICE: Final = assigned_uuid(0x1809)
MEASUREMENT: Final = assigned_uuid(0x2A1C)
INTERMEDIATE: Final = assigned_uuid(0x2A1E)

_NAMES: Final = {MEASUREMENT: "Temperature Measurement (0x2A1C)", INTERMEDIATE: "Intermediate Temperature (0x2A1E)"}

# Bits of the flags octet: Health Thermometer Service 1.0, 3.1.1.1. Bits 3 to 7 are reserved and ignored.
_FAHRENHEIT: Final = 0x01
_TIME: Final = 0x02
_TYPE: Final = 0x04


class Site(IntEnum):
    """Where it was measured: Temperature Type (0x2A1D), Health Thermometer Service 1.0, 3.2. Others are reserved."""

    ARMPIT = 1
    BODY = 2
    EAR = 3
    FINGER = 4
    GASTRO_INTESTINAL_TRACT = 5
    MOUTH = 6
    RECTUM = 7
    TOE = 8
    EARDRUM = 9


# A finger or a toe is as cold as the room; only the other sites tell of the body's own temperature. Our choice.
_SKIN: Final = (Site.FINGER, Site.TOE)


class TemperatureMeasurement(NamedTuple):
    """The characteristic's fields as sent; `site` is a Site, or a reserved number, or None where it is not told."""

    temperature: Number
    fahrenheit: bool = False
    measured_at: DateTime | None = None
    site: int | None = None

    @property
    def celsius(self) -> Number:
        """The temperature in degrees Celsius."""
        return scaled(self.temperature, 1 / 1.8, -32.0) if self.fahrenheit else self.temperature


def decode(payload: bytes, where: str = _NAMES[MEASUREMENT]) -> TemperatureMeasurement:
    """Fields of one Temperature Measurement or Intermediate Temperature (Health Thermometer Service 1.0, 3.1 and 3.3).

    Raises DecodeError where the packet is shorter or longer than its flags say, or its time is in no calendar.
    """
    fields = Fields(payload, where)
    flags = fields.uint(1, "flags")
    found = TemperatureMeasurement(
        fields.float32("temperature"),
        bool(flags & _FAHRENHEIT),
        fields.date_time("time stamp") if flags & _TIME else None,
        fields.uint(1, "temperature type") if flags & _TYPE else None,
    )
    fields.end()
    return found


def encode(measurement: TemperatureMeasurement) -> bytes:
    """The packet for `measurement`: decode(encode(m)) == m. Raises OverflowError for numbers that do not fit."""
    flags, tail = (_FAHRENHEIT if measurement.fahrenheit else 0), b""
    if measurement.measured_at is not None:
        flags |= _TIME
        tail += measurement.measured_at.encode()
    if measurement.site is not None:
        flags |= _TYPE
        tail += measurement.site.to_bytes(1, "little")
    return bytes((flags,)) + float_bytes(measurement.temperature) + tail


class Thermometer(StampedProfile):
    """Health Thermometer Service 1.0: Readings of temperature (degrees Celsius)."""

    name: ClassVar[str] = "thermometer"
    service: ClassVar[str] = SERVICE
    notify: ClassVar[tuple[str, ...]] = (MEASUREMENT, INTERMEDIATE)

    def readings(
        self, characteristic: str, payload: bytes, source: Source, received_at: float, /
    ) -> tuple[Reading, ...]:
        """See Profile. An intermediate temperature still rises, and one of the skin is not the body's: no Readings."""
        where = _NAMES[characteristic]
        measurement = decode(payload, where)
        if characteristic == INTERMEDIATE or measurement.site in _SKIN:
            return ()
        return sample(
            Channel.TEMPERATURE, measurement.celsius, source, received_at, received_at, Quality.CONTACT_UNKNOWN
        )

    def stamp(self, _characteristic: str, payload: bytes, /) -> DateTime | None:
        """See StampedProfile."""
        return decode(payload).measured_at


PROFILE: Final = Thermometer()
