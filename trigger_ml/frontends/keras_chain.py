"""Layers that stand in one layer's place: reshapes and transpositions around what they serve.

A reshape takes no logic, and a transposition takes none either: both only rename places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.keras_sizes import Shape
from trigger_ml.frontends.model_file import Layer

__all__ = ["Arrays", "Chain", "Made", "free_names"]

MOST_AXES: Final = 3
"""Of a transposition in hls4ml, without the batch axis."""

Arrays = tuple[NDArray[np.float32], ...]


@dataclass(frozen=True, slots=True)
class Made:
    """Layers in the place of one; the last has its name. weights: theirs. note: what was done,
    in words, or empty."""

    layers: tuple[Layer, ...]
    weights: Mapping[str, Arrays] = field(default_factory=dict)
    note: str = ""


@dataclass
class Chain:
    """Layers one after another. shape: of what leaves the last one, without the batch axis."""

    where: str
    shape: Shape
    steps: list[tuple[str, dict[str, Any], Arrays]] = field(default_factory=list)

    def add(self, kind: str, config: Mapping[str, Any], shape: Shape, arrays: Arrays = ()) -> None:
        """Put a layer behind the others. shape: of what leaves it."""
        self.steps.append((kind, dict(config), arrays))
        self.shape = shape

    def reshape(self, shape: Sequence[int]) -> None:
        """The same elements in another shape, which may be the one that they have."""
        if tuple(shape) != self.shape:
            self.add("Reshape", {"target_shape": list(shape)}, tuple(shape))

    def transpose(self, order: Sequence[int]) -> None:
        """Axes in another order, counted from 0. Axes that stay beside each other count as one.

        Raises ModelError where more than three have to change places.
        """
        made = tuple(self.shape[axis] for axis in order)
        runs: list[list[int]] = []
        for axis in order:
            if runs and axis == runs[-1][-1] + 1:
                runs[-1].append(axis)
            else:
                runs.append([axis])
        if len(runs) == 1:
            return
        if len(runs) > MOST_AXES:
            what = f"{len(runs)} axes of {self.shape} change places, and hls4ml turns {MOST_AXES}"
            fix = "write it as two layers that turn fewer axes each"
            raise ModelError(Blocker(self.where, what, fix))
        before = sorted(runs)
        self.reshape([prod(self.shape[axis] for axis in run) for run in before])
        dims = [before.index(run) for run in runs]
        turned = tuple(self.shape[axis] for axis in dims)
        self.add("Permute", {"dims": [axis + 1 for axis in dims]}, turned)
        self.reshape(made)

    def made(self, name: str, source: str, names: Iterator[str], note: str = "") -> Made:
        """The layers, the last of them called ``name``. source: what the first one reads."""
        layers, weights = [], {}
        steps = self.steps or [("Reshape", {"target_shape": list(self.shape)}, ())]
        for number, (kind, config, arrays) in enumerate(steps, start=1):
            own = name if number == len(steps) else next(names)
            layers.append(Layer(own, kind, (source,), {"dtype": "float32", **config, "name": own}))
            if arrays:
                weights[own] = arrays
            source = own
        return Made(tuple(layers), weights, note)


def free_names(name: str, taken: set[str]) -> Iterator[str]:
    """``name_1``, ``name_2`` and so on, without those that are taken. taken: in lower case; what
    is handed out is added."""
    number = 0
    while True:
        number += 1
        made = f"{name}_{number}"
        if made.lower() not in taken:
            taken.add(made.lower())
            yield made
