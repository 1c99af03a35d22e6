"""PostgreSQL dies, is locked or full: the collector waits, says so, and loses nothing."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from cloud_sync.collector import database as database_module
from cloud_sync.collector.metrics import HealthServer
from cloud_sync.collector.service import Collector
from tests.fakes.broker import Mosquitto
from tests.fakes.collecting import Sender, collecting, collector_settings, number, told, until
from tests.fakes.postgres import Postgres

ALL = "SELECT (SELECT count(*) FROM hearthbeat.minute_messages) + (SELECT count(*) FROM hearthbeat.hour_messages)"


async def stored(database: str, count: int) -> bool:
    return await number(database, ALL) == count


async def unwell(collector: Collector, word: str) -> bool:
    health = collector.health()
    return not health.healthy and word in str(health.why)


async def test_postgres_is_killed_and_comes_back(mosquitto: Mosquitto, postgres: Postgres, sender: Sender) -> None:
    database = postgres.make_database()
    messages = told(60)
    async with collecting(collector_settings(mosquitto, database)) as collector:
        await asyncio.to_thread(sender.send, messages[:20])
        await until(lambda: stored(database, 20))
        postgres.kill()
        await asyncio.to_thread(sender.send, messages[20:])
        await until(lambda: unwell(collector, "database"))
        postgres.start()
        await until(lambda: stored(database, 60))
        await until(lambda: well(collector))


async def test_a_lock_is_waited_for_and_told(
    mosquitto: Mosquitto, database: str, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "LOCK_WAIT_S", 0.2)
    async with collecting(collector_settings(mosquitto, database)) as collector:
        async with await psycopg.AsyncConnection.connect(database) as holder:
            await holder.execute("LOCK TABLE hearthbeat.minute_messages")
            await asyncio.to_thread(sender.send, told(10))
            await until(lambda: unwell(collector, "lock"))
            status, health = await asyncio.to_thread(ask, collector)
            assert (status, health["healthy"], health["broker"], health["waiting"]) == (503, False, "connected", 10)
            assert await number(database, "SELECT 0") == 0
        await until(lambda: stored(database, 10))
        await until(lambda: well(collector))


async def well(collector: Collector) -> bool:
    return collector.health().healthy


def ask(collector: Collector) -> tuple[int, dict[str, object]]:
    server = HealthServer("127.0.0.1", 0, collector.metrics, collector.health)
    server.start()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/health") as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    finally:
        server.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    folder = Path(f"/tmp/hearthbeat-small-{os.getpid()}")
    folder.mkdir()
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m,mode=777", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounting.returncode != 0:
        folder.rmdir()
        pytest.skip("only root may mount")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    folder.rmdir()


async def test_a_full_disk_is_waited_for_and_told(
    mosquitto: Mosquitto, postgres: Postgres, sender: Sender, small_disk: Path
) -> None:
    database = postgres.make_database()
    room = small_disk / "room"
    room.mkdir()
    room.chmod(0o700)
    os.chown(room, postgres.data.stat().st_uid, postgres.data.stat().st_gid)
    postgres.execute(f"CREATE TABLESPACE small LOCATION '{room}'")
    name = database.partition("dbname=")[2].split()[0]
    postgres.execute(f"ALTER DATABASE {name} SET default_tablespace = small")
    messages = told(100)
    async with collecting(collector_settings(mosquitto, database)) as collector:
        ballast = small_disk / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as filling:
            while True:
                filling.write(bytes(4096))
        await asyncio.to_thread(sender.send, messages)
        await until(lambda: unwell(collector, "disk room"))
        ballast.unlink()
        await until(lambda: stored(database, len(messages)))
    postgres.execute(f"DROP DATABASE {name}")
    postgres.execute("DROP TABLESPACE small")
