"""Connections shared out."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bluetooth.slots import DOUBT_S, EARLY_DOUBT_S, NEWS_S, ROUND_S, TURN_S, Slot, Slots
from tests.fakes.clock import ManualClock, settle

STEPS = ["add", "add spot", "leave", "cancel", "wait"]


class Wearer:
    """A link as the slots see it: it connects while the adapter holds less than `holds`, and stays until `leave`."""

    def __init__(self, adapter: Adapter, name: str, since: float, *, spot: bool = False) -> None:
        self.queued = False
        self.slot: Slot | None = None
        self._adapter, self._name, self._since, self._spot = adapter, name, since, spot
        self._leaving = asyncio.Event()
        self.task = asyncio.create_task(self._live())

    @property
    def connected(self) -> bool:
        return self.slot is not None and self.slot.connected

    def leave(self) -> None:
        self._leaving.set()

    async def _live(self) -> None:
        slots = self._adapter.slots
        while not self._leaving.is_set():
            async with slots.slot(self._name, self._since, self._queue) as slot:
                self.slot = slot
                if slots.connected >= self._adapter.holds:
                    slots.refused(slot, certain=self._adapter.plain)
                else:
                    slots.accepted(slot)
                    slot.finished = self._spot
                    asked, leaving = asyncio.create_task(slot.asked.wait()), asyncio.create_task(self._leaving.wait())
                    await asyncio.wait({asked, leaving}, return_when=asyncio.FIRST_COMPLETED)
                    asked.cancel()
                    leaving.cancel()
                    slot.connected = False
                    self._since = self._adapter.clock.monotonic()
            self.slot = None
            await self._adapter.clock.sleep(1.0)

    def _queue(self) -> None:
        self.queued = True


class Adapter:
    def __init__(self, holds: int, *, plain: bool = True) -> None:
        self.clock = ManualClock()
        self.slots = Slots(self.clock)
        self.holds = holds
        self.plain = plain
        self.wearers: list[Wearer] = []

    async def add(self, *, spot: bool = False) -> Wearer:
        wearer = Wearer(self, f"wearer {len(self.wearers)}", self.clock.monotonic(), spot=spot)
        self.wearers.append(wearer)
        await self.clock.advance(3.0)
        return wearer

    async def end(self) -> None:
        for wearer in self.wearers:
            wearer.task.cancel()
        await asyncio.gather(*(wearer.task for wearer in self.wearers), return_exceptions=True)
        assert self.slots.connected == 0
        assert self.slots.shortage is None


async def test_nothing_is_limited_before_the_adapter_refuses() -> None:
    adapter = Adapter(holds=20)
    wearers = [await adapter.add() for _ in range(20)]
    assert all(wearer.connected for wearer in wearers)
    assert adapter.slots.limit is None
    await adapter.end()


async def test_limit_is_learnt_and_said_to_who_waits() -> None:
    adapter = Adapter(holds=2)
    wearers = [await adapter.add() for _ in range(4)]
    assert [wearer.connected for wearer in wearers] == [True, True, False, False]
    assert adapter.slots.limit == 2
    assert all(wearer.queued for wearer in wearers[2:])
    assert adapter.slots.shortage == "the adapter holds no more than 2 connections, and 2 wearables wait"
    await adapter.end()


async def test_refusal_while_nobody_is_connected_teaches_nothing() -> None:
    adapter = Adapter(holds=0)
    await adapter.add()
    assert adapter.slots.limit is None
    await adapter.end()


async def test_pain_04_who_waited_longest_is_next_even_behind_one_that_comes_and_goes() -> None:
    adapter = Adapter(holds=1)
    first = await adapter.add()
    longest = await adapter.add()
    later = await adapter.add()
    first.leave()
    await adapter.clock.advance(2.0)
    assert longest.connected
    assert not later.connected
    await adapter.end()


async def test_streaming_link_keeps_its_turn_and_then_everybody_has_one() -> None:
    adapter = Adapter(holds=1)
    wearers = [await adapter.add() for _ in range(3)]
    await adapter.clock.advance(TURN_S - 60.0)
    assert wearers[0].connected
    had = set()
    for _ in range(3):
        await adapter.clock.advance(TURN_S)
        had |= {number for number, wearer in enumerate(wearers) if wearer.connected}
        assert sum(wearer.connected for wearer in wearers) == 1
    assert had == {0, 1, 2}
    await adapter.end()


async def test_link_that_only_waits_for_news_gives_way_once_it_had_time_to_tell_them() -> None:
    adapter = Adapter(holds=2)
    spot, streaming = await adapter.add(spot=True), await adapter.add()
    waiting = await adapter.add()
    await adapter.clock.advance(NEWS_S - 20.0)
    assert spot.connected
    await adapter.clock.advance(20.0 + 2 * ROUND_S)
    assert (spot.connected, streaming.connected, waiting.connected) == (False, True, True)
    await adapter.end()


async def test_limit_is_doubted_after_a_while_and_given_up_when_it_was_wrong() -> None:
    adapter = Adapter(holds=1)
    _, waiting = await adapter.add(), await adapter.add()
    adapter.holds = 2
    await adapter.clock.advance(DOUBT_S - 60.0)
    assert adapter.slots.connected == 1
    await adapter.clock.advance(120.0)
    assert waiting.connected
    assert adapter.slots.limit is None
    await adapter.end()


async def test_refusal_that_may_be_interference_is_doubted_soon_and_takes_nobody_from_the_air() -> None:
    adapter = Adapter(holds=1, plain=False)
    streaming, waiting = await adapter.add(), await adapter.add()
    await adapter.clock.advance(3 * TURN_S)
    assert streaming.connected
    adapter.holds = 2
    await adapter.clock.advance(EARLY_DOUBT_S + 2 * ROUND_S)
    assert waiting.connected
    await adapter.end()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 4),
    st.lists(
        st.tuples(st.sampled_from(["add", "add spot", "leave", "cancel", "wait"]), st.integers(0, 7)), max_size=25
    ),
)
def test_slots_are_neither_lost_nor_held_twice(holds: int, steps: list[tuple[str, int]]) -> None:
    async def live() -> None:
        adapter = Adapter(holds)
        for step, number in steps:
            match step:
                case "add" | "add spot" if len(adapter.wearers) < 8:
                    await adapter.add(spot=step == "add spot")
                case "leave" | "cancel" if number < len(adapter.wearers):
                    wearer = adapter.wearers[number]
                    if step == "leave":
                        wearer.leave()
                    else:
                        wearer.task.cancel()
                case _:
                    await adapter.clock.advance(60.0 * number)
            await settle()
            assert adapter.slots.connected <= holds
        await adapter.clock.advance(DOUBT_S)
        wanting = [wearer for wearer in adapter.wearers if not wearer.task.done()]
        assert sum(wearer.connected for wearer in wanting) >= min(holds, len(wanting)) - 1, "one may be on its way"
        await adapter.end()

    asyncio.run(live())
