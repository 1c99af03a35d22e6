"""A small MQTT broker inside this process, with a subscriber that sees all that arrives: the demo's cloud.

It speaks MQTT 3.1.1 only (amqtt 0.12 refuses MQTT 5), which is why the broker's protocol can be set in hearthbeat.toml.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import paho.mqtt.client as mqtt
from amqtt.broker import Broker
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

_HOST: Final = "127.0.0.1"
_ANONYMOUS: Final = "amqtt.plugins.authentication.AnonymousAuthPlugin"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message that a subscriber of the broker received."""

    topic: str
    payload: bytes


class VirtualBroker:
    """An embedded broker on a free loopback port; every message that arrives goes to `on_arrival` in the event loop."""

    def __init__(self, on_arrival: Callable[[Arrival], None]) -> None:
        self.host = _HOST
        self.port = 0
        self.arrivals: list[Arrival] = []
        self._on_arrival = on_arrival
        self._broker: Broker | None = None
        self._subscriber = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)

    async def start(self) -> None:
        """Listen, and subscribe to everything of Hearthbeat's."""
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self.port = _free_port()
        listener = {"type": "tcp", "bind": f"{self.host}:{self.port}"}
        self._broker = Broker({"listeners": {"default": listener}, "plugins": {_ANONYMOUS: {"allow_anonymous": True}}})
        await self._broker.start()
        loop, subscribed = asyncio.get_running_loop(), asyncio.Event()

        def subscribe(client: mqtt.Client, *_: object) -> None:
            client.subscribe("hearthbeat/#", qos=1)

        def told(*_: object) -> None:
            loop.call_soon_threadsafe(subscribed.set)

        def received(_client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
            loop.call_soon_threadsafe(self._arrived, Arrival(message.topic, bytes(message.payload)))

        self._subscriber.on_connect = subscribe
        self._subscriber.on_subscribe = told
        self._subscriber.on_message = received
        self._subscriber.connect_async(self.host, self.port)
        self._subscriber.loop_start()
        await subscribed.wait()

    async def stop(self) -> None:
        """Disconnect the subscriber and close the port."""
        self._subscriber.disconnect()
        await asyncio.to_thread(self._subscriber.loop_stop)
        if self._broker is not None:
            await self._broker.shutdown()

    def _arrived(self, arrival: Arrival) -> None:
        self.arrivals.append(arrival)
        self._on_arrival(arrival)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
