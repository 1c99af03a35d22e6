"""Readings in, series out: what the wearables have measured, in compressed blocks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.readings import CHANNELS, RAW_CHANNELS, Channel, Quality, Reading
from edge.store.blocks import Columns, Packed, Whole, codec_of, columns_of, joined, pack, ticks_per_second, unpack
from edge.store.connection import PAGE_SIZE, Connection
from edge.store.repeats import by_novelty, without_repeats

# Samples of the first block of a series; the following have as many as filled a page so far, within bounds.
BLOCK_SIZE: Final = 1024
_SMALLEST_BLOCK: Final = 256
_LARGEST_BLOCK: Final = 4096
# Values of a block of a raw channel, which fills a page in seconds: 82 s of three axes at 50 Hz, 95 s of ECG at 130 Hz.
# Our choice: larger blocks are no smaller by the sample (0.1 % measured), and a minute would be slower to read.
RAW_BLOCK: Final = 3 * 4096
# Bytes of a block's columns that fill one page: a row keeps to its page up to 35 bytes less than the page has
# (https://www.sqlite.org/fileformat.html, 1.6), and the row's numbers and header take up to 37.
_ROOM: Final = PAGE_SIZE - 35 - 37
SECONDS_PER_MINUTE: Final = 60
# No block spans more than this, so that blocks of a time are found without looking at all later ones, although late
# samples come between: what is measured all the time, and what is measured now and then. Our choice.
_SPAN_S: Final = 86_400
_RARE_SPAN_S: Final = 30 * 86_400
_FREQUENT: Final = RAW_CHANNELS | {Channel.HEART_RATE, Channel.RR_INTERVAL, Channel.SPO2}

# The blocks of one series (or all of a person's) that hold samples of first <= time <= last, in order; then the tail.
# One statement, so that no commit of another thread comes between blocks and tail.
_SAMPLES: Final = """
    SELECT 1 AS sealed, b.id AS place, b.size, b.origin, b.times, b.samples, b.quality
    FROM series s JOIN blocks b ON b.series = s.id
    WHERE {which} AND b.last >= :first AND b.last <= :last + s.span AND b.first <= :last
    UNION ALL
    SELECT 0, t.position, t.size, t.origin, t.times, t.samples, t.quality
    FROM series s JOIN tail t ON t.series = s.id
    WHERE {which} AND s.last >= :first
    ORDER BY sealed DESC, place"""
_OF_A_PERSON: Final = _SAMPLES.format(
    which="s.person = :person AND s.channel = :channel AND (s.device = :device OR :device IS NULL)"
)
_OF_A_SERIES: Final = _SAMPLES.format(which="s.id = :series")


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Samples of one channel of one person in time order, whatever wearable they came from.

    `times` are seconds since 1970 UTC (for RR intervals: of the beat that ends the interval), `values` are in the
    channel's unit, `quality` holds the flags of Quality; all three have the shape (samples,), but for values of a
    channel with axes: (samples, axes).
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

        A minute holds the samples with 60 * minute < time <= 60 * minute + 60. Late samples land in the past where they
        belong; those that are stored already are left out (see repeats.py).
        """
        grouped: dict[tuple[str, str, Channel], list[Reading]] = {}
        for reading in readings:
            if reading.values:
                grouped.setdefault((reading.person, reading.device, reading.channel), []).append(reading)
        touched: set[tuple[str, int]] = set()
        for (person, _, channel), group in grouped.items():
            columns = self._append_group(group)
            minutes = (columns.times - 1) // (SECONDS_PER_MINUTE * ticks_per_second(channel))
            touched.update((person, minute) for minute in np.unique(minutes).tolist())
        return touched

    def _append_group(self, group: Sequence[Reading]) -> Columns:
        """Store Readings of one series; the samples that are new."""
        novelty = by_novelty(group)
        pieces = []
        if novelty.moment:
            pieces.append(columns_of(novelty.moment))
            self._append_columns(novelty.moment, pieces[0])
        for old, late in ((novelty.recent, False), (novelty.late, True)):
            if old:
                pieces.append(self._new_samples(old, late=late))
                if pieces[-1].times.size:
                    self._append_columns(old, pieces[-1])
        return pieces[0] if len(pieces) == 1 else joined(pieces)

    def _new_samples(self, group: Sequence[Reading], *, late: bool) -> Columns:
        """The samples of Readings of one series that are not stored yet."""
        first = group[0]
        row = self._connection.row(
            "SELECT id, last FROM series WHERE person = ? AND device = ? AND channel = ?",
            (first.person, first.device, first.channel),
        )
        columns = columns_of(group)

        def stored(begin: int, end: int) -> Columns | None:
            if row is None or begin > row[1]:
                return None
            limits = {"series": row[0], "first": begin, "last": end}
            return self._read(_OF_A_SERIES, limits, first.channel)

        return without_repeats(columns, first.channel, stored, late=late)

    def _append_columns(self, group: Sequence[Reading], columns: Columns) -> None:
        channel = group[0].channel
        size = len(columns.times)
        newest = int(np.argmax(columns.times))
        value, *others = np.atleast_1d(columns.values[newest]).tolist()
        upserted = self._connection.row(
            "INSERT INTO series (person, device, channel, last, value, others, quality, received_at, waiting, block) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (person, device, channel) DO UPDATE SET "
            "waiting = waiting + excluded.waiting, last = max(last, excluded.last), "
            "value = iif(excluded.last >= last, excluded.value, value), "
            "others = iif(excluded.last >= last, excluded.others, others), "
            "quality = iif(excluded.last >= last, excluded.quality, quality), "
            "received_at = max(received_at, excluded.received_at) RETURNING id, waiting, block",
            (
                group[0].person,
                group[0].device,
                channel,
                int(columns.times[newest]),
                value,
                json.dumps(others) if others else None,
                int(columns.quality[newest]),
                max(reading.received_at for reading in group),
                size,
                RAW_BLOCK // CHANNELS[channel].axes if channel in RAW_CHANNELS else BLOCK_SIZE,
            ),
        )
        assert upserted is not None  # noqa: S101 -- an upsert always returns its row
        series, waiting, block = upserted
        self._add_to_tail(series, waiting - size, pack(columns, channel, codec_of(channel, sealed=False)))
        if waiting >= block:
            self._seal(series, channel, block)

    def _add_to_tail(self, series: int, position: int, packed: Packed) -> None:
        self._connection.execute(
            "INSERT INTO tail VALUES (?, ?, ?, ?, ?, ?, ?)",
            (series, position, packed.size, packed.origin, packed.times, packed.samples, packed.quality),
        )

    def _seal(self, series: int, channel: Channel, size: int) -> None:
        """Turn the tail of a series into blocks of about `size` samples, each as many as fit into a page."""
        waiting = self._waiting(series, channel)
        assert waiting is not None  # noqa: S101 -- the caller has added some
        rest = waiting.in_order()
        span = (_SPAN_S if channel in _FREQUENT else _RARE_SPAN_S) * ticks_per_second(channel)
        while len(rest.times) >= size:
            near = int(np.searchsorted(rest.times, rest.times[0] + span, "right"))
            packed = pack(rest.part(0, min(size, near)), channel, codec_of(channel, sealed=True))
            if channel not in RAW_CHANNELS and packed.bytes > _ROOM:
                size = packed.size * _ROOM // (packed.bytes + packed.bytes // 50)
                continue
            self._add_block(series, packed, rest.times)
            rest = rest.part(packed.size)
            if channel not in RAW_CHANNELS and near >= size:
                size = min(max(size * _ROOM // max(packed.bytes, 1), _SMALLEST_BLOCK), _LARGEST_BLOCK)
        self._replace_tail(series, channel, rest)
        self._connection.execute("UPDATE series SET block = ? WHERE id = ?", (size, series))

    def _waiting(self, series: int, channel: Channel) -> Columns | None:
        """The tail of a series, None where there is none."""
        rows = self._connection.rows(
            "SELECT size, origin, times, samples, quality FROM tail WHERE series = ? ORDER BY position", (series,)
        )
        plain = codec_of(channel, sealed=False)
        return joined([unpack(Packed(*row), channel, plain) for row in rows]) if rows else None

    def _replace_tail(self, series: int, channel: Channel, columns: Columns) -> None:
        self._connection.execute("DELETE FROM tail WHERE series = ?", (series,))
        if len(columns.times):
            self._add_to_tail(series, 0, pack(columns, channel, codec_of(channel, sealed=False)))
        self._connection.execute("UPDATE series SET waiting = ? WHERE id = ?", (len(columns.times), series))

    def _add_block(self, series: int, packed: Packed, times: Whole) -> None:
        """Store a block of the first of `times`, which are in order."""
        first, last = int(times[0]), int(times[packed.size - 1])
        self._connection.execute(
            "INSERT INTO blocks (series, size, first, last, origin, times, samples, quality) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (series, packed.size, first, last, packed.origin, packed.times, packed.samples, packed.quality),
        )
        self._connection.execute("UPDATE series SET span = max(span, ?) WHERE id = ?", (last - first, series))

    def series(self, person: str, channel: Channel, start: float, end: float, device: str | None = None) -> Series:
        """The samples with start < time <= end (seconds since 1970 UTC): of one wearable, or of all that were worn."""
        rate, facts = ticks_per_second(channel), CHANNELS[channel]
        limits = {
            "person": person,
            "channel": channel,
            "device": device,
            "first": start * rate,
            "last": end * rate,
        }
        columns = self._read(_OF_A_PERSON, limits, channel)
        if columns is None:
            return Series(np.empty(0), np.empty(0 if facts.axes == 1 else (0, facts.axes)), np.empty(0, np.uint8))
        times = columns.times / rate
        order = np.argsort(times, kind="stable")
        order = order[(times[order] > start) & (times[order] <= end)]
        return Series(
            times[order],
            columns.values[order].astype(np.float64) * facts.resolution,
            columns.quality[order].astype(np.uint8),
        )

    def devices(self, person: str, channel: Channel, start: float) -> list[str]:
        """The wearables that have a sample of `channel` after `start` (seconds since 1970 UTC), by address."""
        rows = self._connection.rows(
            "SELECT device FROM series WHERE person = ? AND channel = ? AND last > ? ORDER BY device",
            (person, channel, start * ticks_per_second(channel)),
        )
        return [device for (device,) in rows]

    def span(self, person: str, channel: Channel, device: str) -> tuple[float, float] | None:
        """Times of the first and the last sample of a wearable's channel (seconds since 1970 UTC), None without any."""
        row = self._connection.row(
            "SELECT s.id, min(b.first), max(b.last) FROM series s LEFT JOIN blocks b ON b.series = s.id "
            "WHERE s.person = ? AND s.device = ? AND s.channel = ? GROUP BY s.id",
            (person, device, channel),
        )
        if row is None:
            return None
        waiting = self._waiting(row[0], channel)
        ends = [end for end in row[1:] if end is not None]
        ends += [] if waiting is None else [int(waiting.times.min()), int(waiting.times.max())]
        rate = ticks_per_second(channel)
        return (min(ends) / rate, max(ends) / rate) if ends else None

    def _read(self, query: str, limits: Mapping[str, object], channel: Channel) -> Columns | None:
        """What may lie within the limits of a query of _SAMPLES, and some around it; None where there is nothing."""
        rows = self._connection.rows(query, limits)
        pieces = [unpack(Packed(*row), channel, codec_of(channel, sealed=bool(sealed))) for sealed, _, *row in rows]
        return joined(pieces) if pieces else None

    def last_readings(self, person: str, device: str) -> Mapping[Channel, Reading]:
        """The newest sample of each channel of a wearable, as a Reading of its own; empty when there was none yet."""
        rows = self._connection.rows(
            "SELECT channel, last, value, others, quality, received_at FROM series WHERE person = ? AND device = ?",
            (person, device),
        )
        readings = {}
        for name, last, value, others, quality, received_at in rows:
            channel = Channel(name)
            ticks = last - value if channel is Channel.RR_INTERVAL else last
            readings[channel] = Reading(
                person,
                device,
                channel,
                CHANNELS[channel].unit,
                ticks / ticks_per_second(channel),
                received_at,
                tuple(step * CHANNELS[channel].resolution for step in (value, *json.loads(others or "[]"))),
                Quality(quality),
            )
        return readings

    def forget_before(self, time: float, raw_time: float) -> None:
        """Drop blocks that end before `time`, and waiting samples before it, inside the caller's transaction.

        Raw channels are forgotten before `raw_time`, where that is later.
        """
        for channel in Channel:
            limit = max(time, raw_time) if channel in RAW_CHANNELS else time
            ticks = limit * ticks_per_second(channel)
            for (series,) in self._connection.rows("SELECT id FROM series WHERE channel = ?", (channel,)):
                self._connection.execute("DELETE FROM blocks WHERE series = ? AND last < ?", (series, ticks))
                self._forget_waiting(series, channel, ticks)

    def _forget_waiting(self, series: int, channel: Channel, before: float) -> None:
        """A channel that is measured once a day may wait for years until it fills a block."""
        waiting = self._waiting(series, channel)
        if waiting is None:
            return
        kept = waiting.at(waiting.times >= before)
        if len(kept.times) < len(waiting.times):
            self._replace_tail(series, channel, kept)
