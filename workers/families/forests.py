"""What random forests and extra trees share: parameters, the cost of deep trees, prediction.

Trees take missing values as they are and category codes as numbers: codes are ranks by frequency.
"""

# ruff: noqa: PLC0415  # learning libraries are imported where they are used: see base.py
from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from workers.families.base import (
    Choices,
    Cost,
    DataShape,
    FeatureInfo,
    Growth,
    Integers,
    Parameter,
    Parameters,
    Value,
)
from workers.families.configurations import halvings, text, variation, whole, whole_or_none
from workers.families.estimators import EstimatorFamily, Fitted, library_scores
from workers.families.growth import ratio
from workers.families.phases import (
    MIB,
    peaks,
    training_rows_bytes,
    validation_rows_bytes,
    written_bytes,
)

_FEW_ROWS = 256
"""Up to here a loop over the trees is faster than the library's thread pool: 10 times for 1 row."""

_TREE_BYTES = 1500
"""Of a tree in memory beside its nodes."""

_FILE_BYTES, _TREE_FILE_BYTES = 1500, 384
"""Of a model's files beside its trees, and of a tree in them beside 8 a class and its nodes: exact
to 100 bytes a tree (measured for 0 to 23 classes, 20 and 200 trees)."""

_FEWEST_NODES = 8
"""Smaller trees tell nothing: their size is lost in what else a file holds."""

_UNCUT_SHARE = 1e-2
"""A tree with so small a share of the nodes that its depth allows was not cut by it."""

_PARAMETERS = (
    Parameter("n_estimators", Integers(50, 600, log=True), 100, "Trees."),
    Parameter(
        "max_features",
        Choices(("sqrt", 0.33, 0.5, 0.75, 1.0)),
        "sqrt",
        "Share of the features that a split looks at.",
    ),
    Parameter("min_samples_leaf", Integers(1, 64, log=True), 1, "Least rows in a leaf."),
    Parameter(
        "max_depth", Choices((None, 30, 20, 15, 10, 6)), None, "Depth of a tree; none: no limit."
    ),
    Parameter(
        "criterion",
        Choices(("gini", "entropy")),
        "gini",
        "How a split is judged. Regression always uses the squared error.",
    ),
)


class Forest(EstimatorFamily):
    """A forest of independent trees.

    sampled_share: distinct rows a tree sees. class_fill: nodes grown as a share of
    2·rows/min_samples_leaf with 2 classes and with 8 or more; regression grows all.
    split_seconds: CPU seconds a row, candidate feature and level.
    """

    parameters = _PARAMETERS
    grows_trees = True
    sampled_share: float
    class_fill: tuple[float, float]
    split_seconds: float

    def build(self, is_classification: bool, settings: dict[str, Any]) -> Any:
        """The library's estimator."""
        raise NotImplementedError

    def portfolio(self, shape: DataShape) -> tuple[dict[str, Value], ...]:
        """Shallow leaves first, then more trees; regression looks at more features a split."""
        wide: Value = 0.33 if shape.classes == 0 else "sqrt"
        return (
            variation(_PARAMETERS),
            variation(_PARAMETERS, n_estimators=200, min_samples_leaf=4, max_features=wide),
            variation(_PARAMETERS, n_estimators=300, max_features=0.5, min_samples_leaf=2),
        )

    def cost(
        self,
        shape: DataShape,
        parameters: Parameters,
        cpus: int,
        gpus: float = 0.0,  # noqa: ARG002  # no GPU support
    ) -> Cost:
        """Trees, which hold nearly all memory, and each thread's row indices and weights.

        t trees, N nodes a tree, K class columns (1 for regression), n train rows, T threads.
        trees: t·N·(64+8K), exact given N: 64 bytes of node and 8 of value a class.
        N: see `_nodes`; it is the known error. work: (16+75·T)·n. runtime: 1 MB.
        Example: 16,000 rows, 2 classes, 100 random-forest trees of min_samples_leaf 1: N = 6,067
        with fill .3, 49 MB of trees.
        """
        n, trees = shape.train_rows, whole(parameters, "n_estimators")
        nodes = min(self._nodes(shape, parameters), _nodes_within(parameters))
        tree_bytes = trees * (nodes * _node_bytes(shape) + _TREE_BYTES)
        held = {"trees": tree_bytes, "runtime": MIB}
        fit = held | {"training rows": training_rows_bytes(shape), "work": (16 + 75 * cpus) * n}
        predict = held | {
            "validation rows": validation_rows_bytes(shape),
            "scores": 8 * (cpus + 1) * shape.validation_rows * max(1, shape.classes),
        }
        save = held | {"piece of a tree": written_bytes(tree_bytes / trees)}
        peak = peaks(shape, fit, predict, save)
        depth = math.log2(nodes + 1)
        per_tree = self.split_seconds * n * self._candidates(shape, parameters) * depth
        scoring = 1.5e-7 * trees * depth * shape.validation_rows
        return Cost(
            memory_terms=peak.terms,
            cpu_seconds=shape.folds * (0.05 + trees * (1e-3 + per_tree) + scoring),
            model_bytes=_model_bytes(shape, trees, nodes),
            predict_seconds=2e-4 + 4e-6 * trees,
            phases=peak.phases,
            most_bytes=self._most_bytes(shape, parameters, cpus),
        )

    def lighter(self, parameters: Parameters) -> Iterator[dict[str, Value]]:
        """Larger leaves, then limited depth, then fewer trees."""
        changes: dict[str, Value] = {}
        for rows in (2, 4, 8, 16, 32, 64):
            if rows > whole(parameters, "min_samples_leaf"):
                changes["min_samples_leaf"] = rows
                yield dict(changes)
        for depth in (15, 10, 6):
            if depth < (whole_or_none(parameters, "max_depth") or 64):
                changes["max_depth"] = depth
                yield dict(changes)
        for trees in halvings(whole(parameters, "n_estimators"), 50):
            changes["n_estimators"] = trees
            yield dict(changes)

    def fit(
        self,
        features: FeatureInfo,
        parameters: Parameters,
        X: Any,
        y: Any,
        sample_weight: Any | None,
        seed: int,
    ) -> Fitted:
        """See `Family.fit`. Float32 rows are used without a copy."""
        settings: dict[str, Any] = {
            "n_estimators": whole(parameters, "n_estimators"),
            "max_features": _share(parameters),
            "min_samples_leaf": whole(parameters, "min_samples_leaf"),
            "max_depth": whole_or_none(parameters, "max_depth"),
            "criterion": text(parameters, "criterion") if features.classes else "squared_error",
            "n_jobs": features.cpus,
            "random_state": seed,
        }
        forest = self.build(features.classes > 0, settings)
        return Fitted(forest.fit(X, y, sample_weight=sample_weight), features.classes)

    def scores(self, model: Fitted, X: Any) -> Any:
        """See `EstimatorFamily.scores`. Few rows are scored without a thread pool."""
        if len(X) > _FEW_ROWS:
            return library_scores(model, X)
        import numpy as np

        rows = np.ascontiguousarray(X, dtype=np.float32)
        trees = model.estimator.estimators_
        return sum(tree.tree_.predict(rows) for tree in trees) / len(trees)

    def _nodes(self, shape: DataShape, parameters: Parameters) -> float:
        """Nodes of a tree: what the rows fill, cut by the depth.

        The rows fill 2·n·share/min_samples_leaf times a fill, which depends on the data: between
        .01 and 1. Where trees grew on these data, they tell (`workers.families.growth`); elsewhere
        `class_fill` does: .01 (few distinct rows) to 2.2 times as many grew. Never more than 2 a
        row that a tree sees, nor than its depth allows; `_nodes_within` looks closer at that.
        """
        leaf, share = whole(parameters, "min_samples_leaf"), self._split_share(shape, parameters)
        n, filled = shape.train_rows, self._filled(shape, leaf)
        seen = ratio(shape.growths, self.name, filled * leaf / n, leaf, share)
        nodes = min(filled * seen, 2.0 * n * self.sampled_share / leaf)
        depth = whole_or_none(parameters, "max_depth")
        return max(1.0, nodes if depth is None else min(nodes, 2.0 ** (depth + 1) - 1))

    def _filled(self, shape: DataShape, leaf: int) -> float:
        """Nodes of a tree of unlimited depth, as far as the shape alone tells."""
        few, many = self.class_fill
        fill = few + (many - few) * min(1.0, (shape.classes - 2) / 6) if shape.classes else 1.0
        return 2 * shape.train_rows * self.sampled_share * fill / leaf

    def grown(self, shape: DataShape, parameters: Parameters, model_bytes: int) -> Growth | None:
        """See `Family.grown`. The nodes are exact; a limited depth tells only of itself."""
        per_tree = (model_bytes - _FILE_BYTES) / whole(parameters, "n_estimators")
        nodes = (per_tree - _file_overhead(shape)) / _node_bytes(shape)
        depth = whole_or_none(parameters, "max_depth")
        is_cut = depth is not None and nodes > _UNCUT_SHARE * (2.0 ** (depth + 1) - 1)
        if nodes < _FEWEST_NODES or is_cut:
            return None
        share = self._split_share(shape, parameters)
        leaf = whole(parameters, "min_samples_leaf")
        return Growth(self.name, leaf, share, nodes / shape.train_rows)

    def _most_bytes(self, shape: DataShape, parameters: Parameters, cpus: int) -> int:
        """No forest of this configuration can hold more: every leaf as small as allowed.

        t·N·(64+8K) with N = min(2·n'/min_samples_leaf − 1, 2^(D+1) − 1); n' are the distinct rows
        of a tree, all n without bootstrap, else .632·n + 2·√n: six standard deviations above the
        mean. 2·T·N·(64+8K): the trees being grown, whose arrays double. The rest as in `cost`, 6 kB
        of Python objects a tree, and 16 MiB for the pool of threads and what is written at once.
        """
        n, classes = shape.train_rows, max(1, shape.classes)
        distinct = n if self.sampled_share >= 1 else self.sampled_share * n + 2 * math.sqrt(n)
        leaves = max(1.0, min(n, distinct) // whole(parameters, "min_samples_leaf"))
        depth, nodes = whole_or_none(parameters, "max_depth"), 2 * leaves - 1
        if depth is not None:
            nodes = min(nodes, 2.0 ** (depth + 1) - 1)
        tree_bytes, trees = nodes * (64 + 8 * classes), whole(parameters, "n_estimators")
        scores = 8 * (cpus + 1) * shape.validation_rows * classes + validation_rows_bytes(shape)
        growing = 2 * cpus * tree_bytes + (16 + 75 * cpus) * n + training_rows_bytes(shape)
        return int(trees * (tree_bytes + 6000) + max(growing, scores) + 16 * MIB)

    def _candidates(self, shape: DataShape, parameters: Parameters) -> float:
        return self._split_share(shape, parameters) * shape.features

    def _split_share(self, shape: DataShape, parameters: Parameters) -> float:
        """Share of the features that a split looks at."""
        share = _share(parameters)
        return 1 / math.sqrt(max(1, shape.features)) if share == "sqrt" else float(share)


def _node_bytes(shape: DataShape) -> int:
    """Of a node, in memory and in a file: 64, and 8 of value a class."""
    return 64 + 8 * max(1, shape.classes)


def _model_bytes(shape: DataShape, trees: int, nodes: float) -> int:
    return int(_FILE_BYTES + trees * (_file_overhead(shape) + nodes * _node_bytes(shape)))


def _file_overhead(shape: DataShape) -> int:
    return _TREE_FILE_BYTES + 8 * shape.classes


def _nodes_within(parameters: Parameters) -> float:
    """Nodes whose memory a tree of limited depth holds: fewer than 2^(D+1) − 1, as trees are not
    balanced, but the 2,047 that the library's arrays begin with up to depth 10: what is given back
    of those when a tree is done is too small a hole for the next.

    (2^(D+1))^(1 − D/100): 19 % of 2^(D+1) at depth 15. Measured on real tables: 6 to 11 %.
    """
    depth = whole_or_none(parameters, "max_depth")
    return math.inf if depth is None else max(2047.0, 2.0 ** ((depth + 1) * (1 - depth / 100)))


def _share(parameters: Parameters) -> Any:
    """`max_features` as the library takes it: a float share or a word."""
    value = parameters["max_features"]
    return value if isinstance(value, str) else float(value or 0)
