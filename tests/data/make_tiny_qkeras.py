"""Writes tiny_qkeras.h5, the model that the tests compile: 4-6-5-3, quantized, softmax last.

    TF_USE_LEGACY_KERAS=1 python tests/data/make_tiny_qkeras.py

Made with tensorflow 2.21.0, tf_keras 2.21.0 and QKeras 0.9.0. The weights are random: what is
tested is that every witness computes the same integers.
"""

import os
import sys
from pathlib import Path

os.environ.update(CUDA_VISIBLE_DEVICES="", TF_USE_LEGACY_KERAS="1")
import tf_keras

sys.modules["keras"] = tf_keras
import numpy as np
from qkeras import QActivation, QDense, quantized_bits, quantized_relu


def main() -> None:
    """Build, fill and save the model."""
    weights = {"kernel_quantizer": "quantized_bits(4,0,alpha=1)"}
    weights["bias_quantizer"] = "quantized_bits(4,0,alpha=1)"
    inputs = layer = tf_keras.layers.Input((4,), name="features")
    layer = QActivation(quantized_bits(8, 2, alpha=1), name="input_grid")(layer)
    for name, units in (("fc1", 6), ("fc2", 5)):
        layer = QDense(units, name=name, **weights)(layer)
        layer = QActivation(quantized_relu(5, 1), name=f"{name}_relu")(layer)
    layer = QDense(3, name="logits", **weights)(layer)
    layer = tf_keras.layers.Activation("softmax", name="softmax")(layer)
    model = tf_keras.Model(inputs, layer, name="tiny")
    random = np.random.default_rng(7)
    for part in model.layers:
        values = [random.uniform(-1, 1, array.shape) for array in part.get_weights()]
        part.set_weights([np.where(random.random(v.shape) < 0.3, 0, v) for v in values])
    model.save(Path(__file__).with_name("tiny_qkeras.h5"))


if __name__ == "__main__":
    main()
