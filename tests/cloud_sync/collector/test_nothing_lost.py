"""A short form of tests/soak/test_nothing_lost.py."""

from __future__ import annotations

import random
from pathlib import Path

from tests.fakes.killing import Chain
from tests.fakes.postgres import Postgres


def test_pain_22_a_puback_is_not_a_disk_and_kills_lose_nothing(tmp_path: Path, postgres: Postgres) -> None:
    chance = random.Random(5)
    with Chain(tmp_path, postgres) as chain:
        chain.wait_for_more(1)
        for victim in ("broker", "collector 1", "PostgreSQL", "home", "broker"):
            chain.kill(victim, chance, 0.3, 0.1)
        verdict = chain.end()
    assert verdict.made > 0
    assert (verdict.lost, verdict.doubles, verdict.waiting_at_home) == (0, 0, 0)
