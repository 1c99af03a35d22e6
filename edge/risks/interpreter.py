"""The TFLite interpreter: the one module that chooses between tflite-runtime and its successor ai-edge-litert."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.risks.manifest import REINSTALL

Runtime = Literal["tflite_runtime", "ai_edge_litert"]
RUNTIMES: Final[tuple[Runtime, ...]] = ("tflite_runtime", "ai_edge_litert")


def installed_runtime() -> Runtime:
    """The first of RUNTIMES that is installed; ModelError when there is none."""
    for runtime in RUNTIMES:
        if find_spec(runtime) is not None:
            return runtime
    raise ModelError("no TFLite runtime", where="this Python", mend="pip install ai-edge-litert")


class Network:
    """A TFLite model of one input and one output, in one interpreter with one thread; not for use by two threads.

    Its input and output are both int8 (`is_int8`) or both float32. The content must be known to be whole: a damaged
    model can kill the process, so check its SHA-256 first.
    """

    def __init__(self, content: bytes, *, where: str, runtime: Runtime | None = None) -> None:
        module = import_module(f"{runtime or installed_runtime()}.interpreter")
        try:
            self._interpreter: Any = module.Interpreter(
                model_content=content,
                num_threads=1,
                # ai-edge-litert's default delegate rounds int8 convolutions in another way than tflite-runtime, and is
                # slower on networks as small as ours: without it both answer alike to the last bit.
                experimental_op_resolver_type=module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"not a TFLite model: {error}", where=where, mend=REINSTALL) from error
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        types = [tensor["dtype"] for tensor in (*inputs, *outputs)]
        if types not in ([np.int8, np.int8], [np.float32, np.float32]):
            raise ModelError("not one input and one output of int8", where=where, mend=REINSTALL)
        self.is_int8 = types[0] is np.int8
        self.input_shape = tuple(int(size) for size in inputs[0]["shape"])
        self.output_shape = tuple(int(size) for size in outputs[0]["shape"])
        self._input, self._output = inputs[0]["index"], outputs[0]["index"]
        self._in_scale, self._in_zero = (np.float32(number) for number in inputs[0]["quantization"])
        self._out_scale, self._out_zero = (np.float32(number) for number in outputs[0]["quantization"])

    def run(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The output for float values of `input_shape`; nothing of an earlier run is left in the LSTM's state."""
        if self.is_int8:
            steps = np.rint(values / self._in_scale) + self._in_zero
            self._interpreter.set_tensor(self._input, steps.clip(-128, 127).astype(np.int8))
        else:
            self._interpreter.set_tensor(self._input, values)
        # Neither invoke nor allocate_tensors clears the state that a fused LSTM keeps from window to window.
        self._interpreter.reset_all_variables()
        self._interpreter.invoke()
        output = self._interpreter.get_tensor(self._output)
        if not self.is_int8:
            return np.asarray(output, dtype=np.float32)
        return np.asarray((output.astype(np.float32) - self._out_zero) * self._out_scale, dtype=np.float32)
