"""An image, hit by hit: columns against channels, one strip of paper for each row of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.report.themes import LIGHT, Palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["image_figure"]

HEIGHT: Final = 6.4
"""Inches."""
MOST_SHOWN: Final = 384
NARROWEST: Final = 2.0
"""Columns that a hit is drawn wide where MOST_SHOWN are shown, so that it can be seen."""
NAMES: Final = ("in a true cell", "elsewhere", "marked")
"""What hits of the two colours are, and what is shaded."""
LABELS: Final = ("column", "row")


def image_figure(
    true: NDArray[np.bool_],
    other: NDArray[np.bool_],
    mask: NDArray[Any] | None = None,
    *,
    title: str = "",
    columns: tuple[int, int] | None = None,
    names: tuple[str, str, str] = NAMES,
    labels: tuple[str, str] = LABELS,
    palette: Palette = LIGHT,
) -> Figure:
    """Draw one image: hits of two kinds, and the marked cells behind them.

    true, other: (height, width, channels), the hits of either kind. mask: (height, width), what
    is not zero is marked; a marked cell is one column through all channels. columns: first and
    last (not included) that are drawn. names: of the two kinds and of what is marked. labels: of
    the two axes.
    """
    from matplotlib.patches import Patch

    from trigger_ml.report.plots import canvas, ink_legend

    height, width, depth = true.shape
    shown = columns or (0, width)
    figure, axes = canvas(HEIGHT, palette)
    wide = max(1.0, NARROWEST * (shown[1] - shown[0]) / MOST_SHOWN)
    if mask is not None:
        _draw_cells(axes, np.asarray(mask) != 0, depth, wide, palette.soft)
    _draw_hits(axes, other, wide, palette.muted)
    _draw_hits(axes, true, wide, palette.series[1])
    _frame(axes, height, depth, shown, labels, palette)
    colours = (palette.series[1], palette.muted, palette.soft)
    kinds = list(zip(names, colours, strict=True))[: 2 if mask is None else 3]
    legend = axes.legend(
        handles=[Patch(color=colour, label=name) for name, colour in kinds],
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=3,
        frameon=False,
    )
    ink_legend(legend.get_texts(), palette)
    if title:
        axes.set_title(title, loc="left", color=palette.ink, parse_math=False, fontsize=9)
    return figure


def _bottom(row: NDArray[np.int64], height: int, depth: int) -> NDArray[np.int64]:
    """Where a row's first channel lies: one empty line between rows, the last row lowest."""
    return (height - 1 - row) * (depth + 1)


def _draw_hits(axes: Axes, hits: NDArray[np.bool_], wide: float, colour: str) -> None:
    row, column, channel = np.nonzero(hits)
    bottom = _bottom(row, hits.shape[0], hits.shape[2]) + channel
    _draw_boxes(axes, np.stack([column, bottom], axis=1).astype(np.float64), wide, 0.9, colour)


def _draw_cells(axes: Axes, mask: NDArray[np.bool_], depth: int, wide: float, colour: str) -> None:
    row, column = np.nonzero(mask)
    bottom = _bottom(row, len(mask), depth) - 0.2
    corners = np.stack([column, bottom], axis=1).astype(np.float64)
    _draw_boxes(axes, corners, wide, depth + 0.3, colour)


def _draw_boxes(
    axes: Axes, corners: NDArray[np.float64], wide: float, tall: float, colour: str
) -> None:
    """Boxes around the middle of a column, which are wider than it where it would be too fine."""
    from matplotlib.collections import PolyCollection

    left = corners[:, 0] + 0.5 - wide / 2
    bottom = corners[:, 1]
    boxes = np.stack(
        [
            np.stack([left, bottom], axis=1),
            np.stack([left + wide, bottom], axis=1),
            np.stack([left + wide, bottom + tall], axis=1),
            np.stack([left, bottom + tall], axis=1),
        ],
        axis=1,
    )
    axes.add_collection(PolyCollection(list(boxes), facecolor=colour, linewidth=0))


def _frame(
    axes: Axes,
    height: int,
    depth: int,
    columns: tuple[int, int],
    labels: tuple[str, str],
    palette: Palette,
) -> None:
    bottoms = _bottom(np.arange(height), height, depth)
    axes.set_xlim(*columns)
    axes.set_ylim(-0.6, float(bottoms.max()) + depth + 0.6)
    axes.set_yticks(bottoms + depth / 2, [str(number) for number in range(height)])
    for bottom in bottoms[:-1]:
        axes.axhline(float(bottom) - 0.5, color=palette.line, linewidth=0.6, zorder=0)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(labels[0], color=palette.muted)
    axes.set_ylabel(labels[1], color=palette.muted)
