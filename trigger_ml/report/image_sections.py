"""Sections of report.json that only networks on images have: masks, and columns a clock."""

from __future__ import annotations

from typing import Literal

from trigger_ml.report.base import Section

__all__ = [
    "CellFlips",
    "EfficiencyBin",
    "ImageStream",
    "MaskChange",
    "MaskDetail",
    "MaskFigures",
    "MaskWitness",
    "MeanRow",
    "ShareRow",
    "ShownImage",
]


class ImageStream(Section):
    """How a streamed top takes images.

    columns: that it takes a clock. groups: of so many columns in an image. width: columns of an
    image. kernels: instances of each module that turns a window into a column.
    """

    columns: int
    groups: int
    width: int
    kernels: dict[str, int]


class ShareRow(Section):
    """``passed`` of ``total`` with its interval; None where nothing was counted."""

    passed: int
    total: int
    value: float | None
    low: float | None
    high: float | None


class MeanRow(Section):
    """A mean over images with its interval; None without images."""

    value: float | None
    low: float | None
    high: float | None


class MaskFigures(Section):
    """Figures of one mask, as ``trigger_ml.check.segmentation`` finds them.

    images: those judged, ``empty`` of them without a muon. efficiency: of images with true
    cells, those that are matched. fakes: marked cells that are not true, each image.
    fake_share: likewise, of all marked cells. empty_firing: of empty images, those with a marked
    cell. group_*: the same with ``group`` marked cells that touch.
    """

    images: int
    empty: int
    efficiency: ShareRow
    fakes: MeanRow
    fake_share: MeanRow
    empty_firing: ShareRow
    group: int
    group_efficiency: ShareRow
    group_empty_firing: ShareRow


class EfficiencyBin(Section):
    """Efficiency where a quantity lies in [low, high), or is low where both are the same."""

    low: float
    high: float
    efficiency: ShareRow


class MaskWitness(Section):
    """One witness: "float", "quantized" or "firmware". bins: by "pt", "eta" or "background"."""

    witness: str
    figures: MaskFigures
    bins: dict[str, tuple[EfficiencyBin, ...]]


class CellFlips(Section):
    """Cells that two witnesses mark differently, and the images that hold them."""

    left: str
    right: str
    cells: int
    images: int


class MaskChange(Section):
    """A figure of right minus that of left, on the same images."""

    metric: Literal["efficiency", "fakes"]
    left: str
    right: str
    value: float
    low: float
    high: float


class ShownImage(Section):
    """One image for a picture: flat places that are set, and flat cells."""

    number: int
    shape: tuple[int, int, int]
    hits: tuple[int, ...]
    true: tuple[int, ...]
    marked: tuple[int, ...]


class MaskDetail(Section):
    """Everything the comparison of masks found.

    shape: height and width of a mask. match: share of its true cells above which an image is
    matched. threshold: a cell is marked where its logit reaches it. empty_by: what tells an
    empty image.
    """

    kind: Literal["mask"]
    shape: tuple[int, int]
    match: float
    level: float
    threshold: float
    float_threshold: float
    empty_by: Literal["muons", "truth"]
    witnesses: tuple[MaskWitness, ...]
    flips: tuple[CellFlips, ...]
    changes: tuple[MaskChange, ...]
    event: ShownImage | None = None

    def of(self, witness: str) -> MaskFigures | None:
        """Figures of a witness, or None."""
        return next((row.figures for row in self.witnesses if row.witness == witness), None)

    def change(self, metric: str, left: str, right: str) -> MaskChange | None:
        """A change between two witnesses, or None."""
        wanted = (metric, left, right)
        return next((c for c in self.changes if (c.metric, c.left, c.right) == wanted), None)
