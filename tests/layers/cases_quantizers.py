"""Quantizers of weights and of values, and batch normalizations, in QKeras."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.layers.case import Case

KIND = "QKeras .h5"
PLAIN = "quantized_bits(5,1,alpha=1)"


def _weights(path: Path, kernel: Any, bias: str = PLAIN) -> None:
    """A layer with these quantizers, one with plain ones."""
    import tf_keras
    from qkeras import QActivation, QDense

    tf_keras.utils.set_random_seed(1)
    source = tf_keras.Input((6,), name="x")
    layer = QActivation(PLAIN, name="grid")(source)
    layer = QDense(
        8, kernel_quantizer=kernel, bias_quantizer=bias, bias_initializer="normal", name="fc1"
    )(layer)
    layer = QActivation("quantized_relu(5,2)", name="act")(layer)
    layer = QDense(3, kernel_quantizer=PLAIN, bias_quantizer=PLAIN, name="fc2")(layer)
    tf_keras.Model(source, layer).save(path)


def _channels(path: Path) -> None:
    """An alpha for each channel, as an array: QKeras reads no lists in text."""
    import numpy as np
    from qkeras import quantized_bits

    alpha = np.array([[0.25, 0.5, 1.0, 2.0, 3.0, 0.75, 1.0, 1.0]])
    _weights(path, quantized_bits(4, 0, alpha=alpha))


def _activation(path: Path, activation: str, *, inside: bool = False, bits: int = 4) -> None:
    """An activation after a layer, or in it."""
    import tf_keras
    from qkeras import QActivation, QDense

    tf_keras.utils.set_random_seed(2)
    plain = {"kernel_quantizer": "quantized_bits(4,1,alpha=1)", "bias_quantizer": PLAIN}
    source = tf_keras.Input((4,), name="x")
    layer = QActivation(f"quantized_bits({bits},1,alpha=1)", name="grid")(source)
    function = activation if inside else None
    layer = QDense(5, name="fc1", bias_initializer="normal", activation=function, **plain)(layer)
    if not inside:
        layer = QActivation(activation, name="act")(layer)
    layer = QDense(3, name="fc2", **plain)(layer)
    tf_keras.Model(source, layer).save(path)


def _rounded_again(path: Path) -> None:
    """A table that asks for fewer bits than the quantizer before it leaves."""
    import tf_keras
    from qkeras import QActivation, QDense

    tf_keras.utils.set_random_seed(2)
    plain = {"kernel_quantizer": "quantized_bits(4,1,alpha=1)", "bias_quantizer": PLAIN}
    source = tf_keras.Input((4,), name="x")
    layer = QActivation("quantized_bits(6,1,alpha=1)", name="grid")(source)
    layer = QDense(5, name="fc1", bias_initializer="normal", **plain)(layer)
    layer = QActivation("quantized_bits(7,2,alpha=1)", name="rounded")(layer)
    layer = QActivation("quantized_tanh(3,use_real_tanh=True)", name="act")(layer)
    layer = QDense(3, name="fc2", **plain)(layer)
    tf_keras.Model(source, layer).save(path)


def _normalized(
    path: Path, kind: str = "BatchNormalization", bits: int = 5, **options: Any
) -> None:
    """Two normalizations with trained-looking constants."""
    import numpy as np
    import qkeras
    import tf_keras
    from qkeras import QActivation, QDense

    tf_keras.utils.set_random_seed(3)
    draw = np.random.default_rng(3)
    grids = {"kernel_quantizer": PLAIN, "bias_quantizer": PLAIN}
    source = tf_keras.Input((4,), name="x")
    layer = QActivation(f"quantized_bits({bits},2,alpha=1)", name="grid")(source)
    for number in (1, 2):
        layer = QDense(6, name=f"fc{number}", **grids)(layer)
        own = qkeras if kind.startswith("Q") else tf_keras.layers
        layer = getattr(own, kind)(name=f"bn{number}", **options)(layer)
        layer = QActivation("quantized_relu(6,2)", name=f"act{number}")(layer)
    model = tf_keras.Model(source, QDense(3, name="fc3", **grids)(layer))
    for normal in (model.get_layer("bn1"), model.get_layer("bn2")):
        values = [draw.uniform(0.2, 2.0, weight.shape) for weight in normal.get_weights()]
        values[-2] = draw.normal(0, 1, values[-2].shape)
        normal.set_weights(values)
    model.save(path)


def _normalized_image(path: Path) -> None:
    """A normalization of the channels of an image."""
    import numpy as np
    import tf_keras
    from qkeras import QActivation, QConv2D, QDense

    tf_keras.utils.set_random_seed(4)
    draw = np.random.default_rng(4)
    grids = {"kernel_quantizer": "quantized_bits(4,0,alpha=1)", "bias_quantizer": PLAIN}
    source = tf_keras.Input((4, 4, 1), name="x")
    layer = QActivation("quantized_bits(4,1,alpha=1)", name="grid")(source)
    layer = QConv2D(2, (3, 3), name="conv", **grids)(layer)
    layer = tf_keras.layers.BatchNormalization(name="bn")(layer)
    layer = QActivation("quantized_relu(4,1)", name="act")(layer)
    layer = tf_keras.layers.Flatten(name="flat")(layer)
    model = tf_keras.Model(source, QDense(2, name="fc", **grids)(layer))
    normal = model.get_layer("bn")
    normal.set_weights([draw.uniform(0.2, 2.0, weight.shape) for weight in normal.get_weights()])
    model.save(path)


def _of_weights(kernel: str, bias: str = PLAIN) -> Case:
    build: Callable[[Path], None] = partial(_weights, kernel=kernel, bias=bias)
    return Case(f"kernel_quantizer: {kernel}", build, KIND)


def _of_values(activation: str, *, inside: bool = False) -> Case:
    build: Callable[[Path], None] = partial(_activation, activation=activation, inside=inside)
    layer = "QDense(activation=...)" if inside else "QActivation"
    return Case(f"{layer}: {activation}", build, KIND)


CASES = (
    _of_weights("binary(alpha=1)"),
    _of_weights("binary(alpha='auto_po2')", "binary(alpha=0.25)"),
    _of_weights("binary(use_01=True,alpha=0.75)"),
    _of_weights("stochastic_binary(alpha='auto_po2')", "stochastic_binary(alpha=0.5)"),
    _of_weights("ternary(alpha=1,threshold=0.2)", "ternary(alpha=0.5)"),
    _of_weights("ternary(alpha='auto_po2')"),
    _of_weights("stochastic_ternary(alpha='auto_po2')"),
    _of_weights("quantized_po2(4)", "quantized_po2(4,1)"),
    _of_weights("quantized_bits(4,0,alpha='auto_po2')", "quantized_bits(4,0,alpha='auto_po2')"),
    _of_weights("quantized_bits(4,0,alpha=0.375)"),
    Case("kernel_quantizer: quantized_bits(4,0,alpha=array)", _channels, KIND),
    _of_weights("quantized_bits(1,0,alpha=1)"),
    _of_weights("quantized_bits(4,0,keep_negative=False,alpha=1)"),
    _of_values("binary(alpha=1)"),
    _of_values("binary(alpha=1)", inside=True),
    _of_values("binary(use_01=True,alpha=0.5)"),
    _of_values("ternary(alpha=1)"),
    _of_values("ternary(alpha=0.5,threshold=0.7)"),
    _of_values("quantized_tanh(5)"),
    _of_values("quantized_tanh(5,symmetric=True)", inside=True),
    _of_values("quantized_tanh(4,use_real_tanh=True)"),
    _of_values("quantized_sigmoid(5)"),
    _of_values("quantized_sigmoid(5,symmetric=True)"),
    _of_values("quantized_sigmoid(4,use_real_sigmoid=True)"),
    _of_values("quantized_hswish(6,2)"),
    _of_values("quantized_relu(5,2,negative_slope=0.25)"),
    _of_values("quantized_relu(5,2,relu_upper_bound=2.5,is_quantized_clip=False)"),
    Case(
        "QActivation: quantized_relu(5,1,negative_slope=0.125), wide input",
        partial(_activation, activation="quantized_relu(5,1,negative_slope=0.125)", bits=12),
        KIND,
    ),
    Case("QActivation: quantized_bits, quantized_tanh of fewer bits", _rounded_again, KIND),
    Case("BatchNormalization", _normalized, KIND),
    Case(
        "BatchNormalization: wide input",
        partial(_normalized, bits=16),
        KIND,
    ),
    Case(
        "BatchNormalization: scale=False, center=False",
        partial(_normalized, scale=False, center=False),
        KIND,
    ),
    Case("QBatchNormalization", partial(_normalized, kind="QBatchNormalization"), KIND),
    Case("BatchNormalization: image", _normalized_image, KIND),
)
