"""How the sleep apnoea model is trained: 112 nights, half of them of people whose breath stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.notices import Severity
from edge.readings import Risk, Source, Window
from edge.risks.manifest import AlertPolicy
from edge.signals import sleep_apnoea as signals
from edge.signals.heart_minutes import STEP_S
from edge.signals.rr_series import readings_of
from training.architecture import Architecture
from training.corpora import apnea_ecg, hugcdn2014
from training.corpora.nights import NightRecord
from training.corpora.nsr2db import NSR2DB
from training.night_examples import NightExamples
from training.night_features import FEATURE_NAMES, features, swing_share
from training.recipe import CardText, FitSettings, Judged, LabelledWindows, Recording, Transfer
from training.votes import Episode, episodes

# A quarter of an hour in steps of two seconds: apnoea comes in runs, and its swings are told from a restless sleep by
# what came before. Half an hour did as well and took twice as long (fold and transfer: 0.880 and 0.869 of minutes right
# against 0.884 and 0.868); an hour fell behind both before the end of its fit.
LENGTH: Final = 450
STEP: Final = 30
# Two and a quarter of fifteen minutes; shortage() asks for three minutes of steps with any beat.
MINIMUM_COVERAGE: Final = 0.15
THRESHOLD: Final = 0.5

# Fifteen events an hour are moderate sleep apnoea (American Academy of Sleep Medicine, "Sleep-related breathing
# disorders in adults", Sleep 22, 1999). We count minutes, in which there may be one event or several. Three hours are
# looked at, because one is too short to be typical; and one alert a night is enough.
N: Final = 180
PER_HOUR: Final = (15, 18, 21, 24, 27, 30)
CLEAR_K: Final = 150
CLEAR_THRESHOLD: Final = 0.3
MINIMUM_SPAN_S: Final = 2 * 3600.0
MAXIMUM_SPAN_S: Final = 4 * 3600.0
REARM_S: Final = 16 * 3600.0
# People whose apnoea minutes an hour, by their experts, are at least this ought to be told; under the second, not.
TO_BE_TOLD: Final = 15.0
NOT_TO_BE_TOLD: Final = 5.0

# The numbers of an explanation, behind the features.
TOLD_NUMBERS: Final = ("swing_bpm", "swing_s", "heart_rate_bpm")

ARCHITECTURE: Final = Architecture(
    length=LENGTH,
    channels=signals.CHANNELS,
    filters=(12, 18, 24),
    kernels=(7, 5, 5),
    strides=(3, 2, 3),
    units=16,
    pooling="last",
    dropout=0.3,
)
SETTINGS: Final = FitSettings(epochs=14, examples_per_epoch=16_384, batch=256, learning_rate=6.4e-3, averaging=0.99)


@dataclass(frozen=True, slots=True, eq=False)
class SleepApnoeaRecipe:
    """The recipe of models/sleep_apnoea."""

    risk: Risk = Risk.SLEEP_APNOEA
    architecture: Architecture = ARCHITECTURE
    settings: FitSettings = SETTINGS
    step: int = STEP
    trained_on: tuple[str, ...] = (hugcdn2014.NAME, apnea_ecg.NAME)
    reported: tuple[str, ...] = (NSR2DB.name,)
    not_validated: tuple[str, ...] = (apnea_ecg.NAME,)
    feature_names: tuple[str, ...] = (*FEATURE_NAMES, *TOLD_NUMBERS)
    minimum_coverage: float = MINIMUM_COVERAGE
    transfers: tuple[Transfer, ...] = (
        Transfer(
            "hugcdn2014-to-apnea-ecg",
            learns=lambda one: one.corpus == hugcdn2014.NAME,
            measured=lambda one: one.corpus == apnea_ecg.NAME,
        ),
        Transfer(
            "apnea-ecg-to-hugcdn2014",
            learns=lambda one: one.corpus == apnea_ecg.NAME,
            measured=lambda one: one.corpus == hugcdn2014.NAME,
        ),
    )

    @property
    def card_text(self) -> CardText:
        """The words of the card."""
        return CARD_TEXT

    def read(self, data: Path, corpus: str) -> list[Recording]:
        """All nights of a corpus; RecordingError when it is missing or damaged."""
        return [
            Recording(
                corpus=corpus,
                name=night.name,
                person=f"{corpus}/{night.name}",
                burden=float(np.mean(night.apnoea == 1)) if len(night.apnoea) else 0.0,
                groups=_groups(corpus, night),
                signal=night,
            )
            for night in _nights(data, corpus)
        ]

    def sampler(self, recordings: Sequence[Recording], architecture: Architecture) -> NightExamples:
        """Draws minutes of these nights, troubled like a strap's."""
        return NightExamples([one.signal for one in recordings], length=architecture.length)

    def label(self, recording: Recording, length: int) -> LabelledWindows:
        """The windows of a night as the daemon would see them; each is of the minute that it ends with."""
        night: NightRecord = recording.signal
        windows = windows_of(night, length=length, step=self.step)
        judged = np.array([self._can_be_judged(one, length) for one in windows], dtype=np.bool_)
        end = np.array([one.end for one in windows], dtype=np.float64)
        values = np.array([one.values for one in windows]).reshape(len(windows), length, 2)
        inputs = signals.model_inputs(values)
        inputs[~judged] = 0.0
        minute = np.rint(end / 60.0).astype(np.intp) - 1
        within = (minute >= 0) & (minute < len(night.apnoea))
        return LabelledWindows(
            recording=recording,
            start=np.array([one.start for one in windows], dtype=np.float64),
            end=end,
            coverage=np.array([one.coverage for one in windows], dtype=np.float64),
            judged=judged,
            inputs=inputs,
            label=np.where(within, night.apnoea[np.where(within, minute, 0)], -1).astype(np.int8),
            targets=None,
            features=np.column_stack((features(values), signals.swings(values))).astype(np.float32),
            rules={"share_of_swings_of_20_to_100_s": swing_share(values)},
        )

    def _can_be_judged(self, window: Window, length: int) -> bool:
        return signals.shortage(window, length=length, minimum_coverage=self.minimum_coverage) is None

    def choose_policy(self, validation: Sequence[Judged]) -> AlertPolicy:
        """The fewest minutes an hour at which the fewest people are told wrongly or, half as bad, not told."""

        def cost(per_hour: int) -> tuple[float, int]:
            figures = self.alert_figures(validation, policy_with(per_hour))
            missed = figures.get("people_to_be_told", 0.0) - figures.get("told_of_them", 0.0)
            return figures.get("told_wrongly", 0.0) + 0.5 * missed, per_hour

        return policy_with(min(PER_HOUR, key=cost))

    def alert_figures(self, judged: Sequence[Judged], policy: AlertPolicy) -> dict[str, float]:
        """Of people with and without sleep apnoea those who are told, and when.

        `told_while_the_heart_was_slow` counts those of whose evidence the median heart rate lies below that of their
        whole recording: in a day and a night they were rather asleep than awake.
        """
        told, ought, hours, delays, slow = [], [], [], [], 0
        for one in judged:
            alerts = episodes(one.assessments(), policy)
            told.append(len(alerts))
            known = one.windows.label >= 0
            ought.append(60.0 * float(np.mean(one.windows.label[known] == 1)) if known.any() else 0.0)
            hours.append(float(one.windows.end[-1] - one.windows.end[0]) / 3600.0)
            if alerts:
                delays.append((alerts[0].raised_at - one.windows.end[0]) / 3600.0)
                slow += _was_slow(one, alerts[0], policy)
        count, minutes = np.array(told), np.array(ought)
        sick, healthy = minutes >= TO_BE_TOLD, minutes < NOT_TO_BE_TOLD
        figures = {
            "people": float(len(judged)),
            "hours": float(np.sum(hours)),
            "alerts": float(count.sum()),
            "people_to_be_told": float(sick.sum()),
            "told_of_them": float((count[sick] > 0).sum()),
            "people_not_to_be_told": float(healthy.sum()),
            "told_wrongly": float((count[healthy] > 0).sum()),
            "told_while_the_heart_was_slow": float(slow),
        }
        return figures | ({"median_hours_until_told": float(np.median(delays))} if delays else {})

    def other_figures(self, judged: Sequence[Judged], policy: AlertPolicy) -> dict[str, float]:
        """The share of minutes that are right, and how near the apnoea minutes an hour of each person are."""
        right, people, said, seen = [], [], [], []
        for one in judged:
            counted = one.windows.counted
            positive, called = one.windows.label[counted] == 1, one.scores[counted] >= policy.threshold
            if not counted.any():
                continue
            right.append(called == positive)
            people.append(one.windows.recording.groups.get("person", "all"))
            said.append(60.0 * float(called.mean()))
            seen.append(60.0 * float(positive.mean()))
        figures = {
            "minutes_right": float(np.mean(np.concatenate(right))),
            "minutes_right_of_the_worst_person": float(min(one.mean() for one in right)),
            "apnoea_minutes_an_hour_said": float(np.mean(said)),
            "apnoea_minutes_an_hour_seen": float(np.mean(seen)),
            "mean_error_of_apnoea_minutes_an_hour": float(np.mean(np.abs(np.subtract(said, seen)))),
        }
        for group in sorted(set(people)):
            own = [one for one, of in zip(right, people, strict=True) if of == group]
            figures[f"minutes_right, {group}"] = float(np.mean(np.concatenate(own)))
        not_judged = np.concatenate([~one.windows.judged[one.windows.label >= 0] for one in judged])
        return figures | {"minutes_not_judged": float(not_judged.mean())}

    def usual(self, labelled: Sequence[LabelledWindows]) -> dict[str, float]:
        """The explanation's numbers in minutes without apnoea of people without it: the median of their medians."""
        calm = [one for one in labelled if one.recording.burden < NOT_TO_BE_TOLD / 60.0]
        medians = [np.nanmedian(one.features[one.counted & (one.label == 0), -3:], axis=0) for one in calm]
        numbers = np.median(medians, axis=0)
        return {name: round(float(value), 1) for name, value in zip(TOLD_NUMBERS, numbers, strict=True)}

    def draw_example(self, axes: Any, window: Judged, place: int) -> None:  # noqa: ANN401  matplotlib has no types
        """Draw the heart rate of the window, and the experts' apnoea minutes in it."""
        night: NightRecord = window.windows.recording.signal
        end = float(window.windows.end[place])
        near = (night.times > end - LENGTH * STEP_S) & (night.times <= end)
        axes.plot((night.times[near] - end) / 60.0, 60_000.0 / night.rr_ms[near], lw=0.8)
        for minute in range(max(0, round(end / 60.0) - 15), round(end / 60.0)):
            if minute < len(night.apnoea) and night.apnoea[minute] == 1:
                axes.axvspan(minute - end / 60.0, minute + 1 - end / 60.0, alpha=0.15, lw=0)
        axes.set(xlabel="minutes before the end of the minute that is judged", ylabel="heart rate, beats a minute")


def _was_slow(one: Judged, alert: Episode, policy: AlertPolicy) -> bool:
    """Whether the heart was slower in the windows that raised an alert than in the median of all."""
    rate = one.windows.features[:, -1]
    evidence = (one.windows.end > alert.raised_at - policy.n * 60.0) & (one.windows.end <= alert.raised_at)
    evidence &= one.scores >= policy.threshold
    return bool(np.nanmedian(rate[evidence]) < np.nanmedian(rate[one.windows.judged]))


def windows_of(night: NightRecord, *, length: int, step: int = STEP) -> list[Window]:
    """The Windows of a night, by the edge's own builder."""
    builder = signals.windows(night.name, length=length, step=step)
    readings = readings_of(Source(night.name, "recording"), night.times, night.rr_ms)
    return [window for reading in readings for window in builder.push(reading)] + builder.finish()


def policy_with(per_hour: int) -> AlertPolicy:
    """Our policy at so many apnoea minutes an hour."""
    return AlertPolicy(
        threshold=THRESHOLD,
        clear_threshold=CLEAR_THRESHOLD,
        k=per_hour * N // 60,
        n=N,
        clear_k=CLEAR_K,
        minimum_coverage=MINIMUM_COVERAGE,
        minimum_span_s=MINIMUM_SPAN_S,
        maximum_span_s=MAXIMUM_SPAN_S,
        rearm_s=REARM_S,
        severity=Severity.INFO,
    )


def _nights(data: Path, corpus: str) -> list[NightRecord]:
    if corpus == hugcdn2014.NAME:
        return hugcdn2014.read(data)
    if corpus == apnea_ecg.NAME:
        return apnea_ecg.read(data)
    records = [NSR2DB.read(data, name) for name in NSR2DB.names(data)]
    return [_day(record.name, record.beats_s) for record in records]


def _day(name: str, beats_s: NDArray[np.float64]) -> NightRecord:
    """A day of somebody whom nobody has looked at for apnoea: every minute is taken to be without."""
    rr_ms = np.diff(beats_s) * 1000.0
    kept = rr_ms > 0.0
    minutes = int(beats_s[-1] // 60.0)
    return NightRecord(name, beats_s[1:][kept], rr_ms[kept], np.zeros(minutes, dtype=np.int8))


def _groups(corpus: str, night: NightRecord) -> Mapping[str, str]:
    if corpus == hugcdn2014.NAME:
        return {"person": "with sleep apnoea" if night.name.startswith("APN") else "without"}
    if corpus == apnea_ecg.NAME:
        return {"record": {"a": "apnoea", "b": "borderline", "c": "control"}[night.name[0]]}
    return {}


CARD_TEXT: Final = CardText(
    intended_use=(
        "Somebody who wears a chest strap that sends RR intervals through the night, and wants to hear when the night "
        "looks as if the breath stops often. It is no medical device and no sleep study: it sees neither breath nor "
        "oxygen, and only a physician can say that somebody has sleep apnoea. One alert a night at most, of no urgency."
    ),
    what_it_sees=(
        "The quarter of an hour of RR intervals that ends with the minute that is judged, and nothing after it, in "
        "steps of two seconds: the heart rate relative to its median, its swings around its slow course (when the "
        "breath stops the heart slows, when it starts again the heart speeds up), and the change from beat to beat, "
        "which the breath makes. Ectopic beats and the detector's faults are left out by stated rules "
        "(edge/signals/artefacts.py, heart_minutes.py). At the night's begin the missing part says nothing. Label: the "
        "expert's, of that minute. The experts' minutes are apnoea or not; an hour's apnoea minutes stand for its "
        "events, of which there may be several in a minute."
    ),
    limits=(
        "- Whoever is awake is not told apart from who sleeps: by day, too, minutes may be called apnoea. Nobody has "
        "examined the people of nsr2db for apnoea; how many of them would be told in a day is among the figures, and "
        "how many of those by hours in which their heart was slow (*told while the heart was slow*), as in sleep. "
        "There is no gate for being awake: one by how far the slow course of the heart rate strays, which it does in "
        "who moves about, silenced none of them, and an alert that asks for more minutes, or over more hours, spares "
        "them only at the cost of as many who ought to be told.\n"
        "- The bars were 88 % of minutes right in folds, and 85 % from one data set to the other, both ways: "
        "*minutes right*, below, says what was reached. Of the wrong minutes of two folds seven of ten lay within two "
        "minutes of where the expert's label changes: at the begin, the end and in the pauses of a run, before the "
        "heart has answered.\n"
        "- Some of the people with severe sleep apnoea are not told in their night: *told of them*, below.\n"
        "- A heart that does not answer to the breath (atrial fibrillation, a pacemaker, beta blockers, diabetic "
        "neuropathy) hides apnoea. Apnoea without swings of the heart rate is missed.\n"
        "- The cross-validated people are either severely ill or healthy (over 25 or under 5 events an hour); those in "
        "between are the hardest, and only apnea-ecg has a few.\n"
        "- The people of apnea-ecg are fewer than its records and their ids unknown: it is in no test fold.\n"
        "- Both sets were cleaned by their authors; a strap's faults are only imitated."
    ),
    data_and_licences=(
        "HuGCDN2014 (Dr. Negrin University Hospital, doi 10.17632/vv6wdpbrsh.1; licence: see there). The Apnea-ECG "
        "Database (Penzel et al. 2000) and the Normal Sinus Rhythm RR Interval Database, both from PhysioNet under the "
        "Open Data Commons Attribution License."
    ),
)

RECIPE: Final = SleepApnoeaRecipe()
