"""Measurements that belong to nobody until somebody says whose they are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.household.claims import Measurement, claims_of
from edge.notices import Notification, Severity
from edge.readings import CHANNELS, NOBODY, Channel, Claim, Reading
from edge.store.claims import ClaimState
from edge.store.store import Batch, Store
from tests.edge.store.samples import START

CUFF = "C0:DE:00:00:00:09"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "hearthbeat.db") as opened:
        yield opened


def claim(systolic: float = 128.0, at: float = START, user: int | None = None) -> Claim:
    found = tuple(
        Reading(NOBODY, CUFF, channel, CHANNELS[channel].unit, at, at + 1.0, (value,))
        for channel, value in ((Channel.SYSTOLIC, systolic), (Channel.DIASTOLIC, 82.0))
    )
    (made,) = claims_of(CUFF, [Measurement(found, user)])
    return made


def question(made: Claim) -> Notification:
    return Notification(f"question-{made.id}", made.id, "annas-phone", "?", "?", Severity.INFO, START)


def signals(store: Store, person: str) -> list[tuple[float, float]]:
    series = store.signals.series(person, Channel.SYSTOLIC, 0.0, math.inf)
    return list(zip(series.times.tolist(), series.values.tolist(), strict=True))


def test_a_measurement_waits_and_is_nobodys_signal(store: Store) -> None:
    made = claim(user=1)
    store.commit(Batch(claims=[made]))
    (waiting,) = store.claims.waiting()
    assert waiting.claim == made
    assert (waiting.state, waiting.person) == (ClaimState.WAITING, None)
    assert signals(store, "anna") == signals(store, NOBODY) == []


def test_a_claimed_measurement_lands_where_it_was_measured_and_its_minute_is_told_again(store: Store) -> None:
    made = claim(user=1)
    store.commit(Batch(claims=[made], notifications=[question(made)]))
    assert store.claims.settle(made.id, "anna", START + 3600.0)
    assert signals(store, "anna") == [(START, 128.0)]
    assert [minute.person for minute in store.minutes.dirty_minutes(START + 120.0)] == ["anna"]
    assert store.claims.waiting() == []
    assert store.claims.answers(CUFF) == [(1, "anna")]
    assert store.notifications.due_notifications(START + 7200.0) == [], "nobody is asked any more"


def test_nobody_can_claim_what_was_claimed_or_rejected(store: Store) -> None:
    mine, nobodys = claim(), claim(140.0)
    store.commit(Batch(claims=[mine, nobodys]))
    assert store.claims.settle(mine.id, "anna", START)
    assert store.claims.settle(nobodys.id, None, START)
    assert not store.claims.settle(mine.id, "bert", START)
    assert not store.claims.settle(nobodys.id, "bert", START)
    assert not store.claims.settle("0000", "bert", START)
    assert signals(store, "bert") == []
    assert {one.state for one in store.claims.recent(9)} == {ClaimState.CLAIMED, ClaimState.NOBODY}


def test_a_measurement_that_is_told_again_is_asked_once(store: Store) -> None:
    store.commit(Batch(claims=[claim()]))
    store.claims.settle(claim().id, "anna", START)
    store.commit(Batch(claims=[claim()]))
    assert store.claims.waiting() == []
    assert len(signals(store, "anna")) == 1


def test_an_unanswered_measurement_stays_nobodys_but_can_still_be_claimed(store: Store) -> None:
    old, new = claim(), claim(140.0, at=START + 1000.0)
    store.commit(Batch(claims=[old, new]))
    assert store.claims.expire_before(START + 500.0, START + 2000.0) == 1
    assert store.claims.expire_before(START + 500.0, START + 2000.0) == 0
    assert [one.claim for one in store.claims.waiting()] == [new]
    assert [one.state for one in store.claims.found(old.id[:5])] == [ClaimState.UNANSWERED]
    assert signals(store, "anna") == []
    assert store.claims.settle(old.id, "anna", START + 3000.0)
    assert signals(store, "anna") == [(START, 128.0)]


def test_an_old_claim_is_forgotten_and_its_signal_stays_as_long_as_others(store: Store) -> None:
    store.commit(Batch(claims=[claim(), claim(140.0, at=START + 1000.0)]))
    store.forget_before(START + 500.0)
    assert [one.claim.measured_at for one in store.claims.recent(9)] == [START + 1000.0]


STEPS = st.lists(
    st.tuples(st.sampled_from(["told", "anna", "bert", "nobody", "expire"]), st.integers(0, 3)), max_size=25
)


@given(STEPS)
@settings(max_examples=40, deadline=None)
def test_whatever_is_said_in_whatever_order_a_measurement_is_at_most_one_persons(steps: list[tuple[str, int]]) -> None:
    """Told again, claimed twice, given up, claimed late: the first answer counts, and nothing else is a signal."""
    made = [claim(100.0 + number, at=START + 100.0 * number) for number in range(4)]
    first_answers: dict[int, str] = {}
    known: set[int] = set()
    with TemporaryDirectory() as folder, Store(Path(folder) / "hearthbeat.db") as store:
        for what, number in steps:
            if what == "told":
                store.commit(Batch(claims=[made[number]]))
                known.add(number)
            elif what == "expire":
                store.claims.expire_before(START + 100.0 * number + 10.0, START + 1e6)
            else:
                settled = store.claims.settle(made[number].id, None if what == "nobody" else what, START + 1e6)
                assert settled == (number in known and number not in first_answers)
                if settled:
                    first_answers[number] = what
        for person in ("anna", "bert"):
            own = [number for number, answer in sorted(first_answers.items()) if answer == person]
            assert signals(store, person) == [(START + 100.0 * number, 100.0 + number) for number in own]
        assert {one.claim.id for one in store.claims.recent(9)} == {made[number].id for number in known}
