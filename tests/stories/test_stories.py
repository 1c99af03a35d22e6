"""Every story has its timeline; one that changes is seen here.

Look at the difference first. When it is meant: `python -m tests.stories.write`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stories.tales import MADE_UP, RECORDED
from tests.stories.teller import timeline

TIMELINES = Path(__file__).parent / "timelines"


@pytest.mark.parametrize("name", MADE_UP)
async def test_pain_19_what_is_told_in_a_story_stays_the_same(name: str, tmp_path: Path) -> None:
    assert await timeline(MADE_UP[name](), tmp_path) == (TIMELINES / f"{name}.txt").read_text()


@pytest.mark.recordings
@pytest.mark.parametrize("name", RECORDED)
async def test_pain_19_what_is_told_of_a_recording_stays_the_same(name: str, recordings: Path, tmp_path: Path) -> None:
    assert await timeline(RECORDED[name](recordings), tmp_path) == (TIMELINES / f"{name}.txt").read_text()


def test_every_timeline_has_a_story() -> None:
    assert {path.stem for path in TIMELINES.glob("*.txt")} == {*MADE_UP, *RECORDED}
