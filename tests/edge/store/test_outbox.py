"""The outbox keeps what must leave, in the right order, within its budget."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.notices import OutboxMessage, Priority
from edge.store.outbox import Loss
from edge.store.store import Batch, Store
from tests.edge.store.samples import START, message


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "hearthbeat.db") as opened:
        yield opened


def waiting(store: Store) -> list[str]:
    return [item.id for item in store.outbox.next_messages(1000)]


def test_alerts_leave_first_then_the_oldest(store: Store) -> None:
    order = [(4, Priority.SUMMARY), (3, Priority.SUMMARY), (2, Priority.ALERT), (1, Priority.FAULT)]
    store.commit(Batch(messages=[message(number, priority) for number, priority in order]))
    assert waiting(store) == ["message-2", "message-1", "message-3", "message-4"]


def test_messages_come_back_whole(store: Store) -> None:
    sent = OutboxMessage("m", "a/topic", b"\x00\xff{}", Priority.FAULT, START)
    store.commit(Batch(messages=[sent]))
    assert store.outbox.next_messages(5) == [sent]


def test_those_in_flight_are_left_out(store: Store) -> None:
    store.commit(Batch(messages=[message(number) for number in range(5)]))
    chosen = store.outbox.next_messages(2, {"message-0", "message-2"})
    assert [item.id for item in chosen] == ["message-1", "message-3"]


def test_the_same_message_is_kept_once(store: Store) -> None:
    store.commit(Batch(messages=[message(1), message(1)]))
    store.commit(Batch(messages=[message(1)]))
    assert store.outbox.outbox_depth() == 1


def test_a_refused_message_is_set_aside_with_its_reason(store: Store) -> None:
    store.commit(Batch(messages=[message(1), message(2)]))
    store.outbox.park_message("message-1", "Not authorized (0x87)")
    assert waiting(store) == ["message-2"]
    assert store.outbox.outbox_depth() == 1
    [parked] = store.outbox.parked()
    assert (parked.message, parked.reason) == (message(1), "Not authorized (0x87)")


def test_pain_22_beyond_the_budget_the_oldest_least_urgent_go_and_are_counted(tmp_path: Path) -> None:
    with Store(tmp_path / "hearthbeat.db", outbox_budget=10_000) as store:
        store.commit(Batch(messages=[message(number, Priority.ALERT, size=800) for number in range(4)]))
        store.commit(Batch(messages=[message(number, Priority.SUMMARY, size=800) for number in range(10, 30)]))
        left = waiting(store)
        [loss] = store.outbox.losses()
    assert left[:4] == [f"message-{number}" for number in range(4)]
    kept = len(left) - 4
    assert 4 <= kept <= 7
    assert left[4:] == [f"message-{number}" for number in range(30 - kept, 30)]
    assert loss == Loss(Priority.SUMMARY, "disk budget", 20 - kept, START + 10.0, START + 29.0 - kept)


def test_refused_messages_go_before_those_that_can_be_sent(tmp_path: Path) -> None:
    with Store(tmp_path / "hearthbeat.db", outbox_budget=2_500) as store:
        store.commit(Batch(messages=[message(1, Priority.ALERT, size=800), message(2, Priority.SUMMARY, size=800)]))
        store.outbox.park_message("message-1", "Not authorized (0x87)")
        store.commit(Batch(messages=[message(3, Priority.SUMMARY, size=800)]))
        assert store.outbox.parked() == []
        assert waiting(store) == ["message-2", "message-3"]
        [loss] = store.outbox.losses()
    assert (loss.priority, loss.reason, loss.messages) == (Priority.ALERT, "refused by the broker", 1)


def test_pain_22_what_there_was_of_a_day_can_be_compared_with_what_arrived(store: Store) -> None:
    day = int(START // 86_400)
    store.commit(Batch(messages=[message(number, Priority.SUMMARY) for number in range(5)]))
    store.commit(Batch(messages=[message(number, Priority.SUMMARY) for number in range(3, 7)]))
    store.commit(Batch(messages=[message(number, Priority.ALERT) for number in (5, 8)]))
    store.outbox.delete_messages(["message-0", "message-8"])
    assert store.outbox.made(day) == {Priority.SUMMARY: 7, Priority.ALERT: 1}
    assert store.outbox.made(day + 1) == {}


def test_what_was_set_aside_comes_back_by_its_topic_and_reason_or_by_name(store: Store) -> None:
    store.commit(Batch(messages=[message(number) for number in range(5)]))
    for number in range(4):
        store.outbox.park_message(f"message-{number}", "large" if number == 3 else "closed")
    topic = message(0).topic
    assert store.outbox.parked_topics("closed") == {topic}
    figures = store.outbox.figures()
    assert (figures.waiting, figures.parked, figures.last_refusal, figures.over_budget) == (1, 4, "large", 0)
    store.outbox.release("another/topic", "closed")
    store.outbox.release(topic, "no such reason")
    assert waiting(store) == ["message-4"]
    store.outbox.release(topic, "closed", 1)
    assert waiting(store) == ["message-0", "message-4"]
    store.outbox.release(topic, "closed")
    assert waiting(store) == ["message-0", "message-1", "message-2", "message-4"]
    assert store.outbox.parked_topics("closed") == set()
    store.outbox.send_again(["message-3", "message-4", "nothing"])
    assert store.outbox.figures().parked == 0


class OutboxMachine(RuleBasedStateMachine):
    """The outbox against a plain list."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.store = Store(Path(self.folder.name) / "hearthbeat.db")
        self.model: dict[str, OutboxMessage] = {}
        self.parked: list[str] = []

    @rule(numbers=st.lists(st.integers(0, 30), max_size=5), priority=st.sampled_from(Priority))
    def put(self, numbers: list[int], priority: Priority) -> None:
        self.store.commit(Batch(messages=[message(number, priority) for number in numbers]))
        for number in numbers:
            if f"message-{number}" not in self.parked:
                self.model.setdefault(f"message-{number}", message(number, priority))

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        gone = data.draw(st.sets(st.sampled_from(sorted(self.model)))) if self.model else set()
        self.store.outbox.delete_messages(gone)
        for identifier in gone:
            del self.model[identifier]

    @rule(data=st.data())
    def park(self, data: st.DataObject) -> None:
        if self.model:
            identifier = data.draw(st.sampled_from(sorted(self.model)))
            self.store.outbox.park_message(identifier, "refused")
            del self.model[identifier]
            self.parked.append(identifier)

    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        if self.parked:
            identifier = data.draw(st.sampled_from(sorted(self.parked)))
            (kept,) = [item.message for item in self.store.outbox.parked() if item.message.id == identifier]
            self.store.outbox.send_again([identifier])
            self.parked.remove(identifier)
            self.model[identifier] = kept

    @invariant()
    def holds_what_was_put(self) -> None:
        ranks = list(Priority)
        order = sorted(self.model.values(), key=lambda item: (ranks.index(item.priority), item.created))
        assert self.store.outbox.next_messages(100) == order
        assert self.store.outbox.outbox_depth() == len(order)
        assert {item.message.id for item in self.store.outbox.parked()} == set(self.parked)

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(deadline=None, max_examples=30, stateful_step_count=20)
