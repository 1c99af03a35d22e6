"""One wearable of a person: its conversations, and what is known of it right now."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

import structlog

from edge.bluetooth.link import LinkState, Packet
from edge.errors import DecodeError
from edge.readings import RAW_CHANNELS, Channel, Memory, Quality, Reading, Source
from edge.settings.home import PersonSettings
from edge.signals.rr_timeline import RrTimeline
from edge.wearables import BY_CHARACTERISTIC, PROFILES
from edge.wearables.procedure import Procedure
from edge.wearables.profile import NO_MEMORY, Session
from edge.wearables.wall_clock import WallClock

# What each profile must know of a wearable after a restart, by the profile's name, of each wearable by its address.
Memories = Mapping[str, Mapping[str, Mapping[str, float]]]
NO_MEMORIES: Final[Memories] = MappingProxyType({})

# Of each profile whose channel another may tell of the same wearable: the channel, and before whom it stands back.
# Polar's optical wearables smooth the RR intervals of their heart rate service, if they tell any; a strap's pulse
# intervals are not asked for (see edge.wearables.polar_session). A scale may tell one weight by both its services: the
# first to come counts.
RIVALS: Final[Mapping[str, tuple[Channel, str | None]]] = MappingProxyType(
    {
        "polar_measurement_data": (Channel.RR_INTERVAL, None),
        "heart_rate": (Channel.RR_INTERVAL, "polar_measurement_data"),
        "weight_scale": (Channel.WEIGHT, "body_composition"),
        "body_composition": (Channel.WEIGHT, "weight_scale"),
    }
)
# The other profile counts while it has told the channel within this time: Polar's optical wearables tell theirs every
# five seconds or so. And whether it is worn, one profile says for the others for as long. Our choice.
RIVAL_S: Final = 30.0

_log = structlog.get_logger("wearable")


@dataclass(slots=True)
class Wearable:
    """What is known of one wearable right now; `last_reading` is on the wall clock, in seconds.

    `sessions` are the conversations with it by the profile's name, `memories` what was last kept of each, and `learnt`
    says that a packet has changed that; `losses` counts lost links. `told_at` is when a profile last told a channel
    that another can tell, `off_at` when one last said that it is not worn, None where one has said since that it is.
    """

    source: Source
    name: str
    sessions: dict[str, Session] = field(default_factory=dict)
    memories: dict[str, Mapping[str, float]] = field(default_factory=dict)
    clock: WallClock = field(default_factory=WallClock)
    timeline: RrTimeline = field(default_factory=RrTimeline)
    link: LinkState = LinkState.SEARCHING
    link_why: str | None = None
    last_reading: float | None = None
    last_of: dict[Channel, float] = field(default_factory=dict)
    worn: bool | None = None
    battery_percent: float | None = None
    facts: dict[str, str] = field(default_factory=dict)
    values: dict[Channel, float] = field(default_factory=dict)
    malformed_packets: int = 0
    losses: int = 0
    learnt: bool = False
    told_at: dict[str, float] = field(default_factory=dict)
    off_at: float | None = None

    def hear(self, packet: Packet) -> tuple[Reading, ...]:
        """Readings of a packet; a malformed one is counted, logged and left out."""
        profile = BY_CHARACTERISTIC[packet.characteristic].name
        session = self.sessions[profile]
        try:
            readings = session.readings(packet.characteristic, packet.payload, packet.received_at)
            self.facts.update(session.facts(packet.characteristic, packet.payload))
        except DecodeError as error:
            self.malformed_packets += 1
            log = _log.warning if self.malformed_packets == 1 else _log.debug
            log("malformed packet", person=self.source.person, device=packet.address, error=str(error))
            return ()
        self.learnt = self.learnt or session.memory is not self.memories[profile]
        return self._settled(profile, readings, packet.received_at)

    def _settled(self, profile: str, readings: tuple[Reading, ...], now: float) -> tuple[Reading, ...]:
        """One profile's Readings as the others see them: no channel twice, and none worn that another knows is not."""
        if profile in RIVALS:
            readings = self._without_rivals(profile, readings, now)
        unknown, off = Quality.CONTACT_UNKNOWN, Quality.NO_CONTACT
        for reading in readings:
            # Every packet pays for this, and flags are slow to combine.
            if reading.channel is Channel.BATTERY or reading.quality is unknown:
                continue
            if reading.quality is Quality.GOOD:
                self.off_at = None
            elif not reading.quality & unknown:
                self.off_at = now if reading.quality & off else None
        if self.off_at is None or now - self.off_at > RIVAL_S:
            return readings
        return tuple(
            replace(reading, quality=reading.quality & ~unknown | off) if reading.quality & unknown else reading
            for reading in readings
        )

    def _without_rivals(self, profile: str, readings: tuple[Reading, ...], now: float) -> tuple[Reading, ...]:
        channel, other = RIVALS[profile]
        for reading in readings:
            if reading.channel is channel:
                break
        else:
            return readings
        if other is not None and now - self.told_at.get(other, -math.inf) <= RIVAL_S:
            return tuple(reading for reading in readings if reading.channel is not channel)
        self.told_at[profile] = now
        return readings

    def lost(self) -> tuple[Reading, ...]:
        """Take that the link is gone; the Readings that the sessions have held back."""
        return tuple(reading for session in self.sessions.values() for reading in session.lost())

    def openings(self, now: float, present: Collection[str]) -> list[Procedure]:
        """What the sessions want to do with a wearable that has just been connected and subscribed to."""
        in_turn = sorted(PROFILES, key=lambda profile: profile.turn)
        opened = (self.sessions[profile.name].opening(now, present) for profile in in_turn)
        return [procedure for procedure in opened if procedure is not None]

    def changed_memories(self) -> list[Memory]:
        """What the sessions must know after a restart, where it has changed since the last call."""
        changed, self.learnt = [], False
        for name, session in self.sessions.items():
            memory = session.memory
            if memory is not self.memories[name]:
                self.memories[name] = memory
                changed.append(Memory(self.source.device, name, memory))
        return changed

    def remember(self, readings: Iterable[Reading]) -> None:
        """Take what Readings, in the order of time, tell of the wearable's present state."""
        for reading in readings:
            if not reading.values:
                continue
            if reading.channel is Channel.BATTERY:
                self.battery_percent = reading.values[-1]
                continue
            if reading.channel not in RAW_CHANNELS:
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
    return {
        settings.address: wearable_of(Source(person.id, settings.address), settings.name, memories)
        for settings in person.wearables
    }


def wearable_of(source: Source, name: str, memories: Memories = NO_MEMORIES) -> Wearable:
    """One wearable that has not been connected yet."""
    clock, remembered = WallClock(), memories.get(source.device, {})
    sessions = {
        profile.name: profile.session(source, remembered.get(profile.name, NO_MEMORY), clock) for profile in PROFILES
    }
    kept = {name: session.memory for name, session in sessions.items()}
    return Wearable(source, name, sessions, kept, clock)
