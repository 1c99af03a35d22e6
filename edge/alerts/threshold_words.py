"""What is said of a vital sign that is beyond a rule's limit, or back again; pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from edge.alerts.limits import spoken
from edge.phrases import phrase, words
from edge.readings import Channel

CALLED: Final[Mapping[Channel, str]] = MappingProxyType(
    {
        Channel.HEART_RATE: words("The heart rate"),
        Channel.SPO2: words("The oxygen saturation"),
        Channel.GLUCOSE: words("Glucose"),
        Channel.BLOOD_GLUCOSE: words("Blood glucose"),
        Channel.TEMPERATURE: words("The body temperature"),
        Channel.SYSTOLIC: words("The upper blood pressure"),
        Channel.DIASTOLIC: words("The lower blood pressure"),
    }
)
# A value with its unit, and a limit.
_LEVELS: Final[Mapping[Channel, str]] = MappingProxyType(
    {
        Channel.HEART_RATE: words("{value:.0f} a minute"),
        Channel.SPO2: words("{value:.0f} %"),
        Channel.GLUCOSE: words("{value:.0f} mg/dL"),
        Channel.BLOOD_GLUCOSE: words("{value:.0f} mg/dL"),
        Channel.TEMPERATURE: words("{value:.1f} °C"),
        Channel.SYSTOLIC: words("{value:.0f} mmHg"),
        Channel.DIASTOLIC: words("{value:.0f} mmHg"),
    }
)
_LIMITS: Final[Mapping[Channel, str]] = MappingProxyType(
    {
        Channel.HEART_RATE: words("{value:g} a minute"),
        Channel.SPO2: words("{value:g} %"),
        Channel.GLUCOSE: words("{value:g} mg/dL"),
        Channel.BLOOD_GLUCOSE: words("{value:g} mg/dL"),
        Channel.TEMPERATURE: words("{value:g} °C"),
        Channel.SYSTOLIC: words("{value:g} mmHg"),
        Channel.DIASTOLIC: words("{value:g} mmHg"),
    }
)
# By whether the value is above the limit, and whether only rest counts.
_LASTING: Final = MappingProxyType(
    {
        (True, False): words("{vital} has been above {limit} for {time}, at {level} in the middle."),
        (False, False): words("{vital} has been below {limit} for {time}, at {level} in the middle."),
        (True, True): words("{vital} at rest has been above {limit} for {time}, at {level} in the middle."),
        (False, True): words("{vital} at rest has been below {limit} for {time}, at {level} in the middle."),
    }
)
# By whether the value is above the limit, and whether it comes by the minute.
_REPEATED: Final = MappingProxyType(
    {
        (True, False): words("{vital} was above {limit} in the middle of {values} measurements in a row: {level}."),
        (False, False): words("{vital} was below {limit} in the middle of {values} measurements in a row: {level}."),
        (True, True): words("{vital} was above {limit} in the middle of {values} minutes in a row: {level}."),
        (False, True): words("{vital} was below {limit} in the middle of {values} minutes in a row: {level}."),
    }
)
_ONCE: Final = MappingProxyType(
    {
        True: words("{vital} was above {limit} in one measurement: {level}."),
        False: words("{vital} was below {limit} in one measurement: {level}."),
    }
)


def lasting(channel: Channel, level: float, limit: float, minutes: float, *, above: bool, at_rest: bool) -> str:
    """A stream that was beyond the limit for so many minutes, with its middle `level`; both in the channel's unit."""
    return phrase(_LASTING[above, at_rest], **_told(channel, level, limit), time=spoken(60.0 * minutes))


def repeated(channel: Channel, level: float, limit: float, values: int, *, above: bool, by_minute: bool) -> str:
    """Several values whose median `level` is beyond the limit."""
    return phrase(_REPEATED[above, by_minute], **_told(channel, level, limit), values=values)


def once(channel: Channel, level: float, limit: float, *, above: bool) -> str:
    """One value beyond the limit."""
    return phrase(_ONCE[above], **_told(channel, level, limit))


def back(channel: Channel, level: float) -> str:
    """A value that is well within the limit again."""
    return phrase("{vital} is {level} again.", vital=phrase(CALLED[channel]), level=_level(channel, level))


def _told(channel: Channel, level: float, limit: float) -> dict[str, str]:
    return {
        "vital": phrase(CALLED[channel]),
        "limit": phrase(_LIMITS[channel], value=limit),
        "level": _level(channel, level),
    }


def _level(channel: Channel, value: float) -> str:
    return phrase(_LEVELS[channel], value=value)
