"""A real mosquitto of the test's own, and a subscriber that keeps all that arrives."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

PATIENCE_S = 20.0


def find_program(name: str) -> str:
    """The path of a program of the Debian package mosquitto; the test is skipped where there is none."""
    program = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip(f"{name} is not installed (Debian package mosquitto)")
    return program


class Mosquitto:
    """A broker on a free loopback port, with MQTT 5 and persistence in `folder`.

    `users` maps names to passwords (nobody else may connect), `options` are further lines of mosquitto.conf. `prefix`
    is a command that starts it elsewhere, such as in a network namespace where `host` is its address. A `quiet` one
    logs no line for each packet, which would cost more than the packets do.
    """

    def __init__(
        self,
        folder: Path,
        *,
        users: Mapping[str, str] | None = None,
        options: str = "",
        persistence: bool = True,
        host: str = "127.0.0.1",
        prefix: Sequence[str] = (),
        quiet: bool = False,
    ) -> None:
        self.host = host
        self.port = free_port()
        self._persistence = persistence
        self._prefix = prefix
        self._log_types = ("error", "information") if quiet else ("all",)
        self.log: list[str] = []
        self._program = find_program("mosquitto")
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self._listener: threading.Thread | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._passwords = folder / "passwords"
        if users is not None:
            self.set_users(users)

    @property
    def process_id(self) -> int:
        """Of the one that runs."""
        assert self._process is not None
        return self._process.pid

    def set_users(self, users: Mapping[str, str]) -> None:
        """Who may connect; counts from the next start."""
        self._passwords.write_text("")
        self._passwords.chmod(0o600)
        for name, password in users.items():
            command = [find_program("mosquitto_passwd"), "-b", str(self._passwords), name, password]
            subprocess.run(command, check=True, capture_output=True)

    def start(self) -> None:
        """Start it, and wait until it listens."""
        configuration = self._folder / "mosquitto.conf"
        configuration.write_text(self._configuration())
        self._process = subprocess.Popen(
            [*self._prefix, self._program, "-c", str(configuration)],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        running = threading.Event()
        self._listener = threading.Thread(target=self._listen, args=(self._process, running), daemon=True)
        self._listener.start()
        assert running.wait(PATIENCE_S), self.log

    def stop(self) -> None:
        """End it as an update would: it saves what it holds."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def reload(self) -> None:
        """Let it read its files of passwords and rules again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._listener is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE_S)
            self._listener.join(PATIENCE_S)
            self._process = None

    def _listen(self, process: subprocess.Popen[str], running: threading.Event) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                self.log.append(line.rstrip())
                if line.rstrip().endswith("running"):
                    running.set()

    def _configuration(self) -> str:
        anonymous = not self._passwords.exists()
        lines = [
            f"listener {self.port} {self.host}",
            self._options,
            f"allow_anonymous {str(anonymous).lower()}",
            "" if anonymous else f"password_file {self._passwords}",
            f"persistence {str(self._persistence).lower()}",
            f"persistence_location {self._folder}/",
            "log_dest stderr",
            *(f"log_type {kind}" for kind in self._log_types),
            "max_queued_messages 0",
            "user root" if os.getuid() == 0 else "",
        ]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that arrived."""

    topic: str
    payload: bytes
    retained: bool

    @property
    def fields(self) -> dict[str, Any]:
        """The payload, read as JSON."""
        fields: dict[str, Any] = json.loads(self.payload)
        return fields


class Subscriber:
    """Keeps all that arrives under `topic`; its session outlives the broker's restarts and its own absence."""

    def __init__(
        self,
        broker: Mosquitto,
        topic: str = "hearthbeat/#",
        *,
        user: tuple[str, str] | None = None,
        identifier: str = "subscriber",
        keep_alive_s: int = 60,
    ) -> None:
        self.arrivals: list[Arrival] = []
        self._topic = topic
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, identifier, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.reconnect_delay_set(0.1, 0.1)  # type: ignore[arg-type]  # paho takes any number
        if user is not None:
            self._client.username_pw_set(*user)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._ready
        self._client.on_message = self._received
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no types here
        properties.SessionExpiryInterval = 3600
        self._client.connect(broker.host, broker.port, keep_alive_s, clean_start=False, properties=properties)
        self._client.loop_start()
        assert self._subscribed.wait(PATIENCE_S)

    def wait_for(self, condition: Callable[[list[Arrival]], bool], patience: float = PATIENCE_S) -> list[Arrival]:
        """What has arrived, as soon as `condition` holds of it."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.arrivals), patience), [a.topic for a in self.arrivals]
            return list(self.arrivals)

    def close(self) -> None:
        """Leave the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe(self._topic, qos=1)

    def _ready(self, *_: object) -> None:
        self._subscribed.set()

    def _received(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        with self._changed:
            self.arrivals.append(Arrival(message.topic, bytes(message.payload), message.retain))
            self._changed.notify_all()


def free_port() -> int:
    """A loopback port that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running broker that everybody may use."""
    broker = Mosquitto(tmp_path / "mosquitto")
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def subscriber(mosquitto: Mosquitto) -> Iterator[Subscriber]:
    """A subscriber to all that homes tell the broker."""
    listening = Subscriber(mosquitto)
    yield listening
    listening.close()
