"""The sizes of a network; here and not beside the layers, so that a recipe is read without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Architecture:
    """Convolutions that shorten the sequence, one LSTM over what they found, and a dense layer of `outputs`.

    The input is (length, channels). Each convolution has so many `filters`, a `kernels` width and a `strides` step, and
    a ReLU; an LSTM alone in int8 costs most of the time, so strides should leave it 10 to 40 steps. `pooling` says what
    becomes of the LSTM's outputs: their "mean" (a state that lasts), "max" (an event somewhere in the window), or the
    "last" one (what is to come). `dropout`, 0..1, is of the pooled outputs and in training only.

    The last `numbers` of the channels hold figures of the whole window, each the same at every step. They are judged
    apart, by dense layers of `number_units` with a ReLU, and the output is the mean of both judges: each learns by
    itself, so neither leans on the other, and on people they have not met the mean is better than either.

    Output 0 is a logit, no sigmoid follows. All outputs are cut off at -`output_limit` and `output_limit`, because they
    share one int8 scale: with 8 its step is 1/16, and a logit of 8 is a probability of 0.9997. Forecasts must be scaled
    by the recipe so that they, too, spread over much of that range.
    """

    length: int
    channels: int
    outputs: int = 1
    filters: tuple[int, ...] = (16, 32)
    kernels: tuple[int, ...] = (5, 5)
    strides: tuple[int, ...] = (1, 2)
    units: int = 40
    pooling: Literal["mean", "last", "max"] = "mean"
    dropout: float = 0.0
    output_limit: float = 8.0
    numbers: int = 0
    number_units: tuple[int, ...] = (32, 32)

    def __post_init__(self) -> None:
        if not len(self.filters) == len(self.kernels) == len(self.strides):
            raise ValueError("filters, kernels and strides must be as many as there are convolutions")
        if not 0 <= self.numbers < self.channels:
            raise ValueError("numbers must leave a channel for the sequence")

    @property
    def sequence_channels(self) -> int:
        """How many channels the convolutions see."""
        return self.channels - self.numbers
