"""What every profile's session keeps to."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DecodeError
from edge.readings import Channel
from edge.wearables import BY_CHARACTERISTIC, PROFILES, battery, device_information
from edge.wearables.profile import NO_MEMORY, Profile, assigned_uuid
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


@given(st.lists(st.tuples(st.sampled_from(sorted(BY_CHARACTERISTIC)), st.binary(max_size=40)), max_size=12))
def test_any_packets_in_any_order_are_understood_or_a_decode_error(packets: list[tuple[str, bytes]]) -> None:
    sessions = {profile.name: profile.session(SOURCE, NO_MEMORY) for profile in PROFILES}
    for uuid, payload in packets:
        session = sessions[BY_CHARACTERISTIC[uuid].name]
        with suppress(DecodeError):
            assert all(reading.values for reading in session.readings(uuid, payload, RECEIVED_AT))
            assert all(session.facts(uuid, payload).values())
