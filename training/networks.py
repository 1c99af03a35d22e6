"""The network in Keras, for learning."""

from __future__ import annotations

from typing import Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.architecture import Architecture

# The judges' names as layers of the network.
SEQUENCE: Final = "sequence"
NUMBERS: Final = "numbers"


def build(architecture: Architecture) -> tf.keras.Model:
    """The Keras model, from float32 (batch, length, channels) to its outputs (batch, outputs), not cut off."""
    entry = tf.keras.Input((architecture.length, architecture.channels))
    judges = [_judge_of_sequence(architecture)]
    if architecture.numbers:
        judges.append(_judge_of_numbers(architecture))
    outputs = [judge(entry) for judge in judges]
    return tf.keras.Model(entry, tf.keras.layers.Average()(outputs) if architecture.numbers else outputs[0])


def judges_of(network: tf.keras.Model) -> list[tf.keras.Model]:
    """The judges of which a network's output is the mean: that of the sequence, and that of the numbers if it has one.

    Each takes the whole input and makes an output of its own.
    """
    judges = {layer.name: layer for layer in network.layers}
    return [judges[name] for name in (SEQUENCE, NUMBERS) if name in judges]


def weights_of(network: tf.keras.Model) -> list[NDArray[np.float32]]:
    """Its weights layer by layer: those of the sequence's judge, then those of the numbers'."""
    return [np.asarray(weight, dtype=np.float32) for judge in judges_of(network) for weight in judge.get_weights()]


def _judge_of_sequence(architecture: Architecture) -> tf.keras.Model:
    layers = tf.keras.layers
    entry = tf.keras.Input((architecture.length, architecture.channels))
    found = entry[:, :, : architecture.sequence_channels]
    for filters, kernel, stride in zip(architecture.filters, architecture.kernels, architecture.strides, strict=True):
        found = layers.Conv1D(filters, kernel, strides=stride, padding="same", activation="relu")(found)
    if architecture.pooling == "last":
        pooled = layers.LSTM(architecture.units)(found)
    else:
        pooling = layers.GlobalAveragePooling1D if architecture.pooling == "mean" else layers.GlobalMaxPooling1D
        pooled = pooling()(layers.LSTM(architecture.units, return_sequences=True)(found))
    if architecture.dropout:
        pooled = layers.Dropout(architecture.dropout)(pooled)
    return tf.keras.Model(entry, layers.Dense(architecture.outputs)(pooled), name=SEQUENCE)


def _judge_of_numbers(architecture: Architecture) -> tf.keras.Model:
    layers = tf.keras.layers
    entry = tf.keras.Input((architecture.length, architecture.channels))
    found = layers.GlobalAveragePooling1D()(entry[:, :, architecture.sequence_channels :])
    for units in architecture.number_units:
        found = layers.Dense(units, activation="relu")(found)
    return tf.keras.Model(entry, layers.Dense(architecture.outputs)(found), name=NUMBERS)
