"""`hearthbeat-collector simulate`: a fleet of homes at a broker of one's own, and what became of its messages."""

from __future__ import annotations

import asyncio
import json
import resource
import secrets
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from cloud_sync.fleet.fleet import Fleet, Plan, Progress
from edge.errors import DatabaseError, WrongUseError

# Files beside the sockets: Python's own, epoll, the database.
_OTHER_FILES: Final = 100
_PERCENTILES: Final = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Stored:
    """What a collector's database holds of a simulation: messages that are not there, and that are there twice."""

    missing: int
    doubles: int


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a simulation; times in s, None where something did not come about or was not asked for.

    `unsafe` are messages that no receipt (or, without receipts, no PUBACK) was heard of; `sent` counts them as often as
    they were sent. `reconnected_s` and `recovered_s` count from the return of the network.
    """

    homes: int
    made: int
    sent: int
    unsafe: int
    missing: int | None
    doubles: int | None
    lag_s: dict[str, float]
    reconnected_s: float | None
    recovered_s: float | None

    @property
    def whole(self) -> bool:
        """Whether nothing was lost, nothing is there twice, and nothing is doubtful."""
        return not (self.unsafe or self.missing or self.doubles)


def address_of(text: str) -> tuple[str, int]:
    """HOST:PORT; raises WrongUseError. There is no default: thousands of homes go only where somebody has said so."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise WrongUseError(f"{text!r} is no HOST:PORT", where="--broker", mend="name a broker of your own")
    return host.strip("[]"), int(port)


def simulate(plan: Plan, address: tuple[str, int], database: str | None, patience_s: float, console: Console) -> Report:
    """Run `plan` and look what became of it; raises HearthbeatError."""
    _make_room(plan.homes)
    with Bar(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"), TimeElapsedColumn(),
        console=console, transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("connecting", total=1.0, told="")

        def tell(progress: Progress) -> None:
            told = f"{progress.connected} of {plan.homes} connected, {progress.safe} of {progress.made} messages safe"
            bar.update(task, description=progress.phase, completed=progress.share, told=told)

        fleet = Fleet(plan, address, tell)
        try:
            fleet.run(patience_s)
        finally:
            fleet.close()
    stored = None if database is None else asyncio.run(look(fleet, database))
    return report(fleet, stored)


def report(fleet: Fleet, stored: Stored | None) -> Report:
    """The figures of a fleet that has lived."""
    lags = sorted(lag for home in fleet.homes for lag in home.lags)
    times = fleet.times
    return Report(
        homes=len(fleet.homes),
        made=sum(len(home.made) for home in fleet.homes),
        sent=sum(home.sent for home in fleet.homes),
        unsafe=sum(len(home.kept) for home in fleet.homes),
        missing=None if stored is None else stored.missing,
        doubles=None if stored is None else stored.doubles,
        lag_s=_percentiles(lags),
        reconnected_s=_between(times.back, times.reconnected),
        recovered_s=_between(times.back, times.recovered),
    )


def show(found: Report, console: Console) -> None:
    """The report, for people."""

    def told(value: int | None) -> str:
        return "not known" if value is None else f"{value:,}"

    def lasted(value: float | None) -> str:
        return "not known" if value is None else f"{value:.1f} s"

    lag = ", ".join(f"{name} {value:.2f} s" for name, value in found.lag_s.items()) or "not known"
    for name, value in (
        ("homes", told(found.homes)),
        ("messages", f"{told(found.made)}, sent {told(found.sent)} times"),
        ("not known to be safe", told(found.unsafe)),
        ("lost", told(found.missing)),
        ("doubles", told(found.doubles)),
        ("lag", lag),
        ("all reconnected after", lasted(found.reconnected_s)),
        ("recovered after", lasted(found.recovered_s)),
    ):
        console.print(f"{name:<22} {value}")


def as_json(found: Report) -> str:
    """The report, for machines."""
    return json.dumps(asdict(found) | {"whole": found.whole})


async def look(fleet: Fleet, database: str) -> Stored:
    """Compare what the homes have made with what the collector's tables hold; raises DatabaseError."""
    import psycopg  # noqa: PLC0415 -- only who looks into a database needs it

    made = {(home.name, identifier) for home in fleet.homes for identifier in home.made}
    found: list[tuple[str, str]] = []
    try:
        async with await psycopg.AsyncConnection.connect(database) as connection:
            for table in ("minute_messages", "hour_messages", "alert_messages"):
                cursor = await connection.execute(
                    f"SELECT home, id::text FROM hearthbeat.{table} WHERE home LIKE %s",  # noqa: S608 -- ours
                    (f"{fleet.plan.prefix}-%",),
                )
                found += await cursor.fetchall()
    except psycopg.Error as error:
        raise DatabaseError(str(error).partition("\n")[0], where="PostgreSQL", mend="check --database") from error
    return Stored(missing=len(made - set(found)), doubles=len(found) - len(set(found)))


def new_prefix() -> str:
    """What the homes of one run are called, so that another run's are told apart."""
    return f"sim-{secrets.token_hex(3)}"


def _make_room(homes: int) -> None:
    """Raise the limit of open files as far as we may; raises WrongUseError where that is not enough."""
    wanted = homes + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise WrongUseError(
            f"{homes} homes need {wanted} open files, {hard} are allowed", where="simulate", mend="see ulimit -n"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def _percentiles(lags: Sequence[float]) -> dict[str, float]:
    if not lags:
        return {}
    cuts = statistics.quantiles(lags, n=100, method="inclusive") if len(lags) > 1 else [lags[0]] * 99
    return {f"p{percent}": round(cuts[percent - 1], 3) for percent in _PERCENTILES} | {"max": round(lags[-1], 3)}


def _between(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else round(end - begin, 3)
