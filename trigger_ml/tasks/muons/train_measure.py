"""Thresholds on a cell's logit, and what networks and pattern finders reach with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.check.segmentation import (
    MATCH,
    Bin,
    Cells,
    Segmentation,
    binned,
    count_cells,
    judge,
)
from trigger_ml.errors import Blocker, DataError
from trigger_ml.tasks.muons.baseline import FINDERS, THRESHOLDS, Finder, count_found
from trigger_ml.tasks.muons.images import Images, Words
from trigger_ml.tasks.muons.training_recipe import WorkingPoint

__all__ = [
    "CMS_PATTERNS",
    "CURVE",
    "ETA_BINS",
    "PT_BINS",
    "EqualEfficiency",
    "Judge",
    "Mask",
    "Results",
    "at_working_point",
    "least_at",
    "matching_logits",
]

Bools = NDArray[np.bool_]

CURVE: Final = (0.9, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995)
"""Efficiencies of a network's curve."""
PT_BINS: Final = (5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0)
"""GeV."""
ETA_BINS: Final = (2.0, 2.1, 2.2, 2.3, 2.4, 2.5, 2.6, 2.7, 2.8)
CMS_PATTERNS: Final = FINDERS[-2]
"""The patterns of CMS on pairs of strips, without the cancelling that loses crossing tracks."""
BATCH: Final = 512
"""Images whose cells are counted at once."""


@dataclass(frozen=True, slots=True)
class Mask:
    """What one way to mark cells reaches on the test images.

    at: by multiple of the background, of its empty images and of those whose muons are all above
    the working point's transverse momentum. pt, eta: efficiency of images with one muon of any
    momentum, at the working point's background. curve: other thresholds, likewise there.
    """

    at: Mapping[float, Segmentation]
    pt: tuple[Bin, ...] = ()
    eta: tuple[Bin, ...] = ()
    curve: tuple[Segmentation, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON."""
        return {
            "background": {f"{multiple:g}": item.to_json() for multiple, item in self.at.items()},
            "pt_bins": [asdict(item) for item in self.pt],
            "eta_bins": [asdict(item) for item in self.eta],
            "curve": [item.to_json() for item in self.curve],
        }


@dataclass(frozen=True, slots=True)
class EqualEfficiency:
    """A setting of the pattern finder, and each network with a threshold that finds no less.

    Everything at the working point's background, on the same images.
    """

    finder: str
    found: Segmentation
    networks: Mapping[str, Segmentation]

    def to_json(self) -> dict[str, Any]:
        """Plain form for JSON."""
        networks = {name: item.to_json() for name, item in self.networks.items()}
        return {"finder": self.finder, "found": self.found.to_json(), "networks": networks}


@dataclass(frozen=True, slots=True)
class Results:
    """Everything measured. finders: by name of the setting. equal: against the best setting of
    all, and against the best of CMS_PATTERNS."""

    networks: Mapping[str, Mask]
    finders: Mapping[str, Mask]
    equal: tuple[EqualEfficiency, ...]


class Judge:
    """Collects masks of the test images: first of the pattern finders, then of the networks."""

    def __init__(self, images: Images, point: WorkingPoint) -> None:
        self._images, self._point = images, point
        self._multiples = tuple(float(value) for value in np.unique(images.background))
        self._finders: dict[str, Mask] = {}
        self._networks: dict[str, Mask] = {}
        self._equal: dict[str, dict[str, Segmentation]] = {}

    def add_finder(self, finder: Finder) -> None:
        """Run a pattern finder at each of its thresholds."""
        counted = count_found(self._images, finder, THRESHOLDS)
        for threshold, cells in zip(THRESHOLDS, counted, strict=True):
            self._finders[f"{finder.name}: {threshold.name}"] = self._mask(cells)

    def add_network(self, name: str, logits: NDArray[np.float32]) -> None:
        """Take a network's logits of all images; marked is what lies above zero."""
        chosen = at_working_point(self._images, self._point)
        matching = matching_logits(logits[chosen], self._images.truth[chosen])
        curve = []
        for efficiency in CURVE:
            cells = self._cells(logits, least_at(matching, efficiency))
            curve.append(self._at(cells, self._point.background))
        marked = self._mask(self._cells(logits, np.nextafter(np.float32(0), np.float32(1))))
        self._networks[name] = Mask(marked.at, marked.pt, marked.eta, tuple(curve))
        for finder in self._references():
            equal = self._finders[finder].at[self._point.background].efficiency.value
            cells = self._cells(logits, least_at(matching, float(equal or 0.0)))
            found = self._at(cells, self._point.background)
            self._equal.setdefault(finder, {})[name] = found

    def results(self) -> Results:
        """All of it."""
        at = {name: mask.at[self._point.background] for name, mask in self._finders.items()}
        equal = (EqualEfficiency(name, at[name], of) for name, of in self._equal.items())
        return Results(dict(self._networks), dict(self._finders), tuple(equal))

    def note(self, name: str) -> str:
        """A few words on a network."""
        found = self._networks[name].at[self._point.background]
        return f"efficiency {found.efficiency.value:.2%}, {found.fakes.value:.3f} fake cells"

    def _references(self) -> list[str]:
        """The best finder of all, and the best of CMS's patterns where that is another."""
        cms = [name for name in self._finders if name.startswith(f"{CMS_PATTERNS.name}: ")]
        groups = [list(self._finders), cms]
        return list(dict.fromkeys(self._best(names) for names in groups if names))

    def _best(self, names: Sequence[str]) -> str:
        """Of the finders that reach the working point, the one with the fewest fakes; the one
        that finds most where none does."""
        at = {name: self._finders[name].at[self._point.background] for name in names}
        found = {name: float(item.efficiency.value or 0.0) for name, item in at.items()}
        good = [name for name, value in found.items() if value >= self._point.efficiency]
        if not good:
            return max(found, key=found.__getitem__)
        return min(good, key=lambda name: float(at[name].fakes.value or 0.0))

    def _parts(self) -> Iterator[slice]:
        for first in range(0, len(self._images), BATCH):
            yield slice(first, first + BATCH)

    def _cells(self, logits: NDArray[np.float32], least: float) -> Cells:
        truth = self._images.truth
        parts = [count_cells(logits[part] >= least, truth[part]) for part in self._parts()]
        return Cells.joined(parts)

    def _at(self, cells: Cells, multiple: float) -> Segmentation:
        images = self._images
        chosen = (images.muons == 0) | _hard(images, self._point.pt_min_gev)
        chosen &= images.background == np.float32(multiple)
        return judge(cells[chosen], images.muons[chosen])

    def _mask(self, cells: Cells) -> Mask:
        images = self._images
        single = (images.muons == 1) & (images.background == np.float32(self._point.background))
        of_single, first = cells[single], images[single]
        return Mask(
            {multiple: self._at(cells, multiple) for multiple in self._multiples},
            binned(of_single, first.pt[:, 0], PT_BINS),
            binned(of_single, first.eta[:, 0], ETA_BINS),
        )


def at_working_point(images: Images, point: WorkingPoint) -> Bools:
    """Which images decide the threshold: with muons, all of them hard enough, true cells, and
    the working point's background."""
    chosen = images.background == np.float32(point.background)
    chosen &= _hard(images, point.pt_min_gev)
    return np.asarray(chosen & (images.truth != 0).any(axis=(1, 2)))


def matching_logits(logits: NDArray[Any], truth: Words) -> NDArray[Any]:
    """For each image that has true cells, the largest value at which it is matched when every
    cell at that value or above is marked.

    logits, truth: (images, 8, 384). Shape (images with true cells,).
    """
    image, partition, strip = np.nonzero(truth)
    values = logits[image, partition, strip]
    order = np.lexsort((-values, image))
    cells = np.bincount(image, minlength=len(truth))
    first = np.cumsum(cells) - cells
    has = cells > 0
    # An image needs more than MATCH of its true cells.
    return np.asarray(values[order][first[has] + np.floor(MATCH * cells[has]).astype(np.int64)])


def least_at(matching: NDArray[Any], efficiency: float) -> float:
    """The highest threshold (cells at it or above are marked) that reaches an efficiency.

    matching: as :func:`matching_logits`. Raises DataError when there is no image.
    """
    if not len(matching):
        raise DataError(Blocker("images", "none with muons to choose the threshold on"))
    falling = np.sort(matching)[::-1]
    return float(falling[min(int(np.ceil(efficiency * len(falling))), len(falling)) - 1])


def _hard(images: Images, pt_min_gev: float) -> Bools:
    """Images with muons, all of them above a transverse momentum."""
    softest = np.nan_to_num(images.pt, nan=np.inf).min(axis=1)
    return np.asarray((images.muons > 0) & (softest > pt_min_gev))
