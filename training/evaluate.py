"""Measure the float and the int8 model on people who were not trained on, choose the policy, deliver the folder."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np

from edge.readings import Risk
from edge.risks.interpreter import Network
from edge.risks.manifest import MANIFEST_FILE, MODEL_FILE, AlertPolicy, InputSpecification, Manifest, TrainingData
from edge.signals.atrial_fibrillation import plain_numbers
from training.alerts import MINIMUM_COVERAGE, alert_figures, choose_policy
from training.corpora.ltafdb import LTAFDB
from training.corpora.mitdb import MITDB
from training.corpora.nsr2db import NSR2DB
from training.corpora.rhythm import Corpus
from training.cosen import coefficient_of_sample_entropy
from training.labels import label_windows
from training.metrics import Figures, detection, peer_auroc, specificity, with_flutter
from training.scores import ScoredRecord, score_record
from training.split import TEST, TRAIN, VALIDATION
from training.work import FitRecord, WorkFolder, watch

CORPORA = {corpus.name: corpus for corpus in (LTAFDB, NSR2DB, MITDB)}
STEP: Final = 30
EDITION: Final = "1.0"


def evaluate(data: Path, work: WorkFolder, models: Path) -> Manifest:
    """Score all people who were not trained on, write models/atrial_fibrillation, and keep the scores for the card.

    Raises WrongUseError before `quantise`, RecordingError when a recording cannot be read.
    """
    fitted = work.read_fit()
    content = work.present(work.int8_model, "quantise").read_bytes()
    as_int8 = Network(content, where=str(work.int8_model))
    as_float = Network(work.present(work.float_model, "quantise").read_bytes(), where=str(work.float_model))
    beats = fitted.architecture["beats"]
    records = [one for described in fitted.facts.data for one in _score(data, described, beats, as_float, as_int8)]
    policy = choose_policy([one for one in records if one.part == VALIDATION])
    digest = hashlib.sha256(content).hexdigest()
    manifest = Manifest(
        risk=Risk.ATRIAL_FIBRILLATION,
        version=f"{EDITION}-{digest[:8]}",
        sha256=digest,
        input=InputSpecification(beats=beats, step=STEP, channels=fitted.architecture["channels"]),
        policy=policy,
        usual=_usual(data, fitted, beats),
        training=fitted.facts,
        metrics=_figures(records, policy.threshold),
        alerts=_alerts(records, policy),
        artefacts={
            corpus: _marked([one for one in records if one.labelled.record.corpus == corpus]) for corpus in CORPORA
        },
    )
    _deliver(models / manifest.risk.value, content, manifest)
    _keep_scores(work, records)
    return manifest


def _score(data: Path, described: TrainingData, beats: int, as_float: Network, as_int8: Network) -> list[ScoredRecord]:
    """Score the recordings of one corpus that were not trained on."""
    corpus = CORPORA[described.name]
    parts = {name: part for part, names in described.split.items() if part != TRAIN for name in names}
    return [
        score_record(
            label_windows(corpus.read(data, name), beats=beats, step=STEP),
            parts[name],
            minimum_coverage=MINIMUM_COVERAGE,
            as_float=as_float,
            as_int8=as_int8,
        )
        for name in watch(sorted(parts), f"scoring {corpus.name}")
    ]


def _usual(data: Path, fitted: FitRecord, beats: int) -> dict[str, float]:
    """The plain numbers of people without atrial fibrillation: the median of the healthy training people's medians."""
    healthy = next(described for described in fitted.facts.data if described.name == NSR2DB.name)
    medians = []
    for name in watch(healthy.split[TRAIN], "what is usual"):
        labelled = label_windows(NSR2DB.read(data, name), beats=beats, step=beats)
        good = labelled.scored(MINIMUM_COVERAGE)
        numbers = [plain_numbers(window) for window, is_good in zip(labelled.windows, good, strict=True) if is_good]
        medians.append({key: float(np.median([one[key] for one in numbers])) for key in numbers[0]})
    return {key: round(float(np.median([one[key] for one in medians])), 1) for key in medians[0]}


def _figures(records: Sequence[ScoredRecord], threshold: float) -> Figures:
    """All figures, each named by the people it is of."""

    def of(corpus: Corpus, part: str | None = None) -> list[ScoredRecord]:
        return [one for one in records if one.labelled.record.corpus == corpus.name and part in {one.part, None}]

    figures = {
        "ltafdb_validation": detection(of(LTAFDB, VALIDATION), threshold),
        "ltafdb_test": detection(of(LTAFDB, TEST), threshold),
        "nsr2db_test": specificity(of(NSR2DB, TEST), threshold),
        "mitdb_without_flutter": with_flutter(of(MITDB), threshold, excluded=True),
        "mitdb_flutter_is_none": with_flutter(of(MITDB), threshold, excluded=False),
    }
    figures["ltafdb_test"]["auroc"]["cosen"] = peer_auroc(of(LTAFDB, TEST), coefficient_of_sample_entropy)
    return {
        f"{group}_{name}": {kind: round(value, 5) for kind, value in values.items()}
        for group, of_group in figures.items()
        for name, values in of_group.items()
    }


def _alerts(records: Sequence[ScoredRecord], policy: AlertPolicy) -> dict[str, dict[str, float]]:
    """What the policy would have told the people of each corpus and part."""
    groups: dict[str, list[ScoredRecord]] = {}
    for one in records:
        groups.setdefault(f"{one.labelled.record.corpus}_{one.part}", []).append(one)
    figures = {group: asdict(alert_figures(of_group, policy)) for group, of_group in groups.items()}
    return {
        group: {name: round(value, 1) for name, value in values.items() if value is not None}
        for group, values in figures.items()
    }


def _marked(records: Sequence[ScoredRecord]) -> dict[str, float]:
    """The share of RR intervals that are marked, in windows of fibrillation and in others."""
    marked: dict[str, list[float]] = {"risk": [], "else": []}
    for one in records:
        for window, is_af, complete in zip(
            one.labelled.windows, one.labelled.is_af, one.labelled.complete, strict=True
        ):
            if complete:
                marked["risk" if is_af else "else"].append(float(window.marks.mean()))
    return {rhythm: round(float(np.mean(shares)), 6) for rhythm, shares in marked.items() if shares}


def _deliver(folder: Path, content: bytes, manifest: Manifest) -> None:
    """Write a model's folder aside, then put it in the place of the old one."""
    aside = folder.with_name(f".{folder.name}.new")
    old = folder.with_name(f".{folder.name}.old")
    for leftover in (aside, old):
        if leftover.exists():
            shutil.rmtree(leftover)
    aside.mkdir(parents=True)
    (aside / MODEL_FILE).write_bytes(content)
    (aside / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=1) + "\n")
    if folder.exists():
        folder.rename(old)
    aside.rename(folder)
    if old.exists():
        shutil.rmtree(old)


def _keep_scores(work: WorkFolder, records: Sequence[ScoredRecord]) -> None:
    """Keep every counted window's score, label and person for the card's figures."""
    kept = [
        (one.labelled.record, one.part, window, is_af, as_float, as_int8)
        for one in records
        for window, is_af, as_float, as_int8, counts in zip(
            one.labelled.windows, one.labelled.is_af, one.as_float, one.as_int8, one.counted, strict=True
        )
        if counts
    ]
    np.savez(
        work.scores,
        corpus=[record.corpus for record, *_ in kept],
        name=[record.name for record, *_ in kept],
        part=[part for _, part, *_ in kept],
        start=[window.start for _, _, window, *_ in kept],
        end=[window.end for _, _, window, *_ in kept],
        rr_ms=[window.values for _, _, window, *_ in kept],
        is_af=[is_af for *_, is_af, _, _ in kept],
        as_float=[as_float for *_, as_float, _ in kept],
        as_int8=[as_int8 for *_, as_int8 in kept],
    )
