"""Readings in, series out: what the wearables have measured, in compressed blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.readings import CHANNELS, Channel, Quality, Reading
from edge.store.blocks import (
    COMPRESSED,
    PLAIN,
    Columns,
    Packed,
    Whole,
    columns_of,
    joined,
    pack,
    ticks_per_second,
    unpack,
)
from edge.store.connection import PAGE_SIZE, Connection

# Samples of the first block of a series; the following have as many as filled a page so far, within bounds.
BLOCK_SIZE: Final = 1024
_SMALLEST_BLOCK: Final = 256
_LARGEST_BLOCK: Final = 4096
# Bytes of a block's columns that fill one page: a row keeps to its page up to 35 bytes less than the page has
# (https://www.sqlite.org/fileformat.html, 1.6), and the row's numbers and header take up to 37.
_ROOM: Final = PAGE_SIZE - 35 - 37
SECONDS_PER_MINUTE: Final = 60

# One statement, so that no commit of another thread comes between blocks and tail.
_SAMPLES: Final = """
    SELECT 1 AS sealed, b.id AS place, b.size, b.origin, b.times, b.samples, b.quality
    FROM series s JOIN blocks b ON b.series = s.id
    WHERE s.person = ? AND s.channel = ? AND b.last > ? AND b.first <= ?
    UNION ALL
    SELECT 0, t.position, t.size, t.origin, t.times, t.samples, t.quality
    FROM series s JOIN tail t ON t.series = s.id
    WHERE s.person = ? AND s.channel = ? AND s.last > ?
    ORDER BY sealed DESC, place"""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Samples of one channel of one person in time order, whatever wearable they came from.

    `times` are seconds since 1970 UTC (for RR intervals: of the beat that ends the interval), `values` are in the
    channel's unit, `quality` holds the flags of Quality; all three have the shape (samples,).
    """

    times: NDArray[np.float64]
    values: NDArray[np.float64]
    quality: NDArray[np.uint8]


class Signals:
    """The tables `series`, `blocks` and `tail`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def append(self, readings: Sequence[Reading]) -> set[tuple[str, int]]:
        """Store `readings`, inside the caller's transaction; the (person, minute) pairs that got samples.

        A minute holds the samples with 60 * minute < time <= 60 * minute + 60.
        """
        grouped: dict[tuple[str, str, Channel], list[Reading]] = {}
        for reading in readings:
            if reading.values:
                grouped.setdefault((reading.person, reading.device, reading.channel), []).append(reading)
        touched: set[tuple[str, int]] = set()
        for (person, _, channel), group in grouped.items():
            columns = columns_of(group)
            self._append_group(group, columns)
            minutes = (columns.times - 1) // (SECONDS_PER_MINUTE * ticks_per_second(channel))
            touched.update((person, minute) for minute in set(minutes.tolist()))
        return touched

    def _append_group(self, group: Sequence[Reading], columns: Columns) -> None:
        channel = group[0].channel
        size = len(columns.times)
        newest = int(np.argmax(columns.times))
        upserted = self._connection.row(
            "INSERT INTO series (person, device, channel, last, value, quality, received_at, waiting, block) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (person, device, channel) DO UPDATE SET "
            "waiting = waiting + excluded.waiting, last = max(last, excluded.last), "
            "value = iif(excluded.last >= last, excluded.value, value), "
            "quality = iif(excluded.last >= last, excluded.quality, quality), "
            "received_at = max(received_at, excluded.received_at) RETURNING id, waiting, block",
            (
                group[0].person,
                group[0].device,
                channel,
                int(columns.times[newest]),
                int(columns.values[newest]),
                int(columns.quality[newest]),
                max(reading.received_at for reading in group),
                size,
                BLOCK_SIZE,
            ),
        )
        assert upserted is not None  # noqa: S101 -- an upsert always returns its row
        series, waiting, block = upserted
        self._add_to_tail(series, waiting - size, pack(columns, channel, PLAIN))
        if waiting >= block:
            self._seal(series, channel, block)

    def _add_to_tail(self, series: int, position: int, packed: Packed) -> None:
        self._connection.execute(
            "INSERT INTO tail VALUES (?, ?, ?, ?, ?, ?, ?)",
            (series, position, packed.size, packed.origin, packed.times, packed.samples, packed.quality),
        )

    def _seal(self, series: int, channel: Channel, size: int) -> None:
        """Turn the tail of a series into blocks of about `size` samples, each as many as fit into a page."""
        rows = self._connection.rows(
            "SELECT size, origin, times, samples, quality FROM tail WHERE series = ? ORDER BY position", (series,)
        )
        rest = joined([unpack(Packed(*row), channel, PLAIN) for row in rows])
        while len(rest.times) >= size:
            packed = pack(rest.part(0, size), channel, COMPRESSED)
            if packed.bytes > _ROOM:
                size = size * _ROOM // (packed.bytes + packed.bytes // 50)
                continue
            self._add_block(series, packed, rest.part(0, size).times)
            rest = rest.part(size)
            size = min(max(size * _ROOM // max(packed.bytes, 1), _SMALLEST_BLOCK), _LARGEST_BLOCK)
        self._connection.execute("DELETE FROM tail WHERE series = ?", (series,))
        if len(rest.times):
            self._add_to_tail(series, 0, pack(rest, channel, PLAIN))
        self._connection.execute(
            "UPDATE series SET waiting = ?, block = ? WHERE id = ?", (len(rest.times), size, series)
        )

    def _add_block(self, series: int, packed: Packed, times: Whole) -> None:
        self._connection.execute(
            "INSERT INTO blocks (series, size, first, last, origin, times, samples, quality) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                series,
                packed.size,
                int(times.min()),
                int(times.max()),
                packed.origin,
                packed.times,
                packed.samples,
                packed.quality,
            ),
        )

    def series(self, person: str, channel: Channel, start: float, end: float) -> Series:
        """The samples with start < time <= end (seconds since 1970 UTC), of all wearables that the person has worn."""
        rate = ticks_per_second(channel)
        rows = self._connection.rows(
            _SAMPLES, (person, channel, start * rate, end * rate, person, channel, start * rate)
        )
        pieces = [unpack(Packed(*row), channel, COMPRESSED if sealed else PLAIN) for sealed, _, *row in rows]
        if not pieces:
            return Series(np.empty(0), np.empty(0), np.empty(0, np.uint8))
        columns = joined(pieces)
        times = columns.times / rate
        order = np.argsort(times, kind="stable")
        order = order[(times[order] > start) & (times[order] <= end)]
        return Series(
            times[order],
            columns.values[order].astype(np.float64) * CHANNELS[channel].resolution,
            columns.quality[order].astype(np.uint8),
        )

    def last_readings(self, person: str, device: str) -> Mapping[Channel, Reading]:
        """The newest sample of each channel of a wearable, as a Reading of its own; empty when there was none yet."""
        rows = self._connection.rows(
            "SELECT channel, last, value, quality, received_at FROM series WHERE person = ? AND device = ?",
            (person, device),
        )
        readings = {}
        for name, last, value, quality, received_at in rows:
            channel = Channel(name)
            ticks = last - value if channel is Channel.RR_INTERVAL else last
            readings[channel] = Reading(
                person,
                device,
                channel,
                CHANNELS[channel].unit,
                ticks / ticks_per_second(channel),
                received_at,
                (value * CHANNELS[channel].resolution,),
                Quality(quality),
            )
        return readings

    def forget_before(self, time: float) -> None:
        """Drop blocks that end before `time`, and tails that got nothing since, inside the caller's transaction."""
        for channel in Channel:
            ticks = time * ticks_per_second(channel)
            self._connection.execute(
                "DELETE FROM blocks WHERE last < ? AND series IN (SELECT id FROM series WHERE channel = ?)",
                (ticks, channel),
            )
            stale = "SELECT id FROM series WHERE channel = ? AND last < ?"
            self._connection.execute(f"DELETE FROM tail WHERE series IN ({stale})", (channel, ticks))  # noqa: S608 -- ours
            self._connection.execute("UPDATE series SET waiting = 0 WHERE channel = ? AND last < ?", (channel, ticks))
