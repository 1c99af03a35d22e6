"""The network: two convolutions that halve the beats, an LSTM over what they found, and one score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import tensorflow as tf

KERNEL: Final = 5


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes of the network; an LSTM alone in int8 costs most of the time, so a strided convolution shortens its way."""

    beats: int = 60
    channels: int = 2
    first_filters: int = 16
    second_filters: int = 32
    units: int = 40


def build(architecture: Architecture) -> tf.keras.Model:
    """The Keras model, from float32 (batch, beats, channels) to the logit of the score, (batch, 1)."""
    layers = tf.keras.layers
    entry = tf.keras.Input((architecture.beats, architecture.channels))
    beat = layers.Conv1D(architecture.first_filters, KERNEL, padding="same", activation="relu")(entry)
    pair = layers.Conv1D(architecture.second_filters, KERNEL, strides=2, padding="same", activation="relu")(beat)
    rhythm = layers.LSTM(architecture.units, return_sequences=True)(pair)
    return tf.keras.Model(entry, layers.Dense(1)(layers.GlobalAveragePooling1D()(rhythm)))
