"""200 random kill -9 of home, broker, two collectors and PostgreSQL in turn during a replay: none lost or doubled."""

from __future__ import annotations

import os
import random
import time
from itertools import cycle, islice
from pathlib import Path

import pytest

from tests.fakes.killing import Chain
from tests.fakes.postgres import Postgres, durable_postgres

__all__ = ["durable_postgres"]

KILLS = 200
LIFE_S = 1.5
DEATH_S = 0.5
# After so many kills something must have arrived, or the chain is only dying.
ROUND = 20


def test_pain_22_a_puback_is_not_a_disk_nor_is_anything_lost_in_200_kills(
    tmp_path: Path, durable_postgres: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("HEARTHBEAT_SEED", "22"))
    kills = int(os.environ.get("HEARTHBEAT_KILLS", str(KILLS)))
    chance, began = random.Random(seed), time.monotonic()
    with Chain(tmp_path, durable_postgres, collectors=2) as chain:
        chain.wait_for_more(1)
        stored = chain.stored()
        for number, victim in enumerate(islice(cycle(chain.victims), kills), 1):
            chain.kill(victim, chance, LIFE_S, DEATH_S)
            if number % ROUND == 0:
                chain.wait_for_more(stored + 1)
                stored = chain.stored()
                with capsys.disabled():
                    print(f"{number} kills, {stored} messages stored")  # noqa: T201 -- minutes pass
        verdict = chain.end()
    with capsys.disabled():
        print(  # noqa: T201 -- the figures are what the proof is for
            f"{kills} kills (seed {seed}) in {time.monotonic() - began:.0f} s: {verdict.made:,} messages made, "
            f"lost {verdict.lost}, doubles {verdict.doubles}, waiting at home {verdict.waiting_at_home}"
        )
    assert verdict.made > 0
    assert (verdict.lost, verdict.doubles, verdict.waiting_at_home) == (0, 0, 0)
