"""Heart Rate Service 1.0 (Bluetooth SIG, HRS v10r00): heart rate, sensor contact and RR intervals of a chest strap."""

from __future__ import annotations

from itertools import groupby
from typing import ClassVar, Final, NamedTuple

from edge.errors import DecodeError
from edge.readings import CHANNELS, Channel, Quality, Reading, Source
from edge.wearables.profile import Profile, assigned_uuid

SERVICE: Final = assigned_uuid(0x180D)
MEASUREMENT: Final = assigned_uuid(0x2A37)

# Bits of the flags octet: Heart Rate Service 1.0, 3.1.1.1. Bits 5 to 7 are reserved for future use and ignored.
_WIDE: Final = 0x01
_CONTACT_DETECTED: Final = 0x02
_CONTACT_SUPPORTED: Final = 0x04
_ENERGY: Final = 0x08
_RR: Final = 0x10

# Unit of an RR interval is 1/1024 s: Heart Rate Service 1.0, 3.1.1.4.
_MS_PER_TICK: Final = 1000.0 / 1024.0

_CONTACT_QUALITY: Final = {True: Quality.GOOD, False: Quality.NO_CONTACT, None: Quality.CONTACT_UNKNOWN}
_HEART_RATE: Final = CHANNELS[Channel.HEART_RATE]
_RR_INTERVAL: Final = CHANNELS[Channel.RR_INTERVAL]


class HeartRateMeasurement(NamedTuple):
    """The characteristic's fields as sent: bpm, contact (None where the sensor cannot tell), kJ, and RR in 1/1024 s."""

    heart_rate: int
    contact: bool | None = None
    energy_kj: int | None = None
    rr_ticks: tuple[int, ...] = ()


def decode(payload: bytes) -> HeartRateMeasurement:
    """Fields of one Heart Rate Measurement packet (Heart Rate Service 1.0, 3.1.1), oldest RR interval first.

    A packet that announces RR intervals and holds none is accepted: its heart rate is whole. Raises DecodeError where
    the packet is shorter or longer than its flags say.
    """
    size = len(payload)
    if size < 2:
        raise _malformed(payload, "it is too short for flags and a heart rate")
    flags = payload[0]
    rate, at = payload[1], 2
    if flags & _WIDE:
        if size < 3:
            raise _malformed(payload, "it is too short for a 16-bit heart rate")
        rate, at = rate | payload[2] << 8, 3
    contact = bool(flags & _CONTACT_DETECTED) if flags & _CONTACT_SUPPORTED else None
    energy = None
    if flags & _ENERGY:
        if size < at + 2:
            raise _malformed(payload, "it is too short for the energy expended")
        energy, at = payload[at] | payload[at + 1] << 8, at + 2
    if not flags & _RR:
        if size != at:
            raise _malformed(payload, "it is longer than its flags say")
        return HeartRateMeasurement(rate, contact, energy)
    if (size - at) % 2:
        raise _malformed(payload, "it ends in the middle of an RR interval")
    ticks = tuple([payload[i] | payload[i + 1] << 8 for i in range(at, size, 2)])
    return HeartRateMeasurement(rate, contact, energy, ticks)


def encode(measurement: HeartRateMeasurement) -> bytes:
    """The packet that a strap would send for `measurement`: decode(encode(m)) == m.

    Heart rate and energy are 0..65535, RR intervals 0..65535 ticks; a heart rate over 255 is sent in 16 bits. Raises
    OverflowError for numbers outside.
    """
    wide = measurement.heart_rate > 0xFF
    flags = _WIDE if wide else 0
    if measurement.contact is not None:
        flags |= _CONTACT_SUPPORTED | (_CONTACT_DETECTED if measurement.contact else 0)
    body = measurement.heart_rate.to_bytes(2 if wide else 1, "little")
    if measurement.energy_kj is not None:
        flags |= _ENERGY
        body += measurement.energy_kj.to_bytes(2, "little")
    if measurement.rr_ticks:
        flags |= _RR
        body += b"".join(ticks.to_bytes(2, "little") for ticks in measurement.rr_ticks)
    return bytes((flags,)) + body


class HeartRate(Profile):
    """Heart Rate Service 1.0: Readings of heart_rate (bpm) and rr_interval (ms)."""

    name: ClassVar[str] = "heart_rate"
    service: ClassVar[str] = SERVICE
    notify: ClassVar[tuple[str, ...]] = (MEASUREMENT,)
    streams: ClassVar[tuple[str, ...]] = (MEASUREMENT,)

    def readings(
        self, _characteristic: str, payload: bytes, source: Source, received_at: float, /
    ) -> tuple[Reading, ...]:
        """See Profile. The RR intervals' times are provisional: the last beat falls at `received_at`.

        A heart rate of 0 is what a strap sends while it has none, so it is missing and no Reading. Neighbouring RR
        intervals of differing quality become Readings of their own.
        """
        measurement = decode(payload)
        worn = _CONTACT_QUALITY[measurement.contact]
        found = _rr_readings(measurement.rr_ticks, worn, source, received_at)
        if measurement.heart_rate:
            found.append(_heart_rate_reading(measurement.heart_rate, worn, source, received_at))
        return tuple(found)


def _heart_rate_reading(rate: int, worn: Quality, source: Source, received_at: float) -> Reading:
    in_range = _HEART_RATE.low <= rate <= _HEART_RATE.high
    return Reading(
        person=source.person,
        device=source.device,
        channel=Channel.HEART_RATE,
        unit=_HEART_RATE.unit,
        start=received_at,
        received_at=received_at,
        values=(float(rate),),
        quality=worn if in_range else worn | Quality.OUT_OF_RANGE,
    )


def _rr_readings(ticks: tuple[int, ...], worn: Quality, source: Source, received_at: float) -> list[Reading]:
    start = received_at - sum(ticks) / 1024.0
    intervals = tuple([tick * _MS_PER_TICK for tick in ticks])
    if not intervals:
        return []
    if _RR_INTERVAL.low <= min(intervals) and max(intervals) <= _RR_INTERVAL.high:
        return [_rr_reading(intervals, worn, source, start, received_at)]
    found: list[Reading] = []
    for in_range, run in groupby(intervals, lambda ms: _RR_INTERVAL.low <= ms <= _RR_INTERVAL.high):
        quality = worn if in_range else worn | Quality.OUT_OF_RANGE
        found.append(_rr_reading(tuple(run), quality, source, start, received_at))
        start = found[-1].end
    return found


def _rr_reading(
    intervals: tuple[float, ...], quality: Quality, source: Source, start: float, received_at: float
) -> Reading:
    return Reading(
        person=source.person,
        device=source.device,
        channel=Channel.RR_INTERVAL,
        unit=_RR_INTERVAL.unit,
        start=start,
        received_at=received_at,
        values=intervals,
        quality=quality,
    )


def _malformed(payload: bytes, why: str) -> DecodeError:
    return DecodeError(
        f"packet {bytes(payload).hex() or '(empty)'} was left out: {why}",
        where="Heart Rate Measurement (0x2A37)",
        mend="check the wearable's firmware and that its battery is not low",
    )


PROFILE: Final = HeartRate()
