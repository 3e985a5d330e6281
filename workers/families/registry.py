"""The model families that Headgate knows, by name. Importing this loads no learning library.

To add a family: write its file, add an instance here, run `make bench` for its formulas.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from workers.families.base import Family
from workers.families.extra_trees import ExtraTrees
from workers.families.hist_gradient_boosting import HistGradientBoosting
from workers.families.knn import NearestNeighbors
from workers.families.linear import Linear
from workers.families.random_forest import RandomForest
from workers.families.xgboost import XGBoost

_ALL: tuple[Family, ...] = (
    XGBoost(),
    HistGradientBoosting(),
    RandomForest(),
    ExtraTrees(),
    Linear(),
    NearestNeighbors(),
)

FAMILIES: Mapping[str, Family] = MappingProxyType({family.name: family for family in _ALL})
"""Every family by name."""


def family(name: str) -> Family:
    """The family of that name. Raises: ValueError that names near ones, or all."""
    if name in FAMILIES:
        return FAMILIES[name]
    near = difflib.get_close_matches(name, FAMILIES, n=2)
    known = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(FAMILIES)}"
    raise ValueError(f"unknown model family {name!r}; {known}")
