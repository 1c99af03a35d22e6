"""An ntfy server as a publisher sees it: JSON by POST, or a picture by POST to the topic; it keeps all that came.

Publishing as JSON, headers and query for attachments, and the answers are those of ntfy's page "Publishing"
(https://docs.ntfy.sh/publish/).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Published:
    """What was published, and when it had come whole (s of CLOCK_MONOTONIC, which all processes share)."""

    title: str
    message: str
    at: float
    headers: dict[str, str] = field(default_factory=dict)
    fields: dict[str, object] = field(default_factory=dict)
    attachment: bytes = b""


class NtfyServer(ThreadingHTTPServer):
    """`published` holds what came; `status` other than 200 refuses, `takes_pictures` False refuses those.

    With a status of redirection it points to a page of its own, which says 200 to whoever gets it, as websites do. One
    that `hangs_up` takes what comes and closes the connection in place of an answer.
    """

    daemon_threads = True

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((address, port), _Handler)
        self.port: int = self.server_address[1]
        self.published: Queue[Published] = Queue()
        self.status = 200
        self.takes_pictures = True
        self.hangs_up = False

    @property
    def url(self) -> str:
        """The Apprise URL of a topic here."""
        return f"ntfy://127.0.0.1:{self.port}/mum"


class _Handler(BaseHTTPRequestHandler):
    server: NtfyServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        at = time.monotonic()
        url = urlsplit(self.path)
        is_json = url.path == "/"
        status = self.server.status
        if not is_json and not self.server.takes_pictures:
            status = 400
        if status == 200:
            fields = json.loads(body) if is_json else {name: each[0] for name, each in parse_qs(url.query).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            attachment = b"" if is_json else body
            title, message = str(fields.get("title", "")), str(fields.get("message", ""))
            self.server.published.put(Published(title, message, at, headers, fields, attachment))
        if self.server.hangs_up:
            return
        answer = json.dumps({"id": "x"} if status == 200 else {"code": status * 100, "http": status, "error": "no"})
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", f"http://127.0.0.1:{self.server.port}/page")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Nothing: tests print what they want to be seen."""


@contextmanager
def ntfy_server(address: str = "127.0.0.1", port: int = 0) -> Iterator[NtfyServer]:
    """A server in a thread of its own."""
    server = NtfyServer(address, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
