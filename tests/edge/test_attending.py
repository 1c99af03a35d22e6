"""What people answer at the command line, through the daemon's socket, in the store, and after a restart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge.alerts.faults import Transition
from edge.errors import WrongUseError
from edge.notices import Alert, AlertState, FaultKind, Severity
from edge.readings import Explanation
from tests.fakes.alert_house import HOUR, AlertHouse, house_in


@pytest.fixture
def house(tmp_path: Path) -> AlertHouse:
    return house_in(tmp_path)


def cleared(alert: Alert, at: float) -> Alert:
    return replace(alert, state=AlertState.CLEARED, cleared_at=at)


async def test_pain_16_an_acknowledgement_counts_and_is_shown(
    house: AlertHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], house.alert())
        assert await house.command("alerts", "ack", "aa", "--by", "bert") == 0
        assert "is acknowledged" in capsys.readouterr().out
        assert await house.command("alerts", "ack", "aaaa", "--by", "anna", "--json") == 0
        assert json.loads(capsys.readouterr().out)["already"]
        assert attending.open_alerts[0].acknowledged_by == "bert"
    assert house.stored().acknowledged_by == "bert"
    assert [one.get("acknowledged_at") for one in house.messages()] == [None, house.clock.wall()]
    assert await house.command("alerts", "show", "aaaa", "--json") == 0, "the daemon need not run for this"
    shown = json.loads(capsys.readouterr().out)
    assert shown["acknowledged_by"] == "bert"
    assert shown["explanation"] == "The RR intervals vary without order."
    assert {told["contact"] for told in shown["told"]} == {"anna", "bert"}
    assert await house.command("alerts", "list", "--open") == 0
    assert "acknowledged by bert" in capsys.readouterr().out


async def test_pain_14_a_snooze_outlives_a_restart_and_its_end_is_told_once(house: AlertHouse) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], house.alert())
        assert await house.command("alerts", "snooze", "aaaa", "--minutes", "30") == 0
    async with house.running() as attending:
        await attending.remind()
        assert len(house.told()) == 2, "those of the beginning"
        await house.clock.advance(1800.0)
    for _ in range(3):
        async with house.running() as attending:
            await attending.remind()
            await attending.remind()
    assert len(house.told()) == 4
    assert sorted(title.startswith("Still so: ") for _, title in house.told()) == [False, False, True, True]


async def test_pain_11_after_a_snooze_nothing_is_told_on_stale_data(house: AlertHouse) -> None:
    async with house.running() as attending:
        alert = house.alert()
        await attending.say(house.settings.people[0], alert)
        await attending.answer({"do": "snooze", "alert": "aaaa", "seconds": 60.0})
        await house.clock.advance(HOUR)
        house.fresh = False
        await attending.remind()
        assert len(house.told()) == 2
        assert attending.open_alerts[0].snoozed_until is not None
        await attending.say(house.settings.people[0], cleared(alert, house.clock.wall()))
        house.fresh = True
        await attending.remind()
    assert [title for _, title in house.told()][2:] == ["Anna: heartbeat regular again"] * 2


async def test_pain_17_a_graver_turn_of_a_fault_breaks_through(house: AlertHouse) -> None:
    now = house.clock.wall()
    low = Alert(
        "ffff",
        "anna",
        FaultKind.BATTERY_LOW,
        Severity.WARNING,
        AlertState.RAISED,
        now,
        now,
        None,
        Explanation("It is low."),
        "AA",
    )
    async with house.running() as attending:
        await attending.say_fault(Transition(low, is_news=True))
        await attending.answer({"do": "snooze", "alert": "ffff", "seconds": HOUR})
        await attending.say_fault(Transition(replace(low, id="gggg"), is_news=True))
        assert len(house.told()) == 1
        await attending.say_fault(Transition(replace(low, severity=Severity.CRITICAL), is_news=True))
        assert len(house.told()) == 2
        opened = {alert.id: alert.snoozed_until for alert in attending.open_alerts}
    assert opened == {"ffff": None, "gggg": now + HOUR}


async def test_what_is_open_of_somebody_who_moves_out_ends_untold(house: AlertHouse) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], house.alert())
        toml = house.folder / "hearthbeat.toml"
        toml.write_text(toml.read_text(encoding="utf-8").replace('"anna"\nname', '"carla"\nname'), encoding="utf-8")
        await attending.remind()
        assert attending.open_alerts == []
        assert len(house.told()) == 2, "what was told before"


async def test_what_cannot_be_answered_is_refused_in_one_line(
    house: AlertHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await house.command("alerts", "ack", "aaaa") == 1
    assert "no daemon runs" in capsys.readouterr().err
    async with house.running() as attending:
        alert = house.alert()
        await attending.say(house.settings.people[0], alert)
        await attending.say(house.settings.people[0], cleared(alert, house.clock.wall()))
        for arguments in (
            ("ack", "aaaa"),  # over
            ("ack", "nothing"),
            ("ack", "aaaa", "--by", "nobody"),
            ("snooze", "aaaa", "--minutes", "100000"),
            ("snooze", "aaaa", "--minutes", "-1"),
            ("show", "nothing"),
            ("list", "--person", "nobody"),
        ):
            try:
                code = await house.command("alerts", *arguments)
            except SystemExit as end:
                code = int(end.code or 0)
            assert code == 2, arguments
            error = capsys.readouterr().err
            assert len(error.strip().splitlines()) == 1, error
        for request in (
            {"do": "acknowledge"},
            {"do": "acknowledge", "alert": 5},
            {"do": "snooze", "alert": "aaaa"},
            {"do": "snooze", "alert": "aaaa", "seconds": "60"},
            {"do": "snooze", "alert": "aaaa", "seconds": True},
        ):
            with pytest.raises(WrongUseError):
                await attending.answer(request)


async def test_an_alert_is_taken_up_by_the_id_that_the_broker_knows(house: AlertHouse) -> None:
    async with house.running() as attending:
        await attending.say(house.settings.people[0], house.alert())
        await attending.say(house.settings.people[0], house.alert("bbbb", kind="fall"))
        outside = {message["kind"]: message["alert"] for message in house.messages()}
        assert "aaaa" not in str(outside)
        answer = await attending.answer({"do": "acknowledge", "alert": outside["atrial_fibrillation"], "by": "person"})
        assert (answer["alert"]["id"], answer["already"]) == ("aaaa", False)
        with pytest.raises(WrongUseError, match="no open alert"):
            await attending.answer({"do": "acknowledge", "alert": "0" * 36, "by": "person"})
