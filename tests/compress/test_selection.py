"""Which prototype is chosen, and what is said when there is none."""

from pathlib import Path

import numpy as np
import pytest

from tests.graph.networks import chain
from trigger_ml.check.physics_results import Estimate
from trigger_ml.compress.judging import Judged, Prototype
from trigger_ml.compress.metrics.find import MetricChange
from trigger_ml.compress.objective import Cost
from trigger_ml.compress.recipe import Goal, Limits
from trigger_ml.compress.selection import choose
from trigger_ml.graph.types import FixedType

GRAPH = chain(np.random.default_rng(0), [2, 2], lambda: FixedType(4, 2))


def judged(name: str, lut: float, ns: float, loss: float) -> Judged:
    """A prototype whose metric is worse by ``loss``, known to 0.001."""
    change = Estimate(-loss, -loss - 0.0012, -loss + 0.0012)
    metric = MetricChange(
        "accuracy",
        1,
        10_000,
        0.95,
        Estimate(0.9, 0.89, 0.91),
        Estimate(0.9 - loss, 0.8, 1.0),
        change,
        -loss - 0.001,
    )
    cost = Cost(lut, lut, lut, round(ns * 0.36), ns, 1.8, {}, 0.1)
    prototype = Prototype(name, Path(f"{name}.keras"), GRAPH, "hgq")
    return Judged(prototype, cost, metric, metric)


FRONT = [
    judged("tiny", 400, 20, 0.030),
    judged("knee", 1500, 28, 0.008),
    judged("best", 6000, 42, 0.001),
]


@pytest.mark.parametrize(
    ("tolerance", "limits", "name"),
    [
        (0.05, {}, "tiny"),
        (0.01, {}, "knee"),
        (0.0091, {}, "knee"),
        (0.0089, {}, "best"),
        (0.01, {"lut": 2000}, "knee"),
        (0.05, {"latency_ns": 25}, "tiny"),
    ],
)
def test_the_smallest_that_keeps_to_goal_and_limits(
    tolerance: float, limits: dict[str, float], name: str
) -> None:
    found = choose(FRONT, Goal(tolerance=tolerance), Limits(**limits))
    assert found.judged is not None
    assert found.judged.prototype.name == name
    assert found.shortfall == ()


def test_too_little_room_says_what_relaxing_would_give() -> None:
    found = choose(FRONT, Goal(tolerance=0.01), Limits(lut=1000, latency_ns=25))
    assert found.judged is None
    assert found.shortfall == (
        "knee, the smallest within 0.01 of the source model's accuracy, takes 1,500 LUTs and "
        "28.0 ns: limits.lut 1500 and limits.latency_ns 28 would do",
        "tiny is the best within the limits with 400 LUTs and 20.0 ns: accuracy changes by "
        "-0.0300, at worst -0.0310: goal.tolerance 0.031 would do",
    )
    relaxed = choose(FRONT, Goal(tolerance=0.031), Limits(lut=1000, latency_ns=25))
    assert relaxed.judged is FRONT[0]


def test_a_goal_that_nothing_meets() -> None:
    found = choose(FRONT, Goal(tolerance=0.0005), Limits())
    assert found.judged is None
    assert found.shortfall[0].startswith("no candidate is within 0.0005")
    assert "best is the best within the limits" in found.shortfall[1]
    assert "goal.tolerance 0.002 would do" in found.shortfall[1]


def test_limits_that_nothing_keeps() -> None:
    found = choose(FRONT, Goal(tolerance=0.0005), Limits(lut=10))
    assert "no candidate keeps to the limits" in found.shortfall
