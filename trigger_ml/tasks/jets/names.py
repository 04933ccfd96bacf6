"""The names every jet file, loader and model of this task shares, in their fixed order.

Kept apart so that naming a class or a column never imports a generator or an HDF5 library.
"""

from __future__ import annotations

__all__ = [
    "CLASSES",
    "CONSTITUENTS",
    "CONSTITUENT_COLUMNS",
    "FEATURES",
    "KINEMATICS",
]

CLASSES = ("g", "q", "w", "z", "t")
"""Gluon, light quark (u, d, s), W, Z and top: the order of the labels 0 to 4, and of the
public one-hot columns ``j_g j_q j_w j_z j_t``."""

FEATURES = (
    "zlogz",
    "c1_b0_mmdt",
    "c1_b1_mmdt",
    "c1_b2_mmdt",
    "c2_b1_mmdt",
    "c2_b2_mmdt",
    "d2_b1_mmdt",
    "d2_b2_mmdt",
    "d2_a1_b1_mmdt",
    "d2_a1_b2_mmdt",
    "m2_b1_mmdt",
    "m2_b2_mmdt",
    "n2_b1_mmdt",
    "n2_b2_mmdt",
    "mass_mmdt",
    "multiplicity",
)
"""The 16 columns of OpenML set 42468 ``hls4ml_lhc_jets_hlf``, in its order. ``mass_mmdt`` is
in GeV, everything else has no unit (definitions: :mod:`trigger_ml.tasks.jets.features`)."""

CONSTITUENTS = 64
"""How many constituents of a jet are kept, hardest first; shorter jets are padded with 0."""

CONSTITUENT_COLUMNS = ("pt", "etarel", "phirel")
"""pT in GeV; pseudorapidity and azimuth (radians) relative to the jet axis: the public
columns ``j1_pt``, ``j1_etarel`` and ``j1_phirel``."""

KINEMATICS = ("pt", "eta", "phi", "mass")
"""The ungroomed jet: pT and mass in GeV, pseudorapidity, azimuth in radians."""
