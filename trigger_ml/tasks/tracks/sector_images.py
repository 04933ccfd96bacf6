"""Images of sectors: what the network sees, what is true, and whose edges they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.tasks.tracks.detector import LAYERS
from trigger_ml.tasks.tracks.graphs import HitGraph, cot_theta, phi_slope, z_intercept
from trigger_ml.tasks.tracks.recipe import Cuts
from trigger_ml.tasks.tracks.sectors import Placement

__all__ = ["FEATURES", "SectorImages", "edge_features", "pack"]

FEATURES: Final = ("edge", "phi_slope", "z0", "layer", "eta", "shared_out", "shared_in")
"""Of an edge, each from -1 to 1: that there is one (1), its change of azimuth with radius and
where it crosses the beam as shares of the cuts, its inner hit's layer, its pseudorapidity as a
share of ETA_MAX, and how many candidates of the event leave its inner hit and enter its outer
one, as a share of MOST_SHARED: a sector does not hold all of these, and an edge without a rival
is likely true."""
ETA_MAX: Final = 4.0
MOST_SHARED: Final = 4
"""More count as so many."""


@dataclass(frozen=True, slots=True)
class SectorImages:
    """Sectors, (sectors, edge rows, columns) but for x and the last two.

    x: features, 0 where there is no edge, (sectors, edge rows, columns, FEATURES). candidates:
    edges that the sector judges. y: true ones among them; pt, eta: of their particle, GeV; NaN for
    others. inner, outer: hits within the event, -1 where there is no edge. flags, event:
    (sectors,), as in ``Placement``, and the number of the event.
    """

    x: NDArray[np.float32]
    y: NDArray[np.uint8]
    candidates: NDArray[np.bool_]
    pt: NDArray[np.float32]
    eta: NDArray[np.float32]
    inner: NDArray[np.int32]
    outer: NDArray[np.int32]
    flags: NDArray[np.uint8]
    event: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> SectorImages:
        return SectorImages(*(getattr(self, field.name)[rows] for field in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence[SectorImages]) -> SectorImages:
        """All of them, one after the other."""
        return cls(
            *(np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(cls))
        )


def edge_features(graph: HitGraph, cuts: Cuts) -> NDArray[np.float32]:
    """(edges, FEATURES) of a graph that was made with these cuts."""
    gap = graph.layer[graph.senders].astype(np.float64)
    columns = (
        np.ones(graph.edges),
        phi_slope(graph) / cuts.phi_slope_max,
        z_intercept(graph) / cuts.z0_max_mm,
        2 * gap / (LAYERS - 2) - 1,
        np.clip(np.arcsinh(cot_theta(graph)) / ETA_MAX, -1, 1),
        *(
            np.minimum(np.bincount(ends, minlength=graph.nodes)[ends], MOST_SHARED) / MOST_SHARED
            for ends in (graph.senders, graph.receivers)
        ),
    )
    return np.stack(columns, axis=1).astype(np.float32)


def pack(graph: HitGraph, placement: Placement, cuts: Cuts, event: int = 0) -> SectorImages:
    """The sectors of one event. placement: of this graph."""
    shape = placement.shape
    size = (placement.sectors, shape.edge_rows, shape.columns)
    place = placement.sector, placement.row, placement.column
    edge = placement.edge
    # A sector that does not judge an edge has no opinion on it.
    true = graph.truth[edge] & placement.owned

    def image(values: NDArray[Any], empty: float) -> NDArray[Any]:
        found = np.full(size, empty, values.dtype)
        found[place] = values
        return found

    x = np.zeros((*size, len(FEATURES)), np.float32)
    x[place] = edge_features(graph, cuts)[edge]
    senders, receivers = graph.senders[edge], graph.receivers[edge]
    none = np.float32(np.nan)
    return SectorImages(
        x,
        image(true.astype(np.uint8), 0),
        image(placement.owned, False),
        image(np.where(true, graph.pt[receivers], none).astype(np.float32), np.nan),
        image(np.where(true, graph.eta[receivers], none).astype(np.float32), np.nan),
        image(senders.astype(np.int32), -1),
        image(receivers.astype(np.int32), -1),
        placement.flags,
        np.full(placement.sectors, event, np.int32),
    )
