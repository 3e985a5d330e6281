"""The sampler: an Optuna study over the search space that is a pure function of the trial log.

A proposal depends on the space, the seed, how many trials there are, and what is known of them:
nothing else. So a driver that starts again and replays the log goes on exactly where the one before
it stopped, and the same results give the same sequence. To that end the Optuna study is built anew
whenever something was learned (0.1 s at 1,000 trials) and each proposal has a random state of its
own, seeded by (seed, number of trials, retry).

What did not work is information: a rejected, killed or crashed configuration is told to the sampler
as a constraint violation, never as Optuna's FAIL, which TPE ignores and samples again
(`optuna.samplers._tpe.sampler._split_trials` sorts by violation before it looks at the state).
"""

from __future__ import annotations

import hashlib
import random
import warnings
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna import distributions as of
from optuna.trial import FrozenTrial, TrialState, create_trial

from headgate.v1 import trial_pb2
from workers.driver.known import Known
from workers.driver.portfolio import Proposal
from workers.driver.space import Configuration, SearchSpace, holds
from workers.driver.values import is_inside, rounded, typed
from workers.families.base import Choices, Fixed, Integers, Parameter, Value

STARTUP_TRIALS = 10
"""Trials that are known before TPE models anything; random draws until then (Optuna's default)."""

_TPE_RETRIES = 8
"""Proposals of TPE in a row that were seen before, until draws are random."""
_RANDOM_RETRIES = 64
"""Random draws in a row that were seen before, until the space counts as exhausted."""
_LISTED_SIZE = 4096
"""A finite space with at most so many configurations is listed when draws repeat themselves."""


@dataclass
class _Entry:
    configuration: Configuration
    known: Known


class Study:
    """Proposes configurations. Not thread-safe: it belongs to the candidate thread."""

    def __init__(self, space: SearchSpace, seed: int, is_maximized: bool) -> None:
        self._space = space
        self._allowed = space
        self._seed = seed
        self._is_maximized = is_maximized
        self._queue: deque[Proposal] = deque()
        self._entries: dict[int, _Entry] = {}
        self._seen: set[str] = set()

    def prefer(self, proposals: Iterable[Proposal]) -> None:
        """Proposes these first, in order; those seen by then are passed over."""
        self._queue.extend(proposals)

    def prefer_next(self, proposal: Proposal) -> None:
        """Proposes this one before all others."""
        self._queue.appendleft(proposal)

    def allow(self, families: Sequence[str]) -> None:
        """Draws only from these families from now on; from all when empty."""
        self._allowed = self._space.narrowed(families)

    def record(self, number: int, configuration: Configuration, known: Known) -> None:
        """Takes a trial into the log, or what became of it. A later call replaces an earlier."""
        self._entries[number] = _Entry(configuration, known)
        self._seen.add(configuration.key)

    def pass_over(self, configuration: Configuration) -> None:
        """Does not propose this one: the gate made another of it."""
        self._seen.add(configuration.key)

    @property
    def position(self) -> int:
        """How many trials are in the log: the number of the next one."""
        return len(self._entries)

    def propose(
        self, pending: Sequence[Configuration] = (), hidden: frozenset[int] = frozenset()
    ) -> Proposal | None:
        """The next configuration that was never seen; None when the space is exhausted.

        pending: proposed before and not yet in the log. hidden: numbers of trials whose results are
        to be treated as not known yet.
        """
        taken = self._seen | {each.key for each in pending}
        first = self._preferred(taken)
        if first is not None:
            return first
        found = self._sampled(taken, pending, hidden)
        return None if found is None else Proposal(found, trial_pb2.CANDIDATE_ORIGIN_SAMPLED)

    def _preferred(self, taken: set[str]) -> Proposal | None:
        """Those of families that are not allowed now stay for later."""
        self._queue = deque(each for each in self._queue if each.configuration.key not in taken)
        for each in self._queue:
            if each.configuration.family in self._allowed.families:
                self._queue.remove(each)
                return each
        return None

    def _sampled(
        self, taken: set[str], pending: Sequence[Configuration], hidden: frozenset[int]
    ) -> Configuration | None:
        if not self._allowed.families:
            return None
        position = len(self._entries) + len(pending)
        log = self._frozen_trials(pending, hidden)
        for retry in range(_TPE_RETRIES + _RANDOM_RETRIES):
            seed = _derived_seed(self._seed, position, retry)
            found = self._draw(log if retry < _TPE_RETRIES else [], seed)
            if found.key not in taken:
                return found
        return self._unseen(taken, _derived_seed(self._seed, position, -1))

    def _unseen(self, taken: set[str], seed: int) -> Configuration | None:
        """Any configuration of a small finite space that is left."""
        if not self._allowed.is_finite:
            return None
        left: list[Configuration] = []
        for count, each in enumerate(self._allowed.all()):
            if count >= _LISTED_SIZE:
                break
            if each.key not in taken:
                left.append(each)
        return random.Random(seed).choice(left) if left else None  # noqa: S311

    def _draw(self, log: Sequence[FrozenTrial], seed: int) -> Configuration:
        trial = _new_study(log, seed, self._is_maximized).ask()
        family = str(trial.suggest_categorical("family", list(self._allowed.families)))
        chosen: dict[str, Value] = {}
        for parameter in self._allowed.families[family]:
            if holds(parameter, chosen):
                chosen[parameter.name] = _suggest(trial, family, parameter)
        return Configuration(family, chosen)

    def _frozen_trials(self, pending: Sequence[Configuration], hidden: frozenset[int]) -> list[Any]:
        known = [
            (entry.configuration, Known() if number in hidden else entry.known)
            for number, entry in sorted(self._entries.items())
        ]
        known += [(each, Known()) for each in pending]
        frozen = (self._frozen_trial(configuration, result) for configuration, result in known)
        return [each for each in frozen if each is not None]

    def _frozen_trial(self, configuration: Configuration, known: Known) -> FrozenTrial | None:
        """None for what TPE cannot model: another family than allowed, a value out of the space."""
        parameters = self._allowed.families.get(configuration.family)
        if parameters is None or not _is_in_space(parameters, configuration):
            return None
        values, distributions = _described(list(self._allowed.families), parameters, configuration)
        if known.violation is not None:
            outcome: Mapping[str, Any] = {
                "state": TrialState.PRUNED,
                "constraints": {"fits": known.violation},
            }
        elif known.score is not None:
            outcome = {"state": TrialState.COMPLETE, "value": known.score}
        else:
            outcome = {"state": TrialState.RUNNING}
        return create_trial(params=values, distributions=distributions, **outcome)


def _new_study(log: Sequence[FrozenTrial], seed: int, is_maximized: bool) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        # `group` is marked experimental; it is what makes TPE follow conditional parameters.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            seed=seed,
            multivariate=True,
            group=True,
            constant_liar=True,
            n_startup_trials=STARTUP_TRIALS,
        )
    study = optuna.create_study(
        direction="maximize" if is_maximized else "minimize", sampler=sampler
    )
    study.add_trials(log)
    return study


def _suggest(trial: optuna.Trial, family: str, parameter: Parameter) -> Value:
    name, values = f"{family}.{parameter.name}", parameter.values
    if isinstance(values, Fixed):
        return values.value
    if isinstance(values, Choices):
        # By index: Optuna takes 1, 1.0 and True for the same choice.
        return values.values[int(trial.suggest_categorical(name, range(len(values.values))))]
    if isinstance(values, Integers):
        return int(trial.suggest_int(name, values.low, values.high, log=values.log))
    return rounded(values, trial.suggest_float(name, values.low, values.high, log=values.log))


def _described(
    families: Sequence[str], parameters: Sequence[Parameter], configuration: Configuration
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values and distributions by name, as `_suggest` would have made them."""
    values: dict[str, Any] = {"family": configuration.family}
    shapes: dict[str, Any] = {"family": of.CategoricalDistribution(list(families))}
    for parameter in parameters:
        allowed = parameter.values
        if parameter.name not in configuration.parameters or isinstance(allowed, Fixed):
            continue
        name, value = f"{configuration.family}.{parameter.name}", _value(parameter, configuration)
        if isinstance(allowed, Choices):
            values[name] = _index(allowed, value)
            shapes[name] = of.CategoricalDistribution(list(range(len(allowed.values))))
        elif isinstance(allowed, Integers):
            values[name] = value
            shapes[name] = of.IntDistribution(allowed.low, allowed.high, log=allowed.log)
        else:
            values[name] = value
            shapes[name] = of.FloatDistribution(allowed.low, allowed.high, log=allowed.log)
    return values, shapes


def _is_in_space(parameters: Sequence[Parameter], configuration: Configuration) -> bool:
    chosen = configuration.parameters
    return all(
        parameter.name in chosen and is_inside(parameter.values, chosen[parameter.name])
        for parameter in parameters
        if holds(parameter, chosen)
    )


def _value(parameter: Parameter, configuration: Configuration) -> Value:
    return typed(parameter.values, configuration.parameters[parameter.name])


def _index(choices: Choices, value: Value) -> int:
    return next(
        i for i, each in enumerate(choices.values)
        if isinstance(each, bool) == isinstance(value, bool) and each == value
    )  # fmt: skip


def _derived_seed(seed: int, position: int, retry: int) -> int:
    """32 bits that differ for every proposal and are the same on every machine."""
    digest = hashlib.sha256(f"{seed}/{position}/{retry}".encode()).digest()
    return int.from_bytes(digest[:4], "big")
