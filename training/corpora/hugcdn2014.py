"""HuGCDN2014: a night of each of 77 people, 37 with severe sleep apnoea (over 25 an hour) and 40 without (under 5).

Sleep unit of Dr. Negrin University Hospital, doi 10.17632/vv6wdpbrsh.1. RR/*.mat hold a frame of five minutes of RR
intervals for each minute, empty for the first two and the last two of the night; LABELS/*.mat tell for each minute
whether the expert saw apnoea. A frame's label is of the minute in its middle (the publisher's Readme.docx).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import scipy.io
from numpy.typing import NDArray

from edge.errors import RecordingError
from training.corpora.nights import NightRecord

NAME: Final = "hugcdn2014"
PEOPLE: Final = 77
MEND: Final = "fetch it from https://doi.org/10.17632/vv6wdpbrsh.1 again"
MINUTE_S: Final = 60.0
# Frame i begins two minutes before the minute that it is labelled for.
MINUTES_BEFORE: Final = 2
# Two frames a minute apart share four minutes of beats, equal but for what the publisher's filter did at their ends.
# The step between them is where most beats agree: by less than this, 20 to 150 beats on, in a sample of the first beats
# that are shared.
AGREE_MS: Final = 1.0
STEP_BEATS: Final = range(20, 150)
SHARED_BEATS: Final = 60
COMPARED_BEATS: Final = 30
# The sum of a frame's intervals is short where the publisher took beats out. When the chain of beats has drifted by so
# much from the frames' own minutes, in the median of five frames, it is set back to them. Our choice.
DRIFT_S: Final = 1.0
CLOSEST_S: Final = 0.15

Frame = NDArray[np.float64]


def read(data: Path) -> list[NightRecord]:
    """All nights in the order of their names; RecordingError when any is missing or damaged."""
    folder = data / NAME
    paths = sorted((folder / "RR").glob("*.mat"))
    if len(paths) != PEOPLE:
        raise RecordingError(f"{len(paths)} of {PEOPLE} people are there", where=str(folder), mend=MEND)
    return [_read(path, folder / "LABELS" / path.name) for path in paths]


def _read(path: Path, labels: Path) -> NightRecord:
    try:
        frames = [np.ravel(one).astype(np.float64) for one in scipy.io.loadmat(path)["RR_notch_abs_pr_ada"].ravel()]
        apnoea = scipy.io.loadmat(labels)["salida_man_1m"].ravel().astype(np.int8)
    except (OSError, KeyError, ValueError) as error:
        raise RecordingError(f"not readable: {error}", where=str(path), mend=MEND) from error
    times, rr_ms = night_of(frames)
    if not len(times):
        raise RecordingError("holds no frames", where=str(path), mend=MEND)
    return NightRecord(path.stem, times, rr_ms, apnoea)


def night_of(frames: Sequence[Frame]) -> tuple[Frame, Frame]:
    """The times (s) and RR intervals (ms) of a night from its frames, one a minute, some empty."""
    times, rr_ms = [], []
    full = [minute for minute, frame in enumerate(frames) if len(frame) > SHARED_BEATS]
    for chain in _chains(frames, full):
        begins = np.array([begin for _, begin in chain])
        late = begins - MINUTE_S * (np.array([minute for minute, _ in chain]) - MINUTES_BEFORE)
        usual = [float(np.median(late[max(0, place - 2) : place + 3])) for place in range(len(late))]
        set_back = usual[0]
        for (minute, begin), now in zip(chain, usual, strict=True):
            if abs(now - set_back) > DRIFT_S:
                set_back = now
            frame = frames[minute]
            # On average a frame's first beat comes half an interval after its begin.
            at = begin - set_back + frame[0] / 2000.0 + np.cumsum(frame) / 1000.0
            low = -np.inf if minute == full[0] else MINUTE_S * minute
            high = np.inf if minute == full[-1] else MINUTE_S * (minute + 1)
            kept = (at > low) & (at <= high)
            times.append(at[kept])
            rr_ms.append(frame[kept])
    if not times:
        return np.empty(0), np.empty(0)
    at, intervals = np.concatenate(times), np.concatenate(rr_ms)
    order = np.argsort(at, kind="stable")
    at, intervals = at[order], intervals[order]
    apart = np.diff(at, prepend=-np.inf) > CLOSEST_S
    return at[apart], intervals[apart]


def _chains(frames: Sequence[Frame], full: Sequence[int]) -> list[list[tuple[int, float]]]:
    """Runs of frames whose beats follow from each other: each frame's minute, and its begin within the run (s)."""
    chains: list[list[tuple[int, float]]] = []
    if full:
        chains.append([(full[0], 0.0)])
    for before, minute in pairwise(full):
        step = step_between(frames[before], frames[minute]) if minute == before + 1 else None
        if step is None:
            chains.append([(minute, 0.0)])
        else:
            chains[-1].append((minute, chains[-1][-1][1] + float(frames[before][:step].sum()) / 1000.0))
    return chains


def step_between(frame: Frame, after: Frame) -> int | None:
    """The beats from the begin of a frame to that of the one after it; None where no number of them fits."""
    most = min(STEP_BEATS.stop, len(frame) - SHARED_BEATS)
    steps = np.arange(STEP_BEATS.start, most)
    beats = np.linspace(0, min(SHARED_BEATS, len(after)) - 1, COMPARED_BEATS).astype(np.intp)
    if not len(steps):
        return None
    apart = np.median(np.abs(frame[steps[:, np.newaxis] + beats] - after[beats]), axis=1)
    best = int(np.argmin(apart))
    return int(steps[best]) if apart[best] < AGREE_MS else None
