"""SisFall and UMAFall: the publishers' files become the prepared ones, and what is wrong with them is said."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from edge.errors import RecordingError
from training.corpora import sisfall, umafall

UMAFALL_HEAD = """\
% UMAFall: the head of a file
% 2; B0:B4:48:B8:4C:80; WAIST; SensorTag; SensorTag

%TimeStamp; Sample No; X-Axis; Y-Axis; Z-Axis; Sensor Type; Sensor ID
"""


def write_sisfall(folder: Path, person: str, name: str, samples: int = 2000) -> None:
    (folder / person).mkdir(parents=True, exist_ok=True)
    rows = [f"  17,-256, {place % 7},  1,2,3,  4,5,6;\n" for place in range(samples)]
    (folder / person / f"{name}.txt").write_text("".join(rows))


def write_umafall(folder: Path, name: str, *, sensors: tuple[int, ...] = (0, 2, 3)) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        f"{place * 50 + 5};{place};{0.1 * sensor};-0.5;{1.0 if kind == 0 else 99.0};{kind};{sensor}\n"
        for place in range(200)
        for sensor in sensors
        for kind in (0, 1)
    ]
    (folder / f"{name}.csv").write_text(UMAFALL_HEAD + "".join([*rows, rows[-2]]))


def test_sisfall_is_converted_to_mg_and_the_folder_names_the_person(tmp_path: Path) -> None:
    raw = tmp_path / "SisFall_dataset"
    write_sisfall(raw, "SA15", "F01_SE15_R02")
    write_sisfall(raw, "SE01", "D03_SE01_R01")
    lacking = sisfall.prepare(raw, tmp_path)
    assert [line.split(";")[0] for line in lacking] == ["2 of 4505 trials", "2 of 38 people"]
    fallen, daily = sisfall.read(tmp_path)
    assert (fallen.person, fallen.activity, fallen.is_fall, fallen.age) == ("sisfall/SA15", "F01", True, "young")
    assert (daily.person, daily.is_fall, daily.age, daily.position) == ("sisfall/SE01", False, "elderly", "waist")
    assert len(fallen.mg) == 500
    assert fallen.times[-1] - fallen.times[0] == pytest.approx(499 / 50)
    assert fallen.mg[250, 1] == pytest.approx(-1000.0, abs=1.0)
    assert [path.name for path in (tmp_path / "prepared").iterdir()] == [sisfall.FILE]


def test_umafall_keeps_the_worn_accelerometers_with_their_stamps(tmp_path: Path) -> None:
    raw = tmp_path / "UMAFall_Dataset"
    write_umafall(raw, "UMAFall_Subject_02_Fall_backwardFall_3_2016-06-13_20-51-32")
    write_umafall(raw, "UMAFall_Subject_11_ADL_LyingDown_OnABed_1_2016-06-13_20-51-32", sensors=(3,))
    assert [line.split(";")[0] for line in umafall.prepare(raw, tmp_path)] == ["2 of 746 trials", "2 of 19 people"]
    waist, wrist, lying = umafall.read(tmp_path)
    assert (waist.position, wrist.position, lying.position) == ("waist", "wrist", "wrist")
    assert (wrist.person, wrist.is_fall, lying.person, lying.is_fall) == ("umafall/02", True, "umafall/11", False)
    assert wrist.mg[0].tolist() == [300.0, -500.0, 1000.0]
    assert (len(wrist.times), wrist.times[0], wrist.times[-1]) == (200, 0.005, 9.955)


@pytest.mark.parametrize("corpus", [sisfall, umafall])
def test_a_missing_or_damaged_corpus_is_one_line_that_says_how_to_mend_it(corpus: object, tmp_path: Path) -> None:
    module = sisfall if corpus is sisfall else umafall
    with pytest.raises(RecordingError, match=r"is missing; fetch .* and run prepare"):
        module.read(tmp_path)
    with pytest.raises(RecordingError, match=r"no (trials|files) such as"):
        module.prepare(tmp_path, tmp_path)
    path = tmp_path / "prepared" / module.FILE
    path.parent.mkdir()
    path.write_bytes(b"PK\x03\x04 not a file of arrays")
    with pytest.raises(RecordingError) as told:
        module.read(tmp_path)
    assert re.fullmatch(r".*: not readable: .*; fetch .*", str(told.value))
    np.savez(path, acc_mg=np.zeros((10, 3), np.int16), offset=np.array([0, 10]))
    with pytest.raises(RecordingError, match="holds no array subject"):
        module.read(tmp_path)


def test_a_file_that_is_no_trial_stops_the_preparation_and_leaves_nothing(tmp_path: Path) -> None:
    raw = tmp_path / "SisFall_dataset"
    write_sisfall(raw, "SA01", "D01_SA01_R01")
    (raw / "SA01" / "D02_SA01_R01.txt").write_text("17,-256\n")
    with pytest.raises(RecordingError, match=r"D02_SA01_R01.txt: not readable"):
        sisfall.prepare(raw, tmp_path)
    assert not (tmp_path / "prepared").exists()


@pytest.mark.recordings
def test_what_is_prepared_from_the_publisher_is_what_was_prepared_before(recordings: Path) -> None:
    if not (recordings / "sisfall").is_dir():
        pytest.skip(f"no publisher's files in {recordings / 'sisfall'}")
    prepared = {(one.person, one.activity, one.name[-2:]): one for one in sisfall.read(recordings)}
    paths = sorted((recordings / "sisfall").glob("S*/*.txt"))[::6]
    assert len(paths) > 8
    for path in paths:
        activity, trial = path.stem.split("_")[0], path.stem[-2:]
        before = prepared[f"sisfall/{path.parent.name}", activity, trial]
        assert np.abs(sisfall.read_raw(path) - before.mg).max() <= 1.0
