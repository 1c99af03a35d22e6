"""Publishes a file of messages as fast as a broker takes them: MQTT 5, QoS 1, 1000 in flight, made beforehand.

python -m tests.benchmarks.raw_publisher PORT FILE
"""

from __future__ import annotations

import pickle
import socket
import sys
from collections import deque
from pathlib import Path

from cloud_sync.fleet import wire

WINDOW = 1000


def main(port: int, path: Path) -> None:
    messages: list[tuple[str, bytes]] = pickle.loads(path.read_bytes())
    packets = deque(
        wire.publish(topic, payload, number % 60_000 + 1) for number, (topic, payload) in enumerate(messages)
    )
    decoder, acknowledged, in_flight = wire.Decoder(), 0, 0
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(wire.connect("raw-publisher", 60, 0))
        while acknowledged < len(messages):
            for packet in decoder.feed(connection.recv(65_536)):
                if packet.type is wire.PacketType.PUBACK:
                    acknowledged += 1
                    in_flight -= 1
            now = min(WINDOW - in_flight, len(packets))
            in_flight += now
            connection.sendall(b"".join(packets.popleft() for _ in range(now)))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
