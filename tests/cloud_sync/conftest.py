"""The real broker, for every test of the way to it."""

from __future__ import annotations

from tests.fakes.broker import mosquitto, subscriber

__all__ = ["mosquitto", "subscriber"]
