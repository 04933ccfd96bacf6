"""Edges of graphs as labels: which slots of each image hold a candidate, and which are true."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.artifacts import EdgeLabels
from trigger_ml.errors import Blocker
from trigger_ml.event_masks import (
    NUMBERS,
    THRESHOLD_KEY,
    Grid,
    mask_shapes,
    threshold_problems,
)

__all__ = [
    "CANDIDATES_KEY",
    "EDGE_KEYS",
    "FLAG_EDGES",
    "FLAG_NODES",
    "edge_labels",
    "edge_problems",
]

CANDIDATES_KEY: Final = "candidates"
FLAGS_KEY: Final = "flags"
QUANTITIES: Final = ("pt", "eta")
"""Of each slot's particle."""
EDGE_KEYS: Final = (CANDIDATES_KEY, FLAGS_KEY, *QUANTITIES)
FLAG_NODES: Final = 1
"""Of an image's flags: nodes of the graph had no slot and were left out."""
FLAG_EDGES: Final = 2
"""Likewise edges."""
MOST_FLAGS: Final = 8
"""Bits of an image's flags."""


def edge_problems(
    path: Path,
    arrays: Mapping[str, NDArray[Any]],
    labels: NDArray[Any] | None,
    images: int,
    grid: Grid,
) -> list[Blocker]:
    """Whatever keeps labels, and the arrays of EDGE_KEYS, from being those of so many images."""
    found = [*_optional_problems(path, arrays, images, grid), *threshold_problems(path, arrays)]
    candidates = arrays[CANDIDATES_KEY]
    bits = [(CANDIDATES_KEY, candidates, "1 for each slot that holds an edge, 0 for padding")]
    if labels is None:
        found.append(Blocker(f"{path} labels", "are missing, and there are candidates", "give y"))
    else:
        bits.append(("labels", labels, "1 for each edge that is true, 0 for all others"))
    wrong = [
        problem
        for name, array, fix in bits
        for problem in _bit_problems(f"{path} {name}", array, images, grid, fix)
    ]
    if wrong or labels is None:
        return [*found, *wrong]
    where = f"{path} {CANDIDATES_KEY}"
    padding = candidates.reshape(images, -1) == 0
    stray = int((labels.reshape(images, -1).astype(bool) & padding).sum())
    if padding.all():
        found.append(Blocker(where, "no slot of any image holds an edge, so nothing is judged"))
    elif stray:
        what = f"{stray} slots are true and hold no candidate edge"
        found.append(Blocker(f"{path} labels", what, "padding has the label 0"))
    elif not labels.any():
        found.append(Blocker(f"{path} labels", "no edge is true, so nothing can be found"))
    return found


def _bit_problems(
    where: str, array: NDArray[Any], images: int, grid: Grid, fix: str
) -> list[Blocker]:
    shapes = mask_shapes(images, grid)
    if array.dtype.kind not in NUMBERS or array.shape not in shapes:
        what = f"shape {array.shape}, type {array.dtype}, expected {shapes[0]}"
        return [Blocker(where, what, f"give {fix}")]
    odd = array[~np.isin(array, (0, 1))]
    if odd.size:
        what = f"{odd.size} values are neither 0 nor 1, such as {odd[0]:g}"
        return [Blocker(where, what, f"give {fix}")]
    return []


def _optional_problems(
    path: Path, arrays: Mapping[str, NDArray[Any]], images: int, grid: Grid
) -> list[Blocker]:
    found = []
    shapes = mask_shapes(images, grid)
    for key in QUANTITIES:
        array = arrays.get(key)
        if array is None:
            continue
        where = f"{path} {key}"
        if array.dtype.kind not in NUMBERS or array.shape not in shapes:
            what = f"shape {array.shape}, type {array.dtype}, expected {shapes[0]}"
            found.append(Blocker(where, what, "one number for each slot, NaN without a particle"))
        elif np.isinf(array).any():
            found.append(Blocker(where, "holds infinity", "NaN stands for no particle"))
    flags = arrays.get(FLAGS_KEY)
    if flags is None:
        return found
    where = f"{path} {FLAGS_KEY}"
    if flags.dtype.kind not in NUMBERS or flags.shape not in ((images,), (images, 1)):
        what = f"shape {flags.shape}, type {flags.dtype}, expected one for each image, {images}"
        found.append(Blocker(where, what))
        return found
    odd = flags[~np.isin(flags, range(1 << MOST_FLAGS))]
    if odd.size:
        what = f"{odd.size} are no words of {MOST_FLAGS} bits, such as {odd[0]:g}"
        found.append(Blocker(where, what, "bit 0: nodes left out, bit 1: edges left out"))
    return found


def edge_labels(
    arrays: Mapping[str, NDArray[Any]], labels: NDArray[Any], grid: Grid, limit: int
) -> EdgeLabels:
    """The first ``limit`` images of arrays in which :func:`edge_problems` found nothing."""
    kept = min(len(labels), limit)

    def slots(array: NDArray[Any]) -> NDArray[Any]:
        return array[:kept].reshape(kept, *grid)

    def quantity(key: str) -> NDArray[np.float32] | None:
        return slots(arrays[key]).astype(np.float32) if key in arrays else None

    flags, cut = arrays.get(FLAGS_KEY), arrays.get(THRESHOLD_KEY)
    return EdgeLabels(
        slots(labels).astype(np.bool_),
        slots(arrays[CANDIDATES_KEY]).astype(np.bool_),
        quantity("pt"),
        quantity("eta"),
        None if flags is None else flags[:kept].reshape(kept).astype(np.int64),
        None if cut is None else float(cut.item()),
    )
