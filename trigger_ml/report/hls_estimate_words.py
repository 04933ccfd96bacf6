"""The estimate of the HLS project in words: a line, and a table in Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from trigger_ml.report.hls_estimate import HLS_ESTIMATE, HlsEstimateSection
from trigger_ml.report.words import count, ns

__all__ = ["HLS_HEADS", "hls_cells", "hls_line", "hls_lines", "hls_total"]

HLS_HEADS: Final = (
    "Layer",
    "Strategy",
    "Reuse",
    "Multiplications",
    "Multipliers",
    "II",
    "Latency",
    "DSP",
    "LUT",
    "BRAM36",
    "FF at least",
)
"""Heads of a table; II and latency are in clocks."""


def hls_line(estimate: HlsEstimateSection) -> str:
    """The whole project in one line, with how far to believe it."""
    total = estimate.total
    return (
        f"about {count(total.lut)} LUT, {count(total.dsp)} DSP, {estimate.latency_cycles} clocks "
        f"({ns(estimate.latency_ns)}), a new event every {count(estimate.ii_cycles)}: "
        f"{estimate.error}"
    )


def hls_cells(estimate: HlsEstimateSection) -> list[tuple[str, ...]]:
    """A row of each layer, under HLS_HEADS."""
    return [
        (
            row.name,
            row.strategy,
            str(row.reuse_factor),
            count(row.multiplications),
            count(row.multipliers),
            count(row.ii_cycles),
            count(row.latency_cycles),
            count(row.dsp),
            count(row.lut),
            count(row.bram36),
            count(row.ff_at_least),
        )
        for row in estimate.layers
    ]


def hls_total(estimate: HlsEstimateSection) -> tuple[str, ...]:
    """The last row, under HLS_HEADS."""
    total = estimate.total
    figures = (total.multiplications, total.multipliers, estimate.ii_cycles)
    more = (estimate.latency_cycles, total.dsp, total.lut, total.bram36, total.ff_at_least)
    return ("all", "", "", *(count(number) for number in (*figures, *more)))


def hls_lines(estimate: HlsEstimateSection | None) -> Iterator[str]:
    """A section for Markdown; nothing where nothing was estimated."""
    if estimate is None or not estimate.layers:
        return
    yield f"### The HLS project: {HLS_ESTIMATE}"
    yield ""
    yield f"{estimate.error[0].upper()}{estimate.error[1:]}. II and latency are in clocks."
    if estimate.not_counted:
        names = ", ".join(f"`{name}`" for name in estimate.not_counted)
        yield f"The resources of {names} are not counted."
    yield ""
    yield f"| {' | '.join(HLS_HEADS)} |"
    yield f"|---|---|{'---:|' * (len(HLS_HEADS) - 2)}"
    for cells in (*hls_cells(estimate), hls_total(estimate)):
        yield f"| {' | '.join(cells)} |"
    yield ""
