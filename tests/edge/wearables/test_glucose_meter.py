"""What becomes of a blood glucose meter's records, and how they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DecodeError, HearthbeatError, RefusedError
from edge.readings import Channel, Quality, Reading
from edge.wearables import record_access
from edge.wearables.fields import DateTime
from edge.wearables.glucose_meter import (
    CONTEXT,
    MEASUREMENT,
    OVERRUN,
    PROFILE,
    UNDERRUN,
    Concentration,
    Context,
    GlucoseMeasurement,
    Status,
    decode,
    decode_context,
    encode,
    encode_context,
)
from edge.wearables.ieee11073 import Special
from edge.wearables.procedure import Next, Step, Write
from edge.wearables.profile import NO_MEMORY, Session
from edge.wearables.record_access import Answer, Count, Filter, OpCode, Operator, Request, Response
from edge.wearables.wall_clock import WallClock
from tests.edge.wearables.conversation import REFUSED, converse
from tests.edge.wearables.strategies import DATE_TIMES, RECEIVED_AT, SFLOATS, SOURCE, UINT8, UINT16, clock

NIBBLE = st.integers(0, 15)
BASE = DateTime(2026, 5, 28, 20, 26, 40)
VALUE = Concentration(0.001, False, 1, 1)
MEASUREMENTS = st.builds(
    GlucoseMeasurement,
    UINT16,
    DATE_TIMES,
    st.none() | st.integers(-0x8000, 0x7FFF),
    st.none() | st.builds(Concentration, SFLOATS, st.booleans(), NIBBLE, NIBBLE),
    st.none() | UINT16.map(Status),
    st.booleans(),
)


def told(measurement: GlucoseMeasurement, wall: WallClock | None = None) -> tuple[Reading, ...]:
    """The Readings of a record."""
    return PROFILE.session(SOURCE, NO_MEMORY, wall).readings(MEASUREMENT, encode(measurement), RECEIVED_AT)


@st.composite
def contexts(draw: st.DrawFn) -> Context:
    tester, health = draw(st.just((None, None)) | st.tuples(NIBBLE, NIBBLE))
    medication = draw(st.none() | st.tuples(UINT8, SFLOATS))
    return Context(
        draw(UINT16),
        draw(st.none() | UINT8),
        draw(st.none() | st.tuples(UINT8, SFLOATS)),
        draw(st.none() | UINT8),
        tester,
        health,
        draw(st.none() | st.tuples(UINT16, UINT8)),
        medication,
        medication is not None and draw(st.booleans()),
        draw(st.none() | SFLOATS),
    )


def requests() -> st.SearchStrategy[Request]:
    asked = st.sampled_from([OpCode.REPORT, OpCode.DELETE, OpCode.COUNT])
    some = st.sampled_from([Operator.ALL, Operator.FIRST, Operator.LAST])
    one = st.sampled_from([Operator.AT_LEAST, Operator.AT_MOST])
    within, sequence, time = st.just(Operator.WITHIN), st.just(Filter.SEQUENCE), st.just(Filter.USER_FACING_TIME)
    return (
        st.just(Request(OpCode.ABORT))
        | st.builds(Request, asked, some, st.none(), st.just(()))
        | st.builds(Request, asked, one, sequence, st.tuples(UINT16))
        | st.builds(Request, asked, one, time, st.tuples(DATE_TIMES))
        | st.builds(Request, asked, within, sequence, st.tuples(UINT16, UINT16))
        | st.builds(Request, asked, within, time, st.tuples(DATE_TIMES, DATE_TIMES))
    )


@given(MEASUREMENTS)
def test_record_that_is_encoded_is_decoded(measurement: GlucoseMeasurement) -> None:
    assert decode(encode(measurement)) == measurement


@given(contexts())
def test_context_that_is_encoded_is_decoded(context: Context) -> None:
    assert decode_context(encode_context(context)) == context


@given(requests())
def test_request_that_is_encoded_is_decoded(request: Request) -> None:
    assert record_access.decode_request(record_access.encode_request(request)) == request


@given(st.builds(Count, UINT16) | st.builds(Response, UINT8, UINT8))
def test_answer_that_is_encoded_is_decoded(response: Count | Response) -> None:
    assert record_access.decode_response(record_access.encode_response(response)) == response


@given(st.binary(max_size=24))
def test_any_bytes_are_decoded_or_refused(payload: bytes) -> None:
    for read in (decode, decode_context, record_access.decode_request, record_access.decode_response):
        with suppress(DecodeError):
            read(payload)


@given(MEASUREMENTS)
def test_no_value_out_of_range_without_a_mark(measurement: GlucoseMeasurement) -> None:
    try:
        found = told(measurement)
    except DecodeError:
        return
    for reading in found:
        assert 20.0 <= reading.values[0] <= 600.0 or reading.quality & Quality.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("concentration", "mg_per_dl"),
    [(Concentration(0.00118, False, 1, 1), 118.0), (Concentration(0.0055, True, 1, 1), 99.1)],
)
def test_record_is_told_in_mg_per_dl(concentration: Concentration, mg_per_dl: float) -> None:
    (reading,) = told(GlucoseMeasurement(1, clock(-86_400.0), None, concentration), WallClock(ahead_s=0.0))
    assert (reading.channel, reading.unit) == (Channel.BLOOD_GLUCOSE, "mg/dL")
    assert reading.values[0] == pytest.approx(mg_per_dl, abs=0.05)
    assert (reading.start, reading.received_at) == (RECEIVED_AT - 86_400.0, RECEIVED_AT)
    assert reading.quality is Quality.CONTACT_UNKNOWN


@pytest.mark.parametrize("concentration", [Concentration(0.00118, False, 10, 1), Concentration(0.00118, False, 1, 4)])
def test_control_solution_is_nobodys_blood(concentration: Concentration) -> None:
    assert told(GlucoseMeasurement(1, BASE, None, concentration)) == ()


@pytest.mark.parametrize(
    "measurement",
    [
        GlucoseMeasurement(1, BASE),
        GlucoseMeasurement(1, BASE, None, Concentration(Special.NAN, False, 1, 1)),
        GlucoseMeasurement(1, BASE, None, Concentration(0.00118, False, 1, 1), Status.SAMPLE_TOO_SMALL),
        GlucoseMeasurement(1, BASE, None, Concentration(0.00118, False, 1, 1), Status.DEVICE_FAULT),
    ],
)
def test_record_without_a_valid_result_is_no_reading(measurement: GlucoseMeasurement) -> None:
    assert told(measurement) == ()


def test_offset_moves_the_time_that_the_user_sees() -> None:
    assert str(GlucoseMeasurement(1, BASE, -90).measured_at()) == "2026-05-28 18:56:40"
    assert str(GlucoseMeasurement(1, BASE).measured_at()) == "2026-05-28 20:26:40"
    for unknown in (OVERRUN, UNDERRUN):
        assert GlucoseMeasurement(1, BASE, unknown).measured_at() is None
    assert GlucoseMeasurement(1, DateTime(0, 0, 0, 1, 2, 3)).measured_at() is None
    assert GlucoseMeasurement(1, DateTime(9999, 12, 31, 23, 59, 59), 90).measured_at() is None


def test_records_not_yet_seen_are_asked_for_as_the_specification_lays_it_out() -> None:
    assert record_access.encode_request(record_access.since(258)) == bytes.fromhex("0103010201")
    assert record_access.encode_request(Request(OpCode.REPORT, Operator.ALL)) == bytes.fromhex("0101")
    assert record_access.encode_request(Request(OpCode.ABORT)) == bytes.fromhex("0300")
    assert record_access.decode_response(bytes.fromhex("06000106")) == Response(OpCode.REPORT, Answer.NO_RECORDS)
    assert record_access.decode_response(bytes.fromhex("05000201")) == Count(258)


class Meter:
    """A meter with these records, which it tells to `session`; `answers` are given instead of its own, the first first.

    `breaks_after` is how many records it tells before it falls silent.
    """

    def __init__(self, *records: GlucoseMeasurement, breaks_after: int | None = None) -> None:
        self.records = list(records)
        self.answers: list[bytes | RefusedError] = []
        self.requests: list[Request] = []
        self.left = breaks_after

    def ask(self, memory: Mapping[str, float]) -> tuple[Session, list[float]]:
        """Let a session ask; it, and the values that it was told."""
        session = PROFILE.session(SOURCE, memory)
        values: list[float] = []

        def answer(step: Step) -> bytes | RefusedError:
            assert isinstance(step, Write | Next)
            if isinstance(step, Write):
                assert isinstance(step.payload, bytes)
                self.requests.append(record_access.decode_request(step.payload))
            if self.answers:
                return self.answers.pop(0)
            if isinstance(step, Next):
                return REFUSED
            request = self.requests[-1]
            if request.op_code is OpCode.ABORT:
                return _says(OpCode.ABORT, Answer.SUCCESS)
            chosen = [record for record in self.records if _matches(record.sequence, request)]
            for record in chosen:
                if self.left == 0:
                    return REFUSED
                self.left = None if self.left is None else self.left - 1
                for reading in session.readings(MEASUREMENT, encode(record), RECEIVED_AT):
                    values.extend(reading.values)
            return _says(request.op_code, Answer.SUCCESS if chosen else Answer.NO_RECORDS)

        procedure = session.opening(RECEIVED_AT, [MEASUREMENT, record_access.CONTROL_POINT])
        assert procedure is not None
        try:
            converse(procedure, answer)
        finally:
            self.session = session
        return session, values


def _matches(number: int, request: Request) -> bool:
    (bound,) = request.bounds or (0,)
    assert isinstance(bound, int)
    return number <= bound if request.operator is Operator.AT_MOST else number >= bound


def _says(op_code: OpCode, answer: Answer) -> bytes:
    return record_access.encode_response(Response(op_code, answer))


def record(sequence: int, mg_per_dl: int, ago: float = 0.0) -> GlucoseMeasurement:
    return GlucoseMeasurement(sequence, clock(-ago), None, Concentration(mg_per_dl / 1e5, False, 1, 1))


def test_only_records_not_yet_seen_are_told_next_time() -> None:
    meter = Meter(record(7, 100, 7200.0), record(8, 110, 3600.0))
    session, values = meter.ask(NO_MEMORY)
    assert values == pytest.approx([100, 110])
    meter.records += [record(9, 120)]
    later, values = meter.ask(session.memory)
    assert values == pytest.approx([110, 120])
    assert later.memory["last"] == 9
    assert meter.requests == [record_access.EVERYTHING, record_access.since(8)]


def test_transfer_that_breaks_off_is_aborted_and_goes_on_where_it_was() -> None:
    meter = Meter(*(record(number, 100 + number, 3600.0 - number) for number in range(5)), breaks_after=3)
    with pytest.raises(RefusedError):
        meter.ask(NO_MEMORY)
    assert meter.requests[-1] == record_access.ABORT
    meter.left = None
    _, values = meter.ask(meter.session.memory)
    assert values == pytest.approx([102, 103, 104])


def test_meter_that_numbers_anew_is_read_from_its_beginning() -> None:
    session, _ = Meter(*(record(number, 100, 7200.0 - number) for number in range(10))).ask(NO_MEMORY)
    fewer = Meter(record(0, 140), record(1, 150))
    assert fewer.ask(session.memory)[1] == pytest.approx([140, 150])
    assert fewer.session.memory["last"] == 1
    more = Meter(*(record(number, 200 + number, 60.0 - number) for number in range(12)))
    assert more.ask(session.memory)[1][-12:] == pytest.approx([200 + number for number in range(12)])
    assert more.session.memory["last"] == 11


def test_numbers_that_wrap_go_on() -> None:
    meter = Meter(record(65_534, 100, 60.0), record(65_535, 110, 50.0))
    session, _ = meter.ask(NO_MEMORY)
    meter.records += [record(0, 120), record(1, 130)]
    later, values = meter.ask(session.memory)
    assert values == pytest.approx([110, 120, 130])
    assert later.memory["last"] == 1


def test_meter_that_cannot_select_is_read_whole() -> None:
    session, _ = Meter(record(7, 100)).ask(NO_MEMORY)
    meter = Meter(record(7, 100), record(8, 110))
    meter.answers = [_says(OpCode.REPORT, Answer.OPERATOR_NOT_SUPPORTED)]
    assert meter.ask(session.memory)[1] == pytest.approx([100, 110])
    assert meter.requests[-1] == record_access.EVERYTHING


@pytest.mark.parametrize("answer", [Answer.NOT_COMPLETED, Answer.OP_CODE_NOT_SUPPORTED])
def test_meter_that_gives_up_says_so_and_forgets_nothing(answer: Answer) -> None:
    session, _ = Meter(record(7, 100)).ask(NO_MEMORY)
    meter = Meter(record(7, 100))
    meter.answers = [_says(OpCode.REPORT, answer)]
    with pytest.raises(RefusedError, match=answer.name):
        meter.ask(session.memory)
    assert meter.session.memory == session.memory


def test_meter_that_still_works_on_an_earlier_request_is_stopped_first() -> None:
    meter = Meter(record(7, 100))
    meter.answers = [RefusedError("busy", where="meter", mend="wait", code=0x80)]
    assert meter.ask(NO_MEMORY)[1] == pytest.approx([100])
    assert meter.requests == [record_access.EVERYTHING, record_access.ABORT, record_access.EVERYTHING]


def test_meter_without_records_has_none() -> None:
    assert Meter().ask(NO_MEMORY)[1] == []


def test_late_answer_to_an_earlier_request_is_passed_over() -> None:
    meter = Meter(record(7, 100))
    meter.answers = [_says(OpCode.ABORT, Answer.SUCCESS), _says(OpCode.REPORT, Answer.SUCCESS)]
    meter.ask(NO_MEMORY)
    assert meter.requests == [record_access.EVERYTHING]


@pytest.mark.parametrize(
    ("sent", "quality"),
    [
        (GlucoseMeasurement(1, clock(), OVERRUN, VALUE), Quality.TIME_UNSURE),
        (
            GlucoseMeasurement(1, DateTime(0, 0, 0, 1, 2, 3), None, VALUE),
            Quality.TIME_UNSURE,
        ),
        (
            GlucoseMeasurement(1, clock(), None, VALUE, Status.TIME_FAULT),
            Quality.TIME_UNSURE,
        ),
        (GlucoseMeasurement(1, clock(-90 * 60), 90, VALUE), Quality.GOOD),
    ],
)
def test_record_whose_time_is_not_known_says_so(sent: GlucoseMeasurement, quality: Quality) -> None:
    (reading,) = told(sent)
    assert (reading.start, reading.quality) == (RECEIVED_AT, quality | Quality.CONTACT_UNKNOWN)


def test_context_is_no_reading() -> None:
    session = PROFILE.session(SOURCE, NO_MEMORY)
    assert session.readings(CONTEXT, encode_context(Context(7, meal=1)), RECEIVED_AT) == ()
    assert session.opening(RECEIVED_AT, [MEASUREMENT]) is None


@given(st.lists(st.binary(max_size=6) | st.just(REFUSED), max_size=8), st.none() | UINT16, st.lists(MEASUREMENTS))
def test_any_answers_at_all_raise_nothing_but_our_errors(
    answers: list[bytes | RefusedError], last: int | None, records: list[GlucoseMeasurement]
) -> None:
    session = PROFILE.session(SOURCE, NO_MEMORY if last is None else {"last": last, "stamp": 0.0})
    procedure = session.opening(RECEIVED_AT, [MEASUREMENT, record_access.CONTROL_POINT])
    assert procedure is not None

    def meter(step: Step) -> bytes | RefusedError:
        for sent in records:
            with suppress(DecodeError):
                session.readings(MEASUREMENT, encode(sent), RECEIVED_AT)
        return answers.pop(0) if answers else REFUSED

    with suppress(HearthbeatError):
        converse(procedure, meter)
    assert all(session.memory.get(name, 0) >= 0 for name in ("last", "stamp"))
