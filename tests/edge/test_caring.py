"""Wearer and carers: who is asked, who is told next while nobody answers, who may silence what."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.alerts.faults import Transition
from edge.errors import WrongUseError
from edge.notices import Alert, AlertState, Button, FaultKind, Severity
from edge.readings import Explanation, Risk
from tests.fakes.alert_house import FAMILY, HOUR, AlertHouse, house_in

EVERYBODY = ("anna", "bert", "carla", "dora")
MINUTE = 60.0


@pytest.fixture
def house(tmp_path: Path) -> AlertHouse:
    return house_in(tmp_path, FAMILY)


def fall(house: AlertHouse) -> Alert:
    return house.alert("ffff", Severity.CRITICAL, Risk.FALL)


def fault(house: AlertHouse, severity: Severity) -> Transition:
    now, why = house.clock.wall(), Explanation("Nothing comes.")
    kind, raised = FaultKind.NO_DATA, AlertState.RAISED
    return Transition(Alert("dddd", "anna", kind, severity, raised, now, now, None, why, "AA"), is_news=True)


def cleared(alert: Alert, at: float) -> Alert:
    return replace(alert, state=AlertState.CLEARED, cleared_at=at)


def of_turn(house: AlertHouse, turn: str) -> list[str]:
    return sorted(contact for contact, told in house.turns() if told == turn)


# Falls ask the wearer first.


async def test_who_may_have_fallen_is_asked_before_anyone_else_is_told(house: AlertHouse) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], fall(house))
        (question,) = house.notifications()
        assert (question.contact, question.turn, question.severity) == ("anna", "question", Severity.CRITICAL)
        assert question.title == "Are you all right?"
        assert question.buttons == (Button.FINE, Button.HELP)
        assert "60 seconds" in question.body
        assert "Dad, carla and dora" in question.body
        assert "112" in question.body, "whom to call: Hearthbeat calls nobody"
        assert "`hearthbeat alerts fine ffff`" in question.body, "without [web] a phone has no buttons"
        await house.clock.advance(59.0)
        await attending.answer({"do": "fine", "alert": "ffff", "by": "anna"})
        await house.clock.advance(2 * HOUR)
        await attending.remind()
    assert house.turns() == [("anna", "question")], "a fall that was none disturbs nobody"
    assert (house.stored().acknowledged_by, house.stored().asked_until) == ("anna", None)


async def test_without_an_answer_everybody_is_told_at_once_on_the_second(house: AlertHouse) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], fall(house))
        await house.clock.advance(59.9)
        assert len(house.turns()) == 1
        await house.clock.advance(0.2)
        assert of_turn(house, "unanswered") == list(EVERYBODY)
        told = {one.contact: one for one in house.notifications() if one.turn == "unanswered"}
        assert {one.severity for one in told.values()} == {Severity.CRITICAL}
        assert told["dora"].title == "Anna may have fallen, and does not answer"
        assert "has not answered" in told["dora"].body
        assert "112" in told["dora"].body
        assert told["dora"].buttons == (Button.ACKNOWLEDGE,)
        assert told["anna"].buttons == (Button.FINE, Button.HELP)
        await attending.answer({"do": "fine", "alert": "ffff", "by": "anna"})
        assert of_turn(house, "answered") == ["bert", "carla", "dora"], "they are on their way"
        assert ("bert", "Anna has answered: all is well") in house.told()


async def test_help_is_told_to_everybody_at_once_and_once(house: AlertHouse) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], fall(house))
        await house.clock.advance(5.0)
        assert not (await attending.answer({"do": "help", "alert": "ffff", "by": "anna"}))["already"]
        assert of_turn(house, "help") == list(EVERYBODY)
        assert ("carla", "Anna asks for help") in house.told()
        await house.clock.advance(3.0)
        assert (await attending.answer({"do": "help", "alert": "ffff", "by": "anna"}))["already"]
        await attending.answer({"do": "acknowledge", "alert": "ffff", "by": "bert"})
        assert (await attending.answer({"do": "help", "alert": "ffff", "by": "anna"}))["already"], "bert goes already"
        await house.clock.advance(120.0)
        assert of_turn(house, "unanswered") == []
        await attending.answer({"do": "fine", "alert": "ffff", "by": "anna"})
        await attending.answer({"do": "help", "alert": "ffff", "by": "anna"})
        assert len(of_turn(house, "help")) == 2 * len(EVERYBODY), "not so fine after all"


@pytest.mark.parametrize("passes_s", [1.0, 59.0, 61.0, 5 * HOUR])
async def test_pain_15_a_restart_in_the_countdown_swallows_nothing(house: AlertHouse, passes_s: float) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], fall(house))
    house.fresh = False
    await house.clock.advance(passes_s)
    for _ in range(3):
        async with house.running():
            await house.clock.advance(0.0)
    async with house.running():
        await house.clock.advance(max(0.0, 60.0 - passes_s))
    assert of_turn(house, "unanswered") == list(EVERYBODY)
    assert of_turn(house, "question") == ["anna"]


async def test_to_move_again_is_no_answer(house: AlertHouse) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], fall(house))
        await house.clock.advance(20.0)
        await attending.say(house.settings.people[0], cleared(fall(house), house.clock.wall()))
        await house.clock.advance(HOUR)
    assert of_turn(house, "cleared") == list(EVERYBODY)
    told = {one.contact: one for one in house.notifications() if one.turn == "cleared"}
    assert told["anna"].title == "Anna: moving again"
    assert told["bert"].title == "Anna may have fallen, and is moving again"
    assert told["bert"].severity is Severity.WARNING


async def test_who_falls_again_after_all_was_well_is_asked_again(house: AlertHouse) -> None:
    async with house.running() as attending:
        person, first = house.settings.people[0], fall(house)
        await attending.say(person, first)
        await house.clock.advance(5.0)
        await attending.say(person, replace(first, since=house.clock.wall()))
        assert len(house.turns()) == 1, "the same fall, while she is asked"
        await attending.answer({"do": "fine", "alert": "ffff", "by": "anna"})
        await attending.say(person, replace(first, since=house.clock.wall() - 1.0))
        assert len(house.turns()) == 1, "a blow from before her answer"
        await house.clock.advance(40.0)
        again = replace(first, since=house.clock.wall())
        await attending.say(person, again)
        assert house.turns() == [("anna", "question")] * 2
        await house.clock.advance(59.0)
        assert len(house.turns()) == 2
        await house.clock.advance(2.0)
        assert of_turn(house, "unanswered") == list(EVERYBODY)
        await attending.answer({"do": "acknowledge", "alert": "ffff", "by": "bert"})
        told = len(house.turns())
        await house.clock.advance(40.0)
        await attending.say(person, replace(first, since=house.clock.wall()))
        assert len(house.turns()) == told, "bert sees to it"


async def test_after_an_answer_the_end_is_told_to_those_who_were_told(house: AlertHouse) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], fall(house))
        await attending.answer({"do": "fine", "alert": "ffff", "by": "anna"})
        await attending.say(house.settings.people[0], cleared(fall(house), house.clock.wall()))
    assert sorted(house.turns()) == [("anna", "cleared"), ("anna", "question")]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (FAMILY.replace('carers = ["carla", "dora"]', "own = []"), ["anna", "bert"]),
        (FAMILY.replace('carers = ["carla", "dora"]', "fall_countdown_s = 0"), ["anna", "bert"]),
        (FAMILY.replace('"anna", "bert"]', '"anna"]').replace('carers = ["carla", "dora"]', ""), ["anna"]),
    ],
)
async def test_where_nobody_can_be_asked_all_are_told_at_once(tmp_path: Path, settings: str, told: list[str]) -> None:
    house = house_in(tmp_path, settings)
    async with house.running() as attending:
        await attending.say(house.settings.people[0], fall(house))
        for do in ("fine", "help"):
            if "fall_countdown_s" not in settings:  # who is not asked can answer all the same where others are there
                with pytest.raises(WrongUseError, match="nobody was asked"):
                    await attending.answer({"do": do, "alert": "ffff", "by": "person"})
    assert of_turn(house, "raised") == told
    assert len(house.turns()) == len(told)
    assert all(
        (one.buttons == (Button.FINE, Button.HELP)) == ("fall_countdown_s" in settings and one.contact == "anna")
        for one in house.notifications()
    )


async def test_a_question_goes_with_today_s_settings_too(tmp_path: Path) -> None:
    house = house_in(tmp_path)
    async with house.running() as attending:
        await attending.say(house.settings.people[0], fall(house))
        assert house.turns() == [("anna", "question")]
        await house.clock.advance(61.0)
        assert of_turn(house, "unanswered") == ["anna", "bert"]
        await house.clock.advance(3 * HOUR)
        assert len(house.turns()) == 3, "nobody else cares"


async def test_a_question_is_not_put_off_or_taken_up_but_answered(house: AlertHouse) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], fall(house))
        with pytest.raises(WrongUseError, match="how you are"):
            await attending.answer({"do": "acknowledge", "alert": "ffff", "by": "anna"})
        for by in ("anna", "bert", "person"):
            with pytest.raises(WrongUseError, match="cannot be put off"):
                await attending.answer({"do": "snooze", "seconds": HOUR, "alert": "ffff", "by": by})
        with pytest.raises(WrongUseError, match="only the person"):
            await attending.answer({"do": "fine", "alert": "ffff", "by": "bert"})
        await attending.say(house.settings.people[0], house.alert("aaaa"))
        with pytest.raises(WrongUseError, match="nobody was asked"):
            await attending.answer({"do": "help", "alert": "aaaa", "by": "anna"})
        with pytest.raises(WrongUseError, match="nobody can answer"):
            await attending.answer({"do": "shout", "alert": "aaaa", "by": "anna"})
        await attending.answer({"do": "acknowledge", "alert": "ffff", "by": "bert"})
        await house.clock.advance(61.0)
    assert of_turn(house, "unanswered") == [], "somebody who was not told has seen to it"


# While nobody answers.


async def test_the_broker_knows_too_that_nobody_has_answered(house: AlertHouse) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], house.alert(severity=Severity.CRITICAL))
        await house.clock.advance(16 * MINUTE)
    told = house.messages()
    assert [message.get("turn") for message in told] == [None, "escalated", "escalated", "escalated"]
    assert len({message["id"] for message in told}) == 4


async def test_pain_20_the_next_carer_is_told_while_nobody_answers(house: AlertHouse) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], house.alert(severity=Severity.CRITICAL))
        assert of_turn(house, "raised") == ["anna", "bert"]
        for minute, turn, told in (
            (5, "escalated-1", ["anna", "bert"]),
            (10, "escalated-2", ["carla"]),
            (15, "escalated-3", ["dora"]),
            (20, "escalated-4", list(EVERYBODY)),
            (25, "escalated-5", list(EVERYBODY)),
            (30, "escalated-6", list(EVERYBODY)),
        ):
            await house.clock.advance(5 * MINUTE - 1.0)
            assert of_turn(house, turn) == [], f"not before {minute} minutes"
            await house.clock.advance(1.0)
            assert of_turn(house, turn) == told
        await house.clock.advance(3 * HOUR)
    assert len(house.turns()) == 2 + 2 + 1 + 1 + 3 * 4, "at most so often"
    assert ("carla", "Nobody has answered: Anna: irregular heartbeat") in house.told()


async def test_a_warning_has_time_and_is_not_told_again_and_again(house: AlertHouse) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], house.alert())
        await house.clock.advance(29 * MINUTE)
        assert len(house.turns()) == 2
        await house.clock.advance(3 * HOUR)
        assert len(house.turns()) == 2 + 2 + 1 + 1
        await attending.say(house.settings.people[0], house.alert("iiii", Severity.INFO, "resting_heart_rate"))
        await house.clock.advance(3 * HOUR)
        assert len(house.turns()) == 6 + 2, "what is only to be known needs no answer"
        await attending.answer({"do": "acknowledge", "alert": "iiii", "by": "bert"})
        assert len(house.turns()) == 6 + 2, "and that somebody has read it is no news"


async def test_pain_20_at_night_nobody_is_passed_over_for_being_asleep(house: AlertHouse) -> None:
    now = house.clock.wall()
    begin, end = (f"{datetime.fromtimestamp(now, UTC).astimezone() + timedelta(hours=h):%H:%M}" for h in (-1, 2))
    toml = house.folder / "hearthbeat.toml"
    for contact in ("anna", "bert"):
        quiet = f'id = "{contact}"\nquiet_hours = {{ from = "{begin}", to = "{end}" }}\nurl ='
        text = toml.read_text(encoding="utf-8").replace('name = "Dad"\n', "")
        toml.write_text(text.replace(f'id = "{contact}"\nurl =', quiet), encoding="utf-8")
    async with house.running() as attending:
        await attending.say(house.settings.people[0], house.alert())
        await attending.say(house.settings.people[0], house.alert("cccc", Severity.CRITICAL, "spo2_very_low"))
        await house.clock.advance(90 * MINUTE)
        told = {one.alert_id for one in house.notifications() if one.turn == "escalated-2"}
        assert told == {"cccc"}, "a warning waits for the morning, what is critical does not"
        await house.clock.advance(89 * MINUTE)
        assert {one.alert_id for one in house.notifications() if one.turn == "escalated-2"} == {"cccc"}
        await house.clock.advance(2 * MINUTE)
        assert {one.alert_id for one in house.notifications() if one.turn == "escalated-2"} == {"aaaa", "cccc"}


async def test_pain_16_nobody_else_is_told_once_somebody_has_taken_it_up(house: AlertHouse) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], house.alert(severity=Severity.CRITICAL))
        await house.clock.advance(11 * MINUTE)
        await attending.answer({"do": "acknowledge", "alert": "aaaa", "by": "bert"})
        assert of_turn(house, "answered") == ["anna", "carla"], "who was told, and nobody else"
        assert ("carla", "Dad has taken it up: Anna: irregular heartbeat") in house.told()
        assert (await attending.answer({"do": "acknowledge", "alert": "aaaa", "by": "carla"}))["already"]
        await house.clock.advance(HOUR)
    async with house.running() as attending:
        await house.clock.advance(HOUR)
        assert of_turn(house, "escalated-3") == []
        assert len(of_turn(house, "answered")) == 2, "once"
        await attending.say(house.settings.people[0], cleared(house.alert(), house.clock.wall()))
    assert of_turn(house, "cleared") == ["anna", "bert", "carla"], "dora never heard of it"


async def test_pain_17_what_becomes_graver_begins_anew_and_reaches_all_who_know(house: AlertHouse) -> None:
    async with house.running() as attending:
        person, began = house.settings.people[0], house.alert()
        await attending.say(person, began)
        await house.clock.advance(61 * MINUTE)
        assert of_turn(house, "escalated-2") == ["carla"]
        await attending.answer({"do": "snooze", "alert": "aaaa", "by": "carla", "seconds": 2 * HOUR})
        await house.clock.advance(HOUR)
        assert of_turn(house, "escalated-3") == [], "nobody in a snooze"
        await attending.say(person, replace(began, severity=Severity.CRITICAL))
        assert of_turn(house, "graver") == ["anna", "bert", "carla"]
        await house.clock.advance(15 * MINUTE)
        assert of_turn(house, "escalated-3") == ["dora"]


async def test_pain_11_a_warning_goes_no_further_on_stale_data_and_a_critical_says_so(house: AlertHouse) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], house.alert())
        await attending.say(house.settings.people[0], house.alert("cccc", Severity.CRITICAL, "spo2_very_low"))
        house.fresh = False
        await house.clock.advance(HOUR)
        steps = [one for one in house.notifications() if one.turn.startswith("escalated")]
        assert {one.alert_id for one in steps} == {"cccc"}
        assert all("not known whether it is still so" in one.body for one in steps)
        house.fresh = True
        await house.clock.advance(MINUTE)
        late = [(one.contact, one.turn) for one in house.notifications()[len(house.turns()) - 3 :]]
        assert sorted(late) == [("anna", "escalated-1"), ("bert", "escalated-1"), ("carla", "escalated-2")]


async def test_pain_14_after_hours_without_power_each_is_told_once(house: AlertHouse) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], house.alert(severity=Severity.CRITICAL))
    await house.clock.advance(5 * HOUR)
    for _ in range(3):
        async with house.running() as attending:
            await house.clock.advance(MINUTE)
            await attending.remind()
    again = [contact for contact, turn in house.turns() if turn.startswith("escalated")]
    assert sorted(again) == list(EVERYBODY)


async def test_a_carer_who_is_put_first_meanwhile_makes_nobody_hear_it_twice(house: AlertHouse) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], house.alert())
        await house.clock.advance(61 * MINUTE)
        toml = house.folder / "hearthbeat.toml"
        toml.write_text(FAMILY.replace('["carla", "dora"]', '["dora", "carla"]'), encoding="utf-8")
        await house.clock.advance(2 * HOUR)
    again = [contact for contact, turn in house.turns() if turn.startswith("escalated")]
    assert sorted(again) == list(EVERYBODY)


async def test_pain_23_a_clock_that_is_set_back_makes_nobody_wait(house: AlertHouse) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], fall(house))
        house.clock.step_wall(-3 * HOUR)
        await house.clock.advance(30.0)
        assert of_turn(house, "unanswered") == list(EVERYBODY)


async def test_only_what_is_critical_of_faults_is_told_further(house: AlertHouse) -> None:
    async with house.running() as attending:
        await attending.say_fault(fault(house, Severity.WARNING))
        await house.clock.advance(3 * HOUR)
        assert house.turns() == [("bert", "raised")]
        await attending.say_fault(fault(house, Severity.CRITICAL))
        await house.clock.advance(10 * MINUTE)
        assert of_turn(house, "escalated-2") == ["carla"]


# Who may silence what.


@pytest.mark.parametrize(
    ("by", "do", "severity", "refused"),
    [
        ("anna", "acknowledge", Severity.CRITICAL, None),
        ("anna", "snooze", Severity.WARNING, None),
        ("anna", "snooze", Severity.CRITICAL, "anna may not put off what is critical"),
        ("bert", "acknowledge", Severity.CRITICAL, None),
        ("dora", "acknowledge", Severity.CRITICAL, None),
        ("bert", "snooze", Severity.WARNING, None),
        ("bert", "snooze", Severity.CRITICAL, "bert may not put off what is critical"),
        ("engineer", "acknowledge", Severity.INFO, "engineer may not take up what is info"),
        ("neighbour", "acknowledge", Severity.INFO, "neighbour is not told of this"),
        ("nobody", "snooze", Severity.INFO, "nobody is not told of this"),
        ("person", "snooze", Severity.CRITICAL, None),
    ],
)
async def test_pain_20_wearer_and_carers_have_different_rights(
    house: AlertHouse, by: str, do: str, severity: Severity, refused: str | None
) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], house.alert(severity=severity))
        request = {"do": do, "alert": "aaaa", "by": by, "seconds": HOUR}
        if refused is None:
            assert not (await attending.answer(request))["already"]
            return
        with pytest.raises(WrongUseError, match=refused) as caught:
            await attending.answer(request)
        assert "\n" not in str(caught.value)
        (alert,) = attending.open_alerts
        assert (alert.acknowledged_at, alert.snoozed_until) == (None, None)


@pytest.mark.parametrize(
    ("by", "do", "severity", "allowed"),
    [
        ("anna", "acknowledge", Severity.CRITICAL, False),
        ("anna", "snooze", Severity.WARNING, True),
        ("bert", "acknowledge", Severity.CRITICAL, True),
        ("bert", "snooze", Severity.CRITICAL, False),
        ("engineer", "snooze", Severity.CRITICAL, True),
    ],
)
async def test_pain_20_a_critical_fault_is_not_silenced_by_the_wearer(
    house: AlertHouse, by: str, do: str, severity: Severity, *, allowed: bool
) -> None:
    house.fault_audience = ("anna", "bert", "engineer")
    async with house.running() as attending:
        await attending.say_fault(fault(house, severity))
        request = {"do": do, "alert": "dddd", "by": by, "seconds": HOUR}
        if allowed:
            await attending.answer(request)
        else:
            with pytest.raises(WrongUseError, match="may not"):
                await attending.answer(request)


async def test_pain_20_rights_of_the_settings_hold_and_buttons_show_them(tmp_path: Path) -> None:
    rights = '[[people.care.rights]]\ncontact = "bert"\nacknowledge = "warning"\nsnooze = "none"\n'
    house = house_in(tmp_path, FAMILY.replace('dora"]\n', f'dora"]\n{rights}', 1))
    async with house.running() as attending:
        await attending.say(house.settings.people[0], house.alert(severity=Severity.CRITICAL))
        await attending.say(house.settings.people[0], house.alert("bbbb", kind="spo2_low"))
        with pytest.raises(WrongUseError):
            await attending.answer({"do": "acknowledge", "alert": "aaaa", "by": "bert"})
        await attending.answer({"do": "acknowledge", "alert": "bbbb", "by": "bert"})
    shown = {(one.alert_id, one.contact): one.buttons for one in house.notifications() if one.turn == "raised"}
    assert shown == {
        ("aaaa", "anna"): (Button.ACKNOWLEDGE,),
        ("aaaa", "bert"): (),
        ("bbbb", "anna"): (Button.ACKNOWLEDGE, Button.SNOOZE),
        ("bbbb", "bert"): (Button.ACKNOWLEDGE,),
    }


async def test_who_has_answered_is_shown(house: AlertHouse, capsys: pytest.CaptureFixture[str]) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], fall(house))
        assert await house.command("alerts", "help", "ffff", "--by", "anna") == 0
        assert "help" in capsys.readouterr().out
        assert await house.command("alerts", "fine", "ffff", "--by", "bert") == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
        assert await house.command("alerts", "ack", "ffff", "--by", "bert") == 0
    capsys.readouterr()
    assert await house.command("alerts", "show", "ffff") == 0
    shown = capsys.readouterr().out
    assert "acknowledged by bert" in shown
    assert "has asked for help" in shown
    assert await house.command("alerts", "show", "ffff", "--json") == 0
    assert json.loads(capsys.readouterr().out)["help_at"] == house.clock.wall()
