"""One HTML page with everything in it: no script, no network, no second file."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import jinja2
from markupsafe import Markup

from trigger_ml.report import edge_plots, edge_words, image_words, mask_plots, plots, words
from trigger_ml.report.headline import device_name, headline, physics_missing, tiles
from trigger_ml.report.schema import SCHEMA, Report
from trigger_ml.report.sections import PhysicsDetail
from trigger_ml.report.vendor import vendor_figures

__all__ = ["html_page"]

FIGURES: Final[dict[str, tuple[Callable[[Report], Any], str]]] = {
    "pipeline": (plots.pipeline_figure, "Estimated delay of each pipeline stage"),
    "ranges": (plots.ranges_figure, "Bits of each layer's type that the data uses"),
    "layers": (plots.resources_figure, "LUTs of each layer by the cost model"),
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


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One side of a divergence. bits: (bit, differs) from the most significant one."""

    witness: str
    code: int
    value: float | None
    bits: tuple[tuple[str, bool], ...]


def html_page(report: Report) -> str:
    """The report as one self-contained HTML document."""
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
    pipeline, stream = report.pipeline, report.latency.stream
    masks = report.physics.masks if report.physics else None
    edges = report.physics.edges if report.physics else None
    kernels_by, kernels = image_words.kernel_rows(report)
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
        kernels=kernels,
        missing=words.MISSING,
        timing_note=words.timing_note(pipeline.timing, pipeline.routing_margin, pipeline.slack_ns),
        scale_ns=_scale_ns(report),
        divergence=_codes(report),
        physics=_physics_rows(report.physics.detail if report.physics else None),
        physics_missing=physics_missing(report),
        slowest_s=max((t for k, t in report.timing_s.items() if t and k != "total"), default=1.0),
        max_rows=plots.MAX_ROWS,
    )


def _first_upper(text: str) -> str:
    """A capital where a sentence begins; a name with a hyphen ("rtl-icarus") is left alone."""
    return text if "-" in text and " " not in text else text[:1].upper() + text[1:]


def _figures(report: Report) -> dict[str, Markup | None]:
    """Each plot as SVG, or None where there is nothing to draw."""
    drawn: dict[str, Markup | None] = {}
    for name, (draw, title) in FIGURES.items():
        figure = draw(report)
        drawn[name] = None if figure is None else Markup(plots.to_svg(figure, title, name))
    return drawn


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
