"""A person's minutes, hours and days in figures, channel by channel, from the stored samples.

In every minute the samples of one wearable count: two that count the same beats must not be mixed. What an hour or a
day holds is what its minutes hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.readings import RAW_CHANNELS, Channel, Quality
from edge.signals.artefacts import mark_artefacts
from edge.signals.summary import RawTally, Summary, summarise
from edge.store.signals import SECONDS_PER_MINUTE, Series
from edge.store.store import Store

# A minute is covered by slots of so many seconds with good samples. Our choice: straps send every second, oximeters
# and watches every few.
_SLOT_S: Final = 10.0
_SLOTS: Final = round(SECONDS_PER_MINUTE / _SLOT_S)
_BAD: Final = Quality.NO_CONTACT | Quality.OUT_OF_RANGE
# Raw channels are read in pieces of so many seconds, so that a day of them takes no more memory. Our choice: 1.5 MB.
_PIECE_S: Final = 600.0
_HOUR_S: Final = 3600.0

Order = Callable[[Channel], Sequence[str]]


def summaries_of(store: Store, person: str, start: float, end: float, order: Order) -> dict[Channel, Summary]:
    """What a person's samples with start < time <= end (whole minutes, s since 1970 UTC) are in figures.

    In each minute the wearable counts that covers most of it; of those that cover it alike the first in `order`. Raises
    StoreError.
    """
    found = {}
    for channel in Channel:
        devices = _by_preference(store.signals.devices(person, channel, start), order(channel))
        if not devices:
            continue
        if channel in RAW_CHANNELS:
            summary = _raw_summary(store, person, channel, start, end, devices)
        else:
            series = _chosen(store, person, channel, start, end, devices)
            marks = _marks(series, start) if channel is Channel.RR_INTERVAL else None
            summary = summarise(channel, series.values, series.quality, marks, seconds=end - start)
        if summary is not None:
            found[channel] = summary
    return found


def _marks(series: Series, start: float) -> NDArray[np.bool_]:
    """Which intervals are artefacts, looked for hour by hour, so that a day takes no more memory."""
    hours = np.arange(start + _HOUR_S, series.times[-1] if series.times.size else start, _HOUR_S)
    pieces = np.split(series.values, np.searchsorted(series.times, hours, "right"))
    return np.concatenate([mark_artefacts(piece) for piece in pieces])


def _raw_summary(
    store: Store, person: str, channel: Channel, start: float, end: float, devices: Sequence[str]
) -> Summary | None:
    tally = RawTally(channel)
    for begin in np.arange(start, end, _PIECE_S):
        series = _chosen(store, person, channel, float(begin), min(float(begin) + _PIECE_S, end), devices)
        tally.add(series.values, series.quality, series.times)
    return tally.summary(end - start)


def _by_preference(devices: Sequence[str], order: Sequence[str]) -> list[str]:
    preferred = list(order)
    return sorted(devices, key=lambda device: preferred.index(device) if device in preferred else len(preferred))


def _chosen(store: Store, person: str, channel: Channel, start: float, end: float, devices: Sequence[str]) -> Series:
    """The samples that count, minute by minute; `devices` are in the order of preference."""
    if len(devices) == 1:
        return store.signals.series(person, channel, start, end, devices[0])
    every = [store.signals.series(person, channel, start, end, device) for device in devices]
    worn = [series for series in every if series.times.size]
    if len(worn) < 2:
        return worn[0] if worn else every[0]
    minutes = round((end - start) / SECONDS_PER_MINUTE)
    best = np.argmax([_covered(series, start, minutes) for series in worn], axis=0)  # the first of those alike
    counts = [best[_minute(series.times, start)] == place for place, series in enumerate(worn)]
    times = np.concatenate([series.times[mask] for series, mask in zip(worn, counts, strict=True)])
    order = np.argsort(times, kind="stable")
    return Series(
        times[order],
        np.concatenate([series.values[mask] for series, mask in zip(worn, counts, strict=True)])[order],
        np.concatenate([series.quality[mask] for series, mask in zip(worn, counts, strict=True)])[order],
    )


def _minute(times: NDArray[np.float64], start: float) -> NDArray[np.int64]:
    """Which minute of the stretch holds each sample; its end is in it, its start is not."""
    return _slot(times, start, SECONDS_PER_MINUTE)


def _slot(times: NDArray[np.float64], start: float, seconds: float) -> NDArray[np.int64]:
    slots: NDArray[np.int64] = np.ceil((times - start) / seconds).astype(np.int64) - 1
    return slots


def _covered(series: Series, start: float, minutes: int) -> NDArray[np.int64]:
    """For each minute how many slots of it have good samples, and, as a tie-break, whether there are samples at all."""
    good = series.times[(series.quality & np.uint8(_BAD)) == 0]
    slots = np.unique(_slot(good, start, _SLOT_S))
    counted = np.bincount(slots // _SLOTS, minlength=minutes)
    any_samples = np.bincount(_minute(series.times, start), minlength=minutes) > 0
    covered: NDArray[np.int64] = 2 * counted + any_samples
    return covered
