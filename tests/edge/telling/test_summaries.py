"""A minute in figures: of strap and watch one counts, never both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.readings import CHANNELS, Channel, Quality, Reading
from edge.store.minutes import DirtyMinute
from edge.store.store import Batch, Store
from edge.telling.summaries import summaries_of

START = 60.0 * 30_000_000
MINUTE = DirtyMinute("anna", 30_000_000, 1, 1)
STRAP, WATCH = "AA", "BB"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "hearthbeat.db") as opened:
        yield opened


def keep(
    store: Store, device: str, bpm: float, first: int, last: int, every: int = 1, quality: Quality = Quality.GOOD
) -> None:
    facts = CHANNELS[Channel.HEART_RATE]
    store.commit(
        Batch(
            readings=[
                Reading("anna", device, Channel.HEART_RATE, facts.unit, START + at, START + at, (bpm,), quality)
                for at in range(first, last + 1, every)
            ]
        )
    )


def mean(store: Store) -> float:
    summary = summaries_of(store, "anna", MINUTE.start, MINUTE.end, lambda _: (STRAP, WATCH))[Channel.HEART_RATE]
    assert summary.mean is not None
    return summary.mean


def test_pain_25_the_better_one_counts_where_both_measure_all_the_time(store: Store) -> None:
    keep(store, STRAP, 60.0, 1, 60)
    keep(store, WATCH, 80.0, 1, 60)
    assert mean(store) == 60.0


def test_one_that_sends_seldom_covers_a_minute_as_well(store: Store) -> None:
    keep(store, STRAP, 60.0, 5, 60, every=5)
    keep(store, WATCH, 80.0, 1, 60)
    assert mean(store) == 60.0


def test_pain_25_the_next_counts_where_the_better_one_was_off_for_most_of_the_minute(store: Store) -> None:
    keep(store, STRAP, 60.0, 1, 10)
    keep(store, WATCH, 80.0, 1, 60)
    assert mean(store) == 80.0


def test_pain_08_a_strap_on_the_table_does_not_count_beside_a_watch_that_is_worn(store: Store) -> None:
    keep(store, STRAP, 60.0, 1, 60, quality=Quality.NO_CONTACT)
    keep(store, WATCH, 80.0, 30, 60)
    assert mean(store) == 80.0


def test_a_single_wearable_needs_no_choice_even_one_that_is_in_no_order(store: Store) -> None:
    keep(store, "CC", 70.0, 1, 60)
    assert mean(store) == 70.0
    keep(store, "DD", 71.0, 1, 60)
    assert mean(store) in (70.0, 71.0)
