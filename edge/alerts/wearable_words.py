"""What is said of the channels of wearables; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from edge.phrases import listed, phrase, words
from edge.readings import Channel

# What goes unseen while nobody sends a channel.
MISSED: Final[Mapping[Channel, str]] = MappingProxyType(
    {
        Channel.ACCELERATION: words("Until then a fall would go unseen."),
        Channel.GLUCOSE: words("Until then low glucose would go unseen."),
        Channel.RR_INTERVAL: words("Until then an irregular heartbeat would go unseen."),
    }
)
# What people call what a wearable measures.
_NAMES: Final[Mapping[Channel, str]] = MappingProxyType(
    {
        Channel.HEART_RATE: words("heart rate"),
        Channel.RR_INTERVAL: words("heartbeats"),
        Channel.ACCELERATION: words("movement"),
        Channel.GLUCOSE: words("glucose"),
        Channel.SPO2: words("oxygen saturation"),
        Channel.TEMPERATURE: words("body temperature"),
        Channel.ECG: words("ECG"),
        Channel.PPG: words("pulse wave"),
    }
)


def called(channels: Sequence[Channel]) -> str:
    """What people call channels, as a sentence lists them."""
    return listed([phrase(_NAMES[one]) if one in _NAMES else one.value.replace("_", " ") for one in channels])
