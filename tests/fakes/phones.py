"""One process that speaks to Apprise for all tests of a session: the daemon's own, which takes its time to start."""

from __future__ import annotations

import atexit
import socket
import subprocess
import sys
from functools import cache

from edge.notify.phone import Delivery, Message, PhoneChannel, SendingProcess


@cache
def _started() -> socket.socket:
    """The control socket of the process, which ends when this one does and hangs up."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "edge.notify.apprise_process"],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


class SharedProcess(SendingProcess):
    """A SendingProcess that serves every event loop of this session, one after the other."""

    async def _start(self) -> None:  # type: ignore[override]
        self._control = _started()

    async def close(self) -> None:
        """Leave it to the next test."""


async def send(channel: PhoneChannel, message: Message) -> Delivery:
    """As phone.send does, by the process that is there already."""
    return await SharedProcess().send(channel, message)
