"""Lows and the alerts that told them: strict about what counts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from training.glucose_rules import arima, line
from training.low_glucose import foretold, future, labels_of, lows
from training.votes import Episode

MINUTE = 60.0


def series(*mg_dl: float, pace_min: float = 5.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.arange(len(mg_dl), dtype=np.float64) * pace_min * MINUTE, np.array(mg_dl, dtype=np.float64)


def onsets_min(*mg_dl: float, pace_min: float = 5.0) -> list[float]:
    return [onset / MINUTE for onset in lows(*series(*mg_dl, pace_min=pace_min)).tolist()]


def test_a_quarter_of_an_hour_below_70_is_an_episode_and_less_is_not() -> None:
    assert onsets_min(90, 69, 65, 60, 66, 90) == [5.0]
    assert onsets_min(90, 69, 65, 60, 90) == []
    assert onsets_min(90, 69, 65, 90, pace_min=15.0) == [15.0]
    assert onsets_min(90, 70, 70, 70, 70, 90) == []


def test_a_pause_of_less_than_half_an_hour_does_not_end_it() -> None:
    low = [60.0] * 4
    assert onsets_min(90, *low, *[80] * 5, *low, 90) == [5.0]
    assert onsets_min(90, *low, *[80] * 6, *low, 90) == [5.0, 55.0]


def test_silence_ends_it() -> None:
    times, mg_dl = series(*[60.0] * 8)
    times[4:] += 7200.0
    assert len(lows(times, mg_dl)) == 2


def test_the_label_looks_half_an_hour_ahead_and_says_when_it_cannot() -> None:
    assert labels_of(*series(*[90.0] * 7, 69.0, *[90.0] * 7)).tolist() == [0, *[1] * 7, 0, 0, *[-1] * 5]


def test_the_future_is_known_only_between_readings() -> None:
    times, mg_dl = series(100, 110, 120, 130)
    (ahead,) = future(times, mg_dl, times[:1] + 60.0)
    assert ahead[:2].tolist() == pytest.approx([112.0, 122.0])
    assert np.isnan(ahead[2:]).all()


def test_an_alert_tells_an_episode_while_it_is_open_or_an_hour_old_and_is_false_without_a_low() -> None:
    times, mg_dl = series(*[90.0] * 36, *[60.0] * 6, *[90.0] * 36)
    onset = 180.0 * MINUTE

    def told(raised_min: float, cleared_min: float | None) -> tuple[float, bool, int]:
        cleared = None if cleared_min is None else cleared_min * MINUTE
        found = foretold(times, mg_dl, [Episode(0.0, raised_min * MINUTE, cleared)])
        return found.lead_s[0], bool(found.told_late[0]), found.false_alerts

    assert told(160.0, 170.0) == (20 * MINUTE, True, 0)
    assert told(10.0, None) == (onset - 10 * MINUTE, True, 1)
    assert told(110.0, 170.0) == (-np.inf, False, 1)
    assert told(180.0, None) == (0.0, True, 0)
    assert told(190.0, None) == (-np.inf, True, 0)
    assert told(300.0, None) == (-np.inf, False, 1)


def test_an_all_clear_is_timed_from_when_glucose_was_back_and_proved_wrong_by_the_next_low() -> None:
    times, mg_dl = series(*[90.0] * 12, *[60.0] * 6, *[90.0] * 12, *[60.0] * 6, *[90.0] * 12)
    back = (90.0 * MINUTE, 180.0 * MINUTE)

    def found(raised_min: float, cleared_min: float | None) -> tuple[list[float], int, int]:
        cleared = None if cleared_min is None else cleared_min * MINUTE
        told = foretold(times, mg_dl, [Episode(0.0, raised_min * MINUTE, cleared)])
        return told.all_clear_s.tolist(), told.all_clears, told.low_again

    assert found(50.0, 120.0) == ([120.0 * MINUTE - back[0]], 1, 1)
    assert found(50.0, 210.0) == ([210.0 * MINUTE - back[1]], 1, 0)
    assert found(50.0, 55.0) == ([], 1, 1)
    assert found(50.0, 75.0) == ([0.0], 1, 1)
    assert found(50.0, None) == ([], 0, 0)
    assert found(195.0, 215.0) == ([], 1, 0)


def test_the_rules_go_on_as_they_say() -> None:
    falling = np.arange(130.0, 94.0, -6.0)[np.newaxis]
    assert line(falling)[0].tolist() == pytest.approx([94.0, 88.0, 82.0, 76.0, 70.0, 64.0])
    ends = np.array([0.0, 300.0, 600.0, 90_000.0])
    told = arima(0.0, ends, np.repeat(falling, 4, axis=0) + np.arange(4.0)[:, np.newaxis])
    # On the first day nothing is known of the person; on the second, that changes last.
    assert told[0].tolist() == [100.0] * 6
    assert told[3].tolist() == pytest.approx([97.0, 91.0, 85.0, 79.0, 73.0, 67.0])
