"""What people have answered counts, until something is graver, over, or still so after a snooze."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from edge.alerts.attention import LONGEST_SNOOZE_S, Attention, Turn
from edge.errors import WrongUseError
from edge.notices import Alert, AlertState, FaultKind, Severity, Snooze
from edge.readings import Explanation

NOW = 1_780_000_000.0
HOUR = 3600.0


def alert(
    name: str = "one",
    severity: Severity = Severity.WARNING,
    *,
    kind: str = "spo2_low",
    person: str = "anna",
    subject: str = "",
    at: float = NOW,
) -> Alert:
    why = Explanation("Oxygen was below 92 % for 5 minutes.")
    return Alert(name, person, kind, severity, AlertState.RAISED, at - 300.0, at, None, why, subject)


def cleared(one: Alert, at: float) -> Alert:
    return replace(one, state=AlertState.CLEARED, cleared_at=at)


def fresh(_: Alert) -> bool:
    return True


def stale(_: Alert) -> bool:
    return False


def restarted(attention: Attention, turns: list[Turn], now: float) -> Attention:
    """As a new process finds it: open alerts and snoozes as the store keeps them."""
    snoozes = [
        Snooze(one.person, one.kind, one.subject, one.severity, one.snoozed_until)
        for one in (turn.alert for turn in turns)
        if one.snoozed_until is not None and one.snoozed_until > now
    ]
    return Attention(attention.open_alerts, snoozes)


def test_a_raised_alert_is_news_once() -> None:
    attention = Attention()
    turn = attention.take(alert(), NOW)
    assert (turn.name, turn.is_news, turn.alert.told_at) == ("raised", True, NOW)
    assert not attention.take(alert(), NOW + 1.0).is_news


def test_pain_16_who_has_acknowledged_is_kept_to_the_end() -> None:
    attention = Attention()
    attention.take(alert(), NOW)
    turn = attention.acknowledge("one", "mum", NOW + 60.0)
    assert (turn.alert.acknowledged_by, turn.alert.acknowledged_at) == ("mum", NOW + 60.0)
    again = attention.acknowledge("one", "dad", NOW + 90.0)
    assert (again.name, again.alert.acknowledged_by) == ("changed", "mum")
    assert attention.over(NOW + 48 * HOUR, fresh) == []
    over = attention.take(cleared(alert(), NOW + HOUR), NOW + HOUR)
    assert (over.name, over.is_news, over.alert.acknowledged_by) == ("cleared", True, "mum")


def test_pain_16_a_snoozed_alert_is_silent_until_the_snooze_ends_and_then_told_once() -> None:
    attention = Attention()
    attention.take(alert(), NOW)
    attention.snooze("one", HOUR, NOW)
    assert attention.over(NOW + HOUR - 1.0, fresh) == []
    (turn,) = attention.over(NOW + HOUR, fresh)
    assert (turn.is_news, turn.is_again, turn.alert.snoozed_until) == (True, True, None)
    assert attention.over(NOW + HOUR + 1.0, fresh) == []


def test_pain_11_what_is_still_open_after_a_snooze_is_not_told_on_stale_data() -> None:
    attention = Attention()
    attention.take(alert(), NOW)
    attention.snooze("one", HOUR, NOW)
    assert attention.over(NOW + HOUR, stale) == []
    assert attention.over(NOW + 2 * HOUR, stale) == []
    (turn,) = attention.over(NOW + 2 * HOUR + 30.0, fresh)
    assert turn.alert.told_at == NOW + 2 * HOUR + 30.0


def test_pain_11_what_is_over_when_data_come_again_is_not_told_again() -> None:
    attention = Attention()
    attention.take(alert(), NOW)
    attention.snooze("one", HOUR, NOW)
    assert attention.over(NOW + 2 * HOUR, stale) == []
    assert attention.take(cleared(alert(), NOW + 2 * HOUR), NOW + 2 * HOUR).is_news, "the all-clear is owed"
    assert attention.over(NOW + 3 * HOUR, fresh) == []


def test_pain_17_a_graver_turn_breaks_through_a_snooze_and_an_acknowledgement() -> None:
    answers: list[Callable[[Attention], Turn]] = [
        lambda attention: attention.snooze("one", HOUR, NOW),
        lambda attention: attention.acknowledge("one", "mum", NOW),
    ]
    for answer in answers:
        attention = Attention()
        attention.take(alert(), NOW)
        answer(attention)
        turn = attention.take(alert(severity=Severity.CRITICAL), NOW + 60.0)
        assert (turn.name, turn.is_news) == ("graver/critical", True)
        assert turn.alert.acknowledged_at is None
        assert turn.alert.snoozed_until is None


def test_pain_17_a_snooze_of_a_mild_alert_leaves_others_alone() -> None:
    attention = Attention()
    attention.take(alert(), NOW)
    attention.snooze("one", HOUR, NOW)
    assert attention.take(alert("graver", Severity.CRITICAL), NOW + 1.0).is_news
    assert attention.take(alert("kind", kind="pulse_high"), NOW + 1.0).is_news
    assert attention.take(alert("person", person="bert"), NOW + 1.0).is_news


def test_the_same_that_comes_back_within_a_snooze_is_silent_to_its_end() -> None:
    attention = Attention()
    attention.take(alert(), NOW)
    attention.snooze("one", HOUR, NOW)
    attention.take(cleared(alert(), NOW + 600.0), NOW + 600.0)
    turn = attention.take(alert("two", at=NOW + 900.0), NOW + 900.0)
    assert not turn.is_news
    (told,) = attention.over(NOW + HOUR, fresh)
    assert (told.name, told.is_again) == ("raised", False), "nobody was told of this one before"


def test_no_all_clear_of_what_nobody_was_told() -> None:
    attention = Attention()
    attention.take(alert(), NOW)
    attention.snooze("one", HOUR, NOW)
    assert attention.take(cleared(alert(), NOW + 60.0), NOW + 60.0).is_news
    attention.take(alert("two", at=NOW + 90.0), NOW + 90.0)
    assert not attention.take(cleared(alert("two", at=NOW + 90.0), NOW + 120.0), NOW + 120.0).is_news


def test_pain_14_15_16_a_restart_forgets_neither_answer() -> None:
    attention = Attention()
    turns = [
        attention.take(alert("one"), NOW),
        attention.take(alert("two", kind="pulse_high"), NOW),
        attention.acknowledge("one", "mum", NOW),
        attention.snooze("two", HOUR, NOW),
    ]
    attention = restarted(attention, turns, NOW + 60.0)
    assert not attention.take(alert("one"), NOW + 61.0).is_news
    assert not attention.take(alert("three", kind="pulse_high"), NOW + 61.0).is_news
    assert attention.over(NOW + 62.0, fresh) == []
    assert {turn.alert.id for turn in attention.over(NOW + HOUR, fresh)} == {"two", "three"}
    assert attention.take(cleared(alert("one"), NOW + HOUR), NOW + HOUR).alert.acknowledged_by == "mum"


def test_a_shorter_snooze_of_a_milder_episode_takes_nothing_from_one_of_a_graver() -> None:
    attention = Attention()
    attention.take(alert("grave", Severity.CRITICAL), NOW)
    attention.snooze("grave", 2 * HOUR, NOW)
    attention.take(cleared(alert("grave", Severity.CRITICAL), NOW + 1.0), NOW + 1.0)
    attention.take(alert("mild"), NOW + 2.0)
    attention.snooze("mild", 60.0, NOW + 2.0)
    (turn,) = attention.over(NOW + 300.0, fresh)
    assert (turn.is_news, turn.alert.snoozed_until) == (False, NOW + 2 * HOUR)
    assert [turn.is_news for turn in attention.over(NOW + 2 * HOUR, fresh)] == [True]


def test_a_snooze_of_one_wearables_fault_is_none_of_anothers() -> None:
    attention = Attention()
    attention.take(alert("a", kind=FaultKind.BATTERY_LOW, subject="AA"), NOW)
    attention.snooze("a", HOUR, NOW)
    assert attention.take(alert("b", kind=FaultKind.BATTERY_LOW, subject="BB"), NOW + 1.0).is_news
    assert attention.take(alert("ab", kind=FaultKind.BATTERY_LOW, subject="AA,BB"), NOW + 1.0).is_news


def test_pain_23_a_clock_that_is_set_back_makes_no_snooze_last_for_ever() -> None:
    attention = Attention()
    attention.take(alert(), NOW)
    attention.snooze("one", HOUR, NOW)
    before = NOW - 30 * 24 * HOUR
    assert attention.take(alert("two"), before).is_news
    assert [turn.alert.id for turn in attention.over(before, fresh)] == ["one"]


def test_an_id_may_be_shortened_but_must_mean_one_open_alert() -> None:
    attention = Attention()
    attention.take(alert("abc1"), NOW)
    attention.take(alert("abc2", kind="pulse_high"), NOW)
    assert attention.acknowledge("abc1", "mum", NOW).alert.id == "abc1"
    for wrong in ("abc", "x", ""):
        with pytest.raises(WrongUseError):
            attention.acknowledge(wrong, "mum", NOW)


@pytest.mark.parametrize("seconds", [0.0, -5.0, LONGEST_SNOOZE_S + 1.0, float("nan"), float("inf")])
def test_a_snooze_of_no_time_or_for_ever_is_refused(seconds: float) -> None:
    attention = Attention()
    attention.take(alert(), NOW)
    with pytest.raises(WrongUseError):
        attention.snooze("one", seconds, NOW)
    assert attention.over(NOW + 1.0, fresh) == []
