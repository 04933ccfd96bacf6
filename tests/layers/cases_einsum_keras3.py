"""Products of two tensors that are functions of Keras 3, in a file that it wrote."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import numpy as np

from tests.layers.case import Case

__all__ = ["CASES"]


def _build(path: Path) -> None:
    """Scores of pairs of places, places weighted with them, and a layer whose weights are halves.

    Keras 3 alone has no quantizers: types grow from that of the inputs on.
    """
    # Nothing is computed, so the backend that starts fastest will do.
    os.environ.setdefault("KERAS_BACKEND", "numpy")
    import keras

    left, right = (keras.Input((2, 3), name=f"in_{key}") for key in "ab")
    scores = keras.ops.einsum("eij,ekj->eik", left, right)
    scores = keras.layers.ReLU(name="relu")(scores)
    weighted = scores @ right
    mix = keras.layers.EinsumDense("eij,jk->eik", (2, 2), bias_axes="k", name="mix")
    made = keras.ops.matmul(mix(scores), weighted)
    model = keras.Model([left, right], keras.layers.Flatten(name="flat")(made))
    random = np.random.default_rng(8)
    mix.set_weights([random.integers(-2, 3, array.shape) / 2 for array in mix.get_weights()])
    model.save(path)


CASES: Final = (
    Case(
        "Keras' einsum, matmul and @ of tensors",
        _build,
        "Keras 3 .keras",
        "firmware: {input_type: 'fixed<3,2>'}",
    ),
)
