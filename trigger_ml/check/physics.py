"""Physics figures of a classifier, each with a 95 % interval, and what quantization did to them.

Every witness is judged on the same events and on the same bootstrap resamples, so the interval
of a *change* is that of the paired difference, not the sum of two.

Intervals are percentile bootstrap intervals over events (B. Efron, Ann. Statist. 7 (1979) 1);
those of a plain proportion are E. B. Wilson's (J. Am. Stat. Assoc. 22 (1927) 209), which stays
sensible at 0 and 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.check.physics_results import (
    Change,
    ClassMetrics,
    Estimate,
    Flips,
    PhysicsComparison,
    RocCurve,
    WitnessMetrics,
)
from trigger_ml.check.roc import (
    FloatArray,
    Labels,
    Ranking,
    area,
    background_at,
    corners,
    decisions,
    discriminants,
    rank,
    resample,
    two_dimensional,
)
from trigger_ml.errors import Blocker, DataError

__all__ = [
    "Change",
    "ClassMetrics",
    "Estimate",
    "Flips",
    "PhysicsComparison",
    "RocCurve",
    "WitnessMetrics",
    "compare",
    "measure",
]

LEVEL: Final = 0.95
"""Confidence level of every interval."""
WILSON_Z: Final = 1.959963984540054
"""Two-sided normal quantile of LEVEL."""
ROC_GRID: Final[NDArray[np.float64]] = np.linspace(0.0, 1.0, 101)
"""Signal efficiencies at which a ROC curve is kept for plots."""
ZERO_LIMIT: Final = 3.0
"""Poisson mean whose probability of zero events is 5 %: -ln 0.05, rounded up."""


@dataclass(frozen=True, slots=True)
class _Replicas:
    """A witness on the sample (index 0 of the last axis) and on every resample (1, ...).

    correct: 1 for an event that is decided rightly, shape (events,). auc, rejection: shape
    (classes, 1 + resamples), NaN where they are not defined.
    """

    correct: NDArray[np.int32]
    rankings: tuple[Ranking, ...]
    accuracy: FloatArray
    auc: FloatArray
    rejection: FloatArray


def measure(
    logits: FloatArray,
    labels: Labels,
    class_names: Sequence[str] = (),
    *,
    witness: str = "firmware",
    working_point: float = 0.5,
    resamples: int = 200,
    seed: int = 1,
) -> WitnessMetrics:
    """Accuracy, and for each class AUC and background rejection, of one witness.

    logits: shape (events, classes), or (events, 1) or (events,) for signal against background.
    labels: shape (events,), the true class. Equal scores are split evenly, which is what a
    random choice among them gives on average.

    Raises DataError as :func:`compare` does.
    """
    result = compare(
        None,
        None,
        logits,
        labels,
        class_names,
        working_point=working_point,
        resamples=resamples,
        seed=seed,
    )
    return WitnessMetrics(witness, result.witnesses[0].accuracy, result.witnesses[0].classes)


def compare(
    float_scores: FloatArray | None,
    quantized_scores: FloatArray | None,
    firmware_scores: FloatArray,
    labels: Labels,
    class_names: Sequence[str] = (),
    *,
    working_point: float = 0.5,
    resamples: int = 200,
    seed: int = 1,
) -> PhysicsComparison:
    """Judge the model before quantization, after it, and as firmware, on the same events.

    *_scores: logits, shape (events, classes), or (events, 1) or (events,) for signal against
    background; None where there is no such model. labels: shape (events,), the true class.
    Of probabilities give the logarithm. class_names: one for each class (two for a single
    logit); "class 0", ... when empty.
    working_point: signal efficiency at which background rejection is given, 0 to 1.

    Raises DataError for no events, shapes that do not match, values that are not finite, and
    labels outside the classes.
    """
    given = {"float": float_scores, "quantized": quantized_scores, "firmware": firmware_scores}
    scores = {
        name: two_dimensional(np.asarray(array, dtype=np.float64))
        for name, array in given.items()
        if array is not None
    }
    labels = np.asarray(labels)
    _require_sound(scores, labels, working_point, resamples)
    columns = scores["firmware"].shape[1]
    names = _class_names(class_names, max(columns, 2))
    labels = labels.astype(np.int64)
    replicas: dict[str, _Replicas] = {}
    for name, array in scores.items():
        twin = next((known for known in replicas if np.array_equal(scores[known], array)), None)
        replicas[name] = replicas[twin] if twin else _prepare(array, labels, resamples)
    distinct = {id(item): item for item in replicas.values()}.values()
    for row, weights in enumerate(resample(labels.size, resamples, seed)):
        for item in distinct:
            _fill(item, row, weights, working_point)
    tested = names if columns > 1 else names[1:]
    return PhysicsComparison(
        labels.size,
        names,
        working_point,
        LEVEL,
        resamples,
        seed,
        tuple(_metrics(name, item, tested, labels.size) for name, item in replicas.items()),
        _all_flips(scores),
        _all_changes(replicas, tested),
        tuple(
            _roc(name, label, ranking)
            for name, item in replicas.items()
            for label, ranking in zip(tested, item.rankings, strict=True)
            if ranking.signal.size and ranking.background.size
        ),
    )


def _require_sound(
    scores: Mapping[str, FloatArray], labels: NDArray[Any], working_point: float, resamples: int
) -> None:
    shape = scores["firmware"].shape
    blockers = []
    if labels.ndim != 1 or labels.size == 0 or labels.dtype.kind not in "biuf":
        blockers.append(
            Blocker("labels", f"must be one number an event, found {labels.dtype} {labels.shape}")
        )
    elif not np.array_equal(labels, np.round(labels)):
        blockers.append(Blocker("labels", "must be whole numbers", "one-hot: take the argmax"))
    elif labels.min() < 0 or labels.max() >= max(shape[-1], 2):
        span = f"{labels.min()} to {labels.max()}"
        blockers.append(Blocker("labels", f"run over {span}, the scores have {shape[-1]} columns"))
    for name, array in scores.items():
        if array.ndim != 2 or array.shape != (labels.size, shape[-1]) or 0 in array.shape:
            blockers.append(
                Blocker(
                    f"{name} scores",
                    f"have shape {array.shape}, the labels ask for ({labels.size}, {shape[-1]})",
                    "give every witness the same events, in the same order",
                )
            )
        elif not np.isfinite(array).all():
            blockers.append(Blocker(f"{name} scores", "hold values that are not finite"))
    if not 0 < working_point < 1:
        blockers.append(Blocker("working_point", f"must be between 0 and 1, is {working_point}"))
    if resamples < 20:
        blockers.append(Blocker("resamples", f"must be 20 or more, is {resamples}"))
    if blockers:
        raise DataError(blockers)


def _class_names(names: Sequence[str], count: int) -> tuple[str, ...]:
    if not names:
        return tuple(f"class {index}" for index in range(count))
    if len(names) != count:
        raise DataError(Blocker("class_names", f"must be {count} names, found {len(names)}"))
    return tuple(names)


def _prepare(logits: FloatArray, labels: Labels, resamples: int) -> _Replicas:
    scores = discriminants(logits)
    first = 0 if logits.shape[1] > 1 else 1
    shape = (scores.shape[1], resamples + 1)
    return _Replicas(
        (decisions(logits) == labels).astype(np.int32),
        tuple(rank(scores[:, k], labels == k + first) for k in range(scores.shape[1])),
        np.full(resamples + 1, np.nan),
        np.full(shape, np.nan),
        np.full(shape, np.nan),
    )


def _fill(replicas: _Replicas, row: int, weights: NDArray[np.int32], efficiency: float) -> None:
    """Put the figures of one resample into their row."""
    replicas.accuracy[row] = np.dot(weights, replicas.correct) / weights.size
    target = np.array([efficiency])
    for index, ranking in enumerate(replicas.rankings):
        true, false = corners(ranking, weights)
        if true[-1] and false[-1]:
            background = float(background_at(true, false, target)[0])
            replicas.auc[index, row] = area(true, false)
            replicas.rejection[index, row] = 1 / background if background else math.inf


def _interval(replicas: FloatArray) -> Estimate | None:
    """The sample's value (index 0) with the central interval of its resamples."""
    if np.isnan(replicas[0]):
        return None
    drawn = replicas[1:][~np.isnan(replicas[1:])]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], method="inverted_cdf")
    return Estimate(float(replicas[0]), float(low), float(high))


def _proportion(count: int, events: int) -> Estimate:
    """Wilson's interval of a proportion."""
    share = count / events
    spread = WILSON_Z**2 / events
    centre = (share + spread / 2) / (1 + spread)
    half = WILSON_Z / (1 + spread) * math.sqrt(share * (1 - share) / events + spread / 4 / events)
    low = 0.0 if count == 0 else centre - half
    high = 1.0 if count == events else centre + half
    return Estimate(share, low, high)


def _metrics(
    witness: str, replicas: _Replicas, names: Sequence[str], events: int
) -> WitnessMetrics:
    classes = []
    for name, ranking, auc, rejection in zip(
        names, replicas.rankings, replicas.auc, replicas.rejection, strict=True
    ):
        found = _interval(rejection)
        if found is not None and math.isinf(found.value):
            # No background is left: every resample agrees, so the bound is Poisson's.
            found = Estimate(math.inf, ranking.background.size / ZERO_LIMIT, math.inf)
        classes.append(
            ClassMetrics(name, ranking.signal.size, ranking.background.size, _interval(auc), found)
        )
    return WitnessMetrics(witness, _proportion(int(replicas.correct.sum()), events), tuple(classes))


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    return [(left, right) for i, left in enumerate(names) for right in names[i + 1 :]]


def _all_flips(scores: Mapping[str, FloatArray]) -> tuple[Flips, ...]:
    chosen = {name: decisions(array) for name, array in scores.items()}
    found = []
    for left, right in _pairs(list(scores)):
        count = int((chosen[left] != chosen[right]).sum())
        found.append(Flips(left, right, count, _proportion(count, chosen[left].size)))
    return tuple(found)


def _all_changes(replicas: Mapping[str, _Replicas], names: Sequence[str]) -> tuple[Change, ...]:
    found = []
    for left, right in _pairs(list(replicas)):
        a, b = replicas[left], replicas[right]
        rows = [("accuracy", b.accuracy - a.accuracy)]
        rows += [(f"auc:{name}", y - x) for name, x, y in zip(names, a.auc, b.auc, strict=True)]
        for metric, difference in rows:
            estimate = _interval(difference)
            if estimate is not None:
                found.append(Change(metric, left, right, estimate))
    return tuple(found)


def _roc(witness: str, class_name: str, ranking: Ranking) -> RocCurve:
    true, false = ranking.true_at.astype(np.float64), ranking.false_at.astype(np.float64)
    background = background_at(true, false, ROC_GRID)
    return RocCurve(
        witness,
        class_name,
        tuple(ROC_GRID.round(4).tolist()),
        tuple(float(f"{x:.7g}") for x in background),
    )
