"""When a wearable's silence, battery or sameness is too much; people change it in hearthbeat.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from edge.phrases import several
from edge.readings import Channel

_MINUTE: Final = 60.0
_HOUR: Final = 3600.0

# Channels that come by themselves for as long as the wearable is worn. Cuffs, scales, thermometers, meters and clips
# are used now and then: they have no limit, nor has the heart rate that such a device sends beside its own channel.
STEADY: Final = (Channel.HEART_RATE, Channel.RR_INTERVAL, Channel.ACCELERATION, Channel.GLUCOSE)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long is too long for one person's wearables, in seconds; what is not there, or 0, is never told.

    `no_data_s` is for a wearable in reach and `away_s` for one out of reach, both by channel; `not_worn_s` counts by
    day only; `frozen_s`, by channel, is how long one value may stay the same.
    """

    no_data_s: Mapping[Channel, float]
    away_s: Mapping[Channel, float]
    frozen_s: Mapping[Channel, float]
    never_seen_s: float
    not_worn_s: float
    battery_low_percent: float


# The defaults; people change them in hearthbeat.toml.
# In reach: half an hour, far beyond any lost contact. After as long Nightscout's alarm for old data turns urgent
# (ALARM_TIMEAGO_URGENT_MINS), and xDrip+ misses readings where one has switched that on (bg_missed_minutes).
# Out of reach: 14 hours are longer than a working day, and than a night without the strap; a glucose sensor is never
# taken off, so that it is missed after an afternoon out, and at night as if it were in reach.
# Frozen: a heart that beats by itself changes its rate within minutes, by breathing alone; two hours leave room for
# wearables that show long means. A glucose sensor's values wander by noise alone. Where an accelerometer is stuck, the
# fall model itself says that there is not enough data.
# Never seen: a day, within which a new wearable is put on once.
# Not worn: four hours of the day, as charging and a bath take less.
# Battery: 15 % are a day or more of most wearables.
DEFAULTS: Final = Limits(
    no_data_s=MappingProxyType(dict.fromkeys(STEADY, 30 * _MINUTE)),
    away_s=MappingProxyType(
        {
            Channel.HEART_RATE: 14 * _HOUR,
            Channel.RR_INTERVAL: 14 * _HOUR,
            Channel.ACCELERATION: 14 * _HOUR,
            Channel.GLUCOSE: 6 * _HOUR,
        }
    ),
    frozen_s=MappingProxyType({Channel.HEART_RATE: 2 * _HOUR, Channel.GLUCOSE: 3 * _HOUR}),
    never_seen_s=24 * _HOUR,
    not_worn_s=4 * _HOUR,
    battery_low_percent=15.0,
)
# A device that several people use now and then has a battery and a clock, and no more can be asked of it.
SHARED: Final = Limits({}, {}, {}, never_seen_s=0.0, not_worn_s=0.0, battery_low_percent=DEFAULTS.battery_low_percent)


def spoken(seconds: float) -> str:
    """A duration in the largest unit that leaves at least two of it: "90 seconds", "3 hours", "2 days"."""
    if seconds >= 2 * 86_400.0:
        return several("{n:.0f} day", "{n:.0f} days", round(seconds / 86_400.0))
    if seconds >= 2 * 3600.0:
        return several("{n:.0f} hour", "{n:.0f} hours", round(seconds / 3600.0))
    if seconds >= 2 * 60.0:
        return several("{n:.0f} minute", "{n:.0f} minutes", round(seconds / 60.0))
    return several("{n:.0f} second", "{n:.0f} seconds", round(seconds))
