"""Recordings as the daemon would see them: the Windows of edge.signals, with the experts' label of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.readings import Channel, Reading, Risk, Window
from edge.signals.windows import RrWindows
from training.corpora.rhythm import AFIB, AFL, UNLABELLED, RhythmRecord

# A Window is atrial fibrillation when at least half of its beats are; a beat's label goes with the interval before it.
AF_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class LabelledWindows:
    """The Windows of one recording in the order of time; the shares (0..1) of each one's beats by their labels.

    Windows that hold too few beats to be judged are among them; `complete` tells the others.
    """

    record: RhythmRecord
    windows: list[Window]
    complete: NDArray[np.bool_]
    af: NDArray[np.float64]
    flutter: NDArray[np.float64]
    unlabelled: NDArray[np.float64]

    @property
    def is_af(self) -> NDArray[np.bool_]:
        """Which Windows count as atrial fibrillation."""
        return np.asarray(self.af >= AF_SHARE, dtype=np.bool_)

    def scored(self, minimum_coverage: float) -> NDArray[np.bool_]:
        """Which Windows a figure may be made of: complete, well covered, and every beat labelled."""
        covered = np.array([window.coverage >= minimum_coverage for window in self.windows], dtype=np.bool_)
        return np.asarray(self.complete & covered & (self.unlabelled == 0.0), dtype=np.bool_)


def rr_reading(record: RhythmRecord) -> Reading:
    """All RR intervals of a recording as one Reading, on the recording's own time axis."""
    intervals_ms = np.diff(record.beats_s) * 1000.0
    return Reading(
        person=record.person,
        device=record.corpus,
        channel=Channel.RR_INTERVAL,
        unit="ms",
        start=float(record.beats_s[0]),
        received_at=float(record.beats_s[-1]),
        values=tuple(intervals_ms.tolist()),
    )


def label_windows(record: RhythmRecord, *, beats: int, step: int) -> LabelledWindows:
    """Cut a recording into Windows by the daemon's own code, and label them."""
    windows = RrWindows(record.person, Risk.ATRIAL_FIBRILLATION, beats=beats, step=step).push(rr_reading(record))
    # The beats with start < time <= end; half a millisecond is far below the step of any recording's clock.
    firsts = np.searchsorted(record.beats_s, [window.start + 0.0005 for window in windows])
    lasts = np.searchsorted(record.beats_s, [window.end + 0.0005 for window in windows])
    return LabelledWindows(
        record=record,
        windows=windows,
        complete=np.array([len(window.values) == beats for window in windows], dtype=np.bool_),
        af=_share(record.rhythm == AFIB, firsts, lasts),
        flutter=_share(record.rhythm == AFL, firsts, lasts),
        unlabelled=_share(record.rhythm == UNLABELLED, firsts, lasts),
    )


def _share(is_so: NDArray[np.bool_], firsts: NDArray[np.intp], lasts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Of each range of beats, the share for which it is so; 0 for a range without beats."""
    count = np.concatenate(([0], np.cumsum(is_so)))
    return np.asarray((count[lasts] - count[firsts]) / np.maximum(lasts - firsts, 1), dtype=np.float64)
