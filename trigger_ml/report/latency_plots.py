"""The figures of the latency: where the clocks go, and how full each clock is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from matplotlib.ticker import MaxNLocator

from trigger_ml.report.plots import canvas, ink_legend
from trigger_ml.report.schema import Report
from trigger_ml.report.sections import Origin, Pipeline
from trigger_ml.report.themes import THEMED, Palette
from trigger_ml.report.trace_sections import Span
from trigger_ml.report.words import origin_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["MAX_STAGES", "pipeline_figure", "shown_timeline", "waterfall_figure"]

MAX_STAGES: Final = 40
"""Stages that are numbered one by one, and whose logic levels are written above them."""
FRAME: Final = ("input", "register", "window", "output")
"""Kinds of spans that are no arithmetic."""
THINNEST: Final = 0.004
"""Share of the axis below which a bar would not be seen."""


def shown_timeline(report: Report) -> tuple[Span, ...]:
    """What the clocks are spent on; of reports of before it was kept, what their stages tell."""
    latency = report.latency
    if latency.timeline or latency.cycles is None:
        return latency.timeline
    stages = len(report.pipeline.stage_delays_ns)
    before = latency.cycles - stages
    if latency.stream is not None or not 0 <= before <= 1:
        return (Span(name="whole", kind="layer", start_cycles=0, stop_cycles=latency.cycles),)
    whole = Span(name="pipeline", kind="layer", start_cycles=before, stop_cycles=latency.cycles)
    register = Span(name="input register", kind="register", start_cycles=0, stop_cycles=before)
    return (register, whole) if before else (whole,)


def waterfall_figure(
    report: Report, palette: Palette = THEMED, end_ns: float = 0.0
) -> Figure | None:
    """Each part of the latency on the time axis, clocks below and ns above; None unmeasured.

    end_ns: to which the axis goes at least.
    """
    spans = shown_timeline(report)
    if not spans or report.latency.cycles is None:
        return None
    period = report.pipeline.clock_period_ns
    budget = report.target.latency_budget_ns
    end = max(float(report.latency.cycles), (budget or 0.0) / period, end_ns / period)
    figure, axes = canvas(1.3 + 0.3 * len(spans), palette)
    for row, span in enumerate(spans):
        _draw_span(axes, row, span, end, palette)
        _say_clocks(axes, row, span, period, palette)
    _frame(axes, spans, end, period, palette)
    clocks = float(report.latency.cycles)
    _limit(axes, clocks, f"{clocks * period:.1f} ns measured", palette.ink, -0.85)
    if budget is not None:
        _limit(axes, budget / period, f"budget {budget:g} ns", palette.fail, -1.4)
    return figure


def _draw_span(axes: Axes, row: int, span: Span, end: float, palette: Palette) -> None:
    clocks = span.stop_cycles - span.start_cycles
    frame = span.kind in FRAME
    axes.barh(
        row,
        max(clocks, THINNEST * end),
        0.62,
        left=span.start_cycles,
        color=palette.soft if frame else palette.accent,
        edgecolor=palette.muted if frame else palette.accent,
        hatch="////" if frame else None,
        linewidth=0.6,
    )


def _say_clocks(axes: Axes, row: int, span: Span, period: float, palette: Palette) -> None:
    """Length of a span in a column right of the axes."""
    clocks = span.stop_cycles - span.start_cycles
    about = "\u2248 " if span.estimated else ""
    whole = f"{clocks:.1f}" if span.estimated else f"{clocks:g}"
    axes.text(
        1.015,
        row,
        f"{about}{whole} {'clock' if clocks == 1 else 'clocks'}, {clocks * period:.1f} ns",
        transform=axes.get_yaxis_transform(),
        va="center",
        color=palette.ink,
        size=9,
    )


def _frame(axes: Axes, spans: Sequence[Span], end: float, period: float, palette: Palette) -> None:
    axes.set_yticks(range(len(spans)), [span.name for span in spans])
    for label in axes.get_yticklabels():
        label.set(color=palette.ink, parse_math=False)
    axes.set_ylim(len(spans) - 0.4, -1.8)
    axes.set_xlim(0, 1.02 * end)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("clocks after the event is taken", color=palette.muted)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.grid(True, color=palette.line, linewidth=0.6)

    def to_ns(clocks: Any) -> Any:
        return clocks * period

    def to_clocks(ns: Any) -> Any:
        return ns / period

    above = axes.secondary_xaxis("top", functions=(to_ns, to_clocks))
    above.set_xlabel("ns", color=palette.muted, size=9)
    above.tick_params(colors=palette.muted, labelsize=9)
    above.spines["top"].set_color(palette.line)


def _limit(axes: Axes, at: float, text: str, color: str, row: float) -> None:
    """A vertical line with its name in an empty row above the bars."""
    axes.axvline(at, color=color, linewidth=1.4)
    left = at > 0.5 * axes.get_xlim()[1]
    axes.annotate(
        text,
        (at, row),
        (-5 if left else 5, 0),
        textcoords="offset points",
        color=color,
        va="center",
        ha="right" if left else "left",
        size=9,
    )


def pipeline_figure(report: Report, palette: Palette = THEMED) -> Figure | None:
    """Estimated delay of each pipeline stage against the clock period; None without stages."""
    pipeline = report.pipeline
    if not pipeline.stage_delays_ns:
        return None
    figure, axes = canvas(2.9, palette)
    _draw_stages(axes, pipeline, palette)
    for origin in report.resources.origins:
        _draw_mapped(axes, origin, pipeline, palette)
    legend = axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, frameon=False, borderaxespad=0.2
    )
    ink_legend(legend.get_texts(), palette)
    return figure


def _draw_mapped(axes: Axes, origin: Origin, pipeline: Pipeline, palette: Palette) -> None:
    """Longest path and logic levels of each stage as a synthesis mapped it, where it tells."""
    if origin.origin == "cost_model":
        return
    name, stages = origin_name(origin.origin), len(pipeline.stage_delays_ns)
    delays = origin.details.get("stage_delays_ns", ())
    levels = origin.details.get("stage_levels", ())
    at = range(1, stages + 1)
    if len(delays) == stages:
        axes.plot(
            at,
            delays,
            "D",
            color=palette.ink,
            markersize=4,
            label=f"path by {name}, wires estimated",
        )
        axes.set_ylim(top=max(axes.get_ylim()[1], 1.12 * max(delays)))
    if len(levels) == stages and stages <= MAX_STAGES:
        axes.set_ylim(top=1.14 * axes.get_ylim()[1])
        for stage, level in zip(at, levels, strict=True):
            axes.text(
                stage, 0.985, str(level), transform=axes.get_xaxis_transform(), ha="center",
                va="top", color=palette.ink, size=8,
            )  # fmt: skip
        axes.text(
            1.01, 0.985, f"levels of logic\nby {name}", transform=axes.transAxes, va="top",
            color=palette.ink, size=8,
        )  # fmt: skip


def _draw_stages(axes: Axes, pipeline: Pipeline, palette: Palette) -> None:
    delays = pipeline.stage_delays_ns
    stages = range(1, len(delays) + 1)
    room = [delay * (pipeline.routing_margin - 1) for delay in delays]
    axes.bar(stages, delays, 0.78, color=palette.accent, label="logic, estimated")
    axes.bar(
        stages,
        room,
        0.78,
        bottom=delays,
        color="none",
        edgecolor=palette.soft,
        hatch="////",
        linewidth=0.6,
        label=f"room for routing (\u00d7 {pipeline.routing_margin:g})",
    )
    period = pipeline.clock_period_ns
    axes.axhline(period, color=palette.fail, linewidth=1.4)
    axes.annotate(
        f"clock period\n{period:.3f} ns", (len(delays) + 0.6, period), (5, 0),
        textcoords="offset points", color=palette.fail, va="center",
    )  # fmt: skip
    tallest = max(delays) * pipeline.routing_margin
    axes.set_xlim(0.4, len(delays) + 0.6)
    axes.set_ylim(0, 1.12 * max(period, tallest))
    axes.set_xlabel("pipeline stage", color=palette.muted)
    axes.set_ylabel("delay (ns)", color=palette.muted)
    if len(delays) <= MAX_STAGES:
        axes.set_xticks(list(stages))
    axes.tick_params(axis="x", length=0)
    _name_kernels(axes, pipeline, palette)
    axes.yaxis.grid(True, color=palette.line, linewidth=0.6)


def _name_kernels(axes: Axes, pipeline: Pipeline, palette: Palette) -> None:
    """Say under the stages of each kernel whose they are."""
    before = 0
    for name, stages in pipeline.kernel_stages.items():
        if before:
            axes.axvline(before + 0.5, color=palette.muted, linewidth=0.8, linestyle=(0, (2, 3)))
        at = (before + (stages + 1) / 2, 0)
        text = axes.annotate(
            name, at, (0, -16), textcoords="offset points", color=palette.ink, ha="center", va="top"
        )
        text.set_parse_math(False)
        before += stages
    if before:
        axes.set_xlabel("pipeline stage of each kernel", color=palette.muted, labelpad=14)
