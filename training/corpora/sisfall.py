"""SisFall: 38 people with an accelerometer at the waist, 15 kinds of acted falls and 19 of daily activities.

Sucerquia, López & Vargas-Bonilla, "SisFall: A fall and movement dataset", Sensors 17 (2017) 198. Of the adults (SA, 19
to 30 years) all fall; of the elderly (SE, 60 to 75) only SE06 does.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from edge.errors import RecordingError
from training.corpora.motion import PREPARED, MotionTrial, numbers, read_prepared, write_prepared
from training.work import watch

NAME: Final = "sisfall"
FILE: Final = "sisfall_acc50.npz"
RATE_HZ: Final = 50
# The first three columns are an ADXL345 of 13 bits and +-16 g at 200 Hz (the publisher's Readme.txt).
RAW_RATE_HZ: Final = 200
MG_PER_COUNT: Final = 2.0 * 16_000.0 / 2**13
# What the publisher describes: 4,505 files, of which 1,798 are falls.
TRIALS: Final = 4505
PEOPLE: Final = 38
MEND: Final = "fetch SisFall_dataset from its publisher (Universidad de Antioquia, SISTEMIC) and run prepare"
FILE_NAME: Final = re.compile(r"([DF]\d\d)_S[AE]\d\d_R(\d\d)")


def read(data: Path) -> list[MotionTrial]:
    """All trials in the data folder; RecordingError when the prepared file is missing or damaged."""
    arrays = read_prepared(data / PREPARED / FILE, ("subject", "activity", "trial"), MEND)
    mg, offset = arrays["acc_mg"], arrays["offset"].tolist()
    trials = []
    for place, (person, activity, trial) in enumerate(
        zip(arrays["subject"].tolist(), arrays["activity"].tolist(), arrays["trial"].tolist(), strict=True)
    ):
        own = mg[offset[place] : offset[place + 1]]
        trials.append(
            MotionTrial(
                corpus=NAME,
                name=f"{activity}_{person}_R{trial:02d}",
                person=f"{NAME}/{person}",
                activity=activity,
                is_fall=activity.startswith("F"),
                position="waist",
                age="elderly" if person.startswith("SE") else "young",
                times=np.arange(1, len(own) + 1) / RATE_HZ,
                mg=own.astype(np.float64),
            )
        )
    return trials


def prepare(raw: Path, data: Path) -> list[str]:
    """Convert the publisher's files under `raw` to the prepared file in the data folder; what is lacking, if anything.

    The person is taken from the folder, because some files of SA15 are named SE15. Raises RecordingError when there are
    no such files or one of them cannot be read.
    """
    paths = sorted(path for path in raw.glob("S[AE][0-9][0-9]/*.txt") if FILE_NAME.match(path.stem))
    if not paths:
        raise RecordingError("no trials such as SA01/D01_SA01_R01.txt", where=str(raw), mend=MEND)
    found = [FILE_NAME.fullmatch(path.stem) for path in paths]
    signals = [read_raw(path) for path in watch(paths, f"preparing {NAME}")]
    write_prepared(
        data / PREPARED / FILE,
        {
            "acc_mg": np.concatenate(signals),
            "offset": np.cumsum([0, *(len(signal) for signal in signals)]),
            "subject": np.array([path.parent.name for path in paths]),
            "activity": np.array([match[1] for match in found if match]),
            "trial": np.array([int(match[2]) for match in found if match], dtype=np.uint8),
        },
    )
    people = len({path.parent.name for path in paths})
    return [
        f"{have} of {wanted} {what}; {MEND}"
        for have, wanted, what in ((len(paths), TRIALS, "trials"), (people, PEOPLE, "people"))
        if have != wanted
    ]


def read_raw(path: Path) -> NDArray[np.int16]:
    """A publisher's file of nine columns as (samples, 3) in mg at RATE_HZ, through an anti-aliasing filter.

    Raises RecordingError when it is not such a file.
    """
    try:
        rows = [line.strip().rstrip(";").split(",") for line in path.read_text().splitlines() if line.strip()]
        counts = numbers(rows, 3)
    except (OSError, ValueError) as error:
        raise RecordingError(f"not readable: {error}", where=str(path), mend=MEND) from error
    mg = resample_poly(counts * MG_PER_COUNT, 1, RAW_RATE_HZ // RATE_HZ, axis=0)
    return np.asarray(np.rint(mg).clip(-32768, 32767), dtype=np.int16)
