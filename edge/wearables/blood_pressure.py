"""Blood Pressure Service 1.0 (Bluetooth SIG, BLS v10r00): what a cuff measures."""

from __future__ import annotations

from enum import IntFlag
from typing import ClassVar, Final, NamedTuple

from edge.readings import Channel, Quality, Reading, Source
from edge.wearables.fields import DateTime, Fields, sample, scaled, sfloat_bytes
from edge.wearables.ieee11073 import Number
from edge.wearables.profile import StampedProfile, assigned_uuid

SERVICE: Final = assigned_uuid(0x1810)
MEASUREMENT: Final = assigned_uuid(0x2A35)
CUFF_PRESSURE: Final = assigned_uuid(0x2A36)

_NAMES: Final = {
    MEASUREMENT: "Blood Pressure Measurement (0x2A35)",
    CUFF_PRESSURE: "Intermediate Cuff Pressure (0x2A36)",
}

# Bits of the flags octet: Blood Pressure Service 1.0, 3.1.1.1. Bits 5 to 7 are reserved and ignored.
_KILOPASCAL: Final = 0x01
_TIME: Final = 0x02
_PULSE: Final = 0x04
_USER: Final = 0x08
_STATUS: Final = 0x10

# The conventional millimetre of mercury: NIST Special Publication 811 (2008), B.8.
MMHG_PER_KPA: Final = 1000.0 / 133.3224

# The user that the cuff does not know: Blood Pressure Service 1.0, 3.1.1.5.
UNKNOWN_USER: Final = 0xFF


class Status(IntFlag):
    """Measurement Status: Blood Pressure Service 1.0, 3.1.1.6; other bits are reserved, and kept as sent.

    Both pulse rate bits together are reserved.
    """

    BODY_MOVED = 1 << 0
    CUFF_TOO_LOOSE = 1 << 1
    IRREGULAR_PULSE = 1 << 2
    PULSE_TOO_FAST = 1 << 3
    PULSE_TOO_SLOW = 1 << 4
    WRONG_POSITION = 1 << 5


# A cuff that was loose, moved or held wrongly is off by tens of mmHg, and says so: the pressure is missing. An
# irregular pulse makes it less exact, and is itself worth knowing. Our choice.
_NO_VALUE: Final = Status.BODY_MOVED | Status.CUFF_TOO_LOOSE | Status.WRONG_POSITION
_PULSE_OUTSIDE: Final = Status.PULSE_TOO_FAST | Status.PULSE_TOO_SLOW


class BloodPressure(NamedTuple):
    """The characteristic's fields as sent: pressures in mmHg, or in kPa where `kilopascal`; pulse in bpm.

    Of an intermediate cuff pressure `systolic` is the pressure in the cuff, and the other two are NAN.
    """

    systolic: Number
    diastolic: Number
    mean: Number
    kilopascal: bool = False
    measured_at: DateTime | None = None
    pulse: Number | None = None
    user: int | None = None
    status: Status | None = None

    @property
    def mmhg(self) -> tuple[Number, Number, Number]:
        """Systolic, diastolic and mean arterial pressure in mmHg."""
        factor = MMHG_PER_KPA if self.kilopascal else 1.0
        return scaled(self.systolic, factor), scaled(self.diastolic, factor), scaled(self.mean, factor)


def decode(payload: bytes, where: str = _NAMES[MEASUREMENT]) -> BloodPressure:
    """Fields of one Blood Pressure Measurement or Intermediate Cuff Pressure (Blood Pressure Service 1.0, 3.1 and 3.2).

    Raises DecodeError where the packet is shorter or longer than its flags say, or its time is in no calendar.
    """
    fields = Fields(payload, where)
    flags = fields.uint(1, "flags")
    found = BloodPressure(
        fields.sfloat("systolic pressure"),
        fields.sfloat("diastolic pressure"),
        fields.sfloat("mean arterial pressure"),
        bool(flags & _KILOPASCAL),
        fields.date_time("time stamp") if flags & _TIME else None,
        fields.sfloat("pulse rate") if flags & _PULSE else None,
        fields.uint(1, "user ID") if flags & _USER else None,
        Status(fields.uint(2, "measurement status")) if flags & _STATUS else None,
    )
    fields.end()
    return found


def encode(measurement: BloodPressure) -> bytes:
    """The packet for `measurement`: decode(encode(m)) == m. Raises OverflowError for numbers that do not fit."""
    flags, tail = (_KILOPASCAL if measurement.kilopascal else 0), b""
    if measurement.measured_at is not None:
        flags |= _TIME
        tail += measurement.measured_at.encode()
    if measurement.pulse is not None:
        flags |= _PULSE
        tail += sfloat_bytes(measurement.pulse)
    if measurement.user is not None:
        flags |= _USER
        tail += measurement.user.to_bytes(1, "little")
    if measurement.status is not None:
        flags |= _STATUS
        tail += measurement.status.to_bytes(2, "little")
    return bytes((flags,)) + sfloat_bytes(*measurement[:3]) + tail


class BloodPressureCuff(StampedProfile):
    """Blood Pressure Service 1.0: Readings of systolic, diastolic, mean_pressure (mmHg) and heart_rate (bpm)."""

    name: ClassVar[str] = "blood_pressure"
    service: ClassVar[str] = SERVICE
    notify: ClassVar[tuple[str, ...]] = (MEASUREMENT, CUFF_PRESSURE)

    def readings(
        self, characteristic: str, payload: bytes, source: Source, received_at: float, /
    ) -> tuple[Reading, ...]:
        """See Profile. The pressure in the cuff while it is inflated is nobody's blood pressure, and no Reading."""
        where = _NAMES[characteristic]
        measurement = decode(payload, where)
        status = measurement.status or Status(0)
        if characteristic == CUFF_PRESSURE or status & _NO_VALUE:
            return ()
        values = dict(zip((Channel.SYSTOLIC, Channel.DIASTOLIC, Channel.MEAN_PRESSURE), measurement.mmhg, strict=True))
        found = [
            reading
            for channel, value in values.items()
            for reading in sample(channel, value, source, received_at, received_at, Quality.CONTACT_UNKNOWN)
        ]
        if not status & _PULSE_OUTSIDE:
            unknown = Quality.CONTACT_UNKNOWN
            found += sample(Channel.HEART_RATE, measurement.pulse, source, received_at, received_at, unknown)
        return tuple(found)

    def user(self, characteristic: str, payload: bytes, /) -> int | None:
        """See Profile."""
        user = decode(payload, _NAMES[characteristic]).user
        return None if user == UNKNOWN_USER else user

    def stamp(self, _characteristic: str, payload: bytes, /) -> DateTime | None:
        """See StampedProfile."""
        return decode(payload).measured_at


PROFILE: Final = BloodPressureCuff()
