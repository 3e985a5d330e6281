"""The calibrated quantile: coverage, few scores, shifts, censored fits, new library versions."""

from __future__ import annotations

import math
import random
from statistics import fmean

import pytest

from controller.domain.calibration import Bounds, bounded, score
from controller.domain.conformal import CENSORED, WINDOW, Score, Window, factor
from controller.domain.priors import prior_score
from controller.domain.records import BoundSource, Prediction

MB = 1_000_000


def window(values: list[float], versions: str = "1") -> Window:
    made = Window()
    for i, value in enumerate(values):
        made = made.told(Score(f"{versions}-{i}", value, versions))
    return made


def test_a_score_and_its_bound_are_inverse() -> None:
    assert bounded(200 * MB, score(310 * MB, 200 * MB)) == pytest.approx(310 * MB, abs=2)
    assert bounded(200 * MB, math.log(1.3)) == pytest.approx(266 * MB, abs=2)  # the worked number


def test_without_fits_the_shipped_prior_counts() -> None:
    told = factor("knn", {}, 0.95)
    assert (told.source, told.fits) == (BoundSource.PRIOR, 0)
    assert told.score == prior_score("knn", 0.95)
    assert factor("unheard of", {}, 0.98).score == pytest.approx(math.log(2.0), abs=0.02)


def test_the_kth_smallest_of_enough_own_scores() -> None:
    values = [i / 100 for i in range(19)]
    told = factor("knn", {"knn": window(values)}, 0.95)
    assert (told.source, told.fits) == (BoundSource.FAMILY, 19)
    assert told.score == 0.18  # k = ceil(20 * 0.95) = 19
    more = factor("knn", {"knn": window([i / 100 for i in range(39)])}, 0.95)
    assert more.score == 0.37  # k = ceil(40 * 0.95) = 38


def test_few_own_scores_borrow_the_spread_of_all_and_keep_their_own_centre() -> None:
    others = window([0.01 * (i % 10) for i in range(60)])
    own = window([0.5, 0.52, 0.51])
    told = factor("knn", {"knn": own, "xgboost": others}, 0.95)
    assert told.source is BoundSource.POOLED
    # half way between the prior's centre 0 and the own median, and the spread of all
    assert told.score == max(0.5 * 0.51 + told_spread(), 0.52)


def told_spread() -> float:
    """The 0.95 quantile of 60 values 0..0.09 less their median, and of three around 0."""
    centred = sorted([0.01 * (i % 10) - 0.045 for i in range(60)] + [0.5 - 0.51, 0.52 - 0.51, 0.0])
    return centred[math.ceil(64 * 0.95) - 1]


def test_families_that_are_overpredicted_do_not_widen_one_that_is_not() -> None:
    """Trees that stay small on easy tables: scores far below 0, with an upper half near it."""
    easy = window([-2.0] * 40 + [0.0] * 39)
    told = factor("knn", {"knn": window([0.01, 0.02, 0.0]), "extra_trees": easy}, 0.95)
    assert told.source is BoundSource.POOLED
    assert told.score == prior_score("knn", 0.95)
    seen = factor("knn", {"knn": window([0.01, 0.7, 0.0]), "extra_trees": easy}, 0.95)
    assert seen.score == 0.7, "but what was seen counts"


def test_never_below_what_was_seen() -> None:
    told = factor("knn", {"knn": window([1.5])}, 0.95)
    assert (told.score, told.source) == (1.5, BoundSource.PRIOR)


@pytest.mark.parametrize("coverage", [0.9, 0.95, 0.98])
@pytest.mark.parametrize("seed", range(3))
def test_coverage_is_kept_on_a_stream(coverage: float, seed: int) -> None:
    draw = random.Random(seed)
    held: list[bool] = []
    windows: dict[str, Window] = {"a": Window(), "b": Window(), "c": Window()}
    for step in range(1500):
        family = draw.choice("abc")
        value = draw.gauss({"a": 0.0, "b": 0.3, "c": -0.2}[family], 0.12) + draw.expovariate(12)
        held.append(value <= factor(family, windows, coverage).score)
        windows[family] = windows[family].told(Score(str(step), value))
    slack = 3 * math.sqrt(coverage * (1 - coverage) / len(held))
    assert fmean(held) >= coverage - slack


def test_a_shift_is_recovered_from_within_sixty_fits() -> None:
    draw = random.Random(1)
    windows = {"a": window([draw.gauss(0.0, 0.1) for _ in range(100)])}
    held: list[bool] = []
    for step in range(160):
        value = draw.gauss(math.log(1.6), 0.1)
        told = Score(f"s{step}", value)
        is_held = value <= factor("a", windows, 0.98).score
        held.append(is_held)
        # a fit above its bound is ended, counts as "at least", and is told by its retry
        if not is_held:
            windows["a"] = windows["a"].told_at_least(told)
        windows["a"] = windows["a"].told(told)
    assert fmean(held[60:]) >= 0.95
    assert fmean(held[:60]) < fmean(held[60:])


def test_censored_fits_do_not_inflate_without_end() -> None:
    """Kills at a limit that itself follows the quantile (autoscaler#9521) must not feed back."""
    made = window([0.01 * (i % 20) for i in range(60)])
    before = factor("a", {"a": made}, 0.95).score
    for kill in range(200):
        at_limit = factor("a", {"a": made}, 0.95).score
        made = made.told_at_least(Score(f"kill{kill}", at_limit))
    assert factor("a", {"a": made}, 0.95).score <= before + 0.05
    assert len(made.censored) == CENSORED


def test_the_truth_replaces_what_was_known_at_least() -> None:
    made = window([0.0] * 30).told_at_least(Score("t", 2.0))
    assert factor("a", {"a": made}, 0.98).score == 2.0
    after = made.told(Score("t", 0.1, "1"))
    assert after.censored == ()
    assert factor("a", {"a": after}, 0.95).score == 0.1


def test_a_trial_counts_once() -> None:
    made = window([0.0]).told(Score("t", 0.3))
    assert made.told(Score("t", 0.3)) == made
    assert made.told_at_least(Score("t", 0.9)) == made


def test_only_the_newest_count() -> None:
    made = window([9.0] + [0.0] * WINDOW)
    assert factor("a", {"a": made}, 0.95).score == 0.0


def test_new_library_versions_widen_until_twenty_fits() -> None:
    old = [0.01 * i for i in range(60)]
    made = window(old)
    settled = factor("a", {"a": made}, 0.95).score
    made = made.told(Score("new0", 0.1, "2"))
    assert factor("a", {"a": made}, 0.95).score > settled
    for i in range(1, 20):
        made = made.told(Score(f"new{i}", 0.1, "2"))
    assert factor("a", {"a": made}, 0.95).score <= settled


def test_a_bound_names_where_it_comes_from() -> None:
    prediction = Prediction({"x": 100 * MB}, 1.0, 1, 0.1, memo_key="k")
    prior = Bounds(0.98).upper("knn", prediction)
    assert prior.calibration.source is BoundSource.PRIOR
    memo = Bounds(0.98, memo={"k": 90 * MB}).upper("knn", prediction)
    assert (memo.bytes, memo.calibration.source) == (100_700_000, BoundSource.MEMO)
    proved = Prediction({"x": 100 * MB}, 1.0, 1, 0.1, most_bytes=101 * MB)
    structural = Bounds(0.98).upper("knn", proved)
    assert (structural.bytes, structural.calibration.source) == (101 * MB, BoundSource.STRUCTURAL)
