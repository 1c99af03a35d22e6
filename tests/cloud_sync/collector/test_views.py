"""What the database tells of what was collected."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Sequence
from dataclasses import replace

import pytest

from cloud_sync.collector.database import Database
from cloud_sync.collector.entries import Arrival, Row
from cloud_sync.collector.reading import read
from cloud_sync.fleet.traffic import Traffic
from cloud_sync.messages.making import minute_summaries
from edge.notices import OutboxMessage
from edge.store.minutes import DirtyMinute
from tests.fakes.collecting import rows

MINUTE = int(time.time() // 3600) * 60 - 60
HOME = Traffic(1, MINUTE).home
CHANNEL = "heart_rate"


def minutes(revisions: Sequence[tuple[int, int]], mean: float) -> OutboxMessage:
    figures = {channel: replace(one, mean=mean) for channel, one in Traffic(1, MINUTE)._figures(60.0).items()}
    return minute_summaries(
        HOME, [(DirtyMinute("anna", MINUTE + minute, revision, 1), figures) for minute, revision in revisions]
    )


async def store(database: str, messages: Sequence[OutboxMessage], *, one_batch: bool) -> None:
    open_database = Database(database)
    await open_database.open()
    await open_database.migrate()
    entries = [read(Arrival(message.topic, message.payload, time.time()), 1 << 20) for message in messages]
    found = [entry for entry in entries if isinstance(entry, Row)]
    for batch in [found] if one_batch else [[entry] for entry in found]:
        await open_database.store(batch)
    await open_database.close()


@pytest.mark.parametrize(
    ("order", "one_batch"), [((0, 1, 2), False), ((2, 1, 0), False), ((1, 2, 0), False), ((2, 0, 1), True)]
)
async def test_the_highest_revision_of_a_minute_stands_whatever_came_first(
    database: str, order: Sequence[int], one_batch: bool
) -> None:
    messages = [minutes([(0, 1), (1, 1)], 60.0), minutes([(1, 2)], 70.0), minutes([(1, 3), (2, 1)], 80.0)]
    await store(database, [messages[place] for place in order], one_batch=one_batch)
    found = await rows(
        database,
        f"SELECT extract(epoch FROM time)::int / 60 - {MINUTE}, revision, mean FROM hearthbeat.minutes "
        f"WHERE channel = '{CHANNEL}' ORDER BY time",
    )
    assert found == [(0, 1, 60.0), (1, 3, 80.0), (2, 1, 80.0)]
    between = await rows(
        database,
        f"SELECT revision FROM hearthbeat.minutes_between(to_timestamp({MINUTE * 60 + 60}), now()) "
        f"WHERE channel = '{CHANNEL}' ORDER BY time",
    )
    assert between == [(3,), (1,)]


async def test_a_null_that_a_sender_writes_out_breaks_no_view(database: str) -> None:
    message = minutes([(0, 1)], 60.0)
    body = json.loads(zlib.decompress(message.payload) if message.payload[:1] == b"\x78" else message.payload)
    body |= {"revisions": None, "gone": None}
    body["channels"][CHANNEL]["sd"] = None
    await store(database, [replace(message, payload=json.dumps(body).encode())], one_batch=True)
    query = f"SELECT n, sd, mean FROM hearthbeat.minutes WHERE channel = '{CHANNEL}'"
    ((n, sd, mean),) = await rows(database, query)
    assert (n > 0, sd, mean) == (True, None, 60.0)
