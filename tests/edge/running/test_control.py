"""The control socket: what comes over it is answered, or refused, and never harms the daemon."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import HearthbeatError, WrongUseError
from edge.running import control
from edge.running.control import Words


class Desk:
    """Answers, and notes when an answer was broken off."""

    def __init__(self) -> None:
        self.broken_off = asyncio.Event()

    async def answer(self, request: Words) -> AsyncGenerator[Words, None]:
        match request:
            case {"do": "count", "to": int() as to}:
                for number in range(to):
                    yield {"number": number}
            case {"do": "wait"}:
                try:
                    yield {"waiting": True}
                    await asyncio.Event().wait()
                finally:
                    self.broken_off.set()
            case _:
                raise WrongUseError("that is no request", where="here", mend="ask otherwise")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk()
    async with control.serving(tmp_path, made.answer):
        yield made


async def test_what_is_asked_is_answered_as_it_comes(desk: Desk, tmp_path: Path) -> None:
    async with aclosing(control.ask(tmp_path, {"do": "count", "to": 3})) as answers:
        assert [words async for words in answers] == [{"number": 0}, {"number": 1}, {"number": 2}]


async def test_a_refusal_keeps_its_line_and_its_exit_code(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(control.RefusedByDaemonError) as caught:
        await anext(control.ask(tmp_path, {"do": "fly"}))
    assert str(caught.value) == "here: that is no request; ask otherwise"
    assert caught.value.exit_code == 2


async def test_where_no_daemon_runs_that_is_known(tmp_path: Path) -> None:
    with pytest.raises(control.NoDaemonError):
        await anext(control.ask(tmp_path, {"do": "count", "to": 1}))
    (tmp_path / control.SOCKET_NAME).write_text("left behind")
    with pytest.raises(control.NoDaemonError):
        await anext(control.ask(tmp_path, {"do": "count", "to": 1}))


async def test_a_daemon_that_dies_in_the_middle_is_told(tmp_path: Path) -> None:
    desk = Desk()
    async with aclosing(control.ask(tmp_path, {"do": "wait"})) as answers:
        async with control.serving(tmp_path, desk.answer):
            assert await anext(answers) == {"waiting": True}
        with pytest.raises(HearthbeatError, match="has not answered to the end"):
            await anext(answers)
    assert desk.broken_off.is_set()


async def test_who_hangs_up_is_answered_no_more(desk: Desk, tmp_path: Path) -> None:
    async with aclosing(control.ask(tmp_path, {"do": "wait"})) as answers:
        await anext(answers)
    await desk.broken_off.wait()


async def test_only_its_user_may_ask(desk: Desk, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / control.SOCKET_NAME).stat().st_mode) == 0o600


@given(
    st.binary(max_size=300).filter(lambda line: b"\n" not in line) | st.sampled_from([b"{" * 200_000, b"[" * 60_000])
)
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_answered_with_a_refusal(line: bytes) -> None:
    async def ask_nonsense(folder: Path) -> bytes:
        async with control.serving(folder, Desk().answer):
            reader, writer = await asyncio.open_unix_connection(folder / control.SOCKET_NAME)
            writer.write(line + b"\n")
            try:
                return await reader.readline()
            finally:
                writer.close()

    with TemporaryDirectory(prefix="hb-") as folder:
        told = json.loads(asyncio.run(ask_nonsense(Path(folder))))
    assert told["error"]["what"] == "that is no request"


async def test_a_second_daemon_takes_the_socket_of_one_that_was_killed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / control.SOCKET_NAME))
    async with (
        control.serving(tmp_path, Desk().answer),
        aclosing(control.ask(tmp_path, {"do": "count", "to": 1})) as answers,
    ):
        assert [words async for words in answers] == [{"number": 0}]
