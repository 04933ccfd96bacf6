"""Labelled events to train, validate and test on."""

from __future__ import annotations

import hashlib
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, DataError
from trigger_ml.events import (
    LABEL_KEYS,
    class_names,
    input_problems,
    label_problems,
    pick,
    read_arrays,
    require_inputs,
)
from trigger_ml.files import appearing
from trigger_ml.splits import SIDES, Split, sides

__all__ = ["Dataset", "read_dataset"]

SPLIT_KEY: Final = "split"
EVENT_KEY: Final = "event"


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Events on three sides.

    x_*: float32, shape (events, *input_shape). y_*: int64, class numbers of shape (events,); or
    0 and 1 for every output, shape (events, outputs), where a network answers many yes-or-no
    questions an event. classes: their names, empty where the file has none. source: the file's
    name. digest: SHA-256 over the arrays of all sides, so over the split too.
    """

    x_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    x_validation: NDArray[np.float32]
    y_validation: NDArray[np.int64]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.int64]
    classes: tuple[str, ...]
    source: str
    digest: str

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one event."""
        return self.x_train.shape[1:]

    def with_features(self, kept: Sequence[int]) -> Dataset:
        """The same events with some of their features, places on the last axis, in this order.

        Raises DataError for none, for one that is not there and for one that comes twice.
        """
        width, chosen = self.input_shape[-1], [int(index) for index in kept]
        if not chosen or len(set(chosen)) < len(chosen) or not set(chosen) <= set(range(width)):
            what = f"{chosen} are not distinct places among {width}"
            raise DataError(Blocker(f"{self.source} features", what))
        parts = dict(_arrays(self))
        for side in SIDES:
            parts[f"x_{side}"] = np.ascontiguousarray(parts[f"x_{side}"][..., chosen])
        digest = _digest(parts, self.classes)
        return Dataset(**parts, classes=self.classes, source=self.source, digest=digest)

    def save(self, path: Path) -> None:
        """Write an .npz file that :meth:`load` reads. Raises BuildError where it cannot."""
        with appearing(path) as part, part.open("wb") as file:
            np.savez(
                file,
                allow_pickle=False,
                classes=np.array(self.classes, dtype=np.str_),
                source=np.array(self.source),
                digest=np.array(self.digest),
                **dict(_arrays(self)),
            )

    @classmethod
    def load(cls, path: Path) -> Dataset:
        """Read :meth:`save`. Raises DataError for a file that is not whole or was altered."""
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            classes = tuple(str(name) for name in arrays.pop("classes"))
            source, digest = str(arrays.pop("source")), str(arrays.pop("digest"))
            found = cls(**arrays, classes=classes, source=source, digest=digest)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise DataError(Blocker(str(path), f"is not a stored data set: {reason}")) from error
        if _digest(dict(_arrays(found)), classes) != digest:
            raise DataError(Blocker(str(path), "its events are not those of its digest"))
        return found


def read_dataset(
    path: Path, input_shape: Sequence[int], outputs: int, split: Split, seed: int
) -> Dataset:
    """Read labelled events for a network and put each on its side.

    An .npz or .h5 file holds x and y (or any name that ``trigger-ml compile --data`` takes), and
    optionally classes (names), split (0 train, 1 validation, 2 test, for every event) and event
    (whole numbers: rows of the same one stay together). A file without sides is divided by the
    shares asked for, from the seed and the event number, or the row where there is none.
    y: class numbers, one-hot rows, or rows of 0 and 1 for every output.

    Raises DataError with everything that is wrong.
    """
    arrays = read_arrays(path, (SPLIT_KEY, EVENT_KEY))
    inputs, labels = require_inputs(path, arrays), pick(arrays, LABEL_KEYS)
    blockers = input_problems(path, inputs, math.prod(input_shape))
    events = len(inputs) if inputs.ndim else 0
    classes = class_names(arrays)
    if labels is None:
        what = f"there are no labels (found {', '.join(arrays)})"
        blockers.append(Blocker(str(path), what, f"name them one of {', '.join(LABEL_KEYS)}"))
    elif not _binary_rows(labels, events, outputs):
        blockers += label_problems(path, labels, events, outputs)
        blockers += _number_problems(path, labels)
    if classes and len(classes) != max(outputs, 2):
        what = f"{len(classes)} names for {max(outputs, 2)} classes"
        blockers.append(Blocker(f"{path} classes", what))
    for key in (SPLIT_KEY, EVENT_KEY):
        blockers += _row_problems(path, key, arrays.get(key), events)
    if blockers or labels is None:
        raise DataError(blockers)
    x = _float32(path, inputs).reshape(events, *input_shape)
    y = labels if _binary_rows(labels, events, outputs) else _numbers(labels)
    side = arrays.get(SPLIT_KEY)
    if side is None:
        side = sides(arrays.get(EVENT_KEY, np.arange(events)), split, seed)
    return _divide(path, x, y.astype(np.int64), side, classes)


def _divide(
    path: Path,
    x: NDArray[np.float32],
    y: NDArray[np.int64],
    side: NDArray[Any],
    classes: tuple[str, ...],
) -> Dataset:
    parts: dict[str, NDArray[Any]] = {}
    blockers = []
    for number, name in enumerate(SIDES):
        rows = np.flatnonzero(side == number)
        parts[f"x_{name}"], parts[f"y_{name}"] = x[rows], y[rows]
        if rows.size == 0:
            what = f"the {name} side has none of the {len(x)} events"
            blockers.append(Blocker(f"{path} {SPLIT_KEY}", what, "give more events or shares"))
    if blockers:
        raise DataError(blockers)
    return Dataset(**parts, classes=classes, source=path.name, digest=_digest(parts, classes))


def _binary_rows(labels: NDArray[Any], events: int, outputs: int) -> bool:
    """Whether the labels are one 0 or 1 for each output, and not one-hot."""
    if labels.shape != (events, outputs) or labels.dtype.kind not in "fiub" or outputs < 2:
        return False
    return bool(np.isin(labels, (0, 1)).all() and (labels.sum(axis=1) != 1).any())


def _numbers(labels: NDArray[Any]) -> NDArray[Any]:
    return labels.argmax(axis=1) if labels.ndim == 2 else labels


def _number_problems(path: Path, labels: NDArray[Any]) -> list[Blocker]:
    """Labels that are neither whole numbers nor one-hot."""
    where = f"{path} labels"
    if labels.dtype.kind not in "fiub" or not np.isfinite(labels).all():
        return []
    if labels.ndim == 1 and not np.array_equal(labels, np.round(labels)):
        return [Blocker(where, "class numbers must be whole")]
    if labels.ndim == 2:
        odd = int(((labels.sum(axis=1) != 1) | ~np.isin(labels, (0, 1)).all(axis=1)).sum())
        if odd:
            what = f"{odd} of {len(labels)} rows are neither one-hot nor 0 and 1 for each output"
            return [Blocker(where, what)]
    return []


def _row_problems(path: Path, key: str, rows: NDArray[Any] | None, events: int) -> list[Blocker]:
    if rows is None:
        return []
    where = f"{path} {key}"
    if rows.dtype.kind not in "iub" or rows.shape != (events,):
        what = f"shape {rows.shape}, type {rows.dtype}; it must be {events} whole numbers"
        return [Blocker(where, what)]
    if key == SPLIT_KEY and events and not 0 <= rows.min() <= rows.max() < len(SIDES):
        span = f"{rows.min()}..{rows.max()}"
        return [Blocker(where, f"numbers {span}; 0 trains, 1 validates, 2 tests")]
    return []


def _float32(path: Path, inputs: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        x = inputs.astype(np.float32)
    if not np.isfinite(x).all():
        raise DataError(Blocker(f"{path} inputs", "hold values beyond single precision"))
    return x


def _arrays(dataset: Dataset) -> Iterator[tuple[str, NDArray[Any]]]:
    for side in SIDES:
        for name in (f"x_{side}", f"y_{side}"):
            yield name, getattr(dataset, name)


def _digest(arrays: Mapping[str, NDArray[Any]], classes: Sequence[str]) -> str:
    found = hashlib.sha256(repr(tuple(classes)).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"{name} {array.dtype.str} {array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()
