"""PostgreSQL: migrations, and batches of messages in one transaction each, whoever else writes beside us."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib import resources
from pathlib import Path
from typing import Final, LiteralString

import psycopg
from psycopg import sql

from cloud_sync.collector.entries import MINUTES, Entry, Presence, Refusal, Row, Sealed
from edge.errors import DatabaseError, PoisonError, SettingsError

# A statement that waits so long for a lock gives up, so that we can say what it is; then the batch is tried again.
LOCK_WAIT_S: Final = 10.0
# Partitions are made so many months ahead; our choice: a database that nobody looks after for a while goes on.
MONTHS_AHEAD: Final = 2
# How long a vanished server is waited for: connecting, and for data it does not acknowledge (libpq, 34.1.2).
_CONNECT_LIMIT_S: Final = 10
_SILENCE_LIMIT_MS: Final = 30_000
# Classes of SQLSTATE that are about the data itself: data exception, integrity constraint, program limit
# (PostgreSQL, appendix A). Everything else passes, or must be mended by somebody, while the batch waits.
_POISON: Final = ("22", "23", "54")
_NO_PARTITION: Final = "23514"

_STAGING: Final = (
    "CREATE TEMPORARY TABLE incoming (kind text, home text, id uuid, at float8, ends float8, person text, "
    "received float8, body jsonb) ON COMMIT DELETE ROWS"
)
_COPY: Final = "COPY incoming (kind, home, id, at, ends, person, received, body) FROM STDIN"
# What is kept in one table for all months: which, and by what its age counts.
OLD: Final = {"refused": ("refused", "last_received"), "sealed": ("sealed", "received")}
_BODY: Final = sql.SQL("jsonb_strip_nulls(body)")  # minutes come as their sender wrote them, see reading.py
_SEALED: Final = (
    "INSERT INTO hearthbeat.sealed VALUES (%s, %s, %s, %s, to_timestamp(%s), %s) ON CONFLICT (home, id) DO NOTHING"
)
_REFUSED: Final = (
    "INSERT INTO hearthbeat.refused AS old VALUES (%s, %s, %s, %s, %s, %s, to_timestamp(%s), to_timestamp(%s)) "
    "ON CONFLICT (digest) DO UPDATE SET times = old.times + 1, last_received = excluded.last_received"
)
_HOMES: Final = (
    "INSERT INTO hearthbeat.homes AS old VALUES (%s, %s, to_timestamp(%s)) ON CONFLICT (home) DO UPDATE "
    "SET online = excluded.online, since = excluded.since WHERE excluded.since >= old.since"
)


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a batch: messages that are new, and those that were there already."""

    new: int = 0
    repeats: int = 0

    def __add__(self, other: Stored) -> Stored:
        return Stored(self.new + other.new, self.repeats + other.repeats)


class Database:
    """A connection to PostgreSQL, opened anew after every fault; used by one task."""

    def __init__(self, conninfo: str, password_file: Path | None = None) -> None:
        self._conninfo = conninfo
        self._password_file = password_file
        self._connection: psycopg.AsyncConnection | None = None
        self._months: set[date] = set()

    @property
    def is_open(self) -> bool:
        """Whether there is a connection that was good when it was last used."""
        return self._connection is not None

    async def open(self) -> None:
        """Connect where there is no connection; raises DatabaseError."""
        if self._connection is not None:
            return
        try:
            self._connection = await psycopg.AsyncConnection.connect(
                self._conninfo,
                autocommit=True,
                password=_password(self._password_file),
                connect_timeout=_CONNECT_LIMIT_S,
                keepalives_idle=_CONNECT_LIMIT_S,
                keepalives_interval=_CONNECT_LIMIT_S // 2,
                keepalives_count=4,
                tcp_user_timeout=_SILENCE_LIMIT_MS,
                application_name="hearthbeat-collector",
            )
            # What is acknowledged must be on disk, whatever the server's own default.
            await self._connection.execute(f"SET lock_timeout = {round(LOCK_WAIT_S * 1000.0)}")
            await self._connection.execute("SET synchronous_commit = on")
            await self._connection.execute("SET timezone = 'UTC'")
            await self._connection.execute(_STAGING)
            await self._compress_quickly(self._connection)
        except psycopg.Error as error:
            await self.close()
            raise _database_error(error) from error

    @staticmethod
    async def _compress_quickly(connection: psycopg.AsyncConnection) -> None:
        """LZ4 where the server has it: storing a batch then takes two thirds of the time."""
        with suppress(psycopg.errors.InvalidParameterValue, psycopg.errors.UndefinedObject):
            await connection.execute("SET default_toast_compression = 'lz4'")

    async def close(self) -> None:
        """Let go of the connection; what was not committed is undone."""
        connection, self._connection = self._connection, None
        self._months.clear()
        if connection is not None:
            await connection.close()

    async def migrate(self) -> list[str]:
        """Bring the tables up to date, one collector at a time; the names of the migrations that were applied.

        Raises DatabaseError.
        """
        applied = []
        try:
            async with self._opened().transaction():
                await self._opened().execute("SET LOCAL lock_timeout = 0")
                await self._opened().execute("SELECT pg_advisory_xact_lock(hashtext('hearthbeat migrations'))")
                await self._opened().execute("CREATE SCHEMA IF NOT EXISTS hearthbeat")
                await self._opened().execute(
                    "CREATE TABLE IF NOT EXISTS hearthbeat.migrations "
                    "(name text PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())"
                )
                for name, statements in migrations():
                    cursor = await self._opened().execute(
                        "INSERT INTO hearthbeat.migrations (name) VALUES (%s) ON CONFLICT DO NOTHING", (name,)
                    )
                    if cursor.rowcount:
                        await self._opened().execute(statements)
                        applied.append(name)
        except psycopg.Error as error:
            raise await self._failed(error) from error
        return applied

    async def check(self) -> None:
        """See that the tables are those that this code knows; raises DatabaseError where somebody must migrate."""
        known = [name for name, _ in migrations()]
        there = await self._number("SELECT count(*) FROM hearthbeat.migrations WHERE name = ANY(%s)", (known,))
        if there < len(known):
            raise DatabaseError(
                "the tables are older than this collector",
                where="PostgreSQL",
                mend="run `hearthbeat-collector migrate` as their owner",
            )

    async def make_months(self, now: float) -> None:
        """Make the partitions of this month and the next ones; raises DatabaseError."""
        await self._make_months(_months_from(now, MONTHS_AHEAD))

    async def drop_old(self, word: str, months: int, now: float) -> int:
        """Drop the partitions kept as `word` that ended over `months` months ago; how many. Raises DatabaseError."""
        self._months.clear()
        return await self._number(
            "SELECT hearthbeat.drop_months(%s, to_timestamp(%s) - make_interval(months => %s))", (word, now, months)
        )

    async def delete_old(self, word: str, months: int, now: float) -> int:
        """Delete rows of OLD's tables that came over `months` months ago; how many. Raises DatabaseError."""
        table, column = OLD[word]
        statement = sql.SQL(
            "WITH gone AS (DELETE FROM hearthbeat.{} WHERE {} < to_timestamp(%s) - make_interval(months => %s) "
            "RETURNING 1) SELECT count(*) FROM gone"
        ).format(sql.Identifier(table), sql.Identifier(column))
        return await self._number(statement, (now, months))

    async def store(self, entries: Sequence[Entry]) -> Stored:
        """Store `entries` in one transaction; when this returns they are committed.

        Raises PoisonError where one of them can never be stored, DatabaseError where now nothing can.
        """
        rows = sorted(
            (entry for entry in entries if isinstance(entry, Row)), key=lambda row: (row.table, row.home, row.id)
        )
        try:
            await self._make_months({_month(row.at) for row in rows} - self._months)
            async with self._opened().transaction():
                stored = await self._store_rows(rows)
                stored += await self._store_sealed([entry for entry in entries if isinstance(entry, Sealed)])
                await self._store_refused([entry for entry in entries if isinstance(entry, Refusal)])
                await self._store_presence([entry for entry in entries if isinstance(entry, Presence)])
        except psycopg.Error as error:
            raise await self._failed(error) from error
        except UnicodeEncodeError as error:  # half a surrogate pair is no text for PostgreSQL
            raise PoisonError("not Unicode", where="PostgreSQL", mend="look into the table refused") from error
        return stored

    async def _store_rows(self, rows: Sequence[Row]) -> Stored:
        """In the order of their keys, so that collectors that store the same wait for each other in one direction."""
        if not rows:
            return Stored()
        async with self._opened().cursor() as cursor:
            async with cursor.copy(_COPY) as copy:
                for row in rows:
                    await copy.write_row(
                        (row.table, row.home, row.id, row.at, row.ends, row.person, row.received, row.body)
                    )
            new = 0
            for table in dict.fromkeys(row.table for row in rows):
                await cursor.execute(
                    sql.SQL(
                        "INSERT INTO hearthbeat.{} (home, id, at, ends, person, received, body) "
                        "SELECT home, id, to_timestamp(at), to_timestamp(ends), person, to_timestamp(received), {} "
                        "FROM incoming WHERE kind = {} ON CONFLICT DO NOTHING"
                    ).format(sql.Identifier(table), _BODY if table == MINUTES else sql.SQL("body"), sql.Literal(table))
                )
                new += cursor.rowcount
        return Stored(new, len(rows) - new)

    async def _store_sealed(self, sealed: Sequence[Sealed]) -> Stored:
        if not sealed:
            return Stored()
        values = sorted((one.home, one.id, one.kind, one.person, one.received, one.payload) for one in sealed)
        async with self._opened().cursor() as cursor:
            await cursor.executemany(_SEALED, values)
            return Stored(cursor.rowcount, len(sealed) - cursor.rowcount)

    async def _store_refused(self, refused: Sequence[Refusal]) -> None:
        if refused:
            values = sorted(
                (one.digest, one.topic, one.reason, one.why, one.payload, one.size, one.received, one.received)
                for one in refused
            )
            async with self._opened().cursor() as cursor:
                await cursor.executemany(_REFUSED, values)

    async def _store_presence(self, told: Iterable[Presence]) -> None:
        newest = {one.home: one for one in sorted(told, key=lambda one: one.since)}
        if newest:
            values = sorted((one.home, one.online, one.since) for one in newest.values())
            async with self._opened().cursor() as cursor:
                await cursor.executemany(_HOMES, values)

    async def _make_months(self, months: Iterable[date]) -> None:
        for month in sorted(months):
            await self._number("SELECT 1 FROM hearthbeat.make_month(%s)", (month,))
            self._months.add(month)

    async def _number(self, statement: LiteralString | sql.Composed, values: Sequence[object]) -> int:
        try:
            cursor = await self._opened().execute(statement, values)
            row = await cursor.fetchone()
        except psycopg.Error as error:
            raise await self._failed(error) from error
        return 0 if row is None else int(row[0])

    async def _failed(self, error: psycopg.Error) -> DatabaseError:
        """The fault in our words; the connection is kept only where the batch itself is at fault."""
        code = error.sqlstate
        # psycopg itself refuses NUL in a text, without a code.
        poison = isinstance(error, psycopg.DataError) if code is None else code.startswith(_POISON)
        if poison and code != _NO_PARTITION:
            return PoisonError(_told(error), where="PostgreSQL", mend="look into the table refused", code=code)
        await self.close()  # the months too are forgotten: somebody may have dropped one
        return _database_error(error)

    def _opened(self) -> psycopg.AsyncConnection:
        if self._connection is None:
            raise DatabaseError("there is no connection", where="PostgreSQL", mend="check [database] and the server")
        return self._connection


def migrations() -> list[tuple[str, bytes]]:
    """Name and statements of each migration, oldest first; one that was released is never edited."""
    folder = resources.files("cloud_sync.collector") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [(file.name, file.read_bytes()) for file in files]


def _months_from(now: float, ahead: int) -> set[date]:
    first = _month(now)
    months = [first.year * 12 + first.month - 1 + number for number in range(ahead + 1)]
    return {date(month // 12, month % 12 + 1, 1) for month in months}


def _month(at: float) -> date:
    return datetime.fromtimestamp(at, UTC).date().replace(day=1)


def _told(error: psycopg.Error) -> str:
    """The first line of what PostgreSQL says; its further lines may hold values of a row."""
    return str(error.diag.message_primary or error).partition("\n")[0]


def _database_error(error: psycopg.Error) -> DatabaseError:
    match error.sqlstate:
        case None:
            mend = "check [database] and that the server runs"
        case "55P03":
            mend = "look for who holds a lock (pg_locks)"
        case "53100":
            mend = "give its disk room"
        case code if code.startswith("42"):
            mend = (
                "run `hearthbeat-collector migrate` as the tables' owner; another role needs the rights of "
                "docs/collector.md, and `migrate = false` under [database]"
            )
        case _:
            mend = "look into the server's log"
    return DatabaseError(_told(error), where="PostgreSQL", mend=mend, code=error.sqlstate)


def _password(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise SettingsError(
            f"password cannot be read: {why}", where=str(path), mend="make it readable for the collector's user"
        ) from error
