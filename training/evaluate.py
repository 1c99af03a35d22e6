"""Measure a recipe's networks on people they never saw, choose the alert policy, and deliver the model's folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.errors import WrongUseError
from edge.risks.manifest import AlertPolicy, Calibration
from training.calibration import platt, reliability, scores_of
from training.deliver import deliver, described_corpora, described_network, keep_scores, version_of
from training.evaluation import FOLDS, Bin, Corpus, Evaluation, Measured, Peers
from training.figures import draw_examples
from training.fingerprint import fingerprint
from training.folds import FINAL, Part, parts_of
from training.metrics import Windows, window_figures
from training.peers import FoldWindows, beside, chosen, forecast_errors, peer_scores
from training.recipe import LabelledWindows, Recipe, Recording
from training.scores import Networks, Scored, counted_windows, score, shortened
from training.work import Plan, WorkFolder, watch

# A group is told when it has this many people; of fewer, the figures would be of persons. Our choice.
FEWEST_IN_GROUP: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class _Fold:
    """The recordings of one fold: those that its network learnt from, and those that it was measured on."""

    learnt: list[LabelledWindows]
    scored: list[Scored]


@dataclass(frozen=True, slots=True, eq=False)
class _Scores:
    """All that was scored: the folds, and besides them each named set of recordings."""

    folds: list[_Fold]
    sets: dict[str, list[Scored]]

    @property
    def pooled(self) -> list[Scored]:
        """The recordings of all folds, each scored by a network that has not met its person."""
        return [one for fold in self.folds for one in fold.scored]


def evaluate(
    recipe: Recipe, data: Path, work: WorkFolder, models: Path, *, maximum_windows: int | None = None
) -> Evaluation:
    """Score everybody by a network that has not met them, write the model's folder, and keep the scores for the card.

    At most `maximum_windows` of each recording, from its middle, are looked at. Raises WrongUseError before a fit with
    folds and `quantise`, or when the data are not those of the fit; RecordingError when a recording cannot be read.
    """
    plan = work.read_plan()
    if not plan.folds:
        raise WrongUseError("holds no folds", where=str(work.path), mend="run fit without --folds 0")
    # A network that is missing is told at once, not after minutes of measuring.
    networks = {name: Networks.open(work.network(name)) for name in plan.networks}
    corpora = _read(recipe, data, plan)
    recordings = [one for corpus in recipe.trained_on for one in corpora[corpus]]
    parts = parts_of(recipe, recordings, plan.folds, plan.seed)
    length = work.network(FINAL).read_fit().architecture.length
    labelled = {
        id(one): shortened(recipe.label(one, length), maximum_windows)
        for of_corpus in corpora.values()
        for one in watch(of_corpus, "finding windows")
    }
    scores = _score(recipe, parts, corpora, labelled, networks)
    calibration = _calibration(scores.pooled)
    evaluation, curves = _weigh(recipe, work, plan, scores, calibration, described_corpora(recipe, corpora, plan))
    usual = recipe.usual([labelled[id(one)] for one in recordings])
    deliver(models / recipe.risk.value, work, evaluation, usual, parts)
    keep_scores(
        work,
        counted_windows(scores.pooled, calibration),
        np.concatenate([one.labelled.end[one.labelled.counted] for one in scores.pooled]),
        np.repeat(np.arange(len(scores.pooled)), [int(one.labelled.counted.sum()) for one in scores.pooled]),
        curves,
    )
    return evaluation


def _weigh(
    recipe: Recipe,
    work: WorkFolder,
    plan: Plan,
    scores: _Scores,
    calibration: Calibration,
    corpora: dict[str, Corpus],
) -> tuple[Evaluation, dict[str, NDArray[np.float64]]]:
    """All figures of what was scored, and the curves of the network and its peers."""
    fitted = work.network(FINAL).read_fit()
    judged = [one.judged(calibration, recipe.risk) for one in scores.pooled]
    policy = recipe.choose_policy(judged)
    peers, curves = _peers(scores.folds, calibration, policy.threshold)
    bins, brier = _reliability(scores.folds)
    evaluation = Evaluation(
        risk=recipe.risk,
        version=version_of(work),
        step=recipe.step,
        seed=plan.seed,
        architecture=fitted.architecture,
        settings=fitted.settings,
        policy=policy,
        calibration=calibration,
        corpora=corpora,
        networks=[described_network(work, name) for name in plan.networks],
        sets={
            name: _measured(recipe, of_set, calibration, policy, alerts=name != FOLDS)
            for name, of_set in ({FOLDS: scores.pooled} | scores.sets).items()
        },
        peers=peers,
        forecast=forecast_errors(
            [FoldWindows(one.learnt, [each.labelled for each in one.scored]) for one in scores.folds],
            [[each.as_int8 for each in one.scored] for one in scores.folds],
        ),
        reliability=bins,
        brier=brier,
        examples=draw_examples(recipe, judged, policy.threshold, work.examples),
    )
    return evaluation, curves


def _read(recipe: Recipe, data: Path, plan: Plan) -> dict[str, list[Recording]]:
    """All corpora; WrongUseError when those of the fit have changed since."""
    names = [*recipe.trained_on, *(name for name in recipe.reported if name not in recipe.trained_on)]
    corpora = {name: recipe.read(data, name) for name in watch(names, "reading")}
    for name in recipe.trained_on:
        if fingerprint(corpora[name]) != plan.corpora.get(name):
            raise WrongUseError(f"{name} is not what was fitted on", where=str(data), mend="run fit again")
    return corpora


def _score(
    recipe: Recipe,
    parts: Sequence[Part],
    corpora: Mapping[str, Sequence[Recording]],
    labelled: Mapping[int, LabelledWindows],
    networks: Mapping[str, Networks],
) -> _Scores:
    """Score the folds, the transfers, and what is reported alone."""
    folds: list[_Fold] = []
    sets: dict[str, list[Scored]] = {}
    transfers: dict[str, list[Scored]] = {}
    for part in parts:
        scored = [score(labelled[id(one)], networks[part.name]) for one in watch(part.measured, f"scoring {part.name}")]
        if part.name.startswith("fold-"):
            folds.append(_Fold([labelled[id(one)] for one in part.learns], scored))
        else:
            transfers |= {f"{part.name}/{name}": of_corpus for name, of_corpus in _by_corpus(scored).items()}
    pooled = [one for fold in folds for one in fold.scored]
    sets |= {f"{FOLDS}/{name}": of_corpus for name, of_corpus in _by_corpus(pooled).items()}
    for name in recipe.reported:
        sets[f"reported/{name}"] = [
            score(labelled[id(one)], networks[FINAL]) for one in watch(corpora[name], f"scoring {name}")
        ]
    return _Scores(folds, sets | transfers)


def _calibration(scored: Sequence[Scored]) -> Calibration:
    """Fitted on the int8 logits of people who were not learnt from."""
    logits = np.concatenate([one.as_int8[one.labelled.counted, 0] for one in scored]).astype(np.float64)
    return platt(logits, np.concatenate([one.labelled.label[one.labelled.counted] == 1 for one in scored]))


def _by_corpus(scored: Sequence[Scored]) -> dict[str, list[Scored]]:
    sets: dict[str, list[Scored]] = {}
    for one in scored:
        sets.setdefault(one.labelled.recording.corpus, []).append(one)
    return sets


def _measured(
    recipe: Recipe, scored: Sequence[Scored], calibration: Calibration, policy: AlertPolicy, *, alerts: bool
) -> Measured:
    """All figures of one set of recordings."""
    windows = counted_windows(scored, calibration)
    judged = [one.judged(calibration, recipe.risk) for one in scored]
    return Measured(
        as_float=window_figures(windows["as_float"], policy.threshold),
        as_int8=window_figures(windows["as_int8"], policy.threshold),
        groups={
            name: window_figures(counted_windows(of_group, calibration)["as_int8"], policy.threshold)
            for name, of_group in _by_group(scored).items()
        },
        alerts=_rounded(recipe.alert_figures(judged, policy)) if alerts else {},
        other=_rounded(recipe.other_figures(judged, policy)),
    )


def _by_group(scored: Sequence[Scored]) -> dict[str, list[Scored]]:
    """The recordings of every group that has enough people and is not all of them."""
    groups: dict[str, list[Scored]] = {}
    for one in scored:
        for kind, value in one.labelled.recording.groups.items():
            groups.setdefault(f"{kind}: {value}", []).append(one)
    return {
        name: groups[name]
        for name in sorted(groups)
        if len({one.labelled.recording.person for one in groups[name]}) >= FEWEST_IN_GROUP
        and len(groups[name]) < len(scored)
        and any(one.labelled.counted.any() for one in groups[name])
    }


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(value), 4) for name, value in figures.items() if np.isfinite(value)}


def _peers(
    folds: Sequence[_Fold], calibration: Calibration, threshold: float
) -> tuple[Peers, dict[str, NDArray[np.float64]]]:
    """The table of peers, and the label and every score of its windows for the card's curves."""
    windows = [FoldWindows(one.learnt, [each.labelled for each in one.scored]) for one in folds]
    places = chosen([one.measured for one in windows])
    peers = peer_scores(windows, places)
    flat = list(
        zip([one for fold in folds for one in fold.scored], [at for of_fold in places for at in of_fold], strict=True)
    )
    person = np.concatenate([np.full(len(at), one.labelled.recording.person) for one, at in flat])
    label = np.concatenate([one.labelled.label[at] == 1 for one, at in flat])
    network = {}
    for kind in ("as_float", "as_int8"):
        logits = np.concatenate([getattr(one, kind)[at, 0] for one, at in flat]).astype(np.float64)
        network[kind] = Windows(person, label, scores_of(calibration, logits))
    curves = {"network, float": network["as_float"].score, "network, int8": network["as_int8"].score} | peers
    return beside(network, peers, threshold), {"label": label.astype(np.float64)} | curves


def _reliability(folds: Sequence[_Fold]) -> tuple[list[Bin], float]:
    """The reliability and the Brier score, where each fold is calibrated by the people of the others."""
    windows = []
    for fold in folds:
        others = [one for other in folds if other is not fold for one in other.scored]
        windows.append(counted_windows(fold.scored, _calibration(others))["as_int8"])
    scores, label = np.concatenate([one.score for one in windows]), np.concatenate([one.label for one in windows])
    return reliability(scores, label), round(float(np.mean((scores - label) ** 2)), 5)
