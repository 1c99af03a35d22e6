"""Polar Measurement Data: ECG, acceleration, light and pulse intervals of Polar's H10, OH1 and Verity Sense.

Polar's own service, as told by Polar Measurement Data Specification (polarofficial/polar-ble-sdk on GitHub, folder
technical_documentation) and, for compressed frames, by what Polar BLE SDK 5 does in its parsers (folder sources). How
the streams are asked for, and what becomes of the frames, is in edge.wearables.polar_session.

A frame is: measurement type (1 octet), device time of the last sample (8 octets), frame type (1 octet, bit 7:
compressed), samples.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.errors import DecodeError

SERVICE: Final = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
CONTROL_POINT: Final = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA: Final = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"

# Device time is in ns since 2000-01-01T00:00:00 on the wearable's clock, which knows no time zone and restarts at a
# fixed date when the wearable has lost power (TimeSystemExplained.md, same folder).
EPOCH_S: Final = 946_684_800
# Samples of ECG a second: PMD specification; the H10 has no other rate.
ECG_HZ: Final = 130.0


class MeasurementType(IntEnum):
    """What a frame holds; there are others, of which no room of ours knows anything."""

    ECG = 0
    PPG = 1
    ACCELERATION = 2
    PPI = 3


class Ecg(NamedTuple):
    """Microvolts at ECG_HZ, the last of them at `device_time_ns`."""

    device_time_ns: int
    microvolts: tuple[int, ...]


class Acceleration(NamedTuple):
    """x, y, z of the first sample in milli-g, then of the next; the last sample is of `device_time_ns`."""

    device_time_ns: int
    mg: tuple[float, ...]


class Ppg(NamedTuple):
    """Reflected light of three diodes and the ambient light, in the sensor's own unit; the last of `device_time_ns`."""

    device_time_ns: int
    samples: tuple[tuple[int, int, int, int], ...]


class PulseInterval(NamedTuple):
    """Time from pulse to pulse in ms with its error estimate in ms; `heart_rate` in bpm, 0 where not known yet.

    `blocked` says that movement made the interval unreliable; `contact` is None where the sensor cannot tell.
    """

    heart_rate: int
    interval_ms: int
    error_ms: int
    blocked: bool = False
    contact: bool | None = None


class PulseIntervals(NamedTuple):
    """Pulse intervals, oldest first; `device_time_ns` is 0 from firmware that does not tell it."""

    device_time_ns: int
    intervals: tuple[PulseInterval, ...]


Frame = Ecg | Acceleration | Ppg | PulseIntervals

_HEAD: Final = struct.Struct("<BQB")
_PULSE: Final = struct.Struct("<BHHB")
_COMPRESSED: Final = 0x80
# Octets per axis of acceleration by frame type, plain and compressed: the SDK's AccData.
_PLAIN_ACCELERATION: Final = {0: 1, 1: 2, 2: 3}
_COMPRESSED_ACCELERATION: Final = (0, 1)
_AXES: Final = 3
_LIGHTS: Final = 4
# Flags of a pulse interval: the SDK's PpiData; other bits are ignored.
_BLOCKED: Final = 0x01
_CONTACT: Final = 0x02
_CONTACT_SUPPORTED: Final = 0x04
# No delta needs more bits than the widest value.
_WIDEST: Final = 32
# Worth of each bit of a delta in two's complement, least significant first, by width.
_WORTH: Final = tuple(
    np.array([2.0**bit for bit in range(width - 1)] + [-(2.0 ** (width - 1))][:width]) for width in range(_WIDEST + 1)
)


def decode(payload: bytes, factor: float = 1.0) -> Frame:
    """One frame of the data characteristic.

    `factor` is what the wearable has answered when the stream was started, by which compressed samples are to be
    multiplied. Raises DecodeError for a frame of a type that is not known, or that ends in the middle of a sample.
    """
    if len(payload) < _HEAD.size:
        raise _malformed(payload, "it is too short for a frame")
    kind, time, frame_type = _HEAD.unpack_from(payload)
    compressed, frame_type = bool(frame_type & _COMPRESSED), frame_type & ~_COMPRESSED
    if kind == MeasurementType.ACCELERATION:
        return Acceleration(time, _acceleration(payload, frame_type, factor, compressed=compressed))
    if kind == MeasurementType.ECG and frame_type == 0 and not compressed:
        return Ecg(time, tuple(_plain(payload, 1, 3).tolist()))
    if kind == MeasurementType.PPG and frame_type == 0:
        return Ppg(time, _ppg(payload, factor, compressed=compressed))
    if kind == MeasurementType.PPI and frame_type == 0 and not compressed:
        return PulseIntervals(time, _pulse_intervals(payload))
    raise _malformed(payload, f"measurement type {kind} with frame type {frame_type} is not known")


def encode(frame: Frame) -> bytes:
    """The plain frame that a wearable would send: decode(encode(f)) == f. Raises struct.error for what does not fit."""
    if isinstance(frame, Acceleration):
        body = struct.pack(f"<{len(frame.mg)}h", *(int(value) for value in frame.mg))
        return _HEAD.pack(MeasurementType.ACCELERATION, frame.device_time_ns, 1) + body
    if isinstance(frame, PulseIntervals):
        body = b"".join(_PULSE.pack(*interval[:3], _pulse_flags(interval)) for interval in frame.intervals)
        return _HEAD.pack(MeasurementType.PPI, frame.device_time_ns, 0) + body
    if isinstance(frame, Ecg):
        return _HEAD.pack(MeasurementType.ECG, frame.device_time_ns, 0) + _three_octets(frame.microvolts)
    lights = [value for sample in frame.samples for value in sample]
    return _HEAD.pack(MeasurementType.PPG, frame.device_time_ns, 0) + _three_octets(lights)


def encode_compressed(frame: Acceleration, width: int) -> bytes:
    """The same for acceleration in blocks of deltas of `width` bits, as the OH1 and the Verity Sense send it.

    Raises OverflowError where a delta does not fit into so many bits, struct.error where the first sample does not
    fit into 16.
    """
    values = [int(value) for value in frame.mg]
    body = struct.pack(f"<{_AXES}h", *values[:_AXES])
    deltas = [after - before for before, after in zip(values, values[_AXES:], strict=False)]
    most = 0xFF * _AXES
    for begin in range(0, len(deltas), most):
        block, bits = deltas[begin : begin + most], 0
        for place, delta in enumerate(block):
            if not -(1 << (width - 1)) <= delta < 1 << (width - 1):
                raise OverflowError(f"a delta of {delta} does not fit into {width} bits")
            bits |= (delta & (1 << width) - 1) << place * width
        body += bytes((width, len(block) // _AXES)) + bits.to_bytes((len(block) * width + 7) // 8, "little")
    return _HEAD.pack(MeasurementType.ACCELERATION, frame.device_time_ns, 1 | _COMPRESSED) + body


def _acceleration(payload: bytes, frame_type: int, factor: float, *, compressed: bool) -> tuple[float, ...]:
    if not compressed:
        octets = _PLAIN_ACCELERATION.get(frame_type)
        if octets is None:
            raise _malformed(payload, f"its frame type {frame_type} is not known")
        return tuple(_plain(payload, _AXES, octets).astype(np.float64).tolist())
    if frame_type not in _COMPRESSED_ACCELERATION:
        raise _malformed(payload, f"its compressed frame type {frame_type} is not known")
    # Compressed frames of type 0 are in g, those of type 1 in mg, once multiplied by the factor.
    scale = factor * 1000.0 if frame_type == 0 else factor
    samples = _decompressed(payload, _AXES, 2)
    if scale != 1.0:
        samples *= scale
    return tuple(samples.ravel().tolist())


def _ppg(payload: bytes, factor: float, *, compressed: bool) -> tuple[tuple[int, int, int, int], ...]:
    if compressed:
        values = (_decompressed(payload, _LIGHTS, 3) * factor).astype(np.int64)
    else:
        values = _plain(payload, _LIGHTS, 3).astype(np.int64)
    rows = values.reshape(-1, _LIGHTS).tolist()
    return tuple((first, second, third, ambient) for first, second, third, ambient in rows)


def _pulse_intervals(payload: bytes) -> tuple[PulseInterval, ...]:
    body = payload[_HEAD.size :]
    if len(body) % _PULSE.size:
        raise _malformed(payload, "it ends in the middle of a pulse interval")
    return tuple(
        PulseInterval(
            rate,
            interval,
            error,
            bool(flags & _BLOCKED),
            bool(flags & _CONTACT) if flags & _CONTACT_SUPPORTED else None,
        )
        for rate, interval, error, flags in _PULSE.iter_unpack(body)
    )


def _pulse_flags(interval: PulseInterval) -> int:
    flags = _BLOCKED if interval.blocked else 0
    if interval.contact is not None:
        flags |= _CONTACT_SUPPORTED | (_CONTACT if interval.contact else 0)
    return flags


def _plain(payload: bytes, channels: int, octets: int) -> NDArray[np.signedinteger[Any]]:
    """Numbers in two's complement of so many octets, for so many channels in turn."""
    if (len(payload) - _HEAD.size) % (channels * octets):
        raise _malformed(payload, "it ends in the middle of a sample")
    if octets < 3:
        return np.frombuffer(payload, "<i1" if octets == 1 else "<i2", offset=_HEAD.size)
    raw = np.frombuffer(payload, np.uint8, offset=_HEAD.size).reshape(-1, 3).astype(np.int32)
    return (raw[:, 0] | raw[:, 1] << 8 | raw[:, 2] << 16) - ((raw[:, 2] & 0x80) << 17)


def _decompressed(payload: bytes, channels: int, octets: int) -> NDArray[np.float64]:
    """Samples of a compressed frame, of the shape (samples, channels).

    A whole sample comes first. Each block after it is: bits of a delta, number of samples, deltas from the sample
    before, channel by channel, least significant bit first.
    """
    raw = np.frombuffer(payload, np.uint8)
    at, size = _HEAD.size + channels * octets, len(payload)
    if size < at:
        raise _malformed(payload, "it is too short for its first sample")
    first = [
        int.from_bytes(payload[begin : begin + octets], "little", signed=True)
        for begin in range(_HEAD.size, at, octets)
    ]
    rows = [np.array([first], dtype=np.float64)]
    while at < size:
        width, count = payload[at], payload[at + 1] if at + 1 < size else 0
        bits = width * count * channels
        begin, at = at + 2, at + 2 + (bits + 7) // 8
        if not 0 < width <= _WIDEST or at > size:
            raise _malformed(payload, f"its block of {count} deltas of {width} bits is none, or cut off")
        deltas = np.unpackbits(raw[begin:at], count=bits, bitorder="little").reshape(-1, width)
        rows.append((deltas.astype(np.float64) @ _WORTH[width]).reshape(count, channels))
    samples = np.concatenate(rows)
    np.cumsum(samples, axis=0, out=samples)
    most = 1 << (8 * octets - 1)
    if samples.max() >= most or samples.min() < -most:
        raise _malformed(payload, f"its deltas lead out of {octets} octets")
    return samples


def _three_octets(values: Sequence[int]) -> bytes:
    return b"".join(value.to_bytes(3, "little", signed=True) for value in values)


def _malformed(payload: bytes, why: str) -> DecodeError:
    return DecodeError(
        f"packet {bytes(payload).hex() or '(empty)'} was left out: {why}",
        where="Polar measurement data",
        mend="check the wearable's firmware and that its battery is not low",
    )
