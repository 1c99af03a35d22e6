"""Nobody is learnt from and measured by one network, and the folds are alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.training.toy import RECIPE
from training.folds import FINAL, parts_of, share_out
from training.recipe import Recording

burdens = st.dictionaries(st.text("0123456789", min_size=1, max_size=3), st.floats(0.0, 1.0), max_size=60)
# Recordings of few people, so that most people have several; some in the corpus that is never validated.
recordings = st.lists(
    st.tuples(st.sampled_from(RECIPE.trained_on), st.integers(0, 12), st.floats(0.0, 1.0)), max_size=60
).map(
    lambda rows: [
        Recording(corpus, str(place), f"{corpus}/{person}", burden, {}, None)
        for place, (corpus, person, burden) in enumerate(rows)
    ]
)


@given(burdens, st.integers(2, 10), st.integers(0, 1000))
def test_everybody_is_in_one_fold_and_the_same_seed_says_the_same(
    burden: dict[str, float], folds: int, seed: int
) -> None:
    fold_of = share_out(burden, folds, seed)
    assert sorted(fold_of) == sorted(burden)
    assert set(fold_of.values()) <= set(range(1, folds + 1))
    assert fold_of == share_out(dict(reversed(burden.items())), folds, seed)


@given(recordings, st.integers(2, 6), st.integers(0, 100))
def test_no_network_is_measured_on_people_it_learnt_from(people: list[Recording], folds: int, seed: int) -> None:
    parts = parts_of(RECIPE, people, folds, seed)
    for part in parts:
        assert not {one.person for one in part.learns} & {one.person for one in part.measured}
    in_folds = [part for part in parts if part.name.startswith("fold-")]
    measured = [one.name for part in in_folds for one in part.measured]
    assert sorted(measured) == sorted(one.name for one in people if one.corpus not in RECIPE.not_validated)
    for part in in_folds:
        assert len(part.learns) + len(part.measured) == len(people)


def test_the_folds_are_alike_in_burden() -> None:
    fold_of = share_out({str(person): person / 100.0 for person in range(100)}, 5, 1)
    means = [np.mean([int(one) for one, fold in fold_of.items() if fold == which]) for which in range(1, 6)]
    assert np.ptp(means) < 5.0
    assert sorted(fold_of.values()).count(1) == 20


def test_without_folds_only_the_final_network_is_left() -> None:
    people = [Recording("village", "0", "village/0", 0.5, {}, None)]
    (part,) = parts_of(RECIPE, people, 0, 1)
    assert (part.name, part.measured) == (FINAL, [])


def test_a_transfer_leaves_out_people_who_would_be_on_both_sides() -> None:
    first, second = Recording("village", "0", "sam", 0.5, {}, None), Recording("village", "1", "ann", 0.5, {}, None)
    town = replace(first, corpus="town")
    parts = {part.name: part for part in parts_of(RECIPE, [first, second, town], 2, 1)}
    transfer = parts["transfer-village_to_town"]
    assert transfer.learns == [second]
    assert transfer.measured == [town]
