"""The figures of a report of edges; every number is in the report already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from trigger_ml.report.edge_sections import EdgeBin, EdgeDetail
from trigger_ml.report.efficiency import efficiency_figure
from trigger_ml.report.image_sections import EfficiencyBin
from trigger_ml.report.schema import Report
from trigger_ml.report.themes import THEMED, Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "eta_efficiency_figure",
    "eta_purity_figure",
    "pt_efficiency_figure",
    "pt_purity_figure",
    "roc_figure",
]

PT: Final[tuple[str, Literal["linear", "log"]]] = ("transverse momentum (GeV)", "log")
ETA: Final[tuple[str, Literal["linear", "log"]]] = ("pseudorapidity", "linear")
"""Label and scale of the horizontal axis."""
HIGH: Final = 0.8
"""Where all witnesses keep more of the true edges, a ROC curve is drawn from there on."""


def pt_efficiency_figure(report: Report, palette: Palette = THEMED) -> Figure | None:
    """Efficiency against transverse momentum; None where it is not known."""
    return _binned(report, "pt", "efficiency", palette)


def eta_efficiency_figure(report: Report, palette: Palette = THEMED) -> Figure | None:
    """Efficiency against pseudorapidity; None where it is not known."""
    return _binned(report, "eta", "efficiency", palette)


def pt_purity_figure(report: Report, palette: Palette = THEMED) -> Figure | None:
    """Purity against transverse momentum; None where fakes do not have one."""
    return _binned(report, "pt", "purity", palette)


def eta_purity_figure(report: Report, palette: Palette = THEMED) -> Figure | None:
    """Purity against pseudorapidity; None where fakes do not have one."""
    return _binned(report, "eta", "purity", palette)


def _detail(report: Report) -> EdgeDetail | None:
    return report.physics.edges if report.physics else None


def _binned(
    report: Report,
    quantity: Literal["pt", "eta"],
    metric: Literal["efficiency", "purity"],
    palette: Palette,
) -> Figure | None:
    detail = _detail(report)
    label, scale = PT if quantity == "pt" else ETA
    bins = {
        row.witness: [drawn for item in row.bins[quantity] if (drawn := _bin(item, metric))]
        for row in (detail.witnesses if detail else ())
        if quantity in row.bins
    }
    if not any(bins.values()):
        return None
    return efficiency_figure(bins, label, scale=scale, share=metric, palette=palette)


def _bin(item: EdgeBin, metric: str) -> EfficiencyBin | None:
    row = item.efficiency if metric == "efficiency" else item.purity
    return None if row is None else EfficiencyBin(low=item.low, high=item.high, efficiency=row)


def roc_figure(report: Report, palette: Palette = THEMED) -> Figure | None:
    """Share of fake candidates kept against efficiency, of every witness; None without fakes."""
    from trigger_ml.report.plots import canvas, ink_legend

    detail = _detail(report)
    rows = [row for row in detail.witnesses if row.roc] if detail else []
    if not rows:
        return None
    figure, axes = canvas(3.9, palette)
    efficiencies = [row.figures.efficiency.value or 0.0 for row in rows]
    left = HIGH if min(efficiencies) > HIGH else 0.0
    styles = {"float": (":", 1.3), "quantized": ("--", 1.3), "firmware": ("-", 1.5)}
    for index, row in enumerate(rows):
        assert row.roc is not None
        dash, width = styles[row.witness]
        curve = zip(row.roc.efficiency, row.roc.fakes, strict=True)
        points = [(x, y) for x, y in curve if x >= left and y > 0]
        color = palette.series[index % len(palette.series)]
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            dash,
            color=color,
            linewidth=width,
            label=f"{row.witness}  AUC {row.roc.auc.value:.4f}",
        )
        fakes = row.figures.purity.total - row.figures.purity.passed
        all_fakes = row.figures.accuracy.total - row.figures.efficiency.total
        if fakes and row.figures.efficiency.value is not None:
            place = (row.figures.efficiency.value, fakes / all_fakes)
            axes.plot(*place, "o", color=color, markersize=4)
    axes.set_yscale("log")
    axes.set_ylim(top=1)
    axes.set_xlim(left, 1.0)
    axes.set_xlabel("efficiency: true edges kept", color=palette.muted)
    axes.set_ylabel("fake candidates kept", color=palette.muted)
    axes.grid(True, color=palette.line, linewidth=0.6)
    legend = axes.legend(loc="upper left", frameon=False)
    ink_legend(legend.get_texts(), palette)
    return figure
