"""What was committed stays, whatever happens to the process, the disk or the file."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import pytest
from sqlite_utils import Database, Migrations

from edge.errors import StoreError
from edge.notices import AlertState, FaultKind, Priority, Severity
from edge.readings import Channel, Explanation, Risk
from edge.store.blocks import codec_of, columns_of, pack
from edge.store.connection import Connection
from edge.store.schema import MIGRATIONS, migrate
from edge.store.store import Batch, Store
from tests.edge.store.samples import START, alert, assessment, message, notification, raised, rr


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hearthbeat.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path) as opened:
        yield opened


def told(store: Store) -> dict[str, set[str]]:
    """The numbers of all alerts, notifications and messages."""
    return {
        "alerts": {item.id.split("-")[1] for item in store.alerts.alerts(10_000)},
        "notifications": {
            item.notification.id.split("-")[1] for item in store.notifications.due_notifications(START + 1e9)
        },
        "messages": {item.id.split("-")[1] for item in store.outbox.next_messages(10_000)},
    }


def samples(store: Store) -> int:
    return store.signals.series("anna", Channel.RR_INTERVAL, 0.0, START + 1e9).times.size


def test_pain_15_an_open_alert_and_its_all_clear_survive_a_restart(path: Path) -> None:
    with Store(path) as store:
        store.commit(Batch(alerts=[alert(1), alert(2)]))
    with Store(path) as store:
        assert store.alerts.open_alerts("anna") == [alert(1), alert(2)]
        assert store.alerts.open_alerts("bert") == []
        store.commit(Batch(alerts=[alert(1, AlertState.CLEARED)]))
    with Store(path) as store:
        assert store.alerts.open_alerts() == [alert(2)]
        assert store.alerts.alerts(10) == [alert(2), alert(1, AlertState.CLEARED)]


def test_a_faults_alert_keeps_what_it_is_about_and_what_is_left_of_it(path: Path) -> None:
    fault = replace(alert(1, person=""), kind=FaultKind.NO_DATA, subject="AA,BB")
    with Store(path) as store:
        store.commit(Batch(alerts=[fault]))
    with Store(path) as store:
        assert store.alerts.open_alerts() == [fault]
        store.commit(Batch(alerts=[replace(fault, subject="BB", severity=Severity.CRITICAL)]))
        assert store.alerts.open_alerts() == [replace(fault, subject="BB", severity=Severity.CRITICAL)]


def test_pain_14_a_cleared_alert_is_not_raised_again_by_a_repeat(store: Store) -> None:
    store.commit(Batch(alerts=[alert(1, AlertState.CLEARED)]))
    store.commit(Batch(alerts=[alert(1)]))
    assert store.alerts.open_alerts() == []


def test_assessments_come_back_newest_first_and_once(store: Store) -> None:
    scores = [assessment(START + 30.0 * n, score) for n, score in enumerate([0.1, None, 0.9])]
    store.commit(Batch(assessments=[*scores, assessment(START + 999.0, person="bert")]))
    store.commit(Batch(assessments=scores[1:]))
    assert store.assessments.recent_assessments("anna", Risk.ATRIAL_FIBRILLATION, 2) == [scores[2], scores[1]]
    assert store.assessments.latest_assessments("anna") == [scores[2]]
    assert store.assessments.latest_assessments("nobody") == []
    store.forget_before(START + 30.0)
    assert store.assessments.recent_assessments("anna", Risk.ATRIAL_FIBRILLATION, 9) == [scores[2], scores[1]]


def test_what_a_model_foretells_and_which_part_mattered_come_back(store: Store) -> None:
    why = Explanation("Glucose falls.", {"mg_dl": 92.0}, part=(START - 600.0, START))
    told = replace(assessment(START, 0.8), risk=Risk.HYPOGLYCAEMIA, explanation=why, forecast=((START + 300.0, 84.5),))
    af = assessment(START + 5.0, 0.1)
    store.commit(Batch(assessments=[told, af]))
    assert store.assessments.latest_assessments("anna") == [af, told]


def _commit_for_ever(path: Path, line: Pipe) -> None:
    with Store(path) as store:
        for number in itertools.count():
            store.commit(raised(number))
            line.send(number)


@pytest.mark.parametrize("seed", range(5))
def test_pain_24_kill_9_loses_nothing_committed_and_leaves_nothing_half(path: Path, seed: int) -> None:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_commit_for_ever, args=(path, there))
    process.start()
    there.close()
    wanted = random.Random(seed).randrange(1, 200)
    committed = 0
    with here, suppress(EOFError):
        while True:
            committed = here.recv() + 1
            if committed == wanted:
                process.kill()
    process.join()
    with Store(path) as store:
        store.check()
        numbers = told(store)
        found = len(numbers["alerts"])
        assert found in {committed, committed + 1}
        assert numbers["alerts"] == numbers["notifications"] == numbers["messages"] == {str(n) for n in range(found)}
        assert samples(store) == 2 * found


def test_a_full_database_refuses_whole_and_goes_on_when_there_is_room(store: Store) -> None:
    store.commit(raised(0))
    pages = store._connection.row("PRAGMA page_count")
    assert pages is not None
    store._connection.rows(f"PRAGMA max_page_count = {pages[0] + 20}")
    large = Batch(
        readings=[rr(START + 50.0, 800)],
        alerts=[alert(50)],
        notifications=[notification(50)],
        messages=[message(50, Priority.ALERT, size=100_000)],
    )
    for _ in range(2):
        with pytest.raises(StoreError, match=r"hearthbeat.db: the disk is full .*; free space on its disk"):
            store.commit(large)
        assert told(store) == {"alerts": {"0"}, "notifications": {"0"}, "messages": {"0"}}
        assert samples(store) == 2
    store._connection.rows("PRAGMA max_page_count = 1000000")
    store.commit(large)
    assert told(store)["messages"] == {"0", "50"}
    store.check()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "hearthbeat-test", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a small file system can only be mounted by root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_harms_nothing_that_was_stored(small_disk: Path) -> None:
    path = small_disk / "hearthbeat.db"
    committed = 0
    with Store(path) as store:
        refused: StoreError | None = None
        while refused is None:
            try:
                store.commit(raised(committed))
            except StoreError as error:
                refused = error
            else:
                committed += 1
        assert committed > 10
        assert told(store)["alerts"] == {str(number) for number in range(committed)}
    assert str(path) in str(refused)
    with Store(path) as store:
        store.check()
        assert samples(store) == 2 * committed
        assert told(store)["messages"] == {str(number) for number in range(committed)}


def test_two_threads_work_on_one_file(store: Store, path: Path) -> None:
    store.commit(Batch(messages=[message(number) for number in range(200)]))

    def drain() -> None:
        with Store(path) as mine:
            while left := mine.outbox.next_messages(7):
                mine.outbox.delete_messages([item.id for item in left])

    thread = threading.Thread(target=drain)
    thread.start()
    for number in range(100):
        store.commit(Batch(readings=[rr(START + number, 1024)]))
    thread.join()
    assert store.outbox.outbox_depth() == 0
    assert samples(store) == 100


def test_a_locked_store_is_told(store: Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.store.connection.BUSY_TIMEOUT_S", 0.01)
    with closing(sqlite3.connect(path, isolation_level=None)) as other, Store(path) as mine:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"the database is locked .*close the other program"):
            mine.commit(raised(1))
        other.execute("ROLLBACK")
        mine.commit(raised(1))
    assert told(store)["alerts"] == {"1"}


def test_a_file_that_is_no_store_is_told_and_left_alone(path: Path) -> None:
    content = b"this is no database, it is a shopping list" * 100
    path.write_bytes(content)
    with pytest.raises(StoreError, match="the file is no database") as caught:
        Store(path)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == content


def _open_and_check(path: Path) -> None:
    with Store(path) as store:
        store.check()


@pytest.mark.parametrize("kilobytes", [20, 150])
def test_pain_24_a_damaged_store_is_told(path: Path, kilobytes: int) -> None:
    with Store(path) as store:
        for number in range(300):
            store.commit(raised(number))
        store.maintain()
    content = bytearray(path.read_bytes())
    content[kilobytes * 1024 : (kilobytes + 20) * 1024] = random.Random(1).randbytes(20 * 1024)
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"damaged.*put the newest backup in its place"):
        _open_and_check(path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file or directory; create its folder and let this user write there"):
        Store(tmp_path / "nowhere" / "hearthbeat.db")


def test_nobody_else_may_read_the_store(store: Store, path: Path) -> None:
    store.commit(raised(1))
    assert {file.stat().st_mode & 0o077 for file in path.parent.iterdir()} == {0}


def test_a_backup_is_whole_and_replaces_the_older_one(store: Store, tmp_path: Path) -> None:
    copy = tmp_path / "backup.db"
    for number in (1, 2):
        store.commit(raised(number))
        store.backup(copy)
    with Store(copy) as restored:
        restored.check()
        assert told(restored) == told(store)
        assert samples(restored) == samples(store)
    assert not list(tmp_path.glob("*.partial"))


def test_a_backup_to_nowhere_is_told(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        store.backup(tmp_path / "nowhere" / "backup.db")


def test_maintenance_gives_back_what_was_forgotten(store: Store, path: Path) -> None:
    store.commit(Batch(messages=[message(number, size=10_000) for number in range(100)]))
    store.maintain()
    before = path.stat().st_size
    store.outbox.delete_messages([f"message-{number}" for number in range(100)])
    store.maintain()
    assert path.stat().st_size < before / 5


def _later_edition(*, broken: bool) -> Migrations:
    later = Migrations("hearthbeat")
    with closing(sqlite3.connect(":memory:")) as empty:
        for migration in MIGRATIONS.pending(Database(empty)):
            later(name=migration.name)(migration.fn)

    @later()
    def second_edition(database: Database) -> None:
        database.execute("ALTER TABLE alerts ADD COLUMN weather TEXT")
        if broken:
            database.execute("INSERT INTO missing VALUES (1)")

    return later


def test_an_older_store_is_brought_up_to_date_and_keeps_what_it_has(path: Path) -> None:
    with Store(path) as store:
        store.commit(raised(1))
    connection = Connection(path)
    migrate(connection, _later_edition(broken=False))
    migrate(connection, _later_edition(broken=False))
    assert connection.rows("SELECT id, weather FROM alerts") == [("alert-1", None)]
    connection.close()


def test_what_the_first_edition_stored_is_read_and_its_minutes_are_told_no_second_first_time(path: Path) -> None:
    first = Migrations("hearthbeat")
    with closing(sqlite3.connect(":memory:")) as empty:
        for migration in MIGRATIONS.pending(Database(empty)):
            if migration.name in {"first_edition", "forecasts"}:
                first(name=migration.name)(migration.fn)
    connection = Connection(path)
    migrate(connection, first)
    columns = columns_of([rr(START + second, 1024) for second in range(600)])
    packed = pack(columns, Channel.RR_INTERVAL, codec_of(Channel.RR_INTERVAL, sealed=True))
    begin, end = int(columns.times[0]), int(columns.times[-1])
    minute = int(START) // 60 + 10
    for statement, row in (
        ("INSERT INTO names VALUES (?, ?)", (1, "anna")),
        ("INSERT INTO summarised VALUES (?, ?)", (1, minute)),
        (
            "INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (1, "anna", "AA", "rr_interval", end, 1024, 0, START, 0, 1024),
        ),
        (
            "INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (1, 1, 600, begin, end, packed.origin, packed.times, packed.samples, packed.quality),
        ),
    ):
        connection.execute(statement, row)
    connection.close()
    with Store(path) as store:
        part = store.signals.series("anna", Channel.RR_INTERVAL, START + 100.0, START + 110.0)
        assert part.times.tolist() == [START + second for second in range(101, 111)]
        store.commit(Batch(readings=[rr(START + 590.0, 1000), rr(START + 700.0, 1000)]))
        assert [dirty.revision for dirty in store.minutes.dirty_minutes(START + 1e6)] == [2, 1]


def test_a_migration_that_fails_leaves_the_store_as_it_was(path: Path) -> None:
    with Store(path) as store:
        store.commit(raised(1))
    connection = Connection(path)
    with pytest.raises(StoreError, match="no such table: missing"):
        migrate(connection, _later_edition(broken=True))
    connection.close()
    with Store(path) as store:
        assert store.alerts.open_alerts() == [alert(1)]
        store.commit(raised(2))


def test_a_store_of_a_newer_edition_is_refused(path: Path) -> None:
    connection = Connection(path)
    migrate(connection, _later_edition(broken=False))
    connection.close()
    with pytest.raises(StoreError, match=r"written by a newer Hearthbeat \(it knows second_edition\); install"):
        Store(path)


def test_pain_24_whoever_looks_in_from_outside_takes_nothing_away(store: Store, path: Path) -> None:
    look = (
        "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1]); "
        "print(connection.execute('SELECT count(*) FROM outbox').fetchone()[0]); connection.close()"
    )

    def seen_from_outside() -> int:
        seen = subprocess.run([sys.executable, "-c", look, str(path)], capture_output=True, check=True, text=True)
        return int(seen.stdout)

    store.commit(Batch(messages=[message(1)]))
    with Store(path):
        """As the publisher opens the daemon's store, and leaves it."""
    assert seen_from_outside() == 1
    store.commit(Batch(messages=[message(2)]))
    assert seen_from_outside() == 2
