"""Masks of the float model, of the quantized one and of the firmware, on the same images.

Figures and their intervals are those of :mod:`trigger_ml.check.segmentation`. The interval of a
change of the efficiency is that of a paired difference of proportions (D. Bonett and R. Price,
J. Educ. Behav. Stat. 37 (2012) 479): images that both find, or both miss, do not widen it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from trigger_ml.artifacts import MaskLabels
from trigger_ml.check.segmentation import (
    LEVEL,
    MATCH,
    NORMAL,
    Bin,
    Cells,
    Segmentation,
    Share,
    binned,
    count_cells,
    judge,
)
from trigger_ml.errors import Blocker, DataError

__all__ = [
    "CellFlips",
    "MaskChange",
    "MaskComparison",
    "MaskWitness",
    "ShownImage",
    "compare_masks",
    "even_edges",
    "show_image",
]

PT_EDGES: Final = (1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0, 1000.0)
"""GeV; those beyond the images at hand are left out."""
STEPS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 50.0)
"""Widths of bins of a quantity without edges of its own."""
MOST_BINS: Final = 10
SPARSE: Final = 0.1
"""Share of the inputs that may be set in an image that can be drawn hit by hit."""

Masks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MaskWitness:
    """One witness. bins: efficiency by quantity: "pt" (GeV) and "eta", of images with one muon,
    and "background"; a bin from a value to the same value holds that value alone."""

    witness: str
    figures: Segmentation
    bins: Mapping[str, tuple[Bin, ...]]


@dataclass(frozen=True, slots=True)
class CellFlips:
    """What two witnesses mark differently. images: those in which they do."""

    left: str
    right: str
    cells: int
    images: int


@dataclass(frozen=True, slots=True)
class MaskChange:
    """A figure ("efficiency" or "fakes" an image) of ``right`` minus that of ``left``, with its
    95 % interval."""

    metric: Literal["efficiency", "fakes"]
    left: str
    right: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ShownImage:
    """One image, for a picture. number: of the event. shape: height, width, channels.

    hits: flat places in that shape that are set. true, marked: flat cells (height, width), the
    latter of the firmware.
    """

    number: int
    shape: tuple[int, int, int]
    hits: tuple[int, ...]
    true: tuple[int, ...]
    marked: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MaskComparison:
    """What :func:`compare_masks` found.

    match: share of its true cells above which an image is matched. threshold: a cell is marked
    where its logit reaches it; float_threshold: likewise, of the float model. empty_by: what
    tells an empty image: its number of muons, or that no cell is true.
    """

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

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON; ``kind`` tells it from a comparison of classes."""
        return {"kind": "mask", **asdict(self)}

    def flipped(self, left: str, right: str) -> CellFlips | None:
        """What two witnesses mark differently, if both are there."""
        return next((f for f in self.flips if (f.left, f.right) == (left, right)), None)

    def lock_figures(self) -> dict[str, float]:
        """What a lock holds of it, by name; without figures that no image gives."""
        return {
            f"{name} {item.witness}": value
            for item in self.witnesses
            for name in ("efficiency", "fakes", "fake_share", "empty_firing")
            if (value := getattr(item.figures, name).value) is not None
        }


def compare_masks(
    masks: Mapping[str, Masks],
    labels: MaskLabels,
    *,
    threshold: float,
    float_threshold: float | None = None,
    event: ShownImage | None = None,
) -> MaskComparison:
    """Judge masks of several witnesses. masks: (images, height, width) each, by witness.

    Raises DataError for masks of another shape than the truth, and when no image has a true
    cell.
    """
    wrong = [name for name, mask in masks.items() if mask.shape != labels.true.shape]
    if wrong or not masks:
        found = ", ".join(f"{name} {masks[name].shape}" for name in wrong) or "none"
        raise DataError(Blocker("masks", f"must have the shape {labels.true.shape}, found {found}"))
    if not labels.true.any():
        raise DataError(Blocker("masks", "no image has a true cell, so nothing can be found"))
    cells: dict[str, Cells] = {}
    for name, mask in masks.items():
        twin = next((known for known in cells if np.array_equal(masks[known], mask)), None)
        cells[name] = cells[twin] if twin else count_cells(mask, labels.true)
    muons: NDArray[Any] = labels.true.max(axis=(1, 2))
    if labels.muons is not None:
        muons = labels.muons
    pairs = list(combinations(masks, 2))
    return MaskComparison(
        (labels.true.shape[1], labels.true.shape[2]),
        MATCH,
        LEVEL,
        threshold,
        threshold if float_threshold is None else float_threshold,
        "truth" if labels.muons is None else "muons",
        tuple(
            MaskWitness(name, judge(found, muons), _bins(found, labels))
            for name, found in cells.items()
        ),
        tuple(_flips(left, right, masks) for left, right in pairs),
        tuple(change for pair in pairs for change in _changes(*pair, cells)),
        event,
    )


def show_image(
    number: int, channels: NDArray[Any], true: Masks, marked: Masks
) -> ShownImage | None:
    """An image for a picture; None where too many of its places are set to tell them apart.

    channels: (height, width, channels), what is not zero is set. true, marked: (height, width).
    """
    hits = np.flatnonzero(channels)
    if channels.shape[:2] != true.shape or hits.size > SPARSE * channels.size:
        return None
    height, width, depth = channels.shape
    places = (hits, np.flatnonzero(true), np.flatnonzero(marked))
    return ShownImage(number, (height, width, depth), *(tuple(p.tolist()) for p in places))


def _flips(left: str, right: str, masks: Mapping[str, Masks]) -> CellFlips:
    differs = masks[left] != masks[right]
    return CellFlips(left, right, int(differs.sum()), int(differs.any(axis=(1, 2)).sum()))


def _changes(left: str, right: str, cells: Mapping[str, Cells]) -> tuple[MaskChange, ...]:
    before, after = cells[left], cells[right]
    muons = before.true > 0
    changes = (
        _paired_shares(before.matched[muons], after.matched[muons]),
        _paired_means(before.fake, after.fake),
    )
    return (
        MaskChange("efficiency", left, right, *changes[0]),
        MaskChange("fakes", left, right, *changes[1]),
    )


def _paired_shares(before: Masks, after: Masks) -> tuple[float, float, float]:
    """Difference of two proportions on the same images, with Bonett and Price's interval."""
    images = len(before)
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    up, down = (gained + 1) / (images + 2), (lost + 1) / (images + 2)
    half = NORMAL * math.sqrt((up + down - (up - down) ** 2) / (images + 2))
    low, high = up - down - half, up - down + half
    return (gained - lost) / images, max(low, -1.0), min(high, 1.0)


def _paired_means(before: NDArray[np.int64], after: NDArray[np.int64]) -> tuple[float, ...]:
    difference = (after - before).astype(np.float64)
    value, images = float(difference.mean()), len(difference)
    spread = float(difference.std(ddof=1)) if images > 1 else 0.0
    half = NORMAL * spread / math.sqrt(images)
    return value, value - half, value + half


def _bins(cells: Cells, labels: MaskLabels) -> dict[str, tuple[Bin, ...]]:
    """Efficiency by whatever is known of the images; quantities without an image are left out."""
    found: dict[str, tuple[Bin, ...]] = {}
    for name, quantity in (("pt", labels.pt), ("eta", labels.eta)):
        if quantity is not None:
            single = _of_single_muons(quantity)
            edges = PT_EDGES if name == "pt" else even_edges(single)
            found[name] = _trimmed(binned(cells, single, edges)) if len(edges) > 1 else ()
    if labels.background is not None:
        found["background"] = _by_value(cells, labels.background)
    return {name: bins for name, bins in found.items() if bins}


def _of_single_muons(quantity: NDArray[np.float64]) -> NDArray[np.float64]:
    """The one value of each image, NaN where an image has none or several."""
    known = np.isfinite(quantity)
    one = np.where(known, quantity, 0.0).sum(axis=1)
    return np.where(known.sum(axis=1) == 1, one, np.nan)


def even_edges(values: NDArray[np.float64]) -> tuple[float, ...]:
    """Edges of bins at multiples of a round width, around all finite values; none without any."""
    seen = values[np.isfinite(values)]
    if not seen.size:
        return ()
    low, high = float(seen.min()), float(seen.max())
    step = next((s for s in STEPS if high - low <= s * (MOST_BINS - 1)), (high - low) / MOST_BINS)
    first, last = math.floor(low / step), math.floor(high / step) + 1
    return tuple(round(index * step, 6) for index in range(first, last + 1))


def _trimmed(bins: Sequence[Bin]) -> tuple[Bin, ...]:
    """Without the bins before the first and behind the last that hold an image."""
    filled = [index for index, item in enumerate(bins) if item.efficiency.total]
    return tuple(bins[filled[0] : filled[-1] + 1]) if filled else ()


def _by_value(cells: Cells, quantity: NDArray[np.float64]) -> tuple[Bin, ...]:
    """A bin for each value, or bins of even width where there are many values."""
    has = cells.true > 0
    values = np.unique(quantity[has])
    if len(values) > MOST_BINS:
        return _trimmed(binned(cells, quantity, even_edges(quantity)))
    return tuple(
        Bin(float(value), float(value), Share.of(cells.matched[has & (quantity == value)]))
        for value in values
    )
