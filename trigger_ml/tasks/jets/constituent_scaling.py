"""Scaling of a jet's particles: shifts and saturation alone, and a missing particle stays zero.

The offset of every column is 0, so the zeros that stand for a particle that is not there are
zeros behind the scaling too; what is left is a shift and a saturation in firmware.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, DataError
from trigger_ml.tasks.jets.names import CONSTITUENT_COLUMNS
from trigger_ml.tasks.jets.scaling import Scaling

__all__ = ["fit_constituent_scaling", "scale_inputs"]


def fit_constituent_scaling(
    particles: NDArray[Any], bits: int, integer: int, coverage: float
) -> Scaling:
    """Fit on the particles of the training jets that are there: those with pT above zero.

    particles: shape (jets, particles, 3), columns as in ``names.CONSTITUENT_COLUMNS``.
    bits, integer: the grid, as in :class:`trigger_ml.tasks.jets.scaling.Scaling`. coverage: 0 to
    1; for every column the smallest power of two is taken whose grid holds that share of the
    particles. Only the upper end counts: pT has no negative side, and the angles' sides are
    equal in size.

    Raises DataError where a column is zero for nearly all particles.
    """
    values = np.asarray(particles, dtype=np.float64)
    reach = np.zeros(values.shape[-1])
    there = np.abs(values[values[..., 0] > 0])
    if len(there):
        reach = np.quantile(there, coverage, axis=0)
    empty = [name for name, end in zip(CONSTITUENT_COLUMNS, reach, strict=True) if not end > 0]
    if empty:
        fix = "give more jets, or other ones"
        raise DataError([Blocker(name, "is zero for nearly all particles", fix) for name in empty])
    scale = 2.0 ** np.ceil(np.log2(reach / 2.0**integer))
    zero = (0.0,) * len(scale)
    return Scaling(CONSTITUENT_COLUMNS, zero, tuple(scale.tolist()), bits, integer)


def scale_inputs(scaling: Scaling, values: NDArray[Any]) -> NDArray[np.float32]:
    """Scaled values on the grid, exact in single precision; shape as given.

    values: shape (jets, features), or (jets, particles, columns) with a scaling of the columns.
    Raises DataError for another number of columns, for values that are not finite, and for
    particles with an offset, by which missing ones would not be zero.
    """
    if values.ndim == 3 and any(scaling.offset):
        what = "has offsets, so a missing particle would not be zero"
        raise DataError(Blocker("scaling", what, "fit one for particles: leave --scaling out"))
    rows = np.asarray(values).reshape(-1, values.shape[-1])
    return scaling.apply(rows).astype(np.float32).reshape(values.shape)
