"""Hit graphs: hits are nodes, pairs of hits in adjacent layers that could be one track's, edges.

As in HEP.TrkX (arXiv:1810.06111): a pair is an edge when it is not too steep in azimuth, for a
minimum of transverse momentum, and points back to the luminous region.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.tasks.tracks.detector import LAYERS
from trigger_ml.tasks.tracks.hits import EventHits, wrapped
from trigger_ml.tasks.tracks.recipe import Cuts

__all__ = ["HitGraph", "build", "cot_theta", "phi_slope", "z_intercept"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_KEYS_PER_PARTICLE: Final = LAYERS + 1
"""One more than layers, so that no particle's first layer follows another one's last."""


@dataclass(frozen=True, slots=True)
class HitGraph:
    """Nodes and edges of one event.

    r, phi, z, layer, particle, pt, eta: (hits,), as in ``EventHits``.
    senders, receivers: (edges,), rows of the inner and of the outer hit of each edge, in order
        of layer, sender and receiver.
    truth: (edges,), one particle made both hits.
    lost: (segments, 2), the pairs of hits that one particle made in adjacent layers and that
        the cuts dropped; inner hit first.
    """

    r: NDArray[np.float32]
    phi: NDArray[np.float32]
    z: NDArray[np.float32]
    layer: NDArray[np.uint8]
    particle: NDArray[np.int32]
    pt: NDArray[np.float32]
    eta: NDArray[np.float32]
    senders: Indices
    receivers: Indices
    truth: NDArray[np.bool_]
    lost: Indices

    @property
    def nodes(self) -> int:
        """Number of hits."""
        return len(self.r)

    @property
    def edges(self) -> int:
        """Number of candidate segments."""
        return len(self.senders)


def build(event: EventHits, cuts: Cuts) -> HitGraph:
    """The hit graph of an event. Its nodes are the event's hits, in their order."""
    edges = np.concatenate([_pairs(event, layer, cuts) for layer in range(LAYERS - 1)])
    senders, receivers = edges[:, 0].copy(), edges[:, 1].copy()
    true = _true_segments(event)
    size = len(event)
    kept = np.isin(true @ (size, 1), edges @ (size, 1))
    return HitGraph(
        event.r,
        event.phi,
        event.z,
        event.layer,
        event.particle,
        event.pt,
        event.eta,
        senders,
        receivers,
        event.particle[senders] == event.particle[receivers],
        true[~kept],
    )


def _pairs(event: EventHits, layer: int, cuts: Cuts) -> Indices:
    """(pairs, 2): rows of hits in a layer and in the next one that pass the cuts.

    Only pairs within the widest azimuth that the cut allows are looked at, so that time and
    memory grow with what is found, not with the square of the hits.
    """
    inner, outer = (np.flatnonzero(event.layer == number) for number in (layer, layer + 1))
    if not len(inner) or not len(outer):
        return np.zeros((0, 2), np.int64)
    outer = outer[np.argsort(event.phi[outer], kind="stable")]
    r, phi = event.r.astype(np.float64), event.phi.astype(np.float64)
    reach = min(max(cuts.phi_slope_max * (r[outer].max() - r[inner].min()), 0.0), np.pi)
    turns = np.concatenate([phi[outer] - 2 * np.pi, phi[outer], phi[outer] + 2 * np.pi])
    first = np.searchsorted(turns, phi[inner] - reach, "left")
    counts = np.searchsorted(turns, phi[inner] + reach, "right") - first
    row = np.repeat(np.arange(len(inner)), counts)
    place = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts) + first[row]
    pairs = np.stack([inner[row], outer[place % len(outer)]], axis=1)
    slope, z0, rises = _measures(event, pairs[:, 0], pairs[:, 1])
    kept = rises & (np.abs(slope) < cuts.phi_slope_max) & (np.abs(z0) < cuts.z0_max_mm)
    return np.unique(pairs[kept], axis=0)


def _measures(
    hits: EventHits | HitGraph, senders: Indices, receivers: Indices
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Slope in azimuth, where the line crosses the beam, and whether the radius rises."""
    r, phi, z = (np.asarray(column, np.float64) for column in (hits.r, hits.phi, hits.z))
    dr = r[receivers] - r[senders]
    rises = dr > 0
    step = np.where(rises, dr, np.inf)
    slope = wrapped(phi[receivers] - phi[senders]) / step
    return slope, z[senders] - r[senders] * (z[receivers] - z[senders]) / step, rises


def _true_segments(event: EventHits) -> Indices:
    """(segments, 2): rows of hits of one particle in adjacent layers, inner one first."""
    key = event.particle.astype(np.int64) * _KEYS_PER_PARTICLE + event.layer
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    follows = np.flatnonzero(ordered[1:] == ordered[:-1] + 1)
    return np.stack([order[follows], order[follows + 1]], axis=1)


def phi_slope(graph: HitGraph) -> Floats:
    """Change of azimuth with radius along each edge, rad per mm, (edges,)."""
    return _measures(graph, graph.senders, graph.receivers)[0]


def z_intercept(graph: HitGraph) -> Floats:
    """Where the straight line through each edge's hits crosses the beam, mm, (edges,)."""
    return _measures(graph, graph.senders, graph.receivers)[1]


def cot_theta(graph: HitGraph) -> Floats:
    """Change of z with radius along each edge, (edges,): the sinh of its pseudorapidity."""
    r, z = np.asarray(graph.r, np.float64), np.asarray(graph.z, np.float64)
    rise = z[graph.receivers] - z[graph.senders]
    return np.asarray(rise / (r[graph.receivers] - r[graph.senders]))
