"""Writes tiny_conv, tiny_unet, tiny_graph and tiny_cnn.h5, the networks on images for the tests.

    TF_USE_LEGACY_KERAS=1 python tests/data/make_tiny_images.py

tiny_conv: 8 x 32 x 6, one bit each, three convolutions with same padding, one logit for a pixel.
tiny_unet: 16 x 32 x 2, a convolution, a pool, a deeper convolution, and back up beside the first.
tiny_graph: four edges between three nodes, in five columns, and back to the edges; which ones meet
is in convolutions of ones over the rows, and the last of three channels says which edges there are.
tiny_cnn: a classifier of 8 x 8 x 1, the only one that ends in a vector and so is a flat pipeline.
Made with tensorflow 2.21.0, tf_keras 2.21.0 and QKeras 0.9.0. The weights are random: what is
tested is that every witness computes the same integers.
"""

import os
import sys
from pathlib import Path
from typing import Any

os.environ.update(CUDA_VISIBLE_DEVICES="", TF_USE_LEGACY_KERAS="1")
import tf_keras

sys.modules["keras"] = tf_keras
import numpy as np
from qkeras import (
    QActivation,
    QConv2D,
    QDense,
    QDepthwiseConv2D,
    quantized_bits,
    quantized_relu,
)

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


ENDS = ((0, 1, 0), (0, 1, 1), (1, 2, -1), (1, 2, 0))
"""Edges of a column: the node where each begins, the one where it ends, and how many columns on."""
NODES = 3


def _mix(layer: Any, name: str, ones: np.ndarray) -> Any:
    """Sums of rows. ones: (columns, rows, new rows)."""
    layer = tf_keras.layers.Permute((3, 2, 1), name=f"{name}_rows")(layer)
    mixing = QConv2D(
        ones.shape[2],
        (1, ones.shape[0]),
        padding="same",
        use_bias=False,
        kernel_quantizer="quantized_bits(2,1,alpha=1)",
        name=name,
    )
    layer = mixing(layer)
    mixing.set_weights([ones[None]])
    mixing.trainable = False
    return tf_keras.layers.Permute((3, 2, 1), name=f"{name}_back")(layer)


def tiny_graph() -> tf_keras.Model:
    """Edges, nodes, edges."""
    start, end = (np.zeros((3, NODES, len(ENDS))) for _ in range(2))
    out, into = (np.zeros((3, len(ENDS), NODES)) for _ in range(2))
    for edge, (inner, outer, columns) in enumerate(ENDS):
        start[1, inner, edge] = end[1 + columns, outer, edge] = 1
        out[1, edge, inner] = into[1 - columns, edge, outer] = 1
    join = tf_keras.layers.Concatenate
    inputs = tf_keras.layers.Input((len(ENDS), 5, 3), name="edges")
    grid = QActivation(quantized_bits(5, 1, alpha=1), name="grid")(inputs)
    edge = QConv2D(4, (1, 1), name="edge", **WEIGHTS)(grid)
    edge = QActivation(quantized_relu(3, 1), name="edge_relu")(edge)
    there = QConv2D(3, (1, 1), name="there", **WEIGHTS)(grid)
    there = QActivation(quantized_bits(1, 1, keep_negative=0, alpha=1), name="there_bit")(there)
    sums = join(name="sums")([_mix(edge, "into", into), _mix(edge, "out", out)])
    node = QConv2D(3, (1, 1), name="node", **WEIGHTS)(sums)
    node = QActivation(quantized_relu(3, 2), name="node_relu")(node)
    ends = join(name="ends")([_mix(node, "start", start), _mix(node, "end", end)])
    layer = QConv2D(3, (1, 1), name="meet", **WEIGHTS)(join(name="all")([ends, edge]))
    layer = QActivation(quantized_relu(4, 3), name="meet_relu")(layer)
    layer = tf_keras.layers.Multiply(name="gate")([layer, there])
    layer = QConv2D(1, (1, 1), name="score", **WEIGHTS)(layer)
    return tf_keras.Model(inputs, layer, name="tiny_graph")


def tiny_cnn() -> tf_keras.Model:
    """Zeros around, a stride, a window for each channel, means, and five classes."""
    layers = tf_keras.layers
    grids = {key: WEIGHTS[key] for key in ("kernel_quantizer", "bias_quantizer")}
    own = {"depthwise_quantizer": grids["kernel_quantizer"], "bias_quantizer": None}
    inputs = layer = layers.Input((8, 8, 1), name="pixels")
    layer = QActivation(quantized_bits(4, 0, keep_negative=0, alpha=1), name="grid")(layer)
    layer = layers.ZeroPadding2D(((1, 0), (0, 1)), name="around")(layer)
    layer = QConv2D(3, (3, 3), strides=2, name="conv", **grids)(layer)
    layer = QActivation(quantized_relu(4, 2), name="conv_relu")(layer)
    layer = QDepthwiseConv2D((2, 2), padding="same", use_bias=False, name="own", **own)(layer)
    layer = QActivation(quantized_relu(4, 3), name="own_relu")(layer)
    layer = layers.AveragePooling2D(2, name="mean")(layer)
    layer = layers.Flatten(name="flat")(layer)
    layer = QDense(5, name="logits", **grids)(layer)
    layer = layers.Activation("softmax", name="probability")(layer)
    return tf_keras.Model(inputs, layer, name="tiny_cnn")


def main() -> None:
    """Build, fill and save the models."""
    for model in (tiny_conv(), tiny_unet(), tiny_graph(), tiny_cnn()):
        random = np.random.default_rng(11)
        for part in model.layers:
            values = [random.uniform(-2, 2, array.shape) for array in part.get_weights()]
            if part.trainable:
                part.set_weights([np.where(random.random(v.shape) < 0.3, 0, v) for v in values])
        model.save(Path(__file__).with_name(f"{model.name}.h5"))


if __name__ == "__main__":
    main()
