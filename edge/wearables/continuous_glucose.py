"""Continuous Glucose Monitoring Service 1.0.1 (Bluetooth SIG, CGMS v101): what a sensor under the skin sends.

How it is asked, and when its records were made, is in edge.wearables.continuous_glucose_session.
"""

from __future__ import annotations

from datetime import UTC
from enum import IntFlag
from typing import Final, NamedTuple

from edge.wearables.current_time import check_zone, utc_offset_s
from edge.wearables.fields import DateTime, Fields, bytes_of, sfloat_bytes
from edge.wearables.ieee11073 import Number
from edge.wearables.profile import assigned_uuid

SERVICE: Final = assigned_uuid(0x181F)
MEASUREMENT: Final = assigned_uuid(0x2AA7)
FEATURE: Final = assigned_uuid(0x2AA8)
STATUS: Final = assigned_uuid(0x2AA9)
SESSION_START: Final = assigned_uuid(0x2AAA)
SESSION_RUN_TIME: Final = assigned_uuid(0x2AAB)

# Bits of the flags of a record: CGM Service 1.0.1, 3.1. Bits 2 to 4 are reserved and ignored.
_TREND: Final = 0x01
_QUALITY: Final = 0x02
# The three octets of the status, each sent only where its bit is set: warning, calibration and temperature, status.
_STATUS_OCTETS: Final = ((0x80, 0), (0x40, 8), (0x20, 16))
# Octets of a record without its optional fields: 3.1.
_SMALLEST: Final = 6
_CRC_OCTETS: Final = 2
# What stands in place of the CRC in the features of a sensor without end-to-end protection: 3.2.
_NO_CRC: Final = 0xFFFF


class Feature(IntFlag):
    """CGM Feature (CGM Service 1.0.1, 3.2); bits 17 to 23 are reserved, and kept as sent."""

    CALIBRATION = 1 << 0
    PATIENT_HIGH_LOW_ALERTS = 1 << 1
    HYPO_ALERTS = 1 << 2
    HYPER_ALERTS = 1 << 3
    RATE_ALERTS = 1 << 4
    DEVICE_SPECIFIC_ALERT = 1 << 5
    MALFUNCTION_DETECTION = 1 << 6
    TEMPERATURE_DETECTION = 1 << 7
    RESULT_HIGH_LOW_DETECTION = 1 << 8
    LOW_BATTERY_DETECTION = 1 << 9
    SENSOR_TYPE_DETECTION = 1 << 10
    DEVICE_FAULT = 1 << 11
    CRC = 1 << 12
    SEVERAL_BONDS = 1 << 13
    SEVERAL_SESSIONS = 1 << 14
    TREND = 1 << 15
    QUALITY = 1 << 16


class Status(IntFlag):
    """Sensor Status Annunciation (CGM Service 1.0.1, 3.1); other bits are reserved, and kept as sent."""

    SESSION_STOPPED = 1 << 0
    BATTERY_LOW = 1 << 1
    SENSOR_TYPE_WRONG = 1 << 2
    SENSOR_MALFUNCTION = 1 << 3
    DEVICE_SPECIFIC_ALERT = 1 << 4
    DEVICE_FAULT = 1 << 5
    TIME_SYNCHRONISATION_REQUIRED = 1 << 8
    CALIBRATION_NOT_ALLOWED = 1 << 9
    CALIBRATION_RECOMMENDED = 1 << 10
    CALIBRATION_REQUIRED = 1 << 11
    TOO_HOT = 1 << 12
    TOO_COLD = 1 << 13
    BELOW_PATIENT_LOW = 1 << 16
    ABOVE_PATIENT_HIGH = 1 << 17
    BELOW_HYPO = 1 << 18
    ABOVE_HYPER = 1 << 19
    FALLS_FAST = 1 << 20
    RISES_FAST = 1 << 21
    RESULT_TOO_LOW = 1 << 22
    RESULT_TOO_HIGH = 1 << 23


class CgmRecord(NamedTuple):
    """A record as sent: glucose in mg/dL, minutes since the session began, trend in mg/dL/min, quality in percent.

    `status` is None where no octet of it was sent, which means that all is well; `with_crc` says that a CRC protected
    the record.
    """

    glucose: Number
    minute: int
    status: Status | None = None
    trend: Number | None = None
    quality: Number | None = None
    with_crc: bool = False


class CgmFeature(NamedTuple):
    """What a sensor can do, and the type and site of its sample as the numbers of CGM Service 1.0.1, 3.2."""

    features: Feature
    sample_type: int
    location: int


class CgmStatus(NamedTuple):
    """A sensor's status at a minute of its session."""

    minute: int
    status: Status
    with_crc: bool = False


class SessionStart(NamedTuple):
    """When a session began, on the clock of the phone that began it; zone and DST as in edge.wearables.current_time."""

    time: DateTime
    zone: int
    dst: int
    with_crc: bool = False

    def timestamp(self) -> float | None:
        """Seconds since 1970 UTC; None where day or zone is not known."""
        local, offset = self.time.as_datetime(), utc_offset_s(self.zone, self.dst)
        if local is None or offset is None:
            return None
        return local.replace(tzinfo=UTC).timestamp() - offset


def crc(octets: bytes) -> int:
    """E2E-CRC (CGM Service 1.0.1, 3.1): CRC-CCITT, x16 + x12 + x5 + 1, seed 0xFFFF, least significant bit first.

    Named CRC-16/MCRF4XX in the catalogue of parametrised CRC algorithms; its check value, of b"123456789", is 0x6F91.
    """
    register = 0xFFFF
    for octet in octets:
        register ^= octet
        for _ in range(8):
            register = register >> 1 ^ (0x8408 if register & 1 else 0)
    return register


def decode(payload: bytes) -> tuple[CgmRecord, ...]:
    """The records of one CGM Measurement (CGM Service 1.0.1, 3.1), at least one.

    Raises DecodeError for a record whose size contradicts its flags, or whose CRC is wrong.
    """
    fields = Fields(payload, "CGM Measurement (0x2AA7)")
    left = bytes(payload)
    found: list[CgmRecord] = []
    while left or not found:
        size = fields.uint(1, "size")
        if not _SMALLEST <= size <= len(left):
            raise fields.malformed(f"its record of {size} octets is none, or cut off")
        found.append(_decode_record(fields, left[:size]))
        left = left[size:]
    return tuple(found)


def encode(records: tuple[CgmRecord, ...]) -> bytes:
    """The packet for `records`: decode(encode(r)) == r. Raises OverflowError for numbers that do not fit."""
    return b"".join(_encode_record(record) for record in records)


def decode_feature(payload: bytes) -> CgmFeature:
    """CGM Feature (CGM Service 1.0.1, 3.2). Raises DecodeError for another size or a wrong CRC."""
    fields = Fields(payload, "CGM Feature (0x2AA8)")
    features, both = Feature(fields.uint(3, "features")), fields.uint(1, "type and sample location")
    expected = crc(payload[:4]) if features & Feature.CRC else _NO_CRC
    if fields.uint(2, "CRC") != expected:
        raise fields.malformed("its CRC is wrong")
    fields.end()
    return CgmFeature(features, both & 0x0F, both >> 4)


def encode_feature(feature: CgmFeature) -> bytes:
    """The octets for `feature`: decode_feature(encode_feature(f)) == f."""
    body = feature.features.to_bytes(3, "little") + bytes_of(feature.sample_type | feature.location << 4)
    return body + (crc(body) if feature.features & Feature.CRC else _NO_CRC).to_bytes(2, "little")


def decode_status(payload: bytes) -> CgmStatus:
    """CGM Status (CGM Service 1.0.1, 3.3). Raises DecodeError for another size or a wrong CRC."""
    fields = Fields(payload, "CGM Status (0x2AA9)")
    minute, status = fields.uint(2, "time offset"), Status(fields.uint(3, "status"))
    return CgmStatus(minute, status, _checked(fields, payload))


def encode_status(status: CgmStatus) -> bytes:
    """The octets for `status`: decode_status(encode_status(s)) == s."""
    return _protected(
        status.minute.to_bytes(2, "little") + status.status.to_bytes(3, "little"), with_crc=status.with_crc
    )


def decode_session_start(payload: bytes) -> SessionStart:
    """CGM Session Start Time (CGM Service 1.0.1, 3.4). Raises DecodeError for another size or a wrong CRC."""
    fields = Fields(payload, "CGM Session Start Time (0x2AAA)")
    time, zone, dst = fields.date_time("time"), fields.sint(1, "time zone"), fields.uint(1, "DST offset")
    check_zone(fields, zone, dst)
    return SessionStart(time, zone, dst, _checked(fields, payload))


def encode_session_start(start: SessionStart) -> bytes:
    """The octets for `start`: decode_session_start(encode_session_start(s)) == s."""
    zone = start.zone.to_bytes(1, "little", signed=True)
    return _protected(start.time.encode() + zone + bytes_of(start.dst), with_crc=start.with_crc)


def decode_session_run_time(payload: bytes) -> int:
    """CGM Session Run Time (CGM Service 1.0.1, 3.5) in hours. Raises DecodeError for another size or a wrong CRC."""
    fields = Fields(payload, "CGM Session Run Time (0x2AAB)")
    hours = fields.uint(2, "run time")
    _checked(fields, payload)
    return hours


def encode_session_run_time(hours: int, *, with_crc: bool = False) -> bytes:
    """The octets for `hours`: decode_session_run_time(encode_session_run_time(h)) == h."""
    return _protected(hours.to_bytes(2, "little"), with_crc=with_crc)


def _decode_record(fields: Fields, record: bytes) -> CgmRecord:
    flags = fields.uint(1, "flags")
    glucose, minute = fields.sfloat("glucose concentration"), fields.uint(2, "time offset")
    status, octets = 0, 0
    for bit, place in _STATUS_OCTETS:
        if flags & bit:
            status |= fields.uint(1, "sensor status") << place
            octets += 1
    trend = fields.sfloat("trend") if flags & _TREND else None
    quality = fields.sfloat("quality") if flags & _QUALITY else None
    size = _SMALLEST + octets + 2 * (trend is not None) + 2 * (quality is not None)
    with_crc = len(record) == size + _CRC_OCTETS
    if not with_crc and len(record) != size:
        raise fields.malformed(f"its record of {len(record)} octets is not of the size that its flags say")
    if with_crc and fields.uint(2, "CRC") != crc(record[:-_CRC_OCTETS]):
        raise fields.malformed("its CRC is wrong")
    return CgmRecord(glucose, minute, Status(status) if octets else None, trend, quality, with_crc)


def _encode_record(record: CgmRecord) -> bytes:
    flags, body = 0, sfloat_bytes(record.glucose) + record.minute.to_bytes(2, "little")
    if record.status is not None:
        # An octet of zeros need not be sent, but one must be, so that there is a status.
        sent = [(bit, place) for bit, place in _STATUS_OCTETS if record.status >> place & 0xFF] or [_STATUS_OCTETS[0]]
        for bit, place in sent:
            flags |= bit
            body += bytes_of(record.status >> place & 0xFF)
    for bit, number in ((_TREND, record.trend), (_QUALITY, record.quality)):
        if number is not None:
            flags |= bit
            body += sfloat_bytes(number)
    size = 2 + len(body) + (_CRC_OCTETS if record.with_crc else 0)
    return _protected(bytes_of(size, flags) + body, with_crc=record.with_crc)


def _protected(body: bytes, *, with_crc: bool) -> bytes:
    return body + crc(body).to_bytes(2, "little") if with_crc else body


def _checked(fields: Fields, payload: bytes) -> bool:
    """Whether a CRC follows, which must then be right, and nothing after it."""
    rest = fields.rest()
    if not rest:
        return False
    if len(rest) != _CRC_OCTETS:
        raise fields.malformed("it is of a wrong size")
    if int.from_bytes(rest, "little") != crc(payload[:-_CRC_OCTETS]):
        raise fields.malformed("its CRC is wrong")
    return True
