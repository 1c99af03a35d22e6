"""How the atrial fibrillation model is trained: ltafdb and nsr2db, troubled like a strap's; mitdb is only reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from edge.readings import Assessment, Channel, Reading, Risk, Window
from edge.risks.manifest import AlertPolicy
from edge.signals import atrial_fibrillation as signals
from training.architecture import Architecture
from training.corpora.ltafdb import LTAFDB
from training.corpora.mitdb import MITDB
from training.corpora.nsr2db import NSR2DB
from training.corpora.rhythm import AFIB, AFL, UNLABELLED, RhythmRecord
from training.recipe import CardText, FitSettings, Judged, LabelledWindows, Recording
from training.rr_examples import AF_SHARE, Examples, gather_examples
from training.rr_features import FEATURE_NAMES, coefficient_of_sample_entropy, features, irregularity
from training.votes import Episode, episodes

CORPORA: Final = {corpus.name: corpus for corpus in (LTAFDB, NSR2DB, MITDB)}
BEATS: Final = 60
STEP: Final = 30
MINIMUM_COVERAGE: Final = 0.8

# Our choice. Ten of eleven windows, one every 30 beats, need up to 360 beats of fibrillation: at 50 bpm seven minutes,
# within the ten in which it is to be said. One window may have no score, so that lost contact silences no alert.
# At 150 bpm the same beats pass in two and a half minutes, hence the least span in seconds: two minutes of fast
# irregular beats, with half a window of smear at both ends, say nothing. Together the windows must score as sustained
# fibrillation does: a few healthy people's hearts sway like it for minutes of the night, but not always as strongly.
K, N, CLEAR_K = 10, 11, 9
MINIMUM_MEAN: Final = 0.95
MINIMUM_SPAN_S: Final = 240.0
# Eleven windows take 15 minutes at 24 bpm; what is older has passed.
MAXIMUM_SPAN_S: Final = 900.0
# Our choice: an open alert is only closed by scores well below those that opened it.
CLEAR_SHARE: Final = 0.5
# Thresholds that are tried.
CANDIDATES: Final = np.arange(0.2, 0.81, 0.05)

# Windows in a row that are judged together to tell what more beats are worth: three, one every 30 beats, span 120.
IN_A_ROW: Final = 3

# What is to be said within ten minutes: fibrillation of that length, where pauses under a minute do not end it.
SUSTAINED_S: Final = 600.0
PAUSE_S: Final = 60.0


def _settings() -> FitSettings:
    return FitSettings(epochs=12, examples_per_epoch=60_000, averaging=0.995)


@dataclass(frozen=True, slots=True)
class AtrialFibrillationRecipe:
    """The recipe of models/atrial_fibrillation; `beats` is the length of a window."""

    beats: int = BEATS
    risk: Risk = Risk.ATRIAL_FIBRILLATION
    settings: FitSettings = field(default_factory=_settings)
    step: int = STEP
    trained_on: tuple[str, ...] = (LTAFDB.name, NSR2DB.name)
    reported: tuple[str, ...] = (MITDB.name,)
    not_validated: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = FEATURE_NAMES
    minimum_coverage: float = MINIMUM_COVERAGE

    @property
    def architecture(self) -> Architecture:
        """Two convolutions, of which one halves the beats, then an LSTM whose outputs are averaged; and two judges."""
        return Architecture(
            length=self.beats,
            channels=signals.CHANNELS,
            filters=(24, 48),
            units=48,
            dropout=0.3,
            numbers=signals.NUMBERS,
        )

    @property
    def card_text(self) -> CardText:
        """The words of the card."""
        return CARD_TEXT

    def read(self, data: Path, corpus: str) -> list[Recording]:
        """All recordings of a corpus; RecordingError when it is missing or damaged."""
        records = [CORPORA[corpus].read(data, name) for name in CORPORA[corpus].names(data)]
        return [
            Recording(
                corpus=corpus,
                name=record.name,
                person=f"{corpus}/{record.person}",
                burden=float(np.mean(record.rhythm == AFIB)),
                groups={},
                signal=record,
            )
            for record in records
        ]

    def sampler(self, recordings: Sequence[Recording], architecture: Architecture) -> Examples:
        """Draws windows of these recordings, half of them fibrillation, troubled like a strap's."""
        return gather_examples([one.signal for one in recordings], beats=architecture.length)

    def label(self, recording: Recording, length: int) -> LabelledWindows:
        """The windows of a recording as the daemon would see them."""
        record: RhythmRecord = recording.signal
        windows = signals.windows(record.person, length=length, step=self.step).push(rr_reading(record))
        judged = np.array(
            [signals.shortage(one, length=length, minimum_coverage=self.minimum_coverage) is None for one in windows],
            dtype=np.bool_,
        )
        inputs = np.zeros((len(windows), length, signals.CHANNELS), dtype=np.float32)
        rr_ms = np.full((len(windows), length), 1000.0)
        if judged.any():
            rr_ms[judged] = np.stack([one.values for one, is_judged in zip(windows, judged, strict=True) if is_judged])
            marks = np.stack([one.marks for one, is_judged in zip(windows, judged, strict=True) if is_judged])
            inputs[judged] = signals.model_inputs(rr_ms[judged], marks)
        numbers = features(rr_ms)
        return LabelledWindows(
            recording=recording,
            start=np.array([one.start for one in windows], dtype=np.float64),
            end=np.array([one.end for one in windows], dtype=np.float64),
            coverage=np.array([one.coverage for one in windows], dtype=np.float64),
            judged=judged,
            inputs=inputs,
            label=_labels(record, windows),
            targets=None,
            features=numbers,
            rules={
                "coefficient_of_sample_entropy": coefficient_of_sample_entropy(rr_ms),
                "rmssd_over_mean": irregularity(rr_ms),
            },
        )

    def choose_policy(self, validation: Sequence[Judged]) -> AlertPolicy:
        """The threshold at which sensitivity and specificity of single windows are greatest together."""
        label = np.concatenate([one.windows.label[one.windows.counted] == 1 for one in validation])
        score = np.concatenate([one.scores[one.windows.counted] for one in validation])

        def worth(threshold: float) -> float:
            return float(np.mean(score[label] >= threshold) + np.mean(score[~label] < threshold))

        return policy_with(max(CANDIDATES.tolist(), key=worth))

    def alert_figures(self, judged: Sequence[Judged], policy: AlertPolicy) -> dict[str, float]:
        """Sustained episodes and those said in time, hours without any fibrillation and the false alerts in them."""
        delays: list[float] = []
        sustained, false_alerts, people_alerted, without_s = 0, 0, 0, 0.0
        for one in judged:
            record: RhythmRecord = one.windows.recording.signal
            alerts = episodes(one.assessments(), policy, _doubts(record, self.step))
            stretches = fibrillation(record)
            for begin, end in stretches:
                if end - begin >= SUSTAINED_S:
                    sustained += 1
                    delays += [max(0.0, alert.raised_at - begin) for alert in alerts if _overlaps(alert, begin, end)][
                        :1
                    ]
            without_s += float(np.ptp(record.beats_s)) - sum(end - begin for begin, end in stretches)
            wrong = sum(not _is_true(alert, stretches) for alert in alerts)
            false_alerts += wrong
            people_alerted += wrong > 0
        figures = {
            "people": float(len({one.windows.recording.person for one in judged})),
            "sustained": float(sustained),
            "said_in_time": float(sum(delay <= SUSTAINED_S for delay in delays)),
            "hours_without": without_s / 3600.0,
            "false_alerts": float(false_alerts),
            "people_with_false_alerts": float(people_alerted),
        }
        return figures | ({"median_delay_s": float(np.median(delays))} if delays else {})

    def other_figures(self, judged: Sequence[Judged], policy: AlertPolicy) -> dict[str, float]:
        """Of single windows at the threshold sensitivity + specificity - 1, with flutter as none and left out; AUROC.

        The AUROC is that of IN_A_ROW windows together, by the mean of their logits: what twice the beats are worth.
        """
        figures = _together(judged)
        for name, with_flutter in (("flutter_is_none", True), ("without_flutter", False)):
            labels, scores = [], []
            for one in judged:
                kept = one.windows.counted
                if not with_flutter:
                    kept = kept & ~_touches(one.windows, one.windows.recording.signal.rhythm == AFL)
                labels.append(one.windows.label[kept] == 1)
                scores.append(one.scores[kept])
            is_af, score = np.concatenate(labels), np.concatenate(scores)
            if is_af.any() and not is_af.all():
                sensitivity = float(np.mean(score[is_af] >= policy.threshold))
                specificity = float(np.mean(score[~is_af] < policy.threshold))
                figures[f"youden_{name}"] = sensitivity + specificity - 1.0
        return figures

    def usual(self, labelled: Sequence[LabelledWindows]) -> dict[str, float]:
        """The explanation's numbers in people without fibrillation: the median of the healthy people's medians."""
        places = [FEATURE_NAMES.index("mean_change"), FEATURE_NAMES.index("median_ms")]
        healthy = [one for one in labelled if one.recording.corpus == NSR2DB.name]
        medians = [np.median(one.features[one.counted][:, places], axis=0) for one in healthy]
        change, rr_ms = np.median(medians, axis=0).tolist()
        return {"irregularity_percent": round(100.0 * change, 1), "heart_rate_bpm": round(60_000.0 / rr_ms, 1)}

    def draw_example(self, axes: Any, window: Judged, place: int) -> None:  # noqa: ANN401  matplotlib has no types
        """Draw the RR intervals."""
        record: RhythmRecord = window.windows.recording.signal
        start, end = window.windows.start[place], window.windows.end[place]
        inside = (record.beats_s[1:] > start + 0.0005) & (record.beats_s[1:] <= end + 0.0005)
        rr_ms = 1000.0 * np.diff(record.beats_s)[inside]
        axes.plot(rr_ms, marker=".", lw=0.8)
        axes.set(xlabel="heartbeat", ylabel="RR interval, ms", ylim=(0.0, 1.15 * float(rr_ms.max())))


def rr_reading(record: RhythmRecord) -> Reading:
    """All RR intervals of a recording as one Reading, on the recording's own time axis."""
    return Reading(
        person=record.person,
        device=record.corpus,
        channel=Channel.RR_INTERVAL,
        unit="ms",
        start=float(record.beats_s[0]),
        received_at=float(record.beats_s[-1]),
        values=tuple((np.diff(record.beats_s) * 1000.0).tolist()),
    )


def policy_with(threshold: float) -> AlertPolicy:
    """Our policy at a threshold 0..1."""
    return AlertPolicy(
        threshold=round(threshold, 2),
        clear_threshold=round(threshold * CLEAR_SHARE, 3),
        k=K,
        n=N,
        clear_k=CLEAR_K,
        minimum_coverage=MINIMUM_COVERAGE,
        minimum_span_s=MINIMUM_SPAN_S,
        maximum_span_s=MAXIMUM_SPAN_S,
        minimum_mean=MINIMUM_MEAN,
    )


def fibrillation(record: RhythmRecord) -> list[tuple[float, float]]:
    """Begin and end in s of each stretch of atrial fibrillation; pauses under PAUSE_S do not end one."""
    is_af = np.concatenate(([False], record.rhythm == AFIB, [False]))
    turns = np.flatnonzero(np.diff(is_af.astype(np.int8)))
    stretches: list[tuple[float, float]] = []
    for first, after in turns.reshape(-1, 2):
        begin, end = float(record.beats_s[first]), float(record.beats_s[after - 1])
        if stretches and begin - stretches[-1][1] < PAUSE_S:
            begin = stretches.pop()[0]
        stretches.append((begin, end))
    return stretches


def _doubts(record: RhythmRecord, step: int) -> Callable[[Assessment], bool]:
    """Whether the daemon would let an alert begin with an Assessment; the Windows are built where one is asked for."""
    built: dict[float, Window] = {}

    def doubtful(assessment: Assessment) -> bool:
        if not built:
            windows = signals.windows(record.person, length=BEATS, step=step).push(rr_reading(record))
            built.update((one.end, one) for one in windows)
        return signals.doubtful(built[assessment.end])

    return doubtful


def _together(judged: Sequence[Judged]) -> dict[str, float]:
    """AUROC of the mean logit of IN_A_ROW windows without a gap, of people with either label; {} where one is missing.

    They are AF when at least half of all their beats are, as for a single window.
    """
    labels: list[NDArray[np.int8]] = []
    logits: list[NDArray[np.float64]] = []
    for one in judged:
        windows = one.windows
        first = np.arange(max(0, len(windows.start) - IN_A_ROW + 1))
        rows = first[:, np.newaxis] + np.arange(IN_A_ROW)
        in_a_row = (windows.start[rows[:, 1:]] <= windows.end[rows[:, :-1]]).all(axis=1)
        first = first[in_a_row & windows.judged[rows].all(axis=1)]
        label = _labels_between(windows.recording.signal, windows.start[first], windows.end[first + IN_A_ROW - 1])
        logit = one.outputs[:, 0].astype(np.float64)
        labels.append(label[label >= 0])
        logits.append(np.mean([logit[first + place] for place in range(IN_A_ROW)], axis=0)[label >= 0])
    label = np.concatenate(labels)
    if len(np.unique(label)) < 2:
        return {}
    return {f"auroc_of_{IN_A_ROW}_windows": float(roc_auc_score(label, np.concatenate(logits)))}


def _labels(record: RhythmRecord, windows: Sequence[Window]) -> NDArray[np.int8]:
    starts, ends = ([getattr(one, name) for one in windows] for name in ("start", "end"))
    return _labels_between(record, starts, ends)


def _labels_between(
    record: RhythmRecord, starts: Sequence[float] | NDArray[np.float64], ends: Sequence[float] | NDArray[np.float64]
) -> NDArray[np.int8]:
    """1 for atrial fibrillation, 0 for none, -1 where a beat has no label or there is none."""
    firsts, lasts = _beats_between(record, starts, ends)
    label = (_share(record.rhythm == AFIB, firsts, lasts) >= AF_SHARE).astype(np.int8)
    label[(_share(record.rhythm == UNLABELLED, firsts, lasts) > 0.0) | (lasts <= firsts)] = -1
    return label


def _touches(windows: LabelledWindows, is_so: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which windows hold any beat for which it is so."""
    firsts, lasts = _beats_between(windows.recording.signal, windows.start, windows.end)
    return np.asarray(_share(is_so, firsts, lasts) > 0.0, dtype=np.bool_)


def _beats_between(
    record: RhythmRecord, starts: Sequence[float] | NDArray[np.float64], ends: Sequence[float] | NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The beats with start < time <= end, as ranges; half a millisecond is far below any recording's own step."""
    firsts = np.searchsorted(record.beats_s, np.asarray(starts, dtype=np.float64) + 0.0005)
    return firsts, np.searchsorted(record.beats_s, np.asarray(ends, dtype=np.float64) + 0.0005)


def _share(is_so: NDArray[np.bool_], firsts: NDArray[np.intp], lasts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Of each range of beats, the share for which it is so; 0 for a range without beats."""
    count = np.concatenate(([0], np.cumsum(is_so)))
    return np.asarray((count[lasts] - count[firsts]) / np.maximum(lasts - firsts, 1), dtype=np.float64)


def _overlaps(alert: Episode, begin: float, end: float) -> bool:
    """Whether an alert was open at any moment between begin and end."""
    return alert.raised_at <= end and (alert.cleared_at is None or alert.cleared_at >= begin)


def _is_true(alert: Episode, stretches: Sequence[tuple[float, float]]) -> bool:
    """Whether at least half of the time of an alert's evidence was atrial fibrillation."""
    within = sum(max(0.0, min(alert.raised_at, end) - max(alert.since, begin)) for begin, end in stretches)
    return within >= 0.5 * (alert.raised_at - alert.since)


CARD_TEXT: Final = CardText(
    intended_use=(
        "Somebody who wears a chest strap that sends RR intervals, and wants to hear of atrial fibrillation (AF) that "
        "lasts for minutes. It is no medical device: it sees no electrocardiogram, and only a physician can say that "
        "somebody has AF."
    ),
    what_it_sees=(
        "Consecutive RR intervals: how much each differs from the window's median and from those one, two and three "
        "beats before, how near the window's nearest pairs of intervals like it are, all intervals by their size, and "
        "the rate; and figures of the whole window (edge/signals/irregularity.py), which a second judge sees. "
        "Intervals that the detector got wrong are marked by a stated rule "
        "(edge/signals/artefacts.py) and say nothing. A window is AF when at least half of its beats carry the "
        "experts' AFIB label; windows with unlabelled beats are left out. Training windows are drawn evenly from both "
        "rhythms, each person by the root of the length of their recording, and troubled like a strap's: rounded to "
        "1/1024 s or 8 ms, jittered, with missed and invented beats. Early beats, alone and in a fixed order "
        "(bigeminy, trigeminy), and the sway of the breath are added too (training/rr_faults.py)."
    ),
    limits=(
        "- A rhythm that is irregular without AF looks like it: frequent ectopic beats, atrial flutter with a "
        "changing block, and a few healthy people's strong sinus arrhythmia at night.\n"
        "- AF that is regular (under a pacemaker, or as flutter) does not look like AF in RR intervals, and is "
        "missed: a third of the AF windows of ltafdb's record 39, whose last hours are regular under the AF label. "
        "Without that record the AUROC over all folds is 0.9987.\n"
        "- The experts' labels are part of the figures: some AF stretches of ltafdb are regular.\n"
        "- Half of all wrong windows are three people's: record 39; 103, whose early beats come in no order; and 112, "
        "whose AF is fast and nearly regular. Among the healthy, nsr014's sinus arrhythmia at night scores like AF for "
        "hours.\n"
        "- So no alert begins while the heart is slower than 75 beats a minute and the last 360 intervals follow each "
        "other by more than chance (edge/signals/foretelling.py). Without that doubt the folds alert for nsr014 twice "
        "in a day, and nothing else in this card differs. Its limit is what chance passes once in a thousand times, "
        "and its rate the highest that costs no sustained AF of ltafdb; but nsr014 was the reason for it, passes the "
        "limit by as little as 0.002, and nobody else's sway comes near an alert. Slow AF with an order of its own is "
        "told later or not at all: of the strong windows of slow AF in ltafdb 7 % are doubted, among them all of "
        "records 49 and 104.\n"
        "- mitdb was never trained on, but its figures were in sight while the augmentation was chosen.\n"
        "- All recordings are of adults, by clinical recorders; a strap's own detector is only imitated."
    ),
    data_and_licences=(
        "The Long-Term AF Database (Petrutiu et al. 2007), the Normal Sinus Rhythm RR Interval Database and the "
        "MIT-BIH Arrhythmia Database (Moody & Mark 2001), all from PhysioNet under the Open Data Commons Attribution "
        "License."
    ),
)

RECIPE: Final = AtrialFibrillationRecipe()
