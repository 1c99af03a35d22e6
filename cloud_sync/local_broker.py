"""The connection to the local broker, for Home Assistant: values out, presses in; nothing is kept for later.

paho's own thread carries it and comes back by itself. What happens meanwhile is told to the event loop that made it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from cloud_sync.broker import Broker, make_client, refusal
from cloud_sync.home_assistant import OFFLINE, ONLINE, PRESS, Topics

# Our choice: it is in the same house, and one that restarts is back in seconds.
_FIRST_RETRY_S: Final = 1
_LONGEST_RETRY_S: Final = 60
# How long the farewell may take, s.
_FAREWELL_S: Final = 2.0

_log = structlog.get_logger("home_assistant")


@dataclass(frozen=True, slots=True)
class Heard:
    """What is done when something happens, in the event loop.

    `born`: Home Assistant or the broker has come up and knows nothing of us. `announced`: this device is announced by
    an earlier message. `pressed`: this device's button was pressed.
    """

    born: Callable[[], None]
    announced: Callable[[str], None]
    pressed: Callable[[str], None]


class LocalBroker:
    """One connection of `home`; to be made in an event loop. Raises BrokerError for files that cannot be used."""

    def __init__(self, broker: Broker, home: str, topics: Topics, heard: Heard) -> None:
        self._broker = broker
        self._topics = topics
        self._heard = heard
        self._loop = asyncio.get_running_loop()
        self.error: str | None = None
        self._client = make_client(broker, f"hearthbeat-home-{home}", keeps_session=False, comes_back=True)
        self._client.reconnect_delay_set(_FIRST_RETRY_S, _LONGEST_RETRY_S)
        self._client.will_set(topics.status, OFFLINE, qos=1, retain=True)
        self._client.on_connect = self._connected
        self._client.on_connect_fail = self._failed
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._received

    def start(self) -> None:
        """Begin to connect; returns at once."""
        properties = None
        if self._broker.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has no types here
            properties.SessionExpiryInterval = 0
        clean = True if self._broker.protocol == "5" else mqtt.MQTT_CLEAN_START_FIRST_ONLY
        self._client.connect_async(
            self._broker.host, self._broker.port, self._broker.keep_alive_s, clean_start=clean, properties=properties
        )
        self._client.loop_start()

    def is_alive(self) -> bool:
        """Whether paho's thread runs; what a broker sends may end it. If it does not, `stop` this and make another."""
        return self._client._thread is not None  # noqa: SLF001 -- paho tells it in no other way

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Send at once; whether there is a connection to send by.

        A value goes with QoS 0: what has no acknowledgement yet paho would send again over the next connection, which
        may come hours later, and the house would be shown a heartbeat of long ago.
        """
        if not self._client.is_connected():
            return False
        self._client.publish(topic, payload, qos=1 if retain else 0, retain=retain)
        return True

    def stop(self) -> None:
        """Say that the home is offline, and end; takes a second or two at most."""
        if self._client.is_connected() and self.is_alive():
            self._client.publish(self._topics.status, OFFLINE, qos=1, retain=True).wait_for_publish(_FAREWELL_S)
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(
        self,
        client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._complain(str(refusal("it refuses the connection", reason, self._broker)))
            return
        self.error = None
        _log.info("connected to the local broker", broker=self._broker.address)
        client.subscribe([(topic, 1) for topic in (self._topics.birth, self._topics.every_press)])
        client.subscribe(self._topics.every_config, 1)
        client.publish(self._topics.status, ONLINE, qos=1, retain=True)
        self._tell(self._heard.born)

    def _failed(self, _client: mqtt.Client, _userdata: object) -> None:
        self._complain(f"{self._broker.address}: cannot be reached; check host and port under [home_assistant]")

    def _disconnected(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._complain(f"{self._broker.address}: the connection was lost ({str(reason).lower()}); it comes back")

    def _received(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        announced, pressed = self._topics.announced(message.topic), self._topics.pressed(message.topic)
        if message.topic == self._topics.birth:
            if message.payload == ONLINE:
                self._tell(self._heard.born)
        elif announced is not None and message.payload:
            self._tell(self._heard.announced, announced)
        # A press that the broker has kept was of another time: who knows what it was to answer.
        elif pressed is not None and message.payload == PRESS and not message.retain:
            self._tell(self._heard.pressed, pressed)

    def _tell(self, what: Callable[..., None], *about: str) -> None:
        self._loop.call_soon_threadsafe(what, *about)

    def _complain(self, error: str) -> None:
        error = error.replace("[broker]", "[home_assistant]")
        if error != self.error:
            _log.warning("home assistant is not told", error=error)
        self.error = error
