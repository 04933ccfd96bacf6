"""The 16 high-level features of the hls4ml jet benchmark (arXiv:1804.06913, table 1).

The definitions are those of the code that made the public set (``anaSubstructure.cpp`` in
github.com/nhanvtran/trackObservables, used for arXiv:1709.08705), which calls fjcontrib:

zlogz         sum over the constituents of the *ungroomed* jet of f ln f, with f = E_i / E_jet.
multiplicity  number of constituents of the ungroomed jet.
mass_mmdt     mass of the jet after the modified mass drop tagger (arXiv:1307.0007), that is,
              soft drop (arXiv:1402.2657) with beta = 0 and z_cut = 0.1, in GeV.

The others are ratios of energy correlation functions of the groomed jet, with the momentum
fraction z_i = pT_i / (sum of pT) and the angle theta_ij = sqrt(dy^2 + dphi^2) (rapidity; the
measure ``pt_R`` of fjcontrib):

    e2(b)   = sum_{i<j}   z_i z_j     theta_ij^b                               arXiv:1305.0007
    e3(v,b) = sum_{i<j<k} z_i z_j z_k (product of the v smallest of the 3 angles)^b
                                                                               arXiv:1609.07483
    c1_b  = e2(b)                     (for b = 0 the sum over pairs of z_i z_j)
    c2_b  = e3(3,b) / e2(b)^2                                                  arXiv:1305.0007
    d2_b  = e3(3,b) / e2(b)^3                                                  arXiv:1409.6298
    d2_a1_b = e3(3,1) / e2(b)^(3/b)   (alpha = 1)                              arXiv:1409.6298
    m2_b  = e3(1,b) / e2(b)                                                    arXiv:1609.07483
    n2_b  = e3(2,b) / e2(b)^2                                                  arXiv:1609.07483

A groomed jet with one particle has e2 = 0; its ratios are set to 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import awkward as ak
import fastjet
import numpy as np
from numpy.typing import NDArray

from trigger_ml.tasks.jets.names import FEATURES

__all__ = ["Correlators", "Particles", "correlators", "groom", "high_level_features"]

Floats = NDArray[np.float64]

Z_CUT = 0.1
"""The symmetry cut of the modified mass drop tagger (``zcut_sd`` in the public set's code)."""

_RECLUSTER_RADIUS = 1.5
"""Cambridge/Aachen radius for reclustering one jet: well beyond its own extent, so that a
jet stays one jet."""

_BLOCK = 1 << 14
"""Triples summed at a time: every temporary then stays in the cache (12 times faster than one
array of them all for jets of 100 particles)."""


@dataclass(frozen=True, slots=True)
class Particles:
    """The particles of many jets, one jet after the other.

    counts: (jets,) number of particles in each jet.
    p4: (sum of counts, 4) px, py, pz, E in GeV.
    """

    counts: NDArray[np.int64]
    p4: Floats

    def split(self) -> list[Floats]:
        """One (particles, 4) array per jet."""
        ends = np.cumsum(self.counts)
        return [self.p4[end - count : end] for end, count in zip(ends, self.counts, strict=True)]


@dataclass(frozen=True, slots=True)
class Correlators:
    """Normalised energy correlation functions of one jet; see the module's formulas.

    pairs: e2 at b = 0. e2: at b = 1, 2. e3: [v - 1][b - 1] for v = 1, 2, 3 and b = 1, 2.
    """

    pairs: float
    e2: tuple[float, float]
    e3: tuple[tuple[float, float], tuple[float, float], tuple[float, float]]


def groom(jets: Particles) -> Particles:
    """The particles that survive mMDT grooming (soft drop, beta = 0, z_cut = 0.1)."""
    columns = {
        name: ak.unflatten(jets.p4[:, index], jets.counts)
        for index, name in enumerate(("px", "py", "pz", "E"))
    }
    events = ak.zip(columns, with_name="Momentum4D")
    definition = fastjet.JetDefinition(fastjet.cambridge_algorithm, _RECLUSTER_RADIUS)
    dropped = fastjet.ClusterSequence(events, definition).exclusive_jets_softdrop_grooming(
        njets=1, beta=0.0, symmetry_cut=Z_CUT, R0=0.8
    )
    kept: Any = dropped.constituents
    if kept.ndim == 3:
        kept = ak.flatten(kept, axis=2)
    flat = ak.flatten(kept)
    p4 = np.stack([ak.to_numpy(flat[name]) for name in ("px", "py", "pz", "E")], axis=1)
    return Particles(ak.to_numpy(ak.num(kept)).astype(np.int64), p4.astype(np.float64))


class _Triples:
    """All i < j < k, ordered by k and then by pair, so that a smaller jet uses a prefix.

    pair (i < j) has the number j (j - 1) / 2 + i, which has the same property.
    """

    def __init__(self) -> None:
        self.size = 0

    def grow(self, size: int) -> None:
        """Make room for jets of ``size`` particles."""
        second, first = np.tril_indices(size, -1)
        self.first, self.second = first.astype(np.intp), second.astype(np.intp)
        third = np.repeat(np.arange(size), [k * (k - 1) // 2 for k in range(size)])
        below = np.concatenate([np.arange(k * (k - 1) // 2) for k in range(size)]).astype(np.intp)
        base = third * (third - 1) // 2
        self.third = third.astype(np.int32)
        self.low = below.astype(np.int32)
        self.left = (base + self.first[below]).astype(np.int32)
        self.right = (base + self.second[below]).astype(np.int32)
        self.size = size


_TRIPLES = _Triples()


def correlators(p4: Floats) -> Correlators:
    """Energy correlation functions of one jet.

    p4: (particles, 4) px, py, pz, E in GeV, with pT > 0.
    Exact sums over all pairs and triples; sums of fewer particles than needed are 0.
    """
    count = len(p4)
    if count > _TRIPLES.size:
        _TRIPLES.grow(max(count, 64))
    pt = np.hypot(p4[:, 0], p4[:, 1])
    z = pt / pt.sum()
    rapidity = 0.5 * np.log((p4[:, 3] + p4[:, 2]) / (p4[:, 3] - p4[:, 2]))
    phi = np.arctan2(p4[:, 1], p4[:, 0])
    pairs = count * (count - 1) // 2
    first, second = _TRIPLES.first[:pairs], _TRIPLES.second[:pairs]
    turn = np.abs(phi[first] - phi[second])
    turn = np.minimum(turn, 2 * np.pi - turn)
    theta = np.hypot(rapidity[first] - rapidity[second], turn)
    weight = z[first] * z[second]
    e2 = (float(weight @ theta), float(weight @ (theta * theta)))
    return Correlators(float(weight.sum()), e2, _three_point(z, weight, theta))


def _three_point(
    z: Floats, weight: Floats, theta: Floats
) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float]]:
    """e3(v, b) for v = 1, 2, 3 and b = 1, 2 from the pairs' weights and angles."""
    count = len(z)
    triples = count * (count - 1) * (count - 2) // 6
    sums = np.zeros((3, 2))
    for start in range(0, triples, _BLOCK):
        block = slice(start, min(start + _BLOCK, triples))
        low = _TRIPLES.low[block]
        a, b, c = theta[low], theta[_TRIPLES.left[block]], theta[_TRIPLES.right[block]]
        w = weight[low] * z[_TRIPLES.third[block]]
        small, large = np.minimum(a, b), np.maximum(a, b)
        middle = np.maximum(small, np.minimum(large, c))
        angle = np.minimum(small, c)
        for v, longer in enumerate((None, middle, np.maximum(large, c))):
            angle = angle if longer is None else angle * longer
            weighted = w * angle
            sums[v] += weighted.sum(), weighted @ angle
    one, two, three = ((float(row[0]), float(row[1])) for row in sums)
    return one, two, three


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0.0 else 0.0


def _ratios(c: Correlators) -> list[float]:
    """The 13 correlator columns, in the order of FEATURES."""
    e1_3, e2_3, e3_3 = c.e3
    return [
        c.pairs,
        *c.e2,
        *(_ratio(e3_3[b], c.e2[b] ** 2) for b in (0, 1)),
        *(_ratio(e3_3[b], c.e2[b] ** 3) for b in (0, 1)),
        *(_ratio(e3_3[0], c.e2[b] ** (3 / (b + 1))) for b in (0, 1)),
        *(_ratio(e1_3[b], c.e2[b]) for b in (0, 1)),
        *(_ratio(e2_3[b], c.e2[b] ** 2) for b in (0, 1)),
    ]


def high_level_features(jets: Particles) -> NDArray[np.float32]:
    """(jets, 16) float32, columns as in FEATURES; see the module's docstring for each."""
    rows = np.zeros((len(jets.counts), len(FEATURES)))
    for row, whole, groomed in zip(rows, jets.split(), groom(jets).split(), strict=True):
        fraction = whole[:, 3] / whole[:, 3].sum()
        total = groomed.sum(axis=0)
        row[0] = float(fraction @ np.log(fraction))
        row[1:14] = _ratios(correlators(groomed))
        row[14] = np.sqrt(max(total[3] ** 2 - total[:3] @ total[:3], 0.0))
        row[15] = len(whole)
    return rows.astype(np.float32)
