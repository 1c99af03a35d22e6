"""Weights to TFLite: the network again, with its LSTM written so that the converter makes one fused operation of it.

A Keras LSTM as it stands becomes a loop whose int8 conversion crashes. The converter fuses a function that carries the
attribute `api_implements` and has the arguments and results of `lstm` below, with a batch of one. It also cuts the
LSTM's cell off at -10 and 10 (`cell_clip` of the operation), which Keras does not: where a cell counts further than
that, TFLite, in float and in int8, and Keras differ a little, so what is measured and delivered is always TFLite.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.lite.python.optimize import calibrator

from training.architecture import Architecture

Weights = list[NDArray[np.float32]]


def float_model(architecture: Architecture, weights: Weights) -> bytes:
    """The network as float32 TFLite, from (1, length, channels) to (1, outputs)."""
    return _convert(architecture, weights, samples=None)


def int8_model(architecture: Architecture, weights: Weights, samples: NDArray[np.float32]) -> bytes:
    """The network as full-int8 TFLite; the ranges are taken from `samples` of shape (samples, length, channels)."""
    return _convert(architecture, weights, samples=samples)


def _convert(architecture: Architecture, weights: Weights, samples: NDArray[np.float32] | None) -> bytes:
    module = tf.Module()
    shape = tf.TensorSpec((1, architecture.length, architecture.channels), tf.float32)
    module.outputs = tf.function(_network(architecture, weights), input_signature=[shape])
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures=module.outputs.get_concrete_function())
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if samples is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([sample[np.newaxis]] for sample in samples)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
        with _FreshState():
            return bytes(converter.convert())


def _network(architecture: Architecture, weights: Weights) -> Callable[[tf.Tensor], tf.Tensor]:
    """The forward pass over constant weights: as Variables they would crash the converter."""
    constants = [tf.constant(weight) for weight in weights]
    of_sequence = 2 * len(architecture.filters) + 5
    seen = architecture.sequence_channels

    def network(values: tf.Tensor) -> tf.Tensor:
        output = _judge_sequence(architecture, constants[:of_sequence], values[:, :, :seen])
        if architecture.numbers:
            output += _judge_numbers(architecture, constants[of_sequence:], values[:, :, seen:])
            output *= 0.5
        return output * architecture.output_limit

    return network


def _judge_sequence(architecture: Architecture, weights: list[tf.Tensor], found: tf.Tensor) -> tf.Tensor:
    *convolutions, kernel, recurrent, bias, dense, dense_bias = weights
    for layer, stride in enumerate(architecture.strides):
        filters, filters_bias = convolutions[2 * layer : 2 * layer + 2]
        found = tf.nn.relu(tf.nn.conv1d(found, filters, stride, "SAME") + filters_bias)
    steps = _fused_lstm(found, kernel, recurrent, bias, architecture.units)
    return _cut(_pool(steps, architecture.pooling), dense, dense_bias, architecture.output_limit)


def _judge_numbers(architecture: Architecture, weights: list[tf.Tensor], values: tf.Tensor) -> tf.Tensor:
    *hidden, dense, dense_bias = weights
    found = tf.reduce_mean(values, axis=1)
    for layer in range(len(architecture.number_units)):
        found = tf.nn.relu(tf.matmul(found, hidden[2 * layer]) + hidden[2 * layer + 1])
    return _cut(found, dense, dense_bias, architecture.output_limit)


def _cut(found: tf.Tensor, dense: tf.Tensor, bias: tf.Tensor, limit: float) -> tf.Tensor:
    """A judge's outputs as shares of `limit`, cut off at -1 and 1.

    Such a cut is part of the dense layer's operation, and leaves the int8 output exactly this range.
    """
    return tf.maximum(tf.minimum(tf.matmul(found, dense / limit) + bias / limit, 1.0), -1.0)


def _pool(steps: tf.Tensor, pooling: str) -> tf.Tensor:
    """The LSTM's outputs (1, steps, units) in one, (1, units)."""
    if pooling == "last":
        return steps[:, -1]
    return tf.reduce_mean(steps, axis=1) if pooling == "mean" else tf.reduce_max(steps, axis=1)


def _fused_lstm(sequence: tf.Tensor, kernel: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor, units: int) -> tf.Tensor:
    """All outputs (1, steps, units) of an LSTM, in the form that the converter fuses."""

    def lstm(
        inputs: tf.Tensor, hidden: tf.Tensor, cell: tf.Tensor, kernel: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        steps = tf.transpose(inputs, (1, 0, 2))

        def step(index: tf.Tensor, hidden: tf.Tensor, cell: tf.Tensor, outputs: tf.TensorArray) -> tuple[object, ...]:
            gates = tf.matmul(steps[index], kernel) + tf.matmul(hidden, recurrent) + bias
            enter, forget, candidate, show = tf.split(gates, 4, axis=1)
            cell = tf.sigmoid(forget) * cell + tf.sigmoid(enter) * tf.tanh(candidate)
            hidden = tf.sigmoid(show) * tf.tanh(cell)
            return index + 1, hidden, cell, outputs.write(index, hidden)

        length = steps.shape[0]
        outputs = tf.TensorArray(tf.float32, length, element_shape=(1, units))
        _, hidden, cell, outputs = tf.while_loop(lambda index, *_: index < length, step, (0, hidden, cell, outputs))
        return hidden, tf.transpose(outputs.stack(), (1, 0, 2)), hidden, cell, tf.constant(0.0)

    attributes = {
        "api_implements": f"lstm_{uuid.uuid4()}",
        "api_preferred_device": "CPU",
        "time_major": False,
        "go_backwards": False,
    }
    fused = tf.function(lstm, autograph=False, experimental_attributes=attributes)
    rest = tf.zeros((1, units))
    return fused(sequence, rest, rest, kernel, recurrent, bias)[1]


class _FreshState:
    """While it is open, TensorFlow's int8 calibrator clears the LSTM's state before every sample.

    Its calibrator feeds all samples into one running state, so the ranges become those of one endless window.
    """

    def __enter__(self) -> None:
        self._feed: Any = calibrator.Calibrator._feed_tensors  # noqa: SLF001  no public way to reset the state
        feed_all = self._feed

        def feed_each(
            instance: calibrator.Calibrator, samples: Callable[[], Iterable[Any]], resize_input: object
        ) -> None:
            for sample in samples():
                feed_all(instance, _once(sample), resize_input)

        calibrator.Calibrator._feed_tensors = feed_each  # noqa: SLF001  see above

    def __exit__(self, *_: object) -> None:
        calibrator.Calibrator._feed_tensors = self._feed  # noqa: SLF001  see above


def _once(sample: tf.Tensor) -> Callable[[], Iterator[Any]]:
    """A data set of one sample."""
    return lambda: iter([sample])
