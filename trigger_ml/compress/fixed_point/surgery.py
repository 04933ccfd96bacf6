"""Weights with fewer signed digits, each change made good by the weights that are still free.

A constant multiplication costs an adder for every non-zero signed digit of the constant, so what
is minimized is divergence + price x digits. One weight of every neuron is fixed at a time, the
others moving to where the quadratic cost is least (E. Frantar, D. Alistarh, Optimal Brain
Compression, arXiv:2208.11580); here each takes the number of digits that is worth its price, zero
among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.compress.fixed_point.curvature import Curvature

__all__ = ["Digits", "cut_digits", "signed_digits"]

Values = NDArray[np.float64]
MOST_DIGITS: Final = 4
"""More signed digits than this are never worth an adder at 8 bits."""


@dataclass(frozen=True, slots=True)
class Digits:
    """Powers of two that weights may be made of: from 2**lowest to 2**highest."""

    lowest: int
    highest: int


def cut_digits(
    curvature: Curvature, digits: Digits, price: NDArray[np.float64] | float, bias_step: float
) -> Values:
    """Weights and biases on their grids, shape (units, inputs + 1), the bias last.

    price: of one digit, in the cost's unit; one number, or one for each input.
    bias_step: of the bias' grid; biases cost nothing.
    """
    state = _State(curvature)
    prices = np.broadcast_to(np.asarray(price, dtype=np.float64), (state.inputs,))
    state.prune(prices, digits)
    state.quantize(prices, digits)
    state.weights[:, -1] = np.rint(state.weights[:, -1] / bias_step) * bias_step
    return state.weights


def signed_digits(values: Values, digits: Digits, most: int = MOST_DIGITS) -> Values:
    """The nearest sums of 0, 1, ..., ``most`` signed powers of two, by greedy expansion.

    Returns shape (most + 1, *values.shape).
    """
    found = np.zeros((most + 1, *values.shape))
    rest = np.array(values, dtype=np.float64)
    for count in range(1, most + 1):
        size = np.maximum(np.abs(rest), 2.0 ** (digits.lowest - 2))
        # The power nearest to r is 2**e for r in [0.75, 1.5) 2**e.
        exponent = np.clip(np.floor(np.log2(size / 0.75)), digits.lowest, digits.highest)
        power = np.sign(rest) * np.exp2(exponent)
        power[np.abs(rest) <= 2.0 ** (digits.lowest - 1)] = 0.0
        found[count] = found[count - 1] + power
        rest = rest - power
    return found


class _State:
    """All neurons of a layer at once: weights, and the inverse curvature of the free ones."""

    def __init__(self, curvature: Curvature) -> None:
        self.weights = curvature.best.copy()
        self.inverse = np.linalg.inv(curvature.hessian)
        self.units, width = self.weights.shape
        self.inputs = width - 1
        self.free = np.ones((self.units, self.inputs), dtype=bool)

    def prune(self, prices: Values, digits: Digits) -> None:
        """Zero weights, the least worth first, while a weight costs more than its digits."""
        for _ in range(self.inputs):
            weights = self.weights[:, :-1]
            expansion = signed_digits(weights, digits)
            needed = (np.diff(expansion, axis=0) != 0).sum(axis=0)
            # Most weights are worth two digits; the expansion of a float has as many as allowed.
            saved = prices * np.minimum(needed, 2)
            gain = np.where(self.free, self._loss(weights**2) - saved, np.inf)
            chosen = gain.argmin(axis=1)
            rows = np.flatnonzero(np.take_along_axis(gain, chosen[:, None], 1)[:, 0] < 0)
            if rows.size == 0:
                return
            self._fix(rows, chosen[rows], np.zeros(rows.size))

    def quantize(self, prices: Values, digits: Digits) -> None:
        """Fix every free weight at its best number of digits, the most sensitive first."""
        rows = np.arange(self.units)
        for _ in range(self.inputs):
            rows = rows[self.free[rows].any(axis=1)]
            if rows.size == 0:
                return
            diagonal = self._diagonal()[rows]
            chosen = np.where(self.free[rows], diagonal, np.inf).argmin(axis=1)
            weight = self.weights[rows, chosen]
            candidates = signed_digits(weight, digits)
            error = (candidates - weight) ** 2 / (2 * diagonal[np.arange(rows.size), chosen])
            cost = error + np.arange(len(candidates))[:, None] * prices[chosen]
            best = cost.argmin(axis=0)
            self._fix(rows, chosen, candidates[best, np.arange(rows.size)])

    def _diagonal(self) -> Values:
        every = np.arange(self.inputs)
        return np.asarray(np.maximum(self.inverse[:, every, every], 1e-30))

    def _loss(self, squared_change: Values) -> Values:
        return np.asarray(squared_change / (2 * self._diagonal()))

    def _fix(self, rows: NDArray[np.intp], columns: NDArray[np.intp], values: Values) -> None:
        """Set one weight of each row for good and let the row's free ones make up for it."""
        column = self.inverse[rows, :, columns]
        diagonal = np.maximum(column[np.arange(rows.size), columns], 1e-30)
        change = (self.weights[rows, columns] - values) / diagonal
        self.weights[rows] -= change[:, None] * column
        self.inverse[rows] -= column[:, :, None] * (column / diagonal[:, None])[:, None, :]
        self.weights[rows, columns] = values
        self.free[rows, columns] = False
        # Rounding would let what is fixed creep; its row and column are zero from here on.
        self.inverse[rows, columns, :] = 0.0
        self.inverse[rows, :, columns] = 0.0
