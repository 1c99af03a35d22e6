"""Pauses between attempts."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from edge.bluetooth.backoff import FIRST_S, LONGEST_S, Backoff


@given(st.integers(0, 2**32))
def test_pauses_grow_and_stay_within_their_bounds(seed: int) -> None:
    backoff = Backoff(random.Random(seed))
    bound = FIRST_S
    for _ in range(12):
        assert bound / 2.0 <= backoff.next() <= bound
        bound = min(2.0 * bound, LONGEST_S)


def test_success_begins_anew() -> None:
    backoff = Backoff(random.Random(1))
    for _ in range(8):
        backoff.next()
    backoff.reset()
    assert backoff.next() <= FIRST_S


def test_pain_04_links_that_lost_one_radio_do_not_come_back_at_one_moment() -> None:
    pauses = {Backoff(random.Random(seed)).next() for seed in range(20)}
    assert len(pauses) == 20
