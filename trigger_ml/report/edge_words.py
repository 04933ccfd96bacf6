"""Edges of graphs in words and rows: what the page and the Markdown both show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from trigger_ml.report.edge_sections import EdgeDetail, EdgeFigures, EdgeFlips, EdgeRoc
from trigger_ml.report.image_sections import ShareRow
from trigger_ml.report.image_words import Cell
from trigger_ml.report.words import MISSING, count, number, percent, points, share

__all__ = [
    "GLOSSARY",
    "METRICS",
    "EdgeFlipWords",
    "edge_flips",
    "edge_note",
    "edge_rows",
    "edge_summary",
    "truncation_note",
]

METRICS: Final = ("purity", "efficiency", "accuracy")
GLOSSARY: Final[Mapping[str, str]] = {
    "candidate edge": (
        "Two hits that may follow one another on a track. An image has a slot for every edge "
        "there can be; a slot without a candidate is padding and counts nowhere."
    ),
    "purity": "Share of the edges that are kept that are true.",
    "efficiency": "Share of the true edges that are kept.",
    "accuracy": "Share of the candidate edges that are decided rightly.",
}
"""Terms that only reports of networks on edges need."""


@dataclass(frozen=True, slots=True)
class EdgeFlipWords:
    """One pair of witnesses: edges decided differently, and the change of each of METRICS."""

    pair: str
    edges: str
    part: str
    images: str
    changes: tuple[Cell, ...]


def edge_rows(detail: EdgeDetail) -> list[tuple[str, list[Cell]]]:
    """Each figure with a cell for every witness."""
    rows = detail.witnesses
    used = [row.figures for row in rows]
    best = [row.best for row in rows]
    return [
        *((f"{name.capitalize()} (%)", [_share(_of(item, name)) for item in used])
          for name in METRICS),
        ("AUC", [_auc(row.roc) for row in rows]),
        ("Best threshold on the logit", [Cell(number(item.threshold, 4)) for item in best]),
        *((f"{name.capitalize()} at it (%)", [_share(_of(item, name)) for item in best])
          for name in METRICS),
    ]  # fmt: skip


def _of(figures: EdgeFigures, metric: str) -> ShareRow:
    return {
        "purity": figures.purity,
        "efficiency": figures.efficiency,
        "accuracy": figures.accuracy,
    }[metric]


def _share(row: ShareRow) -> Cell:
    if row.value is None or row.low is None or row.high is None:
        return Cell("no such edge")
    return Cell(number(row.value, 2, 100), f"{100 * row.low:.2f} to {100 * row.high:.2f}")


def _auc(roc: EdgeRoc | None) -> Cell:
    if roc is None:
        return Cell("no fake candidate")
    return Cell(number(roc.auc.value, 4), f"{roc.auc.low:.4f} to {roc.auc.high:.4f}")


def edge_flips(detail: EdgeDetail) -> list[EdgeFlipWords]:
    """What each pair of witnesses does differently."""
    return [
        EdgeFlipWords(
            f"{flip.left} to {flip.right}",
            count(flip.edges.passed),
            share(flip.edges.value),
            count(flip.images),
            tuple(_change(detail, flip, metric) for metric in METRICS),
        )
        for flip in detail.flips
    ]


def _change(detail: EdgeDetail, flip: EdgeFlips, metric: str) -> Cell:
    if flip.edges.passed == 0:
        # The same decisions on every edge: no sample could tell the two apart.
        return Cell("0")
    change = detail.change(metric, flip.left, flip.right)
    if change is None:
        return Cell(MISSING)
    return Cell(points(change.value), f"{points(change.low)} to {points(change.high)}")


def edge_note(detail: EdgeDetail) -> str:
    """What the figures count, in a few sentences."""
    cut = f"An edge is kept where its logit is {detail.threshold:g} or more"
    if detail.float_threshold != detail.threshold:
        cut += f" ({detail.float_threshold:g} in the float model)"
    slots = detail.images * detail.shape[0] * detail.shape[1]
    return (
        f"{cut}. {detail.images:,} images have {slots:,} slots, and {detail.candidates:,} of "
        f"them hold a candidate edge: {detail.true:,} are true. Padding counts nowhere. The best "
        "threshold of each witness is the one with the highest accuracy on these very edges."
    )


def truncation_note(detail: EdgeDetail) -> str:
    """How many graphs did not fit; that nobody said is said as well."""
    cut = detail.truncated
    if cut is None:
        return "The events do not say (flags) whether graphs were truncated."
    return (
        f"Of {cut.any.total:,} images nodes were left out in {_part(cut.nodes)} and edges in "
        f"{_part(cut.edges)}, one or both in {_part(cut.any)}; what was left out is in no figure "
        "here."
    )


def _part(row: ShareRow) -> str:
    return f"{row.passed:,} ({share(row.value)})"


def edge_summary(detail: EdgeDetail) -> str:
    """Efficiency and accuracy of the firmware in a few words; purity is the headline itself."""
    firmware = detail.of("firmware")
    assert firmware is not None
    figures = firmware.figures
    return (
        f"efficiency {percent(figures.efficiency.value, 2)}, "
        f"accuracy {percent(figures.accuracy.value, 2)}"
    )
