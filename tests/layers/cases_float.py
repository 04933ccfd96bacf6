"""Float models of Keras 2, which get their types from events."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from tests.layers.case import Case
from tests.layers.float_networks import NETWORKS, Network, Shapes, Tensors, save

KIND = "float Keras 2 .h5"


def _build(network: Network, shapes: Shapes, path: Path) -> None:
    import tf_keras

    save(tf_keras, path, shapes, network)


def _thresholded(keras: Any, inputs: Tensors) -> Any:
    """A jump, and a layer that has quantizers of its own."""
    from qkeras import QActivation, QDense, quantized_bits

    grid = quantized_bits(5, 1, alpha=1)
    tensor = keras.layers.Dense(3, name="d0")(inputs[0])
    tensor = keras.layers.ThresholdedReLU(0.5, name="jump")(tensor)
    tensor = QDense(3, kernel_quantizer=grid, bias_quantizer=grid, name="fixed")(tensor)
    tensor = QActivation("quantized_relu(9,3)", name="act")(tensor)
    return keras.layers.Dense(2, name="d1")(tensor)


CASES = tuple(
    Case(name, partial(_build, *built), KIND)
    for name, built in {
        **NETWORKS,
        "ThresholdedReLU, QDense beside Dense": (_thresholded, ((3,),)),
    }.items()
)
