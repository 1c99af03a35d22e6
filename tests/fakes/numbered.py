"""Messages that carry numbers, so that a test can tell which have arrived, and brokers that hand them on."""

from __future__ import annotations

from pathlib import Path

import paho.mqtt.client as mqtt

from cloud_sync.receipts import receipt, receipt_topic
from edge.notices import OutboxMessage, Priority
from tests.fakes.broker import Arrival, Mosquitto, Subscriber

TOPIC = "hearthbeat/v1/home/anna/summary/minute"
STATUS = "hearthbeat/v1/home/status"


def rows(count: int, first: int = 0, priority: Priority = Priority.SUMMARY, topic: str = TOPIC) -> list[OutboxMessage]:
    """So many messages for the outbox, numbered from `first` on."""
    return [
        OutboxMessage(f"00000000-0000-4000-8000-{n:012}", topic, b"%d" % n, priority, float(n))
        for n in range(first, first + count)
    ]


def numbers(arrivals: list[Arrival]) -> list[int]:
    """The numbers of what has arrived, in its order."""
    return [int(arrival.payload) for arrival in arrivals if arrival.topic != STATUS]


class Collecting(Subscriber):
    """A subscriber that gives receipts, as the collector does."""

    def _received(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        super()._received(client, userdata, message)
        if message.topic != STATUS:
            identifier = f"00000000-0000-4000-8000-{int(message.payload):012}"
            client.publish(receipt_topic("home"), receipt([identifier]))


def bridged(folder: Path) -> tuple[Mosquitto, Mosquitto]:
    """A broker near the home and one far off that is told all that the near one is; neither is started yet."""
    far = Mosquitto(folder / "far")
    bridge = (
        "connection bridge",
        f"address {far.host}:{far.port}",
        "bridge_protocol_version mqttv50",
        "topic hearthbeat/# out 1",
        "cleansession false",
        "restart_timeout 1 1",
    )
    return Mosquitto(folder / "near", options="\n".join(bridge)), far
