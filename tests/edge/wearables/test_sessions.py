"""What every profile's session keeps to."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DecodeError, HearthbeatError
from edge.readings import Channel
from edge.wearables import BY_CHARACTERISTIC, PROFILES, battery, device_information
from edge.wearables.profile import NO_MEMORY, Profile, assigned_uuid
from tests.edge.wearables.conversation import REFUSED, converse
from tests.edge.wearables.strategies import RECEIVED_AT, SOURCE


def test_session_without_a_conversation_tells_what_its_profile_does() -> None:
    session = battery.PROFILE.session(SOURCE, {})
    (reading,) = session.readings(battery.LEVEL, b"\x32", RECEIVED_AT)
    assert (reading.channel, reading.values, reading.device) == (Channel.BATTERY, (50.0,), SOURCE.device)
    assert session.opening(RECEIVED_AT, {battery.LEVEL}) is None
    assert session.lost() == ()
    assert session.memory == {}
    maker = assigned_uuid(0x2A29)
    assert device_information.PROFILE.session(SOURCE, {}).facts(maker, b"Polar") == {"manufacturer": "Polar"}


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_memory_is_the_same_object_until_it_changes(profile: Profile) -> None:
    session = profile.session(SOURCE, NO_MEMORY)
    assert session.memory is session.memory


UUIDS = sorted(BY_CHARACTERISTIC)
CONTROL = sorted({uuid for profile in PROFILES for uuid in profile.control})
MEMORY = ("last", "stamp", "began", "told", "minute", "ahead_s", "drift")
EVENTS = st.lists(
    st.tuples(st.just("packet"), st.sampled_from(UUIDS), st.binary(max_size=40))
    | st.tuples(st.just("opening"), st.lists(st.binary(max_size=12) | st.just(REFUSED), max_size=6), st.booleans())
    | st.just(("lost",)),
    max_size=12,
)


@given(EVENTS)
def test_any_packets_and_answers_in_any_order_raise_nothing_but_our_errors(events: list[tuple[Any, ...]]) -> None:
    sessions = {profile.name: profile.session(SOURCE, NO_MEMORY) for profile in PROFILES}
    now = RECEIVED_AT
    for event in events:
        now += 1.0
        if event[0] == "packet":
            _, uuid, payload = event
            session = sessions[BY_CHARACTERISTIC[uuid].name]
            with suppress(DecodeError):
                readings = session.readings(uuid, payload, now)
                assert all(reading.values and 0.0 < reading.start <= now + 1.0 for reading in readings)
                assert all(session.facts(uuid, payload).values())
            continue
        for session in sessions.values():
            if event[0] == "lost":
                session.lost()
                continue
            answers = list(event[1])
            procedure = session.opening(now, [*UUIDS, *CONTROL] if event[2] else UUIDS)
            if procedure is not None:
                with suppress(HearthbeatError):
                    converse(procedure, lambda _: answers.pop() if answers else REFUSED, 40)  # noqa: B023  at once
    for session in sessions.values():
        assert all(math.isfinite(value) for value in session.memory.values())


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
@given(
    st.dictionaries(
        st.sampled_from(["last", "stamp", "began", "told", "minute", "ahead_s", "drift"]), st.floats(-1, 9e9)
    )
)
def test_any_memory_is_taken(profile: Profile, memory: dict[str, float]) -> None:
    session = profile.session(SOURCE, memory)
    procedure = session.opening(RECEIVED_AT, [*UUIDS, *CONTROL])
    if procedure is not None:
        with suppress(HearthbeatError):
            converse(procedure, lambda _: b"\x06\x00\x01\x01", 40)
    for uuid in (*profile.notify, *profile.read):
        with suppress(DecodeError):
            session.readings(uuid, bytes.fromhex("060064000500"), RECEIVED_AT)
