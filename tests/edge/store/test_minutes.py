"""Every minute with samples is told, also when they come late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.notices import OutboxMessage, Priority
from edge.readings import Channel
from edge.store.minutes import DirtyMinute
from edge.store.store import Batch, Store
from tests.edge.store.samples import rr, sample

MINUTE = 29_666_667
FIRST = MINUTE * 60.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "hearthbeat.db") as opened:
        yield opened


def heart_rate(second: float, person: str = "anna") -> Batch:
    return Batch(readings=[sample(Channel.HEART_RATE, FIRST + second, 60.0, person=person)])


def tell(store: Store, *minutes: DirtyMinute) -> list[str]:
    messages = [
        OutboxMessage(f"{dirty.person}-{dirty.minute}-{dirty.revision}", "t", b"", Priority.SUMMARY, dirty.end)
        for dirty in minutes
    ]
    store.minutes.commit_summaries(minutes, messages)
    return [message.id for message in messages]


def test_a_minute_is_to_be_told_when_it_is_over(store: Store) -> None:
    store.commit(heart_rate(1.0))
    assert store.minutes.dirty_minutes(FIRST + 59.9) == []
    [dirty] = store.minutes.dirty_minutes(FIRST + 60.0)
    assert dirty == DirtyMinute("anna", MINUTE, revision=1, touches=1)
    assert (dirty.start, dirty.end) == (FIRST, FIRST + 60.0)


def test_a_minute_holds_its_end_and_not_its_start(store: Store) -> None:
    store.commit(heart_rate(60.0))
    store.commit(heart_rate(60.125))
    assert [dirty.minute for dirty in store.minutes.dirty_minutes(FIRST + 600.0)] == [MINUTE, MINUTE + 1]
    assert store.signals.series("anna", Channel.HEART_RATE, FIRST, FIRST + 60.0).times.tolist() == [FIRST + 60.0]


def test_an_rr_interval_belongs_to_the_minute_in_which_it_ends(store: Store) -> None:
    store.commit(Batch(readings=[rr(FIRST + 59.5, 1024)]))
    assert [dirty.minute for dirty in store.minutes.dirty_minutes(FIRST + 600.0)] == [MINUTE + 1]


def test_a_told_minute_rests_and_its_message_waits(store: Store) -> None:
    store.commit(heart_rate(1.0))
    [told] = tell(store, *store.minutes.dirty_minutes(FIRST + 60.0))
    assert store.minutes.dirty_minutes(FIRST + 600.0) == []
    assert [message.id for message in store.outbox.next_messages(5)] == [told]


def test_late_samples_open_a_minute_again_with_a_further_revision(store: Store) -> None:
    for revision in (1, 2, 3):
        store.commit(heart_rate(1.0 + revision))
        [dirty] = store.minutes.dirty_minutes(FIRST + 60.0)
        assert dirty.revision == revision
        tell(store, dirty)
    assert store.outbox.outbox_depth() == 3


def test_samples_that_come_while_a_summary_is_made_are_told_too(store: Store) -> None:
    store.commit(heart_rate(1.0))
    [dirty] = store.minutes.dirty_minutes(FIRST + 60.0)
    store.commit(heart_rate(2.0))
    tell(store, dirty)
    [again] = store.minutes.dirty_minutes(FIRST + 60.0)
    assert again.revision == 2


def test_a_minute_that_was_never_told_is_its_first_however_late(store: Store) -> None:
    for minute in (0, 1, 5, 6):
        store.commit(heart_rate(60.0 * minute + 1.0))
    tell(store, *store.minutes.dirty_minutes(FIRST + 3600.0))
    for minute in (3, 2, 4, 1, 7):
        store.commit(heart_rate(60.0 * minute + 2.0))
    late = store.minutes.dirty_minutes(FIRST + 3600.0)
    assert [(dirty.minute - MINUTE, dirty.revision) for dirty in late] == [(1, 2), (2, 1), (3, 1), (4, 1), (7, 1)]
    assert len(set(tell(store, *late))) == 5
    assert store._connection.rows("SELECT first, last FROM told") == [(MINUTE, MINUTE + 7)]
    for minute in range(8):
        store.commit(heart_rate(60.0 * minute + 3.0))
    again = store.minutes.dirty_minutes(FIRST + 3600.0)
    assert [dirty.revision for dirty in again] == [2, 3, 2, 2, 2, 2, 2, 2]


@settings(deadline=None, max_examples=15)
@given(st.lists(st.tuples(st.sampled_from(["anna", "bert"]), st.integers(0, 12)), max_size=25))
def test_revisions_count_how_often_each_minute_was_told(order: list[tuple[str, int]]) -> None:
    with TemporaryDirectory() as folder, Store(Path(folder) / "hearthbeat.db") as store:
        told = Counter[tuple[str, int]]()
        for person, minute in order:
            store.commit(heart_rate(60.0 * minute + 1.0, person))
            [dirty] = store.minutes.dirty_minutes(FIRST + 3600.0)
            told[person, minute] += 1
            assert (dirty.person, dirty.minute - MINUTE, dirty.revision) == (person, minute, told[person, minute])
            tell(store, dirty)


def test_the_same_summary_twice_is_one_message(store: Store) -> None:
    store.commit(heart_rate(1.0))
    dirty = store.minutes.dirty_minutes(FIRST + 60.0)
    tell(store, *dirty)
    tell(store, *dirty)
    assert store.outbox.outbox_depth() == 1


def test_pain_25_persons_have_minutes_of_their_own(store: Store) -> None:
    for person in ("anna", "bert"):
        store.commit(heart_rate(1.0, person))
    anna, bert = store.minutes.dirty_minutes(FIRST + 60.0)
    tell(store, anna)
    assert store.minutes.dirty_minutes(FIRST + 60.0) == [bert]


def test_the_oldest_minutes_come_first_and_no_more_than_wanted(store: Store) -> None:
    for minute in (3, 1, 2):
        store.commit(heart_rate(60.0 * minute + 1.0))
    assert [dirty.minute - MINUTE for dirty in store.minutes.dirty_minutes(FIRST + 600.0, limit=2)] == [1, 2]


def test_minutes_beyond_what_is_kept_are_told_no_more(store: Store) -> None:
    store.commit(heart_rate(1.0))
    store.forget_before(FIRST + 3600.0)
    assert store.minutes.dirty_minutes(FIRST + 1e6) == []
