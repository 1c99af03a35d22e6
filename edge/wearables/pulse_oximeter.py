"""Pulse Oximeter Service 1.0 (Bluetooth SIG, PLXS v10r00): SpO2 and pulse rate, once or continuously."""

from __future__ import annotations

from enum import IntFlag
from typing import ClassVar, Final, NamedTuple

from edge.readings import Channel, Quality, Reading, Source
from edge.wearables.fields import DateTime, Fields, sample, sfloat_bytes
from edge.wearables.ieee11073 import Number
from edge.wearables.profile import StampedProfile, assigned_uuid

SERVICE: Final = assigned_uuid(0x1822)
SPOT_CHECK: Final = assigned_uuid(0x2A5E)
CONTINUOUS: Final = assigned_uuid(0x2A5F)

_SPOT_CHECK_NAME: Final = "PLX Spot-Check Measurement (0x2A5E)"
_CONTINUOUS_NAME: Final = "PLX Continuous Measurement (0x2A5F)"

# Bits of the flags octet of a spot check: Pulse Oximeter Service 1.0, 3.1. Bits 5 to 7 are reserved and ignored.
_SPOT_TIME: Final = 0x01
_SPOT_STATUS: Final = 0x02
_SPOT_SENSOR_STATUS: Final = 0x04
_SPOT_AMPLITUDE: Final = 0x08
_SPOT_CLOCK_NOT_SET: Final = 0x10
# And of a continuous measurement: 3.2. Bits 5 to 7 are reserved and ignored.
_FAST: Final = 0x01
_SLOW: Final = 0x02
_STATUS: Final = 0x04
_SENSOR_STATUS: Final = 0x08
_AMPLITUDE: Final = 0x10


class Status(IntFlag):
    """Measurement Status (Pulse Oximeter Service 1.0, 3.1); bits 0 to 4 are reserved, and kept as sent."""

    ONGOING = 1 << 5
    EARLY_ESTIMATE = 1 << 6
    VALIDATED = 1 << 7
    FULLY_QUALIFIED = 1 << 8
    FROM_STORAGE = 1 << 9
    DEMONSTRATION = 1 << 10
    TEST = 1 << 11
    CALIBRATION_ONGOING = 1 << 12
    UNAVAILABLE = 1 << 13
    QUESTIONABLE = 1 << 14
    INVALID = 1 << 15


class SensorStatus(IntFlag):
    """Device and Sensor Status (Pulse Oximeter Service 1.0, 3.1); bits 16 to 23 are reserved, and kept as sent."""

    EXTENDED_DISPLAY_UPDATE = 1 << 0
    EQUIPMENT_MALFUNCTION = 1 << 1
    PROCESSING_IRREGULARITY = 1 << 2
    INADEQUATE_SIGNAL = 1 << 3
    POOR_SIGNAL = 1 << 4
    LOW_PERFUSION = 1 << 5
    ERRATIC_SIGNAL = 1 << 6
    NONPULSATILE_SIGNAL = 1 << 7
    QUESTIONABLE_PULSE = 1 << 8
    ANALYSIS_ONGOING = 1 << 9
    INTERFERENCE = 1 << 10
    UNCONNECTED_TO_USER = 1 << 11
    UNKNOWN_SENSOR = 1 << 12
    DISPLACED = 1 << 13
    SENSOR_MALFUNCTION = 1 << 14
    SENSOR_DISCONNECTED = 1 << 15


# What the oximeter itself does not vouch for is missing: a false fall of SpO2 cries wolf, and a gap is told as one. Our
# choice: low perfusion alone says that the pulse is weak, and an ongoing analysis that the display lags, not that the
# value is wrong.
_NO_VALUE: Final = (
    Status.DEMONSTRATION
    | Status.TEST
    | Status.CALIBRATION_ONGOING
    | Status.UNAVAILABLE
    | Status.QUESTIONABLE
    | Status.INVALID
    | Status.FROM_STORAGE
)
_NO_SIGNAL: Final = (
    SensorStatus.EQUIPMENT_MALFUNCTION
    | SensorStatus.PROCESSING_IRREGULARITY
    | SensorStatus.INADEQUATE_SIGNAL
    | SensorStatus.POOR_SIGNAL
    | SensorStatus.ERRATIC_SIGNAL
    | SensorStatus.NONPULSATILE_SIGNAL
    | SensorStatus.QUESTIONABLE_PULSE
    | SensorStatus.INTERFERENCE
    | SensorStatus.UNKNOWN_SENSOR
    | SensorStatus.SENSOR_MALFUNCTION
)
_OFF_BODY: Final = SensorStatus.UNCONNECTED_TO_USER | SensorStatus.DISPLACED | SensorStatus.SENSOR_DISCONNECTED


class Oximetry(NamedTuple):
    """SpO2 in percent and pulse rate in bpm, as sent."""

    spo2: Number
    pulse: Number


class SpotCheck(NamedTuple):
    """One measurement; `amplitude` is the pulse amplitude index in percent. None is what the packet does not hold."""

    value: Oximetry
    measured_at: DateTime | None = None
    status: Status | None = None
    sensor_status: SensorStatus | None = None
    amplitude: Number | None = None
    clock_not_set: bool = False


class Continuous(NamedTuple):
    """One of a stream of measurements: `fast` and `slow` are averaged over less and more time than `normal`."""

    normal: Oximetry
    fast: Oximetry | None = None
    slow: Oximetry | None = None
    status: Status | None = None
    sensor_status: SensorStatus | None = None
    amplitude: Number | None = None


def decode_spot_check(payload: bytes) -> SpotCheck:
    """Fields of one PLX Spot-Check Measurement (Pulse Oximeter Service 1.0, 3.1).

    Raises DecodeError where the packet is shorter or longer than its flags say, or its time is in no calendar.
    """
    fields = Fields(payload, _SPOT_CHECK_NAME)
    flags = fields.uint(1, "flags")
    found = SpotCheck(
        _oximetry(fields, "spot check"),
        fields.date_time("timestamp") if flags & _SPOT_TIME else None,
        *_statuses(fields, status=bool(flags & _SPOT_STATUS), sensor=bool(flags & _SPOT_SENSOR_STATUS)),
        fields.sfloat("pulse amplitude index") if flags & _SPOT_AMPLITUDE else None,
        bool(flags & _SPOT_CLOCK_NOT_SET),
    )
    fields.end()
    return found


def encode_spot_check(measurement: SpotCheck) -> bytes:
    """The packet for `measurement`: decode_spot_check(encode_spot_check(m)) == m."""
    flags = _SPOT_CLOCK_NOT_SET if measurement.clock_not_set else 0
    body = sfloat_bytes(*measurement.value)
    if measurement.measured_at is not None:
        flags |= _SPOT_TIME
        body += measurement.measured_at.encode()
    flags |= 0 if measurement.status is None else _SPOT_STATUS
    flags |= 0 if measurement.sensor_status is None else _SPOT_SENSOR_STATUS
    flags |= 0 if measurement.amplitude is None else _SPOT_AMPLITUDE
    return bytes((flags,)) + body + _tail(measurement)


def decode_continuous(payload: bytes) -> Continuous:
    """Fields of one PLX Continuous Measurement (Pulse Oximeter Service 1.0, 3.2).

    Raises DecodeError where the packet is shorter or longer than its flags say.
    """
    fields = Fields(payload, _CONTINUOUS_NAME)
    flags = fields.uint(1, "flags")
    found = Continuous(
        _oximetry(fields, "normal measurement"),
        _oximetry(fields, "fast measurement") if flags & _FAST else None,
        _oximetry(fields, "slow measurement") if flags & _SLOW else None,
        *_statuses(fields, status=bool(flags & _STATUS), sensor=bool(flags & _SENSOR_STATUS)),
        fields.sfloat("pulse amplitude index") if flags & _AMPLITUDE else None,
    )
    fields.end()
    return found


def encode_continuous(measurement: Continuous) -> bytes:
    """The packet for `measurement`: decode_continuous(encode_continuous(m)) == m."""
    flags, body = 0, sfloat_bytes(*measurement.normal)
    for bit, value in ((_FAST, measurement.fast), (_SLOW, measurement.slow)):
        if value is not None:
            flags |= bit
            body += sfloat_bytes(*value)
    flags |= 0 if measurement.status is None else _STATUS
    flags |= 0 if measurement.sensor_status is None else _SENSOR_STATUS
    flags |= 0 if measurement.amplitude is None else _AMPLITUDE
    return bytes((flags,)) + body + _tail(measurement)


class PulseOximeter(StampedProfile):
    """Pulse Oximeter Service 1.0: Readings of spo2 (%) and heart_rate (bpm)."""

    name: ClassVar[str] = "pulse_oximeter"
    service: ClassVar[str] = SERVICE
    notify: ClassVar[tuple[str, ...]] = (CONTINUOUS, SPOT_CHECK)
    streams: ClassVar[tuple[str, ...]] = (CONTINUOUS,)

    def readings(
        self, characteristic: str, payload: bytes, source: Source, received_at: float, /
    ) -> tuple[Reading, ...]:
        """See Profile. The continuous measurement's normal values are told, a spot check only where it is of now.

        What the oximeter does not vouch for (see Status and SensorStatus) is missing and no Reading; what it measures
        off the body is marked.
        """
        if characteristic == SPOT_CHECK:
            spot = decode_spot_check(payload)
            return _readings(spot.value, spot.status, spot.sensor_status, source, received_at)
        stream = decode_continuous(payload)
        return _readings(stream.normal, stream.status, stream.sensor_status, source, received_at)

    def stamp(self, characteristic: str, payload: bytes, /) -> DateTime | None:
        """See StampedProfile. A clock that is not set says nothing."""
        if characteristic != SPOT_CHECK:
            return None
        spot = decode_spot_check(payload)
        return None if spot.clock_not_set else spot.measured_at


def _readings(
    value: Oximetry, status: Status | None, sensor: SensorStatus | None, source: Source, received_at: float
) -> tuple[Reading, ...]:
    if (status is not None and status & _NO_VALUE) or (sensor is not None and sensor & _NO_SIGNAL):
        return ()
    worn = _contact(sensor)
    return (
        *sample(Channel.SPO2, value.spo2, source, received_at, received_at, worn),
        *sample(Channel.HEART_RATE, value.pulse, source, received_at, received_at, worn),
    )


def _contact(sensor: SensorStatus | None) -> Quality:
    if sensor is None:
        return Quality.CONTACT_UNKNOWN
    return Quality.NO_CONTACT if sensor & _OFF_BODY else Quality.GOOD


def _oximetry(fields: Fields, what: str) -> Oximetry:
    return Oximetry(fields.sfloat(f"SpO2 of the {what}"), fields.sfloat(f"pulse rate of the {what}"))


def _statuses(fields: Fields, *, status: bool, sensor: bool) -> tuple[Status | None, SensorStatus | None]:
    return (
        Status(fields.uint(2, "measurement status")) if status else None,
        SensorStatus(fields.uint(3, "device and sensor status")) if sensor else None,
    )


def _tail(measurement: SpotCheck | Continuous) -> bytes:
    return b"".join(
        (
            b"" if measurement.status is None else measurement.status.to_bytes(2, "little"),
            b"" if measurement.sensor_status is None else measurement.sensor_status.to_bytes(3, "little"),
            b"" if measurement.amplitude is None else sfloat_bytes(measurement.amplitude),
        )
    )


PROFILE: Final = PulseOximeter()
