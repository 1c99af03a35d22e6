"""A glucose sensor's records land where they were made, and what was missed is fetched."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DecodeError, HearthbeatError, RefusedError
from edge.readings import Channel, Quality, Reading
from edge.wearables import record_access
from edge.wearables.continuous_glucose import (
    FEATURE,
    MEASUREMENT,
    SESSION_START,
    STATUS,
    CgmFeature,
    CgmRecord,
    CgmStatus,
    Feature,
    SessionStart,
    Status,
    encode,
    encode_feature,
    encode_session_start,
    encode_status,
)
from edge.wearables.continuous_glucose_session import PROFILE, TRANSFER_S
from edge.wearables.fields import DateTime
from edge.wearables.ieee11073 import Special
from edge.wearables.procedure import Procedure, Step, Write
from edge.wearables.profile import NO_MEMORY, Session
from edge.wearables.record_access import Answer, OpCode, Request, Response
from tests.edge.wearables.conversation import REFUSED, converse
from tests.edge.wearables.strategies import RECEIVED_AT, SOURCE

WELL = Status(0)
BEGAN = RECEIVED_AT - 1000 * 60.0
PRESENT = [MEASUREMENT, record_access.CONTROL_POINT]


def status(minute: int, flags: Status = WELL) -> bytes:
    return encode_status(CgmStatus(minute, flags))


def start_of(at: float, zone: int = 4, dst: int = 4) -> bytes:
    """A session's begin as a phone two hours ahead of UTC has announced it."""
    local = datetime.fromtimestamp(at + 900.0 * (zone + dst), UTC)
    return encode_session_start(
        SessionStart(DateTime(local.year, local.month, local.day, local.hour, local.minute, local.second), zone, dst)
    )


def connected(memory: Mapping[str, float] = NO_MEMORY, minute: int | None = 1000, at: float = RECEIVED_AT) -> Session:
    """A session with a sensor that says what minute it is."""
    session = PROFILE.session(SOURCE, memory)
    if minute is not None:
        session.readings(STATUS, status(minute), at)
    return session


def hear(session: Session, *records: CgmRecord, at: float = RECEIVED_AT) -> tuple[Reading, ...]:
    return session.readings(MEASUREMENT, encode(records), at)


def opening(session: Session, at: float = RECEIVED_AT) -> Procedure:
    procedure = session.opening(at, PRESENT)
    assert procedure is not None
    return procedure


def fetch(
    session: Session, *records: CgmRecord, says: Answer = Answer.SUCCESS, at: float = RECEIVED_AT
) -> list[Request]:
    """Let the session ask a sensor that tells these records; what it asked for."""
    asked: list[Request] = []

    def sensor(step: Step) -> bytes:
        assert isinstance(step, Write)
        assert isinstance(step.payload, bytes)
        asked.append(record_access.decode_request(step.payload))
        for record in records:
            hear(session, record, at=at)
        return record_access.encode_response(Response(OpCode.REPORT, says))

    converse(opening(session, at), sensor)
    return asked


def test_records_are_placed_by_the_begin_of_their_session() -> None:
    session = connected()
    before, now = hear(session, CgmRecord(118.0, 990), CgmRecord(120.0, 1000), CgmRecord(Special.NAN, 995))
    assert (now.channel, now.unit, now.values, now.start) == (Channel.GLUCOSE, "mg/dL", (120.0,), RECEIVED_AT)
    assert (before.values, before.start) == ((118.0,), RECEIVED_AT - 600.0)
    (late,) = hear(session, CgmRecord(121.0, 1005), at=RECEIVED_AT + 330.0)
    assert late.start == RECEIVED_AT + 300.0
    assert late.quality is Quality.CONTACT_UNKNOWN


def test_begin_by_the_phones_clock_counts_where_the_sensors_minutes_agree() -> None:
    session = PROFILE.session(SOURCE, NO_MEMORY)
    session.readings(SESSION_START, start_of(BEGAN - 40.0), RECEIVED_AT)
    session.readings(STATUS, status(1000), RECEIVED_AT)
    assert session.memory["began"] == BEGAN - 40.0
    session = PROFILE.session(SOURCE, NO_MEMORY)
    session.readings(SESSION_START, start_of(BEGAN - 3600.0), RECEIVED_AT)
    session.readings(STATUS, status(1000), RECEIVED_AT)
    assert session.memory["began"] == BEGAN


def test_begin_alone_is_believed() -> None:
    session = PROFILE.session(SOURCE, NO_MEMORY)
    session.readings(SESSION_START, start_of(BEGAN), RECEIVED_AT)
    fetch(session, CgmRecord(100.0, 5))
    assert session.memory == {"began": BEGAN, "told": 1.0, "minute": 997.0}


def test_record_without_a_begin_is_of_its_arrival_and_says_so() -> None:
    session = PROFILE.session(SOURCE, NO_MEMORY)
    session.readings(SESSION_START, start_of(BEGAN, zone=-128), RECEIVED_AT)
    (reading,) = hear(session, CgmRecord(100.0, 7))
    assert (reading.start, reading.quality) == (RECEIVED_AT, Quality.CONTACT_UNKNOWN | Quality.TIME_UNSURE)
    assert session.opening(RECEIVED_AT, PRESENT) is None
    (much_later,) = hear(session, CgmRecord(100.0, 12), at=RECEIVED_AT + 5000.0)
    assert much_later.start == RECEIVED_AT + 5000.0


def test_what_was_missed_is_fetched_and_lands_in_the_past() -> None:
    first = connected()
    fetch(first, CgmRecord(100.0, 1000))
    later = RECEIVED_AT + 60 * 60.0
    session = connected(first.memory, 1060, later)
    found: list[Reading] = []

    def sensor(step: Step) -> bytes:
        assert step == Write(
            record_access.CONTROL_POINT,
            record_access.encode_request(record_access.since(1001)),
            answer=record_access.CONTROL_POINT,
            within_s=TRANSFER_S,
        )
        found.extend(hear(session, CgmRecord(70.0, 1030), at=later))
        return record_access.encode_response(Response(OpCode.REPORT, Answer.SUCCESS))

    converse(opening(session, later), sensor)
    assert [reading.start for reading in found] == [RECEIVED_AT + 1800.0]


def test_fetch_that_broke_off_begins_where_it_broke_though_live_records_came() -> None:
    session = connected()

    def sensor(step: Step) -> bytes | RefusedError:
        hear(session, CgmRecord(100.0, 5), CgmRecord(100.0, 10))
        hear(session, CgmRecord(100.0, 1005), at=RECEIVED_AT + 300.0)
        return REFUSED

    with pytest.raises(RefusedError):
        converse(opening(session), sensor)
    assert session.memory["minute"] == 10
    session.lost()
    session.readings(STATUS, status(1010), RECEIVED_AT + 600.0)
    assert fetch(session, at=RECEIVED_AT + 600.0) == [record_access.since(11)]


def test_live_records_during_a_fetch_count_once_it_is_done() -> None:
    session = connected()
    fetch(session, CgmRecord(100.0, 995), CgmRecord(100.0, 1005), at=RECEIVED_AT + 299.0)
    assert session.memory["minute"] == 1005


def test_live_record_that_was_lost_is_fetched_with_the_next_connection() -> None:
    session = connected()
    fetch(session, CgmRecord(100.0, 995))
    for minute in (1000, 1005, 1015, 1020):
        hear(session, CgmRecord(100.0, minute), at=BEGAN + minute * 60.0)
    assert session.memory["minute"] == 1005
    later = BEGAN + 1022 * 60.0
    again = connected(session.memory, 1022, later)
    assert fetch(again, *(CgmRecord(100.0, minute) for minute in (1010, 1015, 1020)), at=later) == [
        record_access.since(1006)
    ]
    assert again.memory["minute"] == 1020


def test_sensor_that_measures_every_minute_loses_none_unnoticed() -> None:
    session = connected()
    fetch(session, CgmRecord(100.0, 1000))
    for minute in (1001, 1002, 1003, 1005, 1006):
        hear(session, CgmRecord(100.0, minute), at=BEGAN + minute * 60.0)
    assert session.memory["minute"] == 1003


def test_session_that_begins_anew_is_fetched_from_its_begin() -> None:
    first = connected()
    hear(first, CgmRecord(100.0, 1000))
    day_later = RECEIVED_AT + 86_400.0
    session = connected(first.memory, 20, day_later)
    assert fetch(session, at=day_later) == [record_access.since(0)]
    (reading,) = hear(session, CgmRecord(90.0, 20), at=day_later)
    assert reading.start == day_later


def test_session_that_begins_anew_on_the_same_connection_is_noticed() -> None:
    session = connected()
    hear(session, CgmRecord(100.0, 1000))
    hour_later = RECEIVED_AT + 3600.0
    assert hear(session, CgmRecord(90.0, 0), at=hour_later) == ()
    first, second = hear(session, CgmRecord(95.0, 5), at=hour_later + 300.0)
    assert [first.values, second.values] == [(90.0,), (95.0,)]
    assert [first.start, second.start] == [hour_later, hour_later + 300.0]


def test_a_record_that_nothing_measures_is_refused_as_it_comes_and_held_back_never() -> None:
    session = connected(minute=1000)
    hear(session, CgmRecord(100.0, 1000))
    with pytest.raises(DecodeError):
        hear(session, CgmRecord(-1.357e10, 3))  # as of a session that may have begun anew
    assert session.lost() == ()


def test_old_record_that_is_told_once_more_begins_no_session() -> None:
    session = connected()
    hear(session, CgmRecord(100.0, 1000))
    assert hear(session, CgmRecord(90.0, 500), at=RECEIVED_AT + 60.0) == ()
    old, new = hear(session, CgmRecord(95.0, 1005), at=RECEIVED_AT + 300.0)
    assert [old.start, new.start] == [BEGAN + 500 * 60.0, RECEIVED_AT + 300.0]
    assert hear(session, CgmRecord(90.0, 500), at=RECEIVED_AT + 360.0) == ()
    (left,) = session.lost()
    assert left.start == BEGAN + 500 * 60.0
    assert session.lost() == ()


def test_late_record_that_is_told_unasked_lands_in_the_past() -> None:
    session = connected()
    hear(session, CgmRecord(100.0, 100), at=RECEIVED_AT)
    (reading,) = hear(session, CgmRecord(100.0, 500), at=RECEIVED_AT)
    assert reading.start == BEGAN + 500 * 60.0


def test_record_of_the_future_is_of_its_arrival_and_says_so() -> None:
    session = connected()
    (reading,) = hear(session, CgmRecord(100.0, 2000))
    assert (reading.start, bool(reading.quality & Quality.TIME_UNSURE)) == (RECEIVED_AT, True)
    assert session.memory["minute"] == -1


def test_minute_of_a_session_that_has_ended_tells_no_begin() -> None:
    session = connected(minute=None)
    session.readings(STATUS, status(1000, Status.SESSION_STOPPED), RECEIVED_AT)
    assert session.memory == {}
    assert session.facts(STATUS, status(1000, Status.SESSION_STOPPED)) == {"glucose_sensor": "its session has ended"}


@pytest.mark.parametrize(("answer", "asked"), [(Answer.NO_RECORDS, 1), (Answer.OPERATOR_NOT_SUPPORTED, 2)])
def test_sensor_may_have_no_records_or_not_select(answer: Answer, asked: int) -> None:
    session = connected()
    if asked == 1:
        assert fetch(session, says=answer) == [record_access.since(0)]
    else:
        with pytest.raises(RefusedError, match="OPERATOR_NOT_SUPPORTED"):
            fetch(session, says=answer)


def test_crc_that_the_sensor_promises_is_required() -> None:
    session = connected()
    session.readings(FEATURE, encode_feature(CgmFeature(Feature.CRC, 9, 5)), RECEIVED_AT)
    with pytest.raises(DecodeError, match="CRC"):
        hear(session, CgmRecord(100.0, 1000))
    assert hear(session, CgmRecord(100.0, 1000, with_crc=True))


@pytest.mark.parametrize("flags", [Status.SENSOR_MALFUNCTION, Status.SESSION_STOPPED, Status.DEVICE_FAULT])
def test_result_that_the_sensor_calls_invalid_is_missing(flags: Status) -> None:
    assert hear(connected(), CgmRecord(110.0, 1000, flags)) == ()


@pytest.mark.parametrize("flags", [Status.TOO_COLD, Status.CALIBRATION_REQUIRED])
def test_result_for_which_the_sensor_does_not_vouch_is_marked(flags: Status) -> None:
    (reading,) = hear(connected(), CgmRecord(110.0, 1000, flags))
    assert reading.quality & Quality.UNRELIABLE


def test_person_who_is_lower_than_the_sensor_can_tell_is_still_seen_to_be_low() -> None:
    (reading,) = hear(connected(), CgmRecord(40.0, 1000, Status.RESULT_TOO_LOW | Status.BELOW_HYPO))
    assert (reading.values, reading.quality) == ((40.0,), Quality.CONTACT_UNKNOWN)


def test_sensor_says_how_it_is() -> None:
    session = connected()
    assert session.facts(STATUS, status(5)) == {"glucose_sensor": "well"}
    low = encode((CgmRecord(100.0, 1000, Status.BATTERY_LOW),))
    assert session.facts(MEASUREMENT, low) == {"glucose_sensor": "battery low"}


@given(
    st.lists(
        st.tuples(st.sampled_from([MEASUREMENT, STATUS]), st.integers(0, 0xFFFF), st.floats(0.0, 3e6), st.booleans()),
        max_size=20,
    ),
    st.lists(st.binary(max_size=5) | st.just(REFUSED), max_size=4),
)
def test_whatever_comes_nothing_lands_in_the_future_and_only_our_errors_are_raised(
    sent: list[tuple[str, int, float, bool]], answers: list[bytes | RefusedError]
) -> None:
    session, now = PROFILE.session(SOURCE, NO_MEMORY), RECEIVED_AT
    for characteristic, minute, later, opens in sent:
        now += later
        payload = status(minute) if characteristic == STATUS else encode((CgmRecord(100.0, minute),))
        with suppress(DecodeError):
            assert all(reading.start <= now for reading in session.readings(characteristic, payload, now))
        procedure = session.opening(now, PRESENT) if opens else None
        if procedure is not None:
            with suppress(HearthbeatError):
                converse(procedure, lambda _: answers.pop() if answers else REFUSED)
    assert session.memory is session.memory
