"""Figures of muon masks: efficiency against muon and background, and efficiency against fakes.

Drawing never computes: everything comes from :mod:`trigger_ml.check.segmentation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

from trigger_ml.check.segmentation import Segmentation
from trigger_ml.report.efficiency import MARKERS, efficiency_figure
from trigger_ml.report.themes import LIGHT, Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["AGAINST", "efficiency_figure", "trade_off_figure"]

HEIGHT: Final = 3.2
"""Inches."""
AGAINST: Final = {
    "fakes": "fake cells per image",
    "fake_share": "share of marked cells that are fake",
    "empty_firing": "share of empty chambers with a marked cell",
}
"""What a mask can do wrong: fields of ``Segmentation`` and how an axis calls them."""
LEAST: Final = 1e-5
"""Where nothing went wrong, on a logarithmic axis."""


def trade_off_figure(
    curves: Mapping[str, Sequence[Segmentation]],
    against: Literal["fakes", "fake_share", "empty_firing"] = "fakes",
    *,
    palette: Palette = LIGHT,
) -> Figure:
    """Efficiency against what is marked wrongly, a point for each threshold; up and left is good.

    curves: figures by name, in the order of the threshold. Points without a wrong mark are drawn
    at LEAST.
    """
    from trigger_ml.report.plots import canvas, ink_legend

    figure, axes = canvas(HEIGHT, palette)
    axes.set_xscale("log")
    for index, (name, points) in enumerate(curves.items()):
        places = [
            (max(wrong, LEAST), right)
            for point in points
            if (wrong := getattr(point, against).value) is not None
            and (right := point.efficiency.value) is not None
        ]
        axes.plot(
            [wrong for wrong, _ in places],
            [right for _, right in places],
            marker=MARKERS[index % len(MARKERS)],
            color=palette.series[index % len(palette.series)],
            markersize=4,
            linewidth=1.1,
            label=name,
        )
    axes.set_xlabel(AGAINST[against], color=palette.muted)
    axes.set_ylabel("efficiency", color=palette.muted)
    axes.grid(True, color=palette.line, linewidth=0.6)
    legend = axes.legend(loc="lower right", frameon=False)
    ink_legend(legend.get_texts(), palette)
    return figure
