"""The figures of the resources: by layer, of the part, of one SLR."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import matplotlib as mpl

from trigger_ml.report.plots import MAX_ROWS, STYLE, canvas, ink_legend
from trigger_ml.report.schema import Report
from trigger_ml.report.sections import Figures, Origin
from trigger_ml.report.themes import THEMED, Palette
from trigger_ml.report.words import count, origin_name, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["band", "resources_figure", "shares_figure"]

COUNTED: Final = ("lut", "ff", "dsp", "bram36")
"""Resources that shares are known of."""


def band(origin: Origin, key: str) -> tuple[float, float] | None:
    """The range in which an origin expects a count to lie; None where it does not say."""
    found = origin.details.get("band", {}).get(key)
    if not isinstance(found, list | tuple) or len(found) != 2:
        return None
    return float(found[0]), float(found[1])


def shares_figure(report: Report, palette: Palette = THEMED) -> Figure | None:
    """Shares of the part and of one SLR by every origin, with budgets; None without shares."""
    device = report.device
    origins = [item for item in report.resources.origins if item.device_share.get("lut")]
    if device is None or not origins:
        return None
    keys = [key for key in COUNTED if any(item.device_share.get(key) for item in origins)]
    height = 1.3 + 0.24 * len(keys) * len(origins)
    figure, left = canvas(height, palette)
    figure.delaxes(left)
    with mpl.rc_context(STYLE):
        axes = figure.subplots(1, 2, sharey=True)
    limits = {"lut": report.target.lut_share_budget, "dsp": report.target.dsp_share_budget}
    # A budget is of the part; of one SLR it is so many times more, if all of it lies in one.
    scale = {
        key: getattr(device.total, key) / getattr(device.slr, key)
        for key in keys
        if getattr(device.slr, key) and getattr(device.total, key)
    }
    in_slr = {
        key: None if limit is None else limit * scale.get(key, device.slr_count)
        for key, limit in limits.items()
    }
    _draw_shares(axes[0], origins, keys, device.total, limits, palette)
    _draw_shares(axes[1], origins, keys, device.slr, in_slr, palette)
    axes[0].set_xlabel(f"% of the {device.name}", color=palette.muted)
    axes[1].set_xlabel(f"% of one SLR of {device.slr_count}", color=palette.muted)
    axes[0].set_yticks(range(len(keys)), [key.upper() for key in keys])
    for label in axes[0].get_yticklabels():
        label.set_color(palette.ink)
    if len(origins) > 1 or any(limits.values()):
        handles, names = axes[0].get_legend_handles_labels()
        kept = dict(zip(names, handles, strict=True))
        legend = figure.legend(
            kept.values(), kept.keys(), loc="outside upper left", ncols=4, frameon=False
        )
        ink_legend(legend.get_texts(), palette)
    return figure


def _draw_shares(
    axes: Axes,
    origins: list[Origin],
    keys: list[str],
    whole: Figures,
    limits: Mapping[str, float | None],
    palette: Palette,
) -> None:
    thick = 0.8 / len(origins)
    shown: list[float] = []
    for rank, origin in enumerate(origins):
        color = palette.accent if rank == len(origins) - 1 else palette.series[4 + rank % 3]
        for row, key in enumerate(keys):
            used, there = getattr(origin.total, key), getattr(whole, key)
            if used is None or not there:
                continue
            at = row - 0.4 + (rank + 0.5) * thick
            part, ends = used / there, band(origin, key)
            name = origin_name(origin.origin)
            axes.barh(at, 100 * part, 0.86 * thick, color=color, label=name)
            right = part
            if ends is not None:
                low, high = (value / there for value in ends)
                axes.hlines(at, 100 * low, 100 * high, color=palette.ink, linewidth=1.4,
                            label=f"{name}: expected range")  # fmt: skip
                right = max(part, high)
            axes.annotate(share(part), (100 * right, at), (5, 0), textcoords="offset points",
                          va="center", color=palette.ink, size=8)  # fmt: skip
            shown.append(right)
    for row, key in enumerate(keys):
        limit = limits.get(key)
        if limit is not None:
            axes.vlines(100 * limit, row - 0.46, row + 0.46, color=palette.fail, linewidth=2.2,
                        label="budget")  # fmt: skip
            shown.append(limit)
    axes.set_xlim(0, 118 * max(shown, default=1.0))
    axes.set_ylim(len(keys) - 0.4, -0.6)
    for edge in ("top", "right"):
        axes.spines[edge].set_visible(False)
    for edge in ("left", "bottom"):
        axes.spines[edge].set_color(palette.line)
    axes.patch.set_alpha(0)
    axes.tick_params(colors=palette.muted)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.grid(True, color=palette.line, linewidth=0.6)
    axes.set_axisbelow(True)


def resources_figure(report: Report, palette: Palette = THEMED) -> Figure | None:
    """LUTs of each layer by the cost model; None where it cannot tell layers apart."""
    layers = [layer for layer in report.layers if layer.cost_lut][:MAX_ROWS]
    if not layers:
        return None
    figure, axes = canvas(0.7 + 0.3 * len(layers), palette)
    luts = [layer.cost_lut or 0.0 for layer in layers]
    axes.barh(range(len(layers)), luts, 0.72, color=palette.accent)
    for row, lut in enumerate(luts):
        axes.annotate(
            count(lut), (lut, row), (5, 0), textcoords="offset points", va="center",
            color=palette.ink,
        )  # fmt: skip
    axes.set_yticks(range(len(layers)), [layer.name for layer in layers])
    axes.set_ylim(len(layers) - 0.4, -0.6)
    axes.set_xlim(0, 1.12 * max(luts))
    axes.set_xlabel("LUT, cost model", color=palette.muted)
    axes.tick_params(axis="y", length=0)
    for label in axes.get_yticklabels():
        label.set(color=palette.ink, parse_math=False)
    axes.xaxis.grid(True, color=palette.line, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure
