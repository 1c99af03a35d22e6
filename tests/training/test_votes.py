"""Scores to episodes: said once, late enough to be sure, early enough to help."""

from __future__ import annotations

from edge.readings import Assessment, Risk
from training.recipes.atrial_fibrillation import policy_with
from training.votes import Episode, episodes

POLICY = policy_with(0.5)
SCORES = {"+": 0.97, "-": 0.1, "~": 0.4, "?": None}


def assessments(scores: str, bpm: float) -> list[Assessment]:
    """One assessment every 30 beats: + says so, - denies it, ~ is in between, ? has no score."""
    beat = 60.0 / bpm
    return [
        Assessment(
            "ann", Risk.ATRIAL_FIBRILLATION, place * 30 * beat, (place * 30 + 60) * beat, SCORES[score], None, "", 1.0
        )
        for place, score in enumerate(scores)
    ]


def told(scores: str, bpm: float = 60.0) -> list[Episode]:
    return episodes(assessments(scores, bpm), POLICY)


def test_sustained_fibrillation_is_one_episode_from_its_begin_to_its_end() -> None:
    (episode,) = told("-" * 10 + "+" * 40 + "-" * 20)
    assert episode.since == 300.0
    assert episode.raised_at - episode.since == 360.0
    assert episode.cleared_at is not None


def test_it_is_said_within_ten_minutes_at_50_bpm_even_if_one_window_disagrees() -> None:
    (episode,) = told("+++-" + "+" * 30, bpm=50.0)
    assert episode.raised_at <= 600.0


def test_two_minutes_of_fast_irregular_beats_say_nothing() -> None:
    for bpm in (60, 100, 140, 180, 220):
        # Windows that hold any of the run's beats: those within, and one half in at either end.
        windows = int(120 * bpm / 60 / 30) + 1
        assert told("-" * 20 + "+" * windows + "-" * 20, bpm=bpm) == []


def test_windows_without_a_score_neither_raise_nor_clear() -> None:
    assert told("?" * 100) == []
    assert told("+" * 8 + "?" * 100) == []
    (episode,) = told("+" * 12 + "?" * 100)
    assert episode.cleared_at is None


def test_wavering_scores_do_not_clear() -> None:
    (episode,) = told("+" * 12 + "~" * 50)
    assert episode.cleared_at is None


def test_a_second_episode_is_one_of_its_own() -> None:
    first, second = told("+" * 20 + "-" * 20 + "+" * 20)
    assert first.cleared_at is not None
    assert first.cleared_at < second.since
    assert second.cleared_at is None
