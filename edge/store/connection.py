"""One SQLite connection: write-ahead log, transactions, and errors in our own words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sqlite_utils import Database

from edge.errors import StoreError

# How long a writer waits for another one. Our choice: no transaction of ours takes a tenth of it, a backup included.
BUSY_TIMEOUT_S: Final = 5.0
# Bytes of a page, the smallest piece that is written and the least that a table takes: small, so that a commit every
# few seconds wears out no memory card. One block of samples fills one page (see signals.py).
PAGE_SIZE: Final = 1024
# Bytes to which the write-ahead log is cut after a checkpoint; our choice, small beside the smallest memory card.
WRITE_AHEAD_LOG_LIMIT: Final = 4 * 1024 * 1024

# SQLite's primary result codes (https://www.sqlite.org/rescode.html), as what went wrong and how to mend it.
_FAULTS: Final[dict[int, tuple[str, str]]] = {
    sqlite3.SQLITE_FULL: ("the disk is full", "free space on its disk; nothing already stored is harmed"),
    sqlite3.SQLITE_BUSY: ("the database is locked", "close the other program that writes to it"),
    sqlite3.SQLITE_LOCKED: ("the database is locked", "close the other program that writes to it"),
    sqlite3.SQLITE_CORRUPT: ("the database is damaged", "move it away and put the newest backup in its place"),
    sqlite3.SQLITE_NOTADB: ("the file is no database", "move it away and put the newest backup in its place"),
    sqlite3.SQLITE_CANTOPEN: ("the file cannot be opened", "create its folder and let this user write there"),
    sqlite3.SQLITE_READONLY: ("the database may only be read", "let this user write the file and its folder"),
    sqlite3.SQLITE_PERM: ("access is denied", "let this user write the file and its folder"),
    sqlite3.SQLITE_IOERR: ("the disk reports an error", "check the disk or memory card, and put in a new one"),
}


def store_error(error: sqlite3.Error | OSError, path: Path) -> StoreError:
    """What SQLite or the system says of `path`, as what, where and how to mend it."""
    if isinstance(error, OSError):
        return StoreError(
            error.strerror or str(error), where=str(path), mend="create its folder and let this user write there"
        )
    # The low byte of an extended result code is its primary one (rescode.html, "Result codes versus error codes").
    code = getattr(error, "sqlite_errorcode", None)
    what, mend = _FAULTS.get(code & 0xFF if code is not None else -1, ("the database refused", "report this fault"))
    return StoreError(f"{what} ({error})", where=str(path), mend=mend)


def _create(path: Path) -> None:
    """Make the file where there is none, for this user alone: SQLite gives its mode to log and shared memory too.

    One that is there must not be opened, not even for a moment: closing it again would cancel the locks that this
    process's other connections hold on it (https://www.sqlite.org/howtocorrupt.html, 2.2), and the next program to
    leave would then delete the write-ahead log under our hands.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


class Connection:
    """A connection to the store's file, for one thread at a time.

    Every method raises StoreError where SQLite would raise its own error.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            _create(path)
            self._sqlite = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256
            )
        except (sqlite3.Error, OSError) as error:
            raise store_error(error, path) from error
        self._synchronous = ""
        try:
            self._prepare()
        except StoreError:
            self._sqlite.close()
            raise

    def _prepare(self) -> None:
        self.execute(f"PRAGMA page_size = {PAGE_SIZE}")  # these two count only while the file is empty
        self.execute("PRAGMA auto_vacuum = INCREMENTAL")
        self.execute("PRAGMA journal_mode = WAL")
        self.execute("PRAGMA foreign_keys = ON")
        self.execute(f"PRAGMA journal_size_limit = {WRITE_AHEAD_LOG_LIMIT}")
        self.database = Database(self._sqlite, execute_plugins=False)

    def execute(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> sqlite3.Cursor:
        """Run one statement that returns no rows."""
        try:
            return self._sqlite.execute(sql, parameters)
        except sqlite3.Error as error:
            raise store_error(error, self.path) from error

    def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Run one statement for each of `rows`."""
        try:
            self._sqlite.executemany(sql, rows)
        except sqlite3.Error as error:
            raise store_error(error, self.path) from error

    def rows(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a statement."""
        try:
            return self._sqlite.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise store_error(error, self.path) from error

    def row(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> tuple[Any, ...] | None:
        """The first row of a statement, None without one."""
        rows = self.rows(sql, parameters)
        return rows[0] if rows else None

    def vacuum(self, pages: int) -> bool:
        """Give so many of the free pages back to the disk; whether there are more."""
        try:
            # A script steps to the end of the statement; execute would stop after its first page.
            self._sqlite.executescript(f"PRAGMA incremental_vacuum({pages}); PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise store_error(error, self.path) from error
        return self.row("PRAGMA freelist_count") != (0,)

    def rewrite(self) -> None:
        """Write the file anew without free pages, and empty the write-ahead log: what was deleted is in neither."""
        self.execute("VACUUM")
        busy = self.row("PRAGMA wal_checkpoint(TRUNCATE)")
        if busy is None or busy[0]:
            raise StoreError(
                "another program is reading for long, so that the write-ahead log cannot be emptied",
                where=str(self.path),
                mend="close it and try again",
            )

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[None]:
        """All or nothing of what is written inside; `durable` waits until the disk has it.

        Without `durable` a power cut may take the newest transactions with it, the death of this process takes none:
        https://www.sqlite.org/pragma.html#pragma_synchronous.
        """
        synchronous = "FULL" if durable else "NORMAL"
        if synchronous != self._synchronous:
            self.execute(f"PRAGMA synchronous = {synchronous}")
            self._synchronous = synchronous
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            # A full disk may have rolled back already; then there is nothing to undo.
            with suppress(sqlite3.OperationalError):
                self._sqlite.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the file; the write-ahead log goes into it with the last connection."""
        self._sqlite.close()
