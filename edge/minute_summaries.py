"""A person's minute in figures, channel by channel, each of one wearable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from edge.readings import Channel, Quality
from edge.signals.artefacts import mark_artefacts
from edge.signals.summary import MinuteSummary, summarise_minute
from edge.store.minutes import DirtyMinute
from edge.store.signals import Series
from edge.store.store import Store

# A minute is covered by slots of so many seconds with good samples. Our choice: straps send every second, oximeters
# and watches every few.
_SLOT_S: Final = 10.0
_BAD: Final = Quality.NO_CONTACT | Quality.OUT_OF_RANGE


def summaries_of(
    store: Store, minute: DirtyMinute, order: Callable[[Channel], Sequence[str]]
) -> dict[Channel, MinuteSummary]:
    """What a minute's samples are in figures; of several wearables the one that covers most of it.

    Of those that cover it alike the first in `order` counts: two that count the same beats must not be mixed. Raises
    StoreError.
    """
    found = {}
    for channel in Channel:
        series = _series(store, minute, channel, order)
        marks = mark_artefacts(series.values) if channel is Channel.RR_INTERVAL else None
        summary = summarise_minute(channel, series.values, series.quality, marks, series.times)
        if summary is not None:
            found[channel] = summary
    return found


def _series(store: Store, minute: DirtyMinute, channel: Channel, order: Callable[[Channel], Sequence[str]]) -> Series:
    devices = store.signals.devices(minute.person, channel, minute.start)
    if len(devices) < 2:
        return store.signals.series(minute.person, channel, minute.start, minute.end)
    preferred = list(order(channel))
    by_preference = sorted(devices, key=lambda device: _place(preferred, device))
    every = [store.signals.series(minute.person, channel, minute.start, minute.end, one) for one in by_preference]
    return max(every, key=lambda series: _covered(series, minute.start))


def _place(preferred: Sequence[str], device: str) -> int:
    return preferred.index(device) if device in preferred else len(preferred)


def _covered(series: Series, start: float) -> tuple[int, bool]:
    """How many slots of the minute have good samples; then whether there are samples at all."""
    good = (series.quality & np.uint8(_BAD)) == 0
    return len(np.unique((series.times[good] - start) // _SLOT_S)), series.times.size > 0
