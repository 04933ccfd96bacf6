"""The segmenter as Keras models: in floating point, on the way to its grids, and on them.

For the training process only: TensorFlow and QKeras are imported when a function is called, after
:func:`trigger_ml.keras2.bind_keras`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trigger_ml.graph.types import FixedType
from trigger_ml.tasks.muons.chamber import LAYERS, PARTITIONS, STRIPS
from trigger_ml.tasks.muons.training_recipe import Convolution, SegmenterRecipe, Stage
from trigger_ml.training.qkeras_networks import grid

__all__ = ["network", "on_grids"]

LEAK: Final = 0.1
"""Share of the gradient that passes an activation where it is zero or saturated: a one-bit one
is, nearly everywhere, and would never be moved again."""

NEVER: Final = -1e3
"""A logit that is below all others, and still a number for every loss."""

Wrap = Callable[[Any, int], Any]


def network(
    recipe: SegmenterRecipe,
    *,
    quantized: bool = False,
    strips: int = STRIPS,
    stage: Stage | None = None,
    wrap: Wrap | None = None,
) -> Any:
    """Keras model from hits (8, strips, 6) to one logit for each cell, (8, strips, 1).

    Only a cell with a hit can be marked: the logit of any other is zero, which is not above zero,
    or NEVER in a model for a stage of the training, where it shall count for nothing.

    quantized: the QKeras model that is compiled. Otherwise a model for a stage of the training,
    or without one the float network: its ReLUs saturate where the quantized ones do, so that its
    weights are a start for them. wrap: what to put around every convolution that trains.
    """
    import tf_keras as keras
    from qkeras import QActivation

    tensor = source = keras.Input((PARTITIONS, strips, LAYERS), name="hits")
    if quantized:
        bit = grid(FixedType(1, 1, signed=False), relu=False)
        tensor = QActivation(bit, name="input_grid")(tensor)
    any_hit = _any_hit(tensor, quantized)
    frozen = stage.frozen if stage else 0
    for number, item in enumerate(recipe.layers):
        last = number == len(recipe.layers) - 1
        on_grid = quantized or (last and stage is not None and stage.last_on_grid)
        layer = _convolution(item, f"conv{number + 1}", on_grid)
        layer.trainable = number >= frozen
        tensor = (wrap(layer, number) if wrap and number >= frozen else layer)(tensor)
        if not last:
            tensor = _activation(item, f"relu{number + 1}", quantized, stage)(tensor)
    if stage is None:
        tensor = keras.layers.Multiply(name="gated")([tensor, any_hit])
    else:
        tensor = keras.layers.Lambda(_only_hit, name="only_hit")([tensor, any_hit])
    return keras.Model(source, tensor, name="muon_segmenter" if quantized else "float_segmenter")


def on_grids(
    recipe: SegmenterRecipe, weights: Sequence[Sequence[NDArray[Any]]], count: int
) -> list[list[NDArray[Any]]]:
    """Kernel and bias of every convolution, of the first ``count`` rounded as QKeras rounds."""
    rounded = []
    for number, (item, pair) in enumerate(zip(recipe.layers, weights, strict=True)):
        grids = [_weight_grid(item), _bias_grid(item)] if number < count else [None, None]
        rounded.append(
            [
                values if on is None else np.asarray(on(np.asarray(values, np.float32)))
                for on, values in zip(grids, pair, strict=True)
            ]
        )
    return rounded


def _weight_grid(item: Convolution) -> Any:
    return grid(FixedType(item.weight_bits, item.weight_integer + 1), relu=False)


def _bias_grid(item: Convolution) -> Any:
    return grid(FixedType(item.bias_bits, item.bias_integer + 1), relu=False)


def _convolution(item: Convolution, name: str, on_grid: bool) -> Any:
    import tf_keras as keras
    from qkeras import QConv2D

    shape: dict[str, Any] = {
        "filters": item.filters, "kernel_size": item.kernel, "padding": "same", "name": name
    }  # fmt: skip
    if not on_grid:
        return keras.layers.Conv2D(**shape)
    grids = {"kernel_quantizer": _weight_grid(item), "bias_quantizer": _bias_grid(item)}
    return QConv2D(**shape, **grids)


def _any_hit(hits: Any, quantized: bool) -> Any:
    """One for each cell with a hit in any layer, zero for the others: (8, strips, 1)."""
    import tf_keras as keras
    from qkeras import QActivation, QConv2D

    shape: dict[str, Any] = {
        "filters": 1, "kernel_size": 1, "use_bias": False, "kernel_initializer": "ones",
        "trainable": False, "name": "layers_hit"
    }  # fmt: skip
    if not quantized:
        return keras.layers.ReLU(1.0, name="any_hit")(keras.layers.Conv2D(**shape)(hits))
    one = grid(FixedType(2, 2), relu=False)
    bit = grid(FixedType(1, 1, signed=False), relu=True)
    layers_hit = QConv2D(**shape, kernel_quantizer=one)(hits)
    return QActivation(bit, name="any_hit")(layers_hit)


def _only_hit(both: Sequence[Any]) -> Any:
    """The logits of cells with a hit, and NEVER for the others."""
    import tensorflow as tf

    logits, any_hit = both
    return tf.where(any_hit > 0, logits, NEVER)


def _activation(item: Convolution, name: str, quantized: bool, stage: Stage | None) -> Any:
    import tf_keras as keras
    from qkeras import QActivation

    if quantized:
        kind = FixedType(item.activation_bits, item.activation_integer, signed=False)
        return QActivation(grid(kind, relu=True), name=name)
    if stage is not None and stage.activations:
        return keras.layers.Activation(_stepped(item), name=name)
    return keras.layers.ReLU(item.saturation, name=name)


def _stepped(item: Convolution) -> Callable[[Any], Any]:
    """What ``quantized_relu`` does, with a gradient that never vanishes."""
    import tensorflow as tf

    step, top = 2.0 ** (item.activation_integer - item.activation_bits), item.saturation

    def apply(values: Any) -> Any:
        # Half way to the next value beyond the ends, rounding may still change.
        between = (values > -step) & (values < top + step)
        smooth = tf.where(between, values, LEAK * values)
        stepped = tf.clip_by_value(tf.round(values / step) * step, 0.0, top)
        return smooth + tf.stop_gradient(stepped - smooth)

    return apply
