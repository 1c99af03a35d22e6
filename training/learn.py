"""The learning of one network: examples drawn anew for every epoch, until the epochs are over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.architecture import Architecture
from training.networks import build, judges_of, weights_of
from training.recipe import FitSettings, Sampler

Weights = list[NDArray[np.float32]]
# Batches that are drawn at once: enough for a sampler to work in bulk, and little memory.
DRAWN_BATCHES: Final = 32
PREDICTED_AT_ONCE: Final = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """A network after its last epoch, its weights in the order of `weights_of`, and the mean loss of each epoch."""

    network: tf.keras.Model
    weights: Weights
    losses: list[float]


def learn(
    architecture: Architecture,
    sampler: Sampler,
    settings: FitSettings,
    seed: int,
    told: Callable[[int, float], None] = lambda _epoch, _loss: None,
) -> Learnt:
    """Let a new network learn; the same seed gives the same weights. `told` hears each epoch, from 1, and its loss."""
    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    random = np.random.default_rng(seed)
    network = build(architecture)
    steps = max(1, settings.examples_per_epoch // settings.batch)
    step = _step(network, settings, steps * settings.epochs)
    averages = [tf.Variable(variable) for variable in network.trainable_variables]
    losses = []
    for epoch in range(1, settings.epochs + 1):
        of_steps: list[tf.Tensor] = []
        while len(of_steps) < steps:
            batches = min(DRAWN_BATCHES, steps - len(of_steps))
            inputs, targets = sampler.draw(batches * settings.batch, random)
            for places in random.permutation(len(inputs)).reshape(batches, -1):
                of_steps.append(step(tf.constant(inputs[places]), tf.constant(targets[places])))
                if settings.averaging:
                    _average(averages, network.trainable_variables, settings.averaging, len(of_steps) + epoch * steps)
        losses.append(float(np.mean([float(loss) for loss in of_steps])))
        told(epoch, losses[-1])
    if settings.averaging:
        for variable, average in zip(network.trainable_variables, averages, strict=True):
            variable.assign(average)
    return Learnt(network, weights_of(network), losses)


def predict(network: tf.keras.Model, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Outputs (n, outputs) of inputs (n, length, channels)."""
    outputs = [
        network(inputs[first : first + PREDICTED_AT_ONCE], training=False).numpy()
        for first in range(0, len(inputs), PREDICTED_AT_ONCE)
    ]
    return np.concatenate(outputs) if outputs else np.empty((0, network.output_shape[-1]), dtype=np.float32)


def _step(network: tf.keras.Model, settings: FitSettings, steps: int) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """One step of learning on one batch, compiled; returns its loss."""
    rate = tf.keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps, alpha=0.01)
    optimiser = tf.keras.optimizers.Adam(rate, global_clipnorm=1.0)
    variables = network.trainable_variables
    optimiser.build(variables)
    judges = judges_of(network)

    # A while loop, not unrolled and without XLA: on one core XLA took five times as long for this LSTM, unrolling it
    # as long (67 to 75 microseconds an example of 60 steps, half of them left for 40 units).
    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow has no types here
    def step(inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.add_n([_loss(judge(inputs, training=True), targets, settings) for judge in judges])
        gradients = tape.gradient(loss, variables)
        optimiser.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    return step  # type: ignore[no-any-return]  # see above


def _loss(outputs: tf.Tensor, targets: tf.Tensor, settings: FitSettings) -> tf.Tensor:
    """Binary cross-entropy of output 0 and the Huber loss (delta 1) of the others, where their targets are known."""
    smooth = settings.label_smoothing
    is_known = tf.math.is_finite(targets)
    known = tf.where(is_known, targets, 0.0)
    counts = tf.cast(is_known, tf.float32)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(known[:, 0] * (1.0 - smooth) + 0.5 * smooth, outputs[:, 0])
    loss = tf.reduce_sum(entropy * counts[:, 0]) / tf.maximum(tf.reduce_sum(counts[:, 0]), 1.0)
    if targets.shape[1] > 1:
        distance = tf.abs(outputs[:, 1:] - known[:, 1:])
        huber = tf.where(distance <= 1.0, 0.5 * distance**2, distance - 0.5)
        counts = counts[:, 1:]
        loss += settings.forecast_weight * tf.reduce_sum(huber * counts) / tf.maximum(tf.reduce_sum(counts), 1.0)
    return loss


def _average(averages: list[tf.Variable], variables: list[tf.Variable], decay: float, step: int) -> None:
    """Move the averages towards the weights, faster at the beginning, so that the first weights are forgotten."""
    decay = min(decay, (1.0 + step) / (10.0 + step))
    for average, variable in zip(averages, variables, strict=True):
        average.assign(decay * average + (1.0 - decay) * variable)
