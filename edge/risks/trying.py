"""A model is loaded and run in a process of its own, which may die of it: `python -m edge.risks.trying FOLDER`.

Prints one line of JSON, {"invoke_ms": ...}, and ends with 0, or says on stderr what is wrong and ends with 2.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from edge.errors import ModelError
from edge.risks.model import RiskModel

# What the process may take, s of the processor and bytes. Our choice: a model of ours takes a second, most of it to
# start, and 150 MB of addresses.
CPU_S: Final = 30
ADDRESSES: Final = 4 * 1024**3
# The longest that a window may take, ms. Our choice: a household of ten with four risks each then still keeps up, where
# a window comes every nine seconds at the soonest.
MOST_MS: Final = 200.0
# Inputs that are drawn, beside the extreme ones.
DRAWN: Final = 100


def try_model(folder: Path) -> float:
    """Milliseconds that the model of a folder takes for a window; raises ModelError where it cannot be used."""
    model = RiskModel.load(folder)
    shape = model.network.input_shape
    chance = np.random.default_rng(1)
    inputs = [np.full(shape, value, dtype=np.float32) for value in (0.0, -1.0, 1.0)]
    inputs += [chance.uniform(-1.0, 1.0, shape).astype(np.float32) for _ in range(DRAWN)]
    began = time.perf_counter()
    for values in inputs:
        outputs = model.network.run(values)
        score = model.manifest.calibration.score(float(outputs[0, 0]))
        if not (np.all(np.isfinite(outputs)) and 0.0 <= score <= 1.0):
            raise ModelError("gives what is no number", where=str(folder), mend="train it again")
    invoke_ms = 1e3 * (time.perf_counter() - began) / len(inputs)
    if invoke_ms > MOST_MS:
        raise ModelError(f"takes {invoke_ms:.0f} ms for a window", where=str(folder), mend="make it smaller")
    return invoke_ms


def main() -> int:
    """Try the model of the folder that is named."""
    for limit, most in ((resource.RLIMIT_CPU, CPU_S), (resource.RLIMIT_AS, ADDRESSES), (resource.RLIMIT_CORE, 0)):
        with suppress(OSError, ValueError):  # the service's own limits hold where it may set none
            resource.setrlimit(limit, (most, most))
    try:
        print(json.dumps({"invoke_ms": round(try_model(Path(sys.argv[1])), 3)}))  # noqa: T201 -- it is the answer
    except ModelError as error:
        print(error.what, file=sys.stderr)  # noqa: T201
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
