"""What :mod:`trigger_ml.check.physics` finds, as frozen results with a JSON form."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

__all__ = [
    "Change",
    "ClassMetrics",
    "Estimate",
    "Flips",
    "PhysicsComparison",
    "RocCurve",
    "WitnessMetrics",
]


@dataclass(frozen=True, slots=True)
class _Result:
    """Base of the results."""

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON; what is infinite there is None."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}


def _plain(value: Any) -> Any:
    match value:
        case _Result():
            return value.to_json()
        case tuple():
            return [_plain(item) for item in value]
        case float():
            return value if math.isfinite(value) else None
        case _:
            return value


@dataclass(frozen=True, slots=True)
class Estimate(_Result):
    """A figure with its 95 % interval. Infinite where no background event was left."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ClassMetrics(_Result):
    """One class against all others.

    signal, background: events of this class and of the others. auc: area under the ROC curve.
    rejection: 1 / background efficiency at the signal efficiency of the comparison. Both are
    None where the sample holds no signal or no background.
    """

    name: str
    signal: int
    background: int
    auc: Estimate | None
    rejection: Estimate | None


@dataclass(frozen=True, slots=True)
class WitnessMetrics(_Result):
    """All figures of one witness ("float", "quantized", "firmware")."""

    witness: str
    accuracy: Estimate
    classes: tuple[ClassMetrics, ...]


@dataclass(frozen=True, slots=True)
class Flips(_Result):
    """Events that two witnesses decide differently. fraction: of all events, with interval."""

    left: str
    right: str
    count: int
    fraction: Estimate


@dataclass(frozen=True, slots=True)
class Change(_Result):
    """A metric of ``right`` minus that of ``left`` on the same events ("accuracy", "auc:W")."""

    metric: str
    left: str
    right: str
    difference: Estimate


@dataclass(frozen=True, slots=True)
class RocCurve(_Result):
    """Background efficiency at each signal efficiency, for one witness and class."""

    witness: str
    class_name: str
    signal_efficiency: tuple[float, ...]
    background_efficiency: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PhysicsComparison(_Result):
    """What :func:`compare` found. working_point: signal efficiency of the rejections."""

    events: int
    class_names: tuple[str, ...]
    working_point: float
    level: float
    resamples: int
    seed: int
    witnesses: tuple[WitnessMetrics, ...]
    flips: tuple[Flips, ...]
    changes: tuple[Change, ...]
    curves: tuple[RocCurve, ...]
