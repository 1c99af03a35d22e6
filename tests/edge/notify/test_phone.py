"""Real channels of Apprise, a real HTTP receiver, and the ways in which a phone is not reached."""

from __future__ import annotations

import asyncio
import http
import logging
from collections.abc import AsyncIterator

import psutil
import pytest

from edge.errors import SettingsError
from edge.notify import phone
from edge.notify.phone import Contact, Message, PhoneChannel, SendingProcess
from edge.readings import Severity
from edge.virtual.phone import ShownMessage, VirtualPhone

MESSAGE = Message("Mum: irregular heartbeat", "since 14:05, 31 % – größer\nsecond line", Severity.WARNING)


@pytest.fixture
async def receiver() -> AsyncIterator[VirtualPhone]:
    async with VirtualPhone() as opened:
        yield opened


async def test_a_message_is_shown_as_it_was_written(receiver: VirtualPhone) -> None:
    delivery = await phone.send(PhoneChannel(receiver.url), MESSAGE)
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
    delivery = await phone.send(PhoneChannel(receiver.url), MESSAGE)
    assert not delivery.accepted
    assert delivery.reason == reason


async def test_a_phone_out_of_reach_is_no_delivery() -> None:
    async with VirtualPhone() as gone:
        url = gone.url
    delivery = await phone.send(PhoneChannel(url), MESSAGE)
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
    async with SendingProcess() as process:
        delivery = await process.send(secret, MESSAGE)
        with pytest.raises(SettingsError) as refusal:
            await process.check(Contact("mum", (PhoneChannel("tgram://t0ken"),)))
    written = "".join([caplog.text, *capfd.readouterr(), repr(secret), repr(delivery), str(refusal.value)])
    for part in ("passw0rd", "t0ken", "k3y"):
        assert part not in written


async def test_a_url_can_be_checked_without_a_message(receiver: VirtualPhone) -> None:
    async with SendingProcess() as process:
        await process.check(Contact("mum", (PhoneChannel(receiver.url),)))
        assert not receiver.rang.is_set()
        with pytest.raises(SettingsError, match=r"^contact mum: Apprise does not understand the URL; "):
            await process.check(Contact("mum", (PhoneChannel("nonsense://somewhere"),)))


async def test_the_virtual_phone_refuses_what_is_no_message(receiver: VirtualPhone) -> None:
    for body in (b"{}", b"[1]", b"\xff", b'{"title": "t"}'):
        reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()
        await writer.wait_closed()
    assert receiver.shown == []
