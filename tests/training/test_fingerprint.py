"""A model names the data that it was made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.fingerprint import fingerprint
from training.recipe import Recording

ANN = Recording("village", "1", "ann", 0.5, {"sex": "f", "age": "old"}, {"wave": np.arange(5.0), "rate": 50})
SAM = Recording("village", "2", "sam", 0.1, {}, {"wave": np.arange(5.0), "rate": 50})


def test_order_does_not_matter() -> None:
    assert fingerprint([ANN, SAM]) == fingerprint([SAM, replace(ANN, groups={"age": "old", "sex": "f"})])


@pytest.mark.parametrize(
    "signal",
    [{"wave": np.arange(6.0), "rate": 50}, {"wave": np.arange(5), "rate": 50}, {"wave": np.arange(5.0), "rate": 51}],
)
def test_any_change_shows(signal: dict[str, object]) -> None:
    assert fingerprint([replace(ANN, signal=signal)]) != fingerprint([ANN])


def test_shape_and_type_show_where_the_bytes_are_the_same() -> None:
    flat, square, whole = np.zeros(4), np.zeros((2, 2)), np.zeros(4, dtype=np.int64)
    assert len({fingerprint([replace(ANN, signal=values)]) for values in (flat, square, whole)}) == 3


def test_what_has_no_bytes_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        fingerprint([replace(ANN, signal=object())])
