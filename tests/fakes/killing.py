"""Home, broker, collector and PostgreSQL as processes that are killed in turn while messages flow."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Protocol, Self

import psycopg

from edge.store.store import Store
from tests.fakes import replaying_home
from tests.fakes.broker import Mosquitto
from tests.fakes.postgres import Postgres

PATIENCE_S: Final = 120.0
TABLES: Final = ("minute_messages", "hour_messages", "alert_messages")
# What `hearthbeat-collector run` is, without the script that pip makes.
COLLECTOR: Final = (
    "import sys; from cloud_sync.collector.cli import main; sys.exit(main(['run', '--config', sys.argv[1]]))"
)
_CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent


def write_settings(path: Path, port: int, database: str, name: str = "one", metrics_port: int = 0) -> Path:
    """Settings of a collector between the broker at `port` and `database`."""
    path.write_text(
        f'[broker]\nhost = "127.0.0.1"\nport = {port}\ntls = false\n[database]\nconninfo = "{database}"\n'
        f'[collector]\nname = "{name}"\n[metrics]\nport = {metrics_port}\n'
    )
    return path


class Victim(Protocol):
    """What can be killed and started again."""

    def start(self) -> None:
        """Start it."""

    def kill(self) -> None:
        """End it as a power cut would."""


class Program:
    """A Python program of ours in a process of its own."""

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        self._arguments = arguments
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and go on while it wakes up."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._arguments],
                cwd=_CHECKOUT,
                env=os.environ | {"PYTHONPATH": str(_CHECKOUT)},
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            assert self._process.poll() is None, self._log.read_text()
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the messages: how many were made, and which are not there, or there twice."""

    made: int
    lost: int
    doubles: int
    waiting_at_home: int


class Chain:
    """From a home's store to PostgreSQL; all of it runs while the block lasts."""

    def __init__(self, folder: Path, postgres: Postgres, collectors: int = 1) -> None:
        self._home_folder = folder / "home"
        self._home_folder.mkdir()
        self._postgres = postgres
        self._database = postgres.make_database()
        self._mosquitto = Mosquitto(folder / "mosquitto")
        arguments = ["-m", "tests.fakes.replaying_home", str(self._home_folder), str(self._mosquitto.port)]
        self.victims: dict[str, Victim] = {
            "home": Program(arguments, folder / "home.log"),
            "broker": self._mosquitto,
            "PostgreSQL": postgres,
        }
        for number in range(1, collectors + 1):
            name = f"collector {number}"
            settings = write_settings(folder / f"{number}.toml", self._mosquitto.port, self._database, f"{number}")
            self.victims[name] = Program(["-c", COLLECTOR, str(settings)], folder / f"{name}.log")
        self._ending = ExitStack()
        self._moment = threading.Event()

    def __enter__(self) -> Self:
        # The home last: what nobody has subscribed to yet would only come again.
        for name in [*sorted(self.victims.keys() - {"home", "PostgreSQL"}), "home"]:
            self.victims[name].start()
            self._ending.callback(self.victims[name].kill)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def kill(self, name: str, chance: random.Random, longest_life_s: float, longest_death_s: float) -> None:
        """Let all live for a while, kill one, and start it again after another while."""
        self._moment.wait(chance.uniform(0.0, longest_life_s))
        self.victims[name].kill()
        self._moment.wait(chance.uniform(0.0, longest_death_s))
        self.victims[name].start()

    def stored(self) -> int:
        """How many messages are in the database."""
        return len(self._rows())

    def wait_for_more(self, count: int) -> None:
        """Wait until at least `count` messages are stored."""
        self._wait(lambda: self.stored() >= count)

    def end(self) -> Verdict:
        """Make no more messages, wait until the home knows that all are safe, and count."""
        (self._home_folder / replaying_home.ENOUGH).touch()
        made = self._made()
        while (again := self._made()) != made or self._moment.wait(0.5):
            made = again
        expected = {message.id for message in islice(replaying_home.traffic().messages(), made)}
        self._wait(lambda: expected <= set(self._rows()) and self._waiting() == 0)
        rows = self._rows()
        return Verdict(made, len(expected - set(rows)), len(rows) - len(set(rows)), self._waiting())

    def _made(self) -> int:
        made = self._home_folder / replaying_home.MADE
        return int(made.read_text()) if made.exists() else 0

    def _waiting(self) -> int:
        with Store(self._home_folder / replaying_home.STORE) as store:
            return store.outbox.outbox_depth()

    def _rows(self) -> list[str]:
        query = " UNION ALL ".join(f"SELECT id::text FROM hearthbeat.{table}" for table in TABLES)
        try:
            with psycopg.connect(self._database) as connection:
                return [identifier for (identifier,) in connection.execute(query.encode())]
        except psycopg.errors.UndefinedTable:
            return []

    def _wait(self, condition: Callable[[], bool]) -> None:
        limit = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > limit:
                return
            self._moment.wait(0.2)
