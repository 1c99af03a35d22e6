"""WFDB records of real people, whole and damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import RecordingError
from edge.virtual.recording import read_rr


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("record", "beats"),
    [("mitdb/201", 1963), ("mitdb/100.hea", 2273), ("nsr2db/nsr001", 106460), ("apnea-ecg/a01", 29029)],
)
def test_beats_of_a_record_are_found_whatever_its_annotations_are_called(
    recordings: Path, record: str, beats: int
) -> None:
    found = read_rr(recordings / record)
    assert len(found.beat_times) == beats
    assert found.rr_ms == pytest.approx(np.diff(found.beat_times) * 1000.0)
    assert 500.0 < np.median(found.rr_ms) < 1500.0


def test_rate_of_the_annotations_comes_before_that_of_the_header(tmp_path: Path) -> None:
    write(tmp_path, "atr", [100, 300], "N")
    (tmp_path / "person.hea").write_text("person 0 50 4000\n")
    assert read_rr(tmp_path / "person").beat_times == pytest.approx([1.0, 3.0])


def test_long_pause_between_beats_is_kept(tmp_path: Path) -> None:
    write(tmp_path, "atr", [100, 100_000_000, 100_000_100], "N")
    assert read_rr(tmp_path / "person").rr_ms == pytest.approx([999_999_000.0, 1000.0])


def test_reviewed_annotations_come_before_those_of_a_detector(tmp_path: Path) -> None:
    write(tmp_path, "qrs", [100, 200, 300], "N")
    write(tmp_path, "atr", [100, 200], "N")
    assert len(read_rr(tmp_path / "person").beat_times) == 2


def test_annotations_without_beats_give_way_to_those_with_beats(tmp_path: Path) -> None:
    write(tmp_path, "atr", [100, 200], "+")
    write(tmp_path, "qrs", [100, 200, 300], "N")
    assert read_rr(tmp_path / "person").beat_times == pytest.approx([1.0, 2.0, 3.0])


def test_record_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="nobody: there is no annotation file"):
        read_rr(tmp_path / "nobody")


def test_record_without_a_beat_says_so(tmp_path: Path) -> None:
    write(tmp_path, "atr", [100, 200], "+")
    with pytest.raises(RecordingError, match="fewer than two beats"):
        read_rr(tmp_path / "person")


@given(
    damage=st.lists(st.tuples(st.integers(0, 90), st.integers(0, 255)), max_size=10),
    length=st.integers(0, 90),
)
def test_damaged_annotations_are_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, damage: list[tuple[int, int]], length: int
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    write(folder, "atr", list(range(100, 4000, 100)), "N")
    path = folder / "person.atr"
    data = bytearray(path.read_bytes())
    for at, octet in damage:
        data[at % len(data)] = octet
    path.write_bytes(bytes(data[:length] if length < 80 else data))
    refusal = ""
    try:
        read_rr(folder / "person")
    except RecordingError as error:
        refusal = str(error)
    assert "\n" not in refusal


@pytest.mark.recordings
def test_record_without_its_header_is_refused_in_one_line(recordings: Path, tmp_path: Path) -> None:
    shutil.copy(recordings / "mitdb" / "100.atr", tmp_path)
    with pytest.raises(RecordingError, match=r"100\.atr: it cannot be read .*100\.hea.*; fetch") as raised:
        read_rr(tmp_path / "100")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("header", ["", "person", "person 1 fast 4000", "person 1 0 4000", "person 1 inf 4000"])
def test_header_without_a_usable_rate_is_refused(tmp_path: Path, header: str) -> None:
    wfdb.wrann("person", "atr", np.array([100, 200]), ["N", "N"], write_dir=str(tmp_path))
    (tmp_path / "person.hea").write_text(header)
    with pytest.raises(RecordingError, match="cannot be read"):
        read_rr(tmp_path / "person")


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("record", "extension"), [("mitdb/201", "atr"), ("ltafdb/00", "atr"), ("nsr2db/nsr002", "ecg")]
)
def test_beats_are_those_that_the_wfdb_package_reads(recordings: Path, record: str, extension: str) -> None:
    annotation = wfdb.rdann(str(recordings / record), extension)
    rate = annotation.fs or wfdb.rdheader(str(recordings / record)).fs
    beats = [symbol in "NLRBAaJSVrFejnE/fQ?" for symbol in annotation.symbol]
    assert read_rr(recordings / record).beat_times == pytest.approx(annotation.sample[beats] / rate)


def write(folder: Path, extension: str, samples: list[int], symbol: str) -> None:
    (folder / "person.hea").write_text("person 0 100 4000\n")
    wfdb.wrann("person", extension, np.array(samples), [symbol] * len(samples), fs=100, write_dir=str(folder))
