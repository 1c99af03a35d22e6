"""What goes now and what waits: nothing is lost, nothing told twice, the order kept, whatever comes when."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, time

from hypothesis import given
from hypothesis import strategies as st

from edge.notices import DueNotification, Notification, Severity
from edge.notify.bundles import HOUR_S, Bundle, Story, bundles, stories_of
from edge.notify.digest import composed
from edge.notify.phone import Contact
from edge.notify.quiet import QuietHours
from edge.notify.texts import LATE_AFTER_S

# 2026-11-25T00:00:00Z
MIDNIGHT = 1_795_564_800.0
NOON = MIDNIGHT + 12 * 3600.0
MUM = Contact("mum", ())
SLEEPER = Contact("mum", (), quiet_hours=QuietHours(time(22), time(7)), most_per_hour=3)


def due(
    number: int,
    turn: str = "raised",
    alert: str | None = None,
    *,
    created: float = NOON,
    severity: Severity = Severity.WARNING,
    is_due: bool = True,
) -> DueNotification:
    name = alert or f"a{number}"
    told = Notification(f"n{number}", name, "mum", f"T{number}", f"B{number}", severity, created, turn=turn)
    return DueNotification(told, attempts=0, perhaps_repeated=False, is_due=is_due)


def ids(made: list[Bundle]) -> list[list[str]]:
    return [[part.notification.id for part in bundle.parts] for bundle in made]


def told(waiting: list[DueNotification], contact: Contact = MUM, now: float = NOON) -> list[tuple[str, str]]:
    made = bundles(waiting, contact, [], now, UTC)
    return [(message.title, message.body) for message in (composed(one, contact, now, UTC) for one in made)]


def test_what_is_fresh_goes_as_it_is_written() -> None:
    assert told([due(1), due(2)]) == [("T1", "B1"), ("T2", "B2")]


def test_pain_15_what_is_over_before_it_was_told_is_said_as_over_and_once() -> None:
    began, over, late = NOON, NOON + 1800.0, NOON + 7200.0
    waiting = [due(1, "raised", "a", created=began), due(2, "graver", "a", created=began + 60.0)]
    waiting += [due(3, "cleared", "a", created=over)]
    assert told(waiting, now=late) == [("Over: T2", "It began at 12:00 and was over at 12:30; it reaches you late. B3")]
    (bundle,) = bundles(waiting, MUM, [], late, UTC)
    assert composed(bundle, MUM, late, UTC).severity is Severity.INFO


def test_an_all_clear_of_what_was_told_before_is_told_as_it_is() -> None:
    assert told([due(3, "cleared", "a")]) == [("T3", "B3")]


def test_of_several_turns_the_newest_is_told_and_an_answer_with_what_it_answers() -> None:
    assert told([due(1, "raised", "a"), due(2, "graver", "a")]) == [("T2", "B2")]
    assert told([due(1, "raised", "a"), due(2, "answered", "a")]) == [("T2", "B2\nB1")]
    assert told([due(1, "", "a"), due(2, "", "a")]) == [("T1", "B1"), ("T2", "B2")], "of another edition"


def test_pain_20_in_quiet_hours_only_what_is_critical_passes_and_the_rest_is_one_digest_in_the_morning() -> None:
    night, morning = MIDNIGHT + 1 * HOUR_S, MIDNIGHT + 7 * HOUR_S
    waiting = [due(1, created=night), due(2, created=night + 60.0), due(3, created=night, severity=Severity.CRITICAL)]
    assert ids(bundles(waiting, SLEEPER, [], night + 120.0, UTC)) == [["n3"]]
    rest = [waiting[0], waiting[1], due(4, "cleared", "a1", created=night + 3600.0)]
    assert bundles(rest, SLEEPER, [], morning - 1.0, UTC) == []
    assert told(rest, SLEEPER, morning) == [("2 messages that waited", "01:00  Over: T1\nB4\n\n01:01  T2\nB2")]
    assert told([waiting[0]], SLEEPER, morning) == [("T1", "This happened at 01:00, in your quiet hours. B1")]


def test_what_is_critical_and_late_at_night_is_late_and_was_not_held() -> None:
    night = MIDNIGHT + HOUR_S
    fall = due(1, created=night, severity=Severity.CRITICAL)
    assert told([fall], SLEEPER, night + 1800.0) == [("T1", "This happened at 01:00; it reaches you late. B1")]


def test_what_is_critical_and_over_wakes_nobody_and_an_all_clear_reaches_who_is_up() -> None:
    night = MIDNIGHT + HOUR_S
    begun = due(1, "raised", "a", created=night, severity=Severity.CRITICAL)
    over = due(2, "cleared", "a", created=night + 60.0, severity=Severity.CRITICAL)
    assert bundles([begun, over], SLEEPER, [], night + 120.0, UTC) == []
    assert ids(bundles([over], SLEEPER, [], night + 120.0, UTC)) == [["n2"]]


def test_a_flood_is_a_digest_and_what_is_critical_is_always_told() -> None:
    lately = [NOON - 60.0, NOON - 120.0]
    three = [due(1), due(2), due(3)]
    assert ids(bundles(three, SLEEPER, lately, NOON, UTC)) == [["n1", "n2", "n3"]]
    assert bundles(three, SLEEPER, [*lately, NOON - 1.0], NOON, UTC) == []
    critical = due(4, severity=Severity.CRITICAL)
    assert ids(bundles([*three, critical], SLEEPER, [*lately, NOON - 1.0], NOON, UTC)) == [["n4"]]
    assert ids(bundles(three, SLEEPER, [NOON - HOUR_S, *lately], NOON, UTC)) == [["n1", "n2", "n3"]], "an hour ago"
    assert ids(bundles(three, SLEEPER, [NOON + 60.0] * 3, NOON, UTC)) == [["n1"], ["n2"], ["n3"]], "a clock set back"


def test_what_waits_for_its_retry_goes_along_with_what_is_due() -> None:
    put_off = due(1, created=NOON - 600.0, is_due=False)
    assert bundles([put_off], MUM, [], NOON, UTC) == []
    assert ids(bundles([put_off, due(2)], MUM, [], NOON, UTC)) == [["n2"]]
    assert ids(bundles([put_off, due(2, "cleared", "a1")], MUM, [], NOON, UTC)) == [["n1", "n2"]]


def test_a_digest_too_long_for_a_phone_counts_what_it_leaves_out() -> None:
    waiting = [due(number, created=NOON - 3600.0 + number) for number in range(100, 400)]
    (title, body), *others = told(waiting)
    assert not others
    assert title == "300 messages that waited"
    first, *titles = body.splitlines()
    assert first == "288 earlier ones, and:"
    assert [line.split()[-1] for line in titles] == [f"T{number}" for number in range(388, 400)]


@given(late_by=st.floats(-1e6, 1e6), repeated=st.booleans())
def test_pain_21_what_is_late_or_perhaps_repeated_says_so_first(late_by: float, repeated: bool) -> None:
    one = replace(due(1), perhaps_repeated=repeated)
    message = composed(Bundle((Story((one,)),)), MUM, NOON + late_by, UTC)
    assert message.title == ("Perhaps a repeat: T1" if repeated else "T1")
    assert message.body.endswith("B1")
    really_late = NOON + late_by - NOON > LATE_AFTER_S
    assert message.body.startswith("This happened at 12:00") == really_late
    assert ("it reaches you late" in message.body) == really_late


ARRIVALS = st.lists(
    st.tuples(
        st.integers(0, 5),  # of which alert
        st.sampled_from(["raised", "graver", "again", "answered", "cleared", ""]),
        st.sampled_from(list(Severity)),
        st.floats(0.0, 3 * 86_400.0),
    ),
    max_size=40,
)


@given(arrivals=ARRIVALS, most=st.integers(1, 4), quiet=st.booleans(), fails=st.lists(st.booleans(), max_size=40))
def test_whatever_comes_when_all_of_it_is_told_once_and_in_order_within_its_limits(
    arrivals: list[tuple[int, str, Severity, float]], most: int, quiet: bool, fails: list[bool]
) -> None:
    """A courier in little: a look every ten minutes for five days, and a channel that sometimes refuses."""
    hours = QuietHours(time(22), time(7)) if quiet else None
    contact = Contact("mum", (), quiet_hours=hours, most_per_hour=most)
    coming = sorted(
        (
            due(n, turn, f"a{alert}", created=MIDNIGHT + at, severity=severity)
            for n, (alert, turn, severity, at) in enumerate(arrivals)
        ),
        key=lambda one: one.notification.created,
    )
    refusals = iter(fails)
    waiting: list[DueNotification] = []
    times: list[float] = []
    seen: list[str] = []
    now = MIDNIGHT
    while coming or waiting:
        now += 600.0
        assert now < MIDNIGHT + 6 * 86_400.0, "something waits for ever"
        while coming and coming[0].notification.created <= now:
            waiting.append(coming.pop(0))
        made = bundles(waiting, contact, times, now, UTC)
        urgent = [(story,) for story in stories_of(waiting) if story.is_urgent]
        assert [bundle.stories for bundle in made[: len(urgent)]] == urgent
        for bundle in made:
            calm = sum(0.0 <= now - moment < HOUR_S for moment in times)
            assert bundle.is_urgent or calm < most
            assert bundle.is_urgent or hours is None or hours.until(now, UTC) is None
            began = [story.began for story in bundle.stories]
            assert began == sorted(began)
            assert composed(bundle, contact, now, UTC).body
            if next(refusals, False):
                continue
            times.append(now)
            seen += [part.notification.id for part in bundle.parts]
            waiting = [one for one in waiting if one not in bundle.parts]
    assert Counter(seen) == Counter(f"n{n}" for n in range(len(arrivals)))
