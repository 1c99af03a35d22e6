"""Whatever befalls a wearable, its link lives on and keeps to its states."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bluetooth.link import Characteristics, Link, LinkState
from edge.bluetooth.radio import Radio
from edge.bluetooth.scanner import Scanner
from edge.clock import AcceleratedClock
from edge.virtual.radio import VirtualRadio
from edge.virtual.strap import Vices, VirtualStrap
from edge.wearables import PROFILES, battery, device_information
from edge.wearables.profile import Profile
from tests.fakes.clock import ManualClock, settle
from tests.fakes.diary import Diary

NEXT = {
    LinkState.SEARCHING: {LinkState.CONNECTING, LinkState.LOST},
    LinkState.CONNECTING: {LinkState.SUBSCRIBING, LinkState.LOST},
    LinkState.SUBSCRIBING: {LinkState.STREAMING, LinkState.LOST},
    LinkState.STREAMING: {LinkState.LOST},
    LinkState.LOST: {LinkState.WAITING},
    LinkState.WAITING: {LinkState.SEARCHING},
}


class Worn:
    """A strap, and the link that a daemon has to it."""

    def __init__(
        self,
        air: VirtualRadio,
        clock: AcceleratedClock | ManualClock,
        profiles: tuple[Characteristics, ...] = PROFILES,
        silence_limit_s: float = 30.0,
    ) -> None:
        self.strap = VirtualStrap(air, clock)
        self.diary = Diary()
        radio = Radio(scanner_backend=air.scanner_backend, client_backend=air.client_backend)
        scanner = Scanner(radio, clock, random.Random(1))
        self.link = Link(
            self.strap.address,
            profiles,
            scanner,
            radio,
            clock,
            self.diary.on_packet,
            self.diary.on_state,
            chance=random.Random(2),
            silence_limit_s=silence_limit_s,
        )
        self._tasks = [asyncio.create_task(scanner.run()), asyncio.create_task(self.link.run())]

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def befall(strap: VirtualStrap, fault: str) -> None:
    match fault:
        case "drop":
            await strap.drop_link()
        case "leave":
            await strap.leave()
        case "come back":
            await strap.come_back()
        case "fall silent":
            strap.vices = Vices(silent=True)
        case "speak":
            strap.vices = Vices()
        case _:
            await strap.set_battery(random.Random(fault).randint(0, 100))


@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["drop", "leave", "come back", "fall silent", "speak", "battery"]), st.integers(0, 60)
        ),
        max_size=8,
    )
)
def test_link_streams_again_after_any_misfortune_and_keeps_to_its_states(faults: list[tuple[str, int]]) -> None:
    async def live() -> None:
        clock = AcceleratedClock(300.0)
        async with VirtualRadio() as air:
            worn = Worn(air, clock, silence_limit_s=60.0)
            await worn.strap.start()
            playing = asyncio.create_task(worn.strap.play(repeat(1000.0)))
            for fault, pause in faults:
                await clock.sleep(pause)
                await befall(worn.strap, fault)
            await befall(worn.strap, "speak")
            await befall(worn.strap, "come back")
            await asyncio.wait_for(worn.diary.heart_rates(2), 40.0)  # of real time, on a busy machine
            playing.cancel()
            await worn.end()
            states = [LinkState.SEARCHING, *(status.state for status in worn.diary.states)][1:]
            assert all(after in NEXT[before] for before, after in pairwise(states))

    asyncio.run(live())


async def test_packets_carry_the_clocks_time_and_the_links_address() -> None:
    clock = ManualClock()
    async with VirtualRadio() as air:
        worn = Worn(air, clock)
        await worn.strap.start()
        await worn.strap.subscribed.wait()
        while worn.link.status.state is not LinkState.STREAMING:
            await settle()
        before = len(worn.diary.packets)
        playing = asyncio.create_task(worn.strap.play([1000.0, 1000.0]))
        await clock.advance(3.0)
        await playing
        packets = worn.diary.packets[before:]
        assert [packet.received_at for packet in packets] == [packet.at for packet in worn.strap.sent]
        assert {packet.address for packet in packets} == {worn.strap.address}
        await worn.end()


async def test_device_information_and_battery_are_read_on_connecting() -> None:
    clock = AcceleratedClock(60.0)
    async with VirtualRadio() as air:
        worn = Worn(air, clock)
        await worn.strap.start()
        await worn.diary.state(LinkState.STREAMING)
        read = {packet.characteristic: packet.payload for packet in worn.diary.packets}
        facts: dict[str, str] = {}
        for uuid in device_information.TEXTS.keys() & read.keys():
            facts |= device_information.PROFILE.facts(uuid, read[uuid])
        assert facts["model"] == "Virtual strap"
        assert read[battery.LEVEL] == b"\x57"
        await worn.end()


async def test_wearable_of_which_nothing_streams_may_be_silent() -> None:
    clock = AcceleratedClock(600.0)
    async with VirtualRadio() as air:
        worn = Worn(air, clock, profiles=(battery.PROFILE,))
        await worn.strap.start()
        await worn.diary.state(LinkState.STREAMING)
        await clock.sleep(300.0)
        assert worn.link.status.state is LinkState.STREAMING
        await worn.end()


async def test_wearable_with_nothing_that_we_know_is_said_to_be_so() -> None:
    class Unknown(Profile):
        name = "unknown"
        service = "0000feed-0000-1000-8000-00805f9b34fb"
        notify = streams = read = ("0000feee-0000-1000-8000-00805f9b34fb",)

    clock = AcceleratedClock(60.0)
    async with VirtualRadio() as air:
        worn = Worn(air, clock, profiles=(Unknown(),))
        await worn.strap.start()
        lost = await worn.diary.state(LinkState.LOST)
        assert lost.why is not None
        assert "none of the characteristics" in lost.why
        await worn.end()


@pytest.mark.parametrize("moment", [LinkState.CONNECTING, LinkState.SUBSCRIBING, LinkState.STREAMING])
async def test_link_can_be_ended_at_any_moment_and_frees_the_strap(moment: LinkState) -> None:
    clock = AcceleratedClock(60.0)
    async with VirtualRadio() as air:
        worn = Worn(air, clock)
        await worn.strap.start()
        await worn.diary.state(moment)
        await worn.end()
        await settle()
        assert not worn.strap.subscribed.is_set()
        assert not air.central.connections
