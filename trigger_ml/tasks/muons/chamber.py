"""The chamber: a stack like CMS ME0 (also called GE0), its geometry and the physics in it.

Sources, named in brackets below:

[TDR]    CMS, The Phase-2 Upgrade of the CMS Muon Detectors, CERN-LHCC-2017-012.
[CMSSW]  github.com/cms-sw/cmssw, SimMuon/GEMDigitizer: ``python/muonME0Digis_cfi.py`` (efficiency,
         the FLUKA fit of the background), ``python/muonGEMDigis_cfi.py`` (cluster sizes in a pion
         beam), ``src/GEMBkgModel.cc`` (cluster sizes of the background); and L1Trigger/L1TGEM
         (a track passes from one partition to the next while it crosses the stack).
[PDG]    Particle Data Group, Review of Particle Physics, "Passage of particles through matter",
         the formula of V. Highland as revised by G. Lynch and O. Dahl.

What has no source is marked as an assumption.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "BACKGROUND_WIDTHS",
    "CROSSING_S",
    "CROSS_TALK",
    "DELTA_RAY",
    "DELTA_RAY_REACH",
    "EFFICIENCY",
    "ETA_EDGES",
    "LAYERS",
    "LAYER_Z_CM",
    "MUON_WIDTHS",
    "NEUTRON_SHARE",
    "NEUTRON_TWO_LAYERS",
    "NEUTRON_WIDTHS",
    "PARTITIONS",
    "RADIUS_EDGES_CM",
    "STRIPS",
    "STRIP_PITCH_RAD",
    "background_rate",
    "bending",
    "clusters_per_crossing",
    "kick_in_strips",
    "partition_at",
    "scattering_angle",
]

Floats = NDArray[np.float64]

PARTITIONS: Final = 8
"""Partitions in pseudorapidity, counted from the outside (lowest pseudorapidity) as CMS does
[TDR]."""
STRIPS: Final = 384
"""Radial strips of a partition [TDR]."""
LAYERS: Final = 6
"""Triple-GEM layers of a stack, counted from the collision point outwards [TDR]."""
STRIP_PITCH_RAD: Final = float(np.deg2rad(20.2)) / STRIPS
"""A chamber spans 20.2 degrees, 0.2 of them overlap [TDR]: 0.92 mrad a strip."""
LAYER_Z_CM: Final[Floats] = np.linspace(527.0, 544.0, LAYERS)
"""Distance of the layers from the collision point along the beam: 527 to 544 cm [TDR]."""
ETA_EDGES: Final[Floats] = np.linspace(2.03, 2.80, PARTITIONS + 1, dtype=np.float64)
"""Edges of the partitions at the middle of the stack: the reach of the station [TDR], in equal
steps of pseudorapidity (assumption)."""
RADIUS_EDGES_CM: Final[Floats] = LAYER_Z_CM.mean() / np.sinh(ETA_EDGES)
"""The same edges as distances from the beam, falling; equal in all layers, which are alike."""

FIELD_TESLA: Final = 3.5
"""Field along the beam at the chamber (assumption: CMS has 3.8 T in the middle of the solenoid,
which ends nearby)."""
UPSTREAM_X0: Final = 100.0
"""Radiation lengths in front of the chamber: the endcap calorimeter has 25 in its electromagnetic
part and 8.5 interaction lengths of mostly steel behind it (assumption, in round numbers)."""
LAYER_X0: Final = 0.03
"""Radiation lengths of one layer (assumption: boards, foils and cooling)."""

EFFICIENCY: Final = 0.96
"""Of one layer for a muon (assumption; [CMSSW] takes 0.98, chambers in operation show 0.95)."""
MUON_WIDTHS: Final[Floats] = np.diff(
    [0.0, 0.455091, 0.865613, 0.945891, 0.973286, 0.986234, 0.991686, 0.996865, 0.998501, 1.0]
)
"""Probabilities of clusters of 1, 2, ... strips, measured in a pion beam [CMSSW]."""
CROSS_TALK: Final = 0.01
"""Probability that a muon's hit shows on the same strip of a neighbouring partition as well
(assumption)."""
DELTA_RAY: Final = 0.02
"""Probability that a knocked-out electron makes a second hit in the same layer (assumption)."""
DELTA_RAY_REACH: Final = 8
"""Farthest strip that it reaches (assumption)."""

CROSSING_S: Final = 25e-9
"""Time between bunch crossings; a hit is in time with one of them (assumption)."""
LUMINOSITY: Final = 7.5 / 5.0
"""HL-LHC at 200 interactions a crossing, over the luminosity of the fit, 5e34 /cm2/s [CMSSW]."""
BACKGROUND_WIDTHS: Final[Floats] = np.array([0.53, 0.47])
"""Probabilities of background clusters of 1 and 2 strips [CMSSW]."""
NEUTRON_SHARE: Final = 0.1
"""Share of background particles whose recoil or capture makes a wide cluster (assumption)."""
NEUTRON_WIDTHS: Final[Floats] = np.array([0.0, 0.0, 0.3, 0.25, 0.2, 0.15, 0.06, 0.04])
"""Probabilities of their clusters of 1, 2, ... strips (assumption)."""
NEUTRON_TWO_LAYERS: Final = 0.3
"""Probability that such a particle fires the next layer as well (assumption)."""


def partition_at(radius_cm: ArrayLike) -> NDArray[np.int64]:
    """Partition at a distance from the beam; -1 and PARTITIONS are outside and inside of all."""
    rising = np.searchsorted(RADIUS_EDGES_CM[::-1], np.asarray(radius_cm), side="right")
    return np.asarray(PARTITIONS - rising, dtype=np.int64)


def bending(pt_gev: ArrayLike, eta: ArrayLike) -> Floats:
    """Strips by which a muon of unit charge moves from one layer to the next.

    The azimuth of a helix from the origin grows by 0.15 B / pz rad/m (B in tesla, pz in GeV).
    """
    pz = np.asarray(pt_gev) * np.sinh(np.asarray(eta))
    gap_m = float(LAYER_Z_CM[1] - LAYER_Z_CM[0]) / 100.0
    return np.asarray(0.15 * FIELD_TESLA / pz * gap_m / STRIP_PITCH_RAD)


def scattering_angle(momentum_gev: ArrayLike, radiation_lengths: float) -> Floats:
    """Width in rad of the plane angle after multiple scattering of a muon at light speed [PDG]."""
    spread = np.sqrt(radiation_lengths) * (1.0 + 0.038 * np.log(radiation_lengths))
    return np.asarray(0.0136 / np.asarray(momentum_gev) * spread)


def kick_in_strips(eta: ArrayLike) -> Floats:
    """Strips per layer that an azimuthal angle of 1 rad of the track makes."""
    radius_cm = float(LAYER_Z_CM.mean()) / np.sinh(np.asarray(eta))
    path_cm = float(LAYER_Z_CM[1] - LAYER_Z_CM[0]) / np.tanh(np.asarray(eta))
    return np.asarray(path_cm / radius_cm / STRIP_PITCH_RAD)


def background_rate(radius_cm: ArrayLike) -> Floats:
    """Hits per second and cm2 of photons and neutrons, and of electrons, at the HL-LHC.

    The FLUKA fit of [CMSSW], ``muonME0Digis_cfi.py``, without its safety factor of two.
    """
    radius = np.asarray(radius_cm, dtype=np.float64)
    power, root = radius**1.5, np.sqrt(radius)
    neutral = 0.00386257 * radius * np.exp(6344.65 / power) + 16627700 / power - 102098 / root
    electrons = 0.00171409 * power * np.exp(4900.56 / power) + 710909 / power - 4327.25 / root
    return np.asarray(LUMINOSITY * (neutral + electrons))


def clusters_per_crossing() -> Floats:
    """Background clusters of one layer and crossing at the nominal rate, shape (PARTITIONS,)."""
    edges: Any = RADIUS_EDGES_CM
    middle, height = (edges[1:] + edges[:-1]) / 2.0, edges[:-1] - edges[1:]
    area_cm2 = middle * STRIP_PITCH_RAD * STRIPS * height
    return np.asarray(background_rate(middle) * area_cm2 * CROSSING_S)
