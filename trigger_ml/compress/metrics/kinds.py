"""The metrics that trigger_ml knows: higher is better, always.

Each is a small frozen object that is called with scores and labels. Beside its value, it says
what an interval is made from: numbers for every event (accuracy), influences of every event
(AUC), or the value of a resample.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from trigger_ml.check.roc import (
    FloatArray,
    area,
    background_at,
    corners,
    decisions,
    rank,
)
from trigger_ml.compress.metrics.inputs import (
    Labels,
    checked,
    class_scores,
    known_class,
    one_label,
    signal_of,
    yes_or_no,
)
from trigger_ml.errors import Blocker, ConfigError, DataError

__all__ = [
    "Accuracy",
    "Auc",
    "EdgeEfficiency",
    "EdgePurity",
    "Metric",
    "MuonEfficiency",
    "MuonFakeRate",
    "Rejection",
    "Resampled",
    "UserMetric",
]

Weights = NDArray[np.int32]
OnResample = Callable[[Weights], float]
"""A metric's value when every event occurs this often."""

FOUND_ABOVE: Final = 0.6
"""Share of a muon's hits that must be kept for the muon to be found."""


class Metric(Protocol):
    """A figure of merit.

    name: as it is asked for. direction: 1 where people read the value as it is; -1 where they
    read minus the value, because less of it is better (a fake rate).
    """

    @property
    def name(self) -> str:
        """As :func:`trigger_ml.compress.metrics.find.find_metric` takes it."""

    @property
    def direction(self) -> int:
        """1, or -1 where people read minus the value."""

    def __call__(self, scores: FloatArray, labels: Labels) -> float:
        """Value on these events. scores: logits, (events, outputs). Raises DataError."""

    def step(self, scores: FloatArray, labels: Labels) -> float:
        """About how far one event can move the value: no interval is narrower."""


@runtime_checkable
class Resampled(Protocol):
    """A built-in metric that is weighed anew for every resample."""

    def on_resamples(self, scores: FloatArray, labels: Labels) -> OnResample:
        """Prepare these events once. Raises DataError."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Share of events whose largest logit is that of their class."""

    direction: ClassVar[int] = 1
    name: str = "accuracy"

    def __call__(self, scores: FloatArray, labels: Labels) -> float:
        """Value on these events."""
        return float(self.correct(scores, labels).mean())

    def step(self, scores: FloatArray, labels: Labels) -> float:  # noqa: ARG002
        """One event of all."""
        return 1 / len(labels)

    def correct(self, scores: FloatArray, labels: Labels) -> NDArray[np.bool_]:
        """Which events are decided rightly."""
        scores, labels = one_label(self.name, scores, labels)
        return np.asarray(decisions(scores) == labels)


@dataclass(frozen=True, slots=True)
class Auc:
    """Area under the ROC curve of a class against the rest.

    index: the class; None for the mean over the classes (of two classes: the second's, which is
    the first's too).
    """

    direction: ClassVar[int] = 1
    name: str = "auc"
    index: int | None = None

    def __call__(self, scores: FloatArray, labels: Labels) -> float:
        """Value on these events."""
        found = []
        for score, signal in self._tasks(scores, labels):
            ranking = rank(score, signal)
            found.append(area(*corners(ranking, np.ones(signal.size, dtype=np.int32))))
        return float(np.mean(found))

    def influences(self, scores: FloatArray, labels: Labels) -> FloatArray:
        """What each event adds to the value's variance: the sum of squares is that variance.

        The structural components of E. DeLong, D. DeLong, D. Clarke-Pearson (Biometrics 44
        (1988) 837) by midranks (X. Sun, W. Xu, IEEE Signal Process. Lett. 21 (2014) 1389).
        """
        tasks = self._tasks(scores, labels)
        total = np.zeros(len(labels))
        for score, signal in tasks:
            everyone = rankdata(score)
            ours, others = int(signal.sum()), int((~signal).sum())
            above = (everyone[signal] - rankdata(score[signal])) / others
            below = 1 - (everyone[~signal] - rankdata(score[~signal])) / ours
            total[signal] += (above - above.mean()) / ours
            total[~signal] += (below - below.mean()) / others
        return total / len(tasks)

    def step(self, scores: FloatArray, labels: Labels) -> float:
        """One event of the rarest class, or of the rest."""
        scores, labels = one_label(self.name, scores, labels)
        classes = self._classes(max(scores.shape[1], 2))
        sizes = [int((labels == k).sum()) for k in classes]
        return 1 / (len(classes) * min(min(size, len(labels) - size) for size in sizes))

    def _classes(self, count: int) -> range:
        if self.index is not None:
            return range(known_class(self.name, self.index, count), self.index + 1)
        return range(count) if count > 2 else range(1, 2)

    def _tasks(
        self, scores: FloatArray, labels: Labels
    ) -> list[tuple[FloatArray, NDArray[np.bool_]]]:
        scores, labels = one_label(self.name, scores, labels)
        columns = class_scores(scores)
        return [
            (columns[:, k], signal_of(self.name, labels, k))
            for k in self._classes(columns.shape[1])
        ]


@dataclass(frozen=True, slots=True)
class Rejection:
    """1 / background efficiency of a class at a signal efficiency.

    efficiency: of the signal. index: the class; None for the last. Infinite where no background
    is left.
    """

    direction: ClassVar[int] = 1
    name: str
    efficiency: float
    index: int | None = None

    def __call__(self, scores: FloatArray, labels: Labels) -> float:
        """Value on these events."""
        return self.on_resamples(scores, labels)(np.ones(len(labels), dtype=np.int32))

    def on_resamples(self, scores: FloatArray, labels: Labels) -> OnResample:
        """Rank these events once."""
        ranking = rank(*self._task(scores, labels))
        target = np.array([self.efficiency])

        def value(weights: Weights) -> float:
            true, false = corners(ranking, weights)
            if not true[-1] or not false[-1]:
                return math.nan
            background = float(background_at(true, false, target)[0])
            return 1 / background if background else math.inf

        return value

    def step(self, scores: FloatArray, labels: Labels) -> float:
        """One background event more or less among those that are left."""
        _, signal = self._task(scores, labels)
        return self(scores, labels) ** 2 / int((~signal).sum())

    def _task(self, scores: FloatArray, labels: Labels) -> tuple[FloatArray, NDArray[np.bool_]]:
        scores, labels = one_label(self.name, scores, labels)
        count = max(scores.shape[1], 2)
        index = known_class(self.name, count - 1 if self.index is None else self.index, count)
        return class_scores(scores)[:, index], signal_of(self.name, labels, index)


@dataclass(frozen=True, slots=True)
class _Binary:
    """Base of the metrics with many yes-or-no answers an event.

    threshold: of the sigmoid; a logit at or above its own is a yes, as in firmware.
    """

    direction: ClassVar[int] = 1
    name: str
    threshold: float = 0.5

    def __call__(self, scores: FloatArray, labels: Labels) -> float:
        """Value on these events."""
        return self.on_resamples(scores, labels)(np.ones(len(labels), dtype=np.int32))

    def on_resamples(self, scores: FloatArray, labels: Labels) -> OnResample:
        """Count in every event once; the value is a ratio of sums over events."""
        scores, truth = yes_or_no(self.name, scores, labels)
        cut = math.log(self.threshold / (1 - self.threshold))
        above, below = self._counts(scores >= cut, truth)

        def value(weights: Weights) -> float:
            whole = float(np.dot(weights, below))
            # Adding 0 turns minus zero into zero.
            return self.direction * float(np.dot(weights, above)) / whole + 0.0 if whole else 0.0

        return value

    def step(self, scores: FloatArray, labels: Labels) -> float:  # noqa: ARG002
        """One event of all: the answers within one are not independent."""
        return 1 / len(labels)

    def _counts(
        self, chosen: NDArray[np.bool_], truth: NDArray[np.bool_]
    ) -> tuple[FloatArray, FloatArray]:
        """Numerator and denominator of every event, from answers of shape (events, answers)."""
        raise NotImplementedError


class EdgePurity(_Binary):
    """Share of the accepted edges that are true; 0 where none is accepted."""

    __slots__ = ()

    def _counts(
        self, chosen: NDArray[np.bool_], truth: NDArray[np.bool_]
    ) -> tuple[FloatArray, FloatArray]:
        return _per_event(chosen & truth), _per_event(chosen)


class EdgeEfficiency(_Binary):
    """Share of the true edges that are accepted."""

    __slots__ = ()

    def _counts(
        self, chosen: NDArray[np.bool_], truth: NDArray[np.bool_]
    ) -> tuple[FloatArray, FloatArray]:
        _require_true(self.name, truth)
        return _per_event(chosen & truth), _per_event(truth)


class MuonEfficiency(_Binary):
    """Share of the images with muon hits of which more than 0.6 of the hits are kept."""

    __slots__ = ()

    def _counts(
        self, chosen: NDArray[np.bool_], truth: NDArray[np.bool_]
    ) -> tuple[FloatArray, FloatArray]:
        _require_true(self.name, truth)
        hits = _per_event(truth)
        found = (_per_event(chosen & truth) > FOUND_ABOVE * hits) & (hits > 0)
        return found.astype(np.float64), (hits > 0).astype(np.float64)

    def step(self, scores: FloatArray, labels: Labels) -> float:  # noqa: ARG002
        """One image of those with a muon."""
        return 1 / int((np.reshape(labels, (len(labels), -1)) != 0).any(axis=1).sum())


class MuonFakeRate(_Binary):
    """Minus the hits that are kept and belong to no muon, per image."""

    __slots__ = ()
    direction: ClassVar[int] = -1

    def _counts(
        self, chosen: NDArray[np.bool_], truth: NDArray[np.bool_]
    ) -> tuple[FloatArray, FloatArray]:
        return _per_event(chosen & ~truth), np.ones(len(truth))


@dataclass(frozen=True, slots=True)
class UserMetric:
    """A function of the user's: f(scores, labels) -> float, higher is better."""

    direction: ClassVar[int] = 1
    name: str
    function: Callable[[FloatArray, Labels], Any]

    def step(self, scores: FloatArray, labels: Labels) -> float:  # noqa: ARG002
        """One event of all, the figure being taken for one between 0 and 1."""
        return 1 / len(labels)

    def __call__(self, scores: FloatArray, labels: Labels) -> float:
        """What the function returns, given copies. Raises ConfigError where that is no number."""
        scores, labels = checked(self.name, scores, labels)
        where, fix = f"metric {self.name}", "it must take (scores, labels) and return a number"
        try:
            value = float(self.function(scores.copy(), labels.copy()))
        except Exception as error:
            raise ConfigError(Blocker(where, f"{type(error).__name__}: {error}", fix)) from error
        if not math.isfinite(value):
            raise ConfigError(Blocker(where, f"returned {value}", fix))
        return value


def _require_true(name: str, truth: NDArray[np.bool_]) -> None:
    if not truth.any():
        raise DataError(Blocker(f"metric {name}", "no label is 1: nothing can be found"))


def _per_event(answers: NDArray[np.bool_]) -> FloatArray:
    return np.asarray(answers.sum(axis=1), dtype=np.float64)
