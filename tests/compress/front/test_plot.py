"""The front drawn and tabled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from trigger_ml.compress.front.pareto import Point, Published, pareto_front
from trigger_ml.compress.front.plot import front_figure, front_png, front_svg
from trigger_ml.compress.front.table import front_table
from trigger_ml.errors import BuildError


def points(count: int) -> list[Point]:
    return [
        Point(
            f"trial {k}",
            100.0 * (k + 1) ** 2,
            5 + k,
            (5 + k) * 2.5,
            0.7 + 0.01 * k,
            0.69 + 0.01 * k,
            0.71 + 0.01 * k,
            0.77,
            -0.07,
            -0.06,
            40 * k,
            origin="hgq",
        )
        for k in range(count)
    ]


PUBLISHED = [Published("HGQ", 6236, 0.764, "OpenML $set_1$", "arXiv:2405.00645", 9.0)]


@pytest.mark.parametrize("count", [1, 9])
def test_what_is_drawn_is_what_was_given(count: int) -> None:
    front = pareto_front(points(count))
    figure = front_figure(front, metric="auc:W_x", published=PUBLISHED)
    assert figure is not None
    axes, bar = figure.axes
    assert axes.get_xscale() == "log"
    step = next(line for line in axes.lines if line.get_label() == "front")
    assert list(step.get_xdata()) == [p.lut for p in front]
    assert list(step.get_ydata()) == [p.metric for p in front]
    assert step.get_drawstyle() == "steps-post", "between two designs there is only the left one"
    dots = next(c for c in axes.collections if c.get_array() is not None)
    assert list(dots.get_array()) == [p.latency_ns for p in front]
    assert bar.get_ylabel() == "latency (ns)"
    assert axes.get_ylabel() == "auc:W_x"
    words = [text.get_text() for text in axes.get_legend().get_texts()]
    assert "published, other data set: OpenML $set_1$" in words


def test_what_the_front_is_compared_with_is_told_apart_by_origin() -> None:
    others = [replace(point, origin=name) for point, name in zip(points(3), "aba", strict=True)]
    figure = front_figure((), metric="accuracy", comparison=others)
    assert figure is not None
    drawn = {item.get_label(): item.lines[0] for item in figure.axes[0].containers}
    assert {name: list(line.get_xdata()) for name, line in drawn.items()} == {
        "a": [others[0].lut, others[2].lut],
        "b": [others[1].lut],
    }
    assert len({line.get_marker() for line in drawn.values()}) == 2


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("lut", [1, 100, 1400, 3300, 7e5])
def test_the_axis_always_has_a_label(lut: float) -> None:
    figure = front_figure([replace(points(1)[0], lut=lut)], metric="accuracy")
    assert figure is not None
    left, right = figure.axes[0].get_xlim()
    assert any(left < tick < right for tick in figure.axes[0].get_xticks())


def test_others_and_comparisons_are_apart() -> None:
    made = points(5)
    figure = front_figure(made[3:], made[:2], metric="accuracy", comparison=made[2:3])
    assert figure is not None
    words = {text.get_text() for text in figure.axes[0].get_legend().get_texts()}
    assert words == {"front", "beaten", "for comparison"}


def test_nothing_measured_nothing_drawn() -> None:
    assert front_figure([], metric="accuracy", published=PUBLISHED) is None


def test_a_network_without_logic_has_a_place() -> None:
    free = Point("free", 0, 1, 2.8, 0.2, 0.1, 0.3, 0.7, -0.5, -0.4, 0)
    figure = front_figure([free], metric="accuracy")
    assert figure is not None
    assert figure.axes[0].get_xlim()[0] > 0


def test_files(tmp_path: Path) -> None:
    texts = []
    for name in ("a", "b"):
        figure = front_figure(points(4), metric="accuracy", published=PUBLISHED)
        assert figure is not None
        front_svg(figure, tmp_path / f"{name}.svg")
        front_png(figure, tmp_path / f"{name}.png", dpi=40)
        texts.append((tmp_path / f"{name}.svg").read_text())
    assert texts[0] == texts[1]
    assert texts[0].startswith("<?xml")
    assert "LUT, cost model" in texts[0]
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "a.svg", "b.png", "b.svg"]
    (tmp_path / "file").write_text("")
    with pytest.raises(BuildError, match="cannot write"):
        front_png(figure, tmp_path / "file" / "front.png", dpi=40)


def test_table() -> None:
    console = Console(width=100)
    with console.capture() as captured:
        console.print(front_table(points(12), "auc:[t]"))
    lines = captured.get().splitlines()
    assert len(lines) == 13
    assert "auc:[t]" in lines[0]
    assert lines[-1].split() == [
        *("trial", "11", "14,400", "16", "40.0", "0.8100"),
        *("\u22120.0700", "to", "\u22120.0600", "440", "hgq"),
    ]
