"""The network in Keras, for learning."""

from __future__ import annotations

import tensorflow as tf

from training.architecture import Architecture


def build(architecture: Architecture) -> tf.keras.Model:
    """The Keras model, from float32 (batch, length, channels) to its outputs (batch, outputs), not cut off."""
    layers = tf.keras.layers
    entry = tf.keras.Input((architecture.length, architecture.channels))
    found = entry
    for filters, kernel, stride in zip(architecture.filters, architecture.kernels, architecture.strides, strict=True):
        found = layers.Conv1D(filters, kernel, strides=stride, padding="same", activation="relu")(found)
    if architecture.pooling == "last":
        pooled = layers.LSTM(architecture.units)(found)
    else:
        pooling = layers.GlobalAveragePooling1D if architecture.pooling == "mean" else layers.GlobalMaxPooling1D
        pooled = pooling()(layers.LSTM(architecture.units, return_sequences=True)(found))
    if architecture.dropout:
        pooled = layers.Dropout(architecture.dropout)(pooled)
    return tf.keras.Model(entry, layers.Dense(architecture.outputs)(pooled))
