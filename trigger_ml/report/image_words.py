"""Masks and streams in words and rows: what the page and the Markdown both show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from trigger_ml.report.image_sections import (
    CellFlips,
    ImageStream,
    MaskDetail,
    MaskFigures,
    MeanRow,
    ShareRow,
)
from trigger_ml.report.schema import Report
from trigger_ml.report.words import MISSING, count, number, origin_name, points

__all__ = [
    "GLOSSARY",
    "Cell",
    "FlipWords",
    "KernelRow",
    "flip_words",
    "kernel_rows",
    "mask_note",
    "mask_rows",
    "signed",
    "stream_note",
]

GLOSSARY: Final[Mapping[str, str]] = {
    "matched image": (
        "An image of which more than the stated share of the true cells is marked; efficiency "
        "is the share of images with true cells that are matched."
    ),
    "fake cell": "A marked cell that is not true.",
    "empty image": "An image without a muon; it fires when any of its cells is marked.",
    "column": (
        "Everything at one position of an image's width. A streamed firmware takes some columns "
        "each clock, until the image is in."
    ),
    "kernel": (
        "A module that turns a window of an image into one column of the next; one is made for "
        "each layer, and as many copies of it run as columns enter a clock."
    ),
}
"""Terms that only reports of networks on images need."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure, and its interval below it."""

    figure: str
    interval: str = ""

    def __str__(self) -> str:
        return f"{self.figure} ({self.interval})" if self.interval else self.figure


@dataclass(frozen=True, slots=True)
class FlipWords:
    """One pair of witnesses: cells marked differently, and the changes on the same images."""

    pair: str
    cells: str
    images: str
    efficiency: Cell
    fakes: Cell


@dataclass(frozen=True, slots=True)
class KernelRow:
    """One module of a streamed top."""

    name: str
    instances: int
    lut: float | None
    ff: float | None

    @property
    def total_lut(self) -> float | None:
        """LUTs of all its instances."""
        return None if self.lut is None else self.instances * self.lut


def mask_rows(detail: MaskDetail) -> list[tuple[str, list[Cell]]]:
    """Each figure with a cell for every witness."""
    figures = [row.figures for row in detail.witnesses]
    group = figures[0].group

    def row(title: str, values: list[Cell]) -> tuple[str, list[Cell]]:
        return title, values

    return [
        row("Efficiency: images matched (%)", [_share(item.efficiency) for item in figures]),
        row("Fake cells per image", [_mean(item.fakes) for item in figures]),
        row("Fakes of all marked cells (%)", [_mean(item.fake_share, 100) for item in figures]),
        row("Empty images that fire (%)", [_share(item.empty_firing) for item in figures]),
        row(
            f"Efficiency with {group} touching cells (%)",
            [_share(item.group_efficiency) for item in figures],
        ),
        row(
            f"Empty images with {group} touching cells (%)",
            [_share(item.group_empty_firing) for item in figures],
        ),
    ]


def _share(share: ShareRow) -> Cell:
    if share.value is None or share.low is None or share.high is None:
        return Cell("no such image")
    return Cell(number(share.value, 2, 100), f"{100 * share.low:.2f} to {100 * share.high:.2f}")


def _mean(mean: MeanRow, scale: float = 1.0) -> Cell:
    if mean.value is None:
        return Cell("no such cell")
    if mean.low is None or mean.high is None:
        return Cell(number(mean.value, 3, scale))
    span = f"{scale * mean.low:.3f} to {scale * mean.high:.3f}"
    return Cell(number(mean.value, 3, scale), span)


def flip_words(detail: MaskDetail) -> list[FlipWords]:
    """What each pair of witnesses does differently."""
    return [
        FlipWords(
            f"{flip.left} to {flip.right}",
            count(flip.cells),
            count(flip.images),
            *(_change(detail, flip, metric) for metric in ("efficiency", "fakes")),
        )
        for flip in detail.flips
    ]


def _change(detail: MaskDetail, flip: CellFlips, metric: str) -> Cell:
    if flip.cells == 0:
        # The same masks on every image: no sample could tell the two apart.
        return Cell("0")
    change = detail.change(metric, flip.left, flip.right)
    if change is None:
        return Cell(MISSING)
    if change.metric == "efficiency":
        return Cell(points(change.value), f"{points(change.low)} to {points(change.high)}")
    return Cell(signed(change.value), f"{signed(change.low)} to {signed(change.high)}")


def signed(value: float, digits: int = 3) -> str:
    """A difference with its sign; 0 without one."""
    rounded = round(value, digits)
    return f"{rounded:+.{digits}f}".replace("-", "\u2212") if rounded else "0"


def mask_note(detail: MaskDetail) -> str:
    """What the figures count, in a few sentences."""
    cut = f"A cell is marked where its logit is {detail.threshold:g} or more"
    if detail.float_threshold != detail.threshold:
        cut += f" ({detail.float_threshold:g} in the float model)"
    figures: MaskFigures = detail.witnesses[0].figures
    empty = "there is no muon" if detail.empty_by == "muons" else "no cell is true"
    return (
        f"{cut}. Of {figures.images:,} images {figures.efficiency.total:,} have true cells; one "
        f"is matched when more than {100 * detail.match:.0f} % of them are marked. "
        f"{figures.empty:,} images are empty: {empty}."
    )


def stream_note(stream: ImageStream) -> str:
    """How images go in and when masks come out, in one sentence."""
    columns = "1 column" if stream.columns == 1 else f"{stream.columns} columns"
    groups = "1 group" if stream.groups == 1 else f"{stream.groups} groups"
    return (
        f"{columns} a clock, so {groups} for each image of {stream.width} columns; latency is "
        "from the first column in to the last one out"
    )


def kernel_rows(report: Report) -> tuple[str, list[KernelRow]]:
    """Kernels as counted by the judged origin, else by any; its name, and a row for each."""
    origins = report.resources.origins
    ordered = sorted(origins, key=lambda item: item.origin != report.resources.judged_by)
    for origin in ordered:
        kernels = origin.details.get("kernels")
        if kernels:
            rows = [
                KernelRow(name, int(item["instances"]), item.get("lut"), item.get("ff"))
                for name, item in kernels.items()
            ]
            return origin_name(origin.origin), rows
    return "", []
