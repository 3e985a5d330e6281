"""The upper quantile of how far measured peaks lie above predictions: hierarchical conformal. Pure.

A score is `log((actual + 20 MB) / (predicted + 20 MB))` of one fit. For a coverage c and a window
of a family's scores, the quantile is one-sided split conformal (Vovk et al., 2005): the k-th
smallest of m scores, k = ceil((m + 1) c), so that a further fit exceeds it with probability 1 - c
at most. That needs m >= c / (1 - c) scores. Where a family has fewer, the spread is taken from all
families together, each centred on its own median, and the family's few scores move the centre, but
no further than to the shipped prior: a family whose trees stay small on easy tables has a median
far below its upper scores, and that spread says nothing of families that are predicted well. Where
all together are too few, the shipped prior counts. Never below what the family was seen to reach.

Laws
- A fit that was ended at its limit is only known to need "at least" that: it counts with at least
  the family's present quantile, apart from the window, and only until its retry tells the truth;
  stored as if it had been observed, such values would inflate without end.
- After a change of library versions, older scores count half until `RENEWED_FITS` new ones are
  there: the window then has to be longer, or the wider levels count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from controller.domain.calibration import Factor
from controller.domain.priors import prior, prior_score
from controller.domain.records import BoundSource

WINDOW = 100
"""Scores of a family that count, the newest. Replays favoured 80 to 120."""
CENSORED = 20
"""Fits of a family that were ended at their limit and count, the newest."""
RENEWED_FITS = 20
"""Fits with new library versions after which older ones count in full again."""
_OLD_WEIGHT = 0.5
_CENTRE_FITS = 3.0
"""Weight of the prior's centre, in fits."""


@dataclass(frozen=True)
class Score:
    """One fit. trial: its resource name. versions: of the libraries it ran with."""

    trial: str
    value: float
    versions: str = ""


@dataclass(frozen=True)
class Window:
    """What is remembered of a family: scores of fits, oldest first, and of those ended early."""

    scores: tuple[Score, ...] = ()
    censored: tuple[Score, ...] = ()

    def told(self, score: Score) -> Window:
        """With a fit that ran to its end; what it needed at least is forgotten. A trial counts
        once.
        """
        if any(each.trial == score.trial for each in self.scores):
            return self
        censored = tuple(each for each in self.censored if each.trial != score.trial)
        return Window((*self.scores, score)[-WINDOW:], censored)

    def told_at_least(self, score: Score) -> Window:
        """With a fit that was ended at its limit; the latest attempt of a trial counts."""
        if any(each.trial == score.trial for each in self.scores):
            return self
        others = tuple(each for each in self.censored if each.trial != score.trial)
        return replace(self, censored=(*others, score)[-CENSORED:])


def factor(family: str, windows: dict[str, Window], coverage: float) -> Factor:
    """The quantile of a family. windows: of all families."""
    window = windows.get(family, Window())
    measured = _level(family, window.scores, windows, coverage)
    if not window.censored:
        return measured
    at_least = tuple(
        replace(each, value=max(each.value, measured.score)) for each in window.censored
    )
    return _level(family, (*window.scores, *at_least), windows, coverage)


def _level(
    family: str, own: Sequence[Score], windows: dict[str, Window], coverage: float
) -> Factor:
    quantile = _conformal(_weighted(own), coverage)
    if quantile is not None:
        return Factor(quantile, len(own), BoundSource.FAMILY)
    most = max((each.value for each in own), default=-math.inf)
    spread = _conformal(_centred(windows), coverage)
    if spread is None:
        return Factor(max(prior_score(family, coverage), most), len(own), BoundSource.PRIOR)
    share = len(own) / (len(own) + _CENTRE_FITS)
    centre = (1 - share) * prior(family).median
    if own:
        centre += share * median(each.value for each in own)
    pooled = min(centre + spread, prior_score(family, coverage))
    return Factor(max(pooled, most), len(own), BoundSource.POOLED)


def _centred(windows: dict[str, Window]) -> list[tuple[float, float]]:
    """Scores of all families less their family's median, with weights."""
    found: list[tuple[float, float]] = []
    for window in windows.values():
        weighted = _weighted(window.scores)
        if weighted:
            centre = median(value for value, _ in weighted)
            found += [(value - centre, weight) for value, weight in weighted]
    return found


def _weighted(scores: Sequence[Score]) -> list[tuple[float, float]]:
    """Values with weights: those of former library versions count half for a while."""
    if not scores:
        return []
    newest = scores[-1].versions
    renewed = sum(each.versions == newest for each in scores)
    is_new = len(scores) > renewed and renewed < RENEWED_FITS
    return [
        (each.value, _OLD_WEIGHT if is_new and each.versions != newest else 1.0) for each in scores
    ]


def _conformal(weighted: Iterable[tuple[float, float]], coverage: float) -> float | None:
    """The smallest value that leaves at most 1 - coverage above it, the next fit counted as lying
    above everything; None when there are too few values.
    """
    ordered = sorted(weighted)
    needed = coverage * (sum(weight for _, weight in ordered) + 1.0) - 1e-9
    reached = 0.0
    for value, weight in ordered:
        reached += weight
        if reached >= needed:
            return value
    return None
