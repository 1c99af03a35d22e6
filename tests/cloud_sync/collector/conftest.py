"""A real broker, a real PostgreSQL and a collector between them."""

from __future__ import annotations

from tests.fakes.broker import mosquitto
from tests.fakes.collecting import sender
from tests.fakes.postgres import database, postgres, postgres_cluster

__all__ = ["database", "mosquitto", "postgres", "postgres_cluster", "sender"]
