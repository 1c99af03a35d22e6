"""What arrives is a message, or refused with the reason; whatever it is, nothing else happens."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_sync.messages import Home, Kind, Topic, alert, fault, minute_summaries, parse
from cloud_sync.messages.bodies import Columns, MinutesMessage
from cloud_sync.messages.examples import EXAMPLES
from cloud_sync.messages.making import payload_of
from cloud_sync.messages.parsing import LARGEST_PAYLOAD, LARGEST_TEXT
from cloud_sync.messages.topics import OF_A_PERSON
from edge.errors import MessageError, Refused
from edge.notices import Alert, AlertState, Priority, Severity
from edge.readings import CHANNELS, Channel, Explanation
from edge.signals.summary import Summary
from edge.store.minutes import DirtyMinute
from edge.telling.pseudonyms import Pseudonyms

HOME = Home("home", Pseudonyms(bytes(32)))


def topic_of(kind: Kind) -> str:
    return str(Topic("home", kind, "p-k3j9x2abcd" if kind in OF_A_PERSON else None))


def refused(topic: str, payload: bytes) -> Refused:
    with pytest.raises(MessageError) as caught:
        parse(topic, payload)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    return caught.value.reason


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_read_as_it_was_written(kind: Kind) -> None:
    for payload in (payload_of(EXAMPLES[kind]), zlib.compress(payload_of(EXAMPLES[kind]))):
        received = parse(topic_of(kind), payload)
        assert (received.home, received.kind, received.message) == ("home", kind, EXAMPLES[kind])
        assert received.person == ("p-k3j9x2abcd" if kind in OF_A_PERSON else None)


@st.composite
def summaries(draw: st.DrawFn, channel: Channel) -> Summary:
    n = draw(st.integers(0, 100_000))
    values = st.none() | st.floats(CHANNELS[channel].low, CHANNELS[channel].high)
    spread = st.none() | st.floats(0.0, CHANNELS[channel].high - CHANNELS[channel].low)
    share = st.none() | st.floats(0.0, 1.0)
    artefacts = draw(st.none() | st.integers(0, 1000))
    drawn = [draw(values) for _ in range(5)]
    return Summary(n, draw(share), artefacts, draw(values), draw(spread), *drawn)


@st.composite
def batches(draw: st.DrawFn) -> list[tuple[DirtyMinute, dict[Channel, Summary]]]:
    minutes = sorted(draw(st.sets(st.integers(0, 40_000_000), min_size=1, max_size=60)))
    told = []
    for minute in minutes:
        channels = draw(st.sets(st.sampled_from(Channel), max_size=4))
        dirty = DirtyMinute("anna", minute, draw(st.integers(1, 5)), 1)
        told.append((dirty, {channel: draw(summaries(channel)) for channel in channels}))
    return told


@settings(deadline=None, max_examples=40)
@given(batches())
def test_minutes_survive_the_way_whatever_is_in_them(told: list[tuple[DirtyMinute, dict[Channel, Summary]]]) -> None:
    message = minute_summaries(HOME, told)
    body = parse(message.topic, message.payload).message
    assert isinstance(body, MinutesMessage)
    rows = {(row.minute, row.channel): row for row in body.rows()}
    assert set(rows) == {(dirty.minute, channel) for dirty, found in told for channel in found}
    for dirty, found in told:
        for channel, summary in found.items():
            row, figures = rows[dirty.minute, channel], rows[dirty.minute, channel].figures
            step = 0.52 * CHANNELS[channel].resolution
            assert (row.revision, row.figures.n, row.figures.artefacts) == (
                dirty.revision,
                summary.n,
                summary.artefacts,
            )
            for name, value in (("min", summary.minimum), ("p50", summary.p50), ("max", summary.maximum)):
                assert getattr(figures, name) == (None if value is None else pytest.approx(value, abs=step))


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=2000), st.dictionaries(st.text(max_size=100), st.floats(), max_size=5), st.text(max_size=90))
def test_an_alert_leaves_whatever_is_in_it(sentence: str, numbers: dict[str, float], kind: str) -> None:
    why = Explanation(sentence, numbers)
    told = Alert("a1", "anna", kind, Severity.CRITICAL, AlertState.RAISED, 1.0, 2.0, None, why, "x,y")
    for message in (alert(HOME, told, kind), fault(HOME, told, kind)):
        body = parse(message.topic, message.payload).message
        assert body is not None
        assert message.priority is not Priority.SUMMARY


PAYLOAD: dict[str, Any] = json.loads(payload_of(EXAMPLES[Kind.MINUTES]))


def altered(**fields: object) -> bytes:
    return json.dumps(PAYLOAD | fields).encode()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Refused.NOT_JSON),
        (b"{", Refused.NOT_JSON),
        (b"[" * 200_000, Refused.NOT_JSON),
        (b'{"v":' * 40_000, Refused.NOT_JSON),
        (b"\xff\xfe", Refused.NOT_JSON),
        (b"null", Refused.SCHEMA),
        (b"[]", Refused.SCHEMA),
        (b'"text"', Refused.SCHEMA),
        (bytes(LARGEST_PAYLOAD + 1), Refused.TOO_LARGE),
        (zlib.compress(bytes(LARGEST_TEXT + 1)), Refused.TOO_LARGE),
        (zlib.compress(b"{}")[:-1], Refused.NOT_JSON),
        (zlib.compress(b"{}") + b"x", Refused.NOT_JSON),
        (b"\x78\x9cnonsense", Refused.NOT_JSON),
        (b"\x01", Refused.SEALED),
        (b"\x01" + bytes(16), Refused.SEALED),
        (b"\x01" + bytes(16 + 48 + 255), Refused.SEALED),
        (altered(v=2), Refused.VERSION),
        (altered(v="1"), Refused.VERSION),
        (altered(surprise=1), Refused.SCHEMA),
        (altered(id="6e035857"), Refused.SCHEMA),
        (altered(revisions=[1, 1]), Refused.SCHEMA),
        (altered(revisions=[1, 1, 0]), Refused.SCHEMA),
        (altered(revisions=[1, 1, 10**30]), Refused.SCHEMA),
        (altered(runs=[[3, 1], [2, 1], [1, 1]]), Refused.SCHEMA),
        (altered(runs=[[1, 2], [2, 1]]), Refused.SCHEMA),
        (altered(runs=[[1, 1441]]), Refused.SCHEMA),
        (altered(runs=[[1, 4_000_000_000]]), Refused.SCHEMA),
        (altered(runs=[[1, 2], [3, 0]]), Refused.SCHEMA),
        (altered(runs=[[1, 2, 3]]), Refused.SCHEMA),
        (altered(runs=[[1, 2], [3.5, 1]]), Refused.SCHEMA),
        (altered(runs=[]), Refused.SCHEMA),
        (altered(gone={"ecg": [7]}), Refused.SCHEMA),
        (altered(channels={"mood": {"n": [1, 1, 1]}}), Refused.SCHEMA),
        (altered(channels={"ecg": {"n": [1, 1]}}), Refused.SCHEMA),
        (altered(channels={"ecg": {"n": [1, 1, True]}}), Refused.SCHEMA),
        (altered(channels={"ecg": {"n": [1, 1, "1"]}}), Refused.SCHEMA),
        (altered(channels={"ecg": {"n": [1, 1, -1]}}), Refused.SCHEMA),
        (altered(channels={"ecg": {"n": [1, None, 1], "mean": [1, 1, 1]}}), Refused.SCHEMA),
        (altered(channels={"ecg": {"n": [1, 1, 1], "mean": [float("nan"), 1, 1]}}), Refused.SCHEMA),
        (altered(channels={"ecg": {"n": [1, 1, 1], "mean": [float("inf"), 1, 1]}}), Refused.SCHEMA),
        (altered(channels={"ecg": {"n": [1, 1, 1], "coverage": [1.01, 1, 1]}}), Refused.SCHEMA),
    ],
    ids=lambda value: value.value if isinstance(value, Refused) else ascii(value[:40]),
)
def test_what_is_no_message_is_refused_with_the_reason(payload: bytes, reason: Refused) -> None:
    assert refused(topic_of(Kind.MINUTES), payload) is reason


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("", Refused.TOPIC),
        ("hearthbeat", Refused.TOPIC),
        ("weather/v1/home/status", Refused.TOPIC),
        ("hearthbeat/v1//status", Refused.TOPIC),
        ("hearthbeat/v1/Home/status", Refused.TOPIC),
        ("hearthbeat/v1/../status", Refused.TOPIC),
        ("hearthbeat/v1/home/" + "a" * 65_000, Refused.TOPIC),
        ("hearthbeat/v2/home/status", Refused.VERSION),
        ("hearthbeat/v1/home", Refused.KIND),
        ("hearthbeat/v1/home/", Refused.KIND),
        ("hearthbeat/v1/home/horoscope", Refused.KIND),
        ("hearthbeat/v1/home/p-1/horoscope", Refused.KIND),
        ("hearthbeat/v1/home/p-1/status", Refused.KIND),
        ("hearthbeat/v1/home/summary/minute", Refused.KIND),
        ("hearthbeat/v1/home/p\n/alert", Refused.KIND),
        ("hearthbeat/v1/home/p-1/alert/more", Refused.KIND),
        ("hearthbeat/v1/home/\u0663/alert", Refused.KIND),
    ],
)
def test_what_is_no_topic_is_refused_with_the_reason(topic: str, reason: Refused) -> None:
    assert refused(topic, b"{}") is reason


@pytest.mark.parametrize("kind", Kind)
def test_a_payload_under_the_topic_of_another_kind_is_refused(kind: Kind) -> None:
    for other in set(Kind) - {kind}:
        assert refused(topic_of(other), payload_of(EXAMPLES[kind])) is Refused.SCHEMA


def test_no_text_holds_what_a_database_cannot() -> None:
    fault = json.loads(payload_of(EXAMPLES[Kind.FAULT]))
    assert refused(topic_of(Kind.FAULT), json.dumps(fault | {"sentence": "a\0b"}).encode()) is Refused.SCHEMA


def mutants() -> Iterator[tuple[str, bytes]]:
    for kind in Kind:
        yield topic_of(kind), payload_of(EXAMPLES[kind])
        yield topic_of(kind), zlib.compress(payload_of(EXAMPLES[kind]))


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(list(mutants())), st.data())
def test_damage_is_a_message_error_or_no_damage(original: tuple[str, bytes], data: st.DataObject) -> None:
    topic, payload = original
    changed = bytearray(payload)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(changed) - 1))
        changed[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
        changed = changed or bytearray(b"x")
    with suppress(MessageError):
        parse(topic, bytes(changed))


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=60), st.binary(max_size=200))
def test_noise_is_a_message_error(topic: str, payload: bytes) -> None:
    for named in (topic, f"hearthbeat/v1/home/{topic}", topic_of(Kind.ALERT)):
        with pytest.raises(MessageError):
            parse(named, payload)


def test_a_minute_is_as_good_whether_its_columns_know_all_or_little() -> None:
    example = EXAMPLES[Kind.MINUTES]
    assert isinstance(example, MinutesMessage)
    little = example.model_copy(update={"channels": {Channel.ECG: Columns(n=[5, None, 7])}, "revisions": None})
    body = parse(topic_of(Kind.MINUTES), payload_of(little)).message
    assert isinstance(body, MinutesMessage)
    assert [(row.minute, row.revision, row.figures.n, row.figures.mean) for row in body.rows()] == [
        (29_666_880, 1, 5, None),
        (29_666_883, 1, 7, None),
    ]
