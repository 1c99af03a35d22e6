"""What the database tells of what was collected."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Sequence
from dataclasses import replace

import pytest

from cloud_sync.collector.database import Database
from cloud_sync.collector.entries import Arrival, Refusal, Row
from cloud_sync.collector.reading import BEHIND_S, read
from cloud_sync.fleet.traffic import Traffic
from cloud_sync.messages.bodies import DayMessage, FaultMessage, Message
from cloud_sync.messages.examples import EXAMPLES
from cloud_sync.messages.making import minute_summaries, payload_of
from cloud_sync.messages.topics import Kind, Topic
from edge.notices import OutboxMessage, Priority
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


@pytest.mark.parametrize("tiny", ["1e-400", "1E-400", f"0.{'0' * 400}1"])
async def test_a_number_too_small_for_the_database_breaks_no_view(database: str, tiny: str) -> None:
    message = minutes([(0, 1)], 60.0)
    body = json.loads(zlib.decompress(message.payload) if message.payload[:1] == b"\x78" else message.payload)
    body["channels"][CHANNEL]["mean"] = ["tiny"]
    text = json.dumps(body).replace('"tiny"', tiny)
    await store(database, [replace(message, payload=text.encode())], one_batch=True)
    assert await rows(database, f"SELECT mean FROM hearthbeat.minutes WHERE channel = '{CHANNEL}'") == [(0.0,)]


async def test_a_count_as_large_as_the_format_takes_breaks_no_view(database: str) -> None:
    most = 9_007_199_254_740_991
    example = EXAMPLES[Kind.FAULT]
    assert isinstance(example, FaultMessage)
    fault = example.model_copy(update={"count": most, "opened_at": time.time(), "cleared_at": None})
    topic = str(Topic("home-1", Kind.FAULT))
    message = OutboxMessage(str(fault.id), topic, payload_of(fault), Priority.FAULT, time.time())
    await store(database, [message], one_batch=True)
    assert await rows(database, "SELECT count FROM hearthbeat.faults") == [(most,)]


def refused(kind: Kind, message: Message, received: float) -> str | None:
    """Why a person's message is refused, None where it is not."""
    entry = read(Arrival(str(Topic("home-1", kind, "p-1")), payload_of(message), received), 1 << 20)
    return entry.reason if isinstance(entry, Refusal) else None


@pytest.mark.parametrize("date", ["2026-02-31", "2026-13-01", "0000-01-01"])
def test_a_day_that_no_calendar_has_is_refused(date: str) -> None:
    day = EXAMPLES[Kind.DAY]
    assert isinstance(day, DayMessage)
    assert refused(Kind.DAY, day, day.end) is None
    assert refused(Kind.DAY, day.model_copy(update={"date": date}), day.end) == "schema"


def test_a_clock_that_is_years_behind_makes_no_partitions() -> None:
    day = EXAMPLES[Kind.DAY]
    assert isinstance(day, DayMessage)
    assert refused(Kind.DAY, day, day.start + BEHIND_S) is None
    assert refused(Kind.DAY, day, day.start + BEHIND_S + 1.0) == "time"
