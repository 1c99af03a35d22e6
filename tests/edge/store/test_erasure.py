"""What is erased is gone, and nobody else's with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge.errors import StoreError
from edge.notices import Attempt, Notification, OutboxMessage, Priority, Severity
from edge.readings import Channel, Claim, Memory, Reading
from edge.store.store import Batch, Store
from tests.edge.store.samples import START, alert, assessment, rr, sample


def of(person: str, device: str) -> Batch:
    """Something in every table."""
    raised = replace(alert(1, person=person), id=f"alert-{person}", snoozed_until=START + 3600.0)
    values = tuple(float(n % 90) for n in range(3 * 5000))
    acceleration = Reading(person, device, Channel.ACCELERATION, "mg", START, START, values, interval_s=0.02)
    return Batch(
        readings=[rr(START + n, 800 + n % 90, person=person, device=device) for n in range(1500)] + [acceleration],
        assessments=[assessment(START, person=person)],
        alerts=[raised],
        notifications=[Notification(f"told-{person}", raised.id, "mum", "T", f"of {person}", Severity.WARNING, START)],
        messages=[OutboxMessage(f"m-{person}", f"hearthbeat/v1/anna/{person}/alert", b"{}", Priority.ALERT, START)],
        memories=[Memory(device, "heart_rate", {"n": 1.0}), Memory("shared", "cuff", {"n": 2.0})],
        claims=[
            Claim(
                id=f"claim-{person}",
                device="shared",
                measured_at=START,
                received_at=START,
                readings=(sample(Channel.WEIGHT, START, 70.0, person=""),),
                user=None,
                candidates=(("anna", 0.7), ("bert", 0.3)),
            )
        ],
    )


def tell_minutes(store: Store) -> None:
    dirty = store.minutes.dirty_minutes(START + 600.0)
    messages = [
        OutboxMessage(f"{m.person}/{m.minute}", f"hearthbeat/v1/anna/{m.person}/x", b"", Priority.SUMMARY, 0.0)
        for m in dirty
    ]
    store.minutes.commit_summaries(dirty, messages)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "hearthbeat.db"
    with Store(path) as store:
        for person, device in (("anna", "AA"), ("bert", "BB")):
            store.commit(of(person, device))
            store.notifications.mark_failed([f"told-{person}"], START, "no", [Attempt("m", "ntfy", START, "no")])
            store.commit(Batch(readings=[replace(sample(Channel.BATTERY, START, 80.0, person=person), device=device)]))
        tell_minutes(store)
    return path


def test_pain_25_nothing_of_a_person_is_left_and_all_of_the_others(path: Path) -> None:
    with Store(path) as store:
        before = store.signals.series("bert", Channel.ACCELERATION, 0.0, float("inf"))
        assert store.people() == ["anna", "bert"]
        erased = store.erase("anna")
        assert {
            "blocks",
            "tail",
            "series",
            "assessments",
            "alerts",
            "notifications",
            "outbox",
            "told",
            "deliveries",
        } <= set(erased)
        assert store.people() == ["bert"]
        assert all(store.signals.series("anna", channel, 0.0, float("inf")).times.size == 0 for channel in Channel)
        after = store.signals.series("bert", Channel.ACCELERATION, 0.0, float("inf"))
        assert (after.values == before.values).all()
        assert [one.person for one in store.alerts.alerts(9)] == ["bert"]
        assert {message.topic.split("/")[3] for message in store.outbox.next_messages(99)} == {"bert"}
        assert store.memories.of("AA") == {}, "it was worn by nobody else"
        assert store.memories.of("shared") == {"cuff": {"n": 2.0}}
        assert {who for one in store.claims.recent(9) for who, _ in one.claim.candidates} == {"bert"}
        store.check()
    left = path.read_bytes()
    assert b"claim-anna" in left, "a measurement that nobody has claimed is not hers"
    assert b"of anna" not in left
    assert b"of bert" in left
    assert not path.with_name(path.name + "-wal").exists() or not path.with_name(path.name + "-wal").stat().st_size


def test_a_wearable_that_two_have_worn_keeps_its_memory(path: Path) -> None:
    with Store(path) as store:
        store.commit(Batch(readings=[rr(START, 900, person="bert", device="AA")]))
        store.erase("anna")
        assert store.memories.of("AA") == {"heart_rate": {"n": 1.0}}


def test_the_same_person_can_begin_anew(path: Path) -> None:
    with Store(path) as store:
        store.erase("anna")
        store.commit(of("anna", "AA"))
        tell_minutes(store)
        assert store.signals.series("anna", Channel.RR_INTERVAL, 0.0, float("inf")).times.size == 1500


def test_what_cannot_be_erased_whole_is_told_and_stays_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.store.connection.BUSY_TIMEOUT_S", 0.01)
    with Store(path) as store, Store(path) as other:
        other._connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            store.erase("anna")
        other._connection.execute("ROLLBACK")
        assert store.people() == ["anna", "bert"]


@pytest.mark.parametrize("answer", [None, "anna"])
def test_questions_that_name_a_person_go_with_the_person(path: Path, answer: str | None) -> None:
    """Asked of both whose a measurement was: unanswered, or answered as hers."""
    question = Notification("q", "claim-anna", "mum", "Was that anna or bert?", "70.0 kg, asked", Severity.INFO, START)
    with Store(path) as store:
        store.commit(Batch(notifications=[question]))
        store.notifications.mark_sent(["q"], START)
        if answer is not None:
            assert store.claims.settle("claim-anna", answer, START)
        store.erase("anna")
        left = {one.claim.id for one in store.claims.recent(9)}
        assert left == ({"claim-bert"} if answer else {"claim-anna", "claim-bert"})
    assert b"70.0 kg, asked" not in path.read_bytes()
