"""The collector: takes messages from the broker, stores them batch by batch, and only then acknowledges them.

    broker -> Intake.arrivals -> read -> Database.store (one transaction) -> receipts, PUBACKs

Whatever dies in between, the broker still has the message. While the database stores nothing, nothing is acknowledged:
the broker leaves off when `in_flight` messages are with us, and keeps the rest.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from typing import Final

import structlog

from cloud_sync.collector.database import OLD, Database, Stored
from cloud_sync.collector.entries import Arrival, Entry, Refusal, Row, Sealed, refuse
from cloud_sync.collector.intake import Intake
from cloud_sync.collector.metrics import Health, HealthServer, Metrics
from cloud_sync.collector.reading import claimed_id, home_of, read
from cloud_sync.collector.settings import CollectorSettings
from cloud_sync.receipts import MOST_IDS, receipt, receipt_topic
from edge.errors import BrokerError, DatabaseError, PoisonError, SettingsError
from edge.telling.household_key import SecretKey

# Our choice: a database that restarts is back in a second or two, and a thousand homes wait meanwhile.
FIRST_RETRY_S: Final = 0.25
LONGEST_RETRY_S: Final = 30.0
# When nothing came for so long, a batch waits no more: a broker that leaves few messages in flight sends no others.
QUIET_S: Final = 0.004
# A batch that waits longer than this is not healthy.
PATIENCE_S: Final = 5.0
# How long a stop waits for the batch under way.
STOP_LIMIT_S: Final = 10.0
# Bytes of payload in one transaction; our choice, with room for a thousand messages of 16 kB.
MOST_OF_A_BATCH: Final = 16 * 1024 * 1024
MAINTAIN_EVERY_S: Final = 3600.0
_READ_IN_ONE_GO: Final = 100

Pair = tuple[Arrival, Entry | None]

_log = structlog.get_logger("collector")


class Collector:
    """One collector; `run` lasts until `stop`. Others beside it share its load when their group is the same."""

    def __init__(self, settings: CollectorSettings, *, chance: random.Random | None = None) -> None:
        self.metrics = Metrics()
        self._settings = settings
        self._chance = chance or random.Random()  # noqa: S311 -- jitter is no secret
        self._key = _household_key(settings)
        self._database = Database(settings.database.conninfo, settings.database.password_file)
        self._keeper = Database(settings.database.conninfo, settings.database.password_file)
        self._intake: Intake | None = None
        self._came = asyncio.Event()
        self._stopping = asyncio.Event()
        self._prepared = asyncio.Event()
        self._under_way: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._under_way.set_result(None)
        self._began: float | None = None  # monotonic moment at which the batch under way began
        self._in_batch = 0
        self._faults: dict[str, str] = {"database": "not connected yet", "broker": "not connected yet"}

    async def run(self) -> None:
        """Collect until `stop`; raises SettingsError where a file of the settings cannot be used."""
        try:
            await self._work()
        finally:
            await self._database.close()
            await self._keeper.close()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            storing = tasks.create_task(self._store_batches(tasks))
            others = [tasks.create_task(self._stay_connected()), tasks.create_task(self._maintain())]
            await self._stopping.wait()
            storing.cancel()
            await asyncio.wait({self._under_way}, timeout=STOP_LIMIT_S)
            for task in [self._under_way, *others]:
                task.cancel()

    def stop(self) -> None:
        """End after the batch under way."""
        self._stopping.set()

    def health(self) -> Health:
        """How it is; from any thread."""
        began = self._began
        waited = 0.0 if began is None else time.monotonic() - began
        broken = [f"{of}: {why}" for of, why in sorted(self._faults.items())]
        if not broken and waited > PATIENCE_S:
            broken = [f"database: a batch has waited for {waited:.0f} s"]
        intake = self._intake
        return Health(
            healthy=not broken,
            broker="connected" if "broker" not in self._faults else "away",
            database="connected" if "database" not in self._faults else "away",
            why="; ".join(broken) or None,
            waiting=self._in_batch + (0 if intake is None else len(intake.arrivals)),
            waiting_s=round(waited, 3),
        )

    async def _stay_connected(self) -> None:
        """Be connected to the broker, from when the database is ready; nothing is taken before."""
        await self._prepared.wait()
        failures = 0
        while True:
            try:
                with closing(Intake(self._settings.broker, self._settings.collector, self._came.set)) as intake:
                    await intake.connect()
                    failures = 0
                    self._intake = intake
                    self._well("broker")
                    await intake.lost()
            except BrokerError as error:
                failures += 1
                self._broken("broker", error)
            finally:
                self._intake = None
            await asyncio.sleep(self._delay(failures))

    async def _store_batches(self, tasks: asyncio.TaskGroup) -> None:
        """Read one batch while the one before it is being stored."""
        await self._prepare()
        while True:
            await self._came.wait()
            intake = self._intake
            if intake is None or not intake.arrivals:
                self._came.clear()
                continue
            await self._gather(intake)
            entries = await self._read(intake)
            await asyncio.shield(self._under_way)  # a stop leaves it time to end
            self._under_way = tasks.create_task(self._take(intake, entries))

    async def _gather(self, intake: Intake) -> None:
        """Wait until a batch is worth a transaction: it is full, or its first message has waited, or no more come."""
        settings = self._settings.collector
        until = time.monotonic() + settings.batch_wait_s
        before = 0
        while len(intake.arrivals) < settings.batch_messages:
            full_time = time.monotonic() >= until or len(intake.arrivals) == before
            if full_time and self._under_way.done():
                return
            before = len(intake.arrivals)
            await asyncio.sleep(QUIET_S)

    async def _read(self, intake: Intake) -> list[Pair]:
        """Take a batch from what has come, and read it, with a look at the sockets in between."""
        settings = self._settings.collector
        entries: list[Pair] = []
        size = 0
        while intake.arrivals and len(entries) < settings.batch_messages and size < MOST_OF_A_BATCH:
            arrival = intake.take()
            size += len(arrival.payload)
            entries.append((arrival, read(arrival, settings.largest_payload, self._key)))
            if len(entries) % _READ_IN_ONE_GO == 0:
                await asyncio.sleep(0.0)
        self.metrics.received.inc(len(entries))
        return entries

    async def _take(self, intake: Intake, entries: Sequence[Pair]) -> None:
        """Store a batch, however long that takes, then say so; a connection that ended meanwhile is told nothing."""
        self._began, self._in_batch = time.monotonic(), len(entries)
        stored = await self._store([(arrival, entry) for arrival, entry in entries if entry is not None])
        self._count(entries, stored, time.monotonic() - self._began)
        self._began, self._in_batch = None, 0
        if intake is self._intake:
            if self._settings.collector.receipts:
                self._give_receipts(intake, entries)
            intake.acknowledge(arrival.mark for arrival, _ in entries if arrival.mark is not None)

    async def _store(self, entries: Sequence[tuple[Arrival, Entry]]) -> Stored:
        """Store until it is done; what the database can never take is found by halving, and refused."""
        if not entries:
            return Stored()
        failures = 0
        while True:
            try:
                await self._database.open()
                stored = await self._database.store([entry for _, entry in entries])
            except PoisonError as error:
                if len(entries) > 1:
                    middle = len(entries) // 2
                    return await self._store(entries[:middle]) + await self._store(entries[middle:])
                arrival = entries[0][0]
                self.metrics.refused.labels("database").inc()
                return await self._store([(arrival, refuse(arrival, "database", error.what))])
            except DatabaseError as error:
                failures += 1
                self._broken("database", error)
                await asyncio.sleep(self._delay(failures))
            else:
                self._well("database")
                return stored

    def _give_receipts(self, intake: Intake, entries: Sequence[Pair]) -> None:
        """Tell each home which of its messages are safe, those set aside included: sending them again helps nobody."""
        ids: defaultdict[str, list[str]] = defaultdict(list)
        for arrival, entry in entries:
            match entry:
                case Row() | Sealed():
                    ids[entry.home].append(entry.id)
                case Refusal():
                    home, identifier = home_of(arrival.topic), claimed_id(arrival.payload)
                    if home is not None and identifier is not None:
                        ids[home].append(identifier)
        for home, told in ids.items():
            for first in range(0, len(told), MOST_IDS):
                intake.publish(receipt_topic(home), receipt(told[first : first + MOST_IDS]))

    def _count(self, entries: Sequence[Pair], stored: Stored, batch_s: float) -> None:
        metrics, now = self.metrics, time.time()
        metrics.stored.inc(stored.new)
        metrics.repeats.inc(stored.repeats)
        metrics.batch_s.observe(batch_s)
        metrics.batch.observe(len(entries))
        metrics.lag_s.observe(max(now - entries[0][0].received, 0.0))
        for _, entry in entries:
            match entry:
                case None:
                    metrics.passed_by.inc()
                case Refusal():
                    metrics.refused.labels(entry.reason).inc()
        newest = max((entry.at for _, entry in entries if isinstance(entry, Row)), default=None)
        if newest is not None:
            metrics.age_s.observe(max(now - newest, 0.0))

    async def _prepare(self) -> None:
        """Have the tables; until then nothing is taken."""
        failures = 0
        while not self._prepared.is_set():
            try:
                await self._database.open()
                if self._settings.database.migrate:
                    for name in await self._database.migrate():
                        _log.info("migrated", migration=name)
                await self._database.check()
                await self._database.make_months(time.time())
                self._well("database")
                self._prepared.set()
            except DatabaseError as error:
                failures += 1
                self._broken("database", error)
                await asyncio.sleep(self._delay(failures))

    async def _maintain(self) -> None:
        """Make months ahead and drop those that are kept no more; any number of collectors may do so."""
        await self._prepared.wait()
        while True:
            try:
                await self._keeper.open()
                await keep(self._keeper, self._settings, time.time())
            except DatabaseError as error:
                _log.warning("the months were not looked after", error=str(error))
            finally:
                await self._keeper.close()
            await asyncio.sleep(MAINTAIN_EVERY_S * self._chance.uniform(0.9, 1.1))

    def _delay(self, failures: int) -> float:
        """Seconds until the next attempt: doubling, capped, a random half left out (see cloud_sync.publisher)."""
        longest = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(max(failures - 1, 0), 16))
        return longest * self._chance.uniform(0.5, 1.0)

    def _broken(self, of: str, error: BrokerError | DatabaseError) -> None:
        self.metrics.failures.labels(of).inc()
        self.metrics.connected.labels(of).set(0)
        log = _log.debug if self._faults.get(of) == str(error) else _log.warning
        self._faults[of] = str(error)
        log(f"the {of} is away; messages wait", error=str(error))

    def _well(self, of: str) -> None:
        if self._faults.pop(of, None) is not None:
            _log.info(f"connected to the {of}")
        self.metrics.connected.labels(of).set(1)


async def keep(database: Database, settings: CollectorSettings, now: float) -> None:
    """Make partitions ahead, and drop what [retention] keeps no more; raises DatabaseError."""
    await database.make_months(now)
    for word, months in settings.retention:
        if months is None:
            continue
        drop = database.delete_old if word in OLD else database.drop_old
        gone = await drop(word, months, now)
        if gone:
            _log.info("dropped what is kept no more", of=word, count=gone)


def run_collector(settings: CollectorSettings) -> None:
    """Run until SIGTERM or SIGINT; raises SettingsError."""
    asyncio.run(_run(settings))


async def _run(settings: CollectorSettings) -> None:
    collector = Collector(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, collector.stop)
    try:
        server = HealthServer(settings.metrics.host, settings.metrics.port, collector.metrics, collector.health)
    except OSError as error:
        raise SettingsError(
            f"cannot listen: {error.strerror or error}",
            where=f"{settings.metrics.host}:{settings.metrics.port}",
            mend="choose another port under [metrics]",
        ) from error
    server.start()
    _log.info("collecting", name=settings.collector.name, health=f"http://{settings.metrics.host}:{server.port}/health")
    try:
        await collector.run()
    except ExceptionGroup as group:
        wrong, rest = group.split(SettingsError)
        if wrong is None or rest is not None:
            raise
        raise wrong.exceptions[0] from group
    finally:
        server.stop()


def _household_key(settings: CollectorSettings) -> SecretKey | None:
    path = settings.collector.household_key_file
    if path is None:
        return None
    try:
        return SecretKey.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise SettingsError(
            f"household key cannot be used: {why}", where=str(path), mend="name a readable key file"
        ) from error
