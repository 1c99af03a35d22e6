"""What becomes of a blood glucose meter's records, and how they are asked for."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DecodeError
from edge.readings import Channel, Quality
from edge.wearables import record_access
from edge.wearables.fields import DateTime
from edge.wearables.glucose_meter import (
    OVERRUN,
    UNDERRUN,
    Concentration,
    Context,
    GlucoseMeasurement,
    Status,
    decode,
    decode_context,
    encode,
    encode_context,
    readings,
)
from edge.wearables.ieee11073 import Special
from edge.wearables.record_access import Answer, Count, Filter, OpCode, Operator, Request, Response
from tests.edge.wearables.strategies import DATE_TIMES, RECEIVED_AT, SFLOATS, SOURCE, UINT8, UINT16

NIBBLE = st.integers(0, 15)
BASE = DateTime(2026, 5, 28, 20, 26, 40)
MEASUREMENTS = st.builds(
    GlucoseMeasurement,
    UINT16,
    DATE_TIMES,
    st.none() | st.integers(-0x8000, 0x7FFF),
    st.none() | st.builds(Concentration, SFLOATS, st.booleans(), NIBBLE, NIBBLE),
    st.none() | UINT16.map(Status),
    st.booleans(),
)


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
        found = readings(measurement, SOURCE, RECEIVED_AT, RECEIVED_AT)
    except DecodeError:
        return
    for reading in found:
        assert 20.0 <= reading.values[0] <= 600.0 or reading.quality & Quality.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("concentration", "mg_per_dl"),
    [(Concentration(0.00118, False, 1, 1), 118.0), (Concentration(0.0055, True, 1, 1), 99.1)],
)
def test_record_is_told_in_mg_per_dl(concentration: Concentration, mg_per_dl: float) -> None:
    (reading,) = readings(GlucoseMeasurement(1, BASE, None, concentration), SOURCE, 5.0, RECEIVED_AT)
    assert (reading.channel, reading.unit) == (Channel.BLOOD_GLUCOSE, "mg/dL")
    assert reading.values[0] == pytest.approx(mg_per_dl, abs=0.05)
    assert (reading.start, reading.received_at) == (5.0, RECEIVED_AT)


@pytest.mark.parametrize("concentration", [Concentration(0.00118, False, 10, 1), Concentration(0.00118, False, 1, 4)])
def test_control_solution_is_nobodys_blood(concentration: Concentration) -> None:
    assert readings(GlucoseMeasurement(1, BASE, None, concentration), SOURCE, 5.0, 5.0) == ()


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
    assert readings(measurement, SOURCE, 5.0, 5.0) == ()


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
