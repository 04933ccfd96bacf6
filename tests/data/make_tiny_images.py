"""Writes tiny_conv.h5 and tiny_unet.h5, the networks on images that the tests compile.

    TF_USE_LEGACY_KERAS=1 python tests/data/make_tiny_images.py

tiny_conv: 8 x 32 x 6, one bit each, three convolutions with same padding, one logit for a pixel.
tiny_unet: 16 x 32 x 2, a convolution, a pool, a deeper convolution, and back up beside the first.
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
from qkeras import QActivation, QConv2D, quantized_bits, quantized_relu

WEIGHTS = {
    "kernel_quantizer": "quantized_bits(4,1,alpha=1)",
    "bias_quantizer": "quantized_bits(4,1,alpha=1)",
    "padding": "same",
}


def tiny_conv() -> tf_keras.Model:
    """Odd and even kernels, so uneven padding; the sigmoid is inside the last convolution."""
    inputs = layer = tf_keras.layers.Input((8, 32, 6), name="hits")
    for name, filters, kernel in (("conv1", 4, (3, 5)), ("conv2", 3, (1, 4))):
        layer = QConv2D(filters, kernel, name=name, **WEIGHTS)(layer)
        layer = QActivation(quantized_relu(3, 2), name=f"{name}_relu")(layer)
    layer = QConv2D(1, (4, 1), name="logits", activation="sigmoid", **WEIGHTS)(layer)
    return tf_keras.Model(inputs, layer, name="tiny_conv")


def tiny_unet() -> tf_keras.Model:
    """One level down and up again; the skip has another type than what it is put beside."""
    inputs = layer = tf_keras.layers.Input((16, 32, 2), name="pixels")
    layer = QActivation(quantized_bits(4, 1, alpha=1), name="grid")(layer)
    layer = QConv2D(3, (3, 3), name="down", **WEIGHTS)(layer)
    skip = QActivation(quantized_relu(4, 2), name="down_relu")(layer)
    layer = tf_keras.layers.MaxPooling2D(2, name="pool")(skip)
    layer = QConv2D(4, (3, 3), name="deep", **WEIGHTS)(layer)
    layer = QActivation(quantized_relu(3, 3), name="deep_relu")(layer)
    layer = tf_keras.layers.UpSampling2D(2, name="up")(layer)
    layer = tf_keras.layers.Concatenate(name="both")([layer, skip])
    layer = QConv2D(2, (1, 1), name="mix", **WEIGHTS)(layer)
    layer = QActivation(quantized_relu(4, 3), name="mix_relu")(layer)
    layer = QConv2D(1, (3, 3), name="mask", **WEIGHTS)(layer)
    layer = tf_keras.layers.Activation("sigmoid", name="probability")(layer)
    return tf_keras.Model(inputs, layer, name="tiny_unet")


def main() -> None:
    """Build, fill and save the models."""
    for model in (tiny_conv(), tiny_unet()):
        random = np.random.default_rng(11)
        for part in model.layers:
            values = [random.uniform(-2, 2, array.shape) for array in part.get_weights()]
            part.set_weights([np.where(random.random(v.shape) < 0.3, 0, v) for v in values])
        model.save(Path(__file__).with_name(f"{model.name}.h5"))


if __name__ == "__main__":
    main()
