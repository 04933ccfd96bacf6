"""A model's figures on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from trigger_ml.inspect.figures import Inspection
from trigger_ml.inspect.words import LEFT, columns, rows, sentences, short_type, title, total_rows

__all__ = ["inspection_table"]

DROPPED: Final = ("reads", "weight type", "MACs", "kind", "weights", "zeros", "ns")
"""Columns that a narrow terminal does without, in this order."""
LAST: Final = "note"
"""Takes the room that is left."""
GAP: Final = 2


def inspection_table(inspection: Inspection, width: int) -> RenderableType:
    """What to print on lines of ``width`` characters; columns that do not fit are left out."""
    names = columns(inspection)
    cells = [[short_type(cell) for cell in row] for row in rows(inspection)]
    shown = _fitting(names, cells, width)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in shown:
        left = name in LEFT
        table.add_column(name, justify="left" if left else "right", no_wrap=name != LAST)
    for row in cells:
        found = dict(zip(names, row, strict=True))
        table.add_row(*(Text(found[name]) for name in shown))
    totals = Table.grid(padding=(0, 2, 0, 0))
    for name, figure in total_rows(inspection):
        totals.add_row(Text(name, "dim"), Text(figure, "bold"))
    notes = sentences(inspection)
    hidden = [name for name in names if name not in shown]
    if hidden:
        notes.append(f"On a wider terminal, or with --json: {', '.join(hidden)}.")
    said = [Text(sentence, "dim") for sentence in notes]
    return Group(Text(title(inspection), "bold"), Text(), table, Text(), totals, Text(), *said)


def _fitting(names: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> list[str]:
    """Names of the columns that are shown."""
    sizes = {
        name: max([len(name), *(len(row[k]) for row in cells)]) + GAP
        for k, name in enumerate(names)
    }
    sizes |= {LAST: len(LAST) + GAP} if LAST in sizes else {}
    shown = list(names)
    for name in DROPPED:
        if sum(sizes[item] for item in shown) <= width + GAP:
            break
        if name in shown:
            shown.remove(name)
    return shown
