"""The barrel of the TrackML detector: ten cylinders of silicon modules around the beam.

Sources, named in brackets below:

[ACTS]     the ``GenericDetector`` of ACTS 48.1.0: positions and bounds of its 14,000 barrel
           modules, read from the geometry that simulates (a test does it again).
[TrackML]  The Tracking Machine Learning challenge: Accuracy phase, arXiv:1904.06778, section 2:
           pixels of 50 x 50 um, short strips of 80 um x 1.2 mm, long ones of 0.12 x 10.8 mm.
           The resolution is theirs divided by the square root of 12, as in the smearing that
           ACTS configures for this detector (``default-smearing-config-generic``).

Volumes and layers are numbered as in the files of the TrackML challenge, which [ACTS] keeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["BARREL", "LAYERS", "Layer", "layer_at", "layer_of"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One cylinder of modules. ``number`` counts from the beam outwards.

    radius_mm: nominal, between the two radii that its modules' middles have in turn. stagger_mm:
    how much further in or out a hit can lie, since modules are flat and overlap like tiles.
    half_length_mm: along the beam. pitch_mm: of its cells, around and along the beam.
    """

    number: int
    volume: int
    layer: int
    radius_mm: float
    stagger_mm: float
    half_length_mm: float
    pitch_mm: tuple[float, float]

    @property
    def resolution_mm(self) -> tuple[float, float]:
        """Standard deviation of a position within a cell, around and along the beam."""
        return self.pitch_mm[0] / 12**0.5, self.pitch_mm[1] / 12**0.5


_PIXELS: Final = (491.0, (0.05, 0.05))
_SHORT_STRIPS: Final = (1084.0, (0.08, 1.2))
_LONG_STRIPS: Final = (1084.0, (0.12, 10.8))
"""Half-length [ACTS] and pitch [TrackML]."""

BARREL: Final[tuple[Layer, ...]] = (
    Layer(0, 8, 2, 32.0, 2.6, *_PIXELS),
    Layer(1, 8, 4, 72.0, 2.6, *_PIXELS),
    Layer(2, 8, 6, 116.0, 2.6, *_PIXELS),
    Layer(3, 8, 8, 172.0, 2.6, *_PIXELS),
    Layer(4, 13, 2, 260.0, 6.3, *_SHORT_STRIPS),
    Layer(5, 13, 4, 360.0, 6.3, *_SHORT_STRIPS),
    Layer(6, 13, 6, 500.0, 6.3, *_SHORT_STRIPS),
    Layer(7, 13, 8, 660.0, 6.3, *_SHORT_STRIPS),
    Layer(8, 17, 2, 820.0, 6.3, *_LONG_STRIPS),
    Layer(9, 17, 4, 1020.0, 6.3, *_LONG_STRIPS),
)
"""The barrel layers [ACTS]."""
LAYERS: Final = len(BARREL)

_LARGEST_ID: Final = 32
_NUMBERS: Final[NDArray[np.int64]] = np.full((_LARGEST_ID, _LARGEST_ID), -1)
for _layer in BARREL:
    _NUMBERS[_layer.volume, _layer.layer] = _layer.number
_RADII: Final = np.array([layer.radius_mm for layer in BARREL])


def layer_of(volume: NDArray[Any], layer: NDArray[Any]) -> NDArray[np.int64]:
    """Number of the barrel layer of each (volume, layer), -1 where it is none of them."""
    volume, layer = np.asarray(volume, np.int64), np.asarray(layer, np.int64)
    known = (volume >= 0) & (volume < _LARGEST_ID) & (layer >= 0) & (layer < _LARGEST_ID)
    return np.where(known, _NUMBERS[np.where(known, volume, 0), np.where(known, layer, 0)], -1)


def layer_at(radius_mm: NDArray[Any]) -> NDArray[np.int64]:
    """Number of the barrel layer whose radius is nearest."""
    middles = (_RADII[1:] + _RADII[:-1]) / 2
    return np.searchsorted(middles, np.asarray(radius_mm, np.float64)).astype(np.int64)
