"""What the contacts are to be told survives everything, and says when it may be a repeat."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.notices import Button
from edge.store.notifications import FORGOTTEN_AFTER_S
from edge.store.store import Batch, Store
from tests.edge.store.samples import START, notification

NOW = START + 1000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hearthbeat.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path) as opened:
        opened.commit(Batch(notifications=[notification(1)]))
        yield opened


def due(store: Store, now: float = NOW) -> list[tuple[str, int, bool]]:
    return [
        (item.notification.id, item.attempts, item.perhaps_repeated)
        for item in store.notifications.due_notifications(now)
        if item.is_due
    ]


def test_what_is_new_is_due_at_once_and_whole(store: Store) -> None:
    [item] = store.notifications.due_notifications(NOW)
    assert item.notification == notification(1)
    assert (item.attempts, item.perhaps_repeated) == (0, False)
    assert store.notifications.unsent_notifications() == 1


def test_buttons_and_turn_are_kept(store: Store) -> None:
    asked = replace(notification(2), buttons=(Button.FINE, Button.HELP), turn="question")
    store.commit(Batch(notifications=[asked]))
    assert store.notifications.due_notifications(NOW)[1].notification == asked


def test_pain_14_what_was_sent_is_not_due_again_even_if_it_is_committed_again(store: Store) -> None:
    store.notifications.mark_sending(["notification-1"], NOW)
    assert due(store) == []
    store.notifications.mark_sent(["notification-1"], NOW)
    store.commit(Batch(notifications=[notification(1)]))
    assert due(store, NOW + 1e6) == []
    assert store.notifications.unsent_notifications() == 0


def test_what_failed_is_due_again_in_its_time(store: Store) -> None:
    store.notifications.mark_sending(["notification-1"], NOW)
    store.notifications.mark_failed(["notification-1"], NOW + 30.0, "connection refused")
    assert due(store, NOW + 29.0) == []
    assert due(store, NOW + 30.0) == [("notification-1", 1, False)]


@pytest.mark.parametrize("back", [3600.0, 300 * 86_400.0])
def test_pain_23_a_clock_that_is_set_back_puts_nothing_off(store: Store, back: float) -> None:
    store.notifications.mark_sending(["notification-1"], NOW)
    store.notifications.mark_failed(["notification-1"], NOW + 300.0, "connection refused")
    assert due(store, NOW - back) == [("notification-1", 1, False)]
    store.notifications.mark_sending(["notification-1"], NOW)
    assert due(store, NOW - back) == [("notification-1", 2, True)]


def test_pain_15_what_a_crash_cut_off_is_due_and_says_that_it_may_be_a_repeat(store: Store, path: Path) -> None:
    store.notifications.mark_sending(["notification-1"], NOW)
    with Store(path) as restarted:
        assert due(restarted) == [("notification-1", 1, True)]
        restarted.notifications.mark_sending(["notification-1"], NOW + 1.0)
        restarted.notifications.mark_failed(["notification-1"], NOW + 5.0, "connection refused")
        assert due(restarted, NOW + 5.0) == [("notification-1", 2, True)]


def test_what_its_courier_forgot_is_due_again(store: Store) -> None:
    store.notifications.mark_sending(["notification-1"], NOW)
    assert due(store, NOW + FORGOTTEN_AFTER_S - 1.0) == []
    assert due(store, NOW + FORGOTTEN_AFTER_S) == [("notification-1", 1, True)]


def test_what_was_sent_long_ago_is_forgotten_and_what_waits_is_not(store: Store) -> None:
    store.commit(Batch(notifications=[notification(2)]))
    store.notifications.mark_sending(["notification-1"], NOW)
    store.notifications.mark_sent(["notification-1"], NOW)
    store.forget_before(NOW + 1.0)
    store.commit(Batch(notifications=[notification(1), notification(2)]))
    assert [identifier for identifier, _, _ in due(store)] == ["notification-1", "notification-2"]
