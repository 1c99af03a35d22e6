"""A Polar wearable's control point: what is asked of it and what it answers come back as they were."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.wearables.polar_control import (
    Answer,
    OpCode,
    Response,
    Setting,
    ask_for_settings,
    decode_features,
    decode_request,
    decode_response,
    encode_features,
    encode_response,
    start,
    stop,
)


@given(
    st.sampled_from(OpCode),
    st.integers(0, 255),
    st.dictionaries(
        st.sampled_from(Setting).filter(lambda setting: setting is not Setting.FACTOR), st.integers(0, 255)
    ),
)
def test_requests_come_back_as_written(op_code: OpCode, measurement: int, settings: dict[Setting, int]) -> None:
    asked = {OpCode.SETTINGS: ask_for_settings(measurement), OpCode.STOP: stop(measurement)}
    written = asked.get(op_code) or start(measurement, settings)
    told = {setting: (number,) for setting, number in settings.items()} if op_code is OpCode.START else {}
    assert decode_request(written) == (op_code, measurement, told)


@given(st.frozensets(st.integers(0, 7)))
def test_features_come_back_as_they_are(measurements: frozenset[int]) -> None:
    assert decode_features(encode_features(measurements)) == measurements


@given(
    st.integers(0, 255),
    st.integers(0, 255),
    st.booleans(),
    st.dictionaries(
        st.sampled_from([Setting.SAMPLE_RATE, Setting.RESOLUTION, Setting.CHANNELS]),
        st.lists(st.integers(0, 255), min_size=1, max_size=4).map(tuple),
    ),
)
def test_answers_come_back_as_indicated(
    op_code: int, measurement: int, more: bool, settings: dict[Setting, tuple[int, ...]]
) -> None:
    response = Response(op_code, measurement, Answer.SUCCESS, more, settings)
    assert decode_response(encode_response(response)) == response
