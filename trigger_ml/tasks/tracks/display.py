"""The event display: a hit graph across the beam and along it, before and after a network."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ConfigError, DataError
from trigger_ml.report.themes import LIGHT, Palette
from trigger_ml.tasks.tracks.detector import BARREL
from trigger_ml.tasks.tracks.graphs import HitGraph

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["event_display", "event_figure"]

HEIGHT: Final = 4.4
"""Inches of a row: one row for the candidates, one more for what a network keeps of them."""
WIDTHS: Final = (0.5, 0.9)
"""Of the line of an edge that is not, and that is, a track's."""
STEPS: Final = 200
"""Points of the arc that a layer is drawn with."""
MARGIN_MM: Final = 30.0

Mask = NDArray[np.bool_]
Zoom = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Lines:
    """Pairs of hits (n, 2) that are drawn alike."""

    label: str
    pairs: NDArray[np.int64]
    colour: str
    width: float
    dashed: bool = False


def event_display(
    graph: HitGraph,
    scores: NDArray[Any] | None = None,
    *,
    threshold: float = 0.5,
    form: Literal["png", "svg"] = "png",
    title: str = "",
    zoom: Zoom | None = None,
) -> bytes:
    """One event as a PNG or SVG file on white; see :func:`event_figure` for what is in it."""
    if form not in ("png", "svg"):
        raise ConfigError(Blocker("form", f"must be png or svg, found {form!r}"))
    from matplotlib import rc_context

    from trigger_ml.report.plots import STYLE, to_png

    figure = event_figure(graph, scores, threshold=threshold, title=title, zoom=zoom)
    if form == "png":
        return to_png(figure)
    buffer = io.BytesIO()
    figure.patch.set_alpha(1)
    with rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def event_figure(
    graph: HitGraph,
    scores: NDArray[Any] | None = None,
    *,
    threshold: float = 0.5,
    title: str = "",
    zoom: Zoom | None = None,
    palette: Palette = LIGHT,
) -> Figure:
    """Draw a hit graph across the beam (x, y) and along it (z, r).

    First its candidate edges: those of one particle, others, and segments that the cuts lost.
    With scores, below: edges that are kept rightly and wrongly, and those that are missed.

    scores: (edges,); an edge is kept where it is above ``threshold``. zoom: the azimuth to show,
    from and to, in rad from -pi to pi; from above to means across pi. With the palette THEMED it
    goes into a page, through ``trigger_ml.report.plots.to_svg``.

    Raises DataError for scores of another shape or that are no numbers, ConfigError for a zoom
    that is none.
    """
    _require(graph, scores, threshold, zoom)
    shown = _shown(graph, zoom)
    rows = [_before(graph, shown, palette)]
    if scores is not None:
        rows.append(_after(graph, np.asarray(scores) > threshold, shown, palette))
    return _draw(graph, rows, shown, title, palette)


def _require(
    graph: HitGraph, scores: NDArray[Any] | None, threshold: float, zoom: Zoom | None
) -> None:
    if scores is not None:
        if np.shape(scores) != (graph.edges,):
            what = f"must have the shape {(graph.edges,)}, found {np.shape(scores)}"
            raise DataError(Blocker("scores", what, "one for each edge of the event's hit graph"))
        if not np.isfinite(scores).all():
            raise DataError(Blocker("scores", "must be finite numbers"))
    if not np.isfinite(threshold):
        raise ConfigError(Blocker("threshold", f"must be a finite number, found {threshold}"))
    if zoom and not (all(abs(edge) <= np.pi + 1e-3 for edge in zoom) and zoom[0] != zoom[1]):
        what = f"must be two azimuths from -pi to pi, found {zoom[0]:g} and {zoom[1]:g}"
        raise ConfigError(Blocker("zoom", what))


def _shown(graph: HitGraph, zoom: Zoom | None) -> Mask:
    """Which hits lie in the azimuth to show."""
    if zoom is None:
        return np.ones(graph.nodes, np.bool_)
    above, below = graph.phi >= zoom[0], graph.phi <= zoom[1]
    return np.asarray(above & below if zoom[0] < zoom[1] else above | below)


def _before(graph: HitGraph, shown: Mask, palette: Palette) -> list[_Lines]:
    edges = _visible(graph, shown)
    lost = graph.lost[shown[graph.lost].any(axis=1)]
    kinds = [
        _Lines("true candidates", edges(graph.truth), palette.series[0], WIDTHS[1]),
        _Lines("false candidates", edges(~graph.truth), palette.series[1], WIDTHS[0]),
    ]
    return [*kinds, _Lines("lost by the cuts", lost, palette.series[3], WIDTHS[1], dashed=True)]


def _after(graph: HitGraph, kept: Mask, shown: Mask, palette: Palette) -> list[_Lines]:
    edges = _visible(graph, shown)
    truth = graph.truth
    return [
        _Lines("kept rightly", edges(kept & truth), palette.series[0], WIDTHS[1]),
        _Lines("kept wrongly", edges(kept & ~truth), palette.series[1], WIDTHS[1]),
        _Lines("missed", edges(~kept & truth), palette.series[3], WIDTHS[1], dashed=True),
    ]


def _visible(graph: HitGraph, shown: Mask) -> Callable[[Mask], NDArray[np.int64]]:
    """A choice among the edges of which a hit is shown."""
    edges = np.stack([graph.senders, graph.receivers], axis=1)
    seen = shown[edges].any(axis=1)
    return lambda chosen: np.asarray(edges[chosen & seen])


def _draw(
    graph: HitGraph,
    rows: list[list[_Lines]],
    shown: Mask,
    title: str,
    palette: Palette,
) -> Figure:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from trigger_ml.report.plots import STYLE, WIDTH

    r, phi, z = (np.asarray(column, np.float64) for column in (graph.r, graph.phi, graph.z))
    across = np.stack([r * np.cos(phi), r * np.sin(phi)], axis=1)
    along = np.stack([z, r], axis=1)
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, HEIGHT * len(rows)), layout="constrained")
        parts = figure.subfigures(len(rows), 1, squeeze=False)[:, 0]
        figure.patch.set_alpha(0)
        for part, kinds in zip(parts, rows, strict=True):
            part.patch.set_alpha(0)
            left, right = part.subplots(1, 2)
            for axes, points, labels in (
                (left, across, ("x (mm)", "y (mm)")),
                (right, along, ("z (mm)", "r (mm)")),
            ):
                _frame(axes, points[shown], labels, palette)
                _draw_lines(axes, points, kinds)
                axes.plot(*points[shown].T, ".", color=palette.ink, markersize=1.6, zorder=3)
            left.set_aspect("equal", adjustable="box")
            _draw_layers(left, right, palette)
            _name_kinds(part, kinds, palette)
        if title:
            figure.suptitle(
                title, x=0.01, ha="left", color=palette.ink, fontsize=9, parse_math=False
            )
    return figure


def _frame(
    axes: Axes, points: NDArray[np.float64], labels: tuple[str, str], palette: Palette
) -> None:
    axes.patch.set_alpha(0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(palette.line)
    axes.tick_params(colors=palette.muted, which="both")
    axes.set_xlabel(labels[0], color=palette.muted)
    axes.set_ylabel(labels[1], color=palette.muted)
    if len(points):
        low, high = points.min(axis=0) - MARGIN_MM, points.max(axis=0) + MARGIN_MM
        axes.set_xlim(low[0], high[0])
        axes.set_ylim(low[1], high[1])


def _draw_lines(axes: Axes, points: NDArray[np.float64], kinds: list[_Lines]) -> None:
    from matplotlib.collections import LineCollection

    for kind in kinds:
        axes.add_collection(
            LineCollection(
                list(points[kind.pairs]),
                colors=kind.colour,
                linewidths=kind.width,
                linestyles="dashed" if kind.dashed else "solid",
                label=kind.label,
            ),
            autolim=False,
        )


def _draw_layers(across: Axes, along: Axes, palette: Palette) -> None:
    turn = np.linspace(-np.pi, np.pi, STEPS)
    style: dict[str, Any] = {
        "color": palette.line, "linewidth": 0.6, "zorder": 0, "scalex": False, "scaley": False,
    }  # fmt: skip
    for layer in BARREL:
        r, length = layer.radius_mm, layer.half_length_mm
        across.plot(r * np.cos(turn), r * np.sin(turn), **style)
        along.plot((-length, length), (r, r), **style)


def _name_kinds(part: Any, kinds: list[_Lines], palette: Palette) -> None:
    """The legend of a row, above both of its pictures."""
    from matplotlib.lines import Line2D

    from trigger_ml.report.plots import ink_legend

    handles = [
        Line2D(
            [], [], color=kind.colour, linewidth=1.4,
            linestyle="dashed" if kind.dashed else "solid",
            label=f"{kind.label}: {len(kind.pairs):,}",
        )
        for kind in kinds
    ]  # fmt: skip
    legend = part.legend(handles=handles, loc="outside upper left", ncols=len(kinds), frameon=False)
    ink_legend(legend.get_texts(), palette)
