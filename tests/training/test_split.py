"""Nobody is in two parts, and the parts are alike."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from training.split import TEST, TRAIN, VALIDATION, split_people

burdens = st.dictionaries(st.text("0123456789", min_size=1, max_size=3), st.floats(0.0, 1.0), max_size=60)


@given(burdens, st.integers(0, 1000))
def test_everybody_is_in_one_part_and_the_same_seed_says_the_same(burden: dict[str, float], seed: int) -> None:
    parts = split_people(burden, seed)
    assert sorted(person for people in parts.values() for person in people) == sorted(burden)
    assert parts == split_people(dict(reversed(burden.items())), seed)


def test_one_of_five_alike_is_for_validation_and_one_for_the_test() -> None:
    parts = split_people({f"{place:02d}": place / 100 for place in range(100)}, seed=1)
    for part, share in ((TRAIN, 3), (VALIDATION, 1), (TEST, 1)):
        blocks = [int(person) // 5 for person in parts[part]]
        assert [blocks.count(block) for block in range(20)] == [share] * 20
