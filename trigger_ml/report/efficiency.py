"""Efficiency in bins of a quantity, as a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, Protocol

from trigger_ml.report.themes import LIGHT, Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["MARKERS", "Binned", "Counted", "efficiency_figure"]

HEIGHT: Final = 3.2
"""Inches."""
SPREAD: Final = 0.25
"""Of the series around a single value, whose neighbours are 1 away."""
MARKERS: Final = "osD^vPX"
"""Of the series, told apart without colour too."""


class Counted(Protocol):
    """A share with its interval; ``value``, ``low`` and ``high`` are None where total is 0."""

    @property
    def total(self) -> int:
        """How many were counted."""

    @property
    def value(self) -> float | None:
        """Share of them."""

    @property
    def low(self) -> float | None:
        """Lower end of its interval."""

    @property
    def high(self) -> float | None:
        """Upper end of its interval."""


class Binned(Protocol):
    """Efficiency where a quantity lies in [low, high); where all bins have low == high, each
    stands for that value alone."""

    @property
    def low(self) -> float:
        """Lower edge."""

    @property
    def high(self) -> float:
        """Upper edge."""

    @property
    def efficiency(self) -> Counted:
        """Share found."""


def efficiency_figure(
    bins: Mapping[str, Sequence[Binned]],
    quantity: str,
    *,
    scale: Literal["linear", "log"] = "linear",
    share: str = "efficiency",
    palette: Palette = LIGHT,
) -> Figure:
    """Efficiency in bins of a quantity, with 95 % intervals; one series for each name.

    quantity: what the horizontal axis says, with its unit. scale: of that axis; single values
    are drawn side by side, at even distances. share: what the vertical axis says.
    """
    from trigger_ml.report.plots import canvas, ink_legend

    figure, axes = canvas(HEIGHT, palette)
    edges = sorted({edge for series in bins.values() for x in series for edge in (x.low, x.high)})
    single = all(item.low == item.high for series in bins.values() for item in series)
    axes.set_xscale("linear" if single else scale)
    for index, (name, series) in enumerate(bins.items()):
        # Side by side within a bin: curves that agree would hide each other.
        place = (index + 1) / (len(bins) + 1)
        points = []
        for item in series:
            if item.efficiency.total:
                ends = (item.low, item.high)
                if single:
                    at = edges.index(item.low)
                    ends = (at - SPREAD, at + SPREAD)
                points.append(_placed(item.efficiency, ends, place, axes.get_xscale()))
        axes.errorbar(
            [point[0] for point in points],
            [point[1] for point in points],
            yerr=[[point[2] for point in points], [point[3] for point in points]],
            marker=MARKERS[index % len(MARKERS)],
            color=palette.series[index % len(palette.series)],
            markersize=4,
            linewidth=1.1,
            linestyle="none",
            label=name,
        )
    ticks = range(len(edges)) if single else edges
    if single:
        axes.set_xlim(-0.5, len(edges) - 0.5)
    axes.set_xticks(list(ticks), [f"{edge:g}" for edge in edges])
    axes.minorticks_off()
    if not single:
        axes.xaxis.grid(True, color=palette.line, linewidth=0.6)
    axes.set_xlabel(quantity, color=palette.muted)
    axes.set_ylabel(share, color=palette.muted)
    axes.yaxis.grid(True, color=palette.line, linewidth=0.6)
    legend = axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=max(len(bins), 1),
        frameon=False,
        borderaxespad=0.2,
    )
    ink_legend(legend.get_texts(), palette)
    return figure


def _placed(
    share: Counted, ends: tuple[float, float], place: float, scale: str
) -> tuple[float, float, float, float]:
    """Place between the ends (0 to 1), value, and lengths of the interval down and up."""
    value, low, high = share.value, share.low, share.high
    assert value is not None and low is not None and high is not None
    left, right = ends
    at = left * (right / left) ** place if scale == "log" else left + (right - left) * place
    return at, value, value - low, high - value
