"""The courier with a real store and real phones; only time and chance are the tests' own."""

from __future__ import annotations

import asyncio
import http
import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import StoreError
from edge.notices import Attempt, DueNotification, Notification, Severity
from edge.notify.courier import FIRST_RETRY_S, LONGEST_RETRY_S, retry_delay
from edge.notify.courier import Courier as AnyCourier
from edge.notify.phone import Contact, Delivery, Message, PhoneChannel
from edge.store.store import Batch, Store
from edge.virtual.phone import VirtualPhone
from tests.fakes import phones
from tests.fakes.clock import ManualClock

FIVE_PAST_TWO = datetime(2026, 5, 3, 14, 5, tzinfo=UTC).timestamp()


Courier = partial(AnyCourier, send=phones.send)


class StoredQueue:
    """The store as the courier sees it; `outcomes` tells a test what was kept."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.outcomes: asyncio.Queue[str] = asyncio.Queue()

    async def due_notifications(self, now: float) -> Sequence[DueNotification]:
        return self.store.notifications.due_notifications(now)

    async def told_since(self, moment: float) -> Mapping[str, Sequence[float]]:
        return self.store.notifications.told_since(moment)

    async def make_due(self, contacts: Sequence[str] | None, now: float) -> None:
        self.store.notifications.make_due(contacts, now)

    async def mark_sending(self, notification_ids: Sequence[str], now: float) -> None:
        self.store.notifications.mark_sending(notification_ids, now)

    async def mark_sent(self, notification_ids: Sequence[str], now: float, log: Sequence[Attempt] = ()) -> None:
        for identifier in notification_ids:
            try:
                self.store.notifications.mark_sent([identifier], now, log)
            except StoreError:
                self.outcomes.put_nowait(f"{identifier} sent, not stored")
                raise
            self.outcomes.put_nowait(f"{identifier} sent")

    async def mark_failed(
        self,
        notification_ids: Sequence[str],
        next_try: float,
        reason: str,
        log: Sequence[Attempt] = (),
        *,
        perhaps_told: bool = False,
    ) -> None:
        self.store.notifications.mark_failed(notification_ids, next_try, reason, log, perhaps_told=perhaps_told)
        for identifier in notification_ids:
            self.outcomes.put_nowait(f"{identifier} failed: {reason}")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "hearthbeat.db") as opened:
        yield opened


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(wall=FIVE_PAST_TWO)


@pytest.fixture
async def mum() -> AsyncIterator[VirtualPhone]:
    async with VirtualPhone() as opened:
        yield opened


def put(store: Store, identifier: str = "n1", contact: str = "mum") -> None:
    told = Notification(identifier, "a1", contact, "Mum: irregular heartbeat", "Rest.", Severity.WARNING, FIVE_PAST_TWO)
    store.commit(Batch(notifications=[told]))


@asynccontextmanager
async def at_work(courier: AnyCourier) -> AsyncIterator[AnyCourier]:
    working = asyncio.create_task(courier.run())
    try:
        yield courier
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working


async def test_a_notification_reaches_its_contact_once(store: Store, clock: ManualClock, mum: VirtualPhone) -> None:
    queue = StoredQueue(store)
    async with at_work(Courier(queue, [Contact("mum", (PhoneChannel(mum.url),))], clock)) as courier:
        put(store)
        courier.wake()
        assert await queue.outcomes.get() == "n1 sent"
        await clock.advance(3600.0)
    assert [message.title for message in mum.shown] == ["Mum: irregular heartbeat"]
    assert mum.shown[0].body == "Rest."


async def test_pain_21_a_phone_that_refuses_is_told_when_it_returns_and_told_that_it_is_late(
    store: Store, clock: ManualClock, mum: VirtualPhone
) -> None:
    queue = StoredQueue(store)
    put(store)
    mum.status = http.HTTPStatus.INTERNAL_SERVER_ERROR
    async with at_work(Courier(queue, [Contact("mum", (PhoneChannel(mum.url),))], clock, zone=UTC)) as courier:
        for _ in range(5):
            assert await queue.outcomes.get() == "n1 failed: the service answered 500 Internal Server Error"
            assert courier.outcomes == {"mum": "the service answered 500 Internal Server Error"}
            await clock.advance(LONGEST_RETRY_S)
        # The sixth try is under way or to come; only the answer changes.
        mum.status = http.HTTPStatus.OK
        while (await queue.outcomes.get()) != "n1 sent":
            await clock.advance(LONGEST_RETRY_S)
        assert courier.outcomes == {"mum": None}
    (message,) = mum.shown
    assert message.title == "Mum: irregular heartbeat"
    assert message.body == "This happened at 14:05; it reaches you late. Rest."


async def test_pain_21_a_phone_that_was_switched_off_is_told_when_it_is_back(store: Store, clock: ManualClock) -> None:
    queue = StoredQueue(store)
    put(store)
    async with VirtualPhone() as off:
        port, url = off.port, off.url
    async with at_work(Courier(queue, [Contact("mum", (PhoneChannel(url),))], clock)):
        assert await queue.outcomes.get() == "n1 failed: the service could not be reached, or did not answer"
        async with VirtualPhone(port) as back:
            await clock.advance(60.0)
            assert (await back.next_message()).title == "Mum: irregular heartbeat"
            assert await queue.outcomes.get() == "n1 sent"


async def test_pain_21_a_channel_that_hangs_holds_up_no_other_contact(
    store: Store, clock: ManualClock, mum: VirtualPhone
) -> None:
    queue = StoredQueue(store)
    put(store, "n1", "hanging")
    put(store, "n2", "mum")
    async with VirtualPhone() as hanging:
        hanging.hangs = True
        contacts = [Contact("hanging", (PhoneChannel(hanging.url),)), Contact("mum", (PhoneChannel(mum.url),))]
        async with at_work(Courier(queue, contacts, clock)) as courier:
            await hanging.rang.wait()
            assert await queue.outcomes.get() == "n2 sent"
            put(store, "n3", "mum")
            courier.wake()
            assert await queue.outcomes.get() == "n3 sent"
    assert hanging.shown == []


async def test_what_comes_while_a_contact_is_being_told_waits_its_turn_and_no_longer(
    store: Store, clock: ManualClock, mum: VirtualPhone
) -> None:
    queue = StoredQueue(store)
    begun: asyncio.Queue[str] = asyncio.Queue()
    held = asyncio.Event()

    async def send(channel: PhoneChannel, message: Message) -> Delivery:
        begun.put_nowait(channel.scheme)
        await held.wait()
        return await phones.send(channel, message)

    put(store, "n1")
    async with at_work(Courier(queue, [Contact("mum", (PhoneChannel(mum.url),))], clock, send=send)):
        await begun.get()
        put(store, "n2")
        await clock.advance(60.0)
        assert begun.empty()
        held.set()
        assert await queue.outcomes.get() == "n1 sent"
        assert await queue.outcomes.get() == "n2 sent"


async def test_a_channel_that_hangs_is_tried_again(store: Store, clock: ManualClock, mum: VirtualPhone) -> None:
    queue = StoredQueue(store)
    put(store)
    mum.hangs = True
    async with at_work(Courier(queue, [Contact("mum", (PhoneChannel(mum.url, timeout_s=0.2),))], clock)):
        assert await queue.outcomes.get() == "n1 failed: no answer within 0.2 s"
        assert not mum.shown


async def test_a_message_cut_off_by_a_stop_is_repeated_and_says_so(tmp_path: Path, clock: ManualClock) -> None:
    async with VirtualPhone() as mum:
        contacts = [Contact("mum", (PhoneChannel(mum.url),))]
        with Store(tmp_path / "hearthbeat.db") as store:
            put(store)
            mum.hangs = True
            async with at_work(Courier(StoredQueue(store), contacts, clock)):
                await mum.rang.wait()
        mum.hangs = False
        with Store(tmp_path / "hearthbeat.db") as store:
            async with at_work(Courier(StoredQueue(store), contacts, clock)):
                shown = await mum.next_message()
        assert shown.title == "Perhaps a repeat: Mum: irregular heartbeat"


async def test_a_store_that_cannot_write_neither_silences_nor_repeats(
    store: Store, clock: ManualClock, mum: VirtualPhone
) -> None:
    queue = StoredQueue(store)
    put(store)
    store._connection.execute("PRAGMA query_only = ON")
    async with at_work(Courier(queue, [Contact("mum", (PhoneChannel(mum.url),))], clock)):
        assert await queue.outcomes.get() == "n1 sent, not stored"
        await clock.advance(3600.0)
        while not queue.outcomes.empty():
            assert queue.outcomes.get_nowait() == "n1 sent, not stored"
        store._connection.execute("PRAGMA query_only = OFF")
        await clock.advance(3600.0)
        assert await queue.outcomes.get() == "n1 sent"
    assert len(mum.shown) == 1
    assert store.notifications.unsent_notifications() == 0


async def test_a_contact_that_left_the_settings_holds_up_nobody(
    store: Store, clock: ManualClock, mum: VirtualPhone
) -> None:
    queue = StoredQueue(store)
    put(store, "n1", "former")
    put(store, "n2", "mum")
    async with at_work(Courier(queue, [Contact("mum", (PhoneChannel(mum.url),))], clock)):
        outcomes = {await queue.outcomes.get(), await queue.outcomes.get()}
    assert outcomes == {"n1 failed: its contact is no longer in the settings", "n2 sent"}


async def test_progress_is_reported_while_nothing_is_due(store: Store, clock: ManualClock) -> None:
    reports = 0

    def report() -> None:
        nonlocal reports
        reports += 1

    async with at_work(Courier(StoredQueue(store), [], clock, progress=report)):
        await clock.advance(60.0)
    assert reports >= 6


@settings(max_examples=20, deadline=None)
@given(refusals=st.lists(st.booleans(), max_size=20), seed=st.integers())
async def test_whatever_the_channel_refuses_is_told_in_the_end_and_once(refusals: list[bool], seed: int) -> None:
    """A channel that answers by a list, then takes everything: its answers come at once, so that many cases run."""
    answers = iter(refusals)
    told: list[Message] = []

    async def send(channel: PhoneChannel, message: Message) -> Delivery:
        if next(answers, False):
            return Delivery(accepted=False, reason="not now")
        told.append(message)
        return Delivery(accepted=True)

    clock = ManualClock(wall=FIVE_PAST_TWO)
    with TemporaryDirectory() as folder, Store(Path(folder) / "hearthbeat.db") as store:
        put(store, "n1")
        put(store, "n2")
        contacts = [Contact("mum", (PhoneChannel("unused"),))]
        async with at_work(Courier(StoredQueue(store), contacts, clock, send=send, chance=random.Random(seed))):
            await clock.advance(LONGEST_RETRY_S * (len(refusals) + 1))
        assert store.notifications.unsent_notifications() == 0
    news = [line for message in told for line in (message.title, *message.body.splitlines()) if "irregular" in line]
    assert len(news) == 2, "one by one, or in a digest"


@given(attempts=st.integers(0, 10**9), seed=st.integers())
def test_retries_are_soon_at_first_and_never_far_apart(attempts: int, seed: int) -> None:
    delay = retry_delay(attempts, random.Random(seed))
    assert FIRST_RETRY_S / 2 <= delay <= LONGEST_RETRY_S
    if attempts == 0:
        assert delay <= FIRST_RETRY_S
    if attempts >= 6:
        assert delay >= LONGEST_RETRY_S / 2
