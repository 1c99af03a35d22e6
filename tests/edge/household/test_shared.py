"""A device that several people use, from its packets to the questions on the phones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from edge.bluetooth.link import LinkState, LinkStatus, Packet
from edge.errors import StoreError
from edge.household.claims import TOGETHER_S
from edge.household.shared import Questions, SharedDevice
from edge.household.wearable import wearable_of
from edge.notices import Notification
from edge.notify.questions import question_text, told_values
from edge.readings import NOBODY, Channel, Claim, Reading, Source
from edge.recorder import Recorder
from edge.settings.home import PersonSettings
from edge.store.store import Batch, Store
from edge.wearables import battery, blood_pressure, body_composition, heart_rate, weight_scale
from edge.wearables.blood_pressure import BloodPressure
from edge.wearables.body_composition import BodyComposition
from edge.wearables.heart_rate import HeartRateMeasurement
from edge.wearables.weight_scale import WeightMeasurement
from tests.fakes.clock import ManualClock

DEVICE = "C0:DE:00:00:00:09"
STREAMING = LinkStatus(LinkState.STREAMING, 0.0)


class Home:
    """Anna and Bert, who have a phone each, and the device that they share."""

    def __init__(self, store: Store, clock: ManualClock, phones: tuple[str, str] = ("annas", "berts")) -> None:
        people = [
            PersonSettings.model_validate({"id": person, "name": person.title(), "contacts": [phone, "family"]})
            for person, phone in zip(("anna", "bert"), phones, strict=True)
        ]
        self.people = people
        self.store = store
        self.clock = clock
        self.recorder = Recorder(store, clock=clock, interval_s=6.0)
        self.device = SharedDevice(
            wearable_of(Source(NOBODY, DEVICE), "the cuff"),
            ["anna", "bert"],
            clock=clock,
            ask=Questions(store, self.recorder, lambda: people).ask,
        )

    async def hear(self, characteristic: str, *payloads: bytes) -> None:
        for payload in payloads:
            self.device.receive(Packet(DEVICE, characteristic, payload, self.clock.wall()))
        await self.clock.advance(TOGETHER_S + 0.1)
        await self.device.settled()

    def claims(self) -> list[Claim]:
        return [one.claim for one in self.store.claims.waiting()]

    def questions(self) -> dict[str, Notification]:
        due = self.store.notifications.due_notifications(self.clock.wall() + 1.0)
        return {one.notification.contact: one.notification for one in due}


@asynccontextmanager
async def living(path: Path, phones: tuple[str, str] = ("annas", "berts")) -> AsyncIterator[Home]:
    with Store(path / "hearthbeat.db") as store:
        home = Home(store, ManualClock(), phones)
        running = asyncio.create_task(home.device.run())
        home.device.link_changed(DEVICE, STREAMING)
        try:
            yield home
        finally:
            running.cancel()
            await home.recorder.close()


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with living(tmp_path) as found:
        yield found


def cuff(systolic: int = 128, user: int | None = None) -> bytes:
    return blood_pressure.encode(BloodPressure(systolic, 82, 97, pulse=70, user=user))


async def test_each_is_asked_on_the_own_phone_and_nobody_else(home: Home) -> None:
    await home.hear(blood_pressure.MEASUREMENT, cuff())
    (claim,) = home.claims()
    assert told_values(claim) == "128/82 mmHg, pulse 70"
    asked = home.questions()
    assert set(asked) == {"annas", "berts"}
    assert asked["annas"].title.startswith("Was that you? 128/82 mmHg, pulse 70 at ")
    assert f"people claim {claim.id[:6]} --person anna" in asked["annas"].body
    assert "--nobody" in asked["annas"].body
    assert "after 7 days" in asked["annas"].body
    for channel in (Channel.SYSTOLIC, Channel.HEART_RATE):
        assert home.store.signals.devices(NOBODY, channel, 0.0) == []


async def test_who_shares_a_phone_is_asked_once(tmp_path: Path) -> None:
    async with living(tmp_path, ("kitchen", "kitchen")) as home:
        await home.hear(blood_pressure.MEASUREMENT, cuff())
        (question,) = home.questions().values()
        assert question.title.startswith("Was that Anna or Bert? 128/82 mmHg") or question.title.startswith(
            "Was that Bert or Anna? 128/82 mmHg"
        )
        assert "--person anna" in question.body
        assert "--person bert" in question.body


async def test_who_has_moved_out_meanwhile_is_not_asked(home: Home) -> None:
    del home.people[1]
    await home.hear(blood_pressure.MEASUREMENT, cuff())
    assert set(home.questions()) == {"annas"}
    assert len(home.claims()) == 1


async def test_weight_and_body_fat_of_one_weighing_are_one_question(home: Home) -> None:
    weight = weight_scale.encode(WeightMeasurement(14280))
    home.device.receive(Packet(DEVICE, weight_scale.MEASUREMENT, weight, home.clock.wall()))
    await home.clock.advance(1.0)
    await home.hear(body_composition.MEASUREMENT, body_composition.encode(BodyComposition(240)))
    (claim,) = home.claims()
    assert told_values(claim) == "71.4 kg, 24 % body fat"


async def test_who_never_weighs_so_much_is_not_asked(home: Home) -> None:
    for person, kg in (("anna", 61.0), ("bert", 24.0)):
        at = home.clock.wall() - 86_400.0
        home.store.commit(Batch(readings=[Reading(person, DEVICE, Channel.WEIGHT, "kg", at, at, (kg,))]))
    await home.hear(weight_scale.MEASUREMENT, weight_scale.encode(WeightMeasurement(12200)))
    assert set(home.questions()) == {"annas"}


async def test_the_devices_own_user_number_counts_once_somebody_has_answered(home: Home) -> None:
    await home.hear(blood_pressure.MEASUREMENT, cuff(user=2))
    home.store.claims.settle(home.claims()[0].id, "bert", home.clock.wall())
    await home.clock.advance(86_400.0)
    await home.hear(blood_pressure.MEASUREMENT, cuff(131, user=2))
    (claim,) = home.claims()
    assert (claim.user, claim.candidates[0][0]) == (2, "bert")
    assert claim.candidates[0][1] > 0.9


async def test_a_measurement_that_was_answered_is_not_asked_again(home: Home) -> None:
    packet = Packet(DEVICE, blood_pressure.MEASUREMENT, cuff(), home.clock.wall())
    home.device.receive(packet)
    await home.clock.advance(TOGETHER_S + 0.1)
    await home.device.settled()
    home.store.claims.settle(home.claims()[0].id, None, home.clock.wall())
    home.device.receive(packet)
    await home.clock.advance(TOGETHER_S + 0.1)
    await home.device.settled()
    assert home.claims() == []
    assert home.questions() == {}


async def test_what_a_shared_device_streams_is_nobodys_and_said_once(home: Home) -> None:
    beat = heart_rate.encode(HeartRateMeasurement(60, True, None, (1024,)))
    with structlog.testing.capture_logs() as logs:
        await home.hear(heart_rate.MEASUREMENT, beat, beat, beat)
    assert home.claims() == []
    assert [entry["log_level"] for entry in logs] == ["warning"]


async def test_a_battery_level_is_no_measurement(home: Home) -> None:
    await home.hear(battery.LEVEL, b"\x50")
    assert home.claims() == []
    assert home.device.wearable.battery_percent == 80.0


async def test_a_malformed_packet_is_counted_and_left_out(home: Home) -> None:
    await home.hear(blood_pressure.MEASUREMENT, b"\x00", b"", cuff())
    assert len(home.claims()) == 1
    assert home.device.wearable.malformed_packets == 2


async def test_a_disk_that_refuses_loses_no_measurement(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StoreError("full", where="disk", mend="make room")

    with monkeypatch.context() as harm:
        harm.setattr(home.store, "commit", refuse)
        harm.setattr(home.store.claims, "found", refuse)
        await home.hear(blood_pressure.MEASUREMENT, cuff())
        assert home.claims() == []
        assert len(await home.recorder.due_notifications(home.clock.wall())) == 2, "it is asked all the same"
    await home.recorder.commit()
    assert len(home.claims()) == 1


def test_a_question_names_the_device_and_a_missing_pressure() -> None:
    reading = Reading(NOBODY, DEVICE, Channel.SYSTOLIC, "mmHg", 1.8e9, 1.8e9, (128.0,))
    claim = Claim("abcdef012345", DEVICE, 1.8e9, 1.8e9, (reading,))
    text = question_text(claim, "", [("anna", "Anna")], 7)
    assert text.title.startswith("Was that you? 128/? mmHg at ")
    assert text.body.startswith("A device that several people use measured")
