"""Home Assistant at a real broker: what it is shown of the house, and what its button does."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import jsonschema
import paho.mqtt.publish
import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from cloud_sync import home_assistant as ha
from edge.bluetooth.link import LinkState
from edge.errors import WrongUseError
from edge.household.household import Household
from edge.household.wearable import Wearable, wearable_of
from edge.notices import Alert, AlertState, Severity
from edge.readings import NOBODY, Channel, Explanation, Quality, Reading, Source
from edge.settings.home import HomeAssistantSettings, Settings
from edge.telling.home_assistant import AGAIN_S, TELL_S, HomeAssistant
from edge.telling.pseudonyms import Pseudonyms
from tests.fakes.broker import Arrival, Mosquitto, Subscriber, mosquitto
from tests.fakes.clock import ManualClock
from tests.fakes.home_assistant_schema import validate
from tests.fakes.scripted_broker import ScriptedBroker

__all__ = ["mosquitto"]

START = 1_800_000_000.0
STRAP, SCALE = "A0:9E:1A:00:00:01", "C0:DE:00:00:00:09"
NAMES = Pseudonyms(bytes(32))
ANNA, STRAP_ID = NAMES.person("anna"), NAMES.device(STRAP)
ROOT = f"{ha.ROOT}/our-home"
CONFIG = f"homeassistant/device/hearthbeat_our-home_{STRAP_ID}/config"
ALERT = Alert(
    "a1",
    "anna",
    "atrial_fibrillation",
    Severity.WARNING,
    AlertState.RAISED,
    START,
    START,
    None,
    Explanation("The heartbeat was irregular."),
)


class House:
    """Anna with her strap, a scale of everybody's, and a broker."""

    def __init__(self, broker: Mosquitto, **fields: object) -> None:
        self.clock = ManualClock(START)
        self.strap = wearable_of(Source("anna", STRAP), "Annas Gurt")
        self.scale = wearable_of(Source(NOBODY, SCALE), "")
        self.alerts: list[Alert] = []
        self.answered: list[Mapping[str, Any]] = []
        self.listener = Subscriber(broker, "#")
        self.pipeline = SimpleNamespace(
            person=SimpleNamespace(id="anna", name="Anna"),
            sources=SimpleNamespace(current=lambda _channel: STRAP),
            wearables={STRAP: self.strap},
        )
        self.household = SimpleNamespace(pipelines=[self.pipeline], wearables=self._wearables)
        settings = Settings.model_validate(
            {
                "home": {"id": "our-home"},
                "people": [{"id": "anna", "name": "Anna", "contacts": ["phone"]}],
                "contacts": [{"id": "phone", "url": "json://localhost"}],
                "home_assistant": {"host": broker.host, "port": broker.port, **fields},
            }
        )
        table = cast("HomeAssistantSettings", settings.home_assistant)
        self.assistant = HomeAssistant(
            settings,
            table,
            self.clock,
            cast("Household", self.household),
            NAMES,
            alerts=lambda: self.alerts,
            answer=self._answer,
            progress=lambda: None,
        )

    def _wearables(self) -> dict[str, list[Wearable]]:
        return {"anna": list(self.pipeline.wearables.values()), NOBODY: [self.scale]}

    async def _answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        self.answered.append(request)
        if request["alert"] == "refused":
            raise WrongUseError("not by you", where="alert", mend="ask somebody")
        self.alerts = [replace(one, acknowledged_at=self.clock.wall()) for one in self.alerts]
        return {}

    @property
    def local_error(self) -> str | None:
        assert self.assistant._local is not None
        return self.assistant._local.error

    @property
    def alive(self) -> bool:
        return self.assistant._local is not None and self.assistant._local.is_alive()

    def beat(self, value: float, quality: Quality = Quality.GOOD) -> None:
        at = self.clock.wall()
        self.strap.remember([Reading("anna", STRAP, Channel.HEART_RATE, "bpm", at, at, (value,), quality)])
        self.strap.last_of[Channel.HEART_RATE] = at

    async def until(self, condition: Callable[[list[Arrival]], object]) -> list[Arrival]:
        return await asyncio.to_thread(self.listener.wait_for, lambda arrivals: bool(condition(arrivals)))

    async def told(self, topic: str, payload: str) -> None:
        await self.until(lambda arrivals: any((a.topic, a.payload.decode()) == (topic, payload) for a in arrivals))

    async def quiet(self) -> list[Arrival]:
        """Everything that has arrived, once nothing more is under way."""
        mark = f"mark/{len(self.listener.arrivals)}"
        assert self.assistant._publish(mark, b"")
        return await self.until(lambda arrivals: any(a.topic == mark for a in arrivals))


async def becomes(condition: Callable[[], object]) -> None:
    """Wait for what happens in other threads."""
    while True:
        if condition():
            return
        await asyncio.sleep(0.01)


@asynccontextmanager
async def house(broker: Mosquitto, *, without_strap: bool = False, **fields: object) -> AsyncIterator[House]:
    made = House(broker, **fields)
    if without_strap:
        made.pipeline.wearables = {}
    running = asyncio.create_task(made.assistant.run())
    try:
        await made.told(f"{ROOT}/status", "online")
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        made.listener.close()


def say(broker: Mosquitto, topic: str, payload: str, *, retain: bool = False) -> None:
    paho.mqtt.publish.single(
        topic,
        payload,
        qos=1,
        retain=retain,
        hostname=broker.host,
        port=broker.port,
        protocol=MQTTProtocolVersion.MQTTv5,
    )


def values(arrivals: list[Arrival], topic: str) -> list[str]:
    return [a.payload.decode() for a in arrivals if a.topic == topic]


def turns(told: list[str]) -> list[str]:
    """What was told, each once in a row: what was on its way when a connection ended may come twice."""
    return [value for value, _ in itertools.groupby(told)]


async def test_a_device_per_wearable_and_person_is_announced_as_home_assistant_wants_it(mosquitto: Mosquitto) -> None:
    async with house(mosquitto) as here:
        arrivals = await here.until(lambda arrivals: sum(a.topic.endswith("/config") for a in arrivals) >= 3)
    configs = {a.topic: a.fields for a in arrivals if a.topic.endswith("/config") and a.payload}
    assert len(configs) == 3
    for topic, fields in configs.items():
        validate(topic, fields)
    strap = configs[CONFIG]
    assert strap["device"]["name"] == "Annas Gurt"
    assert strap["device"]["via_device"] == f"hearthbeat_our-home_{ANNA}"
    assert set(strap["components"]) == {"heart_rate", "spo2", "battery", "link"}
    person = configs[f"homeassistant/device/hearthbeat_our-home_{ANNA}/config"]
    assert set(person["components"]) == {"heart_rate", "spo2", "alert", "acknowledge"}
    for fields in configs.values():
        for component in fields["components"].values():
            assert component["platform"] == "button" or component["expire_after"] > 0
        assert fields["availability"] == [{"topic": f"{ROOT}/status"}]


def test_the_schema_refuses_what_home_assistant_refuses() -> None:
    topics = ha.Topics("our-home", "homeassistant")
    good = json.loads(ha.config(ha.Device("d-1", "Gurt", "H10", ha.OF_A_WEARABLE), topics))
    validate(topics.config("d-1"), good)
    with pytest.raises(ValueError, match="d 1"):
        validate(topics.config("d 1"), good)
    for path, value in (
        (("device",), {"name": "no identifier"}),
        (("origin",), {}),
        (("components", "battery", "unit_of_measurement"), "volt"),
        (("components", "battery", "expire_after"), "soon"),
        (("components", "heart_rate", "state_topic"), "a/#"),
        (("components", "heart_rate", "options"), ["a"]),
        (("components", "heart_rate", "mistyped"), 1),
        (("components", "heart_rate", "platform"), "thermometer"),
        (("components", "link", "device_class"), "battery_charger"),
    ):
        wrong = json.loads(json.dumps(good))
        place = wrong
        for level in path[:-1]:
            place = place[level]
        place[path[-1]] = value
        with pytest.raises(jsonschema.ValidationError):
            validate(topics.config("d-1"), wrong)


async def test_values_are_told_while_they_are_new_and_never_again(mosquitto: Mosquitto) -> None:
    topic = f"{ROOT}/{STRAP_ID}/heart_rate"
    async with house(mosquitto) as here:
        here.strap.link, here.strap.battery_percent = LinkState.STREAMING, 87.0
        here.beat(72.0)
        await here.clock.advance(TELL_S)
        await here.told(topic, "72")
        await here.told(f"{ROOT}/{ANNA}/heart_rate", "72")
        await here.told(f"{ROOT}/{STRAP_ID}/battery", "87")
        await here.told(f"{ROOT}/{STRAP_ID}/link", "ON")
        here.strap.link = LinkState.LOST
        for _ in range(40):
            await here.clock.advance(TELL_S)
        arrivals = await here.quiet()
        assert values(arrivals, topic) == ["72"], "a strap that is silent is shown no more"
        assert values(arrivals, f"{ROOT}/{STRAP_ID}/link")[-1] == "OFF"
        assert values(arrivals, f"{ROOT}/{STRAP_ID}/battery") == ["87"]
        assert not any(a.retained for a in arrivals if a.topic.startswith(f"{ROOT}/{STRAP_ID}/"))


async def test_pain_08_a_strap_on_the_table_has_no_heartbeat(mosquitto: Mosquitto) -> None:
    async with house(mosquitto) as here:
        here.strap.link = LinkState.STREAMING
        here.beat(72.0, Quality.NO_CONTACT)
        await here.clock.advance(TELL_S)
        here.beat(310.0)
        await here.clock.advance(TELL_S)
        assert values(await here.quiet(), f"{ROOT}/{STRAP_ID}/heart_rate") == []


async def test_an_alert_is_shown_with_its_words_until_it_is_over(mosquitto: Mosquitto) -> None:
    topic = f"{ROOT}/{ANNA}/alert"
    async with house(mosquitto) as here:
        await here.told(topic, "none")
        here.alerts = [ALERT, replace(ALERT, id="a2", severity=Severity.CRITICAL), replace(ALERT, person="bert")]
        await here.clock.advance(TELL_S)
        await here.told(topic, "critical")
        arrivals = await here.until(lambda arrivals: "irregular" in values(arrivals, f"{topic}/attributes")[-1])
        shown = json.loads(values(arrivals, f"{topic}/attributes")[-1])["alerts"]
        assert [(one["kind"], one["severity"], one["acknowledged"]) for one in shown] == [
            ("atrial_fibrillation", "warning", False),
            ("atrial_fibrillation", "critical", False),
        ]
        here.alerts = []
        for _ in range(round(AGAIN_S / TELL_S) + 1):
            await here.clock.advance(TELL_S)
        told = values(await here.quiet(), topic)
        assert told == ["none", "critical", "none", "none"], "it is told again before it expires"


async def test_pain_19_who_is_not_watched_does_not_look_well(mosquitto: Mosquitto) -> None:
    topic = f"{ROOT}/{ANNA}/alert"
    dead = replace(ALERT, id="f", person="", kind="bluetooth")
    async with house(mosquitto) as here:
        here.alerts = [replace(dead, id="g", kind="broker_unreachable", severity=Severity.CRITICAL)]
        await here.clock.advance(TELL_S)
        await here.told(topic, "critical")
        here.alerts = [dead, replace(dead, id="g", kind="broker_unreachable", severity=Severity.WARNING)]
        await here.clock.advance(TELL_S)
        await here.told(topic, "warning")
        here.alerts = here.alerts[1:]
        await here.clock.advance(TELL_S)
        await here.quiet()
        assert values(here.listener.arrivals, topic)[-1] == "none"
        here.alerts = [dead]
        say(mosquitto, f"{ROOT}/{ANNA}/acknowledge", "PRESS")
        await here.quiet()
        assert here.answered == [], "the house's faults are nobody's button"


async def test_the_button_takes_up_what_is_open_and_a_press_of_long_ago_does_not(mosquitto: Mosquitto) -> None:
    button = f"{ROOT}/{ANNA}/acknowledge"
    say(mosquitto, button, "PRESS", retain=True)
    async with house(mosquitto, answers_as="phone") as here:
        here.alerts = [ALERT, replace(ALERT, id="a2", acknowledged_at=START), replace(ALERT, id="b", person="bert")]
        await here.quiet()
        assert here.answered == []
        for payload in ("RELEASE", "", "PRESS"):
            say(mosquitto, button, payload)
        await here.quiet()
        await becomes(lambda: here.answered)
        await here.until(lambda arrivals: "true" in values(arrivals, f"{ROOT}/{ANNA}/alert/attributes")[-1])
    assert here.answered == [{"do": "acknowledge", "alert": "a1", "by": "phone"}]


async def test_a_press_that_may_not_be_harms_nothing(mosquitto: Mosquitto) -> None:
    async with house(mosquitto) as here:
        here.alerts = [replace(ALERT, id="refused")]
        for _ in range(2):
            say(mosquitto, f"{ROOT}/{ANNA}/acknowledge", "PRESS")
        say(mosquitto, f"{ROOT}/p-nobody/acknowledge", "PRESS")
        await becomes(lambda: len(here.answered) == 2)
        here.beat(70.0)
        await here.clock.advance(TELL_S)
        await here.told(f"{ROOT}/{STRAP_ID}/heart_rate", "70")


async def test_what_is_gone_is_taken_back_also_by_the_next_process(mosquitto: Mosquitto) -> None:
    async with house(mosquitto) as here:
        await here.until(lambda arrivals: any(a.topic == CONFIG for a in arrivals))
        here.pipeline.wearables = {}
        await here.clock.advance(TELL_S)
        await here.told(CONFIG, "")
    others = f"homeassistant/device/hearthbeat_other-home_{STRAP_ID}/config"
    for topic in (CONFIG, others):
        say(mosquitto, topic, '{"announced": "by a process before"}', retain=True)
    async with house(mosquitto, without_strap=True) as here:
        await here.told(CONFIG, "")
        assert "" not in values(await here.quiet(), others)


async def test_home_assistant_that_is_born_is_told_everything_anew(mosquitto: Mosquitto) -> None:
    async with house(mosquitto) as here:
        await here.told(f"{ROOT}/{ANNA}/alert", "none")
        before = len(values(await here.quiet(), CONFIG))
        say(mosquitto, "homeassistant/status", "offline")
        say(mosquitto, "homeassistant/status", "online")
        await here.until(lambda arrivals: len(values(arrivals, CONFIG)) == before + 1)
        await here.until(lambda arrivals: len(values(arrivals, f"{ROOT}/{ANNA}/alert")) == 2)


async def test_a_daemon_that_ends_is_offline(mosquitto: Mosquitto) -> None:
    async with house(mosquitto):
        pass
    late = Subscriber(mosquitto, f"{ROOT}/status", identifier="late")
    arrivals = await asyncio.to_thread(late.wait_for, bool)
    late.close()
    assert [(a.payload, a.retained) for a in arrivals] == [(b"offline", True)]


async def test_a_daemon_that_is_cut_off_is_offline_until_it_is_back(mosquitto: Mosquitto) -> None:
    async with house(mosquitto) as here:
        assert here.assistant._local is not None
        connection = here.assistant._local._client.socket()
        assert connection is not None
        with suppress(OSError):
            cast("socket.socket", connection).shutdown(socket.SHUT_RDWR)
        await here.until(lambda arrivals: turns(values(arrivals, f"{ROOT}/status"))[-2:] == ["offline", "online"])


async def test_a_broker_that_is_away_is_told_and_found_again(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    async with house(broker) as here:
        await asyncio.to_thread(broker.stop)
        await becomes(lambda: here.local_error)
        await here.clock.advance(TELL_S)
        assert "127.0.0.1" in str(here.assistant.fault)
        here.listener.arrivals.clear()
        await asyncio.to_thread(broker.start)
        await here.told(f"{ROOT}/status", "online")
        await here.until(lambda arrivals: any(a.topic == CONFIG and a.payload and not a.retained for a in arrivals))
        await here.clock.advance(TELL_S)
        assert here.assistant.fault is None
    broker.stop()


async def test_pain_08_a_value_that_never_left_is_not_shown_after_an_outage(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "broker")
    broker.start()
    topic = f"{ROOT}/{STRAP_ID}/heart_rate"
    async with house(broker) as here:
        here.beat(70.0)
        await here.clock.advance(TELL_S)
        await here.told(topic, "70")
        os.kill(broker.process_id, signal.SIGSTOP)
        here.beat(72.0)
        await here.clock.advance(TELL_S)  # it is on its way, and arrives nowhere
        await asyncio.to_thread(broker.kill)
        await becomes(lambda: here.local_error)
        await here.clock.advance(ha.HEART_RATE.expires_s or 0)
        here.listener.arrivals.clear()
        await asyncio.to_thread(broker.start)
        await here.told(f"{ROOT}/status", "online")
        await here.until(lambda arrivals: any(a.topic == CONFIG and a.payload and not a.retained for a in arrivals))
        assert values(await here.quiet(), topic) == []
    broker.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_connection_whose_thread_died_is_made_anew(mosquitto: Mosquitto) -> None:
    scripted = ScriptedBroker()
    here = House(mosquitto, port=scripted.port)
    running = asyncio.create_task(here.assistant.run())
    await becomes(lambda: here.assistant._is_born)
    scripted.send(bytes([0x30, 4, 0, 1, 0xFF, 0]))  # no text of MQTT, which no subscription can have asked for
    await becomes(lambda: not here.alive)
    await here.clock.advance(TELL_S)
    await becomes(lambda: scripted.connections == 2)
    assert here.alive
    scripted.hang_up()
    await becomes(lambda: here.local_error)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    here.listener.close()
    scripted.close()


async def test_wrong_settings_are_told_and_hurt_nobody(mosquitto: Mosquitto, tmp_path: Path) -> None:
    here = House(mosquitto, tls=True, ca_file=str(tmp_path / "nothing.pem"))
    running = asyncio.create_task(here.assistant.run())
    await becomes(lambda: "nothing.pem" in str(here.assistant.fault))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    here.listener.close()
