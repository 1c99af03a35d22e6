"""What the command line asks of the running daemon, over a Unix socket that only its user and root can open.

One line of JSON asks; lines of JSON answer as things happen, and the last one says {"done": true}, or {"error": ...}.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import structlog

from edge.errors import HearthbeatError, WrongUseError

SOCKET_NAME: Final = "control.sock"
# Real seconds without a word after which a daemon is stuck; no step of an answer takes as long. Our choice.
PATIENCE_S: Final = 120.0
# Bytes of one line of an answer. Our choice: a status of many wearables takes some tens of thousands.
LONGEST_ANSWER: Final = 1024 * 1024

Words = Mapping[str, Any]
Answer = Callable[[Words], AsyncGenerator[Words, None]]

_log = structlog.get_logger("control")


class NoDaemonError(HearthbeatError):
    """No daemon runs here."""


class RefusedByDaemonError(HearthbeatError):
    """What the daemon says is wrong, with its own exit code."""

    def __init__(self, what: str, *, where: str, mend: str, exit_code: int) -> None:
        super().__init__(what, where=where, mend=mend)
        self.exit_code = exit_code


@asynccontextmanager
async def serving(
    folder: Path, answer: Answer, *, name: str = SOCKET_NAME, mode: int = 0o600, most: int | None = None
) -> AsyncIterator[None]:
    """Answer whoever asks, while the context lasts; who hangs up is answered no more.

    `mode` says who may ask; of those that ask at once, who comes after `most` is hung up on.
    """
    path = folder / name
    path.unlink(missing_ok=True)
    at_work: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 -- a coroutine that runs has one
        if most is not None and len(at_work) >= most:
            writer.close()
            return
        at_work.add(task)
        try:
            await _converse(reader, writer, answer)
        except ConnectionError:
            return  # whoever asked did not wait for the answer
        finally:
            at_work.discard(task)
            writer.close()

    server = await asyncio.start_unix_server(serve, path)
    path.chmod(mode)
    try:
        yield
    finally:
        server.close()
        for task in at_work:
            task.cancel()
        await asyncio.gather(*at_work, return_exceptions=True)
        path.unlink(missing_ok=True)


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
    telling = asyncio.ensure_future(_tell(await _first_line(reader), writer, answer))

    async def end_with_the_asker() -> None:
        while await reader.read(1024):
            pass
        telling.cancel()

    listening = asyncio.ensure_future(end_with_the_asker())
    try:
        await asyncio.wait((telling,))
        if not telling.cancelled():
            telling.result()
    finally:
        for task in (telling, listening):
            task.cancel()
        await asyncio.gather(telling, listening, return_exceptions=True)


async def _first_line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ValueError:  # longer than any request
        return b""


async def _tell(line: bytes, writer: asyncio.StreamWriter, answer: Answer) -> None:
    async def say(words: Words) -> None:
        writer.write(json.dumps(words).encode() + b"\n")
        await writer.drain()

    try:
        async with aclosing(answer(_request(line))) as answers:
            async for words in answers:
                await say(words)
        await say({"done": True})
    except HearthbeatError as error:
        await say({"error": {"what": error.what, "where": error.where, "mend": error.mend, "code": error.exit_code}})


def _request(line: bytes) -> Words:
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise WrongUseError("that is no request", where=SOCKET_NAME, mend="use the hearthbeat command")
    return asked


async def ask(folder: Path, request: Words, *, name: str = SOCKET_NAME) -> AsyncGenerator[Words, None]:
    """The running daemon's answer, as it comes.

    Raises NoDaemonError where none runs, RefusedByDaemonError with what the daemon says is wrong.
    """
    path = folder / name
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=LONGEST_ANSWER)
    except PermissionError as error:
        raise WrongUseError(
            "only the daemon's user and root may ask the daemon", where=str(path), mend="use sudo"
        ) from error
    except OSError as error:
        raise NoDaemonError("no daemon runs", where=str(path), mend="start it: systemctl start hearthbeat") from error
    try:
        writer.write(json.dumps(request).encode() + b"\n")
        await writer.drain()
        while True:
            words = await _next(reader, path)
            if words.get("done"):
                return
            if "error" in words:
                told = words["error"]
                raise RefusedByDaemonError(
                    told["what"], where=told["where"], mend=told["mend"], exit_code=int(told["code"])
                )
            yield words
    finally:
        writer.close()


async def _next(reader: asyncio.StreamReader, path: Path) -> Words:
    try:
        async with asyncio.timeout(PATIENCE_S):
            line = await reader.readline()
        words = json.loads(line)
    except (OSError, TimeoutError, ValueError) as error:
        raise HearthbeatError(
            "the daemon has not answered to the end", where=str(path), mend="see `systemctl status hearthbeat`"
        ) from error
    return words if isinstance(words, dict) else {}
