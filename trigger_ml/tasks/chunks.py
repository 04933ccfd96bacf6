"""A run under way on disk: its plan, its lock, and the chunks it has finished.

A run keeps its finished chunks in ``<output>.chunks/``, one HDF5 file per class and number,
beside ``plan.json`` (what every chunk was made with). A chunk appears whole or not at all, so
a run may be killed at any time, and others may read while it is going on.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, BuildError, DataError
from trigger_ml.tasks.jets.files import new_hdf5, write_text

__all__ = [
    "Arrays",
    "Plan",
    "chunk_file",
    "chunk_folder",
    "finished",
    "locked",
    "prepare",
    "read_chunk",
    "read_plan",
    "write_arrays",
]

Arrays = Mapping[str, NDArray[Any]]

CHUNK_DATASETS = ("features", "constituents", "kinematics", "event")


@dataclass(frozen=True, slots=True)
class Plan:
    """What makes the chunks of one folder; two runs with equal plans make the same chunks."""

    seed: int
    chunk_jets: int
    settings: Mapping[str, Any]
    versions: Mapping[str, str]

    def differences(self, other: Plan) -> list[str]:
        """Readable list of every entry that differs."""
        mine, theirs = _flat(asdict(self)), _flat(asdict(other))
        return [
            f"{key}: {theirs.get(key)!r} there, {mine.get(key)!r} now"
            for key in sorted(mine.keys() | theirs.keys())
            if mine.get(key) != theirs.get(key)
        ]


def _flat(nested: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            flat.update({f"{key}.{inner}": leaf for inner, leaf in value.items()})
        else:
            flat[key] = value
    return flat


def chunk_folder(output: Path) -> Path:
    """Where the chunks of a sample lie."""
    return output.with_name(output.name + ".chunks")


def chunk_file(folder: Path, kind: str, number: int) -> Path:
    """The file of one chunk."""
    return folder / f"{kind}-{number:05d}.h5"


def finished(folder: Path, kind: str) -> int:
    """How many chunks of a class are there without a gap, counted from the first."""
    number = 0
    while chunk_file(folder, kind, number).exists():
        number += 1
    return number


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a chunk folder for one run. Raises BuildError when another run holds it."""
    try:
        handle = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise BuildError(f"cannot write in {folder}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BuildError(
                f"{folder} is in use by another run; wait for it or choose another output"
            ) from None
        yield
    finally:
        os.close(handle)


def prepare(folder: Path, plan: Plan) -> None:
    """Claim a chunk folder for a plan, or check that it already belongs to this plan.

    Raises DataError when its chunks were made with anything else, listing the differences.
    """
    path = folder / "plan.json"
    if not path.exists():
        write_text(path, json.dumps(asdict(plan), indent=2, sort_keys=True))
    elif differences := plan.differences(read_plan(folder)):
        fix = "use the same settings and versions, another output, or remove that folder"
        raise DataError([Blocker(str(folder), line, fix) for line in differences])
    for leftover in folder.glob("*.part"):
        leftover.unlink()


def read_plan(folder: Path) -> Plan:
    """The plan of a chunk folder. Raises DataError when there is none."""
    path = folder / "plan.json"
    try:
        return Plan(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError) as error:
        raise DataError(
            Blocker(
                str(path),
                f"is not the plan of a sample: {error}",
                "give the output of a run that was started here",
            )
        ) from None


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write one chunk atomically, lightly compressed."""
    with new_hdf5(path) as (file, _):
        for name, rows in arrays.items():
            file.create_dataset(
                name, data=rows, compression="gzip", compression_opts=1, shuffle=True
            )


def read_chunk(path: Path, take: int) -> dict[str, NDArray[Any]]:
    """The first ``take`` jets of a chunk. Raises DataError for a damaged file."""
    try:
        with h5py.File(path, "r") as file:
            rows = {name: np.asarray(file[name][:take]) for name in CHUNK_DATASETS}
    except (OSError, RuntimeError, KeyError) as error:
        raise DataError(
            Blocker(str(path), f"cannot be read: {error}", "remove this chunk and run again")
        ) from None
    return rows
