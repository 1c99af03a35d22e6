"""Battery, device information, and how profiles are found."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DecodeError
from edge.readings import Channel, Source
from edge.wearables import BY_CHARACTERISTIC, PROFILES, battery, device_information
from edge.wearables.profile import assigned_uuid

SOURCE = Source(person="anna", device="strap")


def test_every_module_with_a_profile_is_found() -> None:
    assert {profile.name for profile in PROFILES} >= {"heart_rate", "battery", "device_information"}


def test_every_characteristic_leads_to_the_profile_that_asked_for_it() -> None:
    for profile in PROFILES:
        for characteristic in (*profile.notify, *profile.read):
            assert BY_CHARACTERISTIC[characteristic] is profile


def test_what_streams_is_subscribed_to() -> None:
    for profile in PROFILES:
        assert set(profile.streams) <= set(profile.notify)


@given(st.sampled_from(sorted(BY_CHARACTERISTIC)), st.binary(max_size=40))
def test_any_bytes_from_any_characteristic_are_understood_or_a_decode_error(uuid: str, payload: bytes) -> None:
    profile = BY_CHARACTERISTIC[uuid]
    with suppress(DecodeError):
        assert all(reading.values for reading in profile.readings(uuid, payload, SOURCE, 0.0))
        assert all(profile.facts(uuid, payload).values())


@pytest.mark.parametrize("percent", [0, 1, 100])
def test_battery_level_is_a_reading(percent: int) -> None:
    (reading,) = battery.PROFILE.readings(battery.LEVEL, bytes((percent,)), SOURCE, 5.0)
    assert (reading.channel, reading.unit, reading.values) == (Channel.BATTERY, "%", (float(percent),))
    assert (reading.start, reading.received_at) == (5.0, 5.0)


@pytest.mark.parametrize("payload", [b"", b"\x65", b"\xff", b"\x32\x00"])
def test_pain_10_reserved_battery_level_is_no_number(payload: bytes) -> None:
    with pytest.raises(DecodeError, match="Battery Level"):
        battery.decode(payload)


def test_texts_of_device_information_are_facts() -> None:
    facts = device_information.PROFILE.facts(assigned_uuid(0x2A29), "Müller & Söhne\0\0".encode())
    assert facts == {"manufacturer": "Müller & Söhne"}


def test_empty_text_is_no_fact() -> None:
    assert device_information.PROFILE.facts(assigned_uuid(0x2A26), b"\0") == {}


def test_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(DecodeError, match="serial_number"):
        device_information.PROFILE.facts(assigned_uuid(0x2A25), b"\xff\xfe")
