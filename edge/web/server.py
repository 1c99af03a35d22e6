"""`hearthbeat web`: listens where the daemon says, and hands on to it what is pressed."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from contextlib import aclosing
from pathlib import Path
from typing import ClassVar, Final

import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge.errors import HearthbeatError
from edge.running import control
from edge.running.control import NoDaemonError, Words
from edge.running.supervision import ServiceManager, watchdog_period
from edge.web.app import PATIENCE_S, Ask, make_app

# Real seconds: how often the daemon is looked for, and told that this process is there (see edge.buttons.desk).
LOOK_EVERY_S: Final = 2.0
HEARTBEAT_S: Final = 60.0
# Real seconds that any connection may last, be it ever so slow, how many there may be, and how many from one address.
# Our choice: a page is there in a moment, and nobody can keep all others out.
LONGEST_CONNECTION_S: Final = 30.0
MOST_CONNECTIONS: Final = 64
MOST_OF_ONE: Final = 16
# Bytes of a request's head: an address has some 300. Our choice.
LARGEST_HEAD: Final = 16_384

_log = structlog.get_logger("web")


class _Impatient(H11Protocol):
    """A connection that ends in time, whatever the other side does; uvicorn itself waits for a request for ever."""

    _open: ClassVar[Counter[str]] = Counter()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._end = self.loop.call_later(LONGEST_CONNECTION_S, transport.abort)
        self._address = str((transport.get_extra_info("peername") or ("",))[0])
        self._open[self._address] += 1
        if self._open[self._address] > MOST_OF_ONE:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._end.cancel()
        self._open[self._address] -= 1
        if not self._open[self._address]:
            del self._open[self._address]
        super().connection_lost(exc)


async def serve(path: Path, manager: ServiceManager | None = None) -> None:
    """Show pages until SIGTERM or SIGINT; `path` is the socket at which the daemon answers.

    Raises HearthbeatError where it may not ask the daemon, or cannot listen.
    """
    manager = manager or ServiceManager()

    async def ask(request: Words) -> Words:
        async with aclosing(control.ask(path.parent, request, name=path.name)) as answers:
            said = [words async for words in answers]
        return said[0] if said else {}

    where = await _until_told(ask, path, manager)
    listening = _listen(str(where["listen"]), int(where["port"]))
    _log.info("listening", address=where["listen"], port=where["port"])
    manager.ready()
    manager.status("shows the pages behind buttons")
    beating = asyncio.create_task(_beat(ask, manager))
    try:
        await make_server(ask).serve(sockets=[listening])
    finally:
        beating.cancel()


def make_server(ask: Ask) -> uvicorn.Server:
    """The HTTP server, for sockets that listen; `ask` asks the daemon."""
    config = uvicorn.Config(
        make_app(ask),
        http=_Impatient,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="error",  # a line for each request that is none would fill the log
        access_log=False,  # addresses are secrets
        forwarded_allow_ips=["127.0.0.1", "::1"],  # a proxy on this machine may say who asks
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        h11_max_incomplete_event_size=LARGEST_HEAD,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


async def _until_told(ask: Ask, path: Path, manager: ServiceManager) -> Words:
    """Where the daemon wants this process to listen; waits for a daemon that wants it to."""
    waiting = False
    while True:
        try:
            return await ask({"do": "listen"})
        except NoDaemonError:
            if not waiting:
                _log.warning("no daemon wants pages", socket=str(path), mend="write [web] into hearthbeat.toml")
                manager.ready()  # it is up and waits: that is no failed start
                manager.status("waiting for a daemon with [web] in its settings")
            waiting = True
            manager.feed_watchdog()
            await asyncio.sleep(LOOK_EVERY_S)


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    both = address == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((address, port), family=family, backlog=MOST_CONNECTIONS, dualstack_ipv6=both)
    except OSError as error:
        raise HearthbeatError(
            os.strerror(error.errno or 0), where=f"{address} port {port}", mend="see [web] in hearthbeat.toml"
        ) from error


async def _beat(ask: Ask, manager: ServiceManager) -> None:
    """Tell the service manager and the daemon that this process is there, until cancelled."""
    every_s = min(HEARTBEAT_S, watchdog_period() or HEARTBEAT_S)
    while True:
        manager.feed_watchdog()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await ask({"do": "listen"})
        except (HearthbeatError, TimeoutError) as error:
            _log.debug("the daemon does not answer", error=str(error))
        await asyncio.sleep(every_s)
