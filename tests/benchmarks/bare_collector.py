"""What a collector costs at least: paho's subscriber and COPY of what it brings; nothing is promised.

python -m tests.benchmarks.bare_collector PORT CONNINFO COUNT
"""

from __future__ import annotations

import sys
import time

import paho.mqtt.client as mqtt
import psycopg
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

BATCH = 1000


def main(port: int, conninfo: str, count: int) -> None:
    rows: list[tuple[str, bytes]] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "bare", protocol=MQTTProtocolVersion.MQTTv5)
    client.on_message = lambda _client, _userdata, message: rows.append((message.topic, bytes(message.payload)))
    client.on_connect = lambda client, *_: client.subscribe("$share/bare/hearthbeat/v1/#", qos=1)
    client.on_subscribe = lambda *_: print("ready", flush=True)  # noqa: T201 -- whoever measures waits for it
    client.connect("127.0.0.1", port)
    stored, first = 0, time.monotonic()
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while stored < count:
            client.loop(0.01)
            if len(rows) >= BATCH or (rows and time.monotonic() - first > 0.05):
                with connection.cursor().copy("COPY bare (topic, payload) FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
                stored += len(rows)
                rows.clear()
                first = time.monotonic()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
