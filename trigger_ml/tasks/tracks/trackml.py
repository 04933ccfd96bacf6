"""Events of the TrackML challenge (arXiv:1904.06778): CSV files, three for each event.

``eventNNN-hits.csv`` and ``eventNNN-truth.csv`` are needed. Where ``eventNNN-particles.csv`` is
there, it has the momenta; else that of the truth at a particle's innermost hit is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, DataError
from trigger_ml.tasks.tracks.detector import layer_of
from trigger_ml.tasks.tracks.hits import EventHits, select_hits
from trigger_ml.tasks.tracks.tables import Table, read_table

__all__ = ["find_events", "read_trackml", "read_trackml_event"]

HITS: Final = "-hits.csv"
TRUTH: Final = "-truth.csv"
PARTICLES: Final = "-particles.csv"
_HITS: Final = {
    "hit_id": "i8", "x": "f8", "y": "f8", "z": "f8", "volume_id": "i8", "layer_id": "i8",
}  # fmt: skip
_TRUTH: Final = {"hit_id": "i8", "particle_id": "i8"}
_AT_HIT: Final = {**_TRUTH, "tpx": "f8", "tpy": "f8", "tpz": "f8"}
_PARTICLES: Final = {"particle_id": "i8", "px": "f8", "py": "f8", "pz": "f8"}
NOISE: Final = 0
"""The ``particle_id`` of a hit that no particle made."""


def find_events(folder: Path) -> list[Path]:
    """The events of a folder in order, each as the common beginning of its files' names.

    Raises DataError for a folder without events, and for every event without a truth file.
    """
    if not folder.is_dir():
        raise DataError(Blocker(str(folder), "is not a folder"))
    names = sorted(path.name.removesuffix(HITS) for path in folder.glob(f"event*{HITS}"))
    if not names:
        raise DataError(Blocker(str(folder), f"holds no event*{HITS}"))
    paths = [folder / f"{name}{TRUTH}" for name in names]
    if missing := [path for path in paths if not path.is_file()]:
        fix = "hits alone say nothing of the particles"
        raise DataError([Blocker(str(path), "does not exist", fix) for path in missing])
    return [folder / name for name in names]


def read_trackml(events: list[Path], pt_min_gev: float) -> Iterator[EventHits]:
    """Events that :func:`find_events` found, one after the other.

    pt_min_gev: hits of particles below it are dropped. Raises DataError as
    :func:`read_trackml_event`.
    """
    for event in events:
        yield read_trackml_event(event, pt_min_gev)


def read_trackml_event(event: Path, pt_min_gev: float) -> EventHits:
    """One event; ``event`` is its files' names without ``-hits.csv``.

    Raises DataError listing all that is wrong with its files: columns that are missing, what is
    no number, no hits, hits that are named twice or that only one file names, particles that
    the particles' file lacks.
    """
    listed = event.with_name(event.name + PARTICLES)
    wanted = {HITS: _HITS, TRUTH: _TRUTH if listed.exists() else _AT_HIT}
    if listed.exists():
        wanted[PARTICLES] = _PARTICLES
    tables: dict[str, Table] = {}
    blockers: list[Blocker] = []
    for suffix, columns in wanted.items():
        try:
            tables[suffix] = read_table(event.with_name(event.name + suffix), columns)
        except DataError as error:
            blockers += error.blockers
    if blockers or (blockers := list(_blockers(event, tables))):
        raise DataError(blockers)
    return _event(tables[HITS], tables[TRUTH], tables.get(PARTICLES), pt_min_gev)


def _blockers(event: Path, tables: dict[str, Table]) -> Iterator[Blocker]:
    names = {suffix: str(event.with_name(event.name + suffix)) for suffix in tables}
    hits, truth = tables[HITS], tables[TRUTH]
    if not len(hits["hit_id"]):
        yield Blocker(names[HITS], "holds no hits")
    if not all(np.isfinite(hits[axis]).all() for axis in "xyz"):
        yield Blocker(names[HITS], "positions must be finite numbers")
    for suffix in (HITS, TRUTH):
        twice = _repeated(tables[suffix]["hit_id"])
        if len(twice):
            yield Blocker(names[suffix], f"hit_id must name a hit once; {_some(twice)} twice")
    for suffix, other in ((HITS, TRUTH), (TRUTH, HITS)):
        alone = np.setdiff1d(tables[suffix]["hit_id"], tables[other]["hit_id"])
        if len(alone):
            what = f"hit_id {_some(alone)}: not in {Path(names[other]).name}"
            yield Blocker(names[suffix], what)
    if PARTICLES in tables:
        known = tables[PARTICLES]["particle_id"]
        if len(twice := _repeated(known)):
            yield Blocker(names[PARTICLES], f"particle_id {_some(twice)}: named twice")
        unknown = np.setdiff1d(truth["particle_id"], [*known, NOISE])
        if len(unknown):
            what = f"particle_id {_some(unknown)}: not in {Path(names[PARTICLES]).name}"
            yield Blocker(names[TRUTH], what)


def _repeated(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    found, counts = np.unique(numbers, return_counts=True)
    return np.asarray(found[counts > 1])


def _some(numbers: NDArray[np.int64]) -> str:
    """The first three of some numbers, and how many more there are."""
    first = ", ".join(map(str, numbers[:3]))
    return first if len(numbers) <= 3 else f"{first} and {len(numbers) - 3} more"


def _event(hits: Table, truth: Table, particles: Table | None, pt_min_gev: float) -> EventHits:
    hits = {name: column[np.argsort(hits["hit_id"])] for name, column in hits.items()}
    truth = {name: column[np.argsort(truth["hit_id"])] for name, column in truth.items()}
    source = _at_innermost(hits, truth) if particles is None else particles
    known = source["particle_id"]
    order = np.argsort(known)
    seen = truth["particle_id"] != NOISE
    place = order[np.searchsorted(known[order], truth["particle_id"][seen])]
    momentum = np.full((3, len(seen)), np.nan)
    momentum[:, seen] = [source[axis][place] for axis in ("px", "py", "pz")]
    px, py, pz = momentum
    layer = layer_of(hits["volume_id"], hits["layer_id"])
    position = hits["x"], hits["y"], hits["z"]
    return select_hits(layer, position, truth["particle_id"], (px, py, pz), pt_min_gev)


def _at_innermost(hits: Table, truth: Table) -> Table:
    """The momentum of each particle at the hit nearest to the collision."""
    distance = np.sqrt(hits["x"] ** 2 + hits["y"] ** 2 + hits["z"] ** 2)
    order = np.argsort(distance, kind="stable")
    known, first = np.unique(truth["particle_id"][order], return_index=True)
    rows = order[first]
    return {"particle_id": known} | {axis: truth[f"t{axis}"][rows] for axis in ("px", "py", "pz")}
