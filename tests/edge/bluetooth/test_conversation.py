"""Procedures are carried out while streams flow, and a bond is made where one is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator

from structlog.testing import capture_logs

from edge.bluetooth.link import LinkState
from edge.errors import RefusedError
from edge.wearables.procedure import Next, Pause, Procedure, Read, Write
from tests.edge.bluetooth.by_hand import CONTROL, EVENT, OTHER_STREAM, READ, SET, STREAM, Held, Wearable
from tests.fakes.clock import ManualClock, settle
from tests.fakes.connecting import HandClient
from tests.fakes.scanning import HandScanner


class Script:
    """A procedure that takes these steps, and what came of each: an answer, or what was refused."""

    def __init__(self, *steps: Write | Read | Next | Pause) -> None:
        self.came: list[bytes | RefusedError] = []
        self.present: Collection[str] = ()
        self.closed = False
        self._steps = steps

    def __call__(self, present: Collection[str]) -> Iterator[Procedure]:
        self.present = set(present)
        yield self._run()

    def _run(self) -> Procedure:
        try:
            for step in self._steps:
                try:
                    came = yield step
                except RefusedError as refusal:
                    self.came.append(refusal)
                else:
                    self.came.append(came)
        finally:
            self.closed = True


async def held(script: Script, wearable: type[Wearable], clock: ManualClock | None = None) -> tuple[Held, HandClient]:
    class Air(HandScanner): ...

    link = Held(Air, wearable, clock or ManualClock(), openings=script)
    return link, await link.streams()


async def test_steps_are_taken_while_streams_flow_and_answers_come_back() -> None:
    class Strap(Wearable): ...

    Strap.values[READ] = b"seen"
    Strap.on_write = lambda client, uuid, payload: (
        client.speak(CONTROL, b"answer to " + payload) if uuid == CONTROL else None
    )
    script = Script(Write(SET, b"time"), Read(READ), Write(CONTROL, b"start", CONTROL))
    link, strap = await held(script, Strap)
    strap.speak(STREAM)
    await settle()
    assert script.came == [b"", b"seen", b"answer to start"]
    assert script.closed
    assert ("write without response", SET) in Strap.calls
    assert ("write", CONTROL) in Strap.calls
    assert {STREAM, SET, CONTROL} <= set(script.present)
    told = [packet.characteristic for packet in link.diary.packets]
    assert told == [READ, STREAM], "what a control point says is the procedure's alone"
    await link.end()


async def test_what_tells_the_time_is_made_when_it_is_written() -> None:
    class Strap(Wearable): ...

    written: list[bytes] = []
    Strap.on_write = lambda _client, _uuid, payload: written.append(payload)
    clock = ManualClock(wall=1_800_000_000.0)
    link, _ = await held(Script(Pause(10.0), Write(SET, lambda now: str(now).encode())), Strap, clock)
    await clock.advance(10.0)
    assert written == [str(clock.wall()).encode()]
    await link.end()


async def test_answer_in_pieces_and_a_pause_on_the_clock() -> None:
    class Strap(Wearable): ...

    def answer(client: HandClient, _uuid: str, _payload: bytes) -> None:
        client.speak(CONTROL, b"one")
        client.speak(CONTROL, b"two")

    Strap.on_write = answer
    clock = ManualClock()
    script = Script(Write(CONTROL, b"ask", CONTROL), Next(CONTROL), Pause(60.0), Write(SET, b""))
    link, _ = await held(script, Strap, clock)
    await settle()
    assert script.came == [b"one", b"two"]
    for _ in range(2):
        await clock.advance(29.0)
        link.wearable.up[-1].speak(STREAM)
    assert len(script.came) == 2
    await clock.advance(2.0)
    assert len(script.came) == 4
    await link.end()


async def test_late_answer_to_an_earlier_question_is_no_answer_to_the_next() -> None:
    class Strap(Wearable): ...

    script = Script(Write(CONTROL, b"one", CONTROL, within_s=0.0), Pause(1.0), Write(CONTROL, b"two", CONTROL))
    clock = ManualClock()
    link, strap = await held(script, Strap, clock)
    await asyncio.sleep(0.01)  # asyncio's own time, by which the first answer is late
    strap.speak(CONTROL, b"to one")
    await clock.advance(2.0)
    strap.speak(CONTROL, b"to two")
    await settle()
    assert isinstance(script.came[0], RefusedError)
    assert script.came[2] == b"to two"
    await link.end()


async def test_answer_may_take_long_while_the_wearable_sends_records() -> None:
    class Strap(Wearable): ...

    script = Script(Write(CONTROL, b"all records", CONTROL, within_s=0.05))
    link, strap = await held(script, Strap)
    for _ in range(6):
        await asyncio.sleep(0.02)
        strap.speak(EVENT, b"a record")
    strap.speak(CONTROL, b"done")
    await settle()
    assert script.came == [b"done"]
    await link.end()


async def test_att_error_is_thrown_in_with_its_code_and_ends_nothing_else() -> None:
    class Strap(Wearable): ...

    Strap.script["write"] = ["refused"]
    script = Script(Write(CONTROL, b"start", CONTROL), Read("a characteristic that it lacks"), Write(CONTROL, b"again"))
    link, _ = await held(script, Strap)
    await settle()
    refused, lacking, again = script.came
    assert isinstance(refused, RefusedError)
    assert refused.code == 0x80
    assert isinstance(lacking, RefusedError)
    assert lacking.code is None
    assert again == b""
    assert link.link.status.state is LinkState.STREAMING
    await link.end()


async def test_procedure_that_minds_no_refusal_or_breaks_ends_alone() -> None:
    class Strap(Wearable): ...

    def careless() -> Procedure:
        yield Read("a characteristic that it lacks")

    def trusting() -> Procedure:
        answer = yield Read(READ)
        yield Write(SET, answer[200:201] or bytes((answer[200],)))

    done: list[bool] = []

    def careful() -> Procedure:
        yield Read(READ)
        done.append(True)

    class Air(HandScanner): ...

    with capture_logs() as logs:
        link = Held(Air, Strap, ManualClock(), openings=lambda _: (careless(), trusting(), careful()))
        await link.streams()
        await settle()
    assert done
    warnings = [(entry["event"], entry["why"]) for entry in logs if entry["log_level"] == "warning"]
    assert [event for event, _ in warnings] == ["procedure_ended"] * 2
    assert "a procedure broke: IndexError" in warnings[1][1]
    assert link.link.status.state is LinkState.STREAMING
    await link.end()


async def test_link_that_is_lost_closes_its_procedure() -> None:
    class Strap(Wearable): ...

    script = Script(Write(CONTROL, b"start", CONTROL))
    link, strap = await held(script, Strap)
    await settle()
    strap.drop()
    await settle()
    assert script.closed
    assert script.came == []
    await link.end()


async def test_characteristic_that_is_in_two_services_is_taken_from_the_profiles_own() -> None:
    class Strap(Wearable): ...

    link, strap = await held(Script(), Strap)
    characteristics = [found for service in strap.services or () for found in service.characteristics]
    assert [found.service_uuid for found in characteristics if found.uuid == CONTROL] == ["other", "ours"]
    assert Strap.calls.count(("subscribe", CONTROL)) == 1
    await link.end()


async def test_bond_is_made_once_and_what_was_refused_is_asked_again() -> None:
    class Strap(Wearable): ...

    Strap.script["subscribe"] = ["not bonded"]
    link, strap = await held(Script(), Strap)
    strap.speak(STREAM)
    assert [method for method, _ in Strap.calls].count("pair") == 1
    assert link.diary.packets[-1].characteristic == STREAM
    await link.end()


async def test_bond_that_is_worth_nothing_is_given_up_once_and_made_anew() -> None:
    class Strap(Wearable): ...

    Strap.script["subscribe"] = ["not bonded", "not bonded"]
    link, _ = await held(Script(), Strap)
    methods = [method for method, _ in Strap.calls]
    assert methods.count("unpair") == 1
    assert methods.count("connect") == 2
    await link.end()


async def test_wearable_that_can_never_be_satisfied_streams_what_it_does_not_guard() -> None:
    class Strap(Wearable): ...

    Strap.script["read"] = ["not bonded"] * 20
    link, strap = await held(Script(), Strap)
    strap.speak(STREAM)
    assert [method for method, _ in Strap.calls].count("unpair") == 1
    assert "stronger bond" in (link.link.status.why or "")
    assert link.diary.packets[-1].characteristic == STREAM
    await link.end()


async def test_bond_that_bluez_itself_finds_lost_is_given_up_once() -> None:
    class Strap(Wearable): ...

    Strap.script["connect"] = ["key missing"] * 4  # bleak-retry-connector makes two of each attempt
    link, _ = await held(Script(), Strap)
    assert [method for method, _ in Strap.calls].count("unpair") == 1
    await link.end()


async def test_stream_that_is_refused_is_told_and_no_reason_to_do_without_the_other() -> None:
    class Strap(Wearable): ...

    Strap.script["subscribe"] = ["refused"]
    link, strap = await held(Script(), Strap)
    assert "Application-specific Error 0x80" in (link.link.status.why or "")
    strap.speak(OTHER_STREAM)
    assert link.diary.packets[-1].characteristic == OTHER_STREAM
    await link.end()


async def test_wearable_that_refuses_all_its_streams_is_lost_with_its_reason() -> None:
    class Strap(Wearable): ...

    Strap.script["subscribe"] = ["refused", "refused"]
    link, _ = await held(Script(), Strap)
    lost = next(status for status in link.diary.states if status.state is LinkState.LOST)
    assert "Application-specific Error 0x80" in (lost.why or "")
    await link.end()
