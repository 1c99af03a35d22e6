"""The link's state machine against a radio that does what it likes."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from unittest.mock import patch

import pytest
from bleak.exc import BleakError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.bluetooth.backoff import LONGEST_S
from edge.bluetooth.link import RELEASE_EVERY_S, LinkState, Packet
from edge.bluetooth.silence import SILENCE_LIMIT_S
from edge.wearables.procedure import Next, Procedure
from tests.edge.bluetooth.by_hand import ADDRESS, CONTROL, EVENT, STREAM, Held, Wearable
from tests.fakes.clock import ManualClock, settle
from tests.fakes.connecting import FAULTS
from tests.fakes.scanning import HandScanner

NEXT = {
    LinkState.SEARCHING: {LinkState.CONNECTING, LinkState.QUEUED, LinkState.LOST},
    LinkState.QUEUED: {LinkState.CONNECTING, LinkState.LOST},
    LinkState.CONNECTING: {LinkState.SUBSCRIBING, LinkState.LOST},
    LinkState.SUBSCRIBING: {LinkState.STREAMING, LinkState.LOST},
    LinkState.STREAMING: {LinkState.LOST},
    LinkState.LOST: {LinkState.WAITING},
    LinkState.WAITING: {LinkState.SEARCHING},
}

# Once the radio works, a link is back after its pause at the latest, and after one connection that stays silent.
BACK_WITHIN_S = LONGEST_S + RELEASE_EVERY_S + SILENCE_LIMIT_S + LONGEST_S

METHODS = ["connect", "subscribe", "read", "pair", "unpair", "disconnect"]
STEPS = st.one_of(
    st.tuples(st.sampled_from(METHODS), st.sampled_from([*FAULTS, "drops"])),
    st.tuples(st.just("wait"), st.integers(0, 90)),
    st.tuples(st.sampled_from(["advertise", "speak", "drop", "scan fails"]), st.just("")),
)


def asks() -> Procedure:
    while True:
        yield Next(CONTROL, within_s=3600.0)


async def befall(link: Held, clock: ManualClock, what: str, how: str | int) -> None:
    match what:
        case "wait":
            await clock.advance(float(how))
        case "advertise":
            link.air.advertise(ADDRESS)
        case "speak":
            for client in link.wearable.ever:  # also those that are gone, as callbacks do that were on their way
                client.speak(STREAM)
                client.speak(EVENT)
                client.speak(CONTROL)
        case "drop":
            for client in list(link.wearable.up):
                client.drop()
        case "scan fails":
            link.air.failures.append(BleakError("it failed"))
            for scanner in list(link.air.running):
                await scanner.stop()
        case _:
            link.wearable.script.setdefault(what, []).append(str(how))
    await settle()
    assert len(link.wearable.up) <= 1


async def works(link: Held, clock: ManualClock) -> float:
    """Let everything work from now on; seconds until the link streams, and is heard."""
    link.wearable.script.clear()
    link.air.failures.clear()
    began = clock.monotonic()
    told = len(link.diary.packets)
    while len(link.diary.packets) == told or link.link.status.state is not LinkState.STREAMING:
        link.air.advertise(ADDRESS)
        for client in link.wearable.up:
            client.speak(STREAM)
        await clock.advance(1.0)
        assert clock.monotonic() - began <= BACK_WITHIN_S, link.link.status
    return clock.monotonic() - began


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=20))
@example([("connect", "cancelled"), ("advertise", ""), ("wait", 5)])
@example([("advertise", ""), ("speak", ""), ("drop", ""), ("speak", "")])
@example(
    [("subscribe", "not bonded"), ("subscribe", "not bonded"), ("unpair", "fails"), ("advertise", ""), ("wait", 9)]
)
def test_link_is_back_in_bounded_time_and_tells_nothing_while_it_is_not_connected(
    steps: list[tuple[str, str | int]],
) -> None:
    class Air(HandScanner): ...

    class Strap(Wearable): ...

    async def live() -> None:
        clock = ManualClock()
        link = Held(Air, Strap, clock, openings=lambda _: [asks()])
        tell = link.diary.on_packet

        def on_packet(packet: Packet) -> None:
            assert link.link.status.state in {LinkState.SUBSCRIBING, LinkState.STREAMING}
            tell(packet)

        link.link._on_packet = on_packet
        await settle()
        for what, how in steps:
            await befall(link, clock, what, how)
        await works(link, clock)
        states = [LinkState.SEARCHING, *(status.state for status in link.diary.states)][1:]
        assert all(after in NEXT[before] for before, after in pairwise(states))
        assert link.radio.slots.connected == len(Strap.up) == 1
        await link.end()

    with patch("bleak_retry_connector.calculate_backoff_time", return_value=0.0):
        asyncio.run(live())


@settings(max_examples=30, deadline=None)
@given(st.lists(STEPS, max_size=12), st.integers(0, 60))
def test_link_can_be_ended_at_any_moment_and_leaves_nothing_behind(
    steps: list[tuple[str, str | int]], turns: int
) -> None:
    class Air(HandScanner): ...

    class Strap(Wearable): ...

    async def live() -> None:
        clock = ManualClock()
        link = Held(Air, Strap, clock, openings=lambda _: [asks()])
        await settle()
        for what, how in steps:
            await befall(link, clock, what, how)
        link.air.advertise(ADDRESS)
        for _ in range(turns):
            await asyncio.sleep(0)
        await link.end()
        told = len(link.diary.packets)
        for client in Strap.ever:
            client.speak(STREAM)
        assert len(link.diary.packets) == told

    with patch("bleak_retry_connector.calculate_backoff_time", return_value=0.0):
        asyncio.run(live())


@pytest.mark.parametrize("turns", range(12))
def test_link_can_be_ended_in_the_very_moment_in_which_it_is_lost(turns: int) -> None:
    class Air(HandScanner): ...

    class Strap(Wearable): ...

    async def live() -> None:
        link = Held(Air, Strap, ManualClock(), openings=lambda _: [asks()])
        strap = await link.streams()
        strap.drop()
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(5.0):
            await link.end()

    asyncio.run(live())
