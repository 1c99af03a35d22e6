"""Fit the atrial fibrillation network on the training people of ltafdb and nsr2db."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import tensorflow as tf
import wfdb
from numpy.typing import NDArray

from edge.risks.manifest import TrainingData, TrainingFacts
from training.augment import Faults
from training.corpora.ltafdb import LTAFDB
from training.corpora.mitdb import MITDB
from training.corpora.nsr2db import NSR2DB
from training.corpora.rhythm import AFIB, Corpus, RhythmRecord
from training.examples import Examples, gather_examples
from training.networks import Architecture, build
from training.split import REPORTED_ALONE, TRAIN, split_people
from training.work import FitRecord, WorkFolder, watch

TRAINED_ON: Final = (LTAFDB, NSR2DB)
# Windows from which the int8 ranges are taken.
SAMPLES: Final = 500


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How long and how fast to learn; the rate falls along a cosine from `learning_rate` to a hundredth of it."""

    seed: int = 2024
    epochs: int = 20
    examples_per_epoch: int = 100_000
    batch: int = 512
    learning_rate: float = 2e-3


def fit(data: Path, work: WorkFolder, settings: FitSettings) -> FitRecord:
    """Read the corpora, split their people, fit the network, and keep the result in the work folder.

    Raises RecordingError when the data folder lacks a corpus or a recording cannot be read.
    """
    tf.keras.utils.set_random_seed(settings.seed)
    tf.config.experimental.enable_op_determinism()
    architecture, faults = Architecture(), Faults()
    corpora = {corpus: read_corpus(corpus, data) for corpus in TRAINED_ON}
    splits = {corpus: split_people(burden(records), settings.seed) for corpus, records in corpora.items()}
    training = [one for corpus, records in corpora.items() for one in records if one.person in splits[corpus][TRAIN]]
    examples = gather_examples(training, beats=architecture.beats)
    weights, losses = _learn(architecture, examples, faults, settings)
    samples, _ = examples.draw(SAMPLES, faults, np.random.default_rng(settings.seed))
    described = [
        TrainingData(name=corpus.name, sha256=fingerprint(corpus, data), split=splits[corpus]) for corpus in TRAINED_ON
    ]
    mitdb = TrainingData(name=MITDB.name, sha256=fingerprint(MITDB, data), split={REPORTED_ALONE: MITDB.names(data)})
    facts = TrainingFacts(
        seed=settings.seed,
        data=[*described, mitdb],
        settings=asdict(settings) | asdict(faults),
        tools={
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": tf.keras.__version__,
            "numpy": np.__version__,
            "wfdb": wfdb.__version__,
        },
    )
    record = FitRecord(architecture=asdict(architecture), facts=facts, losses=losses)
    work.save_fit(record, weights, samples)
    return record


def read_corpus(corpus: Corpus, data: Path) -> list[RhythmRecord]:
    """Read all recordings of a corpus."""
    return [corpus.read(data, name) for name in watch(corpus.names(data), f"reading {corpus.name}")]


def burden(records: list[RhythmRecord]) -> Mapping[str, float]:
    """Each person's share of beats in atrial fibrillation, 0..1."""
    return {record.person: float(np.mean(record.rhythm == AFIB)) for record in records}


def fingerprint(corpus: Corpus, data: Path) -> str:
    """SHA-256 over the names and bytes of the files that are read, in the order of their names."""
    digest = hashlib.sha256()
    for name in corpus.names(data):
        for path in (data / corpus.name / f"{name}.hea", data / corpus.name / f"{name}.{corpus.extension}"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _learn(
    architecture: Architecture, examples: Examples, faults: Faults, settings: FitSettings
) -> tuple[list[NDArray[np.float32]], list[float]]:
    """The weights after the last epoch, and each epoch's mean loss; every epoch draws its own windows."""
    random = np.random.default_rng(settings.seed)
    network = build(architecture)
    steps = settings.epochs * -(-settings.examples_per_epoch // settings.batch)
    rate = tf.keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps, alpha=0.01)
    network.compile(
        optimizer=tf.keras.optimizers.Adam(rate, clipnorm=1.0),
        loss=tf.keras.losses.BinaryCrossentropy(from_logits=True),
    )
    losses = []
    for _ in watch(range(settings.epochs), "fitting"):
        inputs, labels = examples.draw(settings.examples_per_epoch, faults, random)
        history = network.fit(inputs, labels, batch_size=settings.batch, verbose=0)
        losses.append(float(history.history["loss"][0]))
    return [np.asarray(weight, dtype=np.float32) for weight in network.get_weights()], losses
