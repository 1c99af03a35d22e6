"""Battery, device information, and how profiles are found."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DecodeError
from edge.readings import CHANNELS, Channel, Quality, Reading, Source
from edge.store.blocks import columns_of
from edge.wearables import BY_CHARACTERISTIC, PROFILES, battery, device_information
from edge.wearables.profile import assigned_uuid

SOURCE = Source(person="anna", device="strap")


def test_every_module_with_a_profile_is_found() -> None:
    assert {profile.name for profile in PROFILES} == {
        "battery",
        "blood_pressure",
        "body_composition",
        "continuous_glucose",
        "current_time",
        "device_information",
        "glucose_meter",
        "heart_rate",
        "nordic_uart",
        "oximeter_viatom",
        "polar_measurement_data",
        "pulse_oximeter",
        "thermometer",
        "weight_scale",
    }


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


@given(st.sampled_from(sorted(BY_CHARACTERISTIC)), st.binary(min_size=5, max_size=20), st.integers(0, 7))
def test_no_value_out_of_its_range_without_a_mark(uuid: str, payload: bytes, flags: int) -> None:
    found: tuple[Reading, ...] = ()
    with suppress(DecodeError):
        found = BY_CHARACTERISTIC[uuid].readings(uuid, bytes((flags,)) + payload, SOURCE, 0.0)
    for reading in found:
        facts = CHANNELS[reading.channel]
        assert reading.unit == facts.unit
        inside = all(facts.low <= value <= facts.high for value in reading.values)
        assert inside != bool(reading.quality & Quality.OUT_OF_RANGE)


@given(st.sampled_from(sorted(BY_CHARACTERISTIC)), st.binary(max_size=20))
def test_whatever_a_wearable_sends_can_be_stored(uuid: str, payload: bytes) -> None:
    with suppress(DecodeError):
        for reading in BY_CHARACTERISTIC[uuid].readings(uuid, payload, SOURCE, 0.0):
            assert columns_of([reading]).values.size == len(reading.values)


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
