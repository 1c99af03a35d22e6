"""Which part of a window mattered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge.risks.occlusion import SEGMENTS, important_steps

LENGTH = 60


class Model:
    """A model that looks at some steps alone, and counts how often it is asked."""

    def __init__(self, first: int, after: int) -> None:
        self.first, self.after, self.runs = first, after, 0

    def __call__(self, values: NDArray[np.float32]) -> float:
        self.runs += 1
        return float(values[0, self.first : self.after].sum())


@pytest.mark.parametrize(("first", "after"), [(0, 6), (24, 30), (54, 60), (12, 24)])
def test_the_part_that_the_model_looks_at_is_found(first: int, after: int) -> None:
    values = np.ones((1, LENGTH, 2), dtype=np.float32)
    assert important_steps(Model(first, after), values) == (first, after)


@given(length=st.integers(1, 300), first=st.integers(0, 299))
def test_the_number_of_runs_is_bounded_and_the_part_lies_within(length: int, first: int) -> None:
    model = Model(first, first + 3)
    begin, end = important_steps(model, np.ones((1, length, 1), dtype=np.float32))
    assert model.runs <= SEGMENTS + 1
    assert 0 <= begin < end <= length


def test_where_nothing_speaks_for_the_risk_the_whole_window_is_named() -> None:
    values = -np.ones((1, LENGTH, 1), dtype=np.float32)
    assert important_steps(Model(0, LENGTH), values) == (0, LENGTH)


def test_what_was_hidden_is_put_back() -> None:
    values = np.ones((1, LENGTH, 1), dtype=np.float32)
    important_steps(Model(0, 6), values)
    assert values.all()
