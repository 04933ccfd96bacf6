"""One HTML page with everything in it: no script, no network, no second file.

Colours follow the system or the reader's choice by style sheet alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import jinja2
from markupsafe import Markup

from trigger_ml.report import (
    edge_plots,
    edge_words,
    image_words,
    latency_plots,
    mask_plots,
    plots,
    resource_plots,
    words,
)
from trigger_ml.report.bands import band_notes
from trigger_ml.report.headline import device_name, headline, physics_missing, tiles
from trigger_ml.report.hls_estimate_words import HLS_HEADS, hls_cells, hls_total
from trigger_ml.report.schema import SCHEMA, Report
from trigger_ml.report.sections import Layer, PhysicsDetail
from trigger_ml.report.sources import report_sources
from trigger_ml.report.trace_sections import Source
from trigger_ml.report.vendor import vendor_figures

__all__ = ["html_page", "page_environment", "source_line"]

FIGURES: Final[dict[str, tuple[Callable[[Report], Any], str]]] = {
    "waterfall": (latency_plots.waterfall_figure, "Where the clocks of the latency go"),
    "pipeline": (latency_plots.pipeline_figure, "Estimated delay of each pipeline stage"),
    "ranges": (plots.ranges_figure, "Bits of each layer's type that the data uses"),
    "shares": (resource_plots.shares_figure, "Shares of the part and of one SLR, with budgets"),
    "layers": (resource_plots.resources_figure, "LUTs of each layer by the cost model"),
    "roc": (plots.roc_figure, "ROC curves of every class before and after quantization"),
    "pt": (mask_plots.pt_figure, "Efficiency against transverse momentum"),
    "eta": (mask_plots.eta_figure, "Efficiency against pseudorapidity"),
    "background": (mask_plots.background_figure, "Efficiency against background"),
    "edge_roc": (edge_plots.roc_figure, "Fakes kept against efficiency of every witness"),
    "edge_pt": (edge_plots.pt_efficiency_figure, "Efficiency against transverse momentum"),
    "edge_eta": (edge_plots.eta_efficiency_figure, "Efficiency against pseudorapidity"),
    "edge_pt_purity": (edge_plots.pt_purity_figure, "Purity against transverse momentum"),
    "edge_eta_purity": (edge_plots.eta_purity_figure, "Purity against pseudorapidity"),
    "event": (mask_plots.event_figure, "Hits, true cells and marked cells of one image"),
}

ROWS: Final[dict[str, Callable[[Layer], bool]]] = {
    "ranges": lambda layer: layer.range is not None,
    "layers": lambda layer: bool(layer.cost_lut),
}
"""Figures with a row for each layer that it holds for; of many layers, several are drawn."""


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One side of a divergence. bits: (bit, differs) from the most significant one."""

    witness: str
    code: int
    value: float | None
    bits: tuple[tuple[str, bool], ...]


def page_environment() -> jinja2.Environment:
    """Templates of the pages, with the words that they share as filters."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("trigger_ml.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in ("count", "ns", "number", "percent", "points", "share", "rejection", "interval"):
        environment.filters[name] = getattr(words, name)
    environment.filters["first_upper"] = _first_upper
    environment.filters["witness"] = words.witness_name
    environment.filters["origin"] = words.origin_name
    return environment


def html_page(report: Report) -> str:
    """The report as one self-contained HTML document."""
    environment = page_environment()
    pipeline, stream = report.pipeline, report.latency.stream
    masks = report.physics.masks if report.physics else None
    edges = report.physics.edges if report.physics else None
    kernels_by, kernels = image_words.kernel_rows(report)
    sources = report.sources or report_sources(report)
    bands = _bands(report)
    mapped_note, mapped_late = _mapped_note(report)
    return environment.get_template("report.html.j2").render(
        r=report,
        schema=SCHEMA,
        headline=headline(report),
        tiles=tiles(report),
        device=device_name(report),
        figures=_figures(report),
        witnesses=[(name, *words.WITNESSES.get(name, (name, ""))) for name in _witnesses(report)],
        vectors=words.vector_origins(report.fidelity.segments),
        origins=words.ORIGINS,
        glossary={
            **words.GLOSSARY,
            **(image_words.GLOSSARY if masks or stream else {}),
            **(edge_words.GLOSSARY if edges else {}),
        },
        masks=masks,
        mask_note=image_words.mask_note(masks) if masks else "",
        mask_rows=image_words.mask_rows(masks) if masks else [],
        mask_flips=image_words.flip_words(masks) if masks else [],
        edges=edges,
        edge_note=edge_words.edge_note(edges) if edges else "",
        edge_rows=edge_words.edge_rows(edges) if edges else [],
        edge_flips=edge_words.edge_flips(edges) if edges else [],
        truncation_note=edge_words.truncation_note(edges) if edges else "",
        stream_note=image_words.stream_note(stream) if stream else "",
        vendor=vendor_figures(report),
        kernels_by=kernels_by,
        kernels_key=_kernels_key(report, kernels_by),
        band_notes=band_notes(report),
        kernels=kernels,
        missing=words.MISSING,
        hls_heads=HLS_HEADS,
        hls_rows=[*hls_cells(report.hls_estimate), hls_total(report.hls_estimate)]
        if report.hls_estimate
        else [],
        timing_note=words.timing_note(pipeline.timing, pipeline.routing_margin, pipeline.slack_ns),
        waterfall_note=_waterfall_note(report),
        mapped_note=mapped_note,
        mapped_late=mapped_late,
        source_rows=sources,
        sources={row.key: (k, source_line(row)) for k, row in enumerate(sources, 1)},
        bands=bands,
        bands_known=any(item for row in bands.values() for item in row.values()),
        scale_ns=_scale_ns(report),
        divergence=_codes(report),
        physics=_physics_rows(report.physics.detail if report.physics else None),
        physics_missing=physics_missing(report),
        slowest_s=max((t for k, t in report.timing_s.items() if t and k != "total"), default=1.0),
    )


def _first_upper(text: str) -> str:
    """A capital where a sentence begins; a name with a hyphen ("rtl-icarus") is left alone."""
    return text if "-" in text and " " not in text else text[:1].upper() + text[1:]


def source_line(row: Source) -> str:
    """Where a figure is from, in one line for a pointer that rests on it."""
    return f"{row.figure} \u2190 {row.tool}, {row.version}: {row.file}"


def _figures(report: Report) -> dict[str, list[Markup]]:
    """Each plot as SVGs: none where there is nothing to draw, several for many layers."""
    drawn: dict[str, list[Markup]] = {}
    for name, (draw, title) in FIGURES.items():
        drawn[name] = []
        for number, part in enumerate(_parts(name, report)):
            figure = draw(part)
            if figure is not None:
                prefix = f"{name}{number or ''}"
                drawn[name].append(Markup(plots.to_svg(figure, title, prefix)))
    return drawn


def _parts(name: str, report: Report) -> list[Report]:
    """The report with as many layers at a time as one figure of A4 holds."""
    if name not in ROWS:
        return [report]
    layers = tuple(layer for layer in report.layers if ROWS[name](layer))
    starts = range(0, max(len(layers), 1), plots.MAX_ROWS)
    return [report.model_copy(update={"layers": layers[at : at + plots.MAX_ROWS]}) for at in starts]


def _bands(report: Report) -> dict[str, dict[str, tuple[float, float] | None]]:
    """Ranges in which each origin expects its counts to lie, where it says."""
    return {
        origin.origin: {
            key: resource_plots.band(origin, key)
            for key in ("lut", "ff", "dsp", "bram36", "carry8")
        }
        for origin in report.resources.origins
    }


def _kernels_key(report: Report, name: str) -> str:
    """Where the counts of kernels are from, in the table of sources."""
    found = (o.origin for o in report.resources.origins if words.origin_name(o.origin) == name)
    return f"resources.{next(found, '')}.lut"


def _waterfall_note(report: Report) -> str:
    """How to read the latency's figure."""
    spans = latency_plots.shown_timeline(report)
    told = "Each bar is a part of the latency; hatched ones are registers and waiting. "
    if any(span.kind == "input" for span in spans):
        told += "It is told for an image's last columns; columns leave while others come. "
    if any(span.estimated for span in spans):
        told += "Where a layer ends (\u2248) is placed by estimated delay; the sum was measured."
    return told.strip()


def _mapped_note(report: Report) -> tuple[str, bool]:
    """What the paths of a synthesis say of the stages, and whether one is longer than the clock.

    Empty where none was asked.
    """
    for origin in report.resources.origins:
        levels = origin.details.get("stage_levels", ())
        delays = origin.details.get("stage_delays_ns", ())
        if origin.origin == "cost_model" or not levels:
            continue
        name = words.origin_name(origin.origin)
        told = f"As {name} mapped it, a stage has {max(levels)} levels of logic at most"
        if not delays:
            return f"{told}.", False
        late = sum(delay > report.pipeline.clock_period_ns for delay in delays)
        told += f" and {words.ns(max(delays), 2)} with its wires; "
        told += f"{late or 'none'} of {len(delays)} stages are longer than the clock"
        model = origin.details.get("delay_model")
        return f"{told} ({model})." if isinstance(model, str) else f"{told}.", late > 0
    return "", False


def _witnesses(report: Report) -> tuple[str, ...]:
    """Required witnesses, then those that were compared on top."""
    named = [name for pair in report.fidelity.pairs for name in pair.name.split("~")]
    return tuple(dict.fromkeys([*report.fidelity.witnesses, *named]))


def _scale_ns(report: Report) -> float:
    """Right end of the latency bar: whichever is longer of latency and budget."""
    return max(report.latency.ns or 0.0, report.target.latency_budget_ns or 0.0) or 1.0


def _codes(report: Report) -> tuple[CodeRow, ...]:
    """Both sides of the first divergence, as values and in two's complement."""
    found = report.fidelity.first_divergence
    if found is None:
        return ()
    layer = next((item for item in report.layers if item.name == found.layer), None)
    codes = (found.left, found.right)
    signed = min(codes) < 0 or (layer is not None and layer.signed)
    # A code that does not fit its type is part of the story: show the bits that it needs.
    needed = max((code if code >= 0 else ~code).bit_length() + signed for code in codes)
    width = max(needed, layer.width if layer else 1)
    texts = [format(code & ((1 << width) - 1), f"0{width}b") for code in codes]
    differs = [a != b for a, b in zip(*texts, strict=True)]
    return tuple(
        CodeRow(
            name,
            code,
            math.ldexp(code, layer.integer - layer.width) if layer else None,
            tuple(zip(text, differs, strict=True)),
        )
        for name, code, text in zip(found.witnesses.split("~"), codes, texts, strict=False)
    )


def _physics_rows(detail: PhysicsDetail | None) -> list[dict[str, Any]]:
    """For each class, its figures by witness, in the order of the witnesses."""
    if detail is None:
        return []
    return [
        {
            "name": item.name,
            "signal": item.signal,
            "cells": [row.classes[index] for row in detail.witnesses],
        }
        for index, item in enumerate(detail.witnesses[0].classes)
    ]
