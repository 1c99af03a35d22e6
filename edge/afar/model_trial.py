"""Two models of one risk side by side on the same windows: the one that counts, and the one that is compared with it.

Everything here runs in the thread of the inference, but for `figures` and `verdict`, which may be asked from any.
"""

from __future__ import annotations

import math
import mmap
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Self

from edge.alerts.episodes import Episodes, PersistenceRule
from edge.notices import AlertState
from edge.readings import Assessment, Explanation, Window
from edge.risks.manifest import AlertPolicy
from edge.risks.model import RiskModel

# What a model may raise on a window that it was not made for; a death of the process is seen by the CrashMark.
_ERRORS: Final = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)
_NAME_BYTES: Final = 64

# Bounds on a new model, set before any is tried; our choice throughout. Too little was seen to judge below so many
# windows (LEAST_WINDOWS) that both models could judge. A model that can judge noticeably fewer windows, takes much
# longer for one, would have raised many more alerts (nobody believes an alarm that cries wolf) or many fewer (nobody
# would be told), is worse. The counts added let a home with hardly any alerts not stumble over one or two.
LEAST_WINDOWS: Final = 50
LEAST_EVALUABLE: Final = 0.95
MOST_TIMES_SLOWER: Final = 2.0
SLOWER_S: Final = 0.005
MOST_TIMES_ALERTS: Final = 1.5
MORE_ALERTS: Final = 2
FEWER_TIMES_ALERTS: Final = 0.5
FEWER_ALERTS: Final = 2
# A trial that has seen too little is given so many times its length.
MOST_TIMES_LONGER: Final = 4.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What a trial has counted: of windows, alerts that each model would have raised, and seconds of the processor.

    `both` could be judged by both models, `only_old` and `only_new` by one; in `disagree` of those of both one model
    said that the risk is there, and the other not; `difference` and `distance` are the sums over them of the new score
    less the old, and of its absolute value. `failures` counts what the new model could not bear, `failure` is the last.
    """

    windows: int = 0
    both: int = 0
    only_old: int = 0
    only_new: int = 0
    disagree: int = 0
    difference: float = 0.0
    distance: float = 0.0
    alerts_old: int = 0
    alerts_new: int = 0
    seconds_old: float = 0.0
    seconds_new: float = 0.0
    failures: int = 0
    failure: str = ""

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Self:
        """Those that `asdict` has made; others start from nothing."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})

    def told(self) -> dict[str, float | int | str | None]:
        """For people and messages: rates and means; None where nothing was there to be counted."""
        return {
            "windows": self.windows,
            "judged_by_both": self.both,
            "judged_by_old_only": self.only_old,
            "judged_by_new_only": self.only_new,
            "disagreement": round(self.disagree / self.both, 4) if self.both else None,
            "mean_difference": round(self.difference / self.both, 4) if self.both else None,
            "mean_distance": round(self.distance / self.both, 4) if self.both else None,
            "alerts_old": self.alerts_old,
            "alerts_new": self.alerts_new,
            "ms_per_window_old": round(1e3 * self.seconds_old / self.both, 3) if self.both else None,
            "ms_per_window_new": round(1e3 * self.seconds_new / self.both, 3) if self.both else None,
            "failures": self.failures,
            "failure": self.failure or None,
        }


def worse(figures: Figures) -> str | None:
    """Why the new model is worse, by the bounds above; None while nothing says so."""
    if figures.failures:
        return f"it failed: {figures.failure}"
    few, many = (
        FEWER_TIMES_ALERTS * figures.alerts_old - FEWER_ALERTS,
        MOST_TIMES_ALERTS * figures.alerts_old + MORE_ALERTS,
    )
    if not few <= figures.alerts_new <= many:
        return f"it would have raised {figures.alerts_new} alerts, the old one {figures.alerts_old}"
    judged_old, judged_new = figures.both + figures.only_old, figures.both + figures.only_new
    if judged_old >= LEAST_WINDOWS and judged_new < LEAST_EVALUABLE * judged_old:
        return f"it could judge {judged_new} windows, the old one {judged_old}"
    if figures.both >= LEAST_WINDOWS:
        old_s, new_s = figures.seconds_old / figures.both, figures.seconds_new / figures.both
        if new_s > MOST_TIMES_SLOWER * old_s + SLOWER_S:
            return f"it takes {1e3 * new_s:.1f} ms for a window, the old one {1e3 * old_s:.1f} ms"
    return None


def is_enough(figures: Figures) -> bool:
    """Whether enough was seen to judge."""
    return figures.both >= LEAST_WINDOWS


def rule_of(policy: AlertPolicy) -> PersistenceRule:
    """The rule by which a model's assessments become an alert."""
    return PersistenceRule(**policy.model_dump(exclude={"severity"}))


class CrashMark:
    """Says which package's model was running when the process died: one line that the kernel keeps, not the disk.

    What is written into a shared mapping of a file outlives the process that wrote it, at the cost of a copy of 64
    bytes. Raises OSError when the file cannot be made; without one nothing outlives the process.
    """

    def __init__(self, path: Path | None) -> None:
        if path is None:
            self._memory = mmap.mmap(-1, _NAME_BYTES)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(handle, _NAME_BYTES)
            self._memory = mmap.mmap(handle, _NAME_BYTES)
        finally:
            os.close(handle)

    def left(self) -> str | None:
        """The package whose model an earlier process was running when it died; asked once, then forgotten."""
        found = bytes(self._memory[:]).strip(b"\0")
        self._memory[:] = bytes(_NAME_BYTES)
        return found.decode("ascii", "replace") or None

    @contextmanager
    def running(self, package: str) -> Iterator[None]:
        """Note that a package's model runs."""
        self._memory[:] = package.encode("ascii").ljust(_NAME_BYTES, b"\0")[:_NAME_BYTES]
        try:
            yield
        finally:
            self._memory[:] = bytes(_NAME_BYTES)


class Trial:
    """A package's model, `new`, beside the `old` one: in its shadow first, then (`leads`) the other way round.

    Without an old one nothing is compared, and the new one counts alone. What the one that does not count says is
    counted and goes no further. Where the new one counts and fails on a window, the old one's word counts instead, if
    there is one; else the window has no score, with the failure as the reason.
    """

    def __init__(
        self, package: str, old: RiskModel | None, new: RiskModel, mark: CrashMark, figures: Figures, *, leads: bool
    ) -> None:
        self.package = package
        self.old = old
        self.new = new
        self.leads = leads
        self.figures = figures
        self._mark = mark
        self._episodes: dict[str, tuple[Episodes, Episodes]] = {}

    @property
    def leader(self) -> RiskModel:
        """The model that counts."""
        return self.new if self.leads or self.old is None else self.old

    def assess(self, window: Window) -> Assessment:
        """Judge a Window by both; what the one says that counts."""
        began = time.perf_counter()
        old = None if self.old is None else self.old.assess(window)
        between = time.perf_counter()
        new = self._new(window)
        seconds = (between - began, time.perf_counter() - between)
        if old is not None:
            self.figures = self._counted(old, new, seconds)
        if new is not None and (self.leads or old is None):
            return new
        return old if old is not None else self._nothing(window)

    def explain(self, window: Window) -> Explanation:
        """Why the window speaks for the risk, in the eyes of the model that counts."""
        if self.leader is not self.new:
            return self.leader.explain(window)
        try:
            with self._mark.running(self.package):
                return self.new.explain(window)
        except _ERRORS as error:
            self._fail(error)
            return self.new.signals.explain(window, self.new.manifest.usual, None)

    def _new(self, window: Window) -> Assessment | None:
        """What the new model says, None where it cannot bear the window."""
        try:
            with self._mark.running(self.package):
                assessment = self.new.assess(window)
        except _ERRORS as error:
            self._fail(error)
            return None
        numbers = [value for point in assessment.forecast for value in point]
        if assessment.score is not None and not (
            0.0 <= assessment.score <= 1.0 and all(math.isfinite(number) for number in numbers)
        ):
            self._fail(ValueError("a score that is no number"))
            return None
        return assessment

    def _fail(self, error: Exception) -> None:
        words = f"{type(error).__name__}: {error}"[:120]
        self.figures = replace(self.figures, failures=self.figures.failures + 1, failure=words)

    def _nothing(self, window: Window) -> Assessment:
        return Assessment(
            person=window.person,
            risk=window.risk,
            start=window.start,
            end=window.end,
            score=None,
            reason="the model failed",
            model=self.new.version,
            coverage=window.coverage,
        )

    def _counted(self, old: Assessment, new: Assessment | None, seconds: tuple[float, float]) -> Figures:
        figures = self.figures
        said_old, said_new = old.score, None if new is None else new.score
        raised = self._raised(old, new)
        changes: dict[str, float | int] = {
            "windows": figures.windows + 1,
            "alerts_old": figures.alerts_old + raised[0],
            "alerts_new": figures.alerts_new + raised[1],
        }
        if said_old is not None and said_new is not None:
            assert self.old is not None  # noqa: S101 -- it has spoken
            apart = (said_old >= self.old.threshold) != (said_new >= self.new.threshold)
            changes |= {
                "both": figures.both + 1,
                "disagree": figures.disagree + apart,
                "difference": figures.difference + said_new - said_old,
                "distance": figures.distance + abs(said_new - said_old),
                "seconds_old": figures.seconds_old + seconds[0],
                "seconds_new": figures.seconds_new + seconds[1],
            }
        elif said_old is not None:
            changes["only_old"] = figures.only_old + 1
        elif said_new is not None:
            changes["only_new"] = figures.only_new + 1
        return replace(figures, **changes)  # type: ignore[arg-type]  # each is of its field's type

    def _raised(self, old: Assessment, new: Assessment | None) -> tuple[int, int]:
        """Whether each would have raised an alert now, both having begun with the trial."""
        assert self.old is not None  # noqa: S101 -- only two are compared
        twins = self._episodes.get(old.person)
        if twins is None:
            policies = (self.old.policy, self.new.policy)
            first, second = (Episodes(rule_of(policy), policy.severity) for policy in policies)
            twins = self._episodes[old.person] = (first, second)
        turns = (twins[0].weigh(old), None if new is None else twins[1].weigh(new))
        first_turn, second_turn = (turn is not None and turn.state is AlertState.RAISED for turn in turns)
        return int(first_turn), int(second_turn)

    def stored(self) -> dict[str, Any]:
        """The figures for the store."""
        return asdict(self.figures)
