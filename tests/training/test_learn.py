"""Learning is reproducible, and leaves out what is not known."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Prints the loss of the last epoch of four fits of one small network, and whether the first two gave the same weights.
SCRIPT = """
from dataclasses import replace
from pathlib import Path
import sys
import numpy as np
from tests.training.toy import ARCHITECTURE, RECIPE, LENGTH, SETTINGS, ToySampler, write_people
from training.learn import learn, predict
write_people(Path(sys.argv[1]))
sampler = RECIPE.sampler(RECIPE.read(Path(sys.argv[1]), "village"), ARCHITECTURE)
settings = replace(SETTINGS, epochs=3)
one, other = (learn(ARCHITECTURE, sampler, settings, 1) for _ in range(2))
same = all((first == second).all() for first, second in zip(one.weights, other.weights))
# Half of the labels and all forecasts unknown, and wrong ones in their place would be seen in the loss.
unknown = sampler.targets.copy()
unknown[:, 1:] = np.nan
unknown[::2, 0] = np.nan
blind = learn(ARCHITECTURE, ToySampler(sampler.inputs, unknown), settings, 1)
smooth = learn(ARCHITECTURE, sampler, replace(settings, label_smoothing=0.4, averaging=0.0), 1)
spread = [float(np.ptp(predict(each.network, sampler.inputs)[:, 0])) for each in (one, smooth)]
print(same, one.losses[0], one.losses[-1], blind.losses[-1], *spread)
"""


@pytest.mark.timeout(180)
def test_the_same_seed_learns_the_same_and_what_is_unknown_is_left_out(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    same, *figures = done.stdout.split()
    first, last, blind, spread, smoothed = map(float, figures)
    assert same == "True"
    assert last < 0.95 * first
    assert 0.0 < blind < last  # no forecasts in it, and not NaN
    assert smoothed < spread
