"""A home without a network, in a process that can be put into a network namespace: its courier, store and Apprise.

`home FOLDER URL ASK_EVERY_S` has a notification that waits since three hours, its next retry minutes away, and prints
"failed" when the first attempt has failed, "told" when a channel took it, and goes on for as long as its input is open.
`ntfy PORT` is a server on all addresses of its namespace that prints what is published, a line of JSON each. `names
ADDRESS` is a name server there to which every name is this address.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from edge.clock import SystemClock
from edge.notices import Attempt, Notification, Severity
from edge.notify.courier import Courier
from edge.notify.phone import Contact, PhoneChannel, SendingProcess
from edge.recorder import Recorder
from edge.store.store import Batch, Store
from tests.fakes.ntfy import ntfy_server

HOURS_S = 3 * 3600.0
# Tries before, so that the next one by itself is minutes away.
TRIES = 20


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  the test reads it


class Telling(Recorder):
    """Prints what comes of attempts."""

    async def mark_sent(self, notification_ids: Sequence[str], now: float, log: Sequence[Attempt] = ()) -> None:
        await super().mark_sent(notification_ids, now, log)
        _say("told")

    async def mark_failed(
        self,
        notification_ids: Sequence[str],
        next_try: float,
        reason: str,
        log: Sequence[Attempt] = (),
        *,
        perhaps_told: bool = False,
    ) -> None:
        await super().mark_failed(notification_ids, next_try, reason, log, perhaps_told=perhaps_told)
        _say("failed")


def _put(store: Store) -> None:
    happened = time.time() - HOURS_S
    told = Notification("n", "a", "mum", "Mum: a fall?", "Ask.", Severity.CRITICAL, happened, turn="raised")
    store.commit(Batch(notifications=[told]))
    for _ in range(TRIES):
        store.notifications.mark_sending(["n"], happened)
        store.notifications.mark_failed(["n"], happened, "no network")


async def _home(folder: str, url: str, ask_every_s: str) -> None:
    clock = SystemClock()
    with Store(Path(folder) / "hearthbeat.db") as store:
        _put(store)
        async with SendingProcess() as phones:
            courier = Courier(
                Telling(store, clock=clock, interval_s=6.0),
                [Contact("mum", (PhoneChannel(url),))],
                clock,
                send=phones.send,
                reach=phones.reaches,
                ask_every_s=float(ask_every_s),
            )
            working = asyncio.create_task(courier.run())
            await asyncio.to_thread(sys.stdin.read)
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working


def _ntfy(port: str) -> None:
    with ntfy_server("0.0.0.0", int(port)) as server:
        while True:
            _say(json.dumps({**asdict(server.published.get()), "attachment": None}))


def _names(address: str) -> None:
    """Answers as RFC 1035, 4.1, has it: the question again, and an answer that points at its name (4.1.4)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("0.0.0.0", 53))
        while True:
            query, asker = server.recvfrom(512)
            (of_address,) = struct.unpack(">H", query[query.index(b"\0", 12) + 1 :][:2])
            question = query[12 : query.index(b"\0", 12) + 5]
            found = of_address == 1
            head = struct.pack(">HHHHH", 0x8180, 1, found, 0, 0)
            answer = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(address) if found else b""
            with suppress(OSError):  # a way back that is lost
                server.sendto(query[:2] + head + question + answer, asker)


if __name__ == "__main__":
    role, *arguments = sys.argv[1:]
    if role == "ntfy":
        _ntfy(*arguments)
    elif role == "names":
        _names(*arguments)
    else:
        asyncio.run(_home(*arguments))
