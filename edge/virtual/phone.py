"""A virtual phone: a tiny HTTP server on loopback that takes what Apprise posts and keeps what it showed.

It takes Apprise's own json://, and ntfy's way of publishing, with buttons and a picture (https://docs.ntfy.sh/publish/).
It can misbehave as real channels do: answer with an error, hang, or be out of reach.
"""

from __future__ import annotations

import asyncio
import http
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Final, Self
from urllib.parse import parse_qsl, urlsplit
from urllib.request import Request, urlopen

from edge.errors import DecodeError

# What a phone that ntfy makes loud would have been told by Apprise's own form.
_KINDS: Final[Mapping[str, str]] = MappingProxyType({"high": "warning", "max": "failure"})


@dataclass(frozen=True, slots=True)
class ShownButton:
    """A button beside a message: what it says, and where it posts to."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """What the phone showed; `kind` is Apprise's type of notification: info, success, warning or failure."""

    title: str
    body: str
    kind: str
    buttons: tuple[ShownButton, ...] = ()
    picture: bytes = b""


class VirtualPhone:
    """`async with VirtualPhone() as phone:` and give `phone.url` to a contact.

    `status` is what it answers with; a message that it answers with an error is not shown. `hangs` makes it take a
    message and never answer. `rang` is set when a message arrives, whatever becomes of it. `port` 0 is any free one; a
    phone that returns is a new one on its former port.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.status = http.HTTPStatus.OK
        self.hangs = False
        self.rang = asyncio.Event()
        self.shown: list[ShownMessage] = []
        self._fresh: asyncio.Queue[ShownMessage] = asyncio.Queue()
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The Apprise URL of this phone."""
        return f"json://127.0.0.1:{self.port}"

    @property
    def ntfy_url(self) -> str:
        """The Apprise URL of this phone as one that listens to a topic of ntfy, and shows buttons."""
        return f"ntfy://127.0.0.1:{self.port}/phone"

    async def press(self, button: ShownButton) -> str:
        """Press a button; what it answers. Raises OSError where nobody, or a refusal, does."""

        def post() -> str:
            with urlopen(Request(button.url, method="POST"), timeout=10) as answer:  # noqa: S310 -- ours
                return str(answer.read().decode()).strip()

        return await asyncio.to_thread(post)

    async def next_message(self) -> ShownMessage:
        """Wait for the next message that nobody has waited for yet."""
        return await self._fresh.get()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None  # noqa: S101 -- entered before it is left
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._answer(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            message = _message(*await _request(reader))
            self.rang.set()
            if self.hangs:
                await asyncio.Event().wait()
            if self.status < http.HTTPStatus.MULTIPLE_CHOICES:
                self.shown.append(message)
                self._fresh.put_nowait(message)
            writer.write(_response(self.status))
        except (DecodeError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.write(_response(http.HTTPStatus.BAD_REQUEST))
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader) -> tuple[str, Mapping[str, str], bytes]:
    """Target, headers by their names in small letters, and body of one HTTP/1.1 request.

    Raises DecodeError where it does not say its body's length (RFC 9112, 6.3).
    """
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = headers.get("content-length", "")
    if not length.isdigit():
        raise DecodeError(
            "a request without Content-Length", where="virtual phone", mend="post to it with Apprise's json://"
        )
    return first.partition(" ")[2].partition(" ")[0], headers, await reader.readexactly(int(length))


def _message(target: str, headers: Mapping[str, str], body: bytes) -> ShownMessage:
    try:
        if "filename" in (query := dict(parse_qsl(urlsplit(target).query))):
            return _of_ntfy(query, headers, body)
        fields = json.loads(body)
        if "topic" in fields:
            return _of_ntfy(fields, headers, b"")
        return ShownMessage(title=fields["title"], body=fields["message"], kind=fields["type"])
    except (ValueError, KeyError, TypeError) as error:
        raise DecodeError(
            "no message of Apprise's JSON form", where="virtual phone", mend="post to it with Apprise's json://"
        ) from error


def _of_ntfy(fields: Mapping[str, str], headers: Mapping[str, str], picture: bytes) -> ShownMessage:
    actions = json.loads(headers.get("x-actions", "[]"))
    buttons = tuple(ShownButton(action["label"], action["url"]) for action in actions if action["action"] == "http")
    kind = _KINDS.get(headers.get("x-priority", ""), "info")
    return ShownMessage(fields["title"], fields["message"], kind, buttons, picture)


def _response(status: http.HTTPStatus) -> bytes:
    return f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
