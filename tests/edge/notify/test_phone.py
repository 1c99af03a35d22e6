"""Real channels of Apprise, a real HTTP receiver, and the ways in which a phone is not reached."""

from __future__ import annotations

import asyncio
import http
import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import psutil
import pytest

from edge.errors import SettingsError
from edge.notices import Severity
from edge.notify import phone
from edge.notify.charts import Chart
from edge.notify.phone import Action, Contact, Message, PhoneChannel, SendingProcess
from edge.virtual.phone import ShownMessage, VirtualPhone
from tests.fakes import phones
from tests.fakes.ntfy import NtfyServer, ntfy_server
from tests.fakes.phones import SharedProcess

MESSAGE = Message("Mum: irregular heartbeat", "since 14:05, 31 % – größer\nsecond line", Severity.WARNING)


@pytest.fixture
async def receiver() -> AsyncIterator[VirtualPhone]:
    async with VirtualPhone() as opened:
        yield opened


async def test_a_message_is_shown_as_it_was_written(receiver: VirtualPhone) -> None:
    delivery = await phones.send(PhoneChannel(receiver.url), MESSAGE)
    assert delivery.accepted
    assert receiver.shown == [ShownMessage(MESSAGE.title, MESSAGE.body, "warning")]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (http.HTTPStatus.INTERNAL_SERVER_ERROR, "the service answered 500 Internal Server Error"),
        (http.HTTPStatus.UNAUTHORIZED, "the service answered 401 Unauthorized"),
    ],
)
async def test_an_answer_that_is_an_error_is_no_delivery(
    receiver: VirtualPhone, status: http.HTTPStatus, reason: str
) -> None:
    receiver.status = status
    delivery = await phones.send(PhoneChannel(receiver.url), MESSAGE)
    assert not delivery.accepted
    assert delivery.reason == reason


async def test_a_phone_out_of_reach_is_no_delivery() -> None:
    async with VirtualPhone() as gone:
        url = gone.url
    delivery = await phones.send(PhoneChannel(url), MESSAGE)
    assert not delivery.accepted
    assert delivery.reason == "the service could not be reached, or did not answer"


async def test_a_channel_that_hangs_is_given_up_and_leaves_no_process(receiver: VirtualPhone) -> None:
    receiver.hangs = True
    before = psutil.Process().children()
    async with asyncio.timeout(10.0):  # Apprise alone would wait for longer
        delivery = await phone.send(PhoneChannel(receiver.url, timeout_s=0.2), MESSAGE)
    assert not delivery.accepted
    assert delivery.reason == "no answer within 0.2 s"
    assert psutil.Process().children() == before


async def test_a_stop_of_the_daemon_ends_a_message_under_way(receiver: VirtualPhone) -> None:
    receiver.hangs = True
    before = psutil.Process().children()
    sending = asyncio.create_task(phone.send(PhoneChannel(receiver.url), MESSAGE))
    await receiver.rang.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(10.0):
            await sending
    assert psutil.Process().children() == before


async def test_the_url_is_in_no_log_reason_or_representation(
    receiver: VirtualPhone, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.status = http.HTTPStatus.FORBIDDEN
    secret = PhoneChannel(receiver.url.replace("://", "://user:passw0rd@") + "/t0ken?+Key=k3y")
    async with SharedProcess() as process:
        delivery = await process.send(secret, MESSAGE)
        with pytest.raises(SettingsError) as refusal:
            await process.check(Contact("mum", (PhoneChannel("tgram://t0ken"),)))
    written = "".join([caplog.text, *capfd.readouterr(), repr(secret), repr(delivery), str(refusal.value)])
    for part in ("passw0rd", "t0ken", "k3y"):
        assert part not in written


@pytest.mark.parametrize("url", ["ntfy.sh/a-secret", "secret", "user:secret@host", "//secret", "", "se cret://host"])
def test_a_url_without_a_scheme_gives_nothing_of_it_away(url: str) -> None:
    assert PhoneChannel(url).scheme == "unknown"
    assert PhoneChannel("NTFYS://secret@host/topic").scheme == "ntfys"


async def test_a_url_can_be_checked_without_a_message(receiver: VirtualPhone) -> None:
    async with SharedProcess() as process:
        await process.check(Contact("mum", (PhoneChannel(receiver.url),)))
        assert not receiver.rang.is_set()
        with pytest.raises(SettingsError, match=r"^contact mum: Apprise does not understand the URL; "):
            await process.check(Contact("mum", (PhoneChannel("nonsense://somewhere"),)))


def charted() -> Message:
    chart = Chart("bpm", tuple((1000.0 + second, 60.0 + second % 7) for second in range(60)))
    return replace(MESSAGE, picture=chart, actions=(Action("I'm fine", "https://home/x"),))


@pytest.fixture
def ntfy() -> Iterator[NtfyServer]:
    with ntfy_server() as server:
        yield server


async def test_a_picture_goes_along_where_it_is_taken_and_keeps_no_word_back_where_it_is_not(ntfy: NtfyServer) -> None:
    async with SharedProcess() as process:
        delivery = await process.send(PhoneChannel(ntfy.url), charted())
        assert (delivery.accepted, delivery.service) == (True, "ntfy")
        published = ntfy.published.get_nowait()
        assert published.title == MESSAGE.title
        assert MESSAGE.body in published.message
        assert published.attachment.startswith(b"\x89PNG")
        assert ntfy.published.empty()
        nothing_to_draw = replace(MESSAGE, picture=Chart("bpm", ((1000.0, None),)))
        assert (await process.send(PhoneChannel(ntfy.url), nothing_to_draw)).accepted
        assert ntfy.published.get_nowait().attachment == b""
        ntfy.takes_pictures = False
        assert (await process.send(PhoneChannel(ntfy.url), charted())).accepted
        published = ntfy.published.get_nowait()
        assert (published.title, published.attachment) == (MESSAGE.title, b"")
        ntfy.status = http.HTTPStatus.FORBIDDEN
        delivery = await process.send(PhoneChannel(ntfy.url), charted())
        assert (delivery.reason, delivery.refused) == ("the service answered 403 Forbidden", True)


async def test_a_service_that_hangs_up_may_have_taken_the_message_and_one_out_of_reach_has_not(
    ntfy: NtfyServer,
) -> None:
    ntfy.hangs_up = True
    delivery = await phones.send(PhoneChannel(ntfy.url), MESSAGE)
    assert (delivery.accepted, delivery.refused, delivery.unsure) == (False, False, True)
    async with VirtualPhone() as gone:
        pass
    delivery = await phones.send(PhoneChannel(gone.url), MESSAGE)
    assert (delivery.accepted, delivery.refused, delivery.unsure) == (False, False, False)


async def test_pain_21_a_service_that_has_moved_has_not_taken_the_message(ntfy: NtfyServer) -> None:
    async with SharedProcess() as process:
        for scheme in ("ntfy", "json", "form"):
            url = ntfy.url.replace("ntfy:", f"{scheme}:")
            for status in (301, 302, 303, 307, 308):
                ntfy.status = status
                delivery = await process.send(PhoneChannel(url), MESSAGE)
                assert not delivery.accepted
                assert delivery.reason == f"the service answered {status} {http.HTTPStatus(status).phrase}"
    assert ntfy.published.empty()


async def test_where_a_channel_has_no_buttons_their_links_are_lines(receiver: VirtualPhone) -> None:
    assert (await phones.send(PhoneChannel(receiver.url), charted())).accepted
    assert receiver.shown[0].body == f"{MESSAGE.body}\nI'm fine: https://home/x"
    two = PhoneChannel(f"{receiver.url}, {receiver.url}/other")
    assert (await phones.send(two, MESSAGE)).service == "JSON"
    assert len(receiver.shown) == 3


async def test_ntfy_shows_an_answer_as_a_button_that_posts(ntfy: NtfyServer) -> None:
    answers = [Action(f"我没事 {number}", f"http://hearthbeat.local:8460/a/t{number}") for number in range(4)]
    async with SharedProcess() as process:
        for picture in (None, charted().picture):
            message = replace(MESSAGE, actions=tuple(answers), picture=picture)
            assert (await process.send(PhoneChannel(ntfy.url), message)).accepted
            published = ntfy.published.get_nowait()
            assert json.loads(published.headers["x-actions"]) == [
                {"action": "http", "clear": True, "label": answer.label, "url": answer.url} for answer in answers[:3]
            ]
            assert published.message == f"{MESSAGE.body}\n{answers[3].label}: {answers[3].url}", "more are not shown"
            assert bool(published.attachment) == (picture is not None)
            assert published.headers["x-priority"] == "high"


async def test_no_message_lets_a_phone_fetch_an_icon_from_a_third_party(ntfy: NtfyServer) -> None:
    assert (await phones.send(PhoneChannel(ntfy.url), MESSAGE)).accepted
    published = ntfy.published.get_nowait()
    assert "https://" not in json.dumps([published.headers, published.fields])


async def test_a_phone_is_as_loud_as_the_matter_and_the_turn_want(ntfy: NtfyServer) -> None:
    async def priority(severity: Severity, turn: str, more: str = "") -> str:
        message = Message("T", "B", severity, turn=turn)
        assert (await process.send(PhoneChannel(ntfy.url + more), message)).accepted
        return ntfy.published.get_nowait().headers.get("x-priority", "default")

    async with SharedProcess() as process:
        assert await priority(Severity.INFO, "raised") == "default"
        assert await priority(Severity.WARNING, "raised") == "high"
        assert await priority(Severity.WARNING, "escalated-1") == "max"
        assert await priority(Severity.CRITICAL, "question") == "max"
        assert await priority(Severity.CRITICAL, "cleared") == "default"
        assert await priority(Severity.CRITICAL, "raised", "?priority=low") == "low"


async def test_the_process_serves_many_at_once_and_starts_again_when_it_was_killed(receiver: VirtualPhone) -> None:
    async with VirtualPhone() as hanging, SendingProcess() as process:
        hanging.hangs = True
        waiting = asyncio.create_task(process.send(PhoneChannel(hanging.url), MESSAGE))
        await hanging.rang.wait()
        channel = PhoneChannel(receiver.url)
        assert all(
            delivery.accepted
            for delivery in await asyncio.gather(process.send(channel, MESSAGE), process.send(channel, MESSAGE))
        )
        assert process._process is not None
        process._process.kill()
        await process._process.wait()
        assert (await process.send(channel, MESSAGE)).accepted
        waiting.cancel()
    assert len(receiver.shown) == 3


async def test_a_host_is_reached_or_not(receiver: VirtualPhone) -> None:
    async with SharedProcess() as process:
        assert await process.reaches(("127.0.0.1", receiver.port))
        async with VirtualPhone() as gone:
            pass
        assert not await process.reaches(("127.0.0.1", gone.port))
        delivery = await process.send(PhoneChannel(gone.url), MESSAGE)
        assert delivery.unreached == ("127.0.0.1", gone.port)
        receiver.status = http.HTTPStatus.FORBIDDEN
        refused = await process.send(PhoneChannel(receiver.url), MESSAGE)
        assert (refused.refused, refused.unreached) == (True, None)


async def test_the_virtual_phone_refuses_what_is_no_message(receiver: VirtualPhone) -> None:
    for body in (b"{}", b"[1]", b"\xff", b'{"title": "t"}'):
        reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()
        await writer.wait_closed()
    assert receiver.shown == []
