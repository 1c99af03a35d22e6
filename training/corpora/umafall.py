"""UMAFall: 19 people with accelerometers at the wrist and the waist, three kinds of acted falls, twelve activities.

Casilari, Santoyo-Ramón & Cano-García, "UMAFall: A multisensor dataset for the research on automatic fall detection",
Procedia Computer Science 110 (2017) 32; CC BY 4.0. The motes send 20 samples a second over Bluetooth; the stamps are
those of the phone that received them, so they jitter, and some samples got lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.errors import RecordingError
from training.corpora.motion import PREPARED, MotionTrial, numbers, read_prepared, write_prepared
from training.work import watch

NAME: Final = "umafall"
FILE: Final = "umafall_acc20.npz"
COLUMNS: Final = ("subject", "activity", "trial", "position")
# A line of a file is: stamp in ms; number of the sample; x; y; z; type of sensor; place of the sensor. Type 0 is the
# accelerometer, in g; the places are numbered so in the head of every file.
ACCELEROMETER: Final = 0
POSITIONS: Final = {2: "waist", 3: "wrist"}
# What the publisher describes: 746 trials, of which 208 are falls.
TRIALS: Final = 746
PEOPLE: Final = 19
MEND: Final = "fetch UMAFall_Dataset from figshare.com (article 4214283) and run prepare"
FILE_NAME: Final = re.compile(r"UMAFall_Subject_(\d+)_(ADL|Fall)_(.+)_(\d+)_(\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d)")


def read(data: Path) -> list[MotionTrial]:
    """All trials in the data folder, of either sensor; RecordingError when the prepared file is missing or damaged."""
    arrays = read_prepared(data / PREPARED / FILE, COLUMNS, MEND)
    if len(arrays.get("t_ms", ())) != len(arrays["acc_mg"]):
        raise RecordingError("holds no time for each sample", where=str(data / PREPARED / FILE), mend=MEND)
    mg, t_ms, offset = arrays["acc_mg"], arrays["t_ms"], arrays["offset"].tolist()
    trials = []
    for place, (person, activity, trial, position) in enumerate(
        zip(*(arrays[name].tolist() for name in COLUMNS), strict=True)
    ):
        part = slice(offset[place], offset[place + 1])
        trials.append(
            MotionTrial(
                corpus=NAME,
                name=f"{activity}_{person:02d}_{trial}_{position}_{place}",
                person=f"{NAME}/{person:02d}",
                activity=activity,
                is_fall=activity.startswith("F_"),
                position=position,
                age="",
                times=t_ms[part] / 1000.0,
                mg=mg[part].astype(np.float64),
            )
        )
    return trials


def prepare(raw: Path, data: Path) -> list[str]:
    """Convert the publisher's CSV files under `raw` to the prepared file in the data folder; what is lacking, if any.

    Raises RecordingError when there are no such files or one of them cannot be read.
    """
    found = [(path, match) for path in sorted(raw.rglob("UMAFall_*.csv")) if (match := FILE_NAME.fullmatch(path.stem))]
    if not found:
        raise RecordingError("no files such as UMAFall_Subject_01_ADL_*.csv", where=str(raw), mend=MEND)
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    stamps, signals = [], []
    for path, match in watch(found, f"preparing {NAME}"):
        for position, t_ms, mg in read_raw(path):
            stamps.append(t_ms)
            signals.append(mg)
            activity = f"{'F' if match[2] == 'Fall' else 'D'}_{match[3]}"
            for name, value in zip(COLUMNS, (int(match[1]), activity, int(match[4]), position), strict=True):
                columns[name].append(value)
    write_prepared(
        data / PREPARED / FILE,
        {
            "t_ms": np.concatenate(stamps),
            "acc_mg": np.concatenate(signals),
            "offset": np.cumsum([0, *(len(signal) for signal in signals)]),
            "subject": np.array(columns["subject"], dtype=np.uint8),
            "activity": np.array(columns["activity"]),
            "trial": np.array(columns["trial"], dtype=np.uint8),
            "position": np.array(columns["position"]),
        },
    )
    people = len({match[1] for _, match in found})
    return [
        f"{have} of {wanted} {what}; {MEND}"
        for have, wanted, what in ((len(found), TRIALS, "trials"), (people, PEOPLE, "people"))
        if have != wanted
    ]


def read_raw(path: Path) -> Iterator[tuple[str, NDArray[np.int32], NDArray[np.int16]]]:
    """Position, stamps (samples,) in ms and accelerations (samples, 3) in mg of each worn sensor of a file.

    Of samples with the same stamp the first is taken. Raises RecordingError when it is not such a file.
    """
    try:
        lines = path.read_text(encoding="latin-1").splitlines()
        fields = [line.split(";") for line in lines if line.strip() and not line.lstrip().startswith("%")]
        rows = numbers([row for row in fields if row[0].strip().isdigit()], 7)
    except (OSError, ValueError) as error:
        raise RecordingError(f"not readable: {error}", where=str(path), mend=MEND) from error
    for place, position in POSITIONS.items():
        own = rows[(rows[:, 5] == ACCELEROMETER) & (rows[:, 6] == place)]
        own = own[np.argsort(own[:, 0], kind="stable")]
        own = own[np.diff(own[:, 0], prepend=-np.inf) > 0]
        if len(own) > 1:
            mg = np.rint(own[:, 2:5] * 1000.0).clip(-32768, 32767)
            yield position, own[:, 0].astype(np.int32), mg.astype(np.int16)
