"""Which edges of graphs the float model, the quantized one and the firmware keep.

Every slot of an image may hold one candidate edge; slots that hold none are padding, and nothing
there counts. An edge is *kept* where its logit reaches a threshold. Over candidates alone,

    purity = TP / (TP + FP),   efficiency = TP / (TP + FN),   accuracy = (TP + TN) / candidates

as of S. Farrell et al. (arXiv:1810.06111). Intervals of shares are those of C. Clopper and
E. Pearson (Biometrika 26 (1934) 404). Edges of one image come together, so the intervals of the
area under the ROC curve and of changes are percentile bootstrap intervals over images (B. Efron,
Ann. Statist. 7 (1979) 1), those of a change on the same images for both witnesses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.artifacts import EdgeLabels
from trigger_ml.check.edge_results import (
    EdgeBin,
    EdgeChange,
    EdgeComparison,
    EdgeFigures,
    EdgeFlips,
    EdgeRoc,
    EdgeWitness,
    Metric,
    Truncation,
)
from trigger_ml.check.masks import even_edges
from trigger_ml.check.physics_results import Estimate
from trigger_ml.check.roc import FloatArray, area, background_at, corners, rank, resample
from trigger_ml.check.segmentation import LEVEL, Share
from trigger_ml.errors import Blocker, DataError
from trigger_ml.event_edges import FLAG_EDGES, FLAG_NODES

__all__ = ["compare_edges"]

PT_EDGES: Final = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0, 20.0, 50.0, 100.0, 1000.0)
"""GeV; those beyond the edges at hand are left out."""
ROC_GRID: Final[FloatArray] = np.unique(
    np.concatenate([np.linspace(0, 0.9, 46), np.linspace(0.9, 1, 51)]).round(4)
)
"""Efficiencies at which a ROC curve is kept for plots: closer where trackers work."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Edges:
    """All candidates in one row. image: the image of each. drawn: how often each image occurs in
    the sample itself and in every resample, (1 + resamples, images)."""

    labels: EdgeLabels
    true: Bools
    image: NDArray[np.int64]
    drawn: NDArray[np.int32]

    def by_image(self, chosen: Bools) -> NDArray[np.int64]:
        """Those chosen, counted for each image."""
        return np.bincount(self.image[chosen], minlength=len(self.labels.true))


def compare_edges(
    kept: Mapping[str, Bools],
    logits: Mapping[str, FloatArray],
    labels: EdgeLabels,
    *,
    threshold: float,
    float_threshold: float | None = None,
    resamples: int = 200,
    seed: int = 1,
) -> EdgeComparison:
    """Judge several witnesses. kept, logits: (images, height, width) each, by witness.

    Raises DataError for arrays of another shape than the labels, and when no candidate is true.
    """
    _require(kept, logits, labels)
    rows = labels.candidates
    drawn = np.stack(list(resample(len(rows), resamples, seed)))
    edges = _Edges(labels, labels.true[rows], np.nonzero(rows)[0], drawn)
    flat = {name: array[rows] for name, array in kept.items()}
    cuts = {name: threshold for name in kept}
    if float_threshold is not None and "float" in cuts:
        cuts["float"] = float_threshold
    pairs = list(combinations(kept, 2))
    counts = {name: _counts(edges, array) for name, array in flat.items()}
    return EdgeComparison(
        (rows.shape[1], rows.shape[2]),
        len(rows),
        edges.true.size,
        int(edges.true.sum()),
        LEVEL,
        threshold,
        threshold if float_threshold is None else float_threshold,
        resamples,
        seed,
        _truncation(labels),
        _witnesses(edges, flat, {name: array[rows] for name, array in logits.items()}, cuts),
        tuple(_flips(pair, edges, flat) for pair in pairs),
        tuple(change for pair in pairs for change in _changes(pair, counts)),
    )


def _require(
    kept: Mapping[str, Bools], logits: Mapping[str, FloatArray], labels: EdgeLabels
) -> None:
    shape = labels.true.shape
    arrays = [*kept.items(), *logits.items(), ("candidates", labels.candidates)]
    wrong = [f"{name} {array.shape}" for name, array in arrays if array.shape != shape]
    if wrong or not kept or kept.keys() != logits.keys():
        found = ", ".join(wrong) or f"kept of {list(kept)}, logits of {list(logits)}"
        raise DataError(Blocker("edges", f"must have the shape {shape}, found {found}"))
    if not (labels.true & labels.candidates).any():
        raise DataError(Blocker("edges", "no candidate edge is true, so nothing can be found"))


def _truncation(labels: EdgeLabels) -> Truncation | None:
    if labels.flags is None:
        return None
    nodes, edges = (labels.flags & bit != 0 for bit in (FLAG_NODES, FLAG_EDGES))
    return Truncation(Share.of(nodes), Share.of(edges), Share.of(nodes | edges))


def _witnesses(
    edges: _Edges,
    kept: Mapping[str, Bools],
    logits: Mapping[str, FloatArray],
    cuts: Mapping[str, float],
) -> tuple[EdgeWitness, ...]:
    found: dict[str, EdgeWitness] = {}
    for name, array in kept.items():
        # The firmware repeats the quantized model to the bit: its curve need not be drawn twice.
        twin = next((other for other in found if np.array_equal(logits[other], logits[name])), None)
        figures = _figures(cuts[name], edges.true, array)
        roc = found[twin].roc if twin else _roc(edges, logits[name])
        best = _best(figures, edges.true, logits[name])
        found[name] = EdgeWitness(name, figures, best, roc, _bins(edges, array))
    return tuple(found.values())


def _figures(threshold: float, true: Bools, kept: Bools) -> EdgeFigures:
    found = int((true & kept).sum())
    return EdgeFigures(
        threshold,
        Share.counted(found, int(kept.sum())),
        Share.counted(found, int(true.sum())),
        Share.of(true == kept),
    )


def _best(used: EdgeFigures, true: Bools, logits: FloatArray) -> EdgeFigures:
    """Figures at the threshold with the highest accuracy: the one in use where it has that, else
    the nearest to it."""
    order = np.argsort(-logits, kind="stable")
    ranked = logits[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    right = np.cumsum(np.where(true[order], 1, -1))[ends]
    places, gains = np.append(ranked[0] + 1.0, ranked[ends]), np.append(0, right)
    highest = int(gains.max())
    if used.accuracy.passed == highest + int((~true).sum()):
        return used
    best = places[gains == highest]
    cut = float(best[np.abs(best - used.threshold).argmin()])
    return _figures(cut, true, logits >= cut)


def _roc(edges: _Edges, logits: FloatArray) -> EdgeRoc | None:
    ranking = rank(logits, edges.true)
    if not ranking.signal.size or not ranking.background.size:
        return None
    areas = []
    for weights in edges.drawn:
        true, false = corners(ranking, weights[edges.image])
        if true[-1] and false[-1]:
            areas.append(area(true, false))
    low, high = _central(np.array(areas[1:] or areas[:1]))
    points = (ranking.true_at.astype(np.float64), ranking.false_at.astype(np.float64))
    fakes = background_at(*points, ROC_GRID)
    return EdgeRoc(
        Estimate(areas[0], low, high),
        tuple(ROC_GRID.tolist()),
        tuple(float(f"{x:.7g}") for x in fakes),
    )


def _central(drawn: FloatArray) -> tuple[float, float]:
    """The central interval of what the resamples gave."""
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], method="inverted_cdf")
    return float(low), float(high)


def _bins(edges: _Edges, kept: Bools) -> dict[str, tuple[EdgeBin, ...]]:
    """Figures by whatever is known of the edges; quantities without an edge are left out."""
    found = {}
    for name in ("pt", "eta"):
        whole = getattr(edges.labels, name)
        if whole is not None:
            values = whole[edges.labels.candidates].astype(np.float64)
            places = PT_EDGES if name == "pt" else even_edges(values[edges.true])
            found[name] = _trimmed(_binned(edges.true, kept, values, places))
    return {name: bins for name, bins in found.items() if bins}


def _binned(
    true: Bools, kept: Bools, values: FloatArray, places: Sequence[float]
) -> tuple[EdgeBin, ...]:
    pure = not true.all() and bool(np.isfinite(values[~true]).all())
    found = []
    for low, high in pairwise(places):
        inside = (values >= low) & (values < high)
        purity = Share.of(true[inside & kept]) if pure else None
        found.append(EdgeBin(low, high, Share.of(kept[inside & true]), purity))
    return tuple(found)


def _trimmed(bins: Sequence[EdgeBin]) -> tuple[EdgeBin, ...]:
    """Without the bins before the first and behind the last that hold a true edge."""
    filled = [index for index, item in enumerate(bins) if item.efficiency.total]
    return tuple(bins[filled[0] : filled[-1] + 1]) if filled else ()


def _flips(pair: tuple[str, str], edges: _Edges, kept: Mapping[str, Bools]) -> EdgeFlips:
    differs = kept[pair[0]] != kept[pair[1]]
    return EdgeFlips(*pair, Share.of(differs), len(np.unique(edges.image[differs])))


def _counts(edges: _Edges, kept: Bools) -> dict[str, FloatArray]:
    """Each metric of the sample (index 0) and of every resample; NaN where nothing is counted."""
    found = edges.by_image(edges.true & kept)
    parts = {
        "purity": (found, edges.by_image(kept)),
        "efficiency": (found, edges.by_image(edges.true)),
        "accuracy": (edges.by_image(edges.true == kept), edges.by_image(edges.true | True)),
    }
    metrics = {}
    for name, (part, whole) in parts.items():
        total = (edges.drawn @ whole).astype(np.float64)
        empty = np.full(total.shape, np.nan)
        metrics[name] = np.divide(edges.drawn @ part, total, out=empty, where=total > 0)
    return metrics


def _changes(
    pair: tuple[str, str], counts: Mapping[str, Mapping[str, FloatArray]]
) -> list[EdgeChange]:
    found = []
    left, right = pair
    names: tuple[Metric, ...] = ("purity", "efficiency", "accuracy")
    for metric in names:
        differences = counts[right][metric] - counts[left][metric]
        value, drawn = float(differences[0]), differences[1:]
        drawn = drawn[np.isfinite(drawn)]
        if np.isfinite(value) and drawn.size:
            found.append(EdgeChange(metric, left, right, value, *_central(drawn)))
    return found
