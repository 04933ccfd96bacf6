"""Masks as labels: which cells of each image are true, and what is known of the image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.artifacts import MaskLabels
from trigger_ml.errors import Blocker

__all__ = [
    "MASK_KEYS",
    "NUMBERS",
    "THRESHOLD_KEY",
    "Grid",
    "mask_labels",
    "mask_problems",
    "mask_shapes",
    "threshold_problems",
]

MASK_KEYS: Final = ("muons", "pt", "eta", "background")
"""Arrays with one row for each image."""
THRESHOLD_KEY: Final = "float_threshold"
NUMBERS: Final = "fiub"
"""NumPy's kinds of plain numbers."""

Grid = tuple[int, int]
"""Height and width of a mask."""


def mask_shapes(images: int, grid: Grid) -> tuple[tuple[int, ...], ...]:
    """The shapes that one number for each cell may have; the first one says it best."""
    return ((images, *grid), (images, *grid, 1), (images, math.prod(grid)))


def mask_problems(
    path: Path, arrays: Mapping[str, NDArray[Any]], labels: NDArray[Any], images: int, grid: Grid
) -> list[Blocker]:
    """Whatever keeps labels, and the arrays of MASK_KEYS, from being those of so many images."""
    where = f"{path} labels"
    found = [*_condition_problems(path, arrays, images), *threshold_problems(path, arrays)]
    shapes = mask_shapes(images, grid)
    if labels.dtype.kind not in NUMBERS or labels.shape not in shapes:
        what = f"shape {labels.shape}, type {labels.dtype}, expected {shapes[0]}"
        return [*found, Blocker(where, what, "give 1 for each cell that is true, 0 for all others")]
    if not np.isin(labels, (0, 1)).all():
        span = f"{labels.min():g}..{labels.max():g}"
        what = f"values {span}, a cell of a mask is 0 or 1"
        return [*found, Blocker(where, what, "a word of layers: take word != 0")]
    if not labels.any():
        return [*found, Blocker(where, "no image has a true cell, so nothing can be found")]
    muons = arrays.get("muons")
    if not found and muons is not None:
        odd = int((labels.reshape(images, -1).any(axis=1) & (muons == 0)).sum())
        if odd:
            found.append(Blocker(f"{path} muons", f"{odd} images without a muon have true cells"))
    return found


def _condition_problems(
    path: Path, arrays: Mapping[str, NDArray[Any]], images: int
) -> list[Blocker]:
    found = []
    for key in MASK_KEYS:
        array = arrays.get(key)
        if array is None:
            continue
        where = f"{path} {key}"
        most = 2 if key in ("pt", "eta") else 1
        sound = array.dtype.kind in NUMBERS and 1 <= array.ndim <= most
        if not sound or len(array) != images:
            what = f"shape {array.shape}, type {array.dtype}, expected one row for each image"
            found.append(Blocker(where, f"{what}, {images}"))
        elif key == "muons" and (not (array >= 0).all() or (array != np.floor(array)).any()):
            found.append(Blocker(where, "numbers of muons must be whole and not below 0"))
        elif np.isinf(array).any() or (key == "background" and np.isnan(array).any()):
            found.append(Blocker(where, "holds infinity, or no number at all"))
    return found


def threshold_problems(path: Path, arrays: Mapping[str, NDArray[Any]]) -> list[Blocker]:
    """Whatever keeps THRESHOLD_KEY, where it is there, from being one number."""
    cut = arrays.get(THRESHOLD_KEY)
    if cut is None or (cut.size == 1 and cut.dtype.kind in NUMBERS and np.isfinite(cut).all()):
        return []
    return [Blocker(f"{path} {THRESHOLD_KEY}", f"must be one number, found shape {cut.shape}")]


def mask_labels(
    arrays: Mapping[str, NDArray[Any]], labels: NDArray[Any], grid: Grid, limit: int
) -> MaskLabels:
    """The first ``limit`` images of arrays in which :func:`mask_problems` found nothing."""
    true = labels[:limit]
    muons, background = arrays.get("muons"), arrays.get("background")
    pt, eta = (_rows(arrays.get(key), limit) for key in ("pt", "eta"))
    cut = arrays.get(THRESHOLD_KEY)
    return MaskLabels(
        true.reshape(len(true), *grid).astype(np.bool_),
        None if muons is None else muons[:limit].astype(np.int64),
        pt,
        eta,
        None if background is None else background[:limit].astype(np.float64),
        None if cut is None else float(cut.item()),
    )


def _rows(array: NDArray[Any] | None, limit: int) -> NDArray[np.float64] | None:
    if array is None:
        return None
    kept = array[:limit].astype(np.float64)
    return kept[:, None] if kept.ndim == 1 else kept
