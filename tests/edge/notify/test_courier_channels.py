"""Several channels, what waits, and what is written down of it: a courier and a real store; phones are scripted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from edge.notices import Button, Notification, Severity
from edge.notify.bundles import HOUR_S
from edge.notify.channels import REST_S
from edge.notify.charts import Chart
from edge.notify.courier import HURRY_S, LONGEST_RETRY_S, Courier
from edge.notify.phone import TIMEOUT_S, Action, Contact, Delivery, Host, Message, PhoneChannel
from edge.notify.quiet import QuietHours
from edge.recorder import Recorder
from edge.store.store import Batch, Store
from tests.fakes.clock import ManualClock, settle

FIVE_PAST_TWO = datetime(2026, 5, 3, 14, 5, tzinfo=UTC).timestamp()
NTFY, MAIL, SMS = PhoneChannel("ntfy://x"), PhoneChannel("mailto://x"), PhoneChannel("sms://x")
NAMES = {NTFY: "ntfy", MAIL: "Email", SMS: "SMS"}
MUM = Contact("mum", (NTFY, MAIL, SMS))


class Phones:
    """Channels that are `dead`, for this reason; those whose host is out of reach come back with it."""

    def __init__(self) -> None:
        self.dead: dict[PhoneChannel, Delivery] = {}
        self.shown: list[tuple[str, str, str]] = []
        self.messages: list[Message] = []
        self.tried: list[str] = []
        self.rang = asyncio.Event()

    async def send(self, channel: PhoneChannel, message: Message) -> Delivery:
        channel = replace(channel, timeout_s=TIMEOUT_S)
        self.tried.append(NAMES[channel])
        if channel in self.dead:
            return self.dead[channel]
        self.rang.set()
        self.messages.append(message)
        self.shown.append((NAMES[channel], message.title, message.body))
        return Delivery(accepted=True, service=NAMES[channel])

    def break_down(self, *channels: PhoneChannel) -> None:
        """They answer that they don't take messages."""
        for channel in channels:
            self.dead[channel] = Delivery(accepted=False, reason="it is broken", service=NAMES[channel], refused=True)

    def cut_off(self, *channels: PhoneChannel) -> None:
        """They are out of reach."""
        for channel in channels:
            self.dead[channel] = Delivery(accepted=False, reason="out of reach", unreached=(NAMES[channel], 443))

    async def reach(self, host: Host) -> bool:
        return all(delivery.unreached != host for delivery in self.dead.values())


class Home:
    """A courier at work on a store, by a clock that the test moves."""

    def __init__(self, store: Store, clock: ManualClock, phones: Phones, recorder: Recorder) -> None:
        self.store = store
        self.clock = clock
        self.phones = phones
        self.recorder = recorder
        self.courier: Courier
        self._number = 0

    async def put(
        self,
        alert: str = "a",
        turn: str = "raised",
        *,
        severity: Severity = Severity.WARNING,
        buttons: tuple[Button, ...] = (),
        rests: bool = True,
    ) -> None:
        self._number += 1
        n, now = self._number, self.clock.wall()
        told = Notification(f"n{n}", alert, "mum", f"T{n}", f"B{n}", severity, now, buttons, turn)
        await self.recorder.call(self.store.commit, Batch(notifications=[told]))
        self.courier.wake()
        if rests:
            await self.works()
        else:
            for _ in range(8):
                await settle()
                await self.recorder.call(int)

    async def works(self) -> None:
        """Let the courier come to rest: all that the store's thread has to do is done."""
        idle = 0
        while idle < 4:
            await settle()
            await self.recorder.call(int)
            idle = 0 if self.courier._in_hand or self.courier._woken.is_set() else idle + 1

    async def passes(self, seconds: float, step: float = 10.0) -> None:
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            await self.clock.advance(min(step, end - self.clock.monotonic()))
            await self.works()

    @asynccontextmanager
    async def at_work(self, contact: Contact = MUM, **more: object) -> AsyncIterator[Courier]:
        self.courier = Courier(
            self.recorder,
            [contact],
            self.clock,
            send=self.phones.send,
            reach=self.phones.reach,
            ask_every_s=0.001,
            chance=random.Random(1),
            zone=UTC,
            **more,  # type: ignore[arg-type]  # of a kind for each test
        )
        working = asyncio.create_task(self.courier.run())
        try:
            yield self.courier
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    clock = ManualClock(wall=FIVE_PAST_TWO)
    with Store(tmp_path / "hearthbeat.db") as store:
        recorder = Recorder(store, clock=clock, interval_s=6.0)
        yield Home(store, clock, Phones(), recorder)
        await recorder.close()


async def test_pain_21_what_is_critical_goes_over_the_next_channel_at_once(home: Home) -> None:
    home.phones.break_down(NTFY)
    home.phones.cut_off(MAIL)
    async with home.at_work() as courier:
        await home.put(severity=Severity.CRITICAL)
        assert home.phones.shown == [("SMS", "T1", "B1")]
        assert courier.outcomes == {"mum": None}


async def test_pain_21_a_dead_channel_is_followed_by_the_next_and_tried_first_again_after_a_while(home: Home) -> None:
    home.phones.break_down(NTFY)
    async with home.at_work() as courier:
        await home.put("a")
        assert home.phones.tried == ["ntfy"]
        await home.passes(10.0)
        assert home.phones.shown == [("Email", "T1", "B1")]
        await home.put("b")
        assert home.phones.tried == ["ntfy", "Email", "Email"], "it rests"
        assert courier.bypassed == {"mum": None}, "once is an accident"
        await home.passes(REST_S, step=60.0)
        await home.put("b2", severity=Severity.CRITICAL)
        assert home.phones.tried[3:] == ["ntfy", "Email"]
        assert courier.bypassed == {"mum": "ntfy: it is broken"}
        await home.passes(REST_S, step=60.0)
        home.phones.dead.clear()
        await home.put("c")
        assert home.phones.tried[5:] == ["ntfy"]
        assert courier.outcomes == {"mum": None}
        assert courier.bypassed == {"mum": None}


async def test_only_when_all_channels_are_dead_a_contact_counts_as_not_told(home: Home) -> None:
    home.phones.break_down(NTFY, MAIL)
    async with home.at_work() as courier:
        await home.put("a")
        assert courier.outcomes == {}
        home.phones.break_down(SMS)
        await home.passes(20.0)
        assert courier.outcomes == {"mum": "SMS: it is broken"}
        await home.put("b", severity=Severity.CRITICAL)
        assert courier.outcomes == {"mum": "ntfy: it is broken; Email: it is broken; SMS: it is broken"}


async def test_every_attempt_is_written_down_with_its_channel_and_what_came_of_it(home: Home) -> None:
    home.phones.break_down(NTFY)
    async with home.at_work():
        await home.put("a")
        await home.passes(10.0)
    (told,) = home.store.notifications.told_of("a")
    assert [(one.channel, one.accepted, one.reason) for one in told.log] == [
        ("ntfy", False, "it is broken"),
        ("Email", True, None),
    ]
    assert told.log[0].at == FIVE_PAST_TWO
    assert FIVE_PAST_TWO < told.log[1].at <= FIVE_PAST_TWO + 10.0
    home.store.forget_before(FIVE_PAST_TWO + 3600.0)
    assert home.store.notifications.told_of("a") == []
    assert home.store.notifications.told_since(0.0) == {}


async def test_pain_15_an_all_clear_that_comes_while_the_news_waits_is_one_message_with_it(home: Home) -> None:
    home.phones.cut_off(NTFY)
    async with home.at_work(Contact("mum", (NTFY,))):
        await home.put("a", severity=Severity.CRITICAL)
        await home.passes(1800.0, step=LONGEST_RETRY_S)
        await home.put("a", "cleared", severity=Severity.CRITICAL)
        await home.passes(1800.0, step=LONGEST_RETRY_S)
        home.phones.dead.clear()
        await home.passes(LONGEST_RETRY_S)
        await home.passes(24 * HOUR_S, step=600.0)
    late = "It began at 14:05 and was over at 14:35; it reaches you late. B2"
    assert home.phones.shown == [("ntfy", "Over: T1", late)]


async def test_pain_21_when_the_network_is_back_who_waits_is_told_at_once_and_once(home: Home) -> None:
    home.phones.cut_off(NTFY)
    async with home.at_work(Contact("mum", (NTFY,))):
        await home.put("a", severity=Severity.CRITICAL)
        await home.passes(4 * HOUR_S, step=LONGEST_RETRY_S)
        home.phones.dead.clear()
        await home.phones.rang.wait()  # in no time of the home's: the network has its own
        await home.passes(2 * HOUR_S, step=LONGEST_RETRY_S)
    assert home.phones.shown == [("ntfy", "T1", "This happened at 14:05; it reaches you late. B1")]


async def test_what_waits_at_a_start_is_tried_at_once(home: Home) -> None:
    home.phones.cut_off(NTFY)
    async with home.at_work(Contact("mum", (NTFY,))):
        await home.put("a")
        await home.passes(HOUR_S, step=LONGEST_RETRY_S)
    home.phones.dead.clear()
    async with home.at_work(Contact("mum", (NTFY,))):
        await home.works()
        assert len(home.phones.shown) == 1


async def test_where_nothing_gets_through_one_attempt_stands_for_all(home: Home) -> None:
    home.phones.cut_off(NTFY)
    async with home.at_work(Contact("mum", (NTFY,))):
        for alert in "abcde":
            await home.put(alert, severity=Severity.CRITICAL)
        tried = len(home.phones.tried)
        await home.passes(HOUR_S, step=LONGEST_RETRY_S)
        assert len(home.phones.tried) - tried < 30
        home.phones.dead.clear()
        await home.passes(LONGEST_RETRY_S)
    assert [title for _, title, _ in home.phones.shown] == ["T1", "T2", "T3", "T4", "T5"]


async def test_pain_21_what_is_critical_waits_for_nothing_that_hangs_and_the_rest_for_its_turn(home: Home) -> None:
    begun: list[tuple[str, float]] = []
    held = asyncio.Event()
    send = home.phones.send

    async def hanging(channel: PhoneChannel, message: Message) -> Delivery:
        begun.append((message.title, channel.timeout_s))
        if message.title == "T1":
            await held.wait()
        return await send(channel, message)

    home.phones.send = hanging  # type: ignore[method-assign]
    async with home.at_work():
        await home.put("a", rests=False)
        await home.put("b", rests=False)
        await home.put("a", "graver", severity=Severity.CRITICAL, rests=False)
        await home.put("c", severity=Severity.CRITICAL, rests=False)
        await home.phones.rang.wait()
        assert begun == [("T1", TIMEOUT_S), ("T4", HURRY_S)], "its own story has its order"
        held.set()
        await home.works()
    assert [title for _, title, _ in home.phones.shown] == ["T4", "T1", "T3", "T2"]


async def test_one_message_that_a_service_refuses_holds_up_no_other(home: Home) -> None:
    refused = Delivery(accepted=False, reason="too long", service="ntfy", refused=True)
    send = home.phones.send

    async def particular(channel: PhoneChannel, message: Message) -> Delivery:
        return refused if message.title == "T1" else await send(channel, message)

    home.phones.send = particular  # type: ignore[method-assign]
    async with home.at_work(Contact("mum", (NTFY,))):
        await home.put("a", severity=Severity.CRITICAL)
        await home.put("b", severity=Severity.CRITICAL)
    assert [title for _, title, _ in home.phones.shown] == ["T2"]


async def test_a_channel_that_never_answered_may_have_told_and_the_next_message_says_so(home: Home) -> None:
    home.phones.dead[NTFY] = Delivery(accepted=False, reason="no answer within 20 s", unsure=True)
    async with home.at_work(Contact("mum", (NTFY,))):
        await home.put("a")
        home.phones.dead.clear()
        await home.passes(10.0)
    assert [title for _, title, _ in home.phones.shown] == ["Perhaps a repeat: T1"]


async def test_pain_20_what_quiet_hours_hold_is_told_at_their_end_as_one_message(home: Home) -> None:
    sleeper = Contact("mum", (NTFY,), quiet_hours=QuietHours(time(14), time(16)))
    async with home.at_work(sleeper):
        await home.put("a")
        await home.put("b")
        await home.put("c", severity=Severity.CRITICAL)
        assert [title for _, title, _ in home.phones.shown] == ["T3"]
        await home.put("a", "cleared")
        await home.passes(2 * HOUR_S, step=60.0)
    assert home.phones.shown[1:] == [("ntfy", "2 messages that waited", "14:05  Over: T1\nB4\n\n14:05  T2\nB2")]
    assert home.store.notifications.unsent_notifications() == 0


async def test_a_flood_becomes_a_digest_also_across_a_restart(home: Home) -> None:
    contact = Contact("mum", (NTFY,), most_per_hour=2)
    async with home.at_work(contact):
        for alert in "abc":
            await home.put(alert)
        assert [title for _, title, _ in home.phones.shown] == ["T1", "T2"]
    async with home.at_work(contact):
        await home.put("d")
        await home.put("e", severity=Severity.CRITICAL)
        assert [title for _, title, _ in home.phones.shown[2:]] == ["T5"]
        await home.passes(HOUR_S + 60.0, step=60.0)
    assert [title for _, title, _ in home.phones.shown[3:]] == ["2 messages that waited"]


async def test_buttons_and_picture_go_with_one_alert_and_keep_nobody_waiting(home: Home) -> None:
    asked: list[str] = []

    async def actions(notification: Notification) -> list[Action]:
        asked.append(notification.id)
        return [Action("I'm fine", "https://home/x")]

    async def picture(_notification: Notification) -> Chart | None:
        raise OSError

    async with home.at_work(Contact("mum", (NTFY,)), actions=actions, picture=picture):
        await home.put("a", buttons=(Button.FINE,))
    assert asked == ["n1"]
    assert home.phones.messages[0].actions == (Action("I'm fine", "https://home/x"),)
    assert home.phones.messages[0].picture is None


async def test_each_contact_sees_glucose_in_the_unit_of_their_texts(home: Home) -> None:
    async def picture(_notification: Notification) -> Chart:
        return Chart("mg/dL", ((0.0, 90.078),))

    async with home.at_work(Contact("mum", (NTFY,), "zh"), picture=picture):
        await home.put("a")
    assert home.phones.messages[0].picture == Chart("mmol/L", ((0.0, 5.0),))


async def test_a_courier_that_is_stopped_leaves_no_picture_half_ordered(
    home: Home, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    mark_sending = home.recorder.mark_sending

    async def stopped_after(notifications: list[str], at: float) -> None:
        await mark_sending(notifications, at)
        telling = asyncio.current_task()
        assert telling is not None
        asyncio.get_running_loop().call_soon(telling.cancel)

    async def picture(_notification: Notification) -> Chart | None:
        return None

    monkeypatch.setattr(home.recorder, "mark_sending", stopped_after)
    async with home.at_work(Contact("mum", (NTFY,)), picture=picture):
        await home.put("a")
    assert home.phones.messages == []
    assert [str(warning.message) for warning in recwarn] == [], "something was never awaited"
