"""Glucose-ML's files: read as their publisher counts them, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import RecordingError
from training.corpora.glucose_ml import GlucoseCorpus
from training.corpora.physiocgm import PHYSIOCGM

CORPUS = GlucoseCorpus(name="set", folder="SET", people=1, source="https://example.org")
ROWS = "2024-01-01 00:00:00,100\n2024-01-01 00:10:00,Low\n2024-01-01 00:05:00,High\n2024-01-01 00:05:00,90\n"


def write(data: Path, *, rows: str = ROWS, count: str = "4", header: str = "timestamp,glucose_value_mg_dl\n") -> None:
    folder = data / "glucose-ml" / "SET"
    (folder / "SET-extracted-glucose-files").mkdir(parents=True)
    metadata = f"person_id,age,gender,glucose_level_record_count\nP 1,31,,{count}\n"
    (folder / "SET-metadata.csv").write_text(metadata, encoding="utf-8-sig")
    (folder / "SET-extracted-glucose-files" / "P 1.csv").write_text(header + rows, encoding="utf-8")


def test_readings_are_sorted_the_first_of_a_time_is_taken_and_words_lie_beyond_the_range(tmp_path: Path) -> None:
    write(tmp_path)
    (record,) = CORPUS.read(tmp_path)
    assert (record.times - record.times[0]).tolist() == [0.0, 300.0, 600.0]
    assert record.mg_dl.tolist() == [100.0, 401.0, 39.0]
    assert record.person == "set/P 1"
    assert record.facts["age"] == "31"
    assert "gender" not in record.facts


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"count": "5"}, "4 of 5 readings are there"),
        ({"rows": "2024-01-01 00:00:00,abc\n", "count": "1"}, "reading 1: not a reading"),
        ({"rows": "yesterday,100\n", "count": "1"}, "reading 1: not a reading"),
        ({"header": "time,mg_dl\n"}, "no column timestamp"),
    ],
)
def test_what_is_damaged_is_refused_with_where_and_how_to_mend_it(
    tmp_path: Path, changed: dict[str, str], what: str
) -> None:
    write(tmp_path, **changed)
    with pytest.raises(RecordingError, match=what) as caught:
        CORPUS.read(tmp_path)
    assert "P 1.csv" in str(caught.value)
    assert "https://example.org" in str(caught.value)


def test_missing_people_are_counted(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(RecordingError, match="1 of 2 people are there"):
        GlucoseCorpus(name="set", folder="SET", people=2, source="").read(tmp_path)


@pytest.mark.recordings
def test_the_publishers_files_are_whole(recordings: Path) -> None:
    records = PHYSIOCGM.read(recordings)
    assert len(records) == 9
    assert sum(len(record.times) for record in records) == 201_502
