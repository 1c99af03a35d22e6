"""Samples as whole numbers, and whole numbers as few bytes.

A series is kept at the resolution of its channel and no coarser, so that nothing is lost: values in steps of
`ChannelFacts.resolution`, times in ticks. RR intervals carry their own time: the next beat follows from the interval
before it, so that only what differs from this chain is stored, and that is nearly always 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pcodec import ChunkConfig, standalone

from edge.errors import StoreError
from edge.readings import CHANNELS, Channel, Quality, Reading

Whole = NDArray[np.int64]

# Ticks per second of a series' times. RR intervals: the step of the intervals themselves (Heart Rate Service 1.0,
# 3.1.1.4). Others: our choice, because notifications come a second apart and are stamped on arrival, which is late by
# some tens of ms.
_RR_TICKS: Final = 1024
_TICKS: Final = 8
# Values beyond this many steps cannot come from any GATT field (the widest are 32 bits).
_LARGEST: Final = 2.0**32
_WIDTHS: Final = tuple(
    (width, int(np.iinfo(width).min), int(np.iinfo(width).max)) for width in (np.int8, np.int16, np.int32, np.int64)
)
_CONFIG: Final = ChunkConfig(enable_8_bit=True)


def ticks_per_second(channel: Channel) -> int:
    """Ticks per second of the times of `channel`."""
    return _RR_TICKS if channel is Channel.RR_INTERVAL else _TICKS


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Samples of one series, each column of the shape (samples,).

    `times` are ticks since 1970 UTC (for RR intervals: of the beat that ends them), `values` steps of the channel's
    resolution, `quality` the flags of Quality.
    """

    times: Whole
    values: Whole
    quality: Whole

    def part(self, begin: int, end: int | None = None) -> Columns:
        """The samples at the positions begin <= position < end."""
        return Columns(self.times[begin:end], self.values[begin:end], self.quality[begin:end])


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

    GAP_BEFORE stays with the first sample of its Reading: nothing is missing between the others. Raises StoreError for
    a value that no wearable can have sent.
    """
    channel = readings[0].channel
    sizes = np.fromiter((len(reading.values) for reading in readings), np.int64, len(readings))
    steps = np.fromiter(chain.from_iterable(reading.values for reading in readings), np.float64, int(sizes.sum()))
    steps /= CHANNELS[channel].resolution
    starts = np.fromiter((reading.start for reading in readings), np.float64, len(readings)) * ticks_per_second(channel)
    if not (np.isfinite(starts).all() and (np.abs(steps) < _LARGEST).all()):
        raise StoreError(
            "a value or time is not a number that can be stored",
            where=f"readings of {channel} from {readings[0].device}",
            mend="report this fault: a decoder let it through",
        )
    values = np.rint(steps).astype(np.int64)
    begins = np.rint(starts).astype(np.int64)
    ends = np.cumsum(sizes)
    if channel is Channel.RR_INTERVAL:
        elapsed = np.cumsum(values)
        before = np.concatenate(([0], elapsed))[ends - sizes]
        times = np.repeat(begins - before, sizes) + elapsed
    else:
        times = np.repeat(begins, sizes)
    flags = np.fromiter((reading.quality for reading in readings), np.int64, len(readings))
    quality = np.repeat(flags & ~int(Quality.GAP_BEFORE), sizes)
    filled = sizes > 0
    quality[(ends - sizes)[filled]] |= flags[filled] & int(Quality.GAP_BEFORE)
    return Columns(times, values, quality)


def pack(columns: Columns, channel: Channel, codec: Codec) -> Packed:
    """Write `columns` (at least one sample) with `codec`."""
    times, values = columns.times, columns.values
    if channel is Channel.RR_INTERVAL:
        origin = int(times[0] - values[0])
        residuals = np.diff(times, prepend=origin) - values
    else:
        origin = int(times[0])
        residuals = times - origin
    return Packed(
        len(times),
        origin,
        _encode(residuals, codec),
        _encode(values, codec),
        _encode(columns.quality, codec),
    )


def unpack(packed: Packed, channel: Channel, codec: Codec) -> Columns:
    """Read what pack has written, exactly; raises StoreError when the bytes are damaged."""
    try:
        residuals, values, quality = (
            _decode(column, packed.size, codec) for column in (packed.times, packed.samples, packed.quality)
        )
    except (RuntimeError, TypeError, ValueError) as error:
        raise StoreError(
            f"a block of {packed.size} samples is damaged ({error})",
            where=f"samples of {channel}",
            mend="put the newest backup in the store's place",
        ) from error
    chained = channel is Channel.RR_INTERVAL
    times = packed.origin + (np.cumsum(residuals + values) if chained else residuals)
    return Columns(times, values, quality)


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


def _compress(column: Whole) -> bytes:
    return bytes(standalone.simple_compress(_narrowed(column), _CONFIG))


def _decompress(data: bytes, size: int) -> Whole:
    return np.asarray(standalone.simple_decompress(data), np.int64).reshape(size)


def _write_plain(column: Whole) -> bytes:
    narrow = _narrowed(column)
    return narrow.astype(narrow.dtype.newbyteorder("<")).tobytes()


def _read_plain(data: bytes, size: int) -> Whole:
    # The width of a number is what the size leaves for each.
    return np.frombuffer(data, f"<i{len(data) // size}").astype(np.int64)


COMPRESSED: Final = Codec(_compress, _decompress)
PLAIN: Final = Codec(_write_plain, _read_plain)
