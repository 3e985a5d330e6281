"""What a trial of XGBoost needs: memory by phase, CPU seconds, size and latency, GPU memory."""

from __future__ import annotations

import math

from workers.families.base import Cost, DataShape, Parameters
from workers.families.configurations import number, text, whole
from workers.families.phases import MIB, peaks, training_rows_bytes, validation_rows_bytes
from workers.families.preprocessing import category_sizes

CUDA_CONTEXT_BYTES = 500_000_000
"""Device memory of a process that has opened a device: 0.3 to 0.6 GB by reports, not measured."""
CUDA_HOST_BYTES = 256 * MIB
"""Anonymous host memory of the CUDA runtime: an allowance, not measured."""
_CUDA_NODES = 4096
"""Histograms that are kept on a GPU at most, by the library's default."""


def cost(shape: DataShape, parameters: Parameters, cpus: int, gpus: float) -> Cost:
    """One fold's histograms, quantised rows, gradients and trees.

    n train rows, d features, B bins, K' outputs, T threads, N nodes with a histogram.
    histograms: 16·d·B·N·(1+0.09(T−1)); two float64 a bin (hist_cache.h), one cache a tree.
    quantised rows: 6.8·n·d; sketches: 494·d·B; gradients: 0.6·n·(12K'+32); runtime: 1 MB.
    trees: 100 bytes a node and its categories. serialised model: 3.3 × its file, 5 kB a tree.
    Example: 80,000 x 50, depth 6, 2 threads: 64 nodes, 14 MB of histograms, 27 MB of
    quantised rows, 6 MB of sketches, 2 MB of gradients, and 18 MB of the fold's rows: 69 MB.
    Known error: predicted/actual 1.0 to 1.6, .75 for trees of depth 10 without the cap.

    With a GPU the histograms are there, and the host holds the CUDA runtime (never measured).
    """
    n, d, outputs = shape.train_rows, shape.features, shape.outputs
    bins = min(whole(parameters, "max_bin"), n)
    trees = whole(parameters, "n_estimators") * outputs
    nodes, cached = tree_nodes(shape, parameters), _cached_nodes(shape, parameters)
    per_node = 40 + _category_bytes(shape)
    model_bytes = int(trees * (per_node * nodes + 400) + 5000)
    held = {"trees": (60 + per_node) * trees * nodes, "runtime": MIB}
    on_host = {"histograms": 16 * d * bins * cached * (1 + 0.09 * (cpus - 1))}
    if gpus:
        on_host = {}
        held["CUDA runtime"] = CUDA_HOST_BYTES
    fit = held | on_host | {
        "training rows": training_rows_bytes(shape),
        "quantised rows": 6.8 * n * d,
        "sketches": 494 * d * bins,
        "gradients": 0.6 * n * (12 * outputs + 32),
    }  # fmt: skip
    predict = held | {"validation rows": validation_rows_bytes(shape)}
    save = held | {"serialised model": 3.3 * model_bytes + 5000 * trees}
    peak = peaks(shape, fit, predict, save)
    return Cost(
        memory_terms=peak.terms,
        cpu_seconds=shape.folds * _fold_seconds(shape, parameters, bins, nodes),
        model_bytes=model_bytes,
        predict_seconds=2e-4 + 3e-7 * trees,
        phases=peak.phases,
        gpu_memory_bytes=gpu_bytes(shape, parameters) if gpus else 0,
    )


def gpu_bytes(shape: DataShape, parameters: Parameters) -> int:
    """Device memory of a fit, from the library's source; never measured, as no device was there.

    rows (ELLPACK): n·d·b/8, b = ⌈log2(B+1)⌉ bits, or ⌈log2(all bins + 1)⌉ with missing cells.
    histograms: 2·16·bins·min(N, 4096), N nodes of a tree within `max_cached_hist_node`, as the
    vector doubles when it grows (gpu_hist/histogram.cuh). gradients: 8·n·K'. row index: 2·4·n.
    predictions: 4·n·K'. labels: 8·n. context: 0.5 GB.
    Example: 80,000 x 50, depth 6: 4.5 MB of rows, 26 of histograms, 1.9 MB of the rest: 532 MB.
    """
    n, d, outputs = shape.train_rows, shape.features, shape.outputs
    of_feature = min(whole(parameters, "max_bin"), n)
    numeric = d - shape.categorical_features
    bins = max(1, numeric * of_feature + shape.category_levels)
    symbols = bins if shape.cells_missing else max(of_feature, *category_sizes(shape), 1)
    bits = math.ceil(math.log2(symbols + 1))
    nodes = min(_CUDA_NODES, _cached_nodes(shape, parameters))
    rows = n * d * bits / 8
    return int(
        rows + 2 * 16 * bins * nodes + n * (8 * outputs + 8 + 4 * outputs + 8) + CUDA_CONTEXT_BYTES
    )


def _cached_nodes(shape: DataShape, parameters: Parameters) -> float:
    """Nodes of a tree whose histograms are held at once; a cap below 256 does nothing."""
    cap = max(256, whole(parameters, "max_cached_hist_node"))
    return min(tree_nodes(shape, parameters, with_histogram=True), cap)


def tree_nodes(shape: DataShape, parameters: Parameters, *, with_histogram: bool = False) -> float:
    """Nodes of one tree: the structure's limit, then what the rows can fill.

    with_histogram: only those; the deepest level of a tree grown by depth has none.

    A leaf needs a hessian of min_child_weight. Rows start with up to ¼ for classes and 1 for
    regression; over the rounds, and as leaves are seldom as small as allowed, 0.06 and 0.5 remain
    (measured: 0.03 on noisy classes).
    Above n/32 nodes growth slows: full·(N/full)^0.3, fitted to measured peaks.
    """
    n = shape.train_rows
    hessian = 0.5 if shape.classes == 0 else 0.06
    if text(parameters, "grow_policy") == "depthwise":
        limit = 2.0 ** (whole(parameters, "max_depth") + (0 if with_histogram else 1)) - 1
    else:
        limit = 2.0 * whole(parameters, "max_leaves") - 1
    nodes = min(limit, 2 * n * hessian / number(parameters, "min_child_weight"), 2.0 * n)
    full = max(1.0, n / 32)
    if nodes > full:
        nodes = full * (nodes / full) ** 0.3
    return max(1.0, nodes)


def _category_bytes(shape: DataShape) -> float:
    """Bytes a node to store the categories of a split: 4 each, at most 64, half of the levels.

    Splits prefer categories by about a third over their share of the features (measured).
    """
    if not shape.categorical_features:
        return 0.0
    levels = shape.category_levels / shape.categorical_features
    share = min(1.0, 1.35 * shape.categorical_features / shape.features)
    return 4 * min(64.0, levels / 2) * share


def _fold_seconds(shape: DataShape, parameters: Parameters, bins: int, nodes: float) -> float:
    """CPU seconds of one fold, fitted on noisy machines: predicted/actual .8 to 1.7.

    0.08 + 2.2e-7·n·d + R·K'·(1.3e-9·n'·d'·D + 1.2e-8·N·d'·B + 4e-8·N·L'), n' and d' after
    subsampling, L' levels of the categories that are left: each node sorts them by their gain.
    """
    share = number(parameters, "colsample_bytree") * number(parameters, "colsample_bylevel")
    n, d = shape.train_rows, shape.features
    rows, columns = n * number(parameters, "subsample"), d * share
    trees = whole(parameters, "n_estimators") * shape.outputs
    per_tree = 1.3e-9 * rows * columns * math.log2(nodes + 1) + 1.2e-8 * nodes * columns * bins
    per_tree += 4e-8 * nodes * shape.category_levels * share
    return 0.08 + 2.2e-7 * n * d + trees * per_tree
