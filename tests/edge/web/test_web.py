"""The web process over real HTTP, before the part of a daemon that answers links."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.cli import main
from edge.errors import HearthbeatError
from edge.notices import Button
from edge.running import control
from edge.running.control import Words
from edge.web import pages, server
from edge.web.app import Ask
from edge.web.limits import ADDRESS_BURST, ALL_BURST, FORGED_COST, MOST_ADDRESSES, Limits
from edge.web.server import make_server
from tests.fakes.alert_house import SETTINGS, house_in
from tests.fakes.browser import HTML, fetch, raw
from tests.fakes.link_house import WEB, LinkHouse, link_house

TOKEN = "0123456789abcdef0123456789abcdef"
NTFY = {"Accept": "*/*", "User-Agent": "ntfy/1.16"}


@asynccontextmanager
async def web(ask: Ask) -> AsyncIterator[int]:
    """The server on a free port of loopback."""
    listening = socket.create_server(("127.0.0.1", 0))
    made = make_server(ask)
    serving = asyncio.create_task(made.serve(sockets=[listening]))
    try:
        yield listening.getsockname()[1]
    finally:
        made.should_exit = True
        await serving


@dataclass
class Home:
    """A home whose buttons lead to `port`."""

    house: LinkHouse
    port: int

    @property
    def token_file(self) -> Path:
        return self.house.alerts.folder / "api-token"


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async def ask(request: Words) -> Words:
        async with aclosing(control.ask(tmp_path, request, name="links.sock")) as answers:
            (said,) = [words async for words in answers]
        return said

    async with link_house(house_in(tmp_path, SETTINGS + WEB + 'token_file = "api-token"\n')) as house, web(ask) as port:
        await house.raised()
        yield Home(house, port)


async def test_pain_16_a_preview_answers_nothing_and_a_button_does(home: Home) -> None:
    path = f"/a/{await home.house.token(Button.ACKNOWLEDGE)}"
    for method in ("GET", "HEAD"):
        assert (await fetch(home.port, path, method)).status == 200
    looked = await fetch(home.port, path)
    assert looked.text.count('<form method="post"><button>') == 1
    assert home.house.attending.open_alerts[0].acknowledged_at is None
    pressed = await fetch(home.port, path, "POST")
    assert (pressed.status, "Thank you" in pressed.text, "<form" in pressed.text) == (200, True, False)
    assert home.house.attending.open_alerts[0].acknowledged_by == "bert"
    again = await fetch(home.port, path, "POST")
    assert again.status == 409
    assert "counts once" in again.text


async def test_a_button_of_ntfy_posts_by_itself_and_reads_a_line(home: Home) -> None:
    path = f"/a/{await home.house.token(Button.SNOOZE)}"
    pressed = await fetch(home.port, path, "POST", headers=NTFY)
    assert pressed.status == 200
    assert pressed.headers["content-type"].startswith("text/plain")
    assert len(pressed.text.splitlines()) == 1
    assert home.house.attending.open_alerts[0].snoozed_until is not None


async def test_a_forged_link_is_refused_and_dear(home: Home) -> None:
    token = await home.house.token(Button.ACKNOWLEDGE)
    forged = f"/a/{token[:-5]}AAAAA"
    statuses = [(await fetch(home.port, forged, "POST")).status for _ in range(8)]
    assert statuses == [403] * 5 + [429] * 3
    assert home.house.desk.counts["forged"] == 5
    assert (await fetch(home.port, f"/a/{token}", "POST")).status == 429
    assert (await fetch(home.port, f"/a/{token}", "POST", source="127.0.0.2")).status == 200


async def test_a_proxy_on_this_machine_says_who_asks_and_nobody_else_can(home: Home) -> None:
    path = f"/a/{await home.house.token(Button.ACKNOWLEDGE)}"
    for source, many in (("127.0.0.1", "203.0.113.7"), ("127.0.0.3", "203.0.113.8")):
        headers = {**NTFY, "X-Forwarded-For": many}
        for _ in range(6):
            await fetch(home.port, "/a/forged", "POST", headers=headers, source=source)
        assert (await fetch(home.port, "/a/forged", "POST", headers=headers, source=source)).status == 429
    assert (await fetch(home.port, path, "GET", headers={**NTFY, "X-Forwarded-For": "203.0.113.9"})).status == 200
    assert (await fetch(home.port, path, "GET", source="127.0.0.3")).status == 429


async def test_whatever_else_is_asked_finds_a_small_page_and_nothing_of_the_house(home: Home) -> None:
    token = await home.house.token(Button.ACKNOWLEDGE)
    for path, method, status in (
        ("/", "GET", 404),
        ("/a/", "GET", 404),
        (f"/a/{token}/", "GET", 404),
        (f"/a/{token}/x", "GET", 404),
        ("/a/../../etc/passwd", "GET", 404),
        ("/a/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "GET", 404),
        ("/a/%00%ff%0d%0aX-Evil:1", "GET", 403),
        ("/status", "GET", 404),
        ("/docs", "GET", 404),
        (f"/a/{token}", "PUT", 405),
        (f"/a/{token}", "DELETE", 405),
        (f"/a/{token}", "OPTIONS", 405),
        ("/a/" + "A" * 4000, "GET", 403),
    ):
        answer = await fetch(home.port, path, method)
        assert answer.status == status, path
        assert "x-evil" not in answer.headers
        assert answer.headers["content-security-policy"] == pages.HEADERS["Content-Security-Policy"], path
        assert len(answer.text) < 3000
    assert home.house.attending.open_alerts[0].acknowledged_at is None


async def test_every_page_keeps_to_itself(home: Home) -> None:
    page = await fetch(home.port, f"/a/{await home.house.token(Button.ACKNOWLEDGE)}")
    for name, value in pages.HEADERS.items():
        assert page.headers[name.lower()] == value
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["connection"] == "close"
    assert "server" not in page.headers
    assert "set-cookie" not in page.headers
    assert not re.search(r"<script|javascript:|\son\w+=|https?://|src=|href=", page.text)


async def test_a_program_reads_what_its_token_lets_it_and_changes_nothing(home: Home) -> None:
    def bearer(token: str, scheme: str = "Bearer") -> dict[str, str]:
        return {"Authorization": f"{scheme} {token}", "Accept": "application/json"}

    async def status_of(path: str, headers: dict[str, str], method: str = "GET", source: str = "127.0.0.1") -> int:
        return (await fetch(home.port, path, method, headers=headers, source=source)).status

    home.token_file.write_text(f"{TOKEN}\nwhat comes after the first line is no part of it\n", encoding="utf-8")
    told = await fetch(home.port, "/api/v1/status", headers=bearer(TOKEN))
    assert (told.status, json.loads(told.text)["daemon"]) == (200, "running")
    assert len(told.text) > 200_000, "a large house has a large status"
    assert "access-control-allow-origin" not in told.headers
    told = await fetch(home.port, "/api/v1/alerts", headers=bearer(TOKEN, "bearer"))
    assert [alert["id"] for alert in json.loads(told.text)["alerts"]] == ["aaaa"]
    for method in ("POST", "PUT", "DELETE"):
        assert await status_of("/api/v1/alerts", bearer(TOKEN), method) == 405
    assert await status_of("/api/v1/people", bearer(TOKEN), source="127.0.0.2") == 404
    denied = [bearer(TOKEN[:-1]), bearer(TOKEN + "0"), bearer(""), {}, bearer(TOKEN, "Basic"), bearer("é" * 32)]
    for number, headers in enumerate(denied):
        answer = await fetch(home.port, "/api/v1/status", headers=headers, source=f"127.0.0.{number + 10}")
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer"), headers
        assert "running" not in answer.text
    assert home.house.desk.counts["denied"] == len(denied)
    statuses = [await status_of("/api/v1/status", bearer("guess"), source="127.0.0.4") for _ in range(7)]
    assert statuses == [401] * 5 + [429] * 2


@pytest.mark.parametrize("secret", [None, "", "short"])
async def test_without_a_whole_token_nobody_reads(home: Home, secret: str | None) -> None:
    if secret is not None:
        home.token_file.write_text(secret, encoding="utf-8")
    answer = await fetch(home.port, "/api/v1/status", headers={"Authorization": f"Bearer {secret or ''}"})
    assert answer.status == 401


@pytest.mark.parametrize("body", [b"x" * 1025, b"x" * 5_000_000], ids=["a little too much", "far too much"])
async def test_a_press_brings_nothing_along(home: Home, body: bytes) -> None:
    path = f"/a/{await home.house.token(Button.ACKNOWLEDGE)}"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = await raw(home.port, head.encode() + body[:100_000], hang_up=False)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert home.house.attending.open_alerts[0].acknowledged_at is None


async def test_a_body_without_end_is_not_read(home: Home) -> None:
    path = f"/a/{await home.house.token(Button.ACKNOWLEDGE)}"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = await raw(home.port, head.encode() + b"400\r\n" + b"x" * 1024 + b"\r\n", hang_up=False)
    assert b"Thank you" in answer, "it is answered, and hung up on, without the end of the body"


async def test_what_is_no_request_harms_nobody(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    for sent in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),  # TLS
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /a/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\r\n" * 50,
        b"GET /a/x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /a/x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /a/x HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"",
    ):
        answer = await raw(home.port, sent)
        assert not answer or answer.split()[1][:1] == b"4", answer
    assert (await fetch(home.port, f"/a/{await home.house.token(Button.SNOOZE)}")).status == 200
    assert "Traceback" not in "".join(capfd.readouterr())


async def test_a_slow_connection_ends_in_time(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LONGEST_CONNECTION_S", 0.1)
    async with asyncio.timeout(10.0):
        assert await raw(home.port, b"GET /a/x HT", hang_up=False) == b""
        assert await raw(home.port, b"", hang_up=False) == b""


async def test_where_it_cannot_listen_the_process_says_why_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        async def answer(_: Words) -> AsyncGenerator[Words, None]:
            yield {"listen": "127.0.0.1", "port": port}

        async with control.serving(tmp_path, answer, name="links.sock"):
            with pytest.raises(HearthbeatError) as refusal:
                await server.serve(tmp_path / "links.sock")
    assert str(refusal.value) == f"127.0.0.1 port {port}: Address already in use; see [web] in hearthbeat.toml"


async def test_nobody_can_keep_all_others_out(home: Home) -> None:
    opened = [
        await asyncio.open_connection("127.0.0.1", home.port, local_addr=("127.0.0.5", 0))
        for _ in range(server.MOST_CONNECTIONS + 10)
    ]
    assert (await fetch(home.port, f"/a/{await home.house.token(Button.SNOOZE)}")).status == 200
    for _, writer in opened:
        writer.close()
    with suppress(ConnectionError):
        await opened[-1][1].wait_closed()
    while True:  # who has hung up may come again
        with suppress(ConnectionError, OSError):
            if (await fetch(home.port, "/", source="127.0.0.5")).status == 404:
                break


def test_settings_without_pages_are_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hearthbeat.toml").write_text(SETTINGS, encoding="utf-8")
    assert main(["web", "--config", str(tmp_path / "hearthbeat.toml")]) == 2
    assert capsys.readouterr().err == f"{tmp_path / 'hearthbeat.toml'}: there is no [web]; write it, with its url\n"


@pytest.mark.parametrize("language", ["en", "zh-CN,zh;q=0.9"])
async def test_pain_19_a_daemon_that_does_not_answer_is_told(language: str) -> None:
    async def ask(_: Words) -> Words:
        raise HearthbeatError("no daemon runs", where="here", mend="start it")

    async with web(ask) as port:
        page = await fetch(port, "/a/x", "POST", headers={**HTML, "Accept-Language": language})
    assert page.status == 503
    assert ("may not have been noted" in page.text) == (language == "en")
    assert ("没有回应" in page.text) == (language != "en")


async def test_half_an_answer_is_no_answer() -> None:
    whole = {"status": 200, "title": "T", "words": "W", "button": None, "language": "en"}
    answers: list[Words] = [{}, *({name: whole[name] for name in whole if name != left} for left in whole)]

    async def ask(_: Words) -> Words:
        return answers.pop()

    async with web(ask) as port:
        assert [(await fetch(port, "/a/x", "POST")).status for _ in range(6)] == [503] * 6


def test_what_is_shown_is_text_and_never_a_tag() -> None:
    page = pages.html("<b>&", '"><script>', "</button>", 'en"><x')
    assert "<b>" not in page
    assert "<script" not in page
    assert page.count("</button>") == 1
    assert "<x" not in page


def test_who_asks_too_often_waits_and_all_others_do_not() -> None:
    limits = Limits(0.0)
    assert [limits.allow("192.0.2.1", 0.0) for _ in range(int(ADDRESS_BURST) + 1)] == [True] * int(ADDRESS_BURST) + [
        False
    ]
    assert limits.allow("192.0.2.2", 0.0)
    assert limits.allow("192.0.2.1", 2.0)
    limits.charge("192.0.2.3", 2.0)
    allowed = [limits.allow("192.0.2.3", 2.0) for _ in range(int(ADDRESS_BURST))]
    assert sum(allowed) == ADDRESS_BURST - FORGED_COST


def test_addresses_by_the_thousand_neither_pass_nor_fill_the_memory() -> None:
    limits = Limits(0.0)
    allowed = sum(limits.allow(f"2001:db8::{number:x}", 0.0) for number in range(3000))
    assert allowed == ADDRESS_BURST, "they are one network"
    limits = Limits(0.0)
    allowed = sum(limits.allow(f"2001:db8:{number:x}::1", 0.0) for number in range(3000))
    assert allowed == ALL_BURST
    assert len(limits._addresses) == MOST_ADDRESSES


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("en-GB", "en"), ("fr, ZH-hant", "zh"), ("", "en"), ("zh" * 9000, "en")],
)
def test_what_the_process_says_itself_is_told_in_the_language_of_the_browser(accepted: str, language: str) -> None:
    title, told, code = pages.saying(404, accepted)
    assert code == language
    assert title == {"en": "Nothing here", "zh": "没有这个页面"}[language]
    assert told
