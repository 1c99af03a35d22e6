"""One connection to the broker, only to see whether it takes us."""

from __future__ import annotations

import time
from typing import Final

import paho.mqtt.client as mqtt
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from cloud_sync.broker import Broker, make_client, refusal, send_connect, silence

# How long the broker may take to answer CONNECT, s. Our choice: that of a session.
ANSWER_LIMIT_S: Final = 10.0
_STEP_S: Final = 0.1


def knock(broker: Broker, home: str) -> None:
    """Connect as `home` would, by a client id of its own, so that the daemon keeps its connection, and leave at once.

    Raises BrokerError when the broker does not take us.
    """
    answers: list[ReasonCode] = []

    def on_connect(
        _client: mqtt.Client, _userdata: object, _flags: mqtt.ConnectFlags, answer: ReasonCode, _: Properties | None
    ) -> None:
        answers.append(answer)

    client = make_client(broker, f"hearthbeat-{home}-doctor", keeps_session=False)
    client.on_connect = on_connect
    try:
        send_connect(client, broker, session_expiry_s=0)
        limit = time.monotonic() + ANSWER_LIMIT_S
        while not answers:
            if client.loop(_STEP_S) != mqtt.MQTT_ERR_SUCCESS and not answers:
                raise silence("the connection was lost", broker)
            if time.monotonic() > limit:
                raise silence("it does not answer", broker)
        if answers[0].is_failure:
            raise refusal("it refuses the connection", answers[0], broker)
        client.disconnect()
    finally:
        connection = client.socket()
        if connection is not None:
            connection.close()
