"""Random lives of alerts, killed at any moment: nothing is lost, doubled, or told on stale data."""

from __future__ import annotations

from tests.edge.alert_histories import live


def test_pain_11_14_15_16_17_20_random_histories_lose_and_double_nothing() -> None:
    live(100, steps=15)
