"""Track hits on disk: one HDF5 file of events, written as they come, read back checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import yaml
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, DataError
from trigger_ml.settings import check_settings, to_yaml
from trigger_ml.tasks.jets.files import new_hdf5
from trigger_ml.tasks.tracks.hits import COLUMNS, EventHits
from trigger_ml.tasks.tracks.recipe import Cuts

__all__ = ["FORMAT", "TrackStore", "refuse_foreign", "write_events"]

FORMAT: Final = "trigger_ml tracks"
VERSION: Final = 1
"""Raise this when the layout of the file changes."""
BATCH: Final = 256
"""Events written together, and read together."""

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class TrackStore:
    """A file of track hits, its layout checked. Open one with :meth:`open`.

    starts: (events + 1,), the row of the first hit of each event, and the rows in all.
    cuts: what its hit graphs are meant to be made with. attributes: all that the file says of
    itself, such as ``seed`` and ``recipe`` where it was simulated.
    """

    path: Path
    starts: NDArray[np.int64]
    cuts: Cuts
    attributes: dict[str, Any]

    @classmethod
    def open(cls, path: Path) -> TrackStore:
        """Look at a file.

        Raises DataError listing all that is wrong with its layout: no HDF5 file, datasets that
        are missing, of another type or unequal length, no event.
        """
        if not path.exists():
            fix = "make it with trigger-ml data tracks"
            raise DataError(Blocker(str(path), "does not exist", fix))
        with _opened(path) as file:
            if blockers := list(_layout_blockers(path, file)):
                raise DataError(blockers)
            attributes = dict(file.attrs)
            starts = np.asarray(file["event_start"][:])
        cuts = yaml.safe_load(str(attributes.get("cuts", "{}")))
        return cls(path, starts, check_settings(Cuts, cuts, f"{path}: cuts"), attributes)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def event(self, number: int) -> EventHits:
        """One event. Raises DataError for one that is not there, and as :meth:`events`."""
        if not 0 <= number < len(self):
            what = f"is not there: events 0 to {len(self) - 1} are"
            raise DataError(Blocker(f"{self.path}: event {number}", what))
        return next(self.events(slice(number, number + 1)))

    def events(self, which: slice = slice(None)) -> Iterator[EventHits]:
        """Events one after the other; a few hundred are in memory at once.

        which: a slice of the events without a step, as of a list.

        Raises DataError where the content cannot be: see ``EventHits.faults``.
        """
        first, last, step = which.indices(len(self))
        if step != 1:
            raise ValueError("events come in order, without a step")
        with _opened(self.path) as file:
            for start in range(first, last, BATCH):
                yield from self._batch(file, start, min(start + BATCH, last))

    def _batch(self, file: Any, start: int, stop: int) -> Iterator[EventHits]:
        rows = slice(int(self.starts[start]), int(self.starts[stop]))
        try:
            hits = EventHits(**{name: np.asarray(file[name][rows]) for name in COLUMNS})
        except (OSError, RuntimeError) as error:
            raise DataError(Blocker(str(self.path), f"cannot be read: {error}")) from error
        for number in range(start, stop):
            begin, end = self.starts[number : number + 2] - rows.start
            event = hits[begin:end]
            faults = [Blocker(f"{self.path}: event {number}", what) for what in event.faults()]
            if faults:
                raise DataError(faults)
            yield event


def write_events(
    output: Path,
    events: Iterable[EventHits],
    cuts: Cuts,
    attributes: Mapping[str, str | int],
    progress: Progress | None = None,
) -> int:
    """Write events into one file, which appears whole or not at all. Returns how many there are.

    cuts, attributes: go into the file, beside its format and version. progress: called with the
    events that are written.

    Raises DataError where ``output`` is another file than one of track hits, and for events that
    cannot be; BuildError when it cannot be written. What ``events`` raises passes through.
    """
    refuse_foreign(output)
    with new_hdf5(output) as (file, check):
        known = {"format": FORMAT, "version": VERSION, "cuts": to_yaml(cuts)}
        file.attrs.update({**attributes, **known})
        for name, kind in COLUMNS.items():
            file.create_dataset(
                name, (0,), kind, maxshape=(None,), chunks=(1 << 15,),
                compression="gzip", compression_opts=1, shuffle=True,
            )  # fmt: skip
        starts, batch = [0], []
        for event in events:
            if faults := list(event.faults()):
                where = f"event {len(starts) - 1}"
                raise DataError([Blocker(where, what) for what in faults])
            starts.append(starts[-1] + len(event))
            batch.append(event)
            if len(batch) == BATCH:
                _append(file, batch)
                batch = []
                check()
            if progress:
                progress(len(starts) - 1)
        _append(file, batch)
        file.create_dataset("event_start", data=np.array(starts, np.int64))
        return len(starts) - 1


def _append(file: Any, batch: list[EventHits]) -> None:
    if not batch:
        return
    for name in COLUMNS:
        rows = np.concatenate([getattr(event, name) for event in batch])
        file[name].resize(len(file[name]) + len(rows), axis=0)
        file[name][len(file[name]) - len(rows) :] = rows


def refuse_foreign(path: Path) -> None:
    """Never replace a file that does not hold track hits. Raises DataError."""
    if not path.exists():
        return
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") == FORMAT:
                return
    except (OSError, RuntimeError):
        pass
    what = "exists and is not a file of track hits made here"
    raise DataError(Blocker(str(path), what, "choose another output, or remove that file"))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        file = h5py.File(path, "r")
    except (OSError, RuntimeError) as error:
        raise DataError(Blocker(str(path), f"is not an HDF5 file: {error}")) from error
    with file:
        yield file


def _layout_blockers(path: Path, file: Any) -> Iterator[Blocker]:
    found = {name: file.get(name) for name in (*COLUMNS, "event_start")}
    for name, kind in {**COLUMNS, "event_start": "int64"}.items():
        dataset = found[name]
        if not isinstance(dataset, h5py.Dataset):
            yield Blocker(f"{path}: {name}", "there is no such dataset")
            found[name] = None
        elif dataset.ndim != 1 or dataset.dtype != kind:
            what = f"must be {kind} with one axis, found {dataset.dtype.name} {dataset.shape}"
            yield Blocker(f"{path}: {name}", what)
            found[name] = None
    lengths = {name: len(found[name]) for name in COLUMNS if found[name] is not None}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        yield Blocker(str(path), f"columns must be equally long, found {listed}")
    if found["event_start"] is not None:
        yield from _start_blockers(path, np.asarray(found["event_start"][:]), lengths)


def _start_blockers(
    path: Path, starts: NDArray[np.int64], lengths: dict[str, int]
) -> Iterator[Blocker]:
    where = f"{path}: event_start"
    if len(starts) < 2:
        yield Blocker(where, "holds no event")
    elif starts[0] != 0 or (np.diff(starts) < 0).any():
        yield Blocker(where, "must begin at 0 and never fall")
    elif lengths and int(starts[-1]) != min(lengths.values()):
        yield Blocker(where, f"ends at {starts[-1]}, there are {min(lengths.values())} hits")
