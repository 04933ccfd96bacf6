"""Paired intervals: known widths, coverage, and what too few events look like."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import pytest

from trigger_ml.check.physics_results import Estimate
from trigger_ml.compress.metrics.change import MetricChange
from trigger_ml.compress.metrics.find import (
    compare_metric,
    find_metric,
    not_worse,
    require_resolution,
)
from trigger_ml.compress.metrics.kinds import Auc, UserMetric
from trigger_ml.errors import ConfigError, DataError

ALL = (
    "accuracy",
    "auc",
    "auc:1",
    "rejection@0.6",
)


def events(count: int, seed: int, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of two networks that err alike, and labels of three classes."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 3, count)
    scores = draw.normal(size=(count, 3)) + 1.5 * np.eye(3)[labels]
    return scores, scores + noise * draw.normal(size=scores.shape), labels


def images(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    labels = (draw.random((count, 12)) < 0.3).astype(np.int64)
    scores = draw.normal(size=labels.shape) + 2 * labels - 1
    return scores, scores + 0.3 * draw.normal(size=labels.shape), labels


def test_accuracy_by_hand() -> None:
    # 100 events: the reference is right on 80, the candidate loses 6 of these and wins 2.
    labels = np.ones(100, dtype=np.int64)
    reference = np.where(np.arange(100) < 80, 1.0, -1.0)
    candidate = reference.copy()
    candidate[:6], candidate[-2:] = -1.0, 1.0
    found = compare_metric(find_metric("accuracy", ()), reference, candidate, labels)
    assert found.change.value == pytest.approx(-0.04)
    error = math.sqrt(9 - 16 / 102) / 102
    assert found.change.low == pytest.approx(-4 / 102 - 1.959964 * error)
    assert found.change.high == pytest.approx(-4 / 102 + 1.959964 * error)
    assert found.lower_bound == pytest.approx(-4 / 102 - 1.644854 * error)
    # Wilson's interval of 80 of 100, as in any table.
    assert found.reference.value == 0.8
    interval = (found.reference.low, found.reference.high)
    assert interval == pytest.approx((0.7111, 0.8666), abs=1e-4)
    assert found.half_width == pytest.approx(1.959964 * error)


@pytest.mark.parametrize("text", ALL)
def test_the_closed_forms_are_the_bootstraps(text: str) -> None:
    reference, candidate, labels = events(1500, 3)
    metric = find_metric(text, ())
    found = compare_metric(metric, reference, candidate, labels)
    drawn = compare_metric(UserMetric(text, metric), reference, candidate, labels, replicas=200)
    for name in ("reference", "candidate", "change"):
        ours, theirs = getattr(found, name), getattr(drawn, name)
        assert ours.value == pytest.approx(theirs.value)
        assert ours.high - ours.low == pytest.approx(theirs.high - theirs.low, rel=0.25)
    assert found.lower_bound == pytest.approx(drawn.lower_bound, abs=0.4 * found.half_width)


@pytest.mark.parametrize(
    "text", ["edge_purity", "edge_efficiency@0.4", "muon_efficiency", "muon_fake_rate"]
)
def test_ratios_are_weighed_as_resampled_events_are(text: str) -> None:
    reference, candidate, labels = images(500, 4)
    metric = find_metric(text, ())
    found = compare_metric(metric, reference, candidate, labels, replicas=60)
    drawn = compare_metric(UserMetric(text, metric), reference, candidate, labels, replicas=60)
    assert found.reference == drawn.reference
    assert found.candidate == drawn.candidate
    assert found.change == drawn.change


def test_rejection_is_weighed_as_resampled_events_are() -> None:
    reference, candidate, labels = events(2000, 6)
    metric = find_metric("rejection@0.6", ())
    found = compare_metric(metric, reference, candidate, labels, replicas=60)
    drawn = compare_metric(UserMetric("x", metric), reference, candidate, labels, replicas=60)
    assert found.reference.low == pytest.approx(drawn.reference.low)
    assert found.candidate.high == pytest.approx(drawn.candidate.high)


def coverage(
    text: str, draw: Callable[[int, int], tuple[np.ndarray, ...]], count: int, tries: int
) -> tuple[float, float]:
    """Shares of samples whose paired interval holds the true change, and whose bound does."""
    metric = find_metric(text, ())
    reference, candidate, labels = draw(100_000, 99)
    truth = metric(candidate, labels) - metric(reference, labels)
    inside = below = 0
    for seed in range(tries):
        found = compare_metric(metric, *draw(count, seed), replicas=100, seed=seed)
        inside += found.change.low <= truth <= found.change.high
        below += found.lower_bound <= truth
    return inside / tries, below / tries


@pytest.mark.parametrize(
    ("text", "draw", "count"),
    [
        ("accuracy", events, 300),
        ("auc:0", events, 300),
        ("auc", events, 300),
        ("edge_efficiency", images, 100),
    ],
)
def test_intervals_cover(text: str, draw: Callable[..., tuple], count: int) -> None:
    # Binomial: 95 % of 150 samples with a deviation of 1.8 %; the limit is four of them away.
    inside, below = coverage(text, draw, count, 150)
    assert 0.88 <= inside < 1
    assert 0.88 <= below < 1


def test_pairing_narrows_the_interval() -> None:
    reference, candidate, labels = events(4000, 5, noise=0.1)
    for text in ALL:
        found = compare_metric(find_metric(text, ()), reference, candidate, labels)
        alone = found.reference.high - found.reference.low
        assert 2 * found.half_width < 0.7 * alone, text


@pytest.mark.parametrize(
    ("text", "make"),
    [
        ("accuracy", events),
        ("auc", events),
        ("rejection@0.8", events),
        ("edge_purity", images),
        ("muon_efficiency", images),
        ("muon_fake_rate", images),
    ],
)
def test_agreement_on_few_events_proves_little(text: str, make: Callable[..., tuple]) -> None:
    widths = []
    for count in (400, 6400):
        scores, _, labels = make(count, 7)
        found = compare_metric(find_metric(text, ()), scores, scores, labels)
        assert found.change.value == 0
        assert found.change.low < 0 < found.change.high
        assert found.lower_bound < 0
        widths.append(found.half_width)
    assert widths[1] < widths[0] / 8
    assert not not_worse(found, 0.0)


def test_not_worse() -> None:
    nothing = Estimate(0.0, 0.0, 0.0)
    found = MetricChange("auc", 1, 100, 0.95, nothing, nothing, nothing, -0.002)
    assert not_worse(found, 0.002)
    assert not not_worse(found, 0.0019)
    for wrong in (-0.1, math.nan, math.inf):
        with pytest.raises(ConfigError, match="tolerance"):
            not_worse(found, wrong)


def test_the_events_that_would_do() -> None:
    change = Estimate(0.0, -0.02, 0.02)
    found = MetricChange("auc", 1, 1000, 0.95, change, change, change, -0.02)
    require_resolution(found, 0.02)
    with pytest.raises(DataError, match="give about 4,000 events"):
        require_resolution(found, 0.01)
    with pytest.raises(DataError, match="allow a larger loss"):
        require_resolution(found, 0.0)


def test_that_many_events_do() -> None:
    metric = find_metric("accuracy", ())
    few = compare_metric(metric, *events(1000, 1))
    tolerance = few.half_width / 3
    with pytest.raises(DataError):
        require_resolution(few, tolerance)
    require_resolution(compare_metric(metric, *events(10_000, 2)), tolerance)


def test_less_of_a_rate_is_shown_as_less() -> None:
    reference, candidate, labels = images(400, 8)
    found = compare_metric(find_metric("muon_fake_rate", ()), reference, candidate, labels)
    shown = found.shown()
    assert shown["reference"].value == -found.reference.value > 0
    assert shown["change"].low == -found.change.high
    assert all(item.low <= item.value <= item.high for item in shown.values())
    more = compare_metric(find_metric("muon_fake_rate", ()), reference, reference + 0.5, labels)
    assert more.change.value < 0 < more.shown()["change"].value
    assert found.to_json()["change"]["value"] == found.change.value


def test_what_has_no_value_is_refused() -> None:
    score, labels = np.arange(50.0), np.repeat([0, 1], 25)
    metric = find_metric("rejection@0.3", ())
    assert metric(score, labels) == math.inf
    with pytest.raises(DataError, match="of 401 resamples of 50 events it is infinite"):
        compare_metric(metric, score, score, labels)
    truth = np.array([[1, 0], [0, 1]] * 50)
    silent = np.full((100, 2), -9.0)
    for text in ("edge_purity", "edge_efficiency", "muon_efficiency"):
        with pytest.raises(DataError, match="the reference finds nothing"):
            compare_metric(find_metric(text, ()), silent, silent, truth)
        worse = compare_metric(find_metric(text, ()), truth - 0.5, silent, truth)
        assert worse.candidate.value == 0
        assert not not_worse(worse, 0.5)


def test_what_makes_no_sense_is_refused() -> None:
    reference, candidate, labels = events(100, 1)
    metric = find_metric("auc", ())
    with pytest.raises(ConfigError) as caught:
        compare_metric(metric, reference, candidate, labels, confidence=95, replicas=1)
    assert len(caught.value.blockers) == 2
    with pytest.raises(DataError, match="shapes"):
        compare_metric(metric, reference, candidate[:50], labels)


def test_the_seed_decides() -> None:
    found = [
        compare_metric(find_metric("rejection@0.6", ()), *events(2000, 1), replicas=60, seed=seed)
        for seed in (1, 1, 2)
    ]
    assert found[0] == found[1] != found[2]


def test_influences_sum_to_nothing() -> None:
    reference, _, labels = events(500, 2)
    assert Auc().influences(reference, labels).sum() == pytest.approx(0, abs=1e-12)


def test_sixty_thousand_events_take_no_time() -> None:
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 5, 60_000)
    reference = draw.normal(size=(60_000, 5)) + np.eye(5)[labels]
    candidate = reference + 0.1 * draw.normal(size=reference.shape)
    started = time.process_time()
    compare_metric(find_metric("auc", ()), reference, candidate, labels)
    assert time.process_time() - started < 2
