"""Continuous Glucose Monitoring Service 1.0.1 as a conversation: what was missed is asked for, and all is placed.

A record tells the minute of its session. When the session began, the sensor tells on the clock of the phone that began
it, which may be wrong; but what minute it is now, it tells without any clock, by its status and by each new record.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import ClassVar, Final

from edge.errors import DecodeError, RefusedError
from edge.readings import Channel, Quality, Reading, Source
from edge.wearables import record_access
from edge.wearables.continuous_glucose import (
    FEATURE,
    MEASUREMENT,
    SERVICE,
    SESSION_START,
    STATUS,
    CgmRecord,
    CgmStatus,
    Feature,
    Status,
    decode,
    decode_feature,
    decode_session_start,
    decode_status,
)
from edge.wearables.fields import sample
from edge.wearables.procedure import Procedure
from edge.wearables.profile import NO_MEMORY, Profile, Session, StatelessSession
from edge.wearables.record_access import Answer
from edge.wearables.wall_clock import WallClock

# With these there is no result. One beyond what the sensor can process stays: the number then sent is the limit of its
# scale, so that a person who is very low is still seen to be low.
_NO_VALUE: Final = Status.SESSION_STOPPED | Status.SENSOR_TYPE_WRONG | Status.SENSOR_MALFUNCTION | Status.DEVICE_FAULT
# With these there is one for which the sensor does not vouch.
_DOUBTED: Final = Status.CALIBRATION_REQUIRED | Status.TOO_HOT | Status.TOO_COLD
# What a person should know of the sensor, the gravest first.
_FACTS: Final = (
    (Status.SESSION_STOPPED, "its session has ended"),
    (Status.SENSOR_MALFUNCTION, "malfunction"),
    (Status.DEVICE_FAULT, "fault"),
    (Status.SENSOR_TYPE_WRONG, "wrong type"),
    (Status.CALIBRATION_REQUIRED, "needs a calibration"),
    (Status.TOO_HOT, "too hot"),
    (Status.TOO_COLD, "too cold"),
    (Status.BATTERY_LOW, "battery low"),
)

MINUTE_S: Final = 60.0
# A sensor sends at most every five minutes; three of them are the age at which Nightscout calls its data stale.
SILENCE_S: Final = 900.0
# The minute of a status or of a record is told in whole minutes, and a record some time after it was made: so far apart
# two beginnings of one session may seem. Our choice.
SAME_BEGIN_S: Final = 150.0
# And so far they drift apart in two weeks, by two crystals of +-50 ppm.
SAME_SESSION_S: Final = 300.0
# How long a transfer may take. Our choice: two weeks of records, 4000, at 20 a second.
TRANSFER_S: Final = 200.0
_MOST_MINUTES: Final = 0xFFFF
# Minutes from record to record until fewer are seen: sensors measure every five, or every one.
_PACE_MINUTES: Final = 5
# SAME_BEGIN_S in whole minutes.
_BEGIN_MINUTES: Final = 3


class ContinuousGlucose(Profile):
    """Continuous Glucose Monitoring Service 1.0.1: Readings of glucose (mg/dL)."""

    name: ClassVar[str] = "continuous_glucose"
    service: ClassVar[str] = SERVICE
    notify: ClassVar[tuple[str, ...]] = (MEASUREMENT,)
    streams: ClassVar[tuple[str, ...]] = (MEASUREMENT,)
    silence_s: ClassVar[Mapping[str, float]] = MappingProxyType({MEASUREMENT: SILENCE_S})
    read: ClassVar[tuple[str, ...]] = (FEATURE, SESSION_START, STATUS)
    control: ClassVar[tuple[str, ...]] = (record_access.CONTROL_POINT,)

    def session(self, source: Source, memory: Mapping[str, float], _clock: WallClock | None = None, /) -> Session:
        """See Profile."""
        return ContinuousGlucoseSession(self, source, memory)


class ContinuousGlucoseSession(StatelessSession):
    """Knows when the session began, and asks after every connecting for the records since the last one.

    Its memory is `began`, the session's begin in seconds since 1970, `told`, whether the sensor has told it (1) or a
    record's arrival has (0), and `minute`, that of the newest record before which none is missing. Another session is
    known by its begin.
    """

    def __init__(self, profile: Profile, source: Source, memory: Mapping[str, float]) -> None:
        super().__init__(profile, source)
        self._memory = memory if {"began", "told", "minute"} <= set(memory) else NO_MEMORY
        self._with_crc = False
        self._shown_begin: float | None = None  # by the phone's clock
        self._is_sure = False  # the sensor has told on this connection when the session began
        self._fetching = False
        self._until = -1  # what is fetched ends here; newer records are live
        self._newest = -1
        self._held: tuple[list[CgmRecord], float] | None = None
        self._pace = _PACE_MINUTES
        self._slack = 0  # minutes that may pass beside the pace until the next record

    def opening(self, now: float, present: Collection[str], /) -> Procedure | None:
        """See Session."""
        if not self._is_sure and self._shown_begin is not None:
            self._is_sure = True
            self._begin(self._shown_begin, told=True)
        began = self._memory.get("began")
        if began is None or not self._is_sure or not {record_access.CONTROL_POINT, MEASUREMENT} <= set(present):
            return None
        self._until = max(-1, min(_MOST_MINUTES, int((now - began) / MINUTE_S)))
        return self._fetch()

    def readings(self, characteristic: str, payload: bytes, received_at: float, /) -> tuple[Reading, ...]:
        """See Session. Until the sensor has told when its session began, a record is of its arrival, and says so."""
        if characteristic == FEATURE:
            self._with_crc = bool(decode_feature(payload).features & Feature.CRC)
        elif characteristic == SESSION_START:
            self._shown_begin = decode_session_start(payload).timestamp()
        elif characteristic == STATUS:
            self._hear_status(decode_status(payload), received_at)
        else:
            records = sorted(decode(payload), key=lambda record: record.minute)
            if self._with_crc and not all(record.with_crc for record in records):
                raise DecodeError(
                    f"packet {bytes(payload).hex()} was left out: it lacks the CRC that the sensor promises",
                    where="CGM Measurement (0x2AA7)",
                    mend="check the wearable's firmware",
                )
            for record in records:
                # What nothing measures is refused as it comes: when a record was held back, nobody can be told.
                sample(Channel.GLUCOSE, record.glucose, self._source, received_at, received_at, Quality.GOOD)
            return self._take(records, received_at)
        return ()

    def facts(self, characteristic: str, payload: bytes, /) -> dict[str, str]:
        """See Session. How the sensor is."""
        if characteristic == STATUS:
            status = decode_status(payload).status
        elif characteristic == MEASUREMENT:
            status = max(decode(payload), key=lambda record: record.minute).status or Status(0)
        else:
            return {}
        return {"glucose_sensor": next((text for bit, text in _FACTS if status & bit), "well")}

    def lost(self) -> tuple[Reading, ...]:
        """See Session."""
        self._fetching = self._is_sure = self._with_crc = False
        self._shown_begin, self._newest = None, -1
        held, self._held = self._held, None
        return () if held is None else self._place(*held)

    @property
    def memory(self) -> Mapping[str, float]:
        """See Session."""
        return self._memory

    def _take(self, records: list[CgmRecord], received_at: float) -> tuple[Reading, ...]:
        latest = records[-1].minute
        settled = self._settle(latest, received_at)
        if self._may_be_new(latest, received_at):
            self._held = records, received_at
            return settled
        self._check_begin(latest, received_at)
        return settled + self._place(records, received_at)

    def _place(self, records: list[CgmRecord], received_at: float) -> tuple[Reading, ...]:
        began, found = self._memory["began"], list[Reading]()
        for record in records:
            status = record.status or Status(0)
            if status & _NO_VALUE:
                continue
            start = began + record.minute * MINUTE_S
            is_sure = bool(self._memory["told"]) and start <= received_at + SAME_BEGIN_S
            quality = Quality.CONTACT_UNKNOWN if is_sure else Quality.CONTACT_UNKNOWN | Quality.TIME_UNSURE
            quality |= Quality.UNRELIABLE if status & _DOUBTED else Quality.GOOD
            start = min(start, received_at)
            found += sample(Channel.GLUCOSE, record.glucose, self._source, start, received_at, quality)
        self._reach(records[-1].minute, received_at)
        return tuple(found)

    def _may_be_new(self, minute: int, received_at: float) -> bool:
        """Whether a record is of a session that began anew on this connection, or an old one that is told unasked.

        The next one tells. One that is not yet known, and late, is of the past.
        """
        began = self._memory.get("began")
        if began is None or self._fetching or not self._memory["told"]:
            return False
        is_known = minute < max(self._newest, self._memory["minute"])
        return is_known and received_at - minute * MINUTE_S - began > SAME_SESSION_S

    def _settle(self, minute: int, received_at: float) -> tuple[Reading, ...]:
        """Place what was held back, now that the next record has come."""
        if self._held is None:
            return ()
        (records, at), self._held = self._held, None
        begin = at - records[-1].minute * MINUTE_S
        if abs(received_at - minute * MINUTE_S - begin) <= SAME_SESSION_S:
            self._begin(begin, told=False)
        return self._place(records, at)

    def _hear_status(self, status: CgmStatus, received_at: float) -> None:
        """Take what minute of the session it is, unless it stands still.

        The begin by the phone's clock is finer, and counts where it agrees.
        """
        if status.status & Status.SESSION_STOPPED:
            return
        begin, shown = received_at - status.minute * MINUTE_S, self._shown_begin
        self._is_sure = True
        self._begin(shown if shown is not None and abs(shown - begin) <= SAME_BEGIN_S else begin, told=True)

    def _check_begin(self, minute: int, received_at: float) -> None:
        """Take the minute of a record, which is of now unless it is fetched: it may be of another session."""
        begin = received_at - minute * MINUTE_S
        began = self._memory.get("began")
        if began is None or (
            not (self._fetching or self._is_sure or self._memory["told"]) and abs(begin - began) > SAME_SESSION_S
        ):
            self._begin(begin, told=False)

    def _begin(self, begin: float, *, told: bool) -> None:
        """Note a begin; one near the known one is the same, and one far from it another session's."""
        began = self._memory.get("began")
        if began is None or abs(begin - began) > SAME_SESSION_S:
            self._memory = MappingProxyType({"began": begin, "told": float(told), "minute": -1.0})
        elif told and not self._memory["told"]:
            self._memory = MappingProxyType({**self._memory, "told": 1.0})

    def _reach(self, minute: int, received_at: float) -> None:
        """Note that a record has come.

        One that is told while others are fetched, and one that comes later than the next should, says nothing of those
        between; they are fetched with the next connection.
        """
        if self._memory["began"] + minute * MINUTE_S > received_at + SAME_BEGIN_S:
            return
        apart, self._newest = minute - self._newest, max(self._newest, minute)
        if self._fetching:
            is_next = minute <= self._until
        else:
            self._pace = min(self._pace, apart) if apart > 0 else self._pace
            is_next = minute - self._memory["minute"] <= self._pace + self._slack
        if is_next and minute > self._memory["minute"]:
            self._slack = 0
            self._know(minute)

    def _know(self, minute: int) -> None:
        """Note that no record up to this one is missing."""
        self._memory = MappingProxyType({**self._memory, "minute": float(minute)})

    def _fetch(self) -> Procedure:
        # What comes from now on is past until all has come.
        self._fetching, self._newest = True, -1
        first = int(self._memory["minute"]) + 1
        if first > _MOST_MINUTES:
            return
        answer = yield from record_access.report(record_access.since(first), TRANSFER_S)
        if answer in record_access.NOT_SELECTABLE:
            answer = yield from record_access.report(record_access.EVERYTHING, TRANSFER_S)
        if answer not in {Answer.SUCCESS, Answer.NO_RECORDS}:
            said = Answer(answer).name if answer in set(Answer) else str(answer)
            raise RefusedError(f"its records cannot be had: {said}", where=self._source.device, mend="see the sensor")
        self._fetching, self._slack = False, _BEGIN_MINUTES
        self._know(max(int(self._memory["minute"]), self._newest, self._until - _BEGIN_MINUTES))


PROFILE: Final = ContinuousGlucose()
