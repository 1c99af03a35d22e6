"""From fitted weights to TFLite: float32 to measure against, and full int8 to deliver."""

from __future__ import annotations

from typing import Final

from edge.errors import ModelError
from training.convert import float_model, int8_model
from training.work import NetworkFolder, WorkFolder, replace_file, watch

# The design's bound for a model's file.
LARGEST_MODEL_BYTES: Final = 64 * 1024


def quantise(work: WorkFolder) -> dict[str, dict[str, int]]:
    """Write both models of every fitted network to the work folder, and return their sizes in bytes.

    Raises WrongUseError before a fit is complete, ModelError when an int8 model is larger than LARGEST_MODEL_BYTES.
    """
    return {name: _quantise(work.network(name)) for name in watch(work.read_plan().networks, "quantising")}


def _quantise(folder: NetworkFolder) -> dict[str, int]:
    architecture = folder.read_fit().architecture
    weights = folder.read_weights()
    as_float = float_model(architecture, weights)
    as_int8 = int8_model(architecture, weights, folder.read_samples())
    if len(as_int8) > LARGEST_MODEL_BYTES:
        raise ModelError(
            f"{len(as_int8)} bytes",
            where=f"the int8 model of {folder.path.name}",
            mend=f"make the network fit into {LARGEST_MODEL_BYTES}",
        )
    replace_file(folder.float_model, as_float)
    replace_file(folder.int8_model, as_int8)
    return {"float_bytes": len(as_float), "int8_bytes": len(as_int8)}
