"""A product of two tensors in tf_keras, which has no such layer, and on its way to hls4ml 1.3."""

from __future__ import annotations

from functools import cache
from typing import Any

from trigger_ml.frontends.keras_products import (
    EINSUM_OF_TWO,
    letters_of,
    product_shape,
    require_single_precision,
)
from trigger_ml.frontends.model_file import Layer
from trigger_ml.graph.einsum_operation import Einsum
from trigger_ml.graph.model import FixedGraph

__all__ = ["einsum_layer", "register_einsum", "require_exact_products"]


@cache
def einsum_layer() -> type:
    """The class of Keras 2 that multiplies two tensors and sums. Imports TensorFlow."""
    import tensorflow as tf
    import tf_keras

    class EinsumOfTwo(tf_keras.layers.Layer):  # type: ignore[misc]
        """Sums of products of two tensors of each event. equation: without the batch axis."""

        def __init__(self, equation: str, **options: Any) -> None:
            super().__init__(**options)
            self.equation = equation

        def call(self, inputs: Any) -> Any:
            operands, _, result = self.equation.partition("->")
            left, _, right = operands.partition(",")
            return tf.einsum(f"...{left},...{right}->...{result}", *inputs)

        def get_config(self) -> dict[str, Any]:
            config: dict[str, Any] = super().get_config()
            return {**config, "equation": self.equation}

    return EinsumOfTwo


def register_einsum() -> None:
    """Teach hls4ml's reader of Keras 2 this layer. Calling it twice does no harm."""
    from hls4ml.converters.keras_v2_to_hls import layer_handlers

    layer_handlers[EINSUM_OF_TWO] = _read_einsum


def _read_einsum(layer: Any, inputs: Any, shapes: Any, _reader: Any) -> tuple[Any, Any]:
    """hls4ml's Einsum, as its readers of Keras 3 make it."""
    from hls4ml.converters.keras_v2_to_hls import parse_default_keras_layer

    made = parse_default_keras_layer(layer, inputs)
    first, second = (tuple(int(size) for size in shape[1:]) for shape in shapes)
    plain = Layer(made["name"], EINSUM_OF_TWO, tuple(inputs), layer["config"])
    left, right, result = letters_of(plain)
    out = product_shape(plain, [first, second])
    assert isinstance(out, tuple)
    made.update(
        class_name="Einsum",
        equation=f"{left},{right}->{result}",
        inp0_shape=first,
        inp1_shape=second,
        out_shape=out,
    )
    return made, [shapes[0][0], *out]


def require_exact_products(graph: FixedGraph) -> None:
    """Refuse products of two tensors that single precision may round. Raises ModelError."""
    for node in graph.nodes:
        if isinstance(node.operation, Einsum):
            require_single_precision(f"layer {node.name}", node.operation.accumulator)
