"""The graph as a drawing: a box for every layer, a line for everything that one reads."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Curve

from trigger_ml.inspect.figures import Inspection, LayerFigures
from trigger_ml.inspect.layout import Placed, place
from trigger_ml.report.plots import STYLE, to_png, to_svg
from trigger_ml.report.themes import LIGHT, THEMED, Palette

__all__ = ["draw", "page_svg", "png", "svg"]

BOX: Final = (2.3, 0.62)
"""Inches, of a box without the room around it."""
ROOM: Final = (2.6, 1.02)
"""Inches from box to box, across and down."""
MARGIN: Final = 0.2
TIMES: Final = "\u00d7"
MOST_NAME: Final = 22
MOST_TEXT: Final = 32
"""Characters that a box holds."""
MOST_INCHES: Final = 300.0
"""A file of more than this at 150 dpi is more than a viewer shows."""


def draw(inspection: Inspection, palette: Palette = LIGHT) -> Figure:
    """The figure."""
    layers = inspection.layers
    names = {layer.name for layer in layers}
    reads = {layer.name: [name for name in layer.reads if name in names] for layer in layers}
    placed = place(reads)
    width = placed.width * ROOM[0] + 2 * MARGIN
    height = min(placed.rows * ROOM[1] + 2 * MARGIN, MOST_INCHES)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        axes.set_xlim(0, width)
        axes.set_ylim(placed.rows * ROOM[1] + 2 * MARGIN, 0)
        _lines(axes, placed, palette)
        for layer in layers:
            _box(axes, layer, _centre(*placed.boxes[layer.name]), palette)
    figure.patch.set_alpha(0)
    return figure


def svg(inspection: Inspection) -> str:
    """A file that stands alone."""
    buffer = io.StringIO()
    figure = draw(inspection)
    figure.patch.set_alpha(1)
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def png(inspection: Inspection) -> bytes:
    """The same in pixels."""
    return to_png(draw(inspection), dpi=150)


def page_svg(inspection: Inspection) -> str:
    """An <svg> element in the colours of the page that it stands in."""
    return to_svg(draw(inspection, THEMED), "The layers and what each reads", "graph")


def _centre(x: float, row: int) -> tuple[float, float]:
    return MARGIN + x * ROOM[0], MARGIN + (row + 0.5) * ROOM[1]


def _box(axes: Axes, layer: LayerFigures, centre: tuple[float, float], palette: Palette) -> None:
    x, y = centre
    weighted = layer.weights is not None
    axes.add_patch(
        FancyBboxPatch(
            (x - BOX[0] / 2, y - BOX[1] / 2),
            *BOX,
            boxstyle="round,pad=0,rounding_size=0.08",
            facecolor=palette.soft if weighted else "none",
            edgecolor=palette.accent if layer.shape is not None else palette.fail,
            linestyle="--" if layer.note else "-",
            linewidth=1.0,
        )
    )
    texts = [
        (_cut(layer.name, MOST_NAME), palette.ink, "bold", 9.0),
        (_cut(_what(layer), MOST_TEXT), palette.ink, "normal", 7.5),
        (layer.type or "not known", palette.ink if weighted else palette.muted, "normal", 7.5),
    ]
    for position, (text, colour, weight, size) in enumerate(texts):
        axes.text(
            x,
            y + (position - 1) * 0.19,
            text,
            color=colour,
            fontweight=weight,
            fontsize=size,
            ha="center",
            va="center",
        )


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}\u2026"


def _what(layer: LayerFigures) -> str:
    if layer.shape is None:
        return layer.kind
    return f"{layer.kind} {TIMES.join(map(str, layer.shape))}"


def _lines(axes: Axes, placed: Placed, palette: Palette) -> None:
    for points in placed.lines.values():
        axes.add_patch(
            FancyArrowPatch(
                path=_curve([_centre(x, row) for x, row in points]),
                arrowstyle="-|>",
                mutation_scale=9,
                color=palette.muted,
                linewidth=1.0,
                shrinkA=0,
                shrinkB=0,
            )
        )


def _curve(points: Iterable[tuple[float, float]]) -> Curve:
    """From below the first box to above the last, straight down through the places between."""
    stops = list(points)
    half = BOX[1] / 2
    starts = [(stops[0][0], stops[0][1] + half), *((x, y + half) for x, y in stops[1:-1])]
    ends = [*((x, y - half) for x, y in stops[1:-1]), (stops[-1][0], stops[-1][1] - half)]
    vertices = [starts[0]]
    codes = [int(Curve.MOVETO)]
    for position, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if position:
            vertices.append(start)
            codes.append(int(Curve.LINETO))
        middle = (start[1] + end[1]) / 2
        vertices += [(start[0], middle), (end[0], middle), end]
        codes += [int(Curve.CURVE4)] * 3
    return Curve(vertices, codes)
