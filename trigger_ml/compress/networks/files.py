"""Float and quantized networks out of Keras files, without Keras: layers and weights as stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.compress.networks.layers import read_float_layer
from trigger_ml.errors import Blocker, ModelError
from trigger_ml.frontends.keras_files import read_keras
from trigger_ml.frontends.model_file import Layer

__all__ = ["Chain", "read_chain"]

WITH_WEIGHTS: Final = ("Dense", "QDense", "BatchNormalization")


@dataclass(frozen=True, slots=True)
class Chain:
    """What a file holds: layers in order without the tail, and each one's arrays in order."""

    name: str
    layers: tuple[Layer, ...]
    tail: str
    weights: Mapping[str, tuple[NDArray[np.float64], ...]]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one event."""
        return tuple(int(size) for size in self.layers[0].config["batch_input_shape"][1:])


def read_chain(path: Path) -> Chain:
    """Read a Keras 2 ``.h5`` (plain Keras or QKeras) or a Keras 3 ``.keras`` of plain layers.

    Raises ModelError with everything in it that cannot be compressed.
    """
    network = read_keras(path, read_float_layer)
    if len(network.inputs) > 1 or network.outputs:
        counts = f"{len(network.inputs)} inputs and {len(network.outputs) or 1} outputs"
        what = f"a network of {counts} cannot be compressed"
        raise ModelError(Blocker(str(path), what, "split the model, or quantize it with QKeras"))
    weights = {
        layer.name: tuple(
            values.astype(np.float64) for values in network.weights.get(layer.name, ())
        )
        for layer in network.layers
        if layer.kind in WITH_WEIGHTS
    }
    return Chain(network.name, network.layers, network.tail, weights)
