"""Commands on their way: from the broker's thread to what they change, and what is kept and told of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from nacl.signing import SigningKey

from cloud_sync import messages
from cloud_sync.commands import command_topic
from cloud_sync.inbox import MOST_AN_HOUR, Inbox
from cloud_sync.signing import COMMAND, sign, write_public_key
from edge.afar.commanding import Commanding, Hands, trusted_keys
from edge.afar.hearing import hearing
from edge.errors import HearthbeatError, RejectedError, WrongUseError
from edge.recorder import Recorder
from edge.settings.home import Settings, check_settings, load_settings
from edge.store.commands import MOST_WAITING
from edge.store.store import Store
from tests.fakes.clock import ManualClock

DAUGHTER = SigningKey(bytes(range(32)))
STRANGER = SigningKey(bytes(32))
TEXT = f"""
[home]
id = "home"
[[people]]
id = "anna"
contacts = ["phone"]
[[contacts]]
id = "phone"
url = "json://127.0.0.1:9"
[[commands.keys]]
id = "daughter"
public_key = "{write_public_key(DAUGHTER.verify_key)}"
may = ["acknowledge", "snooze", "settings", "data"]
contact = "phone"
"""


class Home:
    """An inbox, a store and hands that note what they do."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "hearthbeat.toml"
        self.path.write_text(TEXT)
        self.settings: Settings = load_settings(self.path)
        self.clock = ManualClock()
        self.asked: list[Mapping[str, Any]] = []
        self.reloads = 0
        self.store_path = folder / "hearthbeat.db"
        self.open()

    def open(self) -> None:
        self.store = Store(self.store_path)
        self.recorder = Recorder(self.store, clock=self.clock, interval_s=6.0)
        self.inbox = Inbox("home", self.clock, trusted_keys(self.settings), lambda: None)
        known = {"anna": "anna", "p-x": "anna"}
        hands = Hands(self, self, self.reload, known.get, self.path, lambda: None)
        home = messages.Home("home", self.store.pseudonyms)
        self.commanding = Commanding(home, self.inbox, self.store, self.recorder, self.clock, hands)
        self.commanding.take_on(self.settings)

    async def restart(self) -> None:
        await self.close()
        self.open()

    async def close(self) -> None:
        await self.recorder.close()
        self.store.close()

    async def answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        if request["alert"] == "none":
            raise WrongUseError("no alert has this id", where="alert none", mend="see the list")
        if request["alert"] == "poison":
            raise KeyError("a fault of ours")
        self.asked.append(request)
        return {"already": False}

    async def order(self, package: bytes, url: str | None) -> str:
        raise RejectedError(f"{package!r} {url}", reason="package")

    async def go_back(self, risk: str) -> str:
        raise RejectedError(risk, reason="package")

    async def reload(self) -> list[str]:
        self.reloads += 1
        return []

    def command(self, do: str = "acknowledge", **changes: Any) -> bytes:
        now = self.clock.wall()
        arguments = {"acknowledge": {"alert": "0123abcd"}, "snooze": {"alert": "0123abcd", "seconds": 60.0}}
        fields = {
            "v": 1,
            "id": str(uuid.uuid4()),
            "home": "home",
            "issued": now,
            "expires": now + 600.0,
            "do": do,
            "arguments": arguments.get(do, {}),
        }
        return sign(COMMAND, "daughter", json.dumps({**fields, **changes}).encode(), DAUGHTER)

    def hear(self, payload: bytes, *, retained: bool = False) -> None:
        self.inbox.take(self.store, command_topic("home"), payload, retained=retained)

    def audit(self) -> list[tuple[str, str, int]]:
        """Outcome, reason or verb, and count of each entry, oldest first."""
        return [(one.outcome, one.reason or one.verb, one.count) for one in reversed(self.store.commands.entries(999))]

    def told(self) -> list[dict[str, Any]]:
        messages = self.store.outbox.next_messages(999)
        assert {message.topic for message in messages} <= {"hearthbeat/v1/home/command/result"}
        return [json.loads(message.payload) for message in messages]


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    made = Home(tmp_path)
    yield made
    await made.close()


async def test_a_command_is_done_once_kept_and_told(home: Home) -> None:
    payload = home.command("snooze")
    home.hear(payload)
    home.hear(payload)
    assert len(home.store.commands.waiting()) == 1, "it is on disk before it is acknowledged"
    await home.commanding.obey()
    home.hear(payload)
    await home.restart()
    home.hear(payload)
    await home.commanding.obey()
    assert home.asked == [{"do": "snooze", "alert": "0123abcd", "seconds": 60.0, "by": "phone"}]
    assert sorted(home.audit()) == [("obeyed", "snooze", 1), ("refused", "replayed", 1)]
    (told,) = home.told()
    assert (told["outcome"], told["do"], told["key"]) == ("obeyed", "snooze", "daughter")


async def test_a_command_that_was_kept_is_done_after_a_death(home: Home) -> None:
    home.hear(home.command())
    await home.restart()
    await home.commanding.obey()
    await home.commanding.obey()
    assert len(home.asked) == 1
    assert home.store.commands.waiting() == []


async def test_a_command_that_waited_too_long_is_not_done(home: Home) -> None:
    home.hear(home.command())
    await home.clock.advance(601.0)
    await home.commanding.obey()
    assert home.asked == []
    assert home.audit() == [("refused", "expired", 1)]
    assert home.told()[0]["reason"] == "expired"


async def test_a_key_that_is_trusted_no_more_does_nothing(home: Home) -> None:
    home.hear(home.command())
    home.commanding.take_on(home.settings.model_copy(update={"commands": type(home.settings.commands)()}))
    await home.commanding.obey()
    assert (home.asked, home.store.commands.waiting()) == ([], [])
    assert home.audit() == [("refused", "unknown key", 1)]
    home.hear(home.command())
    assert home.store.commands.waiting() == []


async def test_what_is_refused_is_kept_and_told_and_its_id_is_used_up(home: Home) -> None:
    later = home.command(issued=home.clock.wall() + 1000.0, expires=home.clock.wall() + 2000.0)
    for payload in (
        home.command(home="neighbour"),
        home.command("model"),
        home.command("format"),
        home.command(arguments={"alert": "none"}),
        home.command(arguments={"alert": 3}),
        later,
    ):
        home.hear(payload)
        await home.commanding.obey()
    await home.clock.advance(1500.0)
    home.hear(later)
    await home.commanding.obey()
    reasons = [one["reason"] for one in home.told()]
    assert sorted(reasons) == sorted(
        ["another home", "not allowed", "unknown verb", "not possible", "arguments", "from the future"]
    )
    assert home.asked == []


async def test_a_flood_of_forgeries_is_one_line_an_hour_and_a_fault(home: Home) -> None:
    forged = sign(COMMAND, "daughter", b"{}", STRANGER)
    unknown = sign(COMMAND, "stranger", b"{}", STRANGER)
    for _ in range(500):
        home.hear(forged)
        home.hear(unknown)
        home.hear(b"noise")
        await home.commanding.obey()
    assert [entry for entry in home.audit() if entry[1] == "forged"] == [("refused", "forged", 500)]
    assert len(home.audit()) == 3
    assert home.told() == []
    assert "1500 commands" in str(home.commanding.faults()["forged"])
    home.hear(home.command())
    await home.commanding.obey()
    assert len(home.asked) == 1, "the way is open for who is trusted"
    await home.clock.advance(3601.0)
    assert home.commanding.faults()["forged"] is None


async def test_a_replay_flood_writes_no_more_than_a_count(home: Home) -> None:
    payload = home.command()
    home.hear(payload)
    await home.commanding.obey()
    for _ in range(500):
        home.hear(payload)
    await home.commanding.obey()
    assert home.audit() == [("obeyed", "acknowledge", 1), ("refused", "replayed", 500)]
    assert len(home.told()) == 1
    assert home.commanding.faults()["forged"] is None


async def test_a_key_gone_mad_is_held_back(home: Home) -> None:
    for _ in range(MOST_AN_HOUR + 50):
        home.hear(home.command(home="neighbour"))
    await home.commanding.obey()
    assert home.audit() == [("refused", "another home", 1)] * MOST_AN_HOUR + [("refused", "too many", 50)]


async def test_no_more_wait_than_there_is_room_for(home: Home) -> None:
    for _ in range(MOST_WAITING + 5):
        home.hear(home.command())
    assert len(home.store.commands.waiting()) == MOST_WAITING
    await home.commanding.obey()
    assert len(home.asked) == MOST_WAITING


async def test_what_was_retained_is_not_obeyed(home: Home) -> None:
    home.hear(home.command(), retained=True)
    await home.commanding.obey()
    assert home.asked == []
    assert home.audit() == [("refused", "retained", 1)]


async def test_pain_23_a_clock_that_was_set_back_lets_no_old_command_in(home: Home) -> None:
    payload, began = home.command(), home.clock.wall()
    home.hear(payload)
    await home.commanding.obey()
    home.clock.step_wall(400 * 86_400.0)
    home.hear(home.command())
    await home.commanding.obey()
    assert [entry.at > began + 86_400.0 for entry in home.store.commands.entries(9)] == [True], "a year is over"
    home.clock.step_wall(-400 * 86_400.0)
    home.hear(payload)
    await home.commanding.obey()
    assert len(home.asked) == 2
    home.clock.step_wall(-home.clock.wall())
    home.hear(home.command(issued=began, expires=began + 60.0))
    await home.commanding.obey()
    assert len(home.asked) == 2, "a home that does not know the time obeys nobody"


async def test_settings_are_changed_or_left_as_they_are(home: Home) -> None:
    home.hear(home.command("settings", arguments={"set": {"people.p-x.faults.not_worn_h": 6}}))
    home.hear(home.command("settings", arguments={"set": {"people.anna.faults.not_worn_h": -6}}))
    home.hear(home.command("settings", arguments={"set": {"contacts.phone.url": "json://thief"}}))
    await home.commanding.obey()
    assert home.reloads == 1
    assert load_settings(home.path).people[0].faults.not_worn_h == 6.0
    assert home.told()[0]["detail"] == "changed people.*.faults.not_worn_h"
    assert [one["outcome"] for one in home.told()] == ["obeyed", "refused", "refused"]
    assert "anna" not in json.dumps(home.told())


def test_no_key_may_sit_at_the_machine(home: Home) -> None:
    for odd in ('id = "person"', 'id = "x"\ncontact = "person"', 'id = "daughter"', 'id = "x"\ncontact = "nobody"'):
        key = write_public_key(STRANGER.verify_key)
        with pytest.raises(HearthbeatError):
            check_settings(f'{TEXT}[[commands.keys]]\n{odd}\npublic_key = "{key}"\nmay = ["snooze"]\n', home.path)
    with pytest.raises(HearthbeatError):
        check_settings(TEXT.replace(write_public_key(DAUGHTER.verify_key), "AAAA"), home.path)


async def test_a_home_that_trusts_nobody_hears_nothing(home: Home) -> None:
    nobody = home.settings.model_copy(update={"commands": type(home.settings.commands)()})
    nothing = hearing(nobody, home.clock, home.path, home.store)
    assert (nothing.inbox, nothing.faults(), len(nothing.load(home.store).models)) == (None, {}, 4)
    assert nothing.take_on(nobody) == []
    assert nothing.take_on(home.settings) == ["commands"], "the first key needs a restart"
    something = hearing(home.settings, home.clock, home.path, home.store)
    assert something.inbox is not None
    assert something.inbox.topics() == {command_topic("home"): False}


async def test_a_command_that_our_own_fault_breaks_is_not_tried_for_ever(home: Home) -> None:
    home.hear(home.command(arguments={"alert": "poison"}))
    home.hear(home.command())
    await home.commanding.obey()
    assert home.audit() == [("refused", "not possible", 1), ("obeyed", "acknowledge", 1)]
    assert home.store.commands.waiting() == []


async def test_a_broker_that_lets_no_command_through_is_a_fault(home: Home) -> None:
    home.inbox.subscribed(command_topic("home"), "Not authorized")
    assert "Not authorized" in str(home.commanding.faults()["subscription"])
    home.inbox.subscribed(command_topic("home"), None)
    assert home.commanding.faults()["subscription"] is None


async def test_answers_to_a_question_come_in_too(home: Home) -> None:
    home.hear(home.command("fine", arguments={"alert": "0123abcd"}))
    home.settings = check_settings(TEXT.replace('"snooze", ', '"snooze", "fine", '), home.path)
    home.commanding.take_on(home.settings)
    home.hear(home.command("fine", arguments={"alert": "0123abcd"}))
    await home.commanding.obey()
    assert home.asked == [{"do": "fine", "alert": "0123abcd", "by": "phone"}]
    assert home.audit() == [("refused", "not allowed", 1), ("obeyed", "fine", 1)]


async def test_minutes_are_told_again(home: Home) -> None:
    now = home.clock.wall()
    home.hear(home.command("data", arguments={"person": "p-x", "since": now - 3600.0, "until": now}))
    home.hear(home.command("data", arguments={"person": "p-y", "since": now - 3600.0, "until": now}))
    home.hear(home.command("data", arguments={"person": "p-x", "since": now - 1e7, "until": now}))
    await home.commanding.obey()
    assert [one.get("reason") for one in home.told()] == [None, "arguments", "arguments"]
