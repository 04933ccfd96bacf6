"""Fronts, the area below them, and their JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trigger_ml.compress.front.pareto import (
    Point,
    dominates,
    front_from_json,
    front_json,
    hypervolume,
    pareto_front,
)
from trigger_ml.errors import DataError


def point(name: str, lut: float, metric: float, **changes: Any) -> Point:
    base = Point(name, lut, 5, 13.9, metric, metric - 0.01, metric + 0.01, 0.8, -0.02, 0.01, 100)
    return replace(base, **changes)


POINTS = st.lists(
    st.builds(
        lambda lut, metric, clocks, name: point(name, lut, metric / 8, latency_cycles=clocks),
        st.integers(0, 6),
        st.integers(0, 6),
        st.integers(1, 2),
        st.sampled_from("abc"),
    ),
    max_size=12,
)


def test_the_front_by_hand() -> None:
    a, b, c = point("a", 100, 0.7), point("b", 200, 0.75), point("c", 300, 0.74)
    d, e = point("d", 100, 0.6), point("e", 400, 0.8)
    assert pareto_front([e, d, c, b, a]) == (a, b, e)
    assert pareto_front([]) == ()


def test_of_equals_the_faster_stays_then_the_first_by_name() -> None:
    slow, quick = point("a", 10, 0.5, latency_cycles=9), point("b", 10, 0.5)
    assert pareto_front([slow, quick]) == (quick,)
    twin = point("c", 10, 0.5)
    assert pareto_front([twin, quick]) == (quick,)
    later, former = point("b", 10, 0.5, trial=10), point("b", 10, 0.5, trial=9)
    assert pareto_front([later, former]) == (former,)


@given(POINTS, st.randoms())
def test_a_front_is_what_nothing_beats(points: list[Point], random: Any) -> None:
    front = pareto_front(points)

    def beaten(p: Point) -> bool:
        return any(
            q.lut <= p.lut and q.metric >= p.metric and (q.lut, q.metric) != (p.lut, p.metric)
            for q in points
        )

    assert {(p.lut, p.metric) for p in front} == {
        (p.lut, p.metric) for p in points if not beaten(p)
    }
    assert all(a.lut < b.lut and a.metric < b.metric for a, b in pairwise(front))
    random.shuffle(points)
    assert pareto_front(points) == front


def test_area_by_hand() -> None:
    points = [point("a", 100, 0.7), point("b", 200, 0.8), point("c", 150, 0.6)]
    # Up to 0.7 the front is 300 LUTs left of the corner, from there to 0.8 it is 200.
    assert hypervolume(points, (400, 0.5)) == pytest.approx(300 * 0.2 + 200 * 0.1)
    assert hypervolume(points, (150, 0.65)) == pytest.approx(50 * 0.05)
    assert hypervolume(points, (50, 0.5)) == 0
    assert hypervolume([], (50, 0.5)) == 0


@given(POINTS)
def test_area_by_counting_cells(points: list[Point]) -> None:
    corner = (6, 0.125)
    cells = sum(
        any(p.lut <= x and p.metric >= (y + 1) / 8 for p in points)
        for x in range(6)
        for y in range(1, 6)
    )
    points = [p for p in points if p.metric <= 6 / 8]
    assert hypervolume(points, corner) == pytest.approx(cells / 8)


@given(POINTS, POINTS)
def test_covering(left: list[Point], right: list[Point]) -> None:
    missing = dominates(left, right)
    assert dominates(left, left) == ()
    for p in right:
        covered = any(q.lut <= p.lut and q.metric >= p.metric for q in left)
        assert covered == (p not in missing)
    corner = (7, -0.1)
    if not missing:
        assert hypervolume(left, corner) >= hypervolume(right, corner) - 1e-12


def test_json_and_back() -> None:
    points = (
        point("a", 10.5, 0.7, ebops=3.5, model="trials/1/model.keras", trial=1, origin="hgq"),
        point("b", 9, 0.6, details={"kept": (0, 2), "recipe": {"beta": 1e-6}}),
        point("c", 99, 0.1),
    )
    text = front_json(points, "auc:t")
    metric, back = front_from_json(text)
    assert metric == "auc:t"
    assert set(p.name for p in back) == {"a", "b", "c"}
    assert pareto_front(back) == pareto_front(points)
    assert sorted(back, key=lambda p: p.name) == list(points)
    data = json.loads(text)
    assert [data["points"][k]["name"] for k in data["front"]] == ["b", "a"]
    assert front_json(reversed(points), "auc:t") == text


def test_numbers_of_numpy_become_plain() -> None:
    found = point("a", np.float32(8), np.float64(0.5), parameters=np.int64(7), trial=np.int32(3))
    assert Point.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert type(found.lut) is float
    assert type(found.parameters) is int
    assert hash(found)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"metric": math.nan}, "metric must be finite"),
        ({"metric": np.float32("inf")}, "metric must be finite"),
        ({"lut": -1.0}, "lut must not be negative"),
        ({"ebops": math.inf}, "ebops must be finite"),
        ({"metric_low": 0.9}, "metric_low is 0.9, above metric_high"),
        ({"details": {"x": object()}}, "is not plain JSON"),
        ({"details": {"x": math.nan}}, "is not plain JSON"),
    ],
)
def test_a_point_that_was_not_measured_is_refused(changes: dict[str, Any], what: str) -> None:
    with pytest.raises(DataError, match=what):
        replace(point("a", 1, 0.5), **changes)


def test_wrong_json_is_told_whole() -> None:
    data = point("a", 1, 0.5).to_json()
    del data["parameters"]
    with pytest.raises(DataError) as caught:
        Point.from_json({**data, "lut": "many", "luts": 3})
    assert {b.where for b in caught.value.blockers} == {
        "point parameters",
        "point lut",
        "point luts",
    }
    for text, what in (
        ("{", "is not JSON"),
        ("[]", "schema"),
        ('{"schema": 9}', "schema 9"),
        ('{"schema": 1, "points": {}}', "no metric or no list"),
    ):
        with pytest.raises(DataError, match=what):
            front_from_json(text)
