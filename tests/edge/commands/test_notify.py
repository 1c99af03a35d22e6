"""`hearthbeat notify test` without a daemon and through one, and what `alerts show` tells of attempts."""

from __future__ import annotations

import asyncio
import http
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.cli import main
from edge.notices import Attempt
from edge.store.store import Batch, Store
from edge.virtual.phone import VirtualPhone
from tests.edge.store.samples import START, alert, notification
from tests.fakes.household import virtual_household

PERSON = '[home]\nstate_directory = "state"\n[[people]]\nid = "anna"\ncontacts = ["mum", "dad"]\n'


@pytest.fixture
async def phone() -> AsyncIterator[VirtualPhone]:
    async with VirtualPhone() as opened:
        yield opened


async def test_everybody_is_sent_a_test_over_each_channel_and_a_failure_is_said(
    tmp_path: Path, phone: VirtualPhone, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "hearthbeat.toml"
    config.write_text(
        f'{PERSON}[[contacts]]\nid = "mum"\nurl = "{phone.url}"\n'
        f'[[contacts]]\nid = "dad"\nchannels = [{{url = "json://127.0.0.1:9"}}, {{url = "{phone.url}"}}]\n'
        '[[contacts]]\nid = "aunt"\nurl_file = "missing.url"\n'
    )
    assert await asyncio.to_thread(main, ["notify", "test", "--json", "--config", str(config)]) == 1
    aunt, *others = json.loads(capsys.readouterr().out)
    assert (aunt["contact"], aunt["accepted"]) == ("aunt", False)
    assert "missing.url" in aunt["reason"]
    assert [(one["contact"], one["channel"], one["accepted"], one["reason"]) for one in others] == [
        ("mum", "JSON", True, None),
        ("dad", "JSON", False, "the service could not be reached, or did not answer"),
        ("dad", "JSON", True, None),
    ]
    assert [message.title for message in phone.shown] == ["Hearthbeat: only a test"] * 2
    config.write_text(f'{PERSON}[[contacts]]\nid = "mum"\nurl = "{phone.url}"\n'.replace(', "dad"', ""))
    assert await asyncio.to_thread(main, ["notify", "test", "--config", str(config)]) == 0
    assert capsys.readouterr().out.startswith("mum, JSON: taken after ")


async def test_the_daemon_tries_its_phones_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with virtual_household(tmp_path) as house, VirtualPhone() as phone:
        house.phone = phone.url
        config = tmp_path / "hearthbeat.toml"
        config.write_text('[home]\nstate_directory = "state"\n' + PERSON.split("\n", 2)[2].replace(', "dad"', ""))
        config.write_text(config.read_text() + '[[contacts]]\nid = "mum"\nurl_file = "for-the-daemon-only.url"\n')
        async with house.living():
            phone.status = http.HTTPStatus.UNAUTHORIZED
            assert await asyncio.to_thread(main, ["notify", "test", "--config", str(config)]) == 1
            assert "phone, JSON: not taken: the service answered 401 Unauthorized\n" in capsys.readouterr().out
            phone.status = http.HTTPStatus.OK
            assert await asyncio.to_thread(main, ["notify", "test", "--config", str(config)]) == 0


def test_an_alert_shows_every_attempt_to_tell_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "hearthbeat.toml"
    config.write_text(
        PERSON + '[[contacts]]\nid = "mum"\nurl = "json://x"\n[[contacts]]\nid = "dad"\nurl = "json://y"\n'
    )
    (tmp_path / "state").mkdir()
    with Store(tmp_path / "state" / "hearthbeat.db") as store:
        store.commit(Batch(alerts=[alert(1)], notifications=[notification(1)]))
        failed = Attempt("m", "ntfy", START + 1.0, "the service answered 500 Internal Server Error")
        store.notifications.mark_failed(["notification-1"], START + 5.0, "500", [failed])
        store.notifications.mark_sent(["notification-1"], START + 9.0, [Attempt("m", "Email", START + 6.0)])
    assert main(["alerts", "show", "alert-1", "--json", "--config", str(config)]) == 0
    (told,) = json.loads(capsys.readouterr().out)["told"]
    assert told["log"] == [
        {"at": START + 1.0, "channel": "ntfy", "accepted": False, "reason": failed.reason},
        {"at": START + 6.0, "channel": "Email", "accepted": True, "reason": None},
    ]
    assert main(["alerts", "show", "alert-1", "--config", str(config)]) == 0
    shown = capsys.readouterr().out
    assert "ntfy: the service answered 500 Internal Server Error" in shown
    assert "Email: taken" in shown
