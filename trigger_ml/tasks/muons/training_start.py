"""First weights: a pattern finder written as three convolutions, which training then improves.

1. One filter for each layer sees whether it was hit within a strip of here, in the partitions that
   a track through this one may hit in that layer. Each further filter counts the layers hit right
   here: at least one, at least two, and so on. A hit of the first layer in the partition outside
   counts against it, and one of the last layer in that inside: a track there does not come
   through here, but its hits may show here by cross-talk.
2. One filter for each slope adds those layers up along it; one more passes the counts on.
3. A cell is marked where it was hit and enough layers line up nearby.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.tasks.muons.chamber import LAYERS
from trigger_ml.tasks.muons.training_recipe import SegmenterRecipe

__all__ = ["first_weights"]

NOISE: Final = 0.025
"""Width of the normal noise on every weight, which tells spare filters apart."""
MIDDLE: Final = (LAYERS - 1) / 2.0
CROSSING: Final = ((0, 1), (0, 1), (-1, 0, 1), (-1, 0, 1), (-1, 0), (-1, 0))
"""Partitions of each layer, counted from here, that a track which passes here may hit: going
outwards, to lower numbers, it comes from the next one and leaves to the one before."""
WINDOW: Final = 0.8
"""Weight of a hit in a window: above the half that rounds to one."""

Weights = list[tuple[NDArray[Any], NDArray[Any]]]


def first_weights(recipe: SegmenterRecipe) -> Weights:
    """Kernel (height, width, channels, filters) and bias (filters,) of every layer.

    Filters beyond those named above start as noise. The recipe's ``start`` must be "patterns".
    """
    rng = np.random.default_rng(recipe.seed)
    channels, weights = LAYERS, []
    scale = recipe.training.logit_scale
    for layer in recipe.layers:
        shape = (*layer.kernel, channels, layer.filters)
        weights.append((rng.normal(0, NOISE, shape), np.zeros(layer.filters)))
        channels = layer.filters
    _windows(*weights[0])
    slopes = np.linspace(-1, 1, recipe.layers[1].filters - 1) * recipe.steepest
    _slopes(*weights[1], slopes)
    _back(*weights[2], slopes)
    weights[2] = weights[2][0] / scale, weights[2][1] / scale
    return weights


def _windows(kernel: NDArray[Any], bias: NDArray[Any]) -> None:
    row, centre = kernel.shape[0] // 2, kernel.shape[1] // 2
    for layer, partitions in enumerate(CROSSING):
        for away in partitions if row else (0,):
            kernel[row + away, centre - 1 : centre + 2, layer, layer] += WINDOW
    kernel[row, centre, :, LAYERS:] += WINDOW
    if row:
        kernel[row - 1, centre, 0, LAYERS:] -= WINDOW
        kernel[row + 1, centre, LAYERS - 1, LAYERS:] -= WINDOW
    bias[LAYERS:] -= WINDOW * 1.1 * np.arange(len(bias) - LAYERS)


def _slopes(kernel: NDArray[Any], bias: NDArray[Any], slopes: NDArray[Any]) -> None:
    row, centre, last = kernel.shape[0] // 2, kernel.shape[1] // 2, kernel.shape[1] - 1
    for number, slope in enumerate(slopes):
        for layer in range(LAYERS):
            away = round(slope * (layer - MIDDLE) / (LAYERS - 1))
            kernel[row, int(np.clip(centre + away, 0, last)), layer, number] += 1.0
    kernel[row, centre, LAYERS:, -1] += 1.0
    bias[:-1] = -2.5


def _back(kernel: NDArray[Any], bias: NDArray[Any], slopes: NDArray[Any]) -> None:
    row, centre = kernel.shape[0] // 2, kernel.shape[1] // 2
    for number, slope in enumerate(slopes):
        reach = int(np.clip(round(abs(slope) / 2) + 1, 1, centre))
        kernel[row, centre - reach : centre + reach + 1, number, 0] += 0.8
    kernel[row, centre, -1, 0] += 2.0
    bias[:] = -5.0
