"""Beats with the rhythm that experts gave them: what every corpus of atrial fibrillation is read into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import wfdb
from numpy.typing import NDArray

from edge.errors import RecordingError

SOURCE: Final = "https://physionet.org"
AFIB: Final = "AFIB"
AFL: Final = "AFL"
UNLABELLED: Final = ""
# The codes that stand for a beat: PhysioNet, "WFDB Annotations", beat annotation definitions.
BEATS: Final = frozenset("NLRBAaJSVrFejnE/fQ?")


@dataclass(frozen=True, slots=True, eq=False)
class RhythmRecord:
    """One recording: `person` names whom it is of, the same in all recordings of one person.

    `beats_s` are the times of the beats in s from the recording's begin, `rhythm` the expert's rhythm at each beat as
    in the WFDB annotation without its bracket, UNLABELLED before the first.
    """

    corpus: str
    name: str
    person: str
    beats_s: NDArray[np.float64]
    rhythm: NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Corpus:
    """One public data set: where its files lie under the data folder, and how a recording is read."""

    name: str
    extension: str
    person_of: Callable[[str], str]
    first_rhythm: str = UNLABELLED

    def names(self, data: Path) -> list[str]:
        """The recordings in the data folder, sorted; RecordingError when there are none."""
        found = sorted(path.stem for path in (data / self.name).glob("*.hea"))
        if not found:
            raise RecordingError(
                "no recordings", where=str(data / self.name), mend=f"put PhysioNet's {self.name} there"
            )
        return found

    def read(self, data: Path, name: str) -> RhythmRecord:
        """Read one recording; RecordingError when its annotations cannot be read."""
        path = data / self.name / name
        try:
            notes = wfdb.rdann(str(path), self.extension)
            rate = wfdb.rdheader(str(path)).fs
        except (OSError, ValueError, IndexError) as error:
            raise RecordingError(
                f"not readable: {error}", where=str(path), mend="fetch it from PhysioNet again"
            ) from error
        texts = [text.rstrip("\0") for text in notes.aux_note]
        turns = [place for place, text in enumerate(texts) if notes.symbol[place] == "+" and text.startswith("(")]
        names = np.array([self.first_rhythm] + [texts[place][1:] for place in turns])
        beats = np.array([place for place, symbol in enumerate(notes.symbol) if symbol in BEATS], dtype=np.intp)
        rhythm = names[np.searchsorted(turns, beats)]
        return RhythmRecord(self.name, name, self.person_of(name), notes.sample[beats] / rate, rhythm)
