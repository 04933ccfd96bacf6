"""Writes tiny_shared3.keras, tiny_shared3.h5 and what the model says, tiny_shared3.npz.

    pip install --no-deps --target qkeras3 qkeras-v3==1.2.1
    PYTHONPATH=qkeras3 KERAS_BACKEND=tensorflow python tests/data/make_tiny_shared3.py

Made with Keras 3.15.1, tensorflow 2.21.0 and qkeras-v3 1.2.1, as tiny_qkeras3.keras is. Layers and
models that are used twice, models in models, TimeDistributed and EinsumDense, random weights.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.update(CUDA_VISIBLE_DEVICES="", KERAS_BACKEND="tensorflow")
import keras
import numpy as np
from qkeras import QActivation, QDense, quantized_bits, quantized_relu

HERE = Path(__file__).parent
EVENTS = 500


def dense(units: int, name: str) -> Any:
    """A QDense with 4-bit weights."""
    grid = quantized_bits(4, 1, alpha=1)
    return QDense(units, name=name, kernel_quantizer=grid, bias_quantizer=grid)


def network() -> Any:
    """The model, before its weights are drawn."""
    layers = keras.layers
    left, right = layers.Input((3,), name="left"), layers.Input((3,), name="right")
    both = layers.Add(name="sum")([left, right])
    grid = QActivation(quantized_bits(5, 2, alpha=1), name="grid")
    shared = dense(3, "shared")
    tensor = grid(shared(grid(shared(both))))
    cell = keras.Model([left, right], [tensor, both], name="cell")

    start = layers.Input((2, 3), name="x")
    tensor = QActivation(quantized_bits(5, 2, alpha=1), name="first")(start)
    block = [dense(3, "fc"), QActivation(quantized_relu(4, 2), name="act")]
    deep = keras.Sequential([layers.Input((3,)), dense(3, "fd"), *block], name="block")
    tensor = layers.TimeDistributed(deep, name="each")(tensor)
    mix = layers.EinsumDense("abc,bcd->adb", (3, 2), bias_axes="d", name="mix")
    tensor = QActivation(quantized_bits(5, 2, alpha=1), name="mixed")(mix(tensor))
    rows = layers.Reshape((6,), name="rows")(tensor)
    first = QActivation(quantized_bits(5, 2, alpha=1), name="f")(dense(3, "fa")(rows))
    second = QActivation(quantized_bits(5, 2, alpha=1), name="g")(dense(3, "fb")(rows))
    first, second = cell([first, second])
    return keras.Model(start, list(cell([second, first])), name="tiny_shared3")


def inner(layer: Any) -> Iterator[Any]:
    """The layers that hold weights, within models and wrappers too."""
    parts = getattr(layer, "layers", None) or [getattr(layer, "layer", None)]
    if parts == [None]:
        yield layer
    else:
        for part in parts:
            yield from inner(part)


def main() -> None:
    """Build, fill and save the model; evaluate it on inputs that lie on its grid."""
    model = network()
    random = np.random.default_rng(7)
    for part in inner(model):
        values = [random.uniform(-1.5, 1.5, array.shape) for array in part.get_weights()]
        if part.name == "mix":
            values = [np.rint(4 * array) / 4 for array in values]
        part.set_weights(values)
    model.save(HERE / "tiny_shared3.keras")
    model.save(HERE / "tiny_shared3.h5")
    x = (random.integers(-16, 16, (EVENTS, 2, 3)) * 0.25).astype(np.float32)
    outputs = np.concatenate(model.predict(x, verbose=0), axis=1)
    np.savez_compressed(HERE / "tiny_shared3.npz", x=x.reshape(EVENTS, -1), outputs=outputs)


if __name__ == "__main__":
    main()
