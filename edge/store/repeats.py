"""Records that a wearable sends again: which samples are stored already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.readings import RAW_CHANNELS, Channel, Reading
from edge.store.blocks import Columns, joined, ticks_per_second

# Channels that are notified as they are measured. What was received within this time of its measurement is new, even
# where the wall clock was set back; what comes later is from the wearable's own memory. Our choice: longer than a link
# can hold a packet back. Samples of all other channels may be records as soon as they are older than their packet.
LATE_S: Final = 60.0
STREAMED: Final = RAW_CHANNELS | {Channel.HEART_RATE, Channel.RR_INTERVAL, Channel.BATTERY}
# Equal values of one wearable within so many seconds are one record: its clock, which stamps it, is read anew at each
# connection, in whole seconds; so records of the same connection are stamped alike. Our choice. Glucose sensors stamp
# in whole minutes (see continuous_glucose.py), and measure no more often; beats are stamped to one tick, which may be
# rounded twice.
SAME_S: Final[Mapping[Channel, float]] = {Channel.GLUCOSE: 30.0, Channel.RR_INTERVAL: 2.5 / 1024.0}
SAME_RECORD_S: Final = 2.0
# Late samples further apart are looked up one stretch after the other, so that memory stays bounded. Our choice.
_STRETCH_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Novelty:
    """Readings of one series: those of the `moment`, and those that may come again, `recent` ones and `late` ones."""

    moment: list[Reading]
    recent: list[Reading]
    late: list[Reading]


def by_novelty(group: Sequence[Reading]) -> Novelty:
    """Tell Readings of one series apart by how long before they came they were measured."""
    sorted_out = Novelty([], [], [])
    limit_s = LATE_S if group[0].channel in STREAMED else 0.0
    for reading in group:
        # Nearly all are of the moment, and `end` takes its time.
        if reading.received_at - reading.start <= limit_s or reading.received_at - reading.end <= limit_s:
            sorted_out.moment.append(reading)
        elif reading.received_at - reading.end <= LATE_S:
            sorted_out.recent.append(reading)
        else:
            sorted_out.late.append(reading)
    return sorted_out


def tolerance_ticks(channel: Channel, *, late: bool) -> int:
    """Within how many ticks equal values are one record."""
    usual = SAME_RECORD_S if late and channel not in STREAMED else 0.0
    return int(SAME_S.get(channel, usual) * ticks_per_second(channel))


def without_repeats(
    new: Columns, channel: Channel, stored: Callable[[int, int], Columns | None], *, late: bool
) -> Columns:
    """The samples of `new` that are not stored yet, in the order of time, each once.

    `late` says that they come from another connection than the one that they were measured in. `stored` gives the
    samples of the series from one tick to another, both included, None where there are none.
    """
    new = new.in_order()
    tolerance = tolerance_ticks(channel, late=late)
    kept = []
    for stretch in _stretches(new, round(_STRETCH_S * ticks_per_second(channel))):
        old = stored(int(stretch.times[0]) - tolerance, int(stretch.times[-1]) + tolerance)
        kept.append(stretch.at(~_repeated(stretch, old, tolerance)))
    return joined(kept)


def _stretches(columns: Columns, apart: int) -> Iterator[Columns]:
    """Columns in the order of time, cut where samples are more than `apart` ticks apart."""
    cuts = np.flatnonzero(np.diff(columns.times) > apart) + 1
    for begin, end in pairwise([0, *cuts.tolist(), len(columns.times)]):
        yield columns.part(begin, end)


def _repeated(new: Columns, old: Columns | None, tolerance: int) -> NDArray[np.bool_]:
    """Which of `new` are among `old`, or come a second time at the very same tick; shape (samples,)."""
    both = new if old is None else joined([old, new])
    count = len(both.times) - len(new.times)
    alike = _numbered(both.values)
    order = np.lexsort((both.times, alike))
    times, alike = both.times[order], alike[order]
    repeated = np.zeros(len(order), np.bool_)
    same = (alike[1:] == alike[:-1]) & (times[1:] == times[:-1])
    repeated[1:] = same  # the order is stable: what is stored comes before what is new
    if count:
        place = np.arange(len(order))
        is_old = order < count
        before = np.maximum.accumulate(np.where(is_old, place, -1))
        after = np.minimum.accumulate(np.where(is_old, place, len(order))[::-1])[::-1]
        for known, neighbour in ((before >= 0, before), (after < len(order), after)):
            at = neighbour.clip(0, len(order) - 1)
            repeated |= known & (alike[at] == alike) & (np.abs(times[at] - times) <= tolerance)
    found = np.empty(len(order), np.bool_)
    found[order] = repeated
    return found[count:]


def _numbered(values: NDArray[np.int64]) -> NDArray[np.intp]:
    """A number for each sample, the same where all its axes are."""
    return np.asarray(np.unique(values, axis=0, return_inverse=True)[1]).reshape(-1)
