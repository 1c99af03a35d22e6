"""From a fit's weights to TFLite: float32 to measure against, and full int8 to deliver."""

from __future__ import annotations

from typing import Final

from edge.errors import ModelError
from training.convert import float_model, int8_model
from training.networks import Architecture
from training.work import WorkFolder

# The design's bound for a model's file.
LARGEST_MODEL_BYTES: Final = 64 * 1024


def quantise(work: WorkFolder) -> dict[str, int]:
    """Write both models to the work folder, and return their sizes in bytes.

    Raises WrongUseError before a fit, ModelError when the int8 model is larger than LARGEST_MODEL_BYTES.
    """
    architecture = Architecture(**work.read_fit().architecture)
    weights = work.read_weights()
    as_float = float_model(architecture, weights)
    as_int8 = int8_model(architecture, weights, work.read_samples())
    if len(as_int8) > LARGEST_MODEL_BYTES:
        raise ModelError(
            f"{len(as_int8)} bytes", where="the int8 model", mend=f"make the network fit into {LARGEST_MODEL_BYTES}"
        )
    work.float_model.write_bytes(as_float)
    work.int8_model.write_bytes(as_int8)
    return {"float_bytes": len(as_float), "int8_bytes": len(as_int8)}
