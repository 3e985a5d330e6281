"""Decides which rows validate which fit: one fold number a row, the same for every trial.

Numbers run from 0; `ALWAYS_TRAINING` (-1) marks rows that no fit is scored on.

| kind | fold f is validated on | and trained on |
|---|---|---|
| by chance, or by group | rows of number f | all other rows |
| in time order | rows of number f | rows of a smaller number, -1 included: only what came before |

By chance: classes are spread evenly over the folds. By group: a group's rows share one fold, rows
without a group form one together, and classes are spread as evenly as the groups allow. In time
order: rows sorted by time are cut into folds + 1 blocks of about equal size, the first of which
only trains; equal times are never parted; rows without a time only train. When both columns are
given, time decides. `folds=0` is a holdout: one fold of a fifth of the rows (in time order the last
fifth).

A fold that cannot work is given up and its rows only train: one without rows, or one whose
training part holds a single class. Everything is drawn from the seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ALWAYS_TRAINING = -1
"""The number of rows that are in every training part."""

HOLDOUT_PARTS = 5
"""A holdout is one part of these: 20 % of the rows."""

Folds = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Split:
    """numbers: (n,) int8. count: folds that remain, at least 1. notes: what people should know."""

    numbers: Folds
    count: int
    is_time_ordered: bool
    notes: tuple[str, ...] = ()


def split(
    *,
    y: npt.NDArray[np.generic],
    is_classification: bool,
    folds: int,
    seed: int,
    groups: npt.NDArray[np.int64] | None = None,
    times: npt.NDArray[np.float64] | None = None,
) -> Split:
    """Numbers the rows.

    y: (n,) class codes or values. folds: 0 for a holdout, else 2 to 100. groups: (n,) group codes.
    times: (n,), NaN for missing.

    Raises: ValueError when no fold can be made, saying which column stands in the way.
    """
    if folds not in range(101) or folds == 1:
        raise ValueError(f"folds: {folds}; 0 asks for a holdout, 2 to 100 for that many folds")
    random = np.random.default_rng(seed)
    notes: list[str] = []
    if times is not None:
        numbers = _by_time(times, folds)
        if groups is not None:
            notes.append("validation follows the time column; groups may span it")
    elif groups is not None:
        numbers = _by_group(groups, y if is_classification else None, folds, random, notes)
    else:
        numbers = _by_chance(y if is_classification else None, len(y), folds, random)
    codes = y.astype(np.int64) if is_classification else None
    count = _give_up_unusable(numbers, codes, times is not None, notes)
    if count == 0:
        raise ValueError(_no_fold(groups is not None, times is not None))
    return Split(numbers, count, times is not None, tuple(notes))


def _by_chance(
    codes: npt.NDArray[np.generic] | None, rows: int, folds: int, random: np.random.Generator
) -> Folds:
    """Rows in random order, sorted by class, are dealt out like cards: each class and each fold
    gets its share to within one row.
    """
    order = random.permutation(rows)
    if codes is not None:
        order = order[np.argsort(codes[order], kind="stable")]
    parts = folds or HOLDOUT_PARTS
    dealt = np.empty(rows, dtype=np.int8)
    dealt[order] = np.arange(rows) % parts
    if codes is not None:
        values, counts = np.unique(codes, return_counts=True)
        # The only row of its class would leave that fold's training part without the class.
        dealt[np.isin(codes, values[counts == 1])] = ALWAYS_TRAINING
    return dealt if folds else _only(dealt, 0)


def _by_group(
    groups: npt.NDArray[np.int64],
    codes: npt.NDArray[np.generic] | None,
    folds: int,
    random: np.random.Generator,
    notes: list[str],
) -> Folds:
    """Groups, largest first, each go to the fold that is furthest behind in its classes' rows.

    That is the greedy rule of scikit-learn's StratifiedGroupKFold. Groups alike are drawn by
    chance.
    """
    _, group_of = np.unique(groups, return_inverse=True)
    group_count = int(group_of.max()) + 1
    parts = min(folds or HOLDOUT_PARTS, group_count)
    if folds > parts:
        notes.append(f"{parts} folds instead of {folds}: the group column holds {parts} groups")
    if codes is None:
        class_of, classes = np.zeros(len(groups), dtype=np.int64), 1
    else:
        _, class_of = np.unique(codes, return_inverse=True)
        classes = int(class_of.max()) + 1
    cells = np.bincount(group_of * classes + class_of, minlength=group_count * classes)
    rows_in = cells.reshape(group_count, classes)
    fold_of_group = _greedy_folds(rows_in, parts, random)
    numbers = fold_of_group[group_of]
    if folds:
        return numbers
    return _only(numbers, int(np.bincount(numbers).argmin()))


def _greedy_folds(rows_in: npt.NDArray[np.int64], parts: int, random: np.random.Generator) -> Folds:
    """rows_in: (groups, classes) rows. Returns (groups,) int8."""
    # All rows count like one class more, so that folds without a class in common fill up evenly.
    rows_in = np.column_stack((rows_in, rows_in.sum(axis=1)))
    share = rows_in / np.maximum(1, rows_in.sum(axis=0))
    order = random.permutation(len(rows_in))
    order = order[np.argsort(-rows_in[order, -1], kind="stable")]
    held = np.zeros((parts, rows_in.shape[1]))
    result = np.empty(len(rows_in), dtype=np.int8)
    for group in order:
        # Sum of squares after adding the group, less what all folds have in common before it.
        growth = (2 * held + share[group]) @ share[group]
        fold = int(np.argmin(growth))
        held[fold] += share[group]
        result[group] = fold
    return result


def _by_time(times: npt.NDArray[np.float64], folds: int) -> Folds:
    """Blocks of whole moments; the first block and rows without a time only train."""
    is_known = ~np.isnan(times)
    moments, rows_at = np.unique(times[is_known], return_counts=True)
    numbers = np.full(len(times), ALWAYS_TRAINING, dtype=np.int8)
    if len(moments) < 2:
        return numbers
    # A moment belongs to the block that holds the middle of its rows.
    middle = (np.cumsum(rows_at) - rows_at / 2) / rows_at.sum()
    if folds:
        block = np.minimum((middle * (folds + 1)).astype(np.int64), folds) - 1
    else:
        block = np.where(middle >= 1 - 1 / HOLDOUT_PARTS, 0, ALWAYS_TRAINING)
        block[-1] = 0
    block[0] = ALWAYS_TRAINING
    numbers[is_known] = block[np.searchsorted(moments, times[is_known])]
    return numbers


def _only(numbers: Folds, fold: int) -> Folds:
    """A holdout: one fold becomes number 0, all others only train."""
    return np.where(numbers == fold, 0, ALWAYS_TRAINING).astype(np.int8)


def _give_up_unusable(
    numbers: Folds,
    codes: npt.NDArray[np.int64] | None,
    is_time_ordered: bool,
    notes: list[str],
) -> int:
    """Renumbers the folds that can work from 0, in place; returns how many there are."""
    planned = int(numbers.max()) + 1
    count = 0
    for fold in range(planned):
        is_validation = numbers == fold
        is_training = numbers < count if is_time_ordered else ~is_validation
        if is_validation.any() and _can_train(is_training, codes):
            numbers[is_validation] = count
            count += 1
        else:
            numbers[is_validation] = ALWAYS_TRAINING
    if count < planned:
        notes.append(f"{count} of {planned} folds: the others lack rows, or train on one class")
    return count


def _can_train(is_training: npt.NDArray[np.bool_], codes: npt.NDArray[np.int64] | None) -> bool:
    if codes is None:
        return bool(is_training.any())
    part = codes[is_training]
    return len(part) > 0 and bool((part != part[0]).any())


def _no_fold(has_groups: bool, has_times: bool) -> str:
    if has_times:
        return (
            "no validation fold: all rows share one moment of the time column, or one class comes "
            "wholly before the other; choose another time column, or none"
        )
    if has_groups:
        return (
            "no validation fold: all rows belong to one group, or each class to one; choose "
            "another group column, or none"
        )
    return "no validation fold: too few rows, or rows of one class only"
