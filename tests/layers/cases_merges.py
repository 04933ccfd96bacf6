"""Models of layers that join tensors, rename places, and of several inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.layers.case import Case

__all__ = ["CASES"]

KIND: Final = "QKeras .h5"
WEIGHTS: Final = {
    "kernel_quantizer": "quantized_bits(4,1,alpha=1)",
    "bias_quantizer": "quantized_bits(4,1,alpha=1)",
}
Tensors = tuple[Any, ...]
"""Keras tensors that a model's inputs become, behind their quantizers."""


def _save(
    path: Path,
    shapes: tuple[tuple[int, ...], ...],
    network: Callable[[Tensors], Any],
) -> None:
    """Write a model of 5-bit inputs of these shapes, with drawn weights."""
    import tf_keras
    from qkeras import QActivation, quantized_bits

    inputs = [
        tf_keras.layers.Input(shape, name=f"in_{key}")
        for shape, key in zip(shapes, "bac", strict=False)
    ]
    grids = tuple(
        QActivation(quantized_bits(5, 1 + number, alpha=1), name=f"grid_{number}")(tensor)
        for number, tensor in enumerate(inputs)
    )
    model = tf_keras.Model(inputs, network(grids))
    random = np.random.default_rng(11)
    for layer in model.layers:
        layer.set_weights([random.uniform(-2, 2, a.shape) for a in layer.get_weights()])
    model.save(path)


def _dense(tensor: Any, units: int, name: str, bits: int = 5, integer: int = 2) -> Any:
    """A QDense and a quantizer with a sign behind it."""
    from qkeras import QActivation, QDense, quantized_bits

    tensor = QDense(units, name=name, **WEIGHTS)(tensor)
    return QActivation(quantized_bits(bits, integer, alpha=1), name=f"{name}_grid")(tensor)


def _relu(tensor: Any, name: str) -> Any:
    from qkeras import QActivation, quantized_relu

    return QActivation(quantized_relu(4, 2), name=name)(tensor)


def _last(tensor: Any) -> Any:
    from qkeras import QDense

    return QDense(2, name="logits", **WEIGHTS)(tensor)


def _joined(kind: str, count: int, options: dict[str, Any], inputs: Tensors) -> Any:
    """Dense layers of types of their own into one join, and a layer behind it."""
    import tf_keras

    made = [_dense(inputs[0], 4, "fc_0")]
    made += [_relu(_dense(inputs[0], 4, f"fc_{k}", 4 + k), f"relu_{k}") for k in range(1, count)]
    joined = getattr(tf_keras.layers, kind)(name="joined", **options)(made)
    return _last(_relu(joined, "relu"))


def _bare(kind: str, options: dict[str, Any], inputs: Tensors) -> Any:
    """A join at the end, of results of full precision."""
    import tf_keras
    from qkeras import QDense

    made = [QDense(3, name=f"fc_{k}", **WEIGHTS)(inputs[0]) for k in range(2)]
    return getattr(tf_keras.layers, kind)(name="joined", **options)(made)


def _residual(inputs: Tensors) -> Any:
    import tf_keras

    tensor = _relu(_dense(inputs[0], 4, "fc_0"), "relu_0")
    for number in (1, 2):
        beside = _relu(_dense(tensor, 4, f"fc_{number}"), f"relu_{number}")
        tensor = tf_keras.layers.Add(name=f"add_{number}")([tensor, beside])
        tensor = _relu(tensor, f"sum_{number}")
    return _last(tensor)


def _itself(inputs: Tensors) -> Any:
    import tf_keras

    tensor = _dense(inputs[0], 4, "fc_0")
    square = tf_keras.layers.Multiply(name="square")([tensor, tensor])
    twice = tf_keras.layers.Concatenate(name="twice")([square, square])
    return _last(_relu(twice, "relu"))


def _flattened(inputs: Tensors) -> Any:
    import tf_keras

    layers = tf_keras.layers
    tensor = layers.Permute((3, 1, 2), name="turned")(inputs[0])
    tensor = layers.Reshape((3, -1), name="cut")(tensor)
    tensor = layers.Permute((2, 1), name="again")(tensor)
    return _last(layers.Flatten(name="flat")(tensor))


def _split(inputs: Tensors) -> Any:
    """A vector seen as an image, joined with its own turn."""
    import tf_keras

    layers = tf_keras.layers
    image = layers.Reshape((2, 2, 2), name="image")(inputs[0])
    turned = layers.Permute((2, 1, 3), name="turned")(image)
    joined = layers.Concatenate(name="joined")(
        [image, layers.Subtract(name="less")([image, turned])]
    )
    return _last(layers.Flatten(name="flat")(joined))


def _streamed(inputs: Tensors) -> Any:
    """Every join of two images, between convolutions."""
    import tf_keras
    from qkeras import QConv2D

    def convolved(tensor: Any, filters: int, name: str) -> Any:
        return QConv2D(filters, (3, 3), padding="same", name=name, **WEIGHTS)(tensor)

    start = tensor = _relu(convolved(inputs[0], 2, "conv"), "start")
    for kind in ("Add", "Subtract", "Maximum", "Minimum", "Average"):
        beside = _relu(convolved(tensor, 2, f"conv_{kind}"), f"beside_{kind}")
        joined = getattr(tf_keras.layers, kind)(name=f"join_{kind}")([start, beside])
        tensor = _relu(joined, f"relu_{kind}")
    return convolved(tensor, 1, "logits")


def _two_inputs(inputs: Tensors) -> Any:
    import tf_keras

    joined = tf_keras.layers.Concatenate(name="joined")(
        [_dense(inputs[1], 3, "fc_1"), _dense(inputs[0], 3, "fc_0"), inputs[1]]
    )
    return _last(_relu(joined, "relu"))


def _two_outputs(inputs: Tensors) -> Any:
    from qkeras import QDense

    shared = _relu(_dense(inputs[0], 4, "fc_0"), "shared")
    late = QDense(3, name="late", **WEIGHTS)(_relu(_dense(shared, 3, "fc_1"), "relu_1"))
    return [late, shared, QDense(1, name="early", **WEIGHTS)(shared)]


def _both(inputs: Tensors) -> Any:
    import tf_keras

    flat = tf_keras.layers.Flatten(name="flat")(inputs[0])
    left, right = _dense(flat, 3, "fc_0"), _dense(inputs[1], 3, "fc_1")
    return [
        tf_keras.layers.Add(name="total")([left, right]),
        _last(tf_keras.layers.Maximum(name="larger")([left, right])),
    ]


def _case(
    name: str,
    network: Callable[[Tensors], Any],
    shapes: tuple[tuple[int, ...], ...] = ((4,),),
    config: str = "",
) -> Case:
    return Case(name, partial(_save, shapes=shapes, network=network), KIND, config)


_ELEMENTWISE: Final = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")

CASES: Final[tuple[Case, ...]] = (
    _case("Add: residual blocks of dense layers", _residual),
    *(
        _case(f"{kind}: two vectors", partial(_joined, kind, 2, {}))
        for kind in (*_ELEMENTWISE, "Concatenate")
    ),
    *(
        _case(f"{kind}: results of full precision, at the end", partial(_bare, kind, {}))
        for kind in (*_ELEMENTWISE, "Concatenate")
    ),
    _case("Dot: two vectors", partial(_bare, "Dot", {"axes": 1})),
    _case("Dot: with a layer behind it", partial(_joined, "Dot", 2, {"axes": -1})),
    _case("Add: three vectors", partial(_joined, "Add", 3, {})),
    _case("Multiply: three vectors", partial(_joined, "Multiply", 3, {})),
    _case("Maximum: three vectors", partial(_joined, "Maximum", 3, {})),
    _case("Average: four vectors", partial(_joined, "Average", 4, {})),
    _case("Concatenate: three vectors, axis 1", partial(_joined, "Concatenate", 3, {"axis": 1})),
    _case("Multiply and Concatenate: a tensor with itself", _itself),
    _case("Flatten, Reshape and Permute: an image", _flattened, ((2, 2, 3),)),
    _case("Reshape: a vector as an image", _split, ((8,),)),
    _case("Add: a stream", _streamed, ((4, 4, 1),), "verify: {csim_events: 65536}"),
    _case("Two inputs", _two_inputs, ((4,), (3,))),
    _case("Three outputs, one of them read on", _two_outputs),
    _case("Two inputs and two outputs, one an image", _both, ((2, 2, 1), (3,))),
)
