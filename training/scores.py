"""Every window of a recording, scored by the float and the int8 network through the daemon's own code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.readings import Risk
from edge.risks.interpreter import Network
from edge.risks.manifest import Calibration
from training.calibration import scores_of
from training.metrics import Windows
from training.recipe import Judged, LabelledWindows
from training.work import NetworkFolder, present


@dataclass(frozen=True, slots=True, eq=False)
class Networks:
    """One fitted network, in float and in int8."""

    as_float: Network
    as_int8: Network

    @classmethod
    def open(cls, folder: NetworkFolder) -> Networks:
        """Open both models; WrongUseError before `quantise`."""
        models = (present(path, "quantise") for path in (folder.float_model, folder.int8_model))
        return cls(*(Network(path.read_bytes(), where=str(path)) for path in models))


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """One recording's windows with both networks' outputs, (n, outputs), NaN where a window cannot be judged."""

    labelled: LabelledWindows
    as_float: NDArray[np.float32]
    as_int8: NDArray[np.float32]

    def judged(self, calibration: Calibration, risk: Risk) -> Judged:
        """What the int8 network says of them."""
        return Judged(self.labelled, scores_of(calibration, self.as_int8[:, 0].astype(np.float64)), self.as_int8, risk)


def score(labelled: LabelledWindows, networks: Networks) -> Scored:
    """Run both networks on every window that can be judged."""
    outputs = np.full((2, len(labelled.judged), networks.as_int8.output_shape[1]), np.nan, dtype=np.float32)
    for place in np.flatnonzero(labelled.judged).tolist():
        values = labelled.inputs[place : place + 1]
        outputs[0, place] = networks.as_float.run(values)[0]
        outputs[1, place] = networks.as_int8.run(values)[0]
    return Scored(labelled, outputs[0], outputs[1])


def shortened(labelled: LabelledWindows, most: int | None) -> LabelledWindows:
    """At most so many windows from the middle of a recording, one after the other; None: all of them."""
    count = len(labelled.judged)
    if most is None or count <= most:
        return labelled
    kept = slice((count - most) // 2, (count - most) // 2 + most)
    return replace(
        labelled,
        start=labelled.start[kept],
        end=labelled.end[kept],
        coverage=labelled.coverage[kept],
        judged=labelled.judged[kept],
        inputs=labelled.inputs[kept],
        label=labelled.label[kept],
        targets=None if labelled.targets is None else labelled.targets[kept],
        features=labelled.features[kept],
        rules={name: values[kept] for name, values in labelled.rules.items()},
    )


def counted_windows(scored: Sequence[Scored], calibration: Calibration) -> Mapping[str, Windows]:
    """The counted windows of all recordings, pooled, with the calibrated scores of the float and the int8 network."""
    person = np.concatenate([np.full(one.labelled.counted.sum(), one.labelled.recording.person) for one in scored])
    label = np.concatenate([one.labelled.label[one.labelled.counted] == 1 for one in scored])
    return {
        kind: Windows(
            person,
            label,
            scores_of(
                calibration,
                np.concatenate([getattr(one, kind)[one.labelled.counted, 0] for one in scored]).astype(np.float64),
            ),
        )
        for kind in ("as_float", "as_int8")
    }
