"""The fields of a packet, one after the other, and Readings of what they hold."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import Final, NamedTuple

from edge.errors import DecodeError
from edge.readings import CHANNELS, Channel, Quality, Reading, Source
from edge.wearables.ieee11073 import Number, Special, decode_float, decode_sfloat, encode_float, encode_sfloat

# Our choice: no quantity that a wearable measures is a thousandth as large in its channel's unit, and no converter of
# a steady signal has as many bits. Such a number is a broken packet, and the store could not keep it.
_ABSURD: Final = 1e6
_ABSURD_STEADY: Final = float(1 << 32)


class DateTime(NamedTuple):
    """A wearable's wall clock as sent (Date Time, 0x2A08): year, month and day are 0 where they are not known."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int

    def encode(self) -> bytes:
        """Seven octets; raises OverflowError where a field does not fit."""
        return self.year.to_bytes(2, "little") + bytes_of(*self[1:])

    def as_datetime(self) -> datetime | None:
        """On the wearable's clock, of whatever time zone; None where the day is not known."""
        return datetime(*self) if self.year and self.month and self.day else None  # noqa: DTZ001 -- its zone is unknown


class Fields:
    """Reads a packet from its begin to its end; a packet that is too short or too long is a DecodeError.

    `where` names the characteristic. All fields are sent with the least significant octet first (Core Specification
    5.4, volume 3, part G, 2.4).
    """

    def __init__(self, payload: bytes, where: str) -> None:
        self._payload = bytes(payload)
        self._where = where
        self._at = 0

    def uint(self, octets: int, what: str) -> int:
        """An unsigned number."""
        return int.from_bytes(self._take(octets, what), "little")

    def sint(self, octets: int, what: str) -> int:
        """A number in two's complement."""
        return int.from_bytes(self._take(octets, what), "little", signed=True)

    def sfloat(self, what: str) -> Number:
        """An SFLOAT."""
        return decode_sfloat(self.uint(2, what))

    def float32(self, what: str) -> Number:
        """A FLOAT."""
        return decode_float(self.uint(4, what))

    def date_time(self, what: str) -> DateTime:
        """A Date Time; one that is in no calendar is a DecodeError."""
        found = DateTime(self.uint(2, what), *self._take(5, what))
        if not (found.year == 0 or 1582 <= found.year <= 9999):
            raise self.malformed(f"the year of its {what} is {found.year}")
        try:
            datetime(found.year or 2000, found.month or 1, found.day or 1, *found[3:])  # noqa: DTZ001 -- only checked
        except ValueError as error:
            raise self.malformed(f"its {what} is in no calendar ({error})") from error
        return found

    def rest(self) -> bytes:
        """All that is left."""
        found, self._at = self._payload[self._at :], len(self._payload)
        return found

    def end(self) -> None:
        """Take that nothing is left."""
        if self._at != len(self._payload):
            raise self.malformed("it is longer than its flags say")

    def malformed(self, why: str) -> DecodeError:
        """The error that says why this packet was left out."""
        return DecodeError(
            f"packet {self._payload.hex() or '(empty)'} was left out: {why}",
            where=self._where,
            mend="check the wearable's firmware and that its battery is not low",
        )

    def _take(self, octets: int, what: str) -> bytes:
        begin, self._at = self._at, self._at + octets
        if self._at > len(self._payload):
            raise self.malformed(f"it is too short for the {what}")
        return self._payload[begin : self._at]


def bytes_of(*octets: int) -> bytes:
    """The octets; raises OverflowError where one does not fit, as int.to_bytes does."""
    return b"".join(octet.to_bytes(1, "little") for octet in octets)


def sfloat_bytes(*numbers: Number) -> bytes:
    """Numbers as SFLOATs."""
    return b"".join(encode_sfloat(number).to_bytes(2, "little") for number in numbers)


def float_bytes(number: Number) -> bytes:
    """A number as a FLOAT."""
    return encode_float(number).to_bytes(4, "little")


def sample(
    channel: Channel, value: Number | None, source: Source, start: float, received_at: float, quality: Quality
) -> tuple[Reading, ...]:
    """One sample in the channel's unit as a Reading, none where there is no number; marked where it cannot be true.

    Raises DecodeError for a number that nothing in the world measures.
    """
    if value is None or isinstance(value, Special):
        return ()
    facts = CHANNELS[channel]
    if abs(value) > _ABSURD:
        raise _absurd(channel, value, source)
    in_range = facts.low <= value <= facts.high
    return (
        Reading(
            person=source.person,
            device=source.device,
            channel=channel,
            unit=facts.unit,
            start=start,
            received_at=received_at,
            values=(value,),
            quality=quality if in_range else quality | Quality.OUT_OF_RANGE,
        ),
    )


def steady(
    channel: Channel,
    values: tuple[float, ...],
    source: Source,
    start: float,
    interval_s: float,
    received_at: float,
    quality: Quality,
) -> tuple[Reading, ...]:
    """Samples in the channel's unit, one every `interval_s`, as Readings; runs that cannot be true are marked.

    GAP_BEFORE in `quality` is said of the first one only. Raises DecodeError for a number that no sensor measures.
    """
    facts = CHANNELS[channel]
    low, high, axes = facts.low, facts.high, facts.axes
    if not values:
        return ()
    runs = [(quality, values)]
    least, most = min(values), max(values)
    if not (least > -_ABSURD_STEADY and most < _ABSURD_STEADY):
        raise _absurd(channel, least if -least > most else most, source)
    if least < low or most > high:
        samples = (values[begin : begin + axes] for begin in range(0, len(values), axes))
        runs = [
            (quality if in_range else quality | Quality.OUT_OF_RANGE, tuple(value for axes in run for value in axes))
            for in_range, run in groupby(samples, lambda sample: low <= min(sample) and max(sample) <= high)
        ]
    found, place = [], 0
    for marks, run in runs:
        found.append(
            Reading(
                person=source.person,
                device=source.device,
                channel=channel,
                unit=facts.unit,
                start=start + interval_s * place,
                received_at=received_at,
                values=run,
                quality=marks if not place else marks & ~Quality.GAP_BEFORE,
                interval_s=interval_s,
            )
        )
        place += len(run) // axes
    return tuple(found)


def _absurd(channel: Channel, value: float, source: Source) -> DecodeError:
    return DecodeError(
        f"a packet was left out: its {channel} is {value:g} {CHANNELS[channel].unit}",
        where=source.device,
        mend="check the wearable's firmware and that its battery is not low",
    )


def scaled(number: Number, factor: float, offset: float = 0.0) -> Number:
    """(number + offset) * factor, where it is a number."""
    return number if isinstance(number, Special) else (number + offset) * factor
