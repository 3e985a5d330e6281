"""Folds: what each kind promises, on ordinary and on awkward tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.data.splits import ALWAYS_TRAINING, Split, split


def classes_of(*counts: int) -> Any:
    return np.repeat(np.arange(len(counts)), counts).astype(np.int32)


def split_classes(y: Any, folds: int = 5, seed: int = 0, **columns: Any) -> Split:
    return split(y=y, is_classification=True, folds=folds, seed=seed, **columns)


def test_classes_are_spread_evenly() -> None:
    y = classes_of(103, 17, 6)
    result = split_classes(y)
    assert result.count == 5
    for code in range(3):
        per_fold = np.bincount(result.numbers[y == code], minlength=5)
        assert per_fold.max() - per_fold.min() <= 1
    sizes = np.bincount(result.numbers)
    assert sizes.max() - sizes.min() <= 1


def test_the_seed_decides() -> None:
    y = classes_of(50, 50)
    assert (split_classes(y, seed=3).numbers == split_classes(y, seed=3).numbers).all()
    assert (split_classes(y, seed=3).numbers != split_classes(y, seed=4).numbers).any()


def test_a_class_of_two_rows_is_in_every_training_part() -> None:
    y = classes_of(100, 2)
    for seed in range(20):
        numbers = split_classes(y, seed=seed).numbers
        assert len(set(numbers[y == 1].tolist())) == 2


@pytest.mark.parametrize("folds", [0, 5])
def test_the_only_row_of_a_class_always_trains(folds: int) -> None:
    y = classes_of(100, 100, 1)
    for seed in range(20):
        numbers = split_classes(y, folds, seed).numbers
        assert numbers[y == 2].tolist() == [ALWAYS_TRAINING]


def test_a_holdout_is_a_fifth_of_each_class() -> None:
    y = classes_of(500, 50)
    result = split_classes(y, folds=0)
    assert result.count == 1
    assert set(result.numbers.tolist()) == {ALWAYS_TRAINING, 0}
    assert (result.numbers[y == 0] == 0).sum() == 100
    assert (result.numbers[y == 1] == 0).sum() == 10


def test_numbers_are_split_without_classes() -> None:
    y = np.linspace(0, 1, 101)
    result = split(y=y, is_classification=False, folds=4, seed=0)
    assert sorted(np.bincount(result.numbers).tolist()) == [25, 25, 25, 26]


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1)), min_size=20, max_size=80),
    st.sampled_from([0, 2, 5]),
)
def test_groups_never_straddle(rows: list[tuple[int, int]], folds: int) -> None:
    groups = np.array([group for group, _ in rows])
    y = np.array([code for _, code in rows], dtype=np.int32)
    try:
        result = split_classes(y, folds, groups=groups)
    except ValueError as error:
        assert "group column" in str(error)  # noqa: PT017 (some draws cannot be split)
        return
    for group in set(groups.tolist()):
        assert len(set(result.numbers[groups == group].tolist())) == 1
    for fold in range(result.count):
        training = y[result.numbers != fold]
        assert (result.numbers == fold).any()
        assert len(set(training.tolist())) == 2


def test_groups_spread_classes_and_sizes() -> None:
    groups = np.repeat(np.arange(40), 10)
    y = (groups % 4 == 0).astype(np.int32)
    result = split_classes(y, groups=groups)
    for fold in range(5):
        assert (result.numbers == fold).sum() == 80
        assert y[result.numbers == fold].sum() == 20


def test_groups_without_a_class_in_common_fill_all_folds() -> None:
    groups = np.repeat(np.arange(10), 5)
    y = (groups >= 5).astype(np.int32)
    assert split_classes(y, groups=groups).count == 5


def test_fewer_groups_than_folds_are_noted() -> None:
    groups = np.repeat([7, 9, 11], 20)
    result = split_classes(np.arange(60, dtype=np.int32) % 2, groups=groups)
    assert result.count == 3
    assert result.notes == ("3 folds instead of 5: the group column holds 3 groups",)


def test_a_grouped_holdout_validates_on_the_smaller_part() -> None:
    groups = np.repeat([0, 1], [90, 10])
    result = split_classes(np.arange(100, dtype=np.int32) % 2, folds=0, groups=groups)
    assert (result.numbers == 0).sum() == 10


def test_one_group_is_an_error() -> None:
    with pytest.raises(ValueError, match="all rows belong to one group"):
        split_classes(classes_of(10, 10), groups=np.zeros(20, dtype=np.int64))


@pytest.mark.parametrize("folds", [0, 3])
def test_training_comes_before_validation(folds: int) -> None:
    random = np.random.default_rng(0)
    times = random.integers(0, 40, 200).astype(np.float64)
    times[::9] = np.nan
    y = random.integers(0, 2, 200).astype(np.int32)
    result = split_classes(y, folds, times=times)
    assert result.is_time_ordered
    assert result.count == max(1, folds)
    assert (result.numbers[np.isnan(times)] == ALWAYS_TRAINING).all()
    for fold in range(result.count):
        training = times[result.numbers < fold]
        assert np.nanmax(training) < times[result.numbers == fold].min()


def test_blocks_of_time_are_of_about_equal_size() -> None:
    result = split_classes(np.arange(100, dtype=np.int32) % 2, 4, times=np.arange(100.0))
    assert np.bincount(result.numbers + 1).tolist() == [20] * 5
    holdout = split_classes(np.arange(100, dtype=np.int32) % 2, 0, times=np.arange(100.0))
    assert np.flatnonzero(holdout.numbers == 0).tolist() == list(range(80, 100))


def test_two_moments_make_one_fold() -> None:
    times = np.repeat([1.0, 2.0], [98, 2])
    for folds in (0, 5):
        result = split_classes(np.arange(100, dtype=np.int32) % 2, folds, times=times)
        assert result.count == 1
        assert (result.numbers == 0).sum() == 2


def test_a_fold_that_would_train_on_one_class_is_given_up() -> None:
    y = np.array([0] * 30 + [0, 1] * 35, dtype=np.int32)
    result = split_classes(y, 4, times=np.arange(100.0))
    # The first block, rows 0 to 19, holds one class: the fold after it cannot be trained.
    assert result.count == 3
    assert np.flatnonzero(result.numbers == 0).tolist() == list(range(40, 60))
    assert result.notes == ("3 of 4 folds: the others lack rows, or train on one class",)


def test_one_moment_is_an_error() -> None:
    with pytest.raises(ValueError, match="share one moment of the time column"):
        split_classes(classes_of(10, 10), times=np.ones(20))


def test_one_class_is_an_error() -> None:
    with pytest.raises(ValueError, match="rows of one class only"):
        split_classes(classes_of(20))


def test_time_wins_over_groups_and_says_so() -> None:
    y = np.arange(100, dtype=np.int32) % 2
    result = split_classes(y, 2, times=np.arange(100.0), groups=y.astype(np.int64))
    assert result.is_time_ordered
    assert result.notes == ("validation follows the time column; groups may span it",)


@pytest.mark.parametrize("folds", [-1, 1, 101])
def test_absurd_fold_counts(folds: int) -> None:
    with pytest.raises(ValueError, match="0 asks for a holdout"):
        split_classes(classes_of(10, 10), folds)
