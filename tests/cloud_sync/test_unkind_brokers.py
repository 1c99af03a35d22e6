"""Brokers that are silent, throw us out, talk nonsense, lose what they have acknowledged, or want something else."""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from cloud_sync import publisher as publishing
from cloud_sync import pulse, receipts_awaited, refusals, session
from cloud_sync.broker import Broker, refusal
from cloud_sync.keeper import Keeper
from cloud_sync.publisher import Publisher
from cloud_sync.receipts import receipt, receipt_topic
from cloud_sync.session import Session
from edge.clock import SystemClock
from edge.notices import OutboxMessage, Priority
from edge.store.store import Batch, Store
from tests.fakes.scripted_broker import ScriptedBroker

IDS = [f"00000000-0000-4000-8000-{n:012}" for n in range(10)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "hearthbeat.db") as opened:
        opened.commit(
            Batch(messages=[OutboxMessage(IDS[n], f"t/{n}", b"", Priority.SUMMARY, float(n)) for n in range(10)])
        )
        yield opened


@pytest.fixture
def broker() -> Iterator[ScriptedBroker]:
    scripted = ScriptedBroker()
    yield scripted
    scripted.close()


Start = Callable[..., Publisher]


@pytest.fixture
def start(broker: ScriptedBroker, store: Store) -> Iterator[Start]:
    """Start a publisher; its waits last a hundredth of what they should."""
    started: list[Publisher] = []

    def begin(settings: Broker | None = None, pace: float = 0.01) -> Publisher:
        reached = settings or Broker("127.0.0.1", broker.port, tls=False)
        made = Publisher(replace(reached, port=broker.port), store.path, "home", pace=pace, chance=random.Random(1))
        made.start()
        started.append(made)
        return made

    yield begin
    for publisher in started:
        broker.hang_up()
        publisher.stop()


def say_online(broker: ScriptedBroker) -> None:
    identifier, topic = broker.next()
    while topic != "hearthbeat/v1/home/status":
        identifier, topic = broker.next()
    broker.acknowledge(identifier)


def wait_until(condition: Callable[[], bool]) -> None:
    moment = threading.Event()
    for _ in range(2000):
        if condition():
            return
        moment.wait(0.01)
    raise AssertionError


def waiting(store: Store) -> list[str]:
    return [message.id for message in store.outbox.next_messages(100)]


def test_a_link_on_which_packets_vanish_is_noticed_within_one_and_a_half_keep_alives(
    broker: ScriptedBroker, store: Store, start: Start
) -> None:
    # A Server Keep Alive (MQTT 5.0, 3.2.2.3.14) takes the place of ours.
    broker.answer = bytes([0x20, 6, 0, 0, 3, 0x13, 0, 1])
    publisher = start(Broker("127.0.0.1", tls=False, keep_alive_s=3600))
    say_online(broker)
    broker.acknowledge(broker.next()[0])
    assert broker.next()[1] == "t/1"
    say_online(broker)  # of the next connection: nothing has come, not even a closed one
    assert "nothing comes from it any more" in str(publisher._last_fault)
    assert broker.next()[1] == "t/1"
    assert waiting(store) == IDS[1:]


def test_a_message_that_is_never_acknowledged_is_sent_again(
    broker: ScriptedBroker, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "ACKNOWLEDGE_LIMIT_S", 0.3)
    monkeypatch.setattr(session, "STEP_S", 0.1)
    publisher = start()
    say_online(broker)
    assert broker.next()[1] == "t/0"
    with suppress(OSError):  # until the publisher has had enough
        while broker.connections == 1:
            broker.send(bytes([0xD0, 0]))  # PINGRESP: it lives
            publisher._stopping.wait(0.05)
    say_online(broker)
    assert broker.next()[1] == "t/0"
    assert "it does not acknowledge what it gets" in publisher._last_fault


def test_a_broker_that_says_nothing_while_an_alert_waits_is_not_waited_for_long(
    broker: ScriptedBroker, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "QUIET_LIMIT_S", 0.3)
    monkeypatch.setattr(session, "STEP_S", 0.1)
    publisher = start()
    say_online(broker)
    assert broker.next()[1] == "t/0"
    say_online(broker)
    assert broker.next()[1] == "t/0"
    assert "nothing comes from it any more" in publisher._last_fault


@pytest.mark.parametrize("code", [0x87, 0x90, 0x95, 0x99])
def test_a_message_for_which_the_broker_hangs_up_is_parked_when_it_says_so(
    broker: ScriptedBroker, store: Store, start: Start, code: int
) -> None:
    start()
    say_online(broker)
    assert broker.next()[1] == "t/0"
    broker.disconnect(code)
    say_online(broker)
    assert broker.next()[1] == "t/1"
    (parked,) = store.outbox.parked()
    assert parked.reason.endswith(f"(0x{code:02X})")


def test_a_message_that_ends_the_connection_holds_up_the_others_for_a_moment_only(
    broker: ScriptedBroker, store: Store, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "FIRST_HOLD_S", 0.3)
    monkeypatch.setattr(refusals, "LONGEST_HOLD_S", 0.3)
    monkeypatch.setattr(refusals, "MOST_STRIKES", 1)
    monkeypatch.setattr(session, "STEP_S", 0.1)
    start()
    taken: list[str] = []
    poison = 0
    while len(taken) < 9 or store.outbox.parked() == []:
        identifier, topic = broker.next()
        if topic == "t/0":
            poison += 1
            broker.hang_up()
        else:
            broker.acknowledge(identifier)
            taken += [topic] if topic.startswith("t/") else []
    assert taken == [f"t/{n}" for n in range(1, 10)]
    assert poison == 4
    (parked,) = store.outbox.parked()
    assert (parked.message.id, parked.reason) == (IDS[0], "the connection ended whenever it was sent")


def test_a_message_in_doubt_goes_alone_so_that_it_is_known_which_one_ends_the_connection(
    broker: ScriptedBroker, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "FIRST_HOLD_S", 0.2)
    monkeypatch.setattr(session, "STEP_S", 0.05)
    start()
    lost = 0
    while lost < refusals.PATIENCE:
        identifier, topic = broker.next()
        if topic == "t/0":
            lost += 1
            broker.hang_up()
        else:
            broker.acknowledge(identifier)
    say_online(broker)
    outstanding: list[int] = []
    while (arrived := broker.next())[1] != "t/9":
        outstanding.append(arrived[0])
        while len(outstanding) > 1:
            broker.acknowledge(outstanding.pop(0))
        if arrived[1] == "t/1":
            broker.acknowledge(outstanding.pop())
    outstanding.append(arrived[0])
    with pytest.raises(queue.Empty):
        broker.published.get(timeout=0.5)  # it stands back no more, but others are on their way
    for identifier in outstanding:
        broker.acknowledge(identifier)
    assert broker.next()[1] == "t/0"


@pytest.mark.parametrize(
    "nonsense",
    [
        bytes([0x40, 4, 0, 2, 0x95, 0]),  # a PUBACK with a reason that none may have
        bytes([0x40, 1, 0]),  # too short
        bytes([0x20, 2, 0, 0]),  # a CONNACK without properties
        bytes([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),  # no packet at all
        bytes([0x30, 5, 0, 200, 1, 2, 3]),  # a PUBLISH whose topic is longer than it
    ],
)
def test_a_broker_that_talks_nonsense_kills_no_thread(
    broker: ScriptedBroker, store: Store, start: Start, nonsense: bytes
) -> None:
    publisher = start()
    say_online(broker)
    assert broker.next()[1] == "t/0"
    broker.send(nonsense)
    say_online(broker)
    assert broker.next()[1] == "t/0"
    assert publisher.is_alive()
    assert "it sent what is no MQTT" in publisher._last_fault
    assert waiting(store) == IDS


def test_no_topic_of_mqtt_is_parked_and_holds_up_nothing(broker: ScriptedBroker, store: Store, start: Start) -> None:
    bad = ["t" * 65_536, "t/\0", "t/+", "#", "", "ü" * 40_000]
    # Urgent, so that they come first.
    rows = [
        OutboxMessage(f"bad-{n}", topic, b"", Priority.ALERT, 0.0) for n, topic in enumerate(bad) if topic != bad[5]
    ]
    store.commit(Batch(messages=rows))
    start()
    say_online(broker)
    assert broker.next()[1] == "t/0"
    assert {parked.message.id for parked in store.outbox.parked()} == {row.id for row in rows}
    assert all(parked.reason.startswith("no topic of MQTT") for parked in store.outbox.parked())


def test_a_topic_of_the_longest_that_mqtt_has_is_sent(broker: ScriptedBroker, store: Store, start: Start) -> None:
    topic = "t" * 65_535
    store.commit(Batch(messages=[OutboxMessage("long", topic, b"", Priority.ALERT, 0.0)]))
    start()
    say_online(broker)
    assert broker.next()[1] == topic


@pytest.mark.parametrize(
    ("code", "said", "wait"),
    [
        (0x86, "check username and password_file", publishing.REFUSED),
        (0x87, "check username and password_file", publishing.REFUSED),
        (0x8A, "ask its owner why this home is banned", publishing.REFUSED),
        (0x9D, "set host under [broker] to its new address", publishing.REFUSED),
        (0x88, "server unavailable", publishing.BUSY),
        (0x89, "server busy", publishing.BUSY),
        (0x97, "quota exceeded", publishing.BUSY),
        (0x9C, "use another server", publishing.BUSY),
        (0x9F, "connection rate exceeded", publishing.BUSY),
        (0x80, "unspecified error", publishing.LOST),
    ],
)
def test_a_refused_connection_says_what_to_do_and_is_not_tried_in_a_hurry(
    broker: ScriptedBroker, start: Start, code: int, said: str, wait: publishing.Wait
) -> None:
    broker.answer = bytes([0x20, 3, 0, code, 0])
    publisher = start(pace=1.0)
    wait_until(lambda: publisher.state().error is not None)
    state = publisher.state()
    assert said in str(state.error)
    assert state.refused == (wait is publishing.REFUSED)
    error = refusal("", ReasonCode(PacketTypes.CONNACK, identifier=code), publisher._broker)
    assert publishing.wait_after(error) is wait
    threading.Event().wait(0.05)
    assert broker.connections == 1
    assert wait.first >= (1.0 if wait is publishing.LOST else 30.0)


def test_a_broker_that_has_moved_is_told_but_not_followed(broker: ScriptedBroker, start: Start) -> None:
    where = b"other.example\n:8883"
    broker.answer = bytes([0x20, 6 + len(where), 0, 0x9D, 3 + len(where), 0x1C, 0, len(where)]) + where
    publisher = start(pace=1.0)
    wait_until(lambda: publisher.state().error is not None)
    assert "server moved, which is other.example:8883; set host" in str(publisher.state().error)
    assert publisher.state().refused


def test_a_broker_that_takes_qos_0_only_is_refused(broker: ScriptedBroker, start: Start) -> None:
    broker.answer = bytes([0x20, 5, 0, 0, 2, 0x24, 0])
    publisher = start(pace=1.0)
    wait_until(lambda: publisher.state().error is not None)
    assert "it takes QoS 0 only; let the broker accept QoS 1" in str(publisher.state().error)
    assert publisher.state().refused


def test_a_receive_maximum_that_none_may_have_is_told(broker: ScriptedBroker, start: Start) -> None:
    broker.answer = bytes([0x20, 6, 0, 0, 3, 0x21, 0, 0])
    publisher = start(pace=1.0)
    wait_until(lambda: publisher.state().error is not None)
    assert "it sent what is no MQTT" in str(publisher.state().error)


def test_two_homes_of_one_id_do_not_throw_each_other_out_for_ever(broker: ScriptedBroker, start: Start) -> None:
    publisher = start(pace=1.0)
    say_online(broker)
    broker.acknowledge(broker.next()[0])
    for _ in range(3):  # what is still on its way would make TCP throw the reason away
        broker.next()
    broker.disconnect(0x8E)
    wait_until(lambda: publisher.state().error is not None)
    assert publisher.state().refused
    assert "let no other Hearthbeat use the same id under [home]" in str(publisher.state().error)
    threading.Event().wait(0.05)
    assert broker.connections == 1


@pytest.mark.parametrize("seed", range(3))
def test_whatever_a_broker_answers_every_row_is_taken_or_kept(
    broker: ScriptedBroker, store: Store, start: Start, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    for module, name, seconds in (
        (refusals, "FIRST_HOLD_S", 0.01),
        (session, "STEP_S", 0.01),
        (session, "FIRST_PAUSE_S", 0.01),
        (session, "LONGEST_PAUSE_S", 0.01),
    ):
        monkeypatch.setattr(module, name, seconds)
    chance, acknowledged = random.Random(seed), set[str]()
    start(pace=0.001)
    while store.outbox.outbox_depth():
        try:
            identifier, topic = broker.published.get(timeout=0.1)
        except queue.Empty:
            continue
        deed = chance.choice(["take"] * 6 + ["refuse"] * 3 + ["hang up", "end", "nonsense"])
        with suppress(OSError):  # it was of a connection that has ended
            if topic == "hearthbeat/v1/home/status" or deed == "take":
                broker.acknowledge(identifier)
                if topic.startswith("t/"):
                    acknowledged.add(IDS[int(topic[2:])])
            elif deed == "refuse":
                broker.acknowledge(identifier, chance.choice([0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]))
            elif deed == "end":
                broker.disconnect(chance.choice([0x87, 0x8B, 0x89, 0x95]))
            else:
                broker.send(chance.randbytes(9) if deed == "nonsense" else b"")
                broker.hang_up()
        kept = {*waiting(store), *(one.message.id for one in store.outbox.parked())}
        assert set(IDS) - kept <= acknowledged
    parked = {one.message.id for one in store.outbox.parked()}
    assert acknowledged | parked == set(IDS)


class SetClock(SystemClock):
    """The machine's clock, until somebody sets it."""

    ahead_s = 0.0

    def wall(self) -> float:
        return super().wall() + self.ahead_s


def test_pain_23_a_clock_that_is_set_ends_the_wait(broker: ScriptedBroker, store: Store) -> None:
    broker.answer = bytes([0x20, 3, 0, 0x87, 0])
    clock = SetClock()
    publisher = Publisher(Broker("127.0.0.1", broker.port, tls=False), store.path, "home", clock=clock)
    publisher.start()
    wait_until(lambda: publisher.state().refused)
    clock.ahead_s = 3600.0
    wait_until(lambda: broker.connections == 2)
    publisher.stop()


class TestReceipts:
    """Where a collector tells what it has stored, a PUBACK is not enough."""

    @pytest.fixture
    def publisher(self, start: Start) -> Publisher:
        return start(Broker("127.0.0.1", tls=False, receipts=True))

    def test_pain_22_a_row_stays_until_the_collector_has_it(
        self, broker: ScriptedBroker, store: Store, publisher: Publisher
    ) -> None:
        say_online(broker)
        for _ in range(10):
            broker.acknowledge(broker.next()[0])
        wait_until(lambda: publisher.state().sent == 10)
        assert waiting(store) == IDS
        broker.deliver(receipt_topic("home"), receipt(IDS[:2]))
        wait_until(lambda: waiting(store) == IDS[2:])

    def test_pain_22_a_broker_that_forgets_is_told_again(
        self, broker: ScriptedBroker, store: Store, publisher: Publisher
    ) -> None:
        say_online(broker)
        for _ in range(10):
            broker.acknowledge(broker.next()[0])
        wait_until(lambda: publisher.state().sent == 10)
        broker.deliver(receipt_topic("home"), receipt(IDS[:1]))
        wait_until(lambda: waiting(store) == IDS[1:])
        broker.hang_up()
        say_online(broker)
        assert broker.next()[1] == "t/1"

    @pytest.mark.usefixtures("publisher")
    def test_a_receipt_may_overtake_its_acknowledgement(self, broker: ScriptedBroker, store: Store) -> None:
        say_online(broker)
        identifier, _ = broker.next()
        broker.deliver(receipt_topic("home"), receipt(IDS[:1]))
        broker.acknowledge(identifier)
        broker.next()
        broker.hang_up()
        say_online(broker)
        assert waiting(store) == IDS[1:]

    @pytest.mark.parametrize("payload", [b"", b"{}", b'{"v":1,"ids":["none"]}', b"\xff", receipt(["f" * 32])])
    def test_a_receipt_that_is_none_or_of_others_costs_nothing(
        self, broker: ScriptedBroker, store: Store, publisher: Publisher, payload: bytes
    ) -> None:
        say_online(broker)
        broker.acknowledge(broker.next()[0])
        broker.deliver(receipt_topic("home"), payload)
        broker.acknowledge(broker.next()[0])
        broker.next()
        assert waiting(store) == IDS
        assert publisher.state().connected

    def test_a_message_without_a_receipt_goes_again_after_a_while(
        self, broker: ScriptedBroker, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for module, name, seconds in (
            (receipts_awaited, "FIRST_WAIT_S", 0.1),
            (receipts_awaited, "SILENCE_S", 0.05),
            (session, "STEP_S", 0.05),
            (session, "LOOK_EVERY_S", 0.05),
        ):
            monkeypatch.setattr(module, name, seconds)
        publisher = start(Broker("127.0.0.1", tls=False, receipts=True))
        say_online(broker)
        topics: list[str] = []
        while topics.count("t/0") < 2:
            identifier, topic = broker.next()
            broker.acknowledge(identifier)
            topics.append(topic)
        assert topics[:10] == [f"t/{n}" for n in range(10)]
        wait_until(lambda: publisher.state().complaint is not None)
        assert "no collector behind it says that it has stored them" in str(publisher.state().complaint)

    def test_the_outbox_stays_the_queue_but_alerts_pass(
        self, broker: ScriptedBroker, store: Store, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(receipts_awaited, "MOST_AWAITED", 4)
        publisher = start(Broker("127.0.0.1", tls=False, receipts=True))
        say_online(broker)
        while True:
            try:
                broker.acknowledge(broker.published.get(timeout=0.3)[0])
            except queue.Empty:
                break
        assert 4 <= publisher.state().sent <= 4 + 3
        store.commit(Batch(messages=[OutboxMessage("alert", "t/alert", b"", Priority.ALERT, 9.0)]))
        publisher.wake()
        assert broker.next()[1] == "t/alert"


def test_a_thread_that_hangs_is_left_behind_and_another_goes_on(
    broker: ScriptedBroker, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, going = threading.Event(), threading.Event()
    whole = Session.exchange

    def hang(session: Session) -> None:
        if not hanging.is_set():
            hanging.set()
            assert going.wait(20.0)
        whole(session)

    monkeypatch.setattr(Session, "exchange", hang)
    monkeypatch.setattr(publishing, "HANG_LIMIT_S", 0.3)
    settings = Broker("127.0.0.1", broker.port, tls=False)
    keeper = Keeper(lambda: Publisher(settings, store.path, "home", pace=0.01, chance=random.Random(1)))
    keeper.start()
    first = keeper._publisher
    keeper.mend()
    assert keeper._publisher is first, "nothing is wrong yet"
    say_online(broker)
    assert hanging.wait(20.0)
    wait_until(first.hangs)
    keeper.mend()
    second = keeper._publisher
    assert second is not first
    say_online(broker)
    broker.acknowledge(broker.next()[0])
    going.set()
    first._thread.join(20.0)
    assert not first.is_alive()
    assert second.state().connected
    broker.hang_up()
    keeper.stop()
