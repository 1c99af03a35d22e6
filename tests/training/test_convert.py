"""TFLite says what Keras says, in both runtimes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge.risks.interpreter import RUNTIMES, Network, installed_runtime
from training.architecture import Architecture

ARCHITECTURES = {
    "max": Architecture(40, 3, filters=(6, 8), kernels=(5, 3), strides=(2, 2), units=6, pooling="max"),
    "last": Architecture(24, 2, outputs=4, filters=(8,), kernels=(3,), strides=(1,), units=8, pooling="last"),
    "mean": Architecture(24, 1, filters=(4,), kernels=(3,), strides=(2,), units=5, output_limit=2.0),
    "numbers": Architecture(24, 5, filters=(4,), kernels=(3,), strides=(2,), units=5, numbers=3, number_units=(6, 4)),
}
# Converts the networks with random, strong weights: logits far beyond the limit must be cut off.
SCRIPT = """
import sys
import numpy as np
import tensorflow as tf
from tests.training.test_convert import ARCHITECTURES
from training.convert import float_model, int8_model
from training.learn import predict
from training.networks import build, judges_of, weights_of
folder, random = sys.argv[1], np.random.default_rng(3)
tf.keras.utils.set_random_seed(3)
for name, architecture in ARCHITECTURES.items():
    network = build(architecture)
    network.set_weights([2.5 * weight + random.normal(0, 0.05, weight.shape) for weight in network.get_weights()])
    for judge in judges_of(network):
        *weights, dense, bias = judge.get_weights()
        judge.set_weights([*weights, 4.0 * dense, bias])
    inputs = random.normal(0, 0.3, (150, architecture.length, architecture.channels)).cumsum(axis=1)
    inputs = inputs.clip(-1, 1).astype(np.float32)
    inputs[0] = 0.0
    weights = weights_of(network)
    open(f"{folder}/{name}.float", "wb").write(float_model(architecture, weights))
    open(f"{folder}/{name}.int8", "wb").write(int8_model(architecture, weights, inputs[:100]))
    limit = architecture.output_limit
    judged = [judge(inputs).numpy().clip(-limit, limit) for judge in judges_of(network)]
    assert architecture.numbers or np.allclose(predict(network, inputs).clip(-limit, limit), judged[0], atol=1e-5)
    np.savez(f"{folder}/{name}.npz", inputs=inputs, outputs=np.mean(judged, axis=0))
"""


@pytest.mark.timeout(180)
def test_tflite_says_what_keras_says(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr
    # Python from 3.12 on has only the successor.
    runtimes = RUNTIMES if installed_runtime() == RUNTIMES[0] else RUNTIMES[1:]
    for name, architecture in ARCHITECTURES.items():
        with np.load(tmp_path / f"{name}.npz") as file:
            inputs = file["inputs"]
            expected = file["outputs"]
        assert np.ptp(expected) > architecture.output_limit
        told, step = {}, 2.0 * architecture.output_limit / 255.0
        for kind in ("float", "int8"):
            for runtime in runtimes:
                network = Network((tmp_path / f"{name}.{kind}").read_bytes(), where=name, runtime=runtime)
                assert network.output_shape == (1, architecture.outputs)
                outputs = np.concatenate([network.run(one[np.newaxis]) for one in inputs])
                assert np.abs(outputs - expected).mean() < (1e-3 if kind == "float" else 2.0 * step), (name, kind)
                told[kind, runtime] = outputs
        # One step is all that the runtimes may differ by, in nearly all windows.
        int8 = [outputs for (kind, _), outputs in told.items() if kind == "int8"]
        assert np.quantile(np.abs(int8[0] - int8[-1]), 0.95) <= step + 1e-6
