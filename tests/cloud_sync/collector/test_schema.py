"""The dashboard, the roles of docs/collector.md and the partitions, against the tables as they are."""

from __future__ import annotations

import asyncio
import json
import re
import time
from importlib import resources
from pathlib import Path

import psycopg
import pytest

from cloud_sync.collector.database import Database, migrations
from cloud_sync.collector.entries import Arrival
from cloud_sync.collector.reading import read
from tests.fakes.collecting import rows, told

DOCS = Path(__file__).resolve().parents[3] / "docs" / "collector.md"
DAY_S = 86_400.0


async def filled(conninfo: str) -> Database:
    database = Database(conninfo)
    await database.open()
    await database.migrate()
    entries = [read(Arrival(one.topic, one.payload, time.time()), 1 << 20) for one in told(90)]
    await database.store([entry for entry in entries if entry is not None])
    return database


async def test_every_query_of_the_dashboard_runs(database: str) -> None:
    dashboard = json.loads((resources.files("cloud_sync.collector") / "grafana.json").read_text())
    open_database = await filled(database)
    ((person,),) = await rows(database, "SELECT DISTINCT person FROM hearthbeat.minute_messages")
    queries = [target["rawSql"] for panel in dashboard["panels"] for target in panel["targets"]]
    queries += [one["query"] for one in dashboard["templating"]["list"] if one["type"] == "query"]
    answers = {}
    for query in queries:
        plain = query.replace("${home}", "home-1").replace("${person}", person)
        plain = re.sub(r"\$__timeFilter\((\w+)\)", r"\1 BETWEEN now() - interval '2 days' AND now()", plain)
        plain = plain.replace("$__timeFrom()", "now() - interval '2 days'").replace("$__timeTo()", "now()")
        answers[query] = await rows(database, plain)
    (heart_rate,) = (found for query, found in answers.items() if "'heart_rate'" in query)
    assert len(heart_rate) > 60
    await open_database.close()


async def test_a_role_with_the_rights_of_the_docs_can_collect_and_no_more(database: str) -> None:
    owner = await filled(database)
    name = re.search(r"dbname=(\w+)", database)
    assert name is not None
    grants = re.search(r"CREATE ROLE collector.*?(?=\nCREATE ROLE dashboard)", DOCS.read_text(), re.DOTALL)
    assert grants is not None
    role = f"collector_{name[1]}"
    statements = re.sub(r"\bcollector\b", role, grants[0]).replace("DATABASE hearthbeat", f"DATABASE {name[1]}")
    async with await psycopg.AsyncConnection.connect(database) as connection:
        await connection.execute(statements.encode())
    await owner.close()
    collector = Database(re.sub(r"user=\w+", f"user={role}", database))
    await collector.open()
    await collector.check()
    await collector.make_months(time.time() + 400 * DAY_S)
    entries = [read(Arrival(one.topic, one.payload, time.time()), 1 << 20) for one in told(5, home=2)]
    stored = await collector.store([entry for entry in entries if entry is not None])
    assert stored.new == 5
    entries = [read(Arrival("hearthbeat/v1/home-1/fault", b"?", time.time()), 1 << 20) for _ in range(2)]
    await collector.store([entry for entry in entries if entry is not None])
    assert await rows(database, "SELECT times FROM hearthbeat.refused") == [(2,)]
    assert await collector.drop_old("minutes", 1, time.time()) == 0
    assert await collector.delete_old("sealed", 1, time.time()) == 0
    assert await collector.delete_old("refused", 1, time.time()) == 0
    assert await collector.delete_old("refused", 1, time.time() + 40 * DAY_S) == 1
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await rows(re.sub(r"user=\w+", f"user={role}", database), "DELETE FROM hearthbeat.alert_messages RETURNING 1")
    await collector.close()


async def test_months_that_are_kept_no_more_are_dropped_and_late_messages_make_theirs(database: str) -> None:
    keeper = await filled(database)
    year_ago = int((time.time() - 365 * DAY_S) / 60.0)
    entries = [read(Arrival(one.topic, one.payload, time.time()), 1 << 20) for one in told(8, 3, year_ago)]
    await keeper.store([entry for entry in entries if entry is not None])
    count = "SELECT count(*) FROM hearthbeat.minute_messages WHERE home = 'home-3'"
    assert (await rows(database, count))[0][0] > 0
    assert await keeper.drop_old("minutes", 6, time.time()) == 1
    assert await rows(database, count) == [(0,)]
    # What comes late for a month that is gone makes it again.
    await keeper.store([entry for entry in entries if entry is not None])
    assert (await rows(database, count))[0][0] > 0
    await keeper.close()


async def test_collectors_that_start_at_once_make_the_tables_once(database: str) -> None:
    together = [Database(database) for _ in range(3)]
    for one in together:
        await one.open()
    applied = await asyncio.gather(*(one.migrate() for one in together))
    assert sorted(map(len, applied)) == [0, 0, len(migrations())]
    await asyncio.gather(*(one.make_months(time.time()) for one in together))
    for one in together:
        await one.close()
