"""What the collector tells of itself, as Prometheus metrics and as health, over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

# Upper bounds, s. Our choice: from a quiet commit to a bulletin of yesterday.
_BATCH_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
_AGE_S: Final = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 6 * 3600.0, 86_400.0, 7 * 86_400.0, 31 * 86_400.0)
_BATCH: Final = (1, 10, 50, 100, 250, 500, 1000, 2500)
_REQUEST_LIMIT_S: Final = 10.0


class Metrics:
    """Counters and gauges of one collector; each process has its own, a sum over all is Prometheus' business."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        prefix = "hearthbeat_collector"
        self.received = Counter(f"{prefix}_received", "Messages from the broker", registry=self.registry)
        self.stored = Counter(f"{prefix}_stored", "Messages new in the database", registry=self.registry)
        self.repeats = Counter(f"{prefix}_repeats", "Messages that were there already", registry=self.registry)
        self.refused = Counter(
            f"{prefix}_refused", "Messages that could not be read", ["reason"], registry=self.registry
        )
        self.passed_by = Counter(f"{prefix}_passed_by", "Messages from the cloud to homes", registry=self.registry)
        self.failures = Counter(f"{prefix}_failures", "Failed attempts", ["of"], registry=self.registry)
        self.connected = Gauge(f"{prefix}_connected", "1 while connected", ["to"], registry=self.registry)
        self.waiting = Gauge(
            f"{prefix}_waiting", "Messages taken from the broker and not yet committed", registry=self.registry
        )
        self.waiting_s = Gauge(
            f"{prefix}_batch_waiting_seconds", "How long the batch under way has waited", registry=self.registry
        )
        self.batch_s = Histogram(
            f"{prefix}_batch_seconds", "From a batch's begin to its commit", buckets=_BATCH_S, registry=self.registry
        )
        self.batch = Histogram(f"{prefix}_batch_messages", "Messages a batch", buckets=_BATCH, registry=self.registry)
        self.lag_s = Histogram(
            f"{prefix}_lag_seconds", "From arrival to commit", buckets=_BATCH_S, registry=self.registry
        )
        self.age_s = Histogram(
            f"{prefix}_age_seconds", "How old what a message tells is at its commit", buckets=_AGE_S,
            registry=self.registry,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Health:
    """How the collector is: healthy while it stores what comes; `why` says in a sentence what is wrong."""

    healthy: bool
    broker: str
    database: str
    why: str | None
    waiting: int
    waiting_s: float


class HealthServer:
    """Serves /metrics and /health on `host` and `port` (0: a free one), in a thread of its own."""

    def __init__(self, host: str, port: int, metrics: Metrics, health: Callable[[], Health]) -> None:
        class Handler(_Handler):
            pass

        Handler.metrics = metrics
        Handler.health = staticmethod(health)
        self._server = ThreadingHTTPServer((host, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """End, and free the port."""
        if self._thread.ident is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    metrics: Metrics
    health: Callable[[], Health]
    timeout = _REQUEST_LIMIT_S

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/metrics":
                health = type(self).health()
                self.metrics.waiting.set(health.waiting)
                self.metrics.waiting_s.set(health.waiting_s)
                self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self.metrics.registry))
            case "/health":
                health = type(self).health()
                status = HTTPStatus.OK if health.healthy else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, "application/json", json.dumps(asdict(health)).encode())
            case _:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"/metrics or /health\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- http.server's name
        """Nobody needs a line for every scrape."""

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
