"""Layers of images in QKeras in networks that end in an image: streams of columns."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.layers.case import Case

__all__ = ["CASES"]

KIND: Final = "QKeras .h5"
CONFIG: Final = "verify: {csim_events: 65536}\nfirmware: {columns_per_clock: %d}"
Make = Callable[[Any], Any]
"""The input's quantized tensor to the tensor before the last convolution."""


def _grids(*kernels: str) -> dict[str, Any]:
    """Quantizers of a layer's kernels and bias, and biases that are not zero."""
    from qkeras import quantized_bits

    made = {f"{name}_quantizer": quantized_bits(4, 0, alpha=1) for name in (*kernels, "bias")}
    return {**made, "bias_initializer": "uniform"}


def _save(path: Path, shape: tuple[int, int, int], make: Make) -> None:
    """Write a model of 4-bit inputs: a quantizer, the layers, and a convolution of one filter."""
    import tf_keras
    from qkeras import QActivation

    tf_keras.utils.set_random_seed(6)
    source = tf_keras.Input(shape, name="x")
    grid = QActivation("quantized_bits(4,1,alpha=1)", name="grid")(source)
    tensor = _convolved(make(grid), 1, (1, 2), "logits")
    model = tf_keras.Model(source, tensor)
    random = np.random.default_rng(3)
    for layer in model.layers:
        arrays = layer.get_weights()
        if type(layer).__name__ == "BatchNormalization":
            layer.set_weights([random.uniform(0.4, 1.6, array.shape) for array in arrays])
        elif type(layer).__name__ == "PReLU":
            layer.set_weights([random.integers(-16, 17, array.shape) / 16 for array in arrays])
    model.save(path)


def _convolved(
    tensor: Any, filters: int, kernel: tuple[int, int], name: str, **options: Any
) -> Any:
    from qkeras import QConv2D

    options = {"padding": "same", **options}
    return QConv2D(filters, kernel, name=name, **options, **_grids("kernel"))(tensor)


def _act(tensor: Any, name: str, kind: str = "quantized_relu(4,2)") -> Any:
    from qkeras import QActivation

    return QActivation(kind, name=name)(tensor)


def _strides(tensor: Any) -> Any:
    tensor = _act(_convolved(tensor, 2, (3, 3), "first", strides=2), "act")
    tensor = _act(_convolved(tensor, 2, (2, 2), "second", strides=(1, 2)), "act2")
    return _act(_convolved(tensor, 2, (1, 1), "third", strides=(2, 1)), "act3")


def _folded(tensor: Any) -> Any:
    from qkeras import QConv2DBatchnorm

    options = {"strides": 2, "padding": "same", "activation": "relu", "name": "conv"}
    return _act(QConv2DBatchnorm(2, 3, **options, **_grids("kernel"))(tensor), "act")


def _depthwise(tensor: Any) -> Any:
    from qkeras import QDepthwiseConv2D

    options = {"padding": "same", "strides": 2, "depth_multiplier": 2, "name": "depth"}
    return _act(QDepthwiseConv2D(3, **options, **_grids("depthwise"))(tensor), "act")


def _separable(tensor: Any) -> Any:
    from qkeras import QSeparableConv2D

    grids = _grids("depthwise", "pointwise")
    return _act(QSeparableConv2D(2, (2, 3), padding="same", name="sep", **grids)(tensor), "act")


def _normalized(tensor: Any) -> Any:
    """Before a convolution, behind one, behind a quantizer and before a join."""
    import tf_keras

    def normal(tensor: Any, name: str) -> Any:
        return tf_keras.layers.BatchNormalization(name=name)(tensor)

    tensor = _act(normal(tensor, "norm_0"), "act_0", "quantized_bits(4,1,alpha=1)")
    tensor = _act(_convolved(tensor, 2, (2, 3), "conv"), "act_1", "quantized_bits(5,2,alpha=1)")
    left = _act(normal(tensor, "norm_1"), "act_2")
    return _act(tf_keras.layers.Add(name="sum")([left, tensor]), "act_3")


def _rectified(tensor: Any) -> Any:
    import tf_keras

    layers = tf_keras.layers
    tensor = layers.LeakyReLU(alpha=0.25, name="leaky")(_convolved(tensor, 2, (2, 3), "conv"))
    tensor = layers.PReLU(shared_axes=[1, 2], name="slopes")(_act(tensor, "a", BITS))
    tensor = layers.PReLU(shared_axes=[2], name="rows")(_act(tensor, "b", BITS))
    tensor = layers.ThresholdedReLU(theta=0.5, name="cut")(_act(tensor, "c", BITS))
    tensor = layers.ReLU(max_value=2, name="bound")(_act(tensor, "d", BITS))
    return _act(tensor, "e")


def _tables(tensor: Any) -> Any:
    """Functions whose zero is not zero, read by a convolution and by a join."""
    import tf_keras

    tensor = _act(_convolved(tensor, 2, (2, 3), "conv"), "grid_1", BITS)
    left = _act(tensor, "sigmoid", "quantized_sigmoid(4)")
    right = _act(tensor, "tanh", "quantized_tanh(4)")
    tensor = tf_keras.layers.Multiply(name="both")([left, right])
    return _act(_convolved(tensor, 1, (2, 2), "conv_2"), "act")


def _joins(tensor: Any) -> Any:
    """Paths of other lengths and strides."""
    import tf_keras

    layers = tf_keras.layers
    left = _act(_convolved(tensor, 2, (2, 3), "left"), "act_0")
    down = _act(_convolved(tensor, 2, (2, 2), "down", strides=2), "act_1")
    up = layers.UpSampling2D(2, name="up")(down)
    tensor = layers.Subtract(name="less")([left, _act(up, "act_up", BITS)])
    tensor = layers.Maximum(name="larger")([_act(tensor, "act_2", BITS), left])
    return _act(layers.Average(name="mean")([tensor, left]), "act_3")


def _means(tensor: Any) -> Any:
    import tf_keras

    layers = tf_keras.layers
    tensor = _act(_convolved(tensor, 2, (2, 3), "conv"), "act_0")
    tensor = layers.AveragePooling2D((1, 2), name="mean")(tensor)
    return layers.MaxPooling2D((2, 2), name="most")(_act(tensor, "act_1"))


def _overlapping(tensor: Any) -> Any:
    import tf_keras

    layers = tf_keras.layers
    tensor = _act(_convolved(tensor, 2, (2, 3), "conv"), "act_0")
    tensor = layers.MaxPooling2D((2, 3), strides=(1, 2), name="most")(tensor)
    tensor = layers.AveragePooling2D((2, 2), strides=1, name="mean")(tensor)
    return _act(tensor, "act_1")


def _rims(tensor: Any) -> Any:
    import tf_keras

    layers = tf_keras.layers
    tensor = layers.ZeroPadding2D(((1, 0), (2, 1)), name="zeros")(tensor)
    tensor = _act(_convolved(tensor, 2, (2, 3), "conv", padding="valid"), "act_0")
    tensor = layers.Cropping2D(((0, 1), (1, 2)), name="inside")(tensor)
    tensor = layers.ZeroPadding2D(((1, 0), (1, 0)), name="around")(tensor)
    tensor = layers.AveragePooling2D((1, 2), name="mean")(tensor)
    return layers.ZeroPadding2D(((1, 1), (0, 0)), name="rows")(_act(tensor, "act_1"))


BITS: Final = "quantized_bits(5,2,alpha=1)"


def _case(name: str, make: Make, shape: tuple[int, int, int], columns: int = 2) -> Case:
    return Case(f"{name}; a stream", partial(_save, shape=shape, make=make), KIND, CONFIG % columns)


CASES: Final[tuple[Case, ...]] = (
    _case("QConv2D: strides with same padding", _strides, (3, 9, 1), 4),
    _case("QConv2DBatchnorm: strides with same padding", _folded, (3, 6, 2)),
    _case("QDepthwiseConv2D: strides, two filters a channel", _depthwise, (2, 6, 2)),
    _case("QSeparableConv2D", _separable, (2, 5, 2)),
    _case("BatchNormalization", _normalized, (2, 5, 2)),
    _case("LeakyReLU, PReLU, ThresholdedReLU, ReLU with a bound", _rectified, (2, 5, 1)),
    _case("quantized_sigmoid, quantized_tanh, Multiply", _tables, (2, 5, 1)),
    _case("Subtract, Maximum, Average of paths of other strides", _joins, (2, 6, 1)),
    _case("AveragePooling2D, MaxPooling2D with a rest", _means, (3, 9, 1), 4),
    _case("MaxPooling2D, AveragePooling2D: windows that overlap", _overlapping, (4, 9, 1)),
    _case("ZeroPadding2D, Cropping2D", _rims, (2, 8, 1)),
)
