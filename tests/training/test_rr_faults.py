"""A strap's faults, put on purpose: times stay true, labels follow their beats."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.rr_faults import Faults, trouble

BEATS, DRAWN = 60, 80


def test_without_faults_only_the_clock_rounds() -> None:
    rr_ms = np.random.default_rng(1).normal(800.0, 100.0, (300, DRAWN))
    none = Faults(
        jittered_windows=0.0, swaying_windows=0.0, ordered_windows=0.0, ectopic_windows=0.0, misdetected_windows=0.0
    )
    troubled, _ = trouble(rr_ms, rr_ms > 0.0, beats=BEATS, faults=none, random=np.random.default_rng(2))
    assert troubled.shape == (300, BEATS)
    assert np.abs(troubled - rr_ms[:, :BEATS]).max() <= 4.0 + 1e-9
    assert (np.abs(troubled - rr_ms[:, :BEATS]).max(axis=1) > 1.0).mean() > 0.2


def test_missed_and_invented_beats_keep_the_time_and_the_labels() -> None:
    rr_ms = np.full((2000, DRAWN), 800.0)
    is_af = np.broadcast_to(np.arange(DRAWN) >= 30, rr_ms.shape)
    faults = Faults(
        jittered_windows=0.0, swaying_windows=0.0, ordered_windows=0.0, ectopic_windows=0.0, misdetected_windows=1.0
    )
    troubled, labels = trouble(rr_ms, is_af, beats=BEATS, faults=faults, random=np.random.default_rng(3))
    assert (troubled > 1500.0).any()
    assert (troubled < 700.0).any()
    # Beat 30 stands at 24 s whatever was missed or invented before it: a missed beat there moves it by one interval.
    before_s = np.where(labels, 0.0, troubled).sum(axis=1) / 1000.0
    assert np.abs(before_s - 24.0).max() <= 0.9
    assert (np.diff(labels.astype(int), axis=1) >= 0).all()


def test_ectopic_beats_come_early() -> None:
    rr_ms = np.full((500, DRAWN), 800.0)
    faults = Faults(
        jittered_windows=0.0, swaying_windows=0.0, ordered_windows=0.0, ectopic_windows=1.0, misdetected_windows=0.0
    )
    troubled, _ = trouble(rr_ms, rr_ms > 0.0, beats=BEATS, faults=faults, random=np.random.default_rng(4))
    assert 0.02 < (troubled < 700.0).mean() < 0.15
    assert (troubled > 0.0).all()


def test_only_rhythms_other_than_fibrillation_sway_with_the_breath() -> None:
    rr_ms = np.full((400, DRAWN), 800.0)
    is_af = np.broadcast_to(np.arange(400)[:, np.newaxis] < 200, rr_ms.shape)
    faults = Faults(
        jittered_windows=0.0, swaying_windows=1.0, ordered_windows=0.0, ectopic_windows=0.0, misdetected_windows=0.0
    )
    troubled, _ = trouble(rr_ms, is_af, beats=BEATS, faults=faults, random=np.random.default_rng(5))
    assert np.abs(troubled[:200] - 800.0).max() <= 4.0
    assert 100.0 < np.abs(troubled[200:] - 800.0).max() <= 0.8 * 800.0 + 4.0
    assert np.abs(troubled[200:].mean() - 800.0) < 10.0


def test_beats_in_a_fixed_order_repeat_after_as_many() -> None:
    rr_ms = np.full((300, DRAWN), 800.0)
    is_af = np.broadcast_to(np.arange(300)[:, np.newaxis] < 100, rr_ms.shape)
    faults = Faults(
        jittered_windows=0.0, swaying_windows=0.0, ordered_windows=1.0, ectopic_windows=0.0, misdetected_windows=0.0
    )
    troubled, _ = trouble(rr_ms, is_af, beats=BEATS, faults=faults, random=np.random.default_rng(6))
    assert np.abs(troubled[:100] - 800.0).max() <= 4.0
    calm = troubled[100:]
    assert (calm.min(axis=1) < 700.0).mean() > 0.9
    after = [np.abs(calm[:, lag:] - calm[:, :-lag]).mean(axis=1) for lag in (2, 3, 4)]
    assert (np.min(after, axis=0) < 0.7 * np.abs(np.diff(calm, axis=1)).mean(axis=1)).mean() > 0.9


@given(st.integers(0, 2**32 - 1))
def test_the_same_seed_troubles_the_same(seed: int) -> None:
    rr_ms = np.full((20, DRAWN), 800.0)
    one, other = (
        trouble(rr_ms, rr_ms > 0.0, beats=BEATS, faults=Faults(), random=np.random.default_rng(seed))[0]
        for _ in range(2)
    )
    assert (one == other).all()
    assert (one > 0.0).all()
