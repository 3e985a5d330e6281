"""The calibrated upper bound of a fit's memory: what is compared with limits and reserved. Pure.

    bound = (predicted + 20 MB) * exp(q) - 20 MB

q is a high quantile of the scores of measured fits, score = log((actual + 20 MB) / (predicted +
20 MB)); the 20 MB keep what no formula has (allocator slack, the interpreter's own growth) from
ruling the scores of small fits. Two things are better than a bound of that kind: the same fit
measured before (fits repeat to 1 %), and what can be proved to be the most.
`controller.domain.conformal` makes the quantiles.

Worked: 200 MB predicted, q = ln 1.3: 220 * 1.3 - 20 = 266 MB.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from controller.domain.priors import prior_score
from controller.domain.records import BoundSource, Calibration, Prediction

OFFSET_BYTES = 20_000_000
"""Added to both sides of a score."""
MEMO_FACTOR = 1.03
MEMO_EXTRA_BYTES = 8_000_000
"""The bound of a fit measured before: repeated fits differ by 1 %, other seeds by 3 %."""
DEFAULT_COVERAGE = 0.98
LEAST_COVERAGE, MOST_COVERAGE = 0.5, 0.999
"""The coverages that may be asked for."""


@dataclass(frozen=True)
class Bound:
    """bytes: the most that the fit is expected to hold. calibration: how that came about."""

    bytes: int
    calibration: Calibration


@dataclass(frozen=True)
class Factor:
    """The q of a family. fits: measured fits behind it."""

    score: float
    fits: int
    source: BoundSource


@dataclass(frozen=True)
class Bounds:
    """A snapshot of what measured fits teach. Families without a factor have their shipped prior.

    coverage: the share of fits that are promised to stay below their bounds. memo: measured peaks
    by `Prediction.memo_key`.
    """

    coverage: float = DEFAULT_COVERAGE
    factors: Mapping[str, Factor] = field(default_factory=lambda: MappingProxyType({}))
    memo: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def upper(self, family: str, prediction: Prediction) -> Bound:
        """The bound of a fit; microseconds."""
        predicted = prediction.peak_memory_bytes
        known = self.memo.get(prediction.memo_key) if prediction.memo_key else None
        if known is not None:
            size = int(known * MEMO_FACTOR) + MEMO_EXTRA_BYTES
            return self._bound(predicted, size, 1, BoundSource.MEMO)
        factor = self.factor(family)
        size = bounded(predicted, factor.score)
        most = prediction.most_bytes
        if most is not None and most < size:
            return self._bound(predicted, most, factor.fits, BoundSource.STRUCTURAL)
        return self._bound(predicted, size, factor.fits, factor.source)

    def factor(self, family: str) -> Factor:
        """The factor of a family, whatever it comes from."""
        known = self.factors.get(family)
        return known or Factor(prior_score(family, self.coverage), 0, BoundSource.PRIOR)

    def _bound(self, predicted: int, size: int, fits: int, source: BoundSource) -> Bound:
        factor = (size + OFFSET_BYTES) / (predicted + OFFSET_BYTES)
        return Bound(size, Calibration(factor, self.coverage, fits, source))


def score(actual_bytes: int, predicted_bytes: int) -> float:
    """How far a measured peak lies above its prediction; 0 when it was right."""
    return math.log((actual_bytes + OFFSET_BYTES) / (predicted_bytes + OFFSET_BYTES))


def bounded(predicted_bytes: int, quantile: float) -> int:
    """The bound that a score of `quantile` would just reach."""
    return int((predicted_bytes + OFFSET_BYTES) * math.exp(quantile)) - OFFSET_BYTES
