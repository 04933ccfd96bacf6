"""Read the user's events: inputs as the model takes them, and labels where there are any."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from trigger_ml.artifacts import EdgeLabels, MaskLabels
from trigger_ml.errors import Blocker, DataError
from trigger_ml.event_edges import CANDIDATES_KEY, EDGE_KEYS, edge_labels, edge_problems
from trigger_ml.event_masks import (
    MASK_KEYS,
    THRESHOLD_KEY,
    Grid,
    mask_labels,
    mask_problems,
    mask_shapes,
)

__all__ = [
    "INPUT_KEYS",
    "LABEL_KEYS",
    "Events",
    "class_names",
    "input_problems",
    "label_problems",
    "pick",
    "read_arrays",
    "read_events",
    "require_inputs",
    "require_readable",
]

INPUT_KEYS: Final = ("x", "X", "inputs", "features", "x_test", "X_test")
LABEL_KEYS: Final = ("y", "Y", "labels", "y_test", "Y_test")
SCORE_KEY: Final = "float_scores"
CLASSES_KEY: Final = "classes"
FORMATS: Final = (".npz", ".npy", ".h5", ".hdf5", ".csv")


@dataclass(frozen=True, slots=True)
class Events:
    """The user's events.

    inputs: float64, shape (events, size). labels: class numbers, shape (events,), or None.
    float_scores: logits of the model before quantization, shape (events, outputs), or None.
    classes: names. masks: true cells, for a model that gives one logit for each cell. edges: true
    edges, for such a model where the events say which cells are candidate edges.
    """

    inputs: NDArray[np.float64]
    labels: NDArray[np.int64] | None
    float_scores: NDArray[np.float64] | None = None
    classes: tuple[str, ...] = ()
    masks: MaskLabels | None = None
    edges: EdgeLabels | None = None


def read_events(
    path: Path, size: int, outputs: int, limit: int, grid: Grid | None = None
) -> Events:
    """Read at most ``limit`` events for a model with ``size`` inputs and ``outputs`` outputs.

    .npz and .h5 hold arrays x (or X, inputs, features) and, if any, y (or labels) and
    float_scores; .npy and .csv hold inputs alone. Labels are class numbers or one-hot rows.

    grid: height and width of the mask of a model with one output for each cell. Labels are then
    0 or 1 for each cell, and of each image there may be muons (how many), pt (GeV) and eta of
    each muon, NaN where there is none, and background (multiple of a rate); float_threshold is
    a cut on float_scores of their own. With candidates, 1 for each cell that is an edge of a
    graph and 0 for padding, labels say which of them are true; pt and eta are then those of each
    edge's particle, of the labels' shape and NaN without one, and flags (of each image) has bit 0
    set where nodes of the graph were left out and bit 1 where edges were.

    Raises DataError with everything that is wrong.
    """
    arrays = read_arrays(path, (*MASK_KEYS, *EDGE_KEYS, THRESHOLD_KEY) if grid else ())
    inputs = require_inputs(path, arrays)
    labels = pick(arrays, LABEL_KEYS)
    blockers = [*input_problems(path, inputs, size)]
    count = len(inputs) if inputs.ndim else 0
    if grid is not None and CANDIDATES_KEY in arrays:
        blockers += edge_problems(path, arrays, labels, count, grid)
    elif labels is not None and grid is not None:
        blockers += mask_problems(path, arrays, labels, count, grid)
    elif labels is not None:
        blockers += label_problems(path, labels, count, outputs)
    scores = arrays.get(SCORE_KEY)
    if scores is not None:
        shapes = mask_shapes(count, grid) if grid else ((count, outputs),)
        blockers += _score_problems(path, scores, shapes)
    if blockers:
        raise DataError(blockers)
    kept = min(count, limit)
    reference = None if scores is None else scores[:limit].reshape(kept, -1).astype(np.float64)
    values = inputs[:limit].reshape(kept, size).astype(np.float64)
    if labels is None:
        return Events(values, None, reference)
    if grid is not None and CANDIDATES_KEY in arrays:
        edges = edge_labels(arrays, labels, grid, limit)
        return Events(values, None, reference, edges=edges)
    if grid is not None:
        masks = mask_labels(arrays, labels, grid, limit)
        return Events(values, None, reference, masks=masks)
    numbers = labels.argmax(axis=1) if labels.ndim == 2 else labels
    return Events(values, numbers[:limit].astype(np.int64), reference, class_names(arrays))


def require_readable(path: Path) -> None:
    """Raise DataError when there is no such file, or none of a known format."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise DataError(
            Blocker(str(path), f"{suffix or 'no suffix'} is not known", ", ".join(FORMATS))
        )
    if not path.is_file():
        raise DataError(Blocker(str(path), "does not exist"))


def read_arrays(path: Path, keys: tuple[str, ...] = ()) -> Mapping[str, NDArray[Any]]:
    """The arrays of a file, by name; from .h5 only those of known names and ``keys``.

    Raises DataError for a file that cannot be read.
    """
    require_readable(path)
    suffix = path.suffix.lower()
    try:
        if suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        if suffix == ".npy":
            return {"x": np.load(path, allow_pickle=False)}
        if suffix == ".csv":
            return {"x": np.loadtxt(path, delimiter=",", ndmin=2, comments="#")}
        with h5py.File(path, "r") as file:
            names = [*INPUT_KEYS, *LABEL_KEYS, SCORE_KEY, CLASSES_KEY, *keys]
            return {name: file[name][()] for name in names if name in file}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(Blocker(str(path), f"cannot be read: {reason}")) from error


def pick(arrays: Mapping[str, NDArray[Any]], keys: tuple[str, ...]) -> NDArray[Any] | None:
    """The first array that has one of these names, or None."""
    return next((arrays[key] for key in keys if key in arrays), None)


def require_inputs(path: Path, arrays: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """The inputs among a file's arrays. Raises DataError naming what is there instead."""
    inputs = pick(arrays, INPUT_KEYS)
    if inputs is None:
        keys = ", ".join(arrays) or "nothing"
        raise DataError(
            Blocker(str(path), f"holds {keys}", f"name the inputs one of {', '.join(INPUT_KEYS)}")
        )
    return inputs


def class_names(arrays: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    """The names of the classes among a file's arrays; empty where there are none."""
    names = np.ravel(arrays.get(CLASSES_KEY, ())).tolist()
    return tuple(n.decode("utf-8", "replace") if isinstance(n, bytes) else str(n) for n in names)


def input_problems(path: Path, inputs: NDArray[Any], size: int) -> list[Blocker]:
    """Whatever keeps an array from being the inputs of a model that takes ``size`` numbers."""
    where = f"{path} inputs"
    if inputs.dtype.kind not in "fiub":
        return [Blocker(where, f"the type is {inputs.dtype}", "store numbers")]
    if inputs.ndim < 1 or len(inputs) == 0:
        return [Blocker(where, "there are no events")]
    found = []
    width = int(np.prod(inputs.shape[1:], dtype=np.int64))
    if width != size:
        found.append(
            Blocker(
                where,
                f"an event has {width} numbers, the model takes {size}",
                "give the events as the model's input layer takes them",
            )
        )
    broken = int((~np.isfinite(inputs)).reshape(len(inputs), -1).any(axis=1).sum())
    if broken:
        found.append(Blocker(where, f"{broken} of {len(inputs)} events hold NaN or infinity"))
    return found


def label_problems(path: Path, labels: NDArray[Any], events: int, outputs: int) -> list[Blocker]:
    """Whatever keeps an array from being class numbers or one-hot rows of this many events."""
    where = f"{path} labels"
    if labels.dtype.kind not in "fiub" or labels.ndim not in (1, 2):
        return [Blocker(where, f"shape {labels.shape}, type {labels.dtype}", "class numbers")]
    found = []
    if len(labels) != events:
        found.append(Blocker(where, f"{len(labels)} labels for {events} events"))
    if not np.isfinite(labels).all():
        return [*found, Blocker(where, "hold NaN or infinity")]
    classes = max(outputs, 2)
    if labels.ndim == 2 and labels.shape[1] != classes:
        found.append(Blocker(where, f"{labels.shape[1]} columns, the model has {outputs} outputs"))
    elif labels.ndim == 1 and labels.size and not 0 <= labels.min() <= labels.max() < classes:
        span = f"{labels.min():g}..{labels.max():g}"
        found.append(Blocker(where, f"class numbers {span}, expected 0..{classes - 1}"))
    return found


def _score_problems(
    path: Path, scores: NDArray[Any], shapes: tuple[tuple[int, ...], ...]
) -> list[Blocker]:
    where = f"{path} {SCORE_KEY}"
    if scores.dtype.kind not in "fiu" or scores.shape not in shapes:
        return [Blocker(where, f"shape {scores.shape}, expected {shapes[0]}")]
    if not np.isfinite(scores).all():
        return [Blocker(where, "hold NaN or infinity")]
    return []
