"""The front as a figure: LUT against metric, latency as colour. Drawing never computes.

Points of another data set or another flow are drawn apart from ours, and say so.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trigger_ml.compress.front.pareto import Point, Published
from trigger_ml.files import appearing
from trigger_ml.report.themes import LIGHT, Palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["front_figure", "front_png", "front_svg"]

HEIGHT: Final = 4.6
"""Inches."""
COLOURS: Final = "viridis"
"""Even in lightness, so that it survives grey print and colour blindness."""
ROOM: Final = 1.45
"""Factor of free LUTs to the left and right of all points, on the logarithmic axis: its
square is above 2, so that a single point has a labelled tick beside it."""
MANY_SERIES: Final = 5
"""From here on the legend has two columns: with three it would be wider than the axes."""
MARKERS: Final = "Ds^v"
"""Of what the front is compared with, by origin."""
FEW_TICKS: Final = 8.0
"""Span of the LUTs above which only 1, 2 and 5 times a power of ten are labelled."""


def front_figure(
    front: Sequence[Point],
    others: Sequence[Point] = (),
    *,
    metric: str,
    comparison: Sequence[Point] = (),
    published: Sequence[Published] = (),
    palette: Palette = LIGHT,
) -> Figure | None:
    """Draw a front; None where there is no point at all.

    front: as :func:`trigger_ml.compress.front.pareto.pareto_front` orders it. others: designs
    that the front beats. comparison: designs on the same events by other ways, told apart by
    their origins where these differ.
    published: figures of papers. metric: what the vertical axis says.
    """
    if not front and not others and not comparison:
        return None
    from trigger_ml.report.plots import canvas

    figure, axes = canvas(HEIGHT, palette)
    _scale(axes, (*front, *others, *comparison, *published))
    _draw_published(axes, published, palette)
    if others:
        axes.plot(
            *_places(others), "o", color=palette.soft, markersize=3.5, label="beaten", zorder=2
        )
    _draw_comparison(axes, comparison, palette)
    if front:
        _draw_front(figure, axes, front, palette)
    _frame(axes, metric, palette)
    return figure


def _places(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    # A network without logic stands at one LUT: zero has no place on the axis.
    return [max(point.lut, 1.0) for point in points], [point.metric for point in points]


def _bars(points: Sequence[Point]) -> list[list[float]]:
    return [
        [max(point.metric - point.metric_low, 0.0) for point in points],
        [max(point.metric_high - point.metric, 0.0) for point in points],
    ]


def _draw_front(figure: Figure, axes: Axes, front: Sequence[Point], palette: Palette) -> None:
    luts, metrics = _places(front)
    axes.step(
        luts, metrics, where="post", color=palette.accent, linewidth=1.3, label="front", zorder=4
    )
    axes.errorbar(
        luts, metrics, yerr=_bars(front), fmt="none", ecolor=palette.muted, elinewidth=0.8, zorder=4
    )
    latencies: Any = [point.latency_ns for point in front]
    drawn = axes.scatter(
        luts, metrics, c=latencies, cmap=COLOURS, s=34, edgecolors=palette.ink, linewidths=0.6,
        zorder=5,
    )  # fmt: skip
    bar = figure.colorbar(drawn, ax=axes, pad=0.02)
    bar.set_label("latency (ns)", color=palette.muted)
    bar.ax.tick_params(colors=palette.muted)
    bar.outline.set_visible(False)


def _draw_comparison(axes: Axes, comparison: Sequence[Point], palette: Palette) -> None:
    origins = tuple(dict.fromkeys(point.origin for point in comparison))
    for number, origin in enumerate(origins):
        mine = [point for point in comparison if point.origin == origin]
        axes.errorbar(
            *_places(mine), yerr=_bars(mine), fmt=MARKERS[number % len(MARKERS)],
            color=palette.series[(number + 1) % len(palette.series)], markersize=5,
            elinewidth=0.8, label=origin if len(origins) > 1 else "for comparison", zorder=6,
        )  # fmt: skip


def _draw_published(axes: Axes, published: Sequence[Published], palette: Palette) -> None:
    datasets = list(dict.fromkeys(item.dataset for item in published))
    for number, dataset in enumerate(datasets):
        mine = [item for item in published if item.dataset == dataset]
        color = palette.series[(number + 3) % len(palette.series)]
        axes.plot(
            [item.lut for item in mine],
            [item.metric for item in mine],
            "x",
            color=color,
            markersize=6,
            label=f"published, other data set: {dataset}",
            zorder=3,
        )
        for item in mine:
            axes.annotate(
                item.name, (item.lut, item.metric), (4, 4), textcoords="offset points",
                color=color, size=7, parse_math=False,
            )  # fmt: skip


def _scale(axes: Axes, drawn: Sequence[Point | Published]) -> None:
    """Set the LUT axis before anything is drawn: matplotlib warns of one point alone."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    luts = [max(item.lut, 1.0) for item in drawn]
    wide = max(luts) / min(luts) > FEW_TICKS
    axes.set_xscale("log")
    axes.set_xlim(min(luts) / ROOM, max(luts) * ROOM)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if wide else range(1, 10)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _frame(axes: Axes, metric: str, palette: Palette) -> None:
    from trigger_ml.report.plots import ink_legend

    axes.set_xlabel("LUT, cost model", color=palette.muted)
    axes.set_ylabel(metric, color=palette.muted, parse_math=False)
    axes.grid(True, which="both", color=palette.line, linewidth=0.5)
    columns = 3 if len(axes.get_legend_handles_labels()[0]) < MANY_SERIES else 2
    legend = axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, frameon=False, borderaxespad=0.2
    )
    ink_legend(legend.get_texts(), palette)


def front_png(figure: Figure, path: Path, dpi: int = 200) -> None:
    """Write a figure as PNG on white, whole or not at all. Raises BuildError."""
    from trigger_ml.report.plots import to_png

    data = to_png(figure, dpi)
    with appearing(path) as part:
        part.write_bytes(data)


def front_svg(figure: Figure, path: Path) -> None:
    """Write a figure as an SVG file that stands alone, likewise; the same figure, the same text."""
    import matplotlib as mpl

    from trigger_ml.report.plots import STYLE

    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    with appearing(path) as part:
        part.write_text(buffer.getvalue(), encoding="utf-8")
