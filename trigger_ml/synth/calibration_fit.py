"""Fit and judgement of the calibration: least squares, and how estimates compare with counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from trigger_ml.synth.calibration import Accuracy

__all__ = ["fit_coefficients", "judge"]

SMALL: Final = 10.0
"""LUTs: the scatter of a part is taken to grow with the root of its LUTs and these."""
COVERED: Final = 0.95


def fit_coefficients(
    amounts: Sequence[Mapping[str, float]], luts: Sequence[float], kinds: Sequence[str]
) -> dict[str, float]:
    """LUTs for one unit of each kind, by least squares without negative ones.

    amounts: of every part by kind. luts: counted in it. A kind that is nowhere gets 0.
    """
    from scipy.optimize import nnls

    rows = np.array([[row.get(kind, 0.0) for kind in kinds] for row in amounts])
    counted = np.asarray(luts, dtype=np.float64)
    weight = 1 / np.sqrt(counted + SMALL)
    found, _ = nnls(rows * weight[:, None], counted * weight)
    return {kind: round(float(value), 3) for kind, value in zip(kinds, found, strict=True)}


def judge(estimates: ArrayLike, counts: ArrayLike) -> Accuracy:
    """How estimates did. Both of one length, at least one, counts above 0."""
    guess = np.asarray(estimates, dtype=np.float64)
    truth = np.asarray(counts, dtype=np.float64)
    ratio = guess / truth
    spread = float(((truth - truth.mean()) ** 2).sum())
    outside = (1 - COVERED) / 2
    back = 1 / ratio
    return Accuracy(
        networks=len(truth),
        mape=float(np.abs(ratio - 1).mean()),
        r2=1 - float(((truth - guess) ** 2).sum()) / spread if spread else float("nan"),
        low=float(np.quantile(back, outside, method="lower")),
        high=float(np.quantile(back, 1 - outside, method="higher")),
        least=float(ratio.min()),
        most=float(ratio.max()),
    )
