"""The figures of a card: what the scores are worth, for all people and for each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

mpl.use("Agg")
from matplotlib import pyplot as plt

Arrays = Mapping[str, NDArray[Any]]
FLOAT, INT8, PEER, AF, OTHER = "#8a8a8a", "#1f5fa8", "#c98a1b", "#b3261e", "#1f5fa8"
STYLE: Final = {"figure.dpi": 110, "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}


def draw_roc(scores: Mapping[str, NDArray[np.float64]], is_af: NDArray[np.bool_], path: Path) -> None:
    """ROC curves of several scores of the same windows, the corner that matters enlarged."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(4.6, 4.0), layout="constrained")
        for (name, values), colour in zip(scores.items(), (FLOAT, INT8, PEER), strict=False):
            false_share, true_share, _ = roc_curve(is_af, values)
            axes.plot(100 * false_share, 100 * true_share, color=colour, label=name, lw=2.5 if colour == FLOAT else 1.2)
        axes.set(xlim=(-0.3, 15), ylim=(85, 100.3), xlabel="other windows called fibrillation, %")
        axes.set(ylabel="fibrillation windows found, %", title="Held-out people of ltafdb, one window")
        axes.legend(loc="lower right", frameon=False)
        _save(figure, path)


def draw_reliability(scores: NDArray[np.float64], is_af: NDArray[np.bool_], path: Path) -> None:
    """How often a score's windows were fibrillation, and how many windows have it."""
    edges = np.linspace(0.0, 1.0, 11)
    places = np.clip(np.digitize(scores, edges) - 1, 0, 9)
    counts = np.bincount(places, minlength=10)
    share = np.bincount(places, weights=is_af, minlength=10) / np.maximum(counts, 1)
    with plt.rc_context(STYLE):
        figure, (upper, lower) = plt.subplots(
            2, 1, figsize=(4.6, 4.4), sharex=True, height_ratios=(3, 1), layout="constrained"
        )
        middle = (edges[:-1] + edges[1:]) / 2
        upper.plot((0, 1), (0, 1), color=FLOAT, lw=0.8, ls="--")
        upper.plot(middle[counts > 0], share[counts > 0], color=INT8, marker="o")
        upper.set(ylabel="share that was fibrillation", title="Held-out people of ltafdb, int8")
        lower.bar(middle, counts, width=0.09, color=INT8)
        lower.set(xlabel="score", ylabel="windows", yscale="log")
        _save(figure, path)


def draw_people(arrays: Arrays, threshold: float, path: Path) -> None:
    """A strip for each person: the score of every window over the hours, and the experts' label under it."""
    people = sorted(set(arrays["name"]), key=lambda name: (np.mean(arrays["is_af"][arrays["name"] == name]), name))
    with plt.rc_context(STYLE):
        figure, rows = plt.subplots(
            len(people), 1, figsize=(8.5, 0.55 * len(people) + 0.8), sharex=True, squeeze=False, layout="constrained"
        )
        for axes, name in zip(rows[:, 0], people, strict=True):
            own = arrays["name"] == name
            hours = arrays["end"][own] / 3600.0
            axes.scatter(hours, arrays["as_int8"][own], s=0.5, color=np.where(arrays["is_af"][own], AF, OTHER))
            axes.axhline(threshold, color=FLOAT, lw=0.6)
            axes.fill_between(hours, -0.25, -0.08, where=arrays["is_af"][own], color=AF, lw=0, step="mid")
            axes.set(ylim=(-0.28, 1.05), yticks=(), xlim=(0, 25))
            axes.set_ylabel(name, rotation=0, ha="right", va="center")
        rows[0, 0].set_title("Score of each window; red where the experts say fibrillation; line: threshold")
        rows[-1, 0].set_xlabel("hours")
        _save(figure, path)


def draw_example(arrays: Arrays, place: int, title: str, path: Path) -> None:
    """The RR intervals of one window."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(4.6, 2.0), layout="constrained")
        axes.plot(arrays["rr_ms"][place], color=AF if arrays["is_af"][place] else OTHER, marker=".", lw=0.8)
        axes.set(xlabel="heartbeat", ylabel="RR interval, ms", title=title)
        axes.set_ylim(0.0, 1.15 * float(arrays["rr_ms"][place].max()))
        _save(figure, path)


def _save(figure: Any, path: Path) -> None:  # noqa: ANN401  matplotlib has no types here
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
