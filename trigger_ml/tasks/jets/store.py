"""Jet samples on disk: merging the chunks of a run, and writing a sample with its card."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, DataError
from trigger_ml.tasks.chunks import (
    Arrays,
    Plan,
    chunk_file,
    chunk_folder,
    finished,
    read_chunk,
    read_plan,
)
from trigger_ml.tasks.jets.card import ContentDigest, DataCard, card_path
from trigger_ml.tasks.jets.files import new_hdf5, write_text
from trigger_ml.tasks.jets.names import (
    CLASSES,
    CONSTITUENT_COLUMNS,
    CONSTITUENTS,
    FEATURES,
    KINEMATICS,
)

__all__ = ["FORMAT", "merge", "refuse_foreign", "write_sample"]

FORMAT = "trigger_ml jets 1"
"""The ``format`` attribute by which a file of ours is recognised."""

_DATASETS = {
    "features": ((len(FEATURES),), np.float32, 4096),
    "labels": ((), np.int8, 65536),
    "constituents": ((CONSTITUENTS, len(CONSTITUENT_COLUMNS)), np.float32, 512),
    "kinematics": ((len(KINEMATICS),), np.float32, 16384),
    "event": ((), np.int64, 65536),
}
"""Row shape, type and rows per HDF5 chunk of each dataset."""

_EVENT_STRIDE = 1 << 24
"""Event numbers of one chunk stay below this; the merged number is chunk * stride + event."""


def refuse_foreign(path: Path, plan: Plan) -> None:
    """Never replace a file that is not an earlier state of the very sample this plan makes.

    Raises DataError for any other file, listing what differs where it is a jet sample.
    """
    if not path.exists():
        return
    fix = "choose another output, or remove that file"
    try:
        with h5py.File(path, "r") as file:
            card = DataCard.from_json(str(file.attrs["card"]), str(path))
    except (OSError, RuntimeError, KeyError):
        what = "exists and is not a jet sample made here"
        raise DataError(Blocker(str(path), what, fix)) from None
    differences = plan.differences(Plan(card.seed, card.chunk_jets, card.settings, card.versions))
    if card.source:
        differences.append("it was drawn from another sample")
    if differences:
        raise DataError([Blocker(str(path), line, fix) for line in differences])


def merge(
    output: Path, *, destination: Path | None = None, per_class: int | None = None
) -> DataCard:
    """Make a balanced sample of the chunks finished so far; safe while the run goes on.

    output: the path given to ``generate`` (its chunks are in ``<output>.chunks``).
    destination: where to write; ``output`` itself by default.
    per_class: jets of each class; by default as many as are there. Every class takes its first
    jets, so merging early equals running with a smaller target. Jets are mixed in groups of one
    chunk per class: any run of rows is nearly balanced, and the two jets of an event are near
    each other.

    Raises DataError when there are no chunks or fewer jets than asked for, or when the
    destination is another file than an earlier state of this sample; BuildError when it cannot
    be written.
    """
    folder, target = chunk_folder(output), destination or output
    plan = read_plan(folder)
    refuse_foreign(target, plan)
    there = min(finished(folder, kind) for kind in CLASSES) * plan.chunk_jets
    wanted = there if per_class is None else per_class
    if not 0 < wanted <= there:
        raise DataError(
            Blocker(
                str(folder),
                f"has {there} jets of every class, {max(wanted, 1)} are needed",
                "let the run go on, or ask for fewer",
            )
        )
    return write_sample(
        target,
        _groups(folder, plan, wanted),
        card=DataCard(
            generator="PYTHIA 8, FastJet",
            versions=plan.versions,
            settings=plan.settings,
            seed=plan.seed,
            chunk_jets=plan.chunk_jets,
            counts=dict.fromkeys(CLASSES, wanted),
            digests={},
        ),
    )


def _groups(folder: Path, plan: Plan, per_class: int) -> Iterator[Arrays]:
    for number, start in enumerate(range(0, per_class, plan.chunk_jets)):
        take = min(plan.chunk_jets, per_class - start)
        parts = [_chunk(folder, kind, number, take) for kind in CLASSES]
        order = np.random.default_rng((plan.seed, number)).permutation(take * len(CLASSES))
        yield {name: np.concatenate([part[name] for part in parts])[order] for name in _DATASETS}


def _chunk(folder: Path, kind: str, number: int, take: int) -> Arrays:
    """One chunk with its labels, and with event numbers that are unique in the sample."""
    label = CLASSES.index(kind)
    rows = read_chunk(chunk_file(folder, kind, number), take)
    rows["event"] = rows["event"] + (number * len(CLASSES) + label) * _EVENT_STRIDE
    rows["labels"] = np.full(take, label, np.int8)
    return rows


def write_sample(path: Path, groups: Iterator[Arrays], card: DataCard) -> DataCard:
    """Stream groups of rows to a sample file and its card, both atomically.

    The digests are filled in. Raises BuildError when the files cannot be written.
    """
    digest = ContentDigest()
    with new_hdf5(path) as (file, check):
        for group in groups:
            for name, rows in group.items():
                digest.update(name, rows)
                _append(file, name, rows)
            check()
        done = replace(card, digests=digest.digests())
        file.attrs["format"] = FORMAT
        file.attrs["card"] = done.to_json()
    write_text(card_path(path), done.to_json())
    return done


def _append(file: Any, name: str, rows: NDArray[Any]) -> None:
    shape, kind, step = _DATASETS[name]
    if name not in file:
        file.create_dataset(
            name,
            shape=(0, *shape),
            maxshape=(None, *shape),
            dtype=kind,
            chunks=(step, *shape),
            compression="gzip",
            compression_opts=4,
            shuffle=True,
        )
    dataset = file[name]
    dataset.resize(len(dataset) + len(rows), axis=0)
    dataset[len(dataset) - len(rows) :] = rows
