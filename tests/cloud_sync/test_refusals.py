"""Which rows are to blame when a broker does not take them, and when nobody is."""

from __future__ import annotations

from cloud_sync.refusals import (
    FIRST_HOLD_S,
    KNOCK_S,
    LONGEST_HOLD_S,
    MOST_OF_A_TOPIC,
    MOST_STRIKES,
    PATIENCE,
    QUOTA_EXCEEDED,
    Doubts,
    Verdict,
)


def test_no_row_is_given_up_for_a_link_that_keeps_breaking() -> None:
    doubts = Doubts()
    verdicts = {doubts.lost_with("alert", 1000.0 * n) for n in range(200)}
    assert verdicts == {Verdict.AGAIN, Verdict.LATER}
    assert doubts.next_end(199_000.0) - 199_000.0 <= FIRST_HOLD_S, "it is tried again soon"


def test_a_row_that_ends_every_connection_while_others_pass_is_given_up() -> None:
    doubts, now, verdict, losses = Doubts(), 0.0, Verdict.AGAIN, 0
    while verdict is not Verdict.NEVER:
        now = max(now, min(doubts.next_end(now), now + LONGEST_HOLD_S))
        assert "poison" not in doubts.held(now)
        verdict = doubts.lost_with("poison", now)
        doubts.took(f"other-{losses}", "t")
        losses += 1
    # The last loss of the first few is a first proof: others were taken meanwhile.
    assert losses == PATIENCE - 1 + MOST_STRIKES


def test_a_quota_of_everybodys_is_no_rows_fault_but_one_of_its_own_is() -> None:
    doubts = Doubts()
    assert {doubts.refused("row", QUOTA_EXCEEDED, 1000.0 * n) for n in range(50)} == {Verdict.LATER}
    verdicts = []
    for n in range(MOST_STRIKES):
        doubts.took("other", "t")
        verdicts.append(doubts.refused("row", QUOTA_EXCEEDED, 1e6 + 1000.0 * n))
    assert verdicts == [Verdict.LATER] * (MOST_STRIKES - 1) + [Verdict.NEVER]


def test_what_may_be_another_time_is_tried_less_and_less_often_and_then_no_more() -> None:
    doubts, now, waits = Doubts(), 0.0, []
    while doubts.refused("row", 0x83, now) is Verdict.LATER:
        assert doubts.held(now) == {"row"}
        waits.append(doubts.next_end(now) - now)
        now = doubts.next_end(now)
        assert doubts.held(now) == set()
        assert doubts.is_doubtful("row")
    assert waits == [30.0, 60.0, 120.0, 240.0]
    assert not doubts.is_doubtful("row")


def test_a_closed_topic_is_knocked_at_once_an_hour() -> None:
    doubts, now = Doubts(), 1000.0
    assert doubts.may_knock("left from before", now)
    assert not doubts.may_knock("left from before", now + 1.0)
    for n in range(MOST_OF_A_TOPIC):
        assert not doubts.is_shut("t", now)
        doubts.shut("t", now + n)
    now += MOST_OF_A_TOPIC
    assert doubts.is_shut("t", now)
    assert not doubts.may_knock("t", now)
    now += KNOCK_S
    assert doubts.may_knock("t", now)
    assert not doubts.is_shut("t", now), "the one that knocks gets through"
    doubts.shut("t", now)
    assert doubts.is_shut("t", now)
    doubts.took("row", "t")
    assert not doubts.is_shut("t", now)
