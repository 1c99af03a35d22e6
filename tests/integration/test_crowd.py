"""Twenty wearables at once, through the daemon."""

from __future__ import annotations

import random
from pathlib import Path

from tests.fakes.crowd import Crowd
from tests.fakes.household import virtual_household


async def test_twenty_wearables_at_once_lose_nothing_and_every_gap_is_marked(tmp_path: Path) -> None:
    async with virtual_household(tmp_path) as house:
        crowd = Crowd(house, random.Random(7))
        await crowd.start()
        async with house.living(**crowd.people) as daemon:
            await crowd.connected()
            await crowd.live(120.0, daemon.settled)
        counts = crowd.counts()
    for channel, count in counts.items():
        assert count.stored == count.sent > 0, (channel, count)
        assert not count.wrong, (channel, count)
        assert count.marked == count.gaps, (channel, count)
    assert crowd.breaks >= 2
