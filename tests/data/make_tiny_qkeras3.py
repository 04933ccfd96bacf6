"""Writes tiny_qkeras3.keras, tiny_qkeras3.h5 and what the model says, tiny_qkeras3.npz.

    pip install --no-deps --target qkeras3 qkeras-v3==1.2.1
    PYTHONPATH=qkeras3 KERAS_BACKEND=tensorflow python tests/data/make_tiny_qkeras3.py

Made with Keras 3.15.1, tensorflow 2.21.0 and qkeras-v3 1.2.1, which is no dependency of the
project: it brings a package called qkeras. 4-6-5-3 as tiny_qkeras.h5, with random weights.
"""

import os
from pathlib import Path

os.environ.update(CUDA_VISIBLE_DEVICES="", KERAS_BACKEND="tensorflow")
import keras
import numpy as np
from qkeras import QActivation, QDense, quantized_bits, quantized_relu

HERE = Path(__file__).parent
EVENTS = 500


def network() -> keras.Model:
    """The model, before its weights are drawn."""
    grids = {
        "kernel_quantizer": quantized_bits(4, 0, alpha=1),
        "bias_quantizer": quantized_bits(4, 0, alpha=1),
    }
    inputs = layer = keras.layers.Input((4,), name="features")
    layer = QActivation(quantized_bits(8, 2, alpha=1), name="input_grid")(layer)
    layer = QDense(6, name="fc1", **grids)(layer)
    layer = QActivation(quantized_relu(5, 1), name="fc1_relu")(layer)
    layer = QDense(5, name="fc2", activation=quantized_relu(5, 1), **grids)(layer)
    layer = QDense(3, name="logits", **grids)(layer)
    return keras.Model(inputs, layer, name="tiny3")


def main() -> None:
    """Build, fill and save the model; evaluate it on inputs that lie on its grid."""
    model = network()
    random = np.random.default_rng(7)
    for part in model.layers:
        values = [random.uniform(-1, 1, array.shape) for array in part.get_weights()]
        part.set_weights([np.where(random.random(v.shape) < 0.3, 0, v) for v in values])
    model.save(HERE / "tiny_qkeras3.keras")
    model.save(HERE / "tiny_qkeras3.h5")
    x = (random.integers(-128, 128, (EVENTS, 4)) * 2.0**-5).astype(np.float32)
    np.savez_compressed(HERE / "tiny_qkeras3.npz", x=x, logits=model.predict(x, verbose=0))


if __name__ == "__main__":
    main()
