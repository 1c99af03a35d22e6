"""A browser, a mail scanner, a button of ntfy: whoever speaks HTTP to the web process, one request at a time."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Mapping
from dataclasses import dataclass

# What a browser accepts; programs send "*/*".
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `headers` by their names in small letters."""

    status: int
    headers: Mapping[str, str]
    text: str


async def fetch(
    port: int,
    path: str,
    method: str = "GET",
    *,
    headers: Mapping[str, str] = HTML,
    body: bytes | None = None,
    source: str = "127.0.0.1",
) -> Answer:
    """Ask 127.0.0.1, from the address `source`."""

    def talk() -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20, source_address=(source, 0))
        try:
            connection.request(method, path, body=body, headers=dict(headers))
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, told, response.read().decode())
        finally:
            connection.close()

    return await asyncio.to_thread(talk)


async def raw(port: int, sent: bytes, *, hang_up: bool = True) -> bytes:
    """Send whatever it is, and read until the other side ends it; `hang_up` says that nothing more comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        if hang_up:
            writer.write_eof()
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
