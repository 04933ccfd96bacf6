"""Does a sample show the physics it claims? Groomed masses must peak at W, Z and top."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trigger_ml.artifacts import Verdict
from trigger_ml.tasks.jets.names import CLASSES, FEATURES
from trigger_ml.tasks.jets.sample import JetSample

__all__ = ["MassPeak", "MassPeaks", "mass_peaks"]

_EXPECTED_GEV = {"w": (80.4, 4.0), "z": (91.2, 4.0), "t": (173.0, 8.0)}
"""Pole masses (PDG 2024: 80.37, 91.19, 172.6, rounded) and how far the groomed peak may lie from
them: underlying event adds, neutrinos and radiation out of the cone take away, a few GeV."""

_SEARCH_GEV = (30.0, 250.0)
_BIN_GEV = 4.0
_HALF_WIDTH_GEV = 12.0
_LEAST_JETS = 50
_LEAST_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class MassPeak:
    """One class: where the mMDT mass peaks, and how much of the class is in the peak.

    found_gev: NaN when there is nothing to measure. in_peak: jets within 12 GeV of found_gev.
    """

    kind: str
    expected_gev: float
    tolerance_gev: float
    found_gev: float
    jets: int
    in_peak: int

    @property
    def share(self) -> float:
        """Share of the class within 12 GeV of its peak."""
        return self.in_peak / self.jets if self.jets else 0.0

    @property
    def problem(self) -> str:
        """Why this peak is not accepted; empty when it is."""
        if self.in_peak < _LEAST_JETS:
            return f"only {self.in_peak} jets in the peak, {_LEAST_JETS} are needed"
        if not abs(self.found_gev - self.expected_gev) <= self.tolerance_gev:
            return f"more than {self.tolerance_gev:g} GeV away"
        if self.share < _LEAST_SHARE:
            return f"only {self.share:.0%} of the jets are in the peak, {_LEAST_SHARE:.0%} expected"
        return ""

    def __str__(self) -> str:
        line = f"{self.kind}: {self.found_gev:.1f} GeV (expected {self.expected_gev:g})"
        return f"{line}, {self.problem}" if self.problem else line


@dataclass(frozen=True, slots=True)
class MassPeaks:
    """The peaks of W, Z and top, and what they mean."""

    peaks: tuple[MassPeak, ...]

    @property
    def verdict(self) -> Verdict:
        """Passed only when all three peaks were measured and lie where they should."""
        passed = not any(peak.problem for peak in self.peaks)
        return Verdict("mass peaks", passed, "; ".join(str(peak) for peak in self.peaks))


def mass_peaks(sample: JetSample) -> MassPeaks:
    """Find the peaks of the groomed mass (column mass_mmdt, GeV) of the W, Z and top jets.

    The fullest bin between 30 and 250 GeV (4 GeV bins, smoothed 1-2-1), then the median within
    12 GeV of it, iterated. A class without enough jets fails the verdict.
    """
    masses = sample.features[:, FEATURES.index("mass_mmdt")].astype(np.float64)
    return MassPeaks(
        tuple(_peak(kind, masses[sample.labels == CLASSES.index(kind)]) for kind in _EXPECTED_GEV)
    )


def _peak(kind: str, masses: NDArray[np.float64]) -> MassPeak:
    expected, tolerance = _EXPECTED_GEV[kind]
    edges = np.arange(_SEARCH_GEV[0], _SEARCH_GEV[1] + _BIN_GEV, _BIN_GEV)
    counts, _ = np.histogram(masses, edges)
    if not counts.any():
        return MassPeak(kind, expected, tolerance, float("nan"), len(masses), 0)
    smooth = np.convolve(counts, (1, 2, 1), mode="same")
    found = float(edges[smooth.argmax()] + _BIN_GEV / 2)
    for _ in range(8):
        found = float(np.median(masses[np.abs(masses - found) < _HALF_WIDTH_GEV]))
    near = int((np.abs(masses - found) < _HALF_WIDTH_GEV).sum())
    return MassPeak(kind, expected, tolerance, found, len(masses), near)
