"""How the fall model is trained: SisFall and UMAFall, worn by strangers and by another maker's sensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.notices import Severity
from edge.readings import Assessment, Risk
from edge.risks.manifest import AlertPolicy
from edge.signals import fall
from edge.signals.acceleration import RATE_HZ
from training.architecture import Architecture
from training.corpora import sisfall, umafall
from training.corpora.motion import MotionTrial
from training.fall_windows import STEP, STILL_MG, Worn, labels_of, sound_samples, windows_of, worn_windows
from training.recipe import CardText, FitSettings, Judged, LabelledWindows, Recording, Transfer
from training.votes import episodes

READERS: Final[Mapping[str, Callable[[Path], list[MotionTrial]]]] = {
    sisfall.NAME: sisfall.read,
    umafall.NAME: umafall.read,
}
# Six seconds: three before the blow and three after. Our choice: of 1,798 falls in SisFall two end within 2.5 s of the
# blow, four within 3 s, thirteen within 4 s, and each second of lying makes a fall surer.
LENGTH: Final = 6 * RATE_HZ
# A trial that begins 0.6 s before the blow is still judged; what is learnt from is better covered. Our choice.
MINIMUM_COVERAGE: Final = 0.6
LEARNT_COVERAGE: Final = 0.7
# The trials of a recording stand so far apart on its time axis, which is longer than any of them (180 s).
TRIAL_S: Final = 1000.0
# Every trial counts in the draw by the root of its windows, and UMAFall's, of which there are fewer, by this.
UMAFALL_WEIGHT: Final = 2.0

# Windows of which some steps are hidden, the most steps, and the noise added to the inputs. Our choice, after DeVries &
# Taylor, "Improved regularization of convolutional neural networks with cutout", 2017.
HIDDEN_SHARE: Final = 0.5
LONGEST_HIDDEN: Final = 30
INPUT_NOISE: Final = 0.01

# Windows in whose parts the features for the peers are taken: long before, before, blow, behind it, long after, in
# steps; of each channel its mean, spread, greatest and least value.
PARTS: Final = ((0, 40), (50, 70), (70, 85), (85, 110), (110, 150))
MOMENTS: Final = ("mean", "spread", "greatest", "least")
CHANNEL_NAMES: Final = (
    "size",
    "change",
    "from_before",
    "from_after",
    "along",
    "across",
    "along_before",
    "across_before",
)
NUMBERS: Final = ("blow_g", "turn_degrees", "movement_mg")

# Our choice. A fall is one blow, so one window raises the alert. It is cleared only when five windows in a row could be
# judged and deny it: somebody who walks again has five blows or 100 s of movement behind them, while one who lies
# there, or stirs now and then, has windows without movement among them.
K, N, CLEAR_K = 1, 5, 5
MAXIMUM_SPAN_S: Final = 600.0
CLEAR_SHARE: Final = 0.5
# Our choice: what is more probable than not is said.
LOWEST_THRESHOLD: Final = 0.5
# Daily trials that must stay quiet: few false alarms come first, then as many falls as can be told.
DAILY_QUIET: Final[Mapping[tuple[str, str], float]] = {("sisfall", "waist"): 0.997, ("umafall", "wrist"): 0.965}


ARCHITECTURE: Final = Architecture(
    length=LENGTH,
    channels=fall.CHANNELS,
    filters=(16, 32),
    kernels=(5, 5),
    strides=(2, 2),
    units=32,
    pooling="mean",
    dropout=0.3,
)
SETTINGS: Final = FitSettings(
    epochs=18, examples_per_epoch=20_000, batch=256, learning_rate=3e-3, label_smoothing=0.02, averaging=0.995
)


@dataclass(frozen=True, slots=True, eq=False)
class MotionSampler:
    """Windows of many worn copies of trials, drawn by weight."""

    inputs: NDArray[np.float16]
    labels: NDArray[np.int8]
    chances: NDArray[np.float64]

    def draw(self, count: int, random: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Inputs (count, length, channels) and targets (count, 1)."""
        drawn = random.choice(len(self.labels), count, p=self.chances)
        inputs = self.inputs[drawn].astype(np.float32)
        inputs += random.normal(0.0, INPUT_NOISE, inputs.shape).astype(np.float32) * (inputs != 0.0)
        inputs[_hidden(count, inputs.shape[1], random)] = 0.0
        return inputs, self.labels[drawn, np.newaxis].astype(np.float32)


def _hidden(count: int, length: int, random: np.random.Generator) -> NDArray[np.bool_]:
    """Which steps of so many windows are hidden: in half of them some, so that no single moment decides."""
    begin = random.integers(0, length, (count, 1))
    steps = random.integers(LONGEST_HIDDEN // 6, LONGEST_HIDDEN, (count, 1)) * (
        random.random((count, 1)) < HIDDEN_SHARE
    )
    place = np.arange(length)
    return np.asarray((place >= begin) & (place < begin + steps), dtype=np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class FallRecipe:
    """The recipe of models/fall."""

    risk: Risk = Risk.FALL
    architecture: Architecture = ARCHITECTURE
    settings: FitSettings = SETTINGS
    step: int = STEP
    trained_on: tuple[str, ...] = (sisfall.NAME, umafall.NAME)
    reported: tuple[str, ...] = ()
    not_validated: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = (
        *NUMBERS,
        *(f"{name}_{first}_{after}_{what}" for first, after in PARTS for name in CHANNEL_NAMES for what in MOMENTS),
    )
    minimum_coverage: float = MINIMUM_COVERAGE
    transfers: tuple[Transfer, ...] = (
        Transfer("young_to_elderly", lambda one: _is_of(one, age="young"), lambda one: _is_of(one, age="elderly")),
        Transfer("sisfall_to_wrist", lambda one: one.corpus == sisfall.NAME, lambda one: _is_of(one, position="wrist")),
    )
    # The worn copies of a trial are the same in every fold, so they are made once.
    _worn: dict[str, tuple[NDArray[np.float16], NDArray[np.int8]]] = field(default_factory=dict)

    @property
    def card_text(self) -> CardText:
        """The words of the card."""
        return CARD_TEXT

    def read(self, data: Path, corpus: str) -> list[Recording]:
        """The trials of each person and position of a sensor as a Recording; RecordingError when one cannot be read."""
        trials: dict[tuple[str, str], list[MotionTrial]] = {}
        for trial in READERS[corpus](data):
            trials.setdefault((trial.person, trial.position), []).append(trial)
        return [
            Recording(
                corpus=corpus,
                name=f"{person.split('/')[1]}_{position}",
                person=person,
                burden=float(np.mean([one.is_fall for one in own])),
                groups={"position": position} | ({"age": own[0].age} if own[0].age else {}),
                signal=Worn(tuple(own)),
            )
            for (person, position), own in trials.items()
        ]

    def sampler(self, recordings: Sequence[Recording], architecture: Architecture) -> MotionSampler:
        """Draws windows of worn copies of these trials; the trials themselves are the first copy."""
        trials = [trial for one in recordings for trial in one.signal.trials]
        parts = [self._worn_windows(trial, architecture.length) for trial in trials]
        weights = [
            np.full(len(labels), (UMAFALL_WEIGHT if one.corpus == umafall.NAME else 1.0) / np.sqrt(max(1, len(labels))))
            for one, (_, labels) in zip(trials, parts, strict=True)
        ]
        chances = np.concatenate(weights)
        return MotionSampler(
            inputs=np.concatenate([inputs for inputs, _ in parts]),
            labels=np.concatenate([labels for _, labels in parts]),
            chances=chances / chances.sum(),
        )

    def label(self, recording: Recording, length: int) -> LabelledWindows:
        """The windows of all trials as the daemon would see them; each trial begins TRIAL_S after the one before."""
        windows, label = [], [np.zeros(0, np.int8)]
        for place, trial in enumerate(recording.signal.trials):
            times, mg = sound_samples(trial)
            own = windows_of(times - trial.times[0] + place * TRIAL_S, mg, length)
            windows += own
            label.append(labels_of(own, trial))
        reasons = [fall.shortage(one, length=length, minimum_coverage=self.minimum_coverage) for one in windows]
        judged = np.array([reason is None for reason in reasons], dtype=np.bool_)
        inputs = np.zeros((len(windows), length, fall.CHANNELS), dtype=np.float32)
        numbers = np.zeros((len(windows), len(NUMBERS)))
        for place in np.flatnonzero(judged).tolist():
            inputs[place] = fall.model_input(windows[place])[0]
            found = fall.plain_numbers(windows[place])
            numbers[place] = [found[name] for name in NUMBERS]
        blow_g, _, movement_mg = numbers.T
        return LabelledWindows(
            recording=recording,
            start=np.array([one.start for one in windows], dtype=np.float64),
            end=np.array([one.end for one in windows], dtype=np.float64),
            coverage=np.array([one.coverage for one in windows], dtype=np.float64),
            judged=judged,
            inputs=inputs,
            label=np.concatenate(label),
            targets=None,
            features=np.concatenate((numbers, _moments(inputs)), axis=1).astype(np.float32),
            rules={
                # Bourke et al., Gait & Posture 26 (2007) 194: a fall is what exceeds an upper threshold of the blow.
                "peak": blow_g,
                # Kangas et al., Gait & Posture 28 (2008) 285, ask for the end of movement after it as well.
                "peak_then_still": np.where(movement_mg < STILL_MG, blow_g, 0.0),
            },
        )

    def choose_policy(self, validation: Sequence[Judged]) -> AlertPolicy:
        """The lowest threshold at which enough daily trials stay quiet, of every corpus and position of DAILY_QUIET."""
        threshold = LOWEST_THRESHOLD
        for (corpus, position), share in DAILY_QUIET.items():
            own = [one for one in validation if _is_of(one.windows.recording, corpus=corpus, position=position)]
            threshold = max(threshold, _quiet_threshold(_trials(own), share))
        threshold = round(min(0.99, threshold), 4)
        return AlertPolicy(
            threshold=threshold,
            clear_threshold=round(threshold * CLEAR_SHARE, 4),
            k=K,
            n=N,
            clear_k=CLEAR_K,
            minimum_coverage=self.minimum_coverage,
            minimum_span_s=0.0,
            maximum_span_s=MAXIMUM_SPAN_S,
            severity=Severity.CRITICAL,
        )

    def alert_figures(self, judged: Sequence[Judged], policy: AlertPolicy) -> dict[str, float]:
        """Of all trials: falls told and daily trials quiet, as shares, and false alarms an hour of daily activity."""
        trials = _trials(judged)
        alarms = [len(episodes(one.assessments, policy)) for one in trials]
        falls = [count for one, count in zip(trials, alarms, strict=True) if one.trial.is_fall]
        daily = [count for one, count in zip(trials, alarms, strict=True) if not one.trial.is_fall]
        seconds = sum(float(np.ptp(one.trial.times)) for one in trials if not one.trial.is_fall)
        figures = {"people": float(len({one.trial.person for one in trials}))}
        if falls:
            figures |= {"falls": float(len(falls)), "falls_told": float(np.mean([count > 0 for count in falls]))}
        if daily:
            figures |= {
                "daily_trials": float(len(daily)),
                "daily_quiet": float(np.mean([count == 0 for count in daily])),
                "hours_without": seconds / 3600.0,
                "false_alerts": float(sum(daily)),
                "false_alerts_an_hour": 3600.0 * sum(daily) / seconds,
            }
        return figures

    def other_figures(self, judged: Sequence[Judged], policy: AlertPolicy) -> dict[str, float]:
        """The shares of trials by where the sensor was worn and by age, and falls told at DAILY_QUIET."""
        figures: dict[str, float] = {}
        groups = sorted({pair for one in judged for pair in one.windows.recording.groups.items()})
        for kind, value in groups:
            own = _trials([one for one in judged if one.windows.recording.groups.get(kind) == value])
            told = np.array([bool(episodes(one.assessments, policy)) for one in own])
            is_fall = np.array([one.trial.is_fall for one in own])
            if is_fall.any():
                figures[f"falls_told_{value}"] = float(np.mean(told[is_fall]))
            if not is_fall.all():
                figures[f"daily_quiet_{value}"] = float(np.mean(~told[~is_fall]))
            share = DAILY_QUIET.get((own[0].trial.corpus, value))
            if share is not None and is_fall.any() and not is_fall.all():
                greatest = np.array([one.greatest for one in own])
                found = float(np.mean(greatest[is_fall] >= _quiet_threshold(own, share)))
                figures[f"falls_told_{value}_at_{1000.0 * share:.0f}"] = found
        return figures

    def usual(self, labelled: Sequence[LabelledWindows]) -> dict[str, float]:
        """Medians of an explanation's numbers over the blows of daily trials."""
        daily = [one.features[one.counted & (one.label == 0), : len(NUMBERS)] for one in labelled]
        blows = np.concatenate(daily)
        return {
            name: round(float(value), 1) for name, value in zip(NUMBERS, np.median(blows, axis=0).tolist(), strict=True)
        }

    def draw_example(self, axes: Any, window: Judged, place: int) -> None:  # noqa: ANN401  matplotlib has no types
        """Draw the size of the acceleration, and the turn from the posture before."""
        inputs = window.windows.inputs[place]
        seconds = np.arange(len(inputs)) / RATE_HZ - len(inputs) // 2 / RATE_HZ
        compressed = np.abs(inputs[:, 0].astype(np.float64)) * fall.FULL_SCALE
        axes.plot(seconds, 1.0 + np.sign(inputs[:, 0]) * np.expm1(compressed) / fall.COMPRESSION, label="size, g")
        axes.plot(seconds, 180.0 * inputs[:, 2] / 45.0, label="turn, 45 degrees")
        axes.set_xlabel("seconds from the middle of the window")
        axes.legend(loc="upper left")

    def _worn_windows(self, trial: MotionTrial, length: int) -> tuple[NDArray[np.float16], NDArray[np.int8]]:
        """Inputs and labels of the labelled windows of all copies of a trial."""
        key = f"{trial.corpus}/{trial.person}/{trial.name}/{length}"
        if key not in self._worn:
            self._worn[key] = worn_windows(trial, length, minimum_coverage=LEARNT_COVERAGE)
        return self._worn[key]


@dataclass(frozen=True, slots=True, eq=False)
class _JudgedTrial:
    """One trial and what was said of it."""

    trial: MotionTrial
    assessments: list[Assessment]

    @property
    def greatest(self) -> float:
        """The greatest score; 0 where nothing was judged."""
        return max((one.score for one in self.assessments if one.score is not None), default=0.0)


def _trials(judged: Sequence[Judged]) -> list[_JudgedTrial]:
    found = []
    for one in judged:
        assessments = one.assessments()
        of_trial = np.searchsorted(
            [said.end for said in assessments], np.arange(1, len(one.windows.recording.signal.trials)) * TRIAL_S
        )
        bounds = [0, *of_trial.tolist(), len(assessments)]
        for trial, (first, after) in zip(one.windows.recording.signal.trials, pairwise(bounds), strict=True):
            found.append(_JudgedTrial(trial, assessments[first:after]))
    return found


def _quiet_threshold(trials: Sequence[_JudgedTrial], share: float) -> float:
    """A threshold between scores of daily trials, at which at least `share` of them stay quiet."""
    daily = np.sort([one.greatest for one in trials if not one.trial.is_fall])
    if not len(daily):
        return 0.0
    place = len(daily) - 1 - int((1.0 - share) * len(daily))
    above = daily[daily > daily[place]]
    return float((daily[place] + (above[0] if len(above) else 1.0)) / 2.0)


def _moments(inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """The features of inputs (n, length, channels) in the order of `feature_names`, after the plain numbers."""
    scale = inputs.shape[1] / LENGTH
    parts = []
    for first, after in PARTS:
        part = inputs[:, round(first * scale) : round(after * scale)]
        moments = (part.mean(axis=1), part.std(axis=1), part.max(axis=1), part.min(axis=1))
        parts.append(np.stack(moments, axis=-1).reshape(len(inputs), -1))
    return np.concatenate(parts, axis=1)


def _is_of(recording: Recording, *, corpus: str = "", **groups: str) -> bool:
    return corpus in {"", recording.corpus} and all(
        recording.groups.get(name) == value for name, value in groups.items()
    )


CARD_TEXT: Final = CardText(
    intended_use=(
        "Tells that somebody who wears an accelerometer at the waist or the wrist has fallen and does not get up at "
        "once, three seconds after the blow. It is no medical device and no substitute for a call button."
    ),
    what_it_sees=(
        "Six seconds around every acceleration of more than 1.5 g: the size of the acceleration, how it changes, and "
        "how the posture turns; not how the sensor is turned on the body. Where nothing happens it looks every 20 "
        "seconds. A window without movement has no score, so an alert stays open while somebody lies still; it is "
        "cleared after five windows in a row of somebody who moves about."
    ),
    limits=(
        "All falls are acted on mats, nearly all of them by young people; real falls of the old are softer and longer. "
        "Of the elderly in SisFall one falls, a judo teacher. A slow slide to the floor without a blow of 1.5 g is not "
        "seen, nor a fall that begins less than 0.6 s after the sensor did. Below 12 samples a second nothing is "
        "judged. To throw oneself onto a bed is the everyday movement that most resembles a fall. The daily trials "
        "hold far more hard movements an hour than a day at home does, so false alarms an hour are an upper bound. "
        "Its goals were 99.0 % of falls at 99.7 % of daily trials quiet at the waist (*falls told waist at 997*) and "
        "97.5 % at 96.5 % at the wrist (*falls told wrist at 965*), and to beat its peers window by window; those "
        "figures and the table of peers say what was reached. Two fits of one recipe differ there by half a percent of "
        "falls and more, since one person's nine hardest trials decide. A network that learnt from the waist alone is "
        "of no use at the wrist "
        "(see the transfer), so a wrist device that differs much from UMAFall's may do worse than the folds say."
    ),
    data_and_licences=(
        "SisFall (Sucerquia et al. 2017): 38 people, waist, 200 Hz, resampled to 50 Hz; no licence is stated, and none "
        "of it is part of this repository. UMAFall (Casilari et al. 2017): 19 people, wrist and waist, 20 Hz, CC BY "
        "4.0. Both from their publishers."
    ),
)

RECIPE: Final = FallRecipe()
