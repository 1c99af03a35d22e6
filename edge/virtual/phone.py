"""A virtual phone: a tiny HTTP server on loopback that takes what Apprise's json:// posts and keeps what it showed.

It can misbehave as real channels do: answer with an error, hang, or be out of reach.
"""

from __future__ import annotations

import asyncio
import http
import json
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from edge.errors import DecodeError


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """What the phone showed; `kind` is Apprise's type of notification: info, success, warning or failure."""

    title: str
    body: str
    kind: str


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
            message = _message(await _body(reader))
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


async def _body(reader: asyncio.StreamReader) -> bytes:
    """The body of one HTTP/1.1 request that says its length (RFC 9112, 6.3); raises DecodeError when it does not."""
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return await reader.readexactly(int(value))
    raise DecodeError(
        "a request without Content-Length", where="virtual phone", mend="post to it with Apprise's json://"
    )


def _message(body: bytes) -> ShownMessage:
    try:
        fields = json.loads(body)
        return ShownMessage(title=fields["title"], body=fields["message"], kind=fields["type"])
    except (ValueError, KeyError, TypeError) as error:
        raise DecodeError(
            "no message of Apprise's JSON form", where="virtual phone", mend="post to it with Apprise's json://"
        ) from error


def _response(status: http.HTTPStatus) -> bytes:
    return f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
