"""The hits of one event: as columns, chosen, and as a detector measures them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.tasks.tracks.detector import BARREL, LAYERS

__all__ = ["COLUMNS", "EventHits", "in_order", "measured", "select_hits", "wrapped"]

COLUMNS: Final[dict[str, str]] = {
    "layer": "uint8",
    "r": "float32",
    "phi": "float32",
    "z": "float32",
    "particle": "int32",
    "pt": "float32",
    "eta": "float32",
}
"""Name and type of each column."""


@dataclass(frozen=True, slots=True)
class EventHits:
    """Hits of one event, each array (hits,).

    layer: barrel layer 0 to 9, from the beam outwards. r, phi, z: mm, rad in [-pi, pi), mm.
    particle: which one made it, counted from 0 within the event. pt, eta: of that particle where
    it was made, in GeV. A particle has at most one hit in a layer.
    """

    layer: NDArray[np.uint8]
    r: NDArray[np.float32]
    phi: NDArray[np.float32]
    z: NDArray[np.float32]
    particle: NDArray[np.int32]
    pt: NDArray[np.float32]
    eta: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.layer)

    def __getitem__(self, rows: slice | NDArray[Any]) -> EventHits:
        return EventHits(*(getattr(self, field.name)[rows] for field in fields(self)))

    def faults(self) -> Iterator[str]:
        """What is wrong with the content, in words; nothing when all is well."""
        lengths = {len(getattr(self, field.name)) for field in fields(self)}
        if len(lengths) > 1:
            yield f"columns must be equally long, found {sorted(lengths)} rows"
            return
        for name in ("r", "phi", "z", "pt", "eta"):
            if not np.isfinite(getattr(self, name)).all():
                yield f"{name} must be finite numbers"
        if len(self) and self.layer.max() >= LAYERS:
            yield f"layer must be 0 to {LAYERS - 1}, found {self.layer.max()}"
        if (self.particle < 0).any():
            yield f"particle must be 0 or more, found {self.particle.min()}"
        place = self.particle.astype(np.int64) * 256 + self.layer
        if len(np.unique(place)) < len(place):
            yield "a particle has more than one hit in a layer"


def wrapped(angle: NDArray[Any]) -> NDArray[np.float64]:
    """The same angle in [-pi, pi)."""
    turned = np.asarray(angle, np.float64) + np.pi
    # The remainder of a tiny negative number is rounded up to the whole turn.
    rest = turned % (2 * np.pi)
    return np.where(rest >= 2 * np.pi, 0.0, rest) - np.pi


def select_hits(
    layer: NDArray[np.int64],
    position: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    particle: NDArray[Any],
    momentum: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    pt_min_gev: float,
) -> EventHits:
    """The hits that hit graphs are made of, as HEP.TrkX chooses them (arXiv:1810.06111).

    Barrel hits of particles above a transverse momentum, of one particle in one layer the
    innermost. Hits come out in order of layer and azimuth, so that the order says nothing of the
    particles.

    layer: barrel layer, -1 for other hits. position: x, y, z in mm. particle: any number that
    names it. momentum: x, y, z of that particle where it was made, in GeV; NaN to drop it.
    """
    pt = np.hypot(momentum[0], momentum[1])
    chosen = np.flatnonzero((layer >= 0) & (pt > pt_min_gev))
    layer, particle, pt = layer[chosen], particle[chosen], pt[chosen]
    x, y, z = (np.asarray(column, np.float64)[chosen] for column in position)
    eta = np.arcsinh(np.asarray(momentum[2], np.float64)[chosen] / pt)
    _, number = np.unique(particle, return_inverse=True)
    r = np.hypot(x, y)
    order = np.lexsort((r, layer, number))
    place = number[order] * LAYERS + layer[order]
    first = np.ones(len(place), np.bool_)
    first[1:] = place[1:] != place[:-1]
    rows = order[first]
    columns = (layer, r, wrapped(np.arctan2(y, x)), z, number, pt, eta)
    return in_order(
        EventHits(
            *(
                np.asarray(column[rows]).astype(kind)
                for column, kind in zip(columns, COLUMNS.values(), strict=True)
            )
        )
    )


def measured(event: EventHits, rng: np.random.Generator) -> EventHits:
    """The same hits where the detector would see them: spread by the resolution of each layer.

    Around the beam and along it, on the cylinder through the true position: modules lie nearly
    on it. Normal, as the smearing of ACTS; clusters of cells would do better.
    """
    around, along = (
        np.array([layer.resolution_mm[axis] for layer in BARREL])[event.layer] for axis in (0, 1)
    )
    turn = rng.normal(size=len(event)) * around / event.r
    shift = rng.normal(size=len(event)) * along
    moved = replace(
        event,
        phi=wrapped(event.phi + turn).astype(np.float32),
        z=(event.z + shift).astype(np.float32),
    )
    return in_order(moved)


def in_order(event: EventHits) -> EventHits:
    """The same hits in order of layer, then azimuth."""
    return event[np.lexsort((event.phi, event.layer))]
