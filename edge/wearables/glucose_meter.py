"""Glucose Service 1.0 (Bluetooth SIG, GLS v10r00): the records of a blood glucose meter.

A meter tells its records only when it is asked by the Record Access Control Point, and stamps them by its own clock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from enum import IntFlag
from types import MappingProxyType
from typing import ClassVar, Final, NamedTuple

from edge.errors import RefusedError
from edge.readings import Channel, Quality, Reading, Source
from edge.wearables import record_access
from edge.wearables.fields import DateTime, Fields, sample, scaled, sfloat_bytes
from edge.wearables.ieee11073 import Number
from edge.wearables.procedure import Procedure
from edge.wearables.profile import NO_MEMORY, Profile, Session, StatelessSession, assigned_uuid
from edge.wearables.record_access import Answer
from edge.wearables.wall_clock import WallClock

SERVICE: Final = assigned_uuid(0x1808)
MEASUREMENT: Final = assigned_uuid(0x2A18)
CONTEXT: Final = assigned_uuid(0x2A34)

# Bits of the flags of a measurement: Glucose Service 1.0, 3.1. Bits 5 to 7 are reserved and ignored.
_TIME_OFFSET: Final = 0x01
_CONCENTRATION: Final = 0x02
_MOL_PER_L: Final = 0x04
_STATUS: Final = 0x08
_CONTEXT_FOLLOWS: Final = 0x10

# Bits of the flags of a context: Glucose Service 1.0, 3.2.
_CARBOHYDRATE: Final = 0x01
_MEAL: Final = 0x02
_TESTER_HEALTH: Final = 0x04
_EXERCISE: Final = 0x08
_MEDICATION: Final = 0x10
_LITRES: Final = 0x20
_HBA1C: Final = 0x40
_EXTENDED: Final = 0x80

# Time offsets that say that the offset is too large to be told: Glucose Service 1.0, 3.1.
OVERRUN: Final = 0x7FFF
UNDERRUN: Final = -0x8000
# The same of an exercise's duration: 3.2.
LONGER_EXERCISE: Final = 0xFFFF

# kg/L and mol/L in mg/dL; a mole of glucose, C6H12O6, is 180.156 g (PubChem, compound 5793).
MG_PER_DL_OF_KG_PER_L: Final = 1e5
MG_PER_DL_OF_MOL_PER_L: Final = 18_015.6

# Sequence numbers have 16 bits; behind a wrap, the new records are among so many lowest ones. Our choice: more than
# meters hold.
_NUMBERS: Final = 1 << 16
_BEHIND_WRAP: Final = 1 << 12

# Control solution, as the type of a sample and as its site: Glucose Service 1.0, 3.1.
_CONTROL_TYPE: Final = 10
_CONTROL_LOCATION: Final = 4


class Status(IntFlag):
    """Sensor Status Annunciation (Glucose Service 1.0, 3.1); bits 12 to 15 are reserved, and kept as sent."""

    BATTERY_LOW = 1 << 0
    SENSOR_MALFUNCTION = 1 << 1
    SAMPLE_TOO_SMALL = 1 << 2
    STRIP_INSERTION_ERROR = 1 << 3
    STRIP_TYPE_WRONG = 1 << 4
    RESULT_TOO_HIGH = 1 << 5
    RESULT_TOO_LOW = 1 << 6
    TOO_HOT = 1 << 7
    TOO_COLD = 1 << 8
    STRIP_PULLED_TOO_SOON = 1 << 9
    DEVICE_FAULT = 1 << 10
    TIME_FAULT = 1 << 11


# With these there is no valid result. A result beyond what the meter can process is still known to be high or low.
_NO_VALUE: Final = (
    Status.SENSOR_MALFUNCTION
    | Status.SAMPLE_TOO_SMALL
    | Status.STRIP_INSERTION_ERROR
    | Status.STRIP_TYPE_WRONG
    | Status.TOO_HOT
    | Status.TOO_COLD
    | Status.STRIP_PULLED_TOO_SOON
    | Status.DEVICE_FAULT
)


class Concentration(NamedTuple):
    """Glucose in kg/L, or in mol/L, as sent; type of the sample and its site numbered as in GLS 1.0, 3.1."""

    value: Number
    mol_per_l: bool
    sample_type: int
    location: int

    @property
    def mg_per_dl(self) -> Number:
        """The concentration in mg/dL."""
        return scaled(self.value, MG_PER_DL_OF_MOL_PER_L if self.mol_per_l else MG_PER_DL_OF_KG_PER_L)

    @property
    def is_control(self) -> bool:
        """Whether it is not of the person but of the solution by which a meter is checked."""
        return self.sample_type == _CONTROL_TYPE or self.location == _CONTROL_LOCATION


class GlucoseMeasurement(NamedTuple):
    """A record's fields as sent: `base_time` on the meter's clock, to which `offset_minutes` are to be added."""

    sequence: int
    base_time: DateTime
    offset_minutes: int | None = None
    concentration: Concentration | None = None
    status: Status | None = None
    context_follows: bool = False

    def measured_at(self) -> datetime | None:
        """When, on the meter's clock as its user sees it; None where that is not known."""
        base = self.base_time.as_datetime()
        if base is None or self.offset_minutes in {OVERRUN, UNDERRUN}:
            return None
        try:
            return base + timedelta(minutes=self.offset_minutes or 0)
        except OverflowError:
            return None


class Context(NamedTuple):
    """What a person has told the meter about a measurement; numbers of choices as in Glucose Service 1.0, 3.2.

    Carbohydrate and medication are (what, how much): carbohydrate in kg, medication in kg, or in litres where `litres`.
    Exercise is (seconds, or LONGER_EXERCISE, and intensity in percent); HbA1c in percent.
    """

    sequence: int
    extended_flags: int | None = None
    carbohydrate: tuple[int, Number] | None = None
    meal: int | None = None
    tester: int | None = None
    health: int | None = None
    exercise: tuple[int, int] | None = None
    medication: tuple[int, Number] | None = None
    litres: bool = False
    hba1c: Number | None = None


def decode(payload: bytes) -> GlucoseMeasurement:
    """Fields of one Glucose Measurement (Glucose Service 1.0, 3.1).

    Raises DecodeError where the packet is shorter or longer than its flags say, or its time is in no calendar.
    """
    fields = Fields(payload, "Glucose Measurement (0x2A18)")
    flags = fields.uint(1, "flags")
    found = GlucoseMeasurement(
        fields.uint(2, "sequence number"),
        fields.date_time("base time"),
        fields.sint(2, "time offset") if flags & _TIME_OFFSET else None,
        _concentration(fields, mol_per_l=bool(flags & _MOL_PER_L)) if flags & _CONCENTRATION else None,
        Status(fields.uint(2, "sensor status")) if flags & _STATUS else None,
        bool(flags & _CONTEXT_FOLLOWS),
    )
    fields.end()
    return found


def encode(measurement: GlucoseMeasurement) -> bytes:
    """The packet for `measurement`: decode(encode(m)) == m. Raises OverflowError for numbers that do not fit."""
    flags = _CONTEXT_FOLLOWS if measurement.context_follows else 0
    body = measurement.sequence.to_bytes(2, "little") + measurement.base_time.encode()
    if measurement.offset_minutes is not None:
        flags |= _TIME_OFFSET
        body += measurement.offset_minutes.to_bytes(2, "little", signed=True)
    if measurement.concentration is not None:
        value, mol_per_l, kind, location = measurement.concentration
        flags |= _CONCENTRATION | (_MOL_PER_L if mol_per_l else 0)
        body += sfloat_bytes(value) + (kind | location << 4).to_bytes(1, "little")
    if measurement.status is not None:
        flags |= _STATUS
        body += measurement.status.to_bytes(2, "little")
    return bytes((flags,)) + body


def decode_context(payload: bytes) -> Context:
    """Fields of one Glucose Measurement Context (Glucose Service 1.0, 3.2).

    Raises DecodeError where the packet is shorter or longer than its flags say.
    """
    fields = Fields(payload, "Glucose Measurement Context (0x2A34)")
    flags = fields.uint(1, "flags")
    sequence = fields.uint(2, "sequence number")
    extended = fields.uint(1, "extended flags") if flags & _EXTENDED else None
    carbohydrate = (fields.uint(1, "carbohydrate ID"), fields.sfloat("carbohydrate")) if flags & _CARBOHYDRATE else None
    meal = fields.uint(1, "meal") if flags & _MEAL else None
    tester_health = fields.uint(1, "tester and health") if flags & _TESTER_HEALTH else None
    exercise = (fields.uint(2, "exercise duration"), fields.uint(1, "intensity")) if flags & _EXERCISE else None
    medication = (fields.uint(1, "medication ID"), fields.sfloat("medication")) if flags & _MEDICATION else None
    hba1c = fields.sfloat("HbA1c") if flags & _HBA1C else None
    fields.end()
    tester, health = (None, None) if tester_health is None else (tester_health & 0x0F, tester_health >> 4)
    litres = medication is not None and bool(flags & _LITRES)
    return Context(sequence, extended, carbohydrate, meal, tester, health, exercise, medication, litres, hba1c)


def encode_context(context: Context) -> bytes:
    """The packet for `context`: decode_context(encode_context(c)) == c, where tester and health are told together."""
    present = (
        (_EXTENDED, context.extended_flags, 1),
        (_CARBOHYDRATE, context.carbohydrate, 1),
        (_MEAL, context.meal, 1),
        (_TESTER_HEALTH, None if context.tester is None else context.tester | (context.health or 0) << 4, 1),
        (_EXERCISE, context.exercise, 2),
        (_MEDICATION, context.medication, 1),
    )
    flags, body = (_LITRES if context.litres else 0), context.sequence.to_bytes(2, "little")
    for bit, value, octets in present:
        if value is None:
            continue
        flags |= bit
        if isinstance(value, int):
            body += value.to_bytes(octets, "little")
        else:
            what, amount = value
            body += what.to_bytes(octets, "little")
            body += (
                amount.to_bytes(1, "little") if bit == _EXERCISE and isinstance(amount, int) else sfloat_bytes(amount)
            )
    if context.hba1c is not None:
        flags |= _HBA1C
        body += sfloat_bytes(context.hba1c)
    return bytes((flags,)) + body


def _concentration(fields: Fields, *, mol_per_l: bool) -> Concentration:
    value = fields.sfloat("glucose concentration")
    both = fields.uint(1, "type and sample location")
    return Concentration(value, mol_per_l, both & 0x0F, both >> 4)


class GlucoseMeter(Profile):
    """Glucose Service 1.0: Readings of blood_glucose (mg/dL)."""

    name: ClassVar[str] = "glucose_meter"
    service: ClassVar[str] = SERVICE
    notify: ClassVar[tuple[str, ...]] = (MEASUREMENT, CONTEXT)
    control: ClassVar[tuple[str, ...]] = (record_access.CONTROL_POINT,)

    def session(self, source: Source, memory: Mapping[str, float], clock: WallClock | None = None, /) -> Session:
        """See Profile."""
        return GlucoseMeterSession(self, source, memory, WallClock() if clock is None else clock)


class GlucoseMeterSession(StatelessSession):
    """Asks after every connecting for the records that it has not seen.

    Its memory is `last`, the sequence number of the newest record, and `stamp`, the meter's time of it in seconds: a
    meter that has lost its memory numbers anew, and then other records have the numbers that are known. So the last
    record is asked for again with those after it, and if it is another one, or none, all are; the store knows records
    that it has. Numbers wrap at 65536.
    """

    def __init__(self, profile: Profile, source: Source, memory: Mapping[str, float], clock: WallClock) -> None:
        super().__init__(profile, source)
        self._clock = clock
        self._memory = memory if 0 <= memory.get("last", -1.0) < _NUMBERS else NO_MEMORY
        self._is_same = False

    def opening(self, _now: float, present: Collection[str], /) -> Procedure | None:
        """See Session."""
        return self._fetch() if {record_access.CONTROL_POINT, MEASUREMENT} <= set(present) else None

    def readings(self, characteristic: str, payload: bytes, received_at: float, /) -> tuple[Reading, ...]:
        """See Session. What a person has told of a measurement (its context) is checked and left out.

        None where the meter has no valid result, or was fed with control solution.
        """
        if characteristic == CONTEXT:
            decode_context(payload)
            return ()
        record = decode(payload)
        start, sure = self._place(record, received_at)
        self._note(record)
        status, found = record.status or Status(0), record.concentration
        if found is None or found.is_control or status & _NO_VALUE:
            return ()
        quality = Quality.CONTACT_UNKNOWN | sure
        return sample(Channel.BLOOD_GLUCOSE, found.mg_per_dl, self._source, start, received_at, quality)

    @property
    def memory(self) -> Mapping[str, float]:
        """See Session."""
        return self._memory

    def _place(self, record: GlucoseMeasurement, received_at: float) -> tuple[float, Quality]:
        at = record.measured_at()
        if at is None:
            return received_at, Quality.TIME_UNSURE
        stamp = DateTime(at.year, at.month, at.day, at.hour, at.minute, at.second)
        start, sure = self._clock.place(stamp, received_at)
        is_doubted = record.status is not None and bool(record.status & Status.TIME_FAULT)
        return start, sure | Quality.TIME_UNSURE if is_doubted else sure

    def _note(self, record: GlucoseMeasurement) -> None:
        stamp = _seconds(record.base_time)
        last = self._memory.get("last")
        if record.sequence == last and stamp == self._memory.get("stamp"):
            self._is_same = True
        elif last is None or 0 < (record.sequence - int(last)) % _NUMBERS < _NUMBERS // 2:
            self._memory = MappingProxyType({"last": float(record.sequence), "stamp": stamp})

    def _fetch(self) -> Procedure:
        last = self._memory.get("last")
        if last is not None:
            self._is_same = False
            answer = yield from record_access.report(record_access.since(int(last)))
            if answer == Answer.SUCCESS and self._is_same:
                if last >= _NUMBERS - _BEHIND_WRAP:
                    answer = yield from record_access.report(record_access.until(_BEHIND_WRAP))
                _check(answer, self._source)
                return
            if answer not in {Answer.SUCCESS, Answer.NO_RECORDS, *record_access.NOT_SELECTABLE}:
                _check(answer, self._source)
            if answer not in record_access.NOT_SELECTABLE:
                self._memory = MappingProxyType({})
        _check((yield from record_access.report(record_access.EVERYTHING)), self._source)


def _seconds(time: DateTime) -> float:
    """A number that tells times apart; of no epoch, as the day may not be known."""
    days = (time.year * 12 + time.month) * 31 + time.day
    return float(((days * 24 + time.hour) * 60 + time.minute) * 60 + time.second)


def _check(answer: int, source: Source) -> None:
    if answer not in {Answer.SUCCESS, Answer.NO_RECORDS}:
        said = Answer(answer).name if answer in set(Answer) else str(answer)
        raise RefusedError(
            f"its records cannot be had: {said}", where=source.device, mend="connect it again; what came is kept"
        )


PROFILE: Final = GlucoseMeter()
