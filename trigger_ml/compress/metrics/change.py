"""What a candidate's metric is against the reference's, on the same events.

The interval of the change is that of the paired difference: what both networks do alike on an
event cancels, so it is far narrower than two separate intervals would say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

from trigger_ml.check.physics_results import Estimate
from trigger_ml.check.roc import FloatArray, resample
from trigger_ml.compress.metrics.inputs import Labels
from trigger_ml.compress.metrics.kinds import (
    Accuracy,
    Auc,
    EdgeEfficiency,
    EdgePurity,
    Metric,
    MuonEfficiency,
    Resampled,
)
from trigger_ml.errors import Blocker, ConfigError, DataError

__all__ = ["MetricChange", "compare_metric", "not_worse", "require_resolution"]

FEWEST_REPLICAS: Final = 50
"""Below this the tail of a 95 % interval rests on a draw or two."""


@dataclass(frozen=True, slots=True)
class MetricChange:
    """A metric of two networks on the same events; higher is better.

    reference, candidate: each with its two-sided interval at ``confidence``. change: candidate
    minus reference, with its paired interval. lower_bound: of the change, one-sided at the same
    confidence. direction: as the metric's.
    """

    metric: str
    direction: int
    events: int
    confidence: float
    reference: Estimate
    candidate: Estimate
    change: Estimate
    lower_bound: float

    @property
    def half_width(self) -> float:
        """Half of the paired interval of the change."""
        return (self.change.high - self.change.low) / 2

    def shown(self) -> dict[str, Estimate]:
        """reference, candidate and change with the sign that people read."""
        found = {"reference": self.reference, "candidate": self.candidate, "change": self.change}
        if self.direction > 0:
            return found
        return {
            name: replace(item, value=0.0 - item.value, low=0.0 - item.high, high=0.0 - item.low)
            for name, item in found.items()
        }

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Quantiles:
    """Normal quantiles: of the two-sided interval, and of the one-sided bound."""

    both: float
    one: float


def compare_metric(
    metric: Metric,
    reference: FloatArray,
    candidate: FloatArray,
    labels: Labels,
    *,
    confidence: float = 0.95,
    replicas: int = 400,
    seed: int = 1,
) -> MetricChange:
    """Hold a candidate's scores against the reference's.

    reference, candidate: logits of the same events, shape (events, outputs). replicas, seed: of
    the bootstrap over events, for the metrics that need one: accuracy and AUC have a closed form.
    No interval is narrower than what a single event can change, so two networks that agree on a
    few events are not taken for the same.

    Raises DataError for scores and labels that do not fit, and where there are too few events
    for the metric to have a value on a resample; ConfigError for a confidence or a number of
    replicas that makes no sense.
    """
    _require_sense(confidence, replicas)
    reference, candidate = (np.asarray(x, dtype=np.float64) for x in (reference, candidate))
    labels = np.asarray(labels)
    if reference.shape != candidate.shape:
        what = f"shapes {reference.shape} and {candidate.shape} of reference and candidate"
        raise DataError(Blocker(f"metric {metric.name}", what, "give the same events to both"))
    normal = _Quantiles(float(norm.ppf((1 + confidence) / 2)), float(norm.ppf(confidence)))
    if isinstance(metric, Accuracy):
        right = metric.correct(reference, labels), metric.correct(candidate, labels)
        estimates = _compare_counts(*right, confidence, normal)
    else:
        if isinstance(metric, Auc):
            estimates = _compare_areas(metric, reference, candidate, labels, normal)
        else:
            draws = _draw(metric, (reference, candidate), labels, replicas, seed)
            _require_reference(metric, float(draws[0, 0]))
            estimates = _compare_draws(draws, confidence)
        step = max(metric.step(scores, labels) for scores in (reference, candidate))
        estimates = _widened(estimates, step, normal)
    return MetricChange(metric.name, metric.direction, len(labels), confidence, *estimates)


def not_worse(change: MetricChange, tolerance: float) -> bool:
    """Whether the one-sided bound of the change rules out a loss above the tolerance."""
    return change.lower_bound >= -_sensible(tolerance)


def require_resolution(change: MetricChange, tolerance: float) -> None:
    """Raise DataError where there are too few events to see a loss of the tolerance.

    That is where half of the paired interval is wider than the tolerance. It shrinks with the
    square root of the events, which gives the number that would do.
    """
    half = change.half_width
    if half <= _sensible(tolerance):
        return
    fix = "allow a larger loss"
    if tolerance > 0:
        needed = math.ceil(change.events * (half / tolerance) ** 2)
        fix = f"give about {needed:,} events, or allow a larger loss"
    raise DataError(
        Blocker(
            f"metric {change.metric}",
            f"{change.events:,} events tell a change to ±{half:.2g}, "
            f"and a loss of {tolerance:g} must be seen",
            fix,
        )
    )


_Estimates = tuple[Estimate, Estimate, Estimate, float]


def _compare_counts(
    reference: NDArray[np.bool_],
    candidate: NDArray[np.bool_],
    confidence: float,
    normal: _Quantiles,
) -> _Estimates:
    """Proportions of the same events.

    Each has E. B. Wilson's interval; the change has A. Agresti's and Y. Min's (Statist. Med. 24
    (2005) 729): the normal interval of McNemar's discordant pairs, after adding 1/2 to each of
    the four cells, so that it has a width where no pair is discordant.
    """
    events = reference.size
    won, lost = int((candidate & ~reference).sum()), int((reference & ~candidate).sum())
    more = events + 2
    centre = (won - lost) / more
    error = math.sqrt(max((won + lost + 1) - (won - lost) ** 2 / more, 0.0)) / more
    value = (won - lost) / events
    return (
        _proportion(int(reference.sum()), events, confidence),
        _proportion(int(candidate.sum()), events, confidence),
        Estimate(value, centre - normal.both * error, centre + normal.both * error),
        centre - normal.one * error,
    )


def _proportion(count: int, events: int, confidence: float) -> Estimate:
    interval = binomtest(count, events).proportion_ci(confidence, method="wilson")
    return Estimate(count / events, float(interval.low), float(interval.high))


def _compare_areas(
    metric: Auc,
    reference: FloatArray,
    candidate: FloatArray,
    labels: Labels,
    normal: _Quantiles,
) -> _Estimates:
    """Normal intervals from the influence of every event."""
    values = metric(reference, labels), metric(candidate, labels)
    influences = metric.influences(reference, labels), metric.influences(candidate, labels)
    before, after = (
        Estimate(value, max(value - normal.both * error, 0.0), min(value + normal.both * error, 1))
        for value, error in zip(values, map(_norm, influences), strict=True)
    )
    change, error = values[1] - values[0], _norm(influences[1] - influences[0])
    paired = Estimate(change, change - normal.both * error, change + normal.both * error)
    return before, after, paired, change - normal.one * error


def _norm(influences: FloatArray) -> float:
    return float(np.sqrt(np.sum(np.square(influences))))


def _draw(
    metric: Metric, both: tuple[FloatArray, ...], labels: Labels, replicas: int, seed: int
) -> FloatArray:
    """Values on the sample (first row) and on its resamples, shape (1 + replicas, 2).

    Both networks see the same resamples. Raises DataError where a value is not finite.
    """
    values = np.array(list(_rows(metric, both, labels, replicas, seed)))
    broken = int((~np.isfinite(values)).any(axis=1).sum())
    if broken:
        raise DataError(
            Blocker(
                f"metric {metric.name}",
                f"on {broken} of {len(values)} resamples of {len(labels):,} events it is infinite "
                "or has no value",
                "give more events, or a working point that leaves more of them",
            )
        )
    return values


def _rows(
    metric: Metric, both: tuple[FloatArray, ...], labels: Labels, replicas: int, seed: int
) -> Iterator[tuple[float, ...]]:
    weights = resample(len(labels), replicas, seed)
    functions: list[Callable[[NDArray[np.int32]], float]] = []
    if isinstance(metric, Resampled):
        functions = [metric.on_resamples(scores, labels) for scores in both]
        for weight in weights:
            yield tuple(function(weight) for function in functions)
        return
    events = np.arange(len(labels))
    for weight in weights:
        rows = np.repeat(events, weight)
        yield tuple(metric(scores[rows], labels[rows]) for scores in both)


def _compare_draws(values: FloatArray, confidence: float) -> _Estimates:
    """Percentile intervals (B. Efron, Ann. Statist. 7 (1979) 1)."""
    change = values[:, 1] - values[:, 0]
    return (
        _percentiles(values[:, 0], confidence),
        _percentiles(values[:, 1], confidence),
        _percentiles(change, confidence),
        float(np.quantile(change[1:], 1 - confidence)),
    )


def _percentiles(values: FloatArray, confidence: float) -> Estimate:
    tail = (1 - confidence) / 2
    low, high = np.quantile(values[1:], [tail, 1 - tail])
    return Estimate(float(values[0]), float(low), float(high))


def _widened(estimates: _Estimates, step: float, normal: _Quantiles) -> _Estimates:
    """The same with a change that reaches at least one event's worth of errors either way.

    It is the width that :func:`_compare_counts` has where no pair is discordant.
    """
    before, after, change, bound = estimates
    low = min(change.low, change.value - normal.both * step)
    high = max(change.high, change.value + normal.both * step)
    return (
        before,
        after,
        Estimate(change.value, low, high),
        min(bound, change.value - normal.one * step),
    )


def _require_reference(metric: Metric, value: float) -> None:
    """Raise DataError for a reference that nothing could be worse than."""
    if isinstance(metric, EdgePurity | EdgeEfficiency | MuonEfficiency) and value <= 0:
        what = "the reference finds nothing that is true"
        raise DataError(Blocker(f"metric {metric.name}", what, "look at its scores and labels"))


def _require_sense(confidence: float, replicas: int) -> None:
    blockers = []
    if not 0.5 < confidence < 1:
        blockers.append(Blocker("confidence", f"must be between 0.5 and 1, is {confidence}"))
    if replicas < FEWEST_REPLICAS:
        blockers.append(Blocker("replicas", f"must be {FEWEST_REPLICAS} or more, is {replicas}"))
    if blockers:
        raise ConfigError(blockers)


def _sensible(tolerance: float) -> float:
    if not tolerance >= 0 or math.isinf(tolerance):
        raise ConfigError(Blocker("tolerance", f"must be a number, 0 or more, is {tolerance}"))
    return tolerance
