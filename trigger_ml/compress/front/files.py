"""The front of a search as files: JSON, a table in Markdown, and plots."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from trigger_ml.compress.front.pareto import Point, front_json, pareto_front
from trigger_ml.compress.front.plot import front_figure, front_png, front_svg
from trigger_ml.files import write_text

__all__ = ["front_markdown", "write_front"]


def write_front(folder: Path, points: Iterable[Point], metric: str, *, plots: bool) -> None:
    """Write ``front.json`` and ``front.md``, each whole or not at all.

    points: all that there are, not only the front. metric: its name. plots: draw
    ``front.png`` and ``front.svg`` too, which takes a second.
    Raises BuildError when the folder cannot be written.
    """
    points = tuple(points)
    write_text(folder / "front.json", front_json(points, metric).rstrip("\n"))
    write_text(folder / "front.md", front_markdown(points, metric))
    if plots:
        front = pareto_front(points)
        beaten = tuple(point for point in points if point not in front)
        figure = front_figure(front, beaten, metric=metric)
        if figure is not None:
            front_png(figure, folder / "front.png")
            front_svg(figure, folder / "front.svg")


def front_markdown(points: Iterable[Point], metric: str) -> str:
    """The front as a table in Markdown, from few LUTs to many."""
    points = tuple(points)
    front = pareto_front(points)
    lines = [
        f"| LUT | {metric} | change | cycles | ns | model |",
        "|---:|---:|---:|---:|---:|:---|",
    ]
    for point in front:
        interval = f"{point.metric:.4f} ({point.metric_low:.4f} to {point.metric_high:.4f})"
        change = f"{point.change_low:+.4f} to {point.change_high:+.4f}"
        lines.append(
            f"| {point.lut:,.0f} | {interval} | {change} | {point.latency_cycles} "
            f"| {point.latency_ns:.1f} | {point.model or point.name} |"
        )
    told = f"{len(front)} of {len(points)} designs are beaten by no other."
    return "\n".join([*lines, "", told])
