"""The network's peers: the usual classifiers on hand-made features, and the rules that need no training.

They learn from the same people of each fold and score the same windows of the others as the network does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no types

from training.evaluation import Interval, Peer, Peers
from training.metrics import Tally, Windows, auroc, average_precision, bootstrap, interval, recall_at, tally
from training.recipe import LabelledWindows

Scores = NDArray[np.float64]
SEED: Final = 7
# Windows that are scored, spread evenly over those of the folds, so that the slow ones are done in minutes.
MOST_SCORED: Final = 30_000


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of classifier: how it is made, and how many windows it may learn from."""

    make: Callable[[], Any]
    most: int


def _filled(model: Any) -> Any:  # noqa: ANN401  scikit-learn has no types here
    """The model behind a filling of missing features by their median and a scaling."""
    return make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), model)


KINDS: Final[Mapping[str, Kind]] = {
    "logistic regression": Kind(lambda: _filled(LogisticRegression(max_iter=500)), 100_000),
    "random forest": Kind(lambda: _filled(RandomForestClassifier(200, min_samples_leaf=5, random_state=SEED)), 20_000),
    "support vector machine": Kind(lambda: _filled(SVC(C=3.0, cache_size=500)), 5_000),
    "gradient boosting": Kind(
        lambda: HistGradientBoostingClassifier(max_iter=200, learning_rate=0.1, random_state=SEED), 100_000
    ),
}
FORECASTERS: Final[Mapping[str, Kind]] = {
    "ridge regression": Kind(lambda: _filled(Ridge(1.0)), 150_000),
    "gradient boosting": Kind(lambda: HistGradientBoostingRegressor(max_iter=150, random_state=SEED), 60_000),
}


@dataclass(frozen=True, slots=True, eq=False)
class FoldWindows:
    """The recordings of one fold: those that its network learnt from, and those it was measured on."""

    learnt: Sequence[LabelledWindows]
    measured: Sequence[LabelledWindows]


def chosen(measured: Sequence[Sequence[LabelledWindows]]) -> list[list[NDArray[np.intp]]]:
    """For each recording of each fold the places of the counted windows that peers score: all, or evenly many."""
    total = sum(int(one.counted.sum()) for of_fold in measured for one in of_fold)
    stride = max(1, -(-total // MOST_SCORED))
    return [[np.flatnonzero(one.counted)[place % stride :: stride] for place, one in enumerate(f)] for f in measured]


def peer_scores(folds: Sequence[FoldWindows], places: Sequence[Sequence[NDArray[np.intp]]]) -> dict[str, Scores]:
    """The score of every peer for the chosen windows, fold after fold; the names of rules begin with "rule: "."""
    scores: dict[str, list[Scores]] = {}
    for fold, of_fold in zip(folds, places, strict=True):
        features = np.concatenate([one.features[at] for one, at in zip(fold.measured, of_fold, strict=True)])
        learnt = np.concatenate([one.features[one.counted] for one in fold.learnt])
        label = np.concatenate([one.label[one.counted] == 1 for one in fold.learnt])
        for name, kind in KINDS.items():
            model = _fitted(kind, learnt, label)
            told = model.decision_function if hasattr(model, "decision_function") else model.predict_proba
            values = np.asarray(told(features), dtype=np.float64)
            scores.setdefault(name, []).append(values if values.ndim == 1 else values[:, 1])
        for name in fold.measured[0].rules:
            values = np.concatenate([one.rules[name][at] for one, at in zip(fold.measured, of_fold, strict=True)])
            # A rule that cannot say anything does not say that there is a risk.
            scores.setdefault(f"rule: {name}", []).append(np.nan_to_num(values, nan=-1e9, posinf=1e9, neginf=-1e9))
    return {name: np.concatenate(parts) for name, parts in scores.items()}


def forecast_errors(
    folds: Sequence[FoldWindows], outputs: Sequence[Sequence[NDArray[np.float32]]]
) -> dict[str, list[float]]:
    """Root mean square error of each forecast in the recipe's scale, by the network's `outputs` and by its peers.

    `outputs` are those of the measured recordings of each fold, (n, outputs); {} where the recipe forecasts nothing.
    """
    if not folds or folds[0].measured[0].targets is None:
        return {}
    squares: dict[str, list[NDArray[np.floating[Any]]]] = {}
    for fold, of_fold in zip(folds, outputs, strict=True):
        target, features = _known(fold.measured)
        told = np.concatenate([one[each.judged, 1:] for one, each in zip(of_fold, fold.measured, strict=True)])
        squares.setdefault("network, int8", []).append((told - target) ** 2)
        learnt_target, learnt = _known(fold.learnt)
        for name, kind in FORECASTERS.items():
            columns = []
            for column in range(target.shape[1]):
                known = ~np.isnan(learnt_target[:, column])
                columns.append(_fitted(kind, learnt[known], learnt_target[known, column]).predict(features))
            squares.setdefault(name, []).append((np.stack(columns, axis=1) - target) ** 2)
    return {
        name: np.sqrt(np.nanmean(np.concatenate(parts), axis=0)).round(4).tolist() for name, parts in squares.items()
    }


def beside(network: Mapping[str, Windows], peers: Mapping[str, Scores], threshold: float) -> Peers:
    """The table of the network ("as_float", "as_int8") and its peers on the very same windows."""
    int8 = network["as_int8"]
    specificity = float(np.mean(int8.score[~int8.label] < threshold))
    all_scores = {"network, float": network["as_float"].score, "network, int8": int8.score} | dict(peers)
    rows, sampled = [], {}
    for name, scores in all_scores.items():
        windows = Windows(int8.person, int8.label, scores)
        of = tally(windows, float(np.median(scores)))
        sampled[name] = bootstrap(of, auroc)
        rows.append(
            Peer(
                name=name.removeprefix("rule: "),
                learns=not name.startswith("rule: "),
                auroc=_told(of, auroc),
                auprc=_told(of, average_precision),
                recall=recall_at(windows, specificity),
            )
        )
    best = max(peers, key=lambda name: sampled[name][0])
    lead = (sampled["network, int8"][0] - sampled[best][0], sampled["network, int8"][1] - sampled[best][1])
    return Peers(
        windows=len(int8.label),
        specificity=round(specificity, 5),
        rows=rows,
        best=best.removeprefix("rule: "),
        lead=interval(*lead) or Interval(value=0.0),
    )


def _told(of: Tally, figure: Callable[[Scores, Scores], Scores]) -> Interval:
    return interval(*bootstrap(of, figure)) or Interval(value=0.0)


def _known(labelled: Sequence[LabelledWindows]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Targets and features of all windows that can be judged."""
    targets = np.concatenate([one.targets[one.judged] for one in labelled if one.targets is not None])
    return targets, np.concatenate([one.features[one.judged] for one in labelled])


def _fitted(kind: Kind, features: NDArray[np.float32], target: NDArray[Any]) -> Any:  # noqa: ANN401  see _filled
    """A model of a kind; on one thread, because on a busy machine several wait for each other."""
    with threadpool_limits(1):
        return kind.make().fit(*_some(kind.most, features, target))


def _some(most: int, features: NDArray[np.float32], target: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """At most so many windows, drawn evenly."""
    if len(target) <= most:
        return features, target
    places = np.random.default_rng(SEED).choice(len(target), most, replace=False)
    return features[places], target[places]
