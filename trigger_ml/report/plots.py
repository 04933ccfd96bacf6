"""The figures of a report. Drawing never computes: every number is in the report already.

A figure drawn with the palette THEMED becomes an SVG whose colours are CSS variables, so that
one drawing serves the light and the dark page. LIGHT is for files that stand alone.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from trigger_ml.report.schema import Report
from trigger_ml.report.sections import Curve, Layer, PhysicsDetail
from trigger_ml.report.themes import LIGHT, THEMED, Palette, themed_svg
from trigger_ml.report.words import share

__all__ = [
    "LIGHT",
    "STYLE",
    "THEMED",
    "Palette",
    "canvas",
    "ink_legend",
    "ranges_figure",
    "roc_figure",
    "to_png",
    "to_svg",
]

WIDTH: Final = 8.4
"""Width of every figure in inches; text is set for it at 100 dpi."""
SUPERSCRIPTS: Final = str.maketrans(
    "-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"
)
MAX_ROWS: Final = 24
"""Layers in one figure, which then fits a page of A4."""
STYLE: Final[dict[Any, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "svg.fonttype": "none",
    "svg.hashsalt": "trigger_ml",
    "hatch.linewidth": 0.6,
}


def ranges_figure(report: Report, palette: Palette = THEMED) -> Figure | None:
    """Each layer's type as a row of bits, shaded by how much of the data needs the bit.

    Beside each row: bits that nothing needed, and values at the type's limit. None where no
    layer's range was observed.
    """
    layers = [layer for layer in report.layers if layer.range is not None][:MAX_ROWS]
    if not layers:
        return None
    figure, axes = canvas(0.9 + 0.33 * len(layers), palette)
    for row, layer in enumerate(layers):
        _draw_bits(axes, row, layer, palette)
    high = max(layer.integer for layer in layers)
    low = min(layer.integer - layer.width for layer in layers)
    axes.axvline(0, color=palette.fail, linewidth=1.2)
    axes.text(0, -0.75, "binary point", color=palette.fail, ha="center", va="bottom")
    right = low - max(5.5, 0.3 * (high - low))
    for row, layer in enumerate(layers):
        _say_unused(axes, row, low - 0.5, layer, palette)
    axes.set_xlim(high + 0.3, right)
    axes.set_ylim(len(layers) - 0.4, -0.6)
    axes.set_yticks(range(len(layers)), [layer.name for layer in layers])
    step = 1 if high - low <= 24 else 4
    ticks = [bit for bit in range(low, high) if bit % step == 0]
    axes.set_xticks([bit + 0.5 for bit in ticks], [_power(bit) for bit in ticks])
    axes.set_xlabel("value of the bit", color=palette.muted)
    axes.tick_params(length=0)
    for label in axes.get_yticklabels():
        label.set(color=palette.ink, parse_math=False)
    axes.spines[:].set_visible(False)
    return figure


def _draw_bits(axes: Axes, row: int, layer: Layer, palette: Palette) -> None:
    seen = layer.range
    assert seen is not None
    magnitude = layer.width - int(layer.signed)
    for position in range(layer.width):
        left = layer.integer - layer.width + position
        sign = position == magnitude
        if sign:
            needed = float(seen.min_code < 0)
        elif position < seen.idle_low_bits:
            needed = 0.0
        else:
            needed = sum(seen.magnitude_histogram[position + 1 :]) / seen.elements
        cell = Rectangle((left + 0.05, row - 0.35), 0.9, 0.7)
        face = palette.soft if sign and needed else "none"
        cell.set(facecolor=face, edgecolor=palette.soft)
        axes.add_patch(cell)
        if needed > 0 and not sign:
            fill = Rectangle((left + 0.05, row - 0.35), 0.9, 0.7)
            # Rare bits stay visible: a bit that one event in 1,000 needs is still needed.
            fill.set(facecolor=palette.accent, edgecolor="none", alpha=0.25 + 0.75 * needed)
            axes.add_patch(fill)
        if sign:
            axes.text(
                left + 0.5, row, "\u00b1", ha="center", va="center", color=palette.ink, size=8
            )


def _say_unused(axes: Axes, row: int, at: float, layer: Layer, palette: Palette) -> None:
    """Bits that no value needed, and how many values sit at the limit."""
    seen = layer.range
    assert seen is not None
    low = min(seen.idle_low_bits, layer.width)
    top = max(layer.width - max(seen.used_bits, low), 0)
    parts = [f"{bits} {side}" for bits, side in ((top, "top"), (low, "low")) if bits]
    text = f"unused: {' + '.join(parts)}" if parts else "all bits used"
    # Of one bit, every code is at a limit.
    saturated = seen.saturated_fraction > 0 and layer.width > 1
    axes.text(at, row - 0.2 * saturated, text, va="center", color=palette.muted, size=8)
    if saturated:
        text = f"{share(seen.saturated_fraction)} at the limit"
        axes.text(at, row + 0.24, text, va="center", color=palette.fail, size=8)


def _power(bit: int) -> str:
    if 0 <= bit <= 13:
        return f"{2**bit}"
    if -6 <= bit < 0:
        return f"1/{2**-bit}"
    return "2" + str(bit).translate(SUPERSCRIPTS)


def roc_figure(report: Report, palette: Palette = THEMED) -> Figure | None:
    """Background against signal efficiency of every class and witness; None without them."""
    detail = report.physics.detail if report.physics else None
    if detail is None or not detail.curves:
        return None
    figure, axes = canvas(3.9, palette)
    styles = {"float": (":", 1.3), "quantized": ("--", 1.3), "firmware": ("-", 1.5)}
    names = list(dict.fromkeys(curve.class_name for curve in detail.curves))
    for curve in detail.curves:
        dash, width = styles[curve.witness]
        color = palette.series[names.index(curve.class_name) % len(palette.series)]
        signal, background = _positive(curve)
        axes.plot(signal, background, dash, color=color, linewidth=width)
    axes.axvline(detail.working_point, color=palette.muted, linewidth=0.8, linestyle=(0, (2, 3)))
    axes.set_yscale("log")
    axes.set_xlim(0, 1)
    axes.set_ylim(top=1)
    axes.set_xlabel("signal efficiency", color=palette.muted)
    axes.set_ylabel("background efficiency", color=palette.muted)
    axes.grid(True, color=palette.line, linewidth=0.6)
    _roc_legends(axes, detail, names, styles, palette)
    return figure


def _positive(curve: Curve) -> tuple[list[float], list[float]]:
    """The points that a logarithmic axis can show."""
    points = zip(curve.signal_efficiency, curve.background_efficiency, strict=True)
    kept = [(x, y) for x, y in points if y > 0]
    return [x for x, _ in kept], [y for _, y in kept]


def _roc_legends(
    axes: Axes,
    detail: PhysicsDetail,
    names: Sequence[str],
    styles: dict[str, tuple[str, float]],
    palette: Palette,
) -> None:
    areas = {
        item.name: item.auc.value
        for row in detail.witnesses
        if row.witness == "firmware"
        for item in row.classes
        if item.auc is not None and item.auc.value is not None
    }
    classes = [
        axes.plot([], [], color=palette.series[index % len(palette.series)], linewidth=3)[0]
        for index in range(len(names))
    ]
    labels = [f"{name}  AUC {areas[name]:.3f}" if name in areas else name for name in names]
    first = axes.legend(classes, labels, loc="lower right", frameon=False, title="class")
    axes.add_artist(first)
    shown = [row.witness for row in detail.witnesses]
    witnesses = [
        axes.plot([], [], styles[name][0], color=palette.ink, linewidth=1.4)[0] for name in shown
    ]
    second = axes.legend(witnesses, shown, loc="upper left", frameon=False, title="witness")
    for legend in (first, second):
        ink_legend([*legend.get_texts(), legend.get_title()], palette)
        legend.set_alignment("left")


def ink_legend(texts: Sequence[Text], palette: Palette) -> None:
    """Give a legend's texts the colour of ink, and take their letters as they are."""
    for text in texts:
        text.set(color=palette.ink, parse_math=False)


def canvas(height: float, palette: Palette) -> tuple[Figure, Axes]:
    """An empty figure of the report's width, ``height`` inches tall, without a background."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        axes = figure.add_subplot()
    figure.patch.set_alpha(0)
    axes.patch.set_alpha(0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(palette.line)
    axes.tick_params(colors=palette.muted, which="both")
    axes.set_axisbelow(True)
    return figure, axes


def to_png(figure: Figure, dpi: int = 200) -> bytes:
    """The figure as a PNG on white: for slides."""
    figure.patch.set_alpha(1)
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def to_svg(figure: Figure, title: str, prefix: str) -> str:
    """The figure as an <svg> element to put into a page.

    title, prefix: see themes.themed_svg.
    """
    buffer = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return themed_svg(buffer.getvalue(), title, prefix)
