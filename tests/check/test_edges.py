"""Figures of kept edges, against counts by hand and against scikit-learn's curves."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import beta
from sklearn.metrics import roc_auc_score

from trigger_ml.artifacts import EdgeLabels
from trigger_ml.check.edge_results import EdgeComparison, EdgeWitness
from trigger_ml.check.edges import compare_edges
from trigger_ml.errors import DataError

IMAGES, GRID = 60, (9, 3)


def drawn(seed: int = 4) -> tuple[EdgeLabels, NDArray[np.float64]]:
    """Half of the slots hold a candidate, two thirds of those are true; logits that help."""
    rng = np.random.default_rng(seed)
    shape = (IMAGES, *GRID)
    candidates = rng.random(shape) < 0.5
    true = candidates & (rng.random(shape) < 0.66)
    pt = np.where(true, rng.uniform(1, 20, shape), np.nan).astype(np.float32)
    eta = np.where(candidates, rng.uniform(-1, 1, shape), np.nan).astype(np.float32)
    # On a coarse grid, as fixed point is: many logits are equal.
    logits = np.round(rng.normal(np.where(true, 1.0, -1.0), 1.2) * 8) / 8
    return EdgeLabels(true, candidates, pt, eta, rng.integers(0, 4, IMAGES)), logits


def judged(labels: EdgeLabels, logits: NDArray[np.float64], threshold: float = 0.0) -> EdgeWitness:
    kept = {"firmware": logits >= threshold}
    return compare_edges(kept, {"firmware": logits}, labels, threshold=threshold).witnesses[0]


def pearson(passed: int, total: int) -> tuple[float, float]:
    """C. Clopper and E. Pearson's interval, by the quantiles of beta distributions."""
    return (
        float(beta.ppf(0.025, passed, total - passed + 1)),
        float(beta.ppf(0.975, passed + 1, total - passed)),
    )


@pytest.mark.parametrize("threshold", [0.0, -0.5, 1.125])
def test_counts_over_candidates_alone(threshold: float) -> None:
    labels, logits = drawn()
    figures = judged(labels, logits, threshold).figures
    true, kept = labels.true[labels.candidates], logits[labels.candidates] >= threshold
    found, both = int((true & kept).sum()), int((true == kept).sum())
    for share, passed, total in (
        (figures.purity, found, int(kept.sum())),
        (figures.efficiency, found, int(true.sum())),
        (figures.accuracy, both, true.size),
    ):
        assert (share.passed, share.total) == (passed, total)
        assert (share.low, share.high) == pytest.approx(pearson(passed, total))


def test_what_padding_says_does_not_count() -> None:
    labels, logits = drawn()
    loud = np.where(labels.candidates, logits, 99.0)
    assert judged(labels, loud) == judged(labels, np.where(labels.candidates, logits, -99.0))
    quiet = {"a": loud >= 0, "b": logits >= 0}
    found = compare_edges(quiet, {"a": loud, "b": logits}, labels, threshold=0.0)
    assert (found.flips[0].edges.passed, found.flips[0].images) == (0, 0)


def test_the_best_threshold_is_the_best_of_all() -> None:
    labels, logits = drawn()
    best = judged(labels, logits, 1.0).best
    true, values = labels.true[labels.candidates], logits[labels.candidates]
    accuracy = {cut: float(((values >= cut) == true).mean()) for cut in np.unique(values)}
    highest = max(accuracy.values())
    assert best.accuracy.value == highest > ((values >= 1.0) == true).mean()
    assert accuracy[best.threshold] == highest
    assert best == judged(labels, logits, best.threshold).figures
    # Where nothing is worth keeping, the best threshold keeps nothing.
    backwards = judged(labels, np.where(labels.true, -50.0, 50.0), 60.0)
    few = replace(labels, true=labels.true & (np.arange(IMAGES) < 2)[:, None, None])
    none = judged(few, np.where(few.true, -50.0, 50.0)).best
    assert (none.threshold, none.purity.total) == (51.0, 0)
    assert backwards.best.threshold == -50.0


def test_a_threshold_that_cannot_be_bettered_is_kept() -> None:
    labels, _ = drawn()
    logits = np.where(labels.true, 2.0, -2.0)
    for cut in (-1.0, 0.0, 2.0):
        found = judged(labels, logits, cut)
        assert found.best == found.figures
        assert found.best.threshold == cut


def test_the_area_under_the_curve() -> None:
    labels, logits = drawn()
    roc = judged(labels, logits).roc
    assert roc is not None
    true, values = labels.true[labels.candidates], logits[labels.candidates]
    assert roc.auc.value == pytest.approx(roc_auc_score(true, values))
    assert roc.auc.low < roc.auc.value < roc.auc.high
    assert np.all(np.diff(roc.fakes) >= 0)
    assert (roc.efficiency[0], roc.efficiency[-1]) == (0.0, 1.0)
    only = replace(labels, candidates=labels.true)
    assert judged(only, logits).roc is None


def test_efficiency_by_quantity() -> None:
    labels, logits = drawn()
    assert labels.pt is not None and labels.eta is not None
    bins = judged(labels, logits).bins
    assert [item.low for item in bins["pt"]] == [1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0]
    assert bins["pt"][-1].high == 20.0
    inside = labels.true & (labels.pt >= 2) & (labels.pt < 3)
    third = bins["pt"][2].efficiency
    assert (third.passed, third.total) == (int((logits[inside] >= 0).sum()), int(inside.sum()))
    assert sum(item.efficiency.total for item in bins["pt"]) == labels.true.sum()


def test_purity_only_where_fakes_have_the_quantity() -> None:
    labels, logits = drawn()
    assert labels.eta is not None
    bins = judged(labels, logits).bins
    assert all(item.purity is None for item in bins["pt"])
    item = bins["eta"][1]
    inside = labels.candidates & (labels.eta >= item.low) & (labels.eta < item.high)
    inside &= logits >= 0
    assert item.purity is not None
    assert (item.purity.passed, item.purity.total) == (
        int((labels.true & inside).sum()),
        int(inside.sum()),
    )
    lost = labels.eta.copy()
    lost[labels.candidates & ~labels.true] = np.nan
    assert all(b.purity is None for b in judged(replace(labels, eta=lost), logits).bins["eta"])
    assert judged(replace(labels, pt=None, eta=None), logits).bins == {}


def compared() -> tuple[EdgeComparison, EdgeLabels, dict[str, NDArray[np.bool_]]]:
    labels, logits = drawn()
    worse = logits + np.random.default_rng(7).normal(0, 0.7, logits.shape)
    kept = {"float": logits >= 0.5, "quantized": worse >= 0, "firmware": worse >= 0}
    values = {"float": logits, "quantized": worse, "firmware": worse}
    found = compare_edges(kept, values, labels, threshold=0.0, float_threshold=0.5)
    return found, labels, kept


def test_flips_and_changes_between_witnesses() -> None:
    found, labels, kept = compared()
    same, other = found.flipped("quantized", "firmware"), found.flipped("float", "firmware")
    assert same is not None and other is not None
    assert same.edges.passed == same.images == 0
    differs = (kept["float"] != kept["firmware"]) & labels.candidates
    assert other.edges.passed == differs.sum() > 0
    assert other.images == differs.any(axis=(1, 2)).sum()
    changes = {(c.metric, c.left, c.right): c for c in found.changes}
    assert len(changes) == 9
    for metric in ("purity", "efficiency", "accuracy"):
        change = changes[metric, "float", "firmware"]
        before, after = (
            getattr(item.figures, metric).value
            for name in ("float", "firmware")
            if (item := found.of(name)) is not None
        )
        assert change.value == pytest.approx(after - before)
        assert change.low < change.value < change.high
        none = changes[metric, "quantized", "firmware"]
        assert (none.value, none.low, none.high) == (0, 0, 0)
    assert [item.figures.threshold for item in found.witnesses] == [0.5, 0.0, 0.0]


def test_truncated_graphs_are_stated() -> None:
    found, labels, _ = compared()
    assert labels.flags is not None and found.truncated is not None
    assert found.truncated.nodes.passed == (labels.flags & 1).sum()
    assert found.truncated.edges.passed == (labels.flags // 2).sum()
    assert found.truncated.any.passed == (labels.flags > 0).sum()
    assert found.truncated.any.total == IMAGES
    _, logits = drawn()
    silent = compare_edges(
        {"a": logits >= 0}, {"a": logits}, replace(labels, flags=None), threshold=0.0
    )
    assert silent.truncated is None


def test_lock_and_json() -> None:
    found, *_ = compared()
    figures = found.lock_figures()
    assert figures["purity firmware"] == found.witnesses[2].figures.purity.value
    assert {"auc float", "best accuracy quantized", "efficiency firmware"} <= set(figures)
    data = json.loads(json.dumps(found.to_json()))
    assert data["kind"] == "edge" and data["candidates"] == found.candidates
    # A witness that keeps nothing has no purity to hold it to.
    labels, logits = drawn()
    none = compare_edges({"a": logits > 99}, {"a": logits}, labels, threshold=99.5)
    assert "purity a" not in none.lock_figures() and "efficiency a" in none.lock_figures()


def test_the_same_seed_gives_the_same_intervals() -> None:
    assert compared()[0] == compared()[0]


def test_wrong_arrays_are_refused() -> None:
    labels, logits = drawn()
    with pytest.raises(DataError, match=r"must have the shape \(60, 9, 3\), found a \(60, 9\)"):
        compare_edges({"a": logits[..., 0] > 0}, {"a": logits}, labels, threshold=0.0)
    with pytest.raises(DataError, match="kept of"):
        compare_edges({"a": logits > 0}, {}, labels, threshold=0.0)
    with pytest.raises(DataError, match="no candidate edge is true"):
        compare_edges({"a": logits > 0}, {"a": logits},
                      replace(labels, true=~labels.candidates), threshold=0.0)  # fmt: skip
