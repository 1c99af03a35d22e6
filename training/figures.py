"""The figures of a card: what the scores are worth, for all people and for each, and single windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from training.evaluation import Bin, Example
from training.recipe import Judged, Recipe
from training.work import replace_folder

mpl.use("Agg")
from matplotlib import pyplot as plt

Arrays = Mapping[str, NDArray[Any]]
FLOAT, INT8, PEER, RULE = "#8a8a8a", "#1f5fa8", "#c98a1b", "#5b8c5a"
RISK, OTHER = "#b3261e", "#1f5fa8"
STYLE: Final = {"figure.dpi": 110, "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
# People that fit on a page.
STRIPS: Final = 16
# A time without windows is drawn no longer than this, and so much lies between recordings, in hours.
LONGEST_BREAK_H, BETWEEN_H = 0.2, 0.005


def draw_roc(curves: Mapping[str, NDArray[np.float64]], label: NDArray[np.bool_], path: Path) -> None:
    """ROC curves of several scores of the same windows, on axes that spread the corner that matters."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(4.8, 4.2), layout="constrained")
        for (name, scores), colour in zip(curves.items(), _colours(curves), strict=True):
            false_share, true_share, _ = roc_curve(label, scores)
            axes.plot(false_share, true_share, color=colour, label=name, lw=2.5 if colour == FLOAT else 1.2)
        axes.set_xscale("symlog", linthresh=0.01, linscale=0.6)
        axes.set_xticks((0, 0.01, 0.1, 1), labels=("0", "1 %", "10 %", "100 %"))
        axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="windows without the risk called risk", title="ROC")
        axes.set(ylabel="windows with the risk found")
        axes.legend(loc="lower right", frameon=False)
        _save(figure, path)


def draw_precision(curves: Mapping[str, NDArray[np.float64]], label: NDArray[np.bool_], path: Path) -> None:
    """Precision against recall of several scores of the same windows."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(4.8, 4.2), layout="constrained")
        for (name, scores), colour in zip(curves.items(), _colours(curves), strict=True):
            precision, recall, _ = precision_recall_curve(label, scores)
            axes.plot(recall, precision, color=colour, label=name, lw=2.5 if colour == FLOAT else 1.2)
        axes.axhline(label.mean(), color=FLOAT, lw=0.8, ls="--")
        axes.set(xlim=(0, 1.01), ylim=(0, 1.01), xlabel="recall", ylabel="precision", title="Precision and recall")
        axes.legend(loc="lower left", frameon=False)
        _save(figure, path)


def draw_reliability(bins: Sequence[Bin], path: Path) -> None:
    """How often windows of about the same score had the risk, and how many windows have it."""
    score = [one.score for one in bins]
    with plt.rc_context(STYLE):
        figure, (upper, lower) = plt.subplots(
            2, 1, figsize=(4.8, 4.4), sharex=True, height_ratios=(3, 1), layout="constrained"
        )
        upper.plot((0, 1), (0, 1), color=FLOAT, lw=0.8, ls="--")
        upper.plot(score, [one.share for one in bins], color=INT8, marker="o")
        upper.set(xlim=(0, 1), ylim=(0, 1), ylabel="share with the risk", title="Reliability, int8")
        lower.bar(score, [one.windows for one in bins], width=0.07, color=INT8)
        lower.set(xlabel="mean score", ylabel="windows", yscale="log")
        _save(figure, path)


def draw_people(arrays: Arrays, threshold: float, path: Path) -> None:
    """A strip for each of some people, evenly chosen by how much of the risk they have: every window's score."""
    people = np.unique(arrays["person"])
    burden = {one: float(np.mean(arrays["label"][arrays["person"] == one])) for one in people.tolist()}
    ordered = sorted(burden, key=lambda one: (burden[one], one))
    shown = [ordered[place] for place in np.unique(np.linspace(0, len(ordered) - 1, STRIPS).round().astype(int))]
    with plt.rc_context(STYLE):
        figure, rows = plt.subplots(
            len(shown), 1, figsize=(8.5, 0.5 * len(shown) + 0.9), squeeze=False, layout="constrained"
        )
        for axes, person in zip(rows[:, 0], shown, strict=True):
            own = np.flatnonzero(arrays["person"] == person)
            hours = _hours(arrays["end"][own], arrays["recording"][own])
            label = arrays["label"][own]
            size = float(np.clip(2000.0 / len(own), 1.0, 8.0))
            axes.scatter(hours, arrays["as_int8"][own], s=size, color=np.where(label, RISK, OTHER), lw=0)
            axes.axhline(threshold, color=FLOAT, lw=0.6)
            axes.scatter(hours[label], np.full(label.sum(), -0.15), s=2.0, marker="|", color=RISK)
            axes.set(ylim=(-0.28, 1.08), yticks=(), xlim=(0.0, max(float(hours[-1]), 1e-6)))
            axes.tick_params(labelsize=6, pad=1)
            axes.set_ylabel(person, rotation=0, ha="right", va="center", fontsize=7)
        rows[0, 0].set_title("Score of each window, red where the label says risk; line: threshold")
        rows[-1, 0].set_xlabel("hours of recording, long breaks shortened")
        _save(figure, path)


def draw_examples(recipe: Recipe, judged: Sequence[Judged], threshold: float, folder: Path) -> list[Example]:
    """Draw a window with the risk that was found and the two most wrong ones, each of another recording.

    They replace what is in the folder; fewer are drawn where there are no such windows.
    """
    picked = _pick(judged)
    examples = []

    def fill(aside: Path) -> None:
        for file, one, place in picked:
            recording, told = one.windows.recording, float(one.scores[place])
            what = VERDICTS[bool(one.windows.label[place] == 1), told >= threshold]
            with plt.rc_context(STYLE):
                figure, axes = plt.subplots(figsize=(5.4, 2.6), layout="constrained")
                recipe.draw_example(axes, one, place)
                axes.set_title(f"{what}: {recording.name}, score {told:.2f}", fontsize=9)
                _save(figure, aside / file)
            end = float(one.windows.end[place])
            examples.append(
                Example(file=file, what=what, corpus=recording.corpus, recording=recording.name, end=end, score=told)
            )

    replace_folder(folder, fill)
    return examples


# By the label and by whether the score says so.
VERDICTS: Final = {
    (True, True): "risk, found",
    (True, False): "risk by the label, missed",
    (False, True): "no risk by the label, called risk",
    (False, False): "no risk, and quiet",
}


def _pick(judged: Sequence[Judged]) -> list[tuple[str, Judged, int]]:
    """File name, recording and place of the windows to draw."""
    picked: list[tuple[str, Judged, int]] = []
    for file, label, of in (("found.png", 1, np.max), ("missed.png", 1, np.min), ("false.png", 0, np.max)):
        best: tuple[float, Judged, int] | None = None
        for one in judged:
            places = np.flatnonzero(one.windows.counted & (one.windows.label == label))
            if len(places) and all(one is not other for _, other, _ in picked):
                value = float(of(one.scores[places]))
                if best is None or of([value, best[0]]) != best[0]:
                    best = (value, one, int(places[one.scores[places] == value][0]))
        if best is not None:
            picked.append((file, best[1], best[2]))
    return picked


def _hours(end: NDArray[np.float64], recording: NDArray[np.int_]) -> NDArray[np.float64]:
    """The windows' ends in hours, one recording after the other, long pauses shortened."""
    steps = np.diff(end, prepend=end[0]) / 3600.0
    steps[(np.diff(recording, prepend=recording[0]) != 0) | (steps < 0.0)] = BETWEEN_H
    return np.cumsum(np.minimum(steps, LONGEST_BREAK_H))


def _colours(curves: Mapping[str, Any]) -> list[str]:
    return [FLOAT, INT8, PEER, RULE][: len(curves)]


def _save(figure: Any, path: Path) -> None:  # noqa: ANN401  matplotlib has no types here
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
