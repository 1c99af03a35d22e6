"""Ten thousand homes that come back in one moment: nothing is lost, and the time it takes is told."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from cloud_sync.fleet.fleet import Plan
from cloud_sync.fleet.simulating import simulate
from tests.fakes.broker import Mosquitto
from tests.fakes.killing import COLLECTOR, Program, write_settings
from tests.fakes.postgres import Postgres, durable_postgres

__all__ = ["durable_postgres"]

HOMES = 10_000
PLAN = Plan(homes=int(os.environ.get("HEARTHBEAT_HOMES", str(HOMES))), minutes=60.0, speed=60.0, outage_minutes=15.0)
PATIENCE_S = 300.0


@pytest.fixture
def quiet_broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """It is told nothing of in its log, which would cost more than the homes do."""
    options = "max_inflight_messages 0\nconnection_messages false"
    mosquitto = Mosquitto(tmp_path / "mosquitto", options=options, quiet=True)
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


def test_ten_thousand_homes_come_back_at_once(
    quiet_broker: Mosquitto, durable_postgres: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < PLAN.homes + 1000:
        pytest.skip("more files must be allowed to be open: see ulimit -n")
    database = durable_postgres.make_database()
    settings = write_settings(tmp_path / "collector.toml", quiet_broker.port, database)
    collector = Program(["-c", COLLECTOR, str(settings)], tmp_path / "collector.log")
    collector.start()
    try:
        with capsys.disabled():
            found = simulate(PLAN, (quiet_broker.host, quiet_broker.port), database, PATIENCE_S, Console(stderr=True))
            print(  # noqa: T201 -- the figures are what the proof is for
                f"\n{found.homes:,} homes back at once: {found.made:,} messages, lost {found.missing}, doubles "
                f"{found.doubles}, all connected after {found.reconnected_s} s, recovered after {found.recovered_s} s, "
                f"lag {found.lag_s}"
            )
    finally:
        collector.kill()
    assert (found.missing, found.doubles, found.unsafe) == (0, 0, 0)
    assert found.recovered_s is not None
