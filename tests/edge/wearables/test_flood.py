"""Random packets through all decoders; tests/benchmarks/test_bench_million_packets.py sends a million."""

from __future__ import annotations

import pytest

from edge.readings import Channel, Quality, Reading
from edge.wearables import PROFILES
from tests.edge.wearables.flood import EXAMPLES, NOW, check, flood


def test_random_packets_crash_nothing_and_no_value_is_out_of_range_without_a_mark() -> None:
    found = flood(9_000, seed=1)
    assert found.refused > 1000
    assert found.understood > 1000
    assert set(found.readings) == set(Channel)


def test_flood_holds_every_characteristic_that_becomes_readings() -> None:
    sent = {uuid for uuid, _ in EXAMPLES}
    for profile in PROFILES:
        assert profile.name == "device_information" or sent & {*profile.notify, *profile.read}, profile.name


@pytest.mark.parametrize(
    ("value", "quality", "start"),
    [(500.0, Quality.GOOD, NOW), (60.0, Quality.GOOD, NOW + 60.0), (float("nan"), Quality.GOOD, NOW)],
)
def test_check_finds_what_it_is_for(value: float, quality: Quality, start: float) -> None:
    reading = Reading("anna", "strap", Channel.HEART_RATE, "bpm", start, NOW, (value,), quality)
    with pytest.raises(AssertionError):
        check(reading, NOW)
