"""A store that cannot be opened: nobody is watched, and somebody must hear of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from edge.notices import Severity
from edge.notify.phone import Contact, Delivery, Message, PhoneChannel
from edge.running.opening import TELL_AFTER_S, TELL_EVERY_S, Opening
from tests.edge.test_daemon import settings
from tests.fakes.clock import ManualClock


class Phones:
    """Takes messages, unless `refuses`."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, Message]] = []
        self.refuses = False

    async def send(self, contact: Contact, message: Message) -> Delivery:
        if self.refuses:
            return Delivery(accepted=False, reason="no network")
        self.shown.append((contact.id, message))
        return Delivery(accepted=True)


async def pass_time(clock: ManualClock, seconds: float) -> None:
    """Advance step by step, as opening takes a thread's time between."""
    for _ in range(int(seconds / 10.0)):
        await clock.advance(10.0)
        await asyncio.sleep(0.002)


async def test_a_store_that_does_not_open_for_long_is_told_to_the_phones_and_so_is_its_end(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text("a file where the folder should be")
    clock, phones, waited = ManualClock(), Phones(), list[str]()
    contacts = [Contact("phone", (PhoneChannel("json://127.0.0.1:9"),))]
    opening = Opening(settings(state), clock, contacts, wait=waited.append, send=phones.send)
    running = asyncio.create_task(opening.open(asyncio.Event()))
    await pass_time(clock, TELL_AFTER_S - 30.0)
    assert phones.shown == []
    phones.refuses = True
    await pass_time(clock, 120.0)
    phones.refuses = False
    await pass_time(clock, 3 * TELL_EVERY_S)
    ((contact, message),) = phones.shown
    assert (contact, message.title, message.severity) == ("phone", "Hearthbeat cannot start", Severity.CRITICAL)
    assert str(state) in message.body
    assert len(waited) == 1
    state.unlink()
    while not running.done():
        await pass_time(clock, 10.0)
    store = running.result()
    assert store is not None
    store.close()
    assert phones.shown[-1][1].title == "Hearthbeat works again"
    assert len(phones.shown) == 2


async def test_a_stop_ends_the_waiting(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text("a file where the folder should be")
    clock, stopping = ManualClock(), asyncio.Event()
    opening = Opening(settings(state), clock, [], wait=lambda _: None, send=Phones().send)
    running = asyncio.create_task(opening.open(stopping))
    await pass_time(clock, 20.0)
    stopping.set()
    while not running.done():
        await pass_time(clock, 10.0)
    assert running.result() is None
