"""Particles of proton collisions at 14 TeV, by PYTHIA 8: a hard one, and others beside it.

PYTHIA's defaults (tune Monash 2013) hold: particles with a proper lifetime below 1 m/c decay,
at their true place, so that K0S, Lambda and charged hyperons leave displaced tracks. Not
simulated: the bending and the hits of those that decay, and a spread of the beam across.
``pythia8mc`` and ``awkward`` are imported in the process that simulates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import ToolFailedError
from trigger_ml.tasks.tracks.recipe import TracksRecipe

__all__ = ["Particles", "collisions"]

ENERGY_GEV: Final = 14000.0
PROCESSES: Final = {"ttbar": ("Top:gg2ttbar = on", "Top:qqbar2ttbar = on")}
PILEUP: Final = ("SoftQCD:nonDiffractive = on",)
ETA_MAX: Final = 4.0
"""What flies closer to the beam leaves the barrel alone, and so do its secondaries."""
CHARGES: Final = {11: -1, 13: -1, 211: 1, 321: 1, 2212: 1, 3112: -1, 3222: 1, 3312: -1, 3334: -1}
"""Charge of each kind of particle that is simulated, by its PDG number; an antiparticle has the
opposite one."""
INSIDE_MM: Final = (1000.0, 2900.0)
"""Radius and half-length within which a particle must begin: the detector, a little shortened."""


@dataclass(frozen=True, slots=True)
class Particles:
    """Charged particles of one event, each array (particles,).

    collision: 1 for the hard one, 2 and more for the others. number: 1 and more, within the
    collision. kind: PDG number. x, y, z: where it begins, mm. px, py, pz, mass: GeV.
    """

    collision: NDArray[np.int64]
    number: NDArray[np.int64]
    kind: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    z: NDArray[np.float64]
    px: NDArray[np.float64]
    py: NDArray[np.float64]
    pz: NDArray[np.float64]
    mass: NDArray[np.float64]
    charge: NDArray[np.int64]


def collisions(
    recipe: TracksRecipe, events: int, seeds: tuple[int, int, int]
) -> Iterator[Particles]:
    """Events one after the other; equal arguments give equal events, and more give more of them.

    seeds: for the hard collision and for those beside it (1 to 900,000,000), and for vertices.

    Raises ToolFailedError when PYTHIA refuses a setting or cannot start.
    """
    hard = _generator(PROCESSES[recipe.process], seeds[0])
    soft = _generator(PILEUP, seeds[1]) if recipe.pileup else None
    rng = np.random.default_rng(seeds[2])
    for _ in range(events):
        records = [*hard.nextBatch(1).prt]
        if soft is not None:
            records += [*soft.nextBatch(recipe.pileup).prt]
        vertices = rng.normal(size=len(records)) * recipe.vertex_spread_mm
        parts = [
            _charged(record, number, vertex, recipe.simulate_pt_min_gev)
            for number, (record, vertex) in enumerate(zip(records, vertices, strict=True), start=1)
        ]
        columns = ([getattr(part, field.name) for part in parts] for field in fields(Particles))
        yield Particles(*map(np.concatenate, columns))


def _generator(process: tuple[str, ...], seed: int) -> Any:
    """PYTHIA, started."""
    import pythia8mc

    generator = pythia8mc.Pythia("", False)
    common = ("Print:quiet = on", "Random:setSeed = on", f"Random:seed = {seed}")
    for line in (*common, f"Beams:eCM = {ENERGY_GEV}", *process):
        if not generator.readString(line):
            raise ToolFailedError(f"PYTHIA does not accept the setting {line!r}")
    if not generator.init():
        raise ToolFailedError(f"PYTHIA could not start for {process[0]!r}")
    return generator


def _charged(record: Any, collision: int, vertex_mm: float, pt_min_gev: float) -> Particles:
    """The charged final state of one collision, where the detector is."""
    import awkward as ak

    def column(values: Any) -> NDArray[Any]:
        return np.asarray(ak.to_numpy(ak.fill_none(values, 0)))

    final = record[record.status > 0]
    kind = column(final.id).astype(np.int64)
    px, py, pz = (column(final.p[axis]).astype(np.float64) for axis in ("px", "py", "pz"))
    x, y, z = (column(final.vProd[axis]).astype(np.float64) for axis in ("px", "py", "pz"))
    charge = np.zeros(len(kind), np.int64)
    for number, sign in CHARGES.items():
        charge[np.abs(kind) == number] = sign
    charge *= np.sign(kind)
    pt, z = np.hypot(px, py), z + vertex_mm
    within = (np.hypot(x, y) < INSIDE_MM[0]) & (np.abs(z) < INSIDE_MM[1])
    kept = np.flatnonzero(
        (charge != 0) & (pt > pt_min_gev) & (np.abs(pz) < pt * np.sinh(ETA_MAX)) & within
    )
    mass = column(final.m).astype(np.float64)
    chosen: Iterator[NDArray[Any]] = (
        values[kept] for values in (kind, x, y, z, px, py, pz, mass, charge)
    )
    return Particles(np.full(len(kept), collision), np.arange(len(kept)) + 1, *chosen)
