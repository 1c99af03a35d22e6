"""What becomes of a press: it counts once, for the one who was asked, while there is something to answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge.buttons import links
from edge.buttons.links import LIFE_S
from edge.errors import StoreError, WrongUseError
from edge.notices import AlertState, Button, Notification, Severity
from edge.readings import Risk
from edge.recorder import Recorder
from edge.running import control
from tests.fakes.alert_house import HOUR, SETTINGS, DirectRecorder, house_in
from tests.fakes.link_house import WEB, LinkHouse, link_house

CHINESE = SETTINGS.replace('id = "bert"\n', 'id = "bert"\nlanguage = "zh"\n')


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[LinkHouse]:
    async with link_house(house_in(tmp_path, SETTINGS + WEB)) as opened:
        yield opened


async def test_pain_16_a_press_acknowledges_and_a_look_does_not(house: LinkHouse) -> None:
    await house.raised()
    token = await house.token(Button.ACKNOWLEDGE)
    looked = await house.page(token, "look")
    assert (looked["status"], looked["button"]) == (200, "Acknowledge")
    assert house.attending.open_alerts[0].acknowledged_at is None
    pressed = await house.page(token)
    assert (pressed["status"], pressed["title"], pressed["button"]) == (200, "Thank you", None)
    assert house.attending.open_alerts[0].acknowledged_by == "bert"
    assert house.alerts.stored().acknowledged_by == "bert"


async def test_a_link_counts_once_also_after_a_restart(tmp_path: Path) -> None:
    alerts = house_in(tmp_path, SETTINGS + WEB)
    async with link_house(alerts) as house:
        await house.raised()
        token = await house.token(Button.SNOOZE)
        assert (await house.page(token))["title"] == "Snoozed"
        assert house.attending.open_alerts[0].snoozed_until == alerts.clock.wall() + HOUR
    async with link_house(alerts) as house:
        await alerts.clock.advance(600.0)
        again = await house.page(token)
        assert (again["status"], again["title"]) == (409, "Already answered")
        assert house.attending.open_alerts[0].snoozed_until == alerts.clock.wall() + HOUR - 600.0
        assert house.desk.counts["used"] == 1


async def test_of_two_presses_at_once_one_counts(tmp_path: Path) -> None:
    async with link_house(house_in(tmp_path, SETTINGS + WEB), Recorder) as house:
        await house.raised()
        token = await house.token(Button.SNOOZE)
        pages = await asyncio.gather(*(house.page(token) for _ in range(5)))
        assert sorted(page["status"] for page in pages) == [200, 409, 409, 409, 409]
        assert house.desk.counts["answered"] == 1


async def test_pain_13_a_kill_between_the_answer_and_its_mark_loses_nothing(tmp_path: Path) -> None:
    alerts = house_in(tmp_path, SETTINGS + WEB)
    async with link_house(alerts) as house:
        await house.raised()
        token = await house.token(Button.ACKNOWLEDGE)
        # Killed in this moment: the answer is on the disk, and that the link was used is not.
        await house.attending.answer({"do": "acknowledge", "alert": "aaaa", "by": "bert"})
    async with link_house(alerts) as house:
        page = await house.page(token)
        assert (page["status"], page["title"]) == (200, "Already taken up")
        assert page["words"].startswith("You had taken this up at ")
        assert (await house.page(token))["status"] == 409


class KilledError(BaseException):
    """The process is gone in this very moment."""


@pytest.mark.parametrize("button", [Button.ACKNOWLEDGE, Button.SNOOZE])
async def test_pain_13_whenever_the_daemon_is_killed_no_answer_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, button: Button
) -> None:
    """Killed before and after each call of the store in turn, and pressed again after the restart."""
    whole, left = DirectRecorder.call, [0.0]

    async def call(recorder: DirectRecorder, function: Any, *arguments: Any, **named: Any) -> Any:
        left[0] -= 0.5
        if left[0] == 0.0:
            raise KilledError
        done = await whole(recorder, function, *arguments, **named)
        left[0] -= 0.5
        if left[0] == 0.0:
            raise KilledError
        return done

    kills = 0
    for moment in range(1, 100):
        folder = tmp_path / str(moment)
        folder.mkdir()
        alerts = house_in(folder, SETTINGS + WEB)
        async with link_house(alerts) as house:
            await house.raised()
            token = await house.token(button)
            with monkeypatch.context() as patched:
                patched.setattr(DirectRecorder, "call", call)
                left[0] = moment / 2
                try:
                    page = await house.page(token)
                except KilledError:
                    page = {}
        stored = alerts.stored()
        answered = stored.acknowledged_by == "bert" or stored.snoozed_until is not None
        assert answered or not page, "who was thanked has answered"
        async with link_house(alerts) as house:
            assert (await house.page(token))["status"] in ({409} if page else {200, 409})
        again = alerts.stored()
        assert again.acknowledged_by == "bert" or again.snoozed_until is not None
        if page:
            break
        kills += 1
    assert kills >= 4, "the answer and the mark are two writes, each with a before and an after"


async def test_a_disk_that_refuses_loses_no_press_and_doubles_none(house: LinkHouse) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("the disk is full", where="here", mend="free some")

    await house.raised()
    token = await house.token(Button.SNOOZE)
    house.store.links.use = refuse  # type: ignore[method-assign, assignment]
    assert (await house.page(token))["status"] == 200
    assert (await house.page(token))["status"] == 409
    other = await house.token(Button.ACKNOWLEDGE)
    house.store.links.used_at = refuse  # type: ignore[method-assign, assignment]
    assert (await house.page(other))["status"] == 200


async def test_somebody_elses_acknowledgement_is_told_by_name(house: LinkHouse) -> None:
    await house.raised()
    assert (await house.page(await house.token(Button.ACKNOWLEDGE, "anna")))["status"] == 200
    page = await house.page(await house.token(Button.ACKNOWLEDGE, "bert"))
    assert page["title"] == "Already taken up"
    assert page["words"].startswith("anna had taken this up at ")


async def test_what_is_over_is_told_kindly(house: LinkHouse) -> None:
    alert = await house.raised()
    token = await house.token(Button.ACKNOWLEDGE)
    over = replace(alert, state=AlertState.CLEARED, cleared_at=house.alerts.clock.wall())
    await house.attending.say(house.alerts.settings.people[0], over)
    for do in ("look", "press"):
        page = await house.page(token, do)
        assert (page["status"], page["title"], page["button"]) == (200, "Already over", None)


async def test_a_link_ends_after_a_day_and_a_clock_set_back_revives_none(house: LinkHouse) -> None:
    await house.raised()
    used, unused = await house.token(Button.SNOOZE), await house.token(Button.ACKNOWLEDGE)
    assert (await house.page(used))["status"] == 200
    await house.alerts.clock.advance(LIFE_S)
    for do in ("look", "press"):
        page = await house.page(unused, do)
        assert (page["status"], page["title"]) == (410, "Too late")
    house.store.forget_before(house.alerts.clock.wall() - 24 * HOUR)  # no keep_days is shorter
    house.alerts.clock.step_wall(-LIFE_S)
    assert (await house.page(used))["status"] == 409
    house.alerts.clock.step_wall(-2 * 24 * HOUR)
    assert (await house.page(unused))["status"] == 410


async def test_used_links_are_forgotten_when_nothing_could_revive_them(house: LinkHouse) -> None:
    await house.raised()
    token = await house.token(Button.SNOOZE)
    await house.page(token)
    link = links.read_token(links.home_key(house.alerts.folder / "state"), token)
    assert link is not None
    assert house.store.links.used_at(link.nonce) is not None
    house.store.forget_before(link.expires + 1.0)
    assert house.store.links.used_at(link.nonce) is None


async def test_a_forged_link_gets_one_clear_line_and_is_counted_and_not_logged_for_ever(
    house: LinkHouse, capsys: pytest.CaptureFixture[str]
) -> None:
    await house.raised()
    token = await house.token(Button.ACKNOWLEDGE)
    for number in range(50):
        page = await house.page(token[:-number] if number else token[::-1])
        assert (page["status"], page["title"]) == (403, "Not a link of Hearthbeat")
        assert "\n" not in page["words"]
    assert house.desk.counts["forged"] == 50
    logged = capsys.readouterr()
    assert (logged.out + logged.err).count("a link is refused") == 5
    assert token[:20] not in logged.out + logged.err
    assert house.attending.open_alerts[0].acknowledged_at is None


async def test_a_link_of_somebody_who_is_told_no_more_is_refused(house: LinkHouse) -> None:
    await house.raised()
    token = await house.token(Button.ACKNOWLEDGE, "bert")
    toml = house.alerts.folder / "hearthbeat.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace('"bert"', '"carl"'), encoding="utf-8")
    assert (await house.page(token))["status"] == 403


async def test_pain_18_who_may_not_answer_so_is_refused(house: LinkHouse) -> None:
    await house.raised(severity=Severity.CRITICAL)
    page = await house.page(await house.token(Button.FINE))
    assert (page["status"], page["title"]) == (403, "Not for you to answer")
    assert house.desk.counts["refused"] == 1


async def test_pain_18_who_may_have_fallen_answers_by_a_button(house: LinkHouse) -> None:
    fall = house.alerts.alert("fall", Severity.CRITICAL, Risk.FALL)
    await house.attending.say(house.alerts.settings.people[0], fall)
    (question,) = house.alerts.notifications()
    assert (question.contact, question.buttons) == ("anna", (Button.FINE, Button.HELP))
    assert [action.label for action in await house.desk.actions(question)] == ["I'm fine", "I need help"]
    fine, cry = await house.token(Button.FINE, "anna", "fall"), await house.token(Button.HELP, "anna", "fall")
    assert (await house.page(fine))["title"] == "Good to know"
    assert house.attending.open_alerts[0].acknowledged_by == "anna"
    assert (await house.page(fine))["status"] == 409
    assert (await house.page(cry))["title"] == "Help is asked for", "who is not so fine after all may say so"
    assert ("bert", "Anna asks for help") in house.alerts.told()


async def test_pain_18_a_cry_for_help_is_heard_by_the_others(house: LinkHouse) -> None:
    fall = house.alerts.alert("fall", Severity.CRITICAL, Risk.FALL)
    await house.attending.say(house.alerts.settings.people[0], fall)
    assert (await house.page(await house.token(Button.HELP, "anna", "fall")))["title"] == "Help is asked for"
    assert ("bert", "Anna asks for help") in house.alerts.told()
    assert (await house.page(await house.token(Button.HELP, "anna", "fall")))["status"] == 200, "once more does no harm"
    assert house.alerts.told().count(("bert", "Anna asks for help")) == 1


async def test_the_page_speaks_the_language_of_the_contact(tmp_path: Path) -> None:
    async with link_house(house_in(tmp_path, CHINESE + WEB)) as house:
        await house.raised()
        chinese, english = await house.token(Button.ACKNOWLEDGE), await house.token(Button.ACKNOWLEDGE, "anna")
        for do in ("look", "press", "press"):
            page = await house.page(chinese, do)
            assert page["language"] == "zh"
            assert not (page["title"] + (page["button"] or "")).isascii(), page
        assert (await house.page(english, "look"))["button"] == "Acknowledge"


async def test_without_pages_there_are_no_buttons(tmp_path: Path) -> None:
    async with link_house(house_in(tmp_path)) as house:
        told = Notification("n", "aaaa", "bert", "T", "B", Severity.WARNING, 0.0, (Button.ACKNOWLEDGE,))
        assert await house.desk.actions(told) == ()
        assert house.desk.fault is None
    assert not (tmp_path / "state" / links.KEY_NAME).exists()


async def test_the_web_process_can_ask_for_nothing_but_links(house: LinkHouse, tmp_path: Path) -> None:
    async def ask(request: dict[str, object]) -> list[control.Words]:
        return [words async for words in control.ask(tmp_path, request, name="links.sock")]

    assert await ask({"do": "listen"}) == [{"listen": "0.0.0.0", "port": 8460}]
    await house.raised()
    requests: list[dict[str, object]] = [
        {"do": "acknowledge", "alert": "aaaa", "by": "bert"},
        {"do": "reload"},
        {"do": "scan"},
        {"do": "press"},
        {"do": "press", "token": 5},
        {"do": ["press"], "token": "x"},
        {"token": "x"},
        {"do": "read", "what": "status"},
        {},
    ]
    for request in requests:
        with pytest.raises(control.RefusedByDaemonError, match="that is no request for links"):
            await ask(request)
    assert house.attending.open_alerts[0].acknowledged_at is None


async def test_who_is_hung_up_on_harms_nobody(house: LinkHouse, tmp_path: Path) -> None:
    opened = [await asyncio.open_unix_connection(tmp_path / "links.sock") for _ in range(40)]
    last, _ = opened[-1]
    assert await last.read() == b"", "no more files than that"
    for _, writer in opened:
        writer.close()
        await writer.wait_closed()
    async for words in control.ask(tmp_path, {"do": "listen"}, name="links.sock"):
        assert words["port"] == 8460


async def test_a_web_process_that_is_gone_is_a_fault(house: LinkHouse) -> None:
    def fault() -> str | None:
        return house.desk.fault

    assert fault() is None
    await house.alerts.clock.advance(301.0)
    assert fault() == "the web process is not heard of"
    async for _ in house.desk.respond({"do": "listen"}):
        assert fault() is None


async def test_of_two_that_need_the_first_key_both_have_the_same(house: LinkHouse) -> None:
    await house.raised()
    tokens = await asyncio.gather(*(house.token(Button.ACKNOWLEDGE) for _ in range(8)))
    assert [(await house.page(token, "look"))["status"] for token in tokens] == [200] * 8


async def test_a_socket_that_cannot_be_made_is_a_fault_and_stops_nothing(tmp_path: Path) -> None:
    alerts = house_in(tmp_path, SETTINGS + WEB.replace("links.sock", "nowhere/links.sock"))
    async with link_house(alerts) as house:
        assert house.desk.fault is not None
        assert "No such file" in house.desk.fault


async def test_a_request_that_is_none_is_refused(house: LinkHouse) -> None:
    with pytest.raises(WrongUseError):
        async for _ in house.desk.respond({"do": "look", "token": None}):
            pass
