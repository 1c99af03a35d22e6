"""What a GATT profile must know to turn the bytes of its characteristics into Readings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import ClassVar, Final, Protocol

from edge.readings import Reading, Source
from edge.wearables.fields import DateTime
from edge.wearables.procedure import Procedure
from edge.wearables.wall_clock import WallClock

NO_MEMORY: Final[Mapping[str, float]] = MappingProxyType({})


def assigned_uuid(number: int) -> str:
    """128-bit UUID, in lower case, of a 16-bit number that the Bluetooth SIG has assigned.

    The base is that of the Bluetooth Core Specification 5.4, volume 3, part B, 2.5.1.
    """
    return f"0000{number:04x}-0000-1000-8000-00805f9b34fb"


class Session(Protocol):
    """One wearable's conversation over one profile, for as long as the daemon runs; pure."""

    def opening(self, now: float, present: Collection[str], /) -> Procedure | None:
        """What to do once a new connection is subscribed, None for nothing; begins anew what a connection begins anew.

        `now` is in seconds since 1970; `present` are the UUIDs of the characteristics that the wearable has. What is in
        `Profile.read` has been read and told before.
        """

    def readings(self, characteristic: str, payload: bytes, received_at: float, /) -> tuple[Reading, ...]:
        """Readings of one packet, oldest first; none where it holds no measurement, or one that must wait.

        `received_at` is when the packet reached us, in seconds since 1970. Raises DecodeError for a packet that is not
        what its specification says, and nothing else.
        """

    def facts(self, characteristic: str, payload: bytes, /) -> dict[str, str]:
        """What a packet tells of the wearable itself, by name; always asked after `readings` of the same packet.

        Raises DecodeError for a packet that is not what its specification says, and nothing else.
        """

    def lost(self) -> tuple[Reading, ...]:
        """Take that the link is gone; the Readings that were held back."""

    @property
    def memory(self) -> Mapping[str, float]:
        """What must outlive the process, such as the last record's number; a new object whenever it has changed.

        It is stored in one transaction with the Readings that it stands for.
        """


class Profile(Protocol):
    """One GATT service of a wearable; pure: bytes in, Readings or plain facts out.

    A module of this package that defines `PROFILE` is found by itself. All UUIDs are the 128-bit form in lower case.
    `notify` are the characteristics to subscribe to, where the wearable has them; `streams` are those of them that a
    worn wearable sends steadily, so that their silence is a fault; `read` are to be read once after connecting.
    `control` are control points: subscribed to as well, but what they send goes to the running procedure.
    `turn` orders the openings: stored records are asked for first (0), then a clock may be set (1), by which they may
    be stamped; what may go on for as long as the connection comes last (2).
    `silence_s` holds, for streams that come more seldom than every few seconds, how long one may be silent, in seconds.

    Most profiles are told packet by packet, by `readings` and `facts`. One that needs to ask, or to remember, has a
    `session` of its own.
    """

    name: ClassVar[str]
    service: ClassVar[str]
    notify: ClassVar[tuple[str, ...]] = ()
    streams: ClassVar[tuple[str, ...]] = ()
    read: ClassVar[tuple[str, ...]] = ()
    control: ClassVar[tuple[str, ...]] = ()
    turn: ClassVar[int] = 0
    silence_s: ClassVar[Mapping[str, float]] = MappingProxyType({})

    def session(self, source: Source, _memory: Mapping[str, float], _clock: WallClock | None = None, /) -> Session:
        """The conversation with one wearable, going on with what an earlier one has left in its memory.

        The last argument is what is known of the wearable's wall clock, shared with its other sessions.
        """
        return StatelessSession(self, source)

    def readings(
        self, _characteristic: str, _payload: bytes, _source: Source, _received_at: float, /
    ) -> tuple[Reading, ...]:
        """Readings of one packet, where no more than the packet need be known; see Session."""
        return ()

    def facts(self, _characteristic: str, _payload: bytes, /) -> dict[str, str]:
        """What a packet tells of the wearable itself, such as its maker, by name; nothing for most profiles."""
        return {}

    def user(self, _characteristic: str, _payload: bytes, /) -> int | None:
        """The number under which a device that several people use knows the one whom a packet is about.

        None where it knows nobody, or does not tell. Raises DecodeError as `readings`.
        """
        return None


class StatelessSession(Session):
    """The session of a profile for which every packet tells all."""

    def __init__(self, profile: Profile, source: Source) -> None:
        self._profile = profile
        self._source = source

    def opening(self, _now: float, _present: Collection[str], /) -> Procedure | None:
        """See Session. Nothing."""
        return None

    def readings(self, characteristic: str, payload: bytes, received_at: float, /) -> tuple[Reading, ...]:
        """See Session."""
        return self._profile.readings(characteristic, payload, self._source, received_at)

    def facts(self, characteristic: str, payload: bytes, /) -> dict[str, str]:
        """See Session."""
        return self._profile.facts(characteristic, payload)

    def lost(self) -> tuple[Reading, ...]:
        """See Session. Nothing is held back."""
        return ()

    @property
    def memory(self) -> Mapping[str, float]:
        """See Session. Nothing."""
        return NO_MEMORY


class StampedProfile(Profile, Protocol):
    """A profile whose packets may say by the wearable's wall clock when they were measured."""

    def stamp(self, characteristic: str, payload: bytes, /) -> DateTime | None:
        """What a packet says of when it was measured, None where it says nothing. Raises DecodeError as `readings`."""

    def session(self, source: Source, _memory: Mapping[str, float], clock: WallClock | None = None, /) -> Session:
        """See Profile."""
        return StampedSession(self, source, WallClock() if clock is None else clock)


class StampedSession(StatelessSession):
    """The session of a profile for which a packet and the wearable's wall clock tell all."""

    def __init__(self, profile: StampedProfile, source: Source, clock: WallClock) -> None:
        super().__init__(profile, source)
        self._stamp = profile.stamp
        self._clock = clock

    def readings(self, characteristic: str, payload: bytes, received_at: float, /) -> tuple[Reading, ...]:
        """See Session. They are placed where the stamp says (see WallClock.place)."""
        found = super().readings(characteristic, payload, received_at)
        stamp = self._stamp(characteristic, payload) if found else None
        if stamp is None:
            return found
        start, sure = self._clock.place(stamp, received_at)
        return tuple(replace(reading, start=start, quality=reading.quality | sure) for reading in found)
