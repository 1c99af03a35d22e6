"""Recordings in CSV: what can be read, and one line for what cannot be."""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cli import _parser
from edge.errors import RecordingError
from edge.recordings import KINDS, read_recording


def write(folder: Path, text: str) -> Path:
    path = folder / "recording.csv"
    path.write_text(text)
    return path


def test_the_command_line_knows_every_kind() -> None:
    (commands,) = (action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction))
    (kind,) = (action for action in commands.choices["assess"]._actions if action.dest == "kind")
    assert set(kind.choices or ()) == set(KINDS)


def test_columns_may_stand_in_any_order_with_others_beside_them(tmp_path: Path) -> None:
    path = write(tmp_path, "note,z_mg,y_mg,x_mg,time_s\nup,1000,2,1,0\ndown,990,4,3,0.04\n")
    times, values = read_recording(path, KINDS["accelerometer"])
    assert times.tolist() == [0.0, 0.04]
    assert values.tolist() == [[1.0, 2.0, 1000.0], [3.0, 4.0, 990.0]]


def test_a_stamp_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    times, values = read_recording(
        write(tmp_path, "time_s,mg_dl\n0,100\n300,104\n300,9999\n600,108\n"), KINDS["glucose"]
    )
    assert times.tolist() == [0.0, 300.0, 600.0]
    assert values.tolist() == [100.0, 104.0, 108.0]


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("glucose", "", "no column time_s"),
        ("glucose", "time_s,mg_dl\n", "no samples"),
        ("glucose", "time_s,mmol\n0,5.5\n", "no column mg_dl"),
        ("glucose", "time_s,mg_dl\n0,100\n300,nan\n", "line 3"),
        ("glucose", "time_s,mg_dl\n0,100\n300,-4\n", "line 3"),
        ("glucose", "time_s,mg_dl\n0,100\n300,\n", "line 3"),
        ("glucose", "time_s,mg_dl\n300,100\n0,100\n", "line 3: time runs backwards"),
        ("glucose", "time_s,mg_dl\n0,5.5\n300,5.6\n", "look like mmol/L"),
        ("glucose", "time_s,mg_dl\n0,9000\n300,9000\n", "cannot be"),
        ("accelerometer", "time_s,x_mg,y_mg\n0,1,2\n", "no column z_mg"),
        ("accelerometer", "time_s,x_mg,y_mg,z_mg\n0,0,0,1\n0.1,0,0,1\n", "look like g, not mg"),
        ("accelerometer", "time_s,x_mg,y_mg,z_mg\n0,0,0,9.8\n0.1,0,0,9.8\n", "look like m/s2, not mg"),
        ("accelerometer", "time_s,x_mg,y_mg,z_mg\n0,0,0,0\n0.1,0,0,0\n", "cannot be"),
        ("accelerometer", "time_s,x_mg,y_mg,z_mg\n0,0,0,inf\n", "line 2"),
        ("rr_intervals", "time_s,rr_ms\n1,0.8\n1.8,0.8\n", "look like seconds"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(kind: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=message) as caught:
        read_recording(write(tmp_path, text), KINDS[kind])
    assert "\n" not in str(caught.value)
    assert "recording.csv" in str(caught.value)
    assert caught.value.exit_code == 2


@given(st.binary(max_size=200), st.sampled_from(sorted(KINDS)))
def test_any_bytes_are_a_recording_or_an_error(content: bytes, kind: str) -> None:
    with NamedTemporaryFile() as file:
        Path(file.name).write_bytes(content)
        try:
            times, values = read_recording(Path(file.name), KINDS[kind])
        except RecordingError:
            return
    assert len(times) == len(values) > 0
    assert np.isfinite(values).all()
