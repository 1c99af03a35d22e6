"""A link that carries only so many bytes a second from the home to the broker."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

_CHUNK = 512


class NarrowLink:
    """Listens on a free loopback port and passes on to `port`; `bytes_a_second` from the home, all that comes back."""

    def __init__(self, port: int, bytes_a_second: float) -> None:
        self._target = port
        self._rate = bytes_a_second
        self._ended = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        # What lies in the kernel's buffers has left the home as far as it can tell: keep them small.
        self._server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.port: int = self._server.getsockname()[1]
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Drop everything."""
        self._ended.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for thread in self._threads:
            thread.join(20.0)

    def _serve(self) -> None:
        while True:
            try:
                home, _ = self._server.accept()
            except OSError:  # closed
                return
            broker = socket.create_connection(("127.0.0.1", self._target))
            for source, sink, pause in ((home, broker, _CHUNK / self._rate), (broker, home, 0.0)):
                thread = threading.Thread(target=self._pass_on, args=(source, sink, pause), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, pause: float) -> None:
        with source, suppress(OSError):
            while data := source.recv(_CHUNK):
                sink.sendall(data)
                if self._ended.wait(pause):
                    break
            sink.shutdown(socket.SHUT_RDWR)
