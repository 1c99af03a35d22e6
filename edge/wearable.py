"""One wearable of a person: its conversations, and what is known of it right now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from edge.bluetooth.link import LinkState
from edge.readings import Channel, Quality, Reading, Source
from edge.settings import PersonSettings
from edge.signals.rr_timeline import RrTimeline
from edge.wearables import PROFILES
from edge.wearables.profile import NO_MEMORY, Session

# What each profile must know of a wearable after a restart, by the profile's name, of each wearable by its address.
Memories = Mapping[str, Mapping[str, Mapping[str, float]]]
NO_MEMORIES: Final[Memories] = MappingProxyType({})


@dataclass(slots=True)
class Wearable:
    """What is known of one wearable right now; `last_reading` is on the wall clock, in seconds.

    `sessions` are the conversations with it by the profile's name, `memories` what was last kept of each.
    """

    source: Source
    name: str
    sessions: dict[str, Session] = field(default_factory=dict)
    memories: dict[str, Mapping[str, float]] = field(default_factory=dict)
    timeline: RrTimeline = field(default_factory=RrTimeline)
    link: LinkState = LinkState.SEARCHING
    last_reading: float | None = None
    last_of: dict[Channel, float] = field(default_factory=dict)
    worn: bool | None = None
    battery_percent: float | None = None
    facts: dict[str, str] = field(default_factory=dict)
    values: dict[Channel, float] = field(default_factory=dict)
    malformed_packets: int = 0

    def remember(self, readings: Iterable[Reading]) -> None:
        """Take what Readings, in the order of time, tell of the wearable's present state."""
        for reading in readings:
            if not reading.values:
                continue
            if reading.channel is Channel.BATTERY:
                self.battery_percent = reading.values[-1]
                continue
            self.values[reading.channel] = reading.values[-1]
            self.last_reading = max(self.last_reading or reading.received_at, reading.received_at)
            if not reading.quality & Quality.CONTACT_UNKNOWN:
                self.worn = not reading.quality & Quality.NO_CONTACT

    def snapshot(self, now: float) -> dict[str, Any]:
        """For `hearthbeat status`; what is not known is None."""
        return {
            "address": self.source.device,
            "name": self.name,
            "link": self.link.value,
            "reading_age_s": None if self.last_reading is None else max(0.0, round(now - self.last_reading, 1)),
            "worn": self.worn,
            "battery_percent": self.battery_percent,
            "values": {channel.value: round(value, 1) for channel, value in self.values.items()},
            "malformed_packets": self.malformed_packets,
            "facts": dict(self.facts),
        }


def wearables_of(person: PersonSettings, memories: Memories = NO_MEMORIES) -> dict[str, Wearable]:
    """A person's wearables by address, in the order of preference."""
    found = {}
    for settings in person.wearables:
        source, remembered = Source(person.id, settings.address), memories.get(settings.address, {})
        sessions = {
            profile.name: profile.session(source, remembered.get(profile.name, NO_MEMORY)) for profile in PROFILES
        }
        kept = {name: session.memory for name, session in sessions.items()}
        found[settings.address] = Wearable(source, settings.name, sessions, kept)
    return found
