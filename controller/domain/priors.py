"""How far measured peaks lie from predictions before a controller has measured any. Pure.

Scores as in `controller.domain.calibration`. A family's are taken as normal: median and spread of
139 measured fits of real tables (`loadtests.coverage`, 8 tables of 3 to 79 columns and 2,930 to
494,021 rows). The upper half counts, as scores far below the median only say that a table is easy
to learn; both are rounded up, the spread to about twice what was seen as few fits were.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import NamedTuple


class Prior(NamedTuple):
    """median: of the scores. spread: their standard deviation."""

    median: float
    spread: float


PRIORS = {
    "xgboost": Prior(0.0, 0.12),
    "hist_gradient_boosting": Prior(-0.1, 0.12),
    "random_forest": Prior(-0.05, 0.2),
    "extra_trees": Prior(-0.05, 0.2),
    "linear": Prior(-0.05, 0.1),
    "knn": Prior(0.0, 0.08),
}
UNKNOWN = Prior(0.0, 0.34)
"""A family that is not shipped: twice the prediction at a coverage of 0.98."""


def prior(family: str) -> Prior:
    """The shipped prior of a family."""
    return PRIORS.get(family, UNKNOWN)


def prior_score(family: str, coverage: float) -> float:
    """The score that a fit exceeds with probability 1 - coverage."""
    median, spread = prior(family)
    return median + spread * NormalDist().inv_cdf(coverage)
