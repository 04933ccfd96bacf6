"""Two builds on a terminal."""

from __future__ import annotations

from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from trigger_ml.report.compare import Comparison, Direction, Row

__all__ = ["comparison_table", "tally"]

STYLES: Final = {
    Direction.SAME: "dim",
    Direction.BETTER: "green",
    Direction.WORSE: "bold red",
    Direction.UNSURE: "cyan",
    Direction.CHANGED: "yellow",
}


def comparison_table(found: Comparison) -> RenderableType:
    """What to print: every figure that changed, and how many did not."""
    parts: list[RenderableType] = [
        Text(f"{found.old} \u2192 {found.new}", "bold"),
        Text(tally(found)),
    ]
    for name, rows in found.sections.items():
        changed = [row for row in rows if row.direction is not Direction.SAME]
        if changed:
            parts += [Text(), _section(name, changed)]
    if found.notes:
        parts += [Text(), *(Text(note, "dim") for note in found.notes)]
    return Group(*parts)


def tally(found: Comparison) -> str:
    """How many figures changed which way, in one line."""
    counts = {item: found.count(item) for item in Direction}
    told = [f"{number} {item.value}" for item, number in counts.items() if number]
    return f"{', '.join(told)}." if told else "Neither has a figure."


def _section(name: str, rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(name, overflow="fold")
    table.add_column("A", overflow="fold", justify="right")
    table.add_column("B", overflow="fold", justify="right")
    table.add_column("change", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for row in rows:
        mark = Text(row.direction.value, STYLES[row.direction])
        table.add_row(Text(row.name), Text(row.old), Text(row.new), row.change, mark)
    return table
