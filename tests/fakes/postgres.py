"""A real PostgreSQL cluster of the test's own, in a temporary folder, on a free loopback port."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg
import pytest

from tests.fakes.broker import free_port

PATIENCE_S = 30.0
_DEBIAN: Final = Path("/usr/lib/postgresql")
# What a test has no need to wait for. The log of writes is still flushed at a commit unless `fsync` is off.
_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "30",
    "shared_buffers": "64MB",
    "log_min_messages": "warning",
    "max_wal_size": "512MB",
}


def find_programs() -> Path:
    """The folder of initdb and postgres, the newest of Debian's; the test is skipped where there is none."""
    folders = sorted(_DEBIAN.glob("*/bin"), key=lambda folder: float(folder.parent.name))
    if not folders:
        pytest.skip("PostgreSQL is not installed (Debian package postgresql)")
    return folders[-1]


class Postgres:
    """A cluster that listens on a loopback port; `data` is where it keeps its files.

    PostgreSQL refuses to run as root: where we are, it runs as the user that Debian's package made, or as nobody.
    """

    def __init__(self, folder: Path | None = None, *, fsync: bool = True) -> None:
        self.port = free_port()
        self._programs = find_programs()
        self._own = folder is None
        self._folder = Path(tempfile.mkdtemp(prefix="hearthbeat-postgres-", dir="/tmp")) if folder is None else folder
        self._fsync = fsync
        self._process: subprocess.Popen[bytes] | None = None
        self.data = self._folder / "data"
        self._log = self._folder / "log"
        self._user = _unprivileged() if os.getuid() == 0 else None
        if self._user is not None:
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        self._run("initdb", "--no-sync", "--auth=trust", "--username=owner", "--encoding=UTF8", "--locale=C.UTF-8")

    def conninfo(self, database: str = "postgres", user: str = "owner") -> str:
        """How libpq reaches `database`."""
        return f"host=127.0.0.1 port={self.port} dbname={database} user={user}"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        options = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *self._as_user(),
                    str(self._programs / "postgres"),
                    f"--port={self.port}",
                    f"--unix_socket_directories={self._folder}",
                    f"--fsync={'on' if self._fsync else 'off'}",
                    *options,
                    "-D",
                    str(self.data),
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=self._folder,
            )
        self.wait()

    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def wait(self) -> None:
        """Wait until it takes connections."""
        moment = threading.Event()
        for _ in range(int(PATIENCE_S / 0.02)):
            try:
                psycopg.connect(self.conninfo(), connect_timeout=5).close()
            except psycopg.OperationalError:
                assert self._process is not None
                assert self._process.poll() is None, self._log.read_text()
                moment.wait(0.02)
            else:
                return
        raise AssertionError(self._log.read_text())

    def stop(self) -> None:
        """End it at once, as an update would: clients are disconnected, what is committed is on disk."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End every process of it as a power cut would, without a chance to say goodbye."""
        self._end(signal.SIGKILL)

    def make_database(self) -> str:
        """A new empty database; how libpq reaches it."""
        name = f"test_{uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name}")
        return self.conninfo(name)

    def execute(self, statement: str) -> None:
        """Run one statement in the database `postgres`, outside a transaction."""
        with psycopg.connect(self.conninfo(), autocommit=True) as connection:
            connection.execute(statement.encode())

    def close(self) -> None:
        """Kill it and forget its files."""
        self.kill()
        if self._own:
            shutil.rmtree(self._folder)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        if number is signal.SIGKILL:
            for child in _children(self._process.pid):
                _kill(child)
        self._process.send_signal(number)
        self._process.wait(PATIENCE_S)
        self._process = None

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user(), str(self._programs / program), "-D", str(self.data), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self._folder)
        assert done.returncode == 0, done.stderr

    def _as_user(self) -> list[str]:
        if self._user is None:
            return []
        return ["setpriv", f"--reuid={self._user.pw_uid}", f"--regid={self._user.pw_gid}", "--clear-groups", "--"]


def _unprivileged() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:  # ended by itself just now
        return


@pytest.fixture(scope="session")
def _cluster() -> Iterator[Postgres]:
    # A kill -9 loses nothing that the kernel has, so that tests need not wait for the disk.
    cluster = Postgres(fsync=False)
    cluster.start()
    yield cluster
    cluster.close()


@pytest.fixture
def postgres(_cluster: Postgres) -> Iterator[Postgres]:
    """A running cluster that tests share; whoever ends it starts it again."""
    yield _cluster
    assert _cluster.is_running()


@pytest.fixture
def durable_postgres() -> Iterator[Postgres]:
    """A running cluster of the test's own that waits for the disk, as a true one does."""
    cluster = Postgres()
    cluster.start()
    yield cluster
    cluster.close()


@pytest.fixture
def database(postgres: Postgres) -> str:
    """A new empty database; how libpq reaches it."""
    return postgres.make_database()
