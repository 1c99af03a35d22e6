"""Episodes: said once, cleared once, never on stale data, and not forgotten by a restart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from edge.alerts.episodes import LOOK_BACK, Episodes, PersistenceRule
from edge.notices import Alert, AlertState, Severity
from edge.readings import Assessment, Explanation, Risk

RULE = PersistenceRule(
    threshold=0.5,
    clear_threshold=0.3,
    k=9,
    n=10,
    clear_k=9,
    minimum_coverage=0.8,
    minimum_span_s=150.0,
    maximum_span_s=900.0,
)
STEP = 25.0


def assessment(number: int, score: float | None, *, coverage: float = 1.0, at: float = 0.0) -> Assessment:
    end = at + number * STEP
    return Assessment(
        person="anna",
        risk=Risk.ATRIAL_FIBRILLATION,
        start=end - 2 * STEP,
        end=end,
        score=score,
        reason=None if score is not None else "strap off the body",
        model="test",
        coverage=coverage,
        explanation=Explanation("irregular") if score is not None and score >= RULE.threshold else None,
    )


def weigh(episodes: Episodes, scores: Sequence[float | None], *, first: int = 0) -> list[Alert]:
    weighed = (episodes.weigh(assessment(first + n, score)) for n, score in enumerate(scores))
    return [alert for alert in weighed if alert is not None]


def fresh() -> Episodes:
    return Episodes(RULE, Severity.WARNING)


def test_sustained_evidence_is_said_once_with_its_reason() -> None:
    (alert,) = weigh(fresh(), [0.9] * 200)
    assert alert.state is AlertState.RAISED
    assert alert.opened_at == 8 * STEP
    assert alert.since == -2 * STEP
    assert alert.explanation.sentence == "irregular"


def test_pain_18_a_short_burst_says_nothing() -> None:
    assert weigh(fresh(), [0.1] * 20 + [0.99] * 8 + [0.1] * 20) == []


def test_a_fast_heart_is_not_judged_sooner_than_the_evidence_lasts() -> None:
    episodes = fresh()
    fast = [replace(assessment(n, 0.99), start=n * 10.0 - 20.0, end=n * 10.0) for n in range(10)]
    assert [episodes.weigh(a) for a in fast] == [None] * 10
    longer = [replace(assessment(n, 0.99), start=n * 10.0 - 20.0, end=n * 10.0) for n in range(10, 20)]
    (alert,) = [alert for a in longer if (alert := episodes.weigh(a)) is not None]
    assert alert.opened_at - alert.since >= RULE.minimum_span_s


def test_many_weak_agreements_are_not_a_strong_one() -> None:
    strict = replace(RULE, minimum_mean=0.9)
    assert weigh(Episodes(strict, Severity.WARNING), [0.6, 0.95] * 40) == []
    (alert,) = weigh(Episodes(strict, Severity.WARNING), [0.6] * 40 + [0.95] * 12)
    assert alert.opened_at == 48 * STEP, "nine strong windows beside one weak one are not enough, ten are"


def test_one_doubtful_window_does_not_hide_an_episode() -> None:
    assert len(weigh(fresh(), [0.9] * 5 + [0.2] + [0.9] * 5)) == 1


def test_windows_without_data_neither_raise_nor_clear() -> None:
    assert weigh(fresh(), [0.9] * 5 + [None] * 2 + [0.9] * 3) == []
    episodes = fresh()
    assert len(weigh(episodes, [0.9] * 10)) == 1
    assert weigh(episodes, [None] * 50, first=10) == []
    assert episodes.open_alert is not None


def test_low_coverage_does_not_vote() -> None:
    episodes = fresh()
    assert all(episodes.weigh(assessment(n, 0.99, coverage=0.5)) is None for n in range(30))


def test_an_episode_is_cleared_once_and_may_come_again() -> None:
    alerts = weigh(fresh(), [0.9] * 20 + [0.1] * 20 + [0.9] * 20)
    assert [a.state for a in alerts] == [AlertState.RAISED, AlertState.CLEARED, AlertState.RAISED]
    assert alerts[0].id == alerts[1].id != alerts[2].id
    assert alerts[1].cleared_at is not None
    assert alerts[1].cleared_at > alerts[1].opened_at


def test_scores_between_the_two_thresholds_keep_an_episode_open() -> None:
    episodes = fresh()
    assert len(weigh(episodes, [0.9] * 10)) == 1
    assert weigh(episodes, [0.4] * 100, first=10) == []


def test_pain_11_no_alert_on_stale_evidence() -> None:
    episodes = fresh()
    assert weigh(episodes, [0.9] * 8) == []
    tomorrow = [episodes.weigh(assessment(n, 0.9, at=86_400.0)) for n in range(8)]
    assert tomorrow == [None] * 8


scores = st.lists(st.one_of(st.none(), st.sampled_from([0.05, 0.4, 0.6, 0.95])), max_size=120)


@given(scores=scores, restarts=st.sets(st.integers(0, 119)))
def test_pain_14_15_a_restart_changes_nothing(scores: list[float | None], restarts: set[int]) -> None:
    expected = weigh(fresh(), scores)
    episodes, said = fresh(), []
    for number, score in enumerate(scores):
        if number in restarts:
            past = [assessment(n, s) for n, s in enumerate(scores[:number])]
            episodes = Episodes(RULE, Severity.WARNING, past=past[-LOOK_BACK:], open_alert=episodes.open_alert)
        said += weigh(episodes, [score], first=number)
    assert said == expected


@given(scores=scores)
def test_raised_and_cleared_alternate(scores: list[float | None]) -> None:
    states = [alert.state for alert in weigh(fresh(), scores)]
    assert states == [AlertState.RAISED, AlertState.CLEARED] * (len(states) // 2) + [AlertState.RAISED] * (
        len(states) % 2
    )


@given(scores=scores, repeats=st.integers(1, 3))
def test_an_assessment_that_comes_twice_counts_once(scores: list[float | None], repeats: int) -> None:
    episodes, said = fresh(), []
    for number, score in enumerate(scores):
        for _ in range(repeats):
            said += weigh(episodes, [score], first=number)
    assert said == weigh(fresh(), scores)


RESTING = replace(RULE, k=1, n=2, clear_k=1, minimum_span_s=0.0, rearm_s=1000.0)


def test_an_alert_rests_after_it_was_raised_and_is_said_again_after_that() -> None:
    raised, cleared, again = weigh(Episodes(RESTING, Severity.WARNING), [0.9, *[0.1] * 9, *[0.9] * 60])
    assert cleared.state is AlertState.CLEARED
    assert cleared.cleared_at is not None
    assert cleared.cleared_at < raised.opened_at + 1000.0
    assert again.opened_at == raised.opened_at + 1000.0


def test_without_a_rest_it_is_said_at_once() -> None:
    episodes = Episodes(replace(RESTING, rearm_s=0.0), Severity.WARNING)
    assert len(weigh(episodes, [0.9, *[0.1] * 9, 0.9])) == 3


def test_a_clock_that_was_set_back_does_not_prolong_the_rest() -> None:
    episodes = Episodes(RESTING, Severity.WARNING)
    assert len(weigh(episodes, [0.9, *[0.1] * 9], first=1000)) == 2
    assert len(weigh(episodes, [0.9])) == 1


def test_pain_23_a_clock_that_is_set_back_delays_no_all_clear() -> None:
    episodes = Episodes(RESTING, Severity.WARNING)
    assert len(weigh(episodes, [0.9], first=1000)) == 1
    (cleared,) = weigh(episodes, [0.1] * 10)
    assert cleared.state is AlertState.CLEARED


# Windows of three hours that end every five minutes, as those of glucose do, cleared by half an hour without a sign.
LONG = PersistenceRule(
    threshold=0.5,
    clear_threshold=0.3,
    k=1,
    n=4,
    clear_k=3,
    minimum_coverage=0.1,
    minimum_span_s=0.0,
    maximum_span_s=6 * 3600.0,
    clear_span_s=1800.0,
    clear_gap_s=1000.0,
)
PACE_S = 300.0


def long(number: int, score: float | None) -> Assessment:
    end = number * PACE_S
    return replace(assessment(number, score), start=end - 3 * 3600.0, end=end)


def told_of_long(rule: PersistenceRule, scores: Sequence[float | None]) -> list[tuple[str, int]]:
    """What is told, and with which of the windows."""
    episodes = Episodes(rule, Severity.CRITICAL)
    alerts = [(n, episodes.weigh(long(n, score))) for n, score in enumerate(scores)]
    return [(alert.state.value, n) for n, alert in alerts if alert is not None]


def test_windows_of_hours_clear_an_episode_by_what_ended_after_it_was_raised() -> None:
    # Half an hour from the first that ended after it, and the mean of the two first is soon made up for.
    assert told_of_long(LONG, [0.9, *[0.1] * 20, 0.9]) == [("raised", 0), ("cleared", 7), ("raised", 21)]
    assert told_of_long(LONG, [0.9, 0.9, 0.8, *[0.1] * 20]) == [("raised", 0), ("cleared", 8)]
    waiting = replace(LONG, n=10, clear_span_s=0.0)
    assert told_of_long(waiting, [0.9, *[0.1] * 60])[1:] == [("cleared", 45)], "without it they must begin after it"


def test_one_window_that_does_not_deny_it_keeps_no_episode_open_but_the_newest_must() -> None:
    assert told_of_long(LONG, [0.9, *[0.1] * 5, 0.4, *[0.1] * 7]) == [("raised", 0), ("cleared", 7)]
    assert told_of_long(LONG, [0.9, *[0.1] * 6, 0.4, 0.1]) == [("raised", 0), ("cleared", 8)]
    assert told_of_long(LONG, [0.9, *[0.1, 0.4] * 3, *[0.35, 0.35] * 9]) == [("raised", 0)]
    assert told_of_long(LONG, [0.9, *[0.1, 0.49] * 30]) == [("raised", 0), ("cleared", 7)]


def test_it_takes_as_many_windows_as_the_rule_says_however_far_apart_they_are() -> None:
    rule = replace(LONG, clear_k=8)
    assert told_of_long(rule, [0.9, *[0.1] * 10]) == [("raised", 0), ("cleared", 8)]


def test_what_was_calm_before_it_was_raised_clears_nothing() -> None:
    assert told_of_long(LONG, [*[0.1] * 20, 0.9, *[0.1] * 6]) == [("raised", 20)]


def test_silence_clears_no_episode() -> None:
    # A few windows without a score stand for themselves; after more of them the time begins anew.
    assert told_of_long(LONG, [0.9, *[0.1] * 3, None, None, *[0.1] * 2]) == [("raised", 0), ("cleared", 7)]
    assert told_of_long(LONG, [0.9, *[0.1] * 3, None, None, None, *[0.1] * 7]) == [("raised", 0), ("cleared", 13)]
    episodes = Episodes(LONG, Severity.CRITICAL)
    said = [episodes.weigh(long(number, score)) for number, score in [(0, 0.9), (1, 0.1), (9, 0.1), (10, 0.1)]]
    assert [one is None for one in said] == [False, True, True, True]
    slow = replace(LONG, clear_k=4)
    assert told_of_long(slow, [0.9, 0.1, None, None, 0.1, None, None, 0.1, None, None, 0.1]) == [
        ("raised", 0),
        ("cleared", 10),
    ]


def test_another_rule_ends_an_episode_with_the_next_window_that_has_a_score() -> None:
    episodes = Episodes(replace(LONG, clear_span_s=7200.0), Severity.CRITICAL)
    assert [episodes.weigh(long(n, score)) is None for n, score in enumerate([0.9, *[0.1] * 10])] == [False] + [
        True
    ] * 10
    episodes = episodes.under(LONG, Severity.CRITICAL)
    assert episodes.weigh(long(11, None)) is None
    assert episodes.weigh(long(12, 0.1)) is not None


def test_a_clock_that_is_set_back_delays_no_all_clear_of_long_windows() -> None:
    episodes = Episodes(LONG, Severity.CRITICAL)
    assert episodes.weigh(long(1000, 0.9)) is not None
    said = [episodes.weigh(long(number, 0.1)) for number in range(7)]
    assert [one is None for one in said] == [True] * 6 + [False]


long_scores = st.lists(st.one_of(st.none(), st.sampled_from([0.1, 0.1, 0.1, 0.4, 0.9])), max_size=120)


@given(scores=long_scores, k=st.integers(1, 4))
def test_how_an_episode_ends_is_nothing_to_how_it_begins(scores: list[float | None], k: int) -> None:
    rule = replace(LONG, k=k)
    assert told_of_long(rule, scores)[:1] == told_of_long(replace(rule, clear_span_s=0.0), scores)[:1]


@given(scores=long_scores, restarts=st.sets(st.integers(0, 119)))
def test_pain_14_15_a_restart_changes_nothing_of_long_windows(scores: list[float | None], restarts: set[int]) -> None:
    expected = told_of_long(LONG, scores)
    episodes, said = Episodes(LONG, Severity.CRITICAL), []
    for number, score in enumerate(scores):
        if number in restarts:
            past = [long(n, one) for n, one in enumerate(scores[:number])]
            episodes = Episodes(LONG, Severity.CRITICAL, past=past[-LOOK_BACK:], open_alert=episodes.open_alert)
        alert = episodes.weigh(long(number, score))
        said += [] if alert is None else [(alert.state.value, number)]
    assert said == expected


@given(st.lists(st.one_of(st.none(), st.floats(0.0, 1.0)), max_size=120), st.integers(0, 119))
def test_pain_14_the_rest_outlives_a_restart(scores: list[float | None], cut: int) -> None:
    whole = weigh(Episodes(RESTING, Severity.WARNING), scores)
    past = [assessment(n, score) for n, score in enumerate(scores[:cut])]
    stopped = Episodes(RESTING, Severity.WARNING)
    before = [alert for one in past if (alert := stopped.weigh(one)) is not None]
    newest = max((alert.opened_at for alert in before), default=None)
    restarted = Episodes(
        RESTING, Severity.WARNING, past=past[-LOOK_BACK:], open_alert=stopped.open_alert, raised_at=newest
    )
    assert before + weigh(restarted, scores[cut:], first=len(past)) == whole
