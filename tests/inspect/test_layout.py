"""Boxes and lines of a drawing do not lie over each other."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from trigger_ml.inspect.layout import Placed, place

U_NET = {
    "x": [],
    "down": ["x"],
    "deep": ["down"],
    "up": ["deep"],
    "join": ["up", "down"],
    "out": ["join"],
}


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    """Boxes that each read some before them."""
    count = draw(st.integers(1, 14))
    reads: dict[str, list[str]] = {}
    for k in range(count):
        names = st.sampled_from(list(reads)) if reads else st.nothing()
        reads[f"n{k}"] = draw(st.lists(names, max_size=3)) if reads else []
    return reads


def apart(placed: Placed) -> None:
    boxes = sorted((row, x) for x, row in placed.boxes.values())
    for (row, x), (next_row, next_x) in pairwise(boxes):
        assert row != next_row or next_x - x >= 1 - 1e-9


@given(graphs())
@settings(max_examples=100, deadline=None)
def test_any_graph(reads: dict[str, list[str]]) -> None:
    placed = place(reads)
    assert set(placed.boxes) == set(reads)
    apart(placed)
    for name, sources in reads.items():
        for source in sources:
            points = placed.lines[source, name]
            assert points[0] == placed.boxes[source]
            assert points[-1] == placed.boxes[name]
            assert [row for _, row in points] == list(range(points[0][1], points[-1][1] + 1))
            for x, row in points[1:-1]:
                assert all(
                    abs(x - centre) > 0.5 for centre, other in placed.boxes.values() if other == row
                )
    assert min(x for x, _ in placed.boxes.values()) >= 0.5 - 1e-9
    assert max(x for x, _ in placed.boxes.values()) <= placed.width - 0.5 + 1e-9


def test_a_chain_is_straight() -> None:
    placed = place({"a": [], "b": ["a"], "c": ["b"]})
    assert list(placed.boxes.values()) == [(0.5, 0), (0.5, 1), (0.5, 2)]
    assert (placed.width, placed.rows) == (1.0, 3)


def test_a_skip_connection_goes_around() -> None:
    placed = place(U_NET)
    assert placed.rows == 6
    line = placed.lines["down", "join"]
    assert len(line) == 4
    for (x, row), name in zip(line[1:3], ("deep", "up"), strict=True):
        assert placed.boxes[name][1] == row
        assert abs(x - placed.boxes[name][0]) > 0.5
