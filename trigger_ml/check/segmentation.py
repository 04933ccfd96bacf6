"""Figures of a mask that marks cells of an image: what it finds, and what it marks wrongly.

A cell is *true* where something was there, *marked* where the mask says so. An image is matched
when more than MATCH of its true cells are marked. Intervals of shares are those of C. Clopper and
E. Pearson (Biometrika 26 (1934) 404), which cover at least 95 %. Cells of one image come together,
so intervals of means and of the share of fakes take the image as the unit (normal approximation;
for the ratio W. Cochran, Sampling Techniques, section 6.4).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, DataError

__all__ = [
    "LEVEL",
    "MATCH",
    "Bin",
    "Cells",
    "Mean",
    "Segmentation",
    "Share",
    "binned",
    "count_cells",
    "judge",
    "largest_group",
]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LEVEL: Final = 0.95
MATCH: Final = 0.6
"""Share of the true cells that must be exceeded."""
NORMAL: Final = 1.959963984540054
"""Two-sided normal quantile of LEVEL."""


@dataclass(frozen=True, slots=True)
class Share:
    """``passed`` of ``total`` with the 95 % interval; all None where nothing was counted."""

    passed: int
    total: int
    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, passed: Bools) -> Share:
        """Share of the True."""
        return cls.counted(int(passed.sum()), int(passed.size))

    @classmethod
    def counted(cls, passed: int, total: int) -> Share:
        """Share of counts, with the interval of Clopper and Pearson."""
        from scipy.stats import binomtest

        if total == 0:
            return cls(0, 0, None, None, None)
        interval = binomtest(passed, total).proportion_ci(LEVEL, method="exact")
        return cls(passed, total, passed / total, float(interval.low), float(interval.high))


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean, or a ratio of sums, over images, with its 95 % interval; None without images."""

    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, part: Ints, whole: Ints | None = None) -> Mean:
        """Mean of ``part`` over its images, or sum of ``part`` over sum of ``whole``."""
        images = len(part)
        base = np.ones(images) if whole is None else whole.astype(np.float64)
        total = float(base.sum())
        if total == 0:
            return cls(None, None, None)
        value = float(part.sum()) / total
        if images < 2:
            return cls(value, None, None)
        spread = float(np.var(part - value * base, ddof=1))
        half = NORMAL * math.sqrt(images * spread) / total
        return cls(value, max(value - half, 0.0), value + half)


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of each image, (images,): true ones, marked ones, those that are both, and the
    largest group of marked cells that touch, as :func:`largest_group` counts."""

    true: Ints
    marked: Ints
    found: Ints
    group: Ints

    def __len__(self) -> int:
        return len(self.true)

    @property
    def fake(self) -> Ints:
        """Marked cells that are not true."""
        return self.marked - self.found

    @property
    def matched(self) -> Bools:
        """More than MATCH of the true cells are marked; never without true cells."""
        return self.found > MATCH * self.true

    def __getitem__(self, chosen: NDArray[Any] | slice) -> Cells:
        columns = (self.true, self.marked, self.found, self.group)
        return Cells(*(column[chosen] for column in columns))

    @classmethod
    def joined(cls, parts: Sequence[Cells]) -> Cells:
        """The cells of several sets of images, one after the other."""
        names = ("true", "marked", "found", "group")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True, slots=True)
class Bin:
    """Efficiency where a quantity lies in [low, high)."""

    low: float
    high: float
    efficiency: Share


@dataclass(frozen=True, slots=True)
class Segmentation:
    """All figures of one mask.

    images: those judged, of them ``empty`` without a muon. efficiency: of images with true cells,
    those that are matched. fakes: marked cells that are not true, each image. fake_share: of all
    marked cells, those that are not true. empty_firing: of empty images, those with any marked
    cell. group: so many touching cells make a trigger; group_efficiency and group_empty_firing
    ask for one in addition to a match, and instead of any marked cell.
    """

    images: int
    empty: int
    efficiency: Share
    fakes: Mean
    fake_share: Mean
    empty_firing: Share
    group: int
    group_efficiency: Share
    group_empty_firing: Share

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return asdict(self)


def count_cells(mask: NDArray[Any], truth: NDArray[Any]) -> Cells:
    """Count cells. mask, truth: (images, height, width), what is not zero is marked, or true.

    Raises DataError for shapes that differ, and for no image.
    """
    if mask.shape != truth.shape or mask.ndim != 3 or 0 in mask.shape:
        what = f"has the shape {mask.shape}, the truth {truth.shape}"
        raise DataError(Blocker("mask", what, "give (images, height, width) for both"))
    marked, true = mask.astype(bool), truth.astype(bool)
    return Cells(
        true.sum(axis=(1, 2)),
        marked.sum(axis=(1, 2)),
        (marked & true).sum(axis=(1, 2)),
        largest_group(marked),
    )


def largest_group(marked: Bools) -> Ints:
    """Cells of the largest group of each image; cells touch by an edge or a corner."""
    from scipy.ndimage import label

    touching = np.zeros((3, 3, 3), bool)
    touching[1] = True
    labels, groups = label(marked, touching)
    size = np.bincount(labels[marked], minlength=groups + 1)
    image = np.zeros(groups + 1, np.int64)
    where = np.nonzero(marked)
    image[labels[where]] = where[0]
    largest = np.zeros(len(marked), np.int64)
    np.maximum.at(largest, image[1:], size[1:])
    return largest


def judge(cells: Cells, muons: NDArray[Any], *, group: int = 2) -> Segmentation:
    """Figures of a mask. muons: (images,) muons of each image, 0 for an empty chamber.

    Raises DataError for numbers of images that differ, and for no image.
    """
    if len(cells) != len(muons) or not len(cells):
        what = f"are of {len(muons)} images, the cells of {len(cells)}"
        raise DataError(Blocker("muons", what, "give one number an image"))
    true, empty = cells[cells.true > 0], cells[np.asarray(muons) == 0]
    return Segmentation(
        len(cells),
        len(empty),
        Share.of(true.matched),
        Mean.of(cells.fake),
        Mean.of(cells.fake, cells.marked),
        Share.of(empty.marked > 0),
        group,
        Share.of(true.matched & (true.group >= group)),
        Share.of(empty.group >= group),
    )


def binned(cells: Cells, quantity: NDArray[Any], edges: Sequence[float]) -> tuple[Bin, ...]:
    """Efficiency in bins of a quantity of each image, (images,); images without true cells and
    those where the quantity is NaN are left out.

    Raises DataError for edges that do not rise.
    """
    if len(edges) < 2 or any(b <= a for a, b in pairwise(edges)):
        raise DataError(Blocker("edges", f"must rise and be two or more, found {list(edges)}"))
    found = []
    for low, high in pairwise(edges):
        inside = (quantity >= low) & (quantity < high) & (cells.true > 0)
        found.append(Bin(float(low), float(high), Share.of(cells.matched[inside])))
    return tuple(found)
