"""The front as a table for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from trigger_ml.compress.front.pareto import Point
from trigger_ml.report.words import count, number

__all__ = ["front_table"]

MINUS: Final = "\u2212"


def _change(point: Point) -> str:
    """Interval of the change against the reference."""
    low, high = (f"{x:+.4f}".replace("-", MINUS) for x in (point.change_low, point.change_high))
    return f"{low} to {high}"


_Column = tuple[str, bool, Callable[[Point], str]]
"""Head, whether it holds figures, and the cell of a point."""

_COLUMNS: Final[tuple[_Column, ...]] = (
    ("design", False, lambda point: point.name),
    ("LUT", True, lambda point: count(point.lut)),
    ("clocks", True, lambda point: count(point.latency_cycles)),
    ("ns", True, lambda point: number(point.latency_ns, 1)),
    ("METRIC", True, lambda point: number(point.metric, 4)),
    ("change, 95 %", True, _change),
    ("weights", True, lambda point: count(point.parameters)),
    ("made by", False, lambda point: point.origin),
)


def front_table(points: Sequence[Point], metric: str) -> Table:
    """A table to print, one row a point in the order given. metric: its name."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name, figures, _ in _COLUMNS:
        head = metric if name == "METRIC" else name
        table.add_column(
            Text(head), justify="right" if figures else "left", no_wrap=figures, overflow="fold"
        )
    for point in points:
        table.add_row(*(Text(cell(point)) for _, _, cell in _COLUMNS))
    return table
