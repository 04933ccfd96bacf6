"""Designs as points of LUT against metric, and the ones that no other design beats."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Final

from pydantic import ConfigDict, TypeAdapter, ValidationError

from trigger_ml.errors import Blocker, DataError

__all__ = [
    "FRONT_SCHEMA",
    "Point",
    "Published",
    "dominates",
    "front_from_json",
    "front_json",
    "hypervolume",
    "pareto_front",
]

FRONT_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class Point:
    """One design: what it costs and how good it is.

    lut: of the cost model. metric: higher is better; metric_low, metric_high: its interval.
    reference: the same metric of the network that was compressed. change_low, change_high: the
    paired interval of metric - reference. parameters: weights and biases that are not zero.
    ebops: effective bit operations (C. Sun et al., arXiv:2405.00645), where training counted
    them. model: path of the model file, relative to the folder of the front. trial: number of
    the search's trial. origin: what made it ("hgq", "qkeras", "post-training", ...).
    details: anything else that JSON holds.

    Raises DataError for figures that are not finite, a negative cost, or an interval that is
    upside down: such a point would win or lose without having been measured.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: str
    lut: float
    latency_cycles: int
    latency_ns: float
    metric: float
    metric_low: float
    metric_high: float
    reference: float
    change_low: float
    change_high: float
    parameters: int
    ebops: float | None = None
    model: str = ""
    trial: int | None = None
    origin: str = ""
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        # Figures come out of NumPy: without this they would not be JSON.
        for name in (*_WHOLE, *_REAL):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, int(value) if name in _WHOLE else float(value))
        blockers = _problems(self)
        try:
            text = json.dumps(dict(self.details), allow_nan=False)
        except (TypeError, ValueError) as error:
            blockers.append(Blocker(f"point {self.name} details", f"is not plain JSON: {error}"))
        if blockers:
            raise DataError(blockers)
        object.__setattr__(self, "details", json.loads(text))

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Any) -> Point:
        """Read :meth:`to_json`. Raises DataError naming every wrong or missing key."""
        try:
            return TypeAdapter(cls).validate_python(data)
        except ValidationError as error:
            raise DataError(
                [
                    Blocker(f"point {'.'.join(map(str, item['loc']))}".rstrip(), item["msg"])
                    for item in error.errors()
                ]
            ) from error


_WHOLE: Final = ("latency_cycles", "parameters", "trial")
_COSTS: Final = ("lut", "latency_cycles", "latency_ns", "parameters", "ebops")
_REAL: Final = (
    *("lut", "latency_ns", "ebops", "metric", "metric_low", "metric_high"),
    *("reference", "change_low", "change_high"),
)


def _problems(point: Point) -> list[Blocker]:
    where = f"point {point.name}"
    figures = {name: getattr(point, name) for name in (*_REAL, *_WHOLE)}
    found = {name: value for name, value in figures.items() if value is not None}
    return [
        *(
            Blocker(where, f"{name} must be finite, is {value}")
            for name, value in found.items()
            if not math.isfinite(value)
        ),
        *(
            Blocker(where, f"{name} must not be negative, is {found[name]}")
            for name in _COSTS
            if found.get(name, 0) < 0
        ),
        *(
            Blocker(where, f"{low} is {found[low]}, above {high}, {found[high]}")
            for low, high in (("metric_low", "metric_high"), ("change_low", "change_high"))
            if found[low] > found[high]
        ),
    ]


@dataclass(frozen=True, slots=True)
class Published:
    """A figure from a paper, for orientation only: its data set and its flow are others.

    lut: after the vendor tool's place and route, unless the source says otherwise. metric: on
    ``dataset``. source: where it was published.
    """

    name: str
    lut: float
    metric: float
    dataset: str
    source: str
    latency_ns: float | None = None


def pareto_front(points: Iterable[Point]) -> tuple[Point, ...]:
    """The points that no other beats: fewer LUTs at the same metric or more, from few to many.

    Of points with the same LUTs and the same metric one stays: that of the lowest latency, then
    the first by name, trial and model. The order that the points come in does not matter.
    """
    kept: list[Point] = []
    for point in sorted(points, key=_order):
        if not kept or point.metric > kept[-1].metric:
            kept.append(point)
    return tuple(kept)


def _order(point: Point) -> tuple[float, float, int, str, float, str]:
    trial = math.inf if point.trial is None else point.trial
    return point.lut, -point.metric, point.latency_cycles, point.name, trial, point.model


def hypervolume(points: Iterable[Point], reference: tuple[float, float]) -> float:
    """Area, in LUTs times metric, that the points dominate within a corner (E. Zitzler, L.
    Thiele, IEEE Trans. Evol. Comput. 3 (1999) 257).

    reference: (lut, metric) of the worst corner; a point outside it counts nothing. Compare
    areas only of the same corner.
    """
    worst_lut, best_metric = reference
    area = 0.0
    for point in pareto_front(points):
        if point.lut < worst_lut and point.metric > best_metric:
            area += (worst_lut - point.lut) * (point.metric - best_metric)
            best_metric = point.metric
    return area


def dominates(front_a: Iterable[Point], front_b: Iterable[Point]) -> tuple[Point, ...]:
    """The points of the second front that the first does **not** cover; empty if it covers all.

    A point is covered by one with at most its LUTs and at least its metric; the same point
    covers itself. Order as in the second front.
    """
    others = pareto_front(front_a)
    return tuple(
        point
        for point in front_b
        if not any(a.lut <= point.lut and a.metric >= point.metric for a in others)
    )


def front_json(points: Iterable[Point], metric: str) -> str:
    """All points and the names of those on the front, as JSON text that is read by
    :func:`front_from_json`. metric: its name."""
    points = tuple(sorted(points, key=_order))
    front = pareto_front(points)
    data = {
        "schema": FRONT_SCHEMA,
        "metric": metric,
        "front": [points.index(point) for point in front],
        "points": [point.to_json() for point in points],
    }
    return json.dumps(data, indent=1, allow_nan=False)


def front_from_json(text: str) -> tuple[str, tuple[Point, ...]]:
    """The metric's name and all points of :func:`front_json`. Raises DataError."""
    where = "front"
    try:
        data = json.loads(text)
    except ValueError as error:
        raise DataError(Blocker(where, f"is not JSON: {error}")) from error
    if not isinstance(data, dict) or data.get("schema") != FRONT_SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise DataError(Blocker(where, f"schema {found!r} found, {FRONT_SCHEMA} is read"))
    points, metric = data.get("points"), data.get("metric")
    if not isinstance(points, list) or not isinstance(metric, str):
        raise DataError(Blocker(where, "it has no metric or no list of points"))
    return metric, tuple(Point.from_json(item) for item in points)
