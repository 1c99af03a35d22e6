"""Samples as whole numbers, and whole numbers as few bytes.

A series is kept at the resolution of its channel and no coarser, so that nothing is lost: values in steps of
`ChannelFacts.resolution`, times in ticks. RR intervals carry their own time: the next beat follows from the interval
before it, so that only what differs from this chain is stored, and that is nearly always 0. Raw channels are sampled
in even steps, so that only the places where the step changes are stored.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pcodec import ChunkConfig, DeltaSpec, standalone

from edge.errors import StoreError, UnstorableError
from edge.readings import CHANNELS, RAW_CHANNELS, Channel, Quality, Reading

Whole = NDArray[np.int64]

# Ticks per second of a series' times. RR intervals: the step of the intervals themselves (Heart Rate Service 1.0,
# 3.1.1.4). Raw channels: nanoseconds, so that steps such as 1/130 s add up; their Readings begin at whole milliseconds,
# because no wearable's clock is known better. Others: our choice, because notifications come a second apart and are
# stamped on arrival, which is late by some tens of ms.
_RR_TICKS: Final = 1024
_RAW_TICKS: Final = 1_000_000_000
_RAW_BEGINS: Final = 1000
_TICKS: Final = 8
# Values beyond this many steps cannot come from any GATT field (the widest are 32 bits).
_LARGEST: Final = 2.0**32
_WIDTHS: Final = tuple(
    (width, int(np.iinfo(width).min), int(np.iinfo(width).max)) for width in (np.int8, np.int16, np.int32, np.int64)
)
_CONFIG: Final = ChunkConfig(enable_8_bit=True)
# Raw samples are close to the one before: trying what else there might be costs time and gains nothing, measured with
# the accelerations of SisFall and ECGs of MIT-BIH.
_RAW_CONFIG: Final = ChunkConfig(delta_spec=DeltaSpec.try_consecutive(1), enable_8_bit=True)
# What goes before the places and changes of a raw channel's steps: how many there are, how many bytes the places take.
_HEAD: Final = struct.Struct("<II")


def ticks_per_second(channel: Channel) -> int:
    """Ticks per second of the times of `channel`."""
    if channel is Channel.RR_INTERVAL:
        return _RR_TICKS
    return _RAW_TICKS if channel in RAW_CHANNELS else _TICKS


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Samples of one series, each column of the shape (samples,), `values` (samples, axes) where there are axes.

    `times` are ticks since 1970 UTC (for RR intervals: of the beat that ends them), `values` steps of the channel's
    resolution, `quality` the flags of Quality.
    """

    times: Whole
    values: Whole
    quality: Whole

    def part(self, begin: int, end: int | None = None) -> Columns:
        """The samples at the positions begin <= position < end."""
        return Columns(self.times[begin:end], self.values[begin:end], self.quality[begin:end])

    def at(self, places: NDArray[np.intp] | NDArray[np.bool_]) -> Columns:
        """The samples at `places`, in that order; or where `places` is True."""
        return Columns(self.times[places], self.values[places], self.quality[places])

    def in_order(self) -> Columns:
        """The samples in the order of time."""
        if (np.diff(self.times) >= 0).all():
            return self
        return self.at(np.argsort(self.times, kind="stable"))


@dataclass(frozen=True, slots=True)
class Packed:
    """Columns as bytes; None stands for a column of zeros, `origin` is the tick from which `times` count."""

    size: int
    origin: int
    times: bytes | None
    samples: bytes | None
    quality: bytes | None

    @property
    def bytes(self) -> int:
        """Bytes of all columns."""
        return sum(len(column) for column in (self.times, self.samples, self.quality) if column is not None)


@dataclass(frozen=True, slots=True)
class Codec:
    """A way to write a column of whole numbers."""

    encode: Callable[[Whole], bytes]
    decode: Callable[[bytes, int], Whole]


def columns_of(readings: Sequence[Reading]) -> Columns:
    """The samples of `readings`, which are all of one series, in the order given.

    GAP_BEFORE stays with the first sample of its Reading: nothing is missing between the others. Raises UnstorableError
    for a value or time that no wearable can have sent, and for samples that lack an axis.
    """
    channel = readings[0].channel
    axes = CHANNELS[channel].axes
    counts = np.fromiter((len(reading.values) for reading in readings), np.int64, len(readings))
    steps = np.fromiter(chain.from_iterable(reading.values for reading in readings), np.float64, int(counts.sum()))
    steps /= CHANNELS[channel].resolution
    starts = np.fromiter((reading.start for reading in readings), np.float64, len(readings))
    paces = np.fromiter((reading.interval_s or 0.0 for reading in readings), np.float64, len(readings))
    sizes, lacking = np.divmod(counts, axes)
    known = (np.isfinite(starts) & (np.abs(starts) < _LARGEST) & (np.abs(paces) < _LARGEST) & (lacking == 0)).all()
    if not (known and (np.abs(steps) < _LARGEST).all()):
        raise UnstorableError(
            "a value or time is not a number that can be stored",
            where=f"readings of {channel} from {readings[0].device}",
            mend="report this fault: a decoder let it through",
        )
    values = np.rint(steps).astype(np.int64)
    times = _times(channel, starts, paces, sizes, values)
    flags = np.fromiter((reading.quality for reading in readings), np.int64, len(readings))
    quality = np.repeat(flags & ~int(Quality.GAP_BEFORE), sizes)
    filled = sizes > 0
    firsts = np.cumsum(sizes) - sizes
    quality[firsts[filled]] |= flags[filled] & int(Quality.GAP_BEFORE)
    return Columns(times, values if axes == 1 else values.reshape(-1, axes), quality)


def is_storable(reading: Reading) -> bool:
    """Whether columns_of can take a Reading."""
    try:
        columns_of([reading])
    except UnstorableError:
        return False
    return True


def _times(
    channel: Channel, starts: NDArray[np.float64], paces: NDArray[np.float64], sizes: Whole, values: Whole
) -> Whole:
    """The tick of each sample of Readings that begin at `starts`, s, and have `sizes` samples, `paces` s apart."""
    rate = ticks_per_second(channel)
    firsts = np.cumsum(sizes) - sizes
    if channel is Channel.RR_INTERVAL:
        elapsed = np.cumsum(values)
        before = np.concatenate(([0], elapsed))[firsts]
        return np.asarray(np.repeat(np.rint(starts * rate).astype(np.int64) - before, sizes) + elapsed)
    place = np.arange(int(sizes.sum())) - np.repeat(firsts, sizes)
    if channel in RAW_CHANNELS:
        begins = np.rint(starts * _RAW_BEGINS).astype(np.int64) * (rate // _RAW_BEGINS)
        return np.asarray(np.repeat(begins, sizes) + np.repeat(np.rint(paces * rate).astype(np.int64), sizes) * place)
    begins = np.rint(starts * rate).astype(np.int64)
    return np.asarray(np.repeat(begins, sizes) + np.rint(np.repeat(paces * rate, sizes) * place).astype(np.int64))


def pack(columns: Columns, channel: Channel, codec: Codec) -> Packed:
    """Write `columns` (at least one sample) with `codec`."""
    times, values = columns.times, columns.values
    origin = int(times[0] - values[0]) if channel is Channel.RR_INTERVAL else int(times[0])
    if channel in RAW_CHANNELS:
        residuals = _encode_steps(times, codec)
    elif channel is Channel.RR_INTERVAL:
        residuals = _encode(np.diff(times, prepend=origin) - values, codec)
    else:
        residuals = _encode(times - origin, codec)
    # One axis after the other: samples of one axis are alike.
    return Packed(
        len(times), origin, residuals, _encode(values.ravel(order="F"), codec), _encode(columns.quality, codec)
    )


def unpack(packed: Packed, channel: Channel, codec: Codec) -> Columns:
    """Read what pack has written, exactly; raises StoreError when the bytes are damaged."""
    size, axes = packed.size, CHANNELS[channel].axes
    try:
        values = _decode(packed.samples, size * axes, codec)
        quality = _decode(packed.quality, size, codec)
        if channel in RAW_CHANNELS:
            elapsed = _decode_steps(packed.times, size, codec)
        else:
            elapsed = _decode(packed.times, size, codec)
            if channel is Channel.RR_INTERVAL:
                elapsed = np.cumsum(elapsed + values)
    except (RuntimeError, TypeError, ValueError, IndexError, struct.error) as error:
        raise StoreError(
            f"a block of {size} samples is damaged ({error})",
            where=f"samples of {channel}",
            mend="put the newest backup in the store's place",
        ) from error
    return Columns(packed.origin + elapsed, values if axes == 1 else values.reshape(axes, size).T, quality)


def _encode_steps(times: Whole, codec: Codec) -> bytes | None:
    """Times of which most are as far from the one before as that was from the one before it: the exceptions."""
    changes = np.diff(np.diff(times, prepend=times[:1]), prepend=0)
    places = np.flatnonzero(changes)
    if not places.size:
        return None
    gaps = codec.encode(np.diff(places, prepend=0))
    return _HEAD.pack(places.size, len(gaps)) + gaps + codec.encode(changes[places])


def _decode_steps(data: bytes | None, size: int, codec: Codec) -> Whole:
    """Ticks since the first time."""
    changes = np.zeros(size, np.int64)
    if data is not None:
        count, length = _HEAD.unpack_from(data)
        begin = _HEAD.size + length
        gaps = codec.decode(data[_HEAD.size : begin], count)
        changes[np.cumsum(gaps)] = codec.decode(data[begin:], count)
    return np.cumsum(np.cumsum(changes))


def joined(pieces: Sequence[Columns]) -> Columns:
    """Columns of one series, one after the other."""
    return Columns(
        np.concatenate([piece.times for piece in pieces]),
        np.concatenate([piece.values for piece in pieces]),
        np.concatenate([piece.quality for piece in pieces]),
    )


def _encode(column: Whole, codec: Codec) -> bytes | None:
    return codec.encode(column) if column.any() else None


def _decode(data: bytes | None, size: int, codec: Codec) -> Whole:
    return np.zeros(size, np.int64) if data is None else codec.decode(data, size)


def _narrowed(column: Whole) -> NDArray[np.signedinteger[Any]]:
    # The narrowest type that holds every number; pcodec, too, writes fewer bytes for narrower types.
    low, high = int(column.min()), int(column.max())
    width = next(width for width, least, most in _WIDTHS if least <= low and high <= most)
    return column.astype(width)


def _compress(config: ChunkConfig, column: Whole) -> bytes:
    return bytes(standalone.simple_compress(_narrowed(column), config))


def _decompress(data: bytes, size: int) -> Whole:
    return np.asarray(standalone.simple_decompress(data), np.int64).reshape(size)


def _write_plain(column: Whole) -> bytes:
    narrow = _narrowed(column)
    return narrow.astype(narrow.dtype.newbyteorder("<")).tobytes()


def _read_plain(data: bytes, size: int) -> Whole:
    # The width of a number is what the size leaves for each.
    return np.frombuffer(data, f"<i{len(data) // size}").astype(np.int64)


COMPRESSED: Final = Codec(partial(_compress, _CONFIG), _decompress)
COMPRESSED_RAW: Final = Codec(partial(_compress, _RAW_CONFIG), _decompress)
PLAIN: Final = Codec(_write_plain, _read_plain)


def codec_of(channel: Channel, *, sealed: bool) -> Codec:
    """How a channel's samples are written: in a sealed block, or while they wait for one."""
    if not sealed:
        return PLAIN
    return COMPRESSED_RAW if channel in RAW_CHANNELS else COMPRESSED
