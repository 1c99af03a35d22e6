"""As much of MQTT 5 as simulated homes need."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_sync.fleet import wire
from cloud_sync.fleet.wire import Decoder, Packet, PacketType
from edge.errors import BrokerError

# MQTT 5.0: CONNACK (3.2) with session present and no properties, PUBACK (3.4) short and with a reason, SUBACK (3.9),
# PINGRESP (3.13), DISCONNECT (3.14) by a server that shuts down.
ANSWERS = [
    (bytes.fromhex("2003010000"), Packet(PacketType.CONNACK, session_present=True)),
    (bytes.fromhex("40021234"), Packet(PacketType.PUBACK, 0x1234)),
    (bytes.fromhex("4003123410"), Packet(PacketType.PUBACK, 0x1234, 0x10)),
    (bytes.fromhex("90040001008f"), Packet(PacketType.SUBACK, 1, 0x8F)),
    (bytes.fromhex("d000"), Packet(PacketType.PINGRESP)),
    (bytes.fromhex("e0018b"), Packet(PacketType.DISCONNECT, reason=0x8B)),
    (bytes.fromhex("3008000161") + b"\x00body", Packet(PacketType.PUBLISH, topic="a", payload=b"body")),
]


@given(st.lists(st.sampled_from(ANSWERS)), st.data())
def test_packets_are_found_however_the_stream_is_cut(sent: list[tuple[bytes, Packet]], data: st.DataObject) -> None:
    stream, decoder, found = b"".join(answer for answer, _ in sent), Decoder(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += decoder.feed(stream[:size])
        stream = stream[size:]
    assert found == [packet for _, packet in sent]


@given(st.binary(max_size=300))
def test_whatever_comes_is_read_or_refused(noise: bytes) -> None:
    try:
        Decoder().feed(noise)
    except BrokerError:
        return


@given(st.integers(0, 300_000))
def test_lengths_are_those_of_the_specification(size: int) -> None:
    # 1.5.5: seven bits a byte, the lowest first.
    packet = wire.publish("t", bytes(size), 1)
    told, shift, place = 0, 0, 1
    while True:
        told |= (packet[place] & 0x7F) << shift
        shift, place = shift + 7, place + 1
        if packet[place - 1] < 0x80:
            break
    assert told == len(packet) - place == size + 6


@pytest.mark.parametrize("damaged", ["2000", "40021f", "ffffffffff", "3003000561", "32050001610001", "30050001619000"])
def test_what_is_cut_off_inside_or_not_for_a_home_is_refused(damaged: str) -> None:
    decoder = Decoder()
    with pytest.raises(BrokerError):
        decoder.feed(bytes.fromhex(damaged) + bytes(10))
