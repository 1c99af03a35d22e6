"""Training examples: windows drawn anew for every epoch, balanced between people and rhythms, with a strap's faults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.readings import CHANNELS, Channel
from edge.signals.artefacts import mark_artefacts
from edge.signals.atrial_fibrillation import model_inputs
from training.corpora.rhythm import AFIB, UNLABELLED, RhythmRecord
from training.rr_faults import Faults, trouble

# A window is atrial fibrillation when at least half of its beats are; a beat's label goes with the interval before it.
AF_SHARE: Final = 0.5
# Intervals drawn beyond a window's beats, so that enough are left when missed beats have merged some.
SPARE: Final = 20
# Windows of a recording begin at every fifth beat: neighbours closer than that teach nothing new.
STRIDE: Final = 5
# Windows that are troubled at once: what fits a processor's cache, no more.
CHUNK: Final = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """The RR intervals of all training people end to end, and for each person where windows of either rhythm begin."""

    beats: int
    rr_ms: NDArray[np.float64]
    is_af: NDArray[np.bool_]
    af_starts: list[NDArray[np.intp]]
    other_starts: list[NDArray[np.intp]]
    faults: Faults = field(default_factory=Faults)

    def draw(self, count: int, random: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw windows, half of them atrial fibrillation: inputs (count, beats, channels), targets (count, 1)."""
        starts = np.concatenate(
            [
                _draw_starts(self.af_starts, count // 2, random),
                _draw_starts(self.other_starts, count - count // 2, random),
            ]
        )
        random.shuffle(starts)
        inputs, labels = [], []
        for first in range(0, count, CHUNK):
            places = starts[first : first + CHUNK, np.newaxis] + np.arange(self.beats + SPARE)
            rr_ms, is_af = trouble(
                self.rr_ms[places], self.is_af[places], beats=self.beats, faults=self.faults, random=random
            )
            inputs.append(model_inputs(rr_ms, mark_artefacts(rr_ms)))
            labels.append(is_af.mean(axis=1) >= AF_SHARE)
        return np.concatenate(inputs), np.concatenate(labels).astype(np.float32)[:, np.newaxis]


def _draw_starts(people: list[NDArray[np.intp]], count: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Draw begins of windows; a person counts by the root of their windows, so that long recordings don't rule."""
    weight = np.sqrt([len(starts) for starts in people])
    shares = random.multinomial(count, weight / weight.sum())
    return np.concatenate([random.choice(starts, share) for starts, share in zip(people, shares, strict=True)])


def gather_examples(records: Sequence[RhythmRecord], *, beats: int) -> Examples:
    """Gather the windows of the training people's recordings that are labelled throughout and have no hole."""
    rr_ms, is_af, af_starts, other_starts = [], [], [], []
    offset = 0
    for record in records:
        intervals_ms = np.diff(record.beats_s) * 1000.0
        af = record.rhythm[1:] == AFIB
        unfit = (record.rhythm[1:] == UNLABELLED) | (intervals_ms > CHANNELS[Channel.RR_INTERVAL].high)
        starts = np.arange(0, len(intervals_ms) - beats - SPARE, STRIDE)
        starts = starts[_count_in(unfit, starts, beats + SPARE) == 0]
        mostly_af = _count_in(af, starts, beats) >= AF_SHARE * beats
        af_starts.append(starts[mostly_af] + offset)
        other_starts.append(starts[~mostly_af] + offset)
        rr_ms.append(intervals_ms)
        is_af.append(af)
        offset += len(intervals_ms)
    return Examples(
        beats=beats,
        rr_ms=np.concatenate(rr_ms),
        is_af=np.concatenate(is_af),
        af_starts=[starts for starts in af_starts if len(starts)],
        other_starts=[starts for starts in other_starts if len(starts)],
    )


def _count_in(is_so: NDArray[np.bool_], starts: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """How many of the `length` beats from each start on it is so for."""
    count = np.concatenate(([0], np.cumsum(is_so)))
    return np.asarray(count[starts + length] - count[starts], dtype=np.intp)
