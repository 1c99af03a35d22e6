"""A real broker, a real PostgreSQL and a collector between them."""

from __future__ import annotations

from tests.fakes.broker import mosquitto
from tests.fakes.collecting import sender
from tests.fakes.postgres import _cluster, database, postgres

__all__ = ["_cluster", "database", "mosquitto", "postgres", "sender"]
