"""Hits that particles leave in the TrackML detector, by Fatras, the fast simulation of ACTS.

Multiple scattering, energy loss, and what photons and electrons make of themselves; no hadronic
interactions. ACTS has no arrays for particles and hits in Python, so both pass through CSV files
in a folder of the caller. ``acts`` is imported in the process that simulates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from trigger_ml.errors import ToolFailedError
from trigger_ml.tasks.tracks.detector import layer_of
from trigger_ml.tasks.tracks.hits import EventHits, select_hits
from trigger_ml.tasks.tracks.particles import Particles
from trigger_ml.tasks.tracks.recipe import TracksRecipe
from trigger_ml.tasks.tracks.tables import Table, read_table

__all__ = ["hits_of", "write_particles"]

_NAME: Final = tuple(f"particle_id_{part}" for part in ("pv", "sv", "part", "gen", "subpart"))
"""The five numbers that together name a particle: of the collision, of a later vertex, of the
particle there, and for what Fatras adds to it, the generation and the number in it."""
_HEADER: Final = (
    *_NAME,
    "particle_type",
    "process",
    "vx",
    "vy",
    "vz",
    "vt",
    "px",
    "py",
    "pz",
    "m",
    "q",
)
_NAMES: Final = dict.fromkeys(_NAME, "i8")
_HIT_COLUMNS: Final = {**_NAMES, "geometry_id": "u8", "tx": "f8", "ty": "f8", "tz": "f8"}
_PARTICLE_COLUMNS: Final = {**_NAMES, "px": "f8", "py": "f8", "pz": "f8"}
VOLUME: Final = (56, 0xFF)
LAYER: Final = (36, 0xFFF)
"""Shift and mask of the numbers in a ``geometry_id`` of ACTS."""


def write_particles(folder: Path, events: Iterable[Particles]) -> int:
    """Write ``event000000000-particles.csv`` and so on, as ACTS reads them. Returns how many."""
    number = 0
    for number, event in enumerate(events, start=1):
        zero = np.zeros(len(event.kind))
        columns = (
            event.collision, zero, event.number, zero, zero, event.kind, zero,
            event.x, event.y, event.z, zero, event.px, event.py, event.pz, event.mass,
            event.charge,
        )  # fmt: skip
        form = ["%d"] * 7 + ["%.7g"] * 8 + ["%d"]
        path = folder / f"event{number - 1:09d}-particles.csv"
        np.savetxt(
            path, np.stack(columns, axis=1), form, ",", header=",".join(_HEADER), comments=""
        )
    return number


def hits_of(folder: Path, events: int, seed: int, recipe: TracksRecipe) -> Iterator[EventHits]:
    """Simulate the particles that :func:`write_particles` wrote into a folder.

    Yields the hits of each event that the recipe keeps, where the particles were. seed: of ACTS;
    each event has random numbers of its own.

    Raises ToolFailedError when ACTS fails.
    """
    made = folder / "hits"
    made.mkdir()
    _run(folder, made, events, seed, recipe.field_tesla)
    for number in range(events):
        hits = read_table(made / f"event{number:09d}-hits.csv", _HIT_COLUMNS)
        path = made / f"event{number:09d}-particles_simulated.csv"
        yield _event(hits, read_table(path, _PARTICLE_COLUMNS), recipe.pt_min_gev)


def _run(folder: Path, made: Path, events: int, seed: int, field_tesla: float) -> None:
    import acts
    from acts import examples
    from acts.examples.simulation import addFatras

    quiet = acts.logging.FATAL
    units = acts.UnitConstants
    detector = examples.GenericDetector(examples.GenericDetector.Config())
    field = acts.ConstantBField(acts.Vector3(0, 0, field_tesla * units.T))
    sequencer = examples.Sequencer(events=events, numThreads=1, logLevel=quiet, trackFpes=False)
    sequencer.addReader(
        examples.CsvParticleReader(
            level=quiet,
            inputDir=str(folder),
            inputStem="particles",
            outputParticles="particles_generated",
        )
    )
    addFatras(
        sequencer,
        detector.trackingGeometry(),
        field,
        examples.RandomNumbers(seed=seed),
        inputParticles="particles_generated",
        outputDirCsv=made,
        logLevel=quiet,
    )
    try:
        sequencer.run()
    except RuntimeError as error:
        raise ToolFailedError(f"ACTS could not simulate: {error}") from error


def _event(hits: Table, particles: Table, pt_min_gev: float) -> EventHits:
    geometry = hits["geometry_id"]
    volume, layer = (
        (geometry >> np.uint64(shift)) & np.uint64(mask) for shift, mask in (VOLUME, LAYER)
    )
    names = [np.stack([table[part] for part in _NAME], axis=1) for table in (particles, hits)]
    _, number = np.unique(np.concatenate(names), axis=0, return_inverse=True)
    made, seen = number[: len(names[0])], number[len(names[0]) :]
    momenta = np.full((3, len(number)), np.nan)
    momenta[:, made] = [particles[axis] for axis in ("px", "py", "pz")]
    px, py, pz = momenta[:, seen]
    position = hits["tx"], hits["ty"], hits["tz"]
    return select_hits(layer_of(volume, layer), position, seen, (px, py, pz), pt_min_gev)
