"""The tables, as migrations: each is applied once, in one transaction with the record that it was.

To change a table, add a migration below those that are there; never edit one that was released.
"""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from typing import Final

from sqlite_utils import Database, Migrations

from edge.errors import StoreError
from edge.store.connection import Connection, store_error
from edge.telling.pseudonyms import KEY_BYTES

MIGRATIONS: Final = Migrations("hearthbeat")

# REAL times are seconds since 1970 UTC; `origin`, `first` and `last` are in their channel's ticks (see blocks.py).
_FIRST_EDITION: Final = (
    # One series is one channel of one wearable of one person: its newest sample, how many of its samples wait in
    # `tail`, and how many make the next block.
    """CREATE TABLE series (
        id INTEGER PRIMARY KEY, person TEXT NOT NULL, device TEXT NOT NULL, channel TEXT NOT NULL,
        last INTEGER NOT NULL, value INTEGER NOT NULL, quality INTEGER NOT NULL, received_at REAL NOT NULL,
        waiting INTEGER NOT NULL, block INTEGER NOT NULL, UNIQUE (person, device, channel)) STRICT""",
    # Samples in blocks, compressed by pcodec. A column is NULL where all its numbers are 0.
    """CREATE TABLE blocks (
        id INTEGER PRIMARY KEY, series INTEGER NOT NULL REFERENCES series, size INTEGER NOT NULL,
        first INTEGER NOT NULL, last INTEGER NOT NULL, origin INTEGER NOT NULL,
        times BLOB, samples BLOB, quality BLOB) STRICT""",
    "CREATE INDEX blocks_by_time ON blocks (series, last)",
    # The newest samples of a series, a row per commit, until there are enough for a block.
    """CREATE TABLE tail (
        series INTEGER NOT NULL REFERENCES series, position INTEGER NOT NULL, size INTEGER NOT NULL,
        origin INTEGER NOT NULL, times BLOB, samples BLOB, quality BLOB,
        PRIMARY KEY (series, position)) STRICT, WITHOUT ROWID""",
    # Texts that very many rows repeat.
    "CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT",
    """CREATE TABLE assessments (
        person INTEGER NOT NULL REFERENCES names, risk INTEGER NOT NULL REFERENCES names, end REAL NOT NULL,
        start REAL NOT NULL, score REAL, reason TEXT, model INTEGER NOT NULL REFERENCES names, coverage REAL NOT NULL,
        explanation TEXT, PRIMARY KEY (person, risk, end)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE alerts (
        id TEXT PRIMARY KEY, person TEXT NOT NULL, kind TEXT NOT NULL, severity TEXT NOT NULL, state TEXT NOT NULL,
        since REAL NOT NULL, opened_at REAL NOT NULL, cleared_at REAL, explanation TEXT NOT NULL
        ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE notifications (
        id TEXT PRIMARY KEY, alert_id TEXT NOT NULL, contact TEXT NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL,
        severity TEXT NOT NULL, created REAL NOT NULL, state TEXT NOT NULL DEFAULT 'waiting', since REAL NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0, perhaps_repeated INTEGER NOT NULL DEFAULT 0, reason TEXT
        ) STRICT, WITHOUT ROWID""",
    # Minutes with samples that no summary has told yet; `touches` counts the commits that brought them.
    """CREATE TABLE dirty_minutes (
        person INTEGER NOT NULL REFERENCES names, minute INTEGER NOT NULL, touches INTEGER NOT NULL,
        PRIMARY KEY (person, minute)) STRICT, WITHOUT ROWID""",
    # The newest minute that was told, and the minutes that were told more than once.
    "CREATE TABLE summarised (person INTEGER PRIMARY KEY REFERENCES names, minute INTEGER NOT NULL) STRICT",
    """CREATE TABLE revisions (
        person INTEGER NOT NULL REFERENCES names, minute INTEGER NOT NULL, revision INTEGER NOT NULL,
        PRIMARY KEY (person, minute)) STRICT, WITHOUT ROWID""",
    # `refusal` is the broker's reason where it has refused a message for good.
    """CREATE TABLE outbox (
        position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, topic TEXT NOT NULL, payload BLOB NOT NULL,
        priority INTEGER NOT NULL, created REAL NOT NULL, refusal TEXT, bytes INTEGER NOT NULL) STRICT""",
    "CREATE INDEX outbox_in_order ON outbox (refusal IS NOT NULL, priority, created, position, bytes)",
    # Messages that had to go unsent, counted.
    """CREATE TABLE loss (
        priority INTEGER NOT NULL, reason TEXT NOT NULL, messages INTEGER NOT NULL, oldest REAL NOT NULL,
        newest REAL NOT NULL, PRIMARY KEY (priority, reason)) STRICT, WITHOUT ROWID""",
)


@MIGRATIONS()
def first_edition(database: Database) -> None:
    """Everything that the first edition of the store keeps."""
    for statement in _FIRST_EDITION:
        database.conn.execute(statement)


@MIGRATIONS()
def forecasts(database: Database) -> None:
    """What a model foretells, as JSON: [[seconds since 1970 UTC, value in the channel's unit], ...]."""
    database.conn.execute("ALTER TABLE assessments ADD COLUMN forecast TEXT")


@MIGRATIONS()
def memories(database: Database) -> None:
    """What the profiles must know of their wearables after a restart, as JSON: {name: number, ...}."""
    database.conn.execute(
        "CREATE TABLE memories (device TEXT NOT NULL, profile TEXT NOT NULL, memory TEXT NOT NULL, "
        "PRIMARY KEY (device, profile)) STRICT, WITHOUT ROWID"
    )


@MIGRATIONS()
def fault_alerts(database: Database) -> None:
    """What a fault's alert is about: addresses, contacts or parts of the house; empty for a person's risk."""
    database.conn.execute("ALTER TABLE alerts ADD COLUMN subject TEXT NOT NULL DEFAULT ''")


@MIGRATIONS()
def raw_channels(database: Database) -> None:
    """Samples with axes, late samples, and which minutes were told.

    `others` are the further axes of a series' newest sample, as JSON; `span` is the longest time that one of its blocks
    spans, ticks. `told` holds stretches of minutes, first and last, that were told. What an earlier edition may have
    kept of raw channels had no times and goes.
    """
    raw = "(SELECT id FROM series WHERE channel IN ('acceleration', 'ecg', 'ppg'))"
    for statement in (
        f"DELETE FROM blocks WHERE series IN {raw}",  # noqa: S608 -- ours
        f"DELETE FROM tail WHERE series IN {raw}",  # noqa: S608 -- ours
        f"DELETE FROM series WHERE id IN {raw}",  # noqa: S608 -- ours
        "ALTER TABLE series ADD COLUMN others TEXT",
        "ALTER TABLE series ADD COLUMN span INTEGER NOT NULL DEFAULT 0",
        "UPDATE series SET span = coalesce((SELECT max(last - first) FROM blocks WHERE series = series.id), 0)",
        "DROP INDEX blocks_by_time",
        "CREATE INDEX blocks_by_time ON blocks (series, last, first)",
        """CREATE TABLE told (
            person INTEGER NOT NULL REFERENCES names, first INTEGER NOT NULL, last INTEGER NOT NULL,
            PRIMARY KEY (person, first)) STRICT, WITHOUT ROWID""",
        "INSERT INTO told SELECT person, 0, minute FROM summarised",
        "DROP TABLE summarised",
    ):
        database.conn.execute(statement)


@MIGRATIONS()
def claims(database: Database) -> None:
    """Measurements of shared devices, until somebody says whose they are (see claims.py).

    `readings` are JSON, `candidates` too: [[person, likelihood 0..1], ...].
    """
    database.conn.execute(
        """CREATE TABLE claims (
            id TEXT PRIMARY KEY, device TEXT NOT NULL, measured_at REAL NOT NULL, received_at REAL NOT NULL,
            user INTEGER, readings TEXT NOT NULL, candidates TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'waiting',
            person TEXT, settled_at REAL) STRICT, WITHOUT ROWID"""
    )


@MIGRATIONS()
def attention(database: Database) -> None:
    """When somebody was told of an alert last, who has taken it up, and until when nobody wants to hear of it.

    `snoozes` outlive the episode in which they were wished for. What an earlier edition has stored was told.
    """
    for statement in (
        "ALTER TABLE alerts ADD COLUMN told_at REAL",
        "ALTER TABLE alerts ADD COLUMN acknowledged_at REAL",
        "ALTER TABLE alerts ADD COLUMN acknowledged_by TEXT",
        "ALTER TABLE alerts ADD COLUMN snoozed_until REAL",
        "UPDATE alerts SET told_at = opened_at",
        """CREATE TABLE snoozes (
            person TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, severity TEXT NOT NULL,
            until REAL NOT NULL, PRIMARY KEY (person, kind, subject, severity)) STRICT, WITHOUT ROWID""",
    ):
        database.conn.execute(statement)


@MIGRATIONS()
def deliveries(database: Database) -> None:
    """What a notification is about and which answers it takes, and every attempt to tell it.

    A row of `deliveries` is one attempt of one notification over one channel; those that went as one message have the
    same `message`.
    """
    for statement in (
        "ALTER TABLE notifications ADD COLUMN buttons TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE notifications ADD COLUMN turn TEXT NOT NULL DEFAULT ''",
        """CREATE TABLE deliveries (
            id INTEGER PRIMARY KEY, notification TEXT NOT NULL, alert_id TEXT NOT NULL, contact TEXT NOT NULL,
            message TEXT NOT NULL, at REAL NOT NULL, channel TEXT NOT NULL, accepted INTEGER NOT NULL, reason TEXT
            ) STRICT""",
        "CREATE INDEX deliveries_by_alert ON deliveries (alert_id)",
        "CREATE INDEX deliveries_by_time ON deliveries (at)",
    ):
        database.conn.execute(statement)


@MIGRATIONS()
def used_links(database: Database) -> None:
    """The links behind buttons that were pressed (see links.py)."""
    database.conn.execute(
        "CREATE TABLE used_links (nonce BLOB PRIMARY KEY, expires REAL NOT NULL, used_at REAL NOT NULL) "
        "STRICT, WITHOUT ROWID"
    )


@MIGRATIONS()
def commands(database: Database) -> None:
    """Commands from afar that wait, the audit of all that came (see commands.py), and packages of models.

    `label` is the signed word of a package's maker, `figures` are JSON, `crashes` counts the deaths of daemons while
    the model ran (see model_updates.py).
    """
    for statement in (
        """CREATE TABLE commands (
            position INTEGER PRIMARY KEY, envelope BLOB NOT NULL, received_at REAL NOT NULL) STRICT""",
        """CREATE TABLE audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, outcome TEXT NOT NULL, command TEXT UNIQUE,
            key TEXT NOT NULL, verb TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, expires REAL,
            count INTEGER NOT NULL, last REAL NOT NULL) STRICT""",
        "CREATE TABLE audit_floor (one INTEGER PRIMARY KEY CHECK (one = 1), expires REAL NOT NULL) STRICT",
        """CREATE TABLE model_updates (
            package TEXT PRIMARY KEY, risk TEXT NOT NULL, version TEXT NOT NULL, label BLOB NOT NULL, url TEXT,
            state TEXT NOT NULL, ordered_at REAL NOT NULL, since REAL NOT NULL, reason TEXT NOT NULL DEFAULT '',
            figures TEXT NOT NULL DEFAULT '{}', crashes INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID""",
    ):
        database.conn.execute(statement)


@MIGRATIONS()
def questions(database: Database) -> None:
    """Until when only the person is told of an alert, and asked how it is; and when the person has asked for help."""
    for statement in (
        "ALTER TABLE alerts ADD COLUMN asked_until REAL",
        "ALTER TABLE alerts ADD COLUMN help_at REAL",
    ):
        database.conn.execute(statement)


@MIGRATIONS()
def pseudonyms(database: Database) -> None:
    """The key of the names under which people and wearables are known outside (see pseudonyms.py)."""
    database.conn.execute("CREATE TABLE secrets (name TEXT PRIMARY KEY, secret BLOB NOT NULL) STRICT, WITHOUT ROWID")
    database.conn.execute("INSERT INTO secrets VALUES ('pseudonyms', ?)", (secrets.token_bytes(KEY_BYTES),))


@MIGRATIONS()
def stretches(database: Database) -> None:
    """Hours and days that are told of a person, and hours of Assessments (see stretches.py).

    `touches` counts what came since the last telling, `revision` how often a stretch was told; `label` is a day's date
    and time zone.
    """
    database.conn.execute(
        """CREATE TABLE stretches (
            person INTEGER NOT NULL REFERENCES names, level TEXT NOT NULL, start REAL NOT NULL, end REAL NOT NULL,
            label TEXT NOT NULL DEFAULT '', touches INTEGER NOT NULL, revision INTEGER NOT NULL,
            PRIMARY KEY (person, level, start)) STRICT, WITHOUT ROWID"""
    )
    database.conn.execute("CREATE INDEX stretches_touched ON stretches (end) WHERE touches > 0")


@MIGRATIONS()
def made(database: Database) -> None:
    """How many messages there were of each UTC day (since 1970) and priority, be they sent or not.

    A trigger counts, because only SQLite knows which rows were new; this many a receiver should have.
    """
    database.conn.execute(
        "CREATE TABLE made (day INTEGER NOT NULL, priority INTEGER NOT NULL, messages INTEGER NOT NULL, "
        "PRIMARY KEY (day, priority)) STRICT, WITHOUT ROWID"
    )
    database.conn.execute(
        """CREATE TRIGGER outbox_counted AFTER INSERT ON outbox BEGIN
            INSERT INTO made VALUES (CAST(new.created / 86400 AS INTEGER), new.priority, 1)
            ON CONFLICT (day, priority) DO UPDATE SET messages = messages + 1;
        END"""
    )


def migrate(connection: Connection, migrations: Migrations = MIGRATIONS) -> None:
    """Bring the tables up to date, all or nothing.

    Raises StoreError when the file was written by a newer Hearthbeat, or when a migration fails.
    """
    try:
        applied = {migration.name for migration in migrations.applied(connection.database)}
        _refuse_newer(applied - _names(migrations), connection)
        if applied != _names(migrations):
            with connection.transaction(durable=True):
                migrations.apply(connection.database)
    except sqlite3.Error as error:
        raise store_error(error, connection.path) from error


def _names(migrations: Migrations) -> set[str]:
    # A set that was never applied to this empty database: all of it is pending.
    with closing(sqlite3.connect(":memory:")) as empty:
        return {migration.name for migration in migrations.pending(Database(empty))}


def _refuse_newer(unknown: set[str], connection: Connection) -> None:
    if unknown:
        raise StoreError(
            f"written by a newer Hearthbeat (it knows {', '.join(sorted(unknown))})",
            where=str(connection.path),
            mend="install that version again, or a newer one",
        )
