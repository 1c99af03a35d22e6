"""Which part of a window mattered: a tenth at a time is hidden from the model, and its score looked at again.

Zeiler & Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, hide parts of an image in the same
way. A step of zeros says nothing to any of our models (see the modules of edge.signals), so zeros hide it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

# So many more runs of the model than an assessment takes, and only when an alert is raised. Our choice: a tenth of a
# window is as much as a sentence can point at.
SEGMENTS: Final = 10
# Neighbours of the segment that matters most belong to the part when they matter at least so much of it. Our choice.
SHARE: Final = 0.5


def important_steps(logit: Callable[[NDArray[np.float32]], float], values: NDArray[np.float32]) -> tuple[int, int]:
    """The first step of the part that speaks most for the risk, and the one after its last.

    `values` is the model's input of shape (1, length, channels), `logit` runs the model on such an input, at most
    SEGMENTS + 1 times. The whole window is returned where hiding any part lowers the logit by nothing.
    """
    length = values.shape[1]
    bounds = np.unique(np.linspace(0, length, min(SEGMENTS, length) + 1).astype(int)).tolist()
    whole = logit(values)
    losses = []
    for first, after in pairwise(bounds):
        hidden = values.copy()
        hidden[:, first:after] = 0.0
        losses.append(whole - logit(hidden))
    most = int(np.argmax(losses))
    if losses[most] <= 0.0:
        return 0, length
    first, last = most, most
    while first > 0 and losses[first - 1] >= SHARE * losses[most]:
        first -= 1
    while last + 1 < len(losses) and losses[last + 1] >= SHARE * losses[most]:
        last += 1
    return bounds[first], bounds[last + 1]
