"""The bar for what leaves the house: a month of minutes of one person is 1.5 MB at most on the wire.

A heart-rate strap with RR intervals is worn all day and night, which is the most that it can tell. All of MQTT counts,
both ways: connecting, topics, headers, payloads, acknowledgements. TLS and TCP are left out: their share is the
network's matter, some 100 bytes a message.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

from cloud_sync.broker import Broker
from cloud_sync.messages import Kind, Topic, sealing
from cloud_sync.publisher import Publisher
from edge.recorder import Recorder
from edge.settings.home import Settings
from edge.store.store import Batch, Store
from edge.telling.telling import Telling, home_of
from edge.virtual.recording import read_rr
from tests.benchmarks.test_bench_store import START, grouped, hr_readings, rr_readings
from tests.fakes.broker import Mosquitto, free_port, mosquitto
from tests.fakes.clock import ManualClock

__all__ = ["mosquitto"]

BAR_BYTES = 1.5e6
MINUTES_A_MONTH = 30 * 24 * 60
PEOPLE = {"plain": 3, "sealed": 1}
PATIENCE_S = 60.0


class Wire:
    """A TCP connection through us to the broker; `bytes` counts all that passed, both ways."""

    def __init__(self, broker: Mosquitto) -> None:
        self.port = free_port()
        self.bytes = 0
        self._listening = socket.create_server(("127.0.0.1", self.port))
        self._broker = (broker.host, broker.port)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near = self._listening.accept()[0]
                far = socket.create_connection(self._broker)
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.bytes += len(data)
                sink.sendall(data)
        sink.close()


def as_fine_as_a_strap(rr_ms: NDArray[np.float64], chance: np.random.Generator) -> NDArray[np.float64]:
    """The recordings are in steps of 1/128 s, which would compress too well: spread within a step, at random."""
    return rr_ms + chance.uniform(-500.0 / 128.0, 500.0 / 128.0, rr_ms.size)


def tell(store: Store, settings: Settings) -> None:
    """Fill the outbox as the daemon does, hour by hour."""
    clock = ManualClock(START)
    recorder = Recorder(store, clock=clock, interval_s=6.0)
    home = home_of(settings, store)
    assert home is not None

    def nothing() -> None:
        pass

    async def run() -> None:
        telling = Telling(settings, store, recorder, clock, home, lambda *_: ("strap",), nothing, nothing)
        for _ in range(26):
            clock.step_wall(3600.0)
            await telling.look()
        await recorder.close()

    asyncio.run(run())


def on_the_wire(store: Store, broker: Mosquitto) -> int:
    """Bytes that it takes to bring all of the outbox to the broker."""
    wire = Wire(broker)
    publisher = Publisher(Broker("127.0.0.1", wire.port, tls=False), store.path, "home-1234")
    publisher.start()
    limit = monotonic() + PATIENCE_S
    while store.outbox.outbox_depth():
        assert monotonic() < limit, publisher.state()
        sleep(0.02)
    publisher.stop()
    wire.close()
    return wire.bytes


@pytest.mark.recordings
@pytest.mark.parametrize("form", PEOPLE)
def test_bench_a_month_of_minutes_on_the_wire(
    benchmark: BenchmarkFixture,
    recordings: Path,
    tmp_path: Path,
    mosquitto: Mosquitto,
    capsys: pytest.CaptureFixture[str],
    form: str,
) -> None:
    settings = Settings.model_validate(
        {
            "home": {"id": "home-1234"},
            "people": [{"id": "anna", "contacts": ["phone"]}],
            "contacts": [{"id": "phone", "url": "json://localhost"}],
            "broker": {
                "host": "localhost",
                "encrypt_to": sealing.public_half(sealing.new_key()).text if form == "sealed" else None,
            },
        }
    )

    def measure() -> tuple[float, float]:
        """Bytes a month of minutes, and of hours, days and assessments beside them; the mean over some people."""
        minutes, others = [], []
        for number, record in enumerate(sorted((recordings / "nsr2db").glob("*.hea"))[: PEOPLE[form]]):
            chance = np.random.default_rng(number)
            rr_ms = as_fine_as_a_strap(read_rr(record).rr_ms, chance)
            with Store(tmp_path / f"{number}.db") as store:
                for group in grouped(rr_readings("anna", rr_ms) + hr_readings("anna", rr_ms, chance)):
                    store.commit(Batch(readings=[replace(reading, person="anna") for reading in group]))
                tell(store, settings)
                sizes = Counter[Kind]()
                beside = []
                for message in store.outbox.next_messages(1000):
                    kind = Topic.parse(message.topic).kind
                    sizes[kind] += len(message.topic) + len(message.payload) + 10
                    beside += [] if kind is Kind.MINUTES else [message.id]
                store.outbox.delete_messages(beside)
                (worn,) = store._connection.row("SELECT sum(last - first + 1) FROM told") or (0,)
                minutes.append(on_the_wire(store, mosquitto) / worn * MINUTES_A_MONTH)
                others.append((sizes.total() - sizes[Kind.MINUTES]) / worn * MINUTES_A_MONTH)
        return float(np.mean(minutes)), float(np.mean(others))

    month, beside = benchmark.pedantic(measure, rounds=1)  # type: ignore[no-untyped-call]  # no types here
    benchmark.extra_info["ratio"] = month / BAR_BYTES
    with capsys.disabled():
        print(  # noqa: T201 -- the ratio is what the benchmark is for
            f"\nwire, {form}: a month of minutes {month / 1e6:.2f} MB "
            f"({month / MINUTES_A_MONTH:.1f} bytes a minute), ratio {month / BAR_BYTES:.2f} (bar 1.00); "
            f"hours and days beside it {beside / 1e6:.2f} MB"
        )
    assert month <= BAR_BYTES
