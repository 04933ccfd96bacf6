"""What changed, on a terminal."""

from __future__ import annotations

from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from trigger_ml.inspect.diff import Difference, FigureChange, LayerChange, WeightChange

__all__ = ["diff_table"]

STYLES: Final = {"added": "green", "removed": "red", "renamed": "cyan", "changed": "yellow"}
NONE: Final = "\u2013"


def diff_table(found: Difference) -> RenderableType:
    """What to print."""
    parts: list[RenderableType] = [Text(f"{found.old} \u2192 {found.new}", "bold")]
    if not found.different:
        parts.append(Text("No difference."))
    if found.layers:
        parts += [Text(), _layers(found.layers)]
    for name, changes in found.sections.items():
        if changes:
            parts += [Text(), _section(name, changes)]
    if found.notes:
        parts += [Text(), *(Text(note, "dim") for note in found.notes)]
    return Group(*parts)


def _layers(layers: tuple[LayerChange, ...]) -> Table:
    table = _table("layer", "")
    for layer in layers:
        name = layer.new if layer.new is not None else layer.old
        assert name is not None
        style = STYLES[layer.status]
        if layer.status in ("added", "removed"):
            old, new = (layer.kind, "") if layer.status == "removed" else ("", layer.kind)
            table.add_row(Text(name, "bold"), Text(layer.status, style), old, new, "")
            continue
        if layer.status == "renamed":
            table.add_row(Text(name, "bold"), Text("name", style), layer.old, layer.new, "")
            name = ""
        for figure in layer.figures:
            table.add_row(Text(name, "bold"), Text(figure.name, style), *_cells(figure))
            name = ""
        for weights in layer.weights:
            cells = (Text(name, "bold"), Text(weights.what, style), "", _weights(weights), "")
            table.add_row(*cells)
            name = ""
    return table


def _section(name: str, changes: tuple[FigureChange, ...]) -> Table:
    table = _table(name)
    for change in changes:
        table.add_row(Text(change.name), *_cells(change))
    return table


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, no_wrap=True)
    table.add_column("A", overflow="fold")
    table.add_column("B", overflow="fold")
    table.add_column("change", justify="right", no_wrap=True)
    return table


def _cells(change: FigureChange) -> tuple[Text, Text, Text]:
    return Text(_text(change.old)), Text(_text(change.new)), Text(_relative(change))


def _text(value: Any) -> str:
    match value:
        case None:
            return NONE
        case bool() | str():
            return str(value)
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.0f}" if value == int(value) else f"{value:,.6g}"
        case _:
            return str(value)


def _relative(change: FigureChange) -> str:
    """How much more, where both are numbers."""
    pair = (change.old, change.new)
    if not all(isinstance(item, int | float) and not isinstance(item, bool) for item in pair):
        return ""
    if not change.old:
        return ""
    return f"{(change.new - change.old) / abs(change.old):+.1%}"


def _weights(change: WeightChange) -> str:
    steps = "step" if change.steps == 1 else "steps"
    return (
        f"{change.changed:,} of {change.of:,} changed, "
        f"by at most {change.largest:g} ({change.steps:g} {steps})"
    )
