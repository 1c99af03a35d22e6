"""What bumble lacks where somebody stops waiting at a bad moment."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from edge.virtual.radio import VirtualRadio


@pytest.mark.parametrize("steps", range(6))
async def test_an_answer_that_nobody_waits_for_any_more_harms_nothing(steps: int) -> None:
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: errors.append(context))
    async with VirtualRadio() as radio:
        await radio.central.start_scanning(filter_duplicates=False)
        given_up = asyncio.create_task(radio.central.stop_scanning())
        for _ in range(steps):
            await asyncio.sleep(0)
        given_up.cancel()
        async with asyncio.timeout(5.0):
            await asyncio.sleep(0)
            await radio.central.start_scanning(filter_duplicates=False)
            await radio.central.stop_scanning()
    assert errors == []
